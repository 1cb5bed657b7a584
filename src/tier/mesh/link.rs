//! One attempt at a link, and the link that comes of it: one task, from the offer to the end.

use super::collect::Memory;
use super::connection::{CHANNELS, Connection, Maker, TOLD_MAX, Told};
use super::inbox::{HEARD_MAX, Heard, Reader};
use super::outbox::{Gone, Outbox};
use crate::core::clock::Monotonic;
use crate::core::id::DeviceId;
use crate::core::mesh::{Attempt, Beat, MeshEvent, Signal, SignalKind};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use webrtc::data_channel::{DataChannel, DataChannelEvent};
use webrtc::peer_connection::{RTCIceCandidateInit, RTCSessionDescription};

/// A link that has not come up by then will not; one over a relay takes 5 s.
const CONNECT_DEADLINE: Duration = Duration::from_secs(15);
/// How long a link stays open beside the attempt that replaces it.
const REPLACED_STAYS: Duration = Duration::from_secs(1);
/// Candidates that wait for the other side's description.
const EARLY_MAX: usize = 64;
/// Longest SDP or candidate, in bytes.
const BODY_BYTES_MAX: usize = 64 << 10;
/// Frames that are no messages, before the link is ended for them.
const REFUSED_MAX: usize = 64;

/// What the links' task tells a link. When its sender is gone, the link is to end.
pub(super) enum Order {
    /// What the peer signalled: an answer or a candidate.
    Signal(Signal),
    Beat(Box<Beat>),
    /// An encoded message.
    Text(Arc<str>),
    /// Another attempt takes its place.
    Replaced,
}

/// Which side of the attempt this is.
pub(super) enum Role {
    Offerer,
    /// With the offer's SDP.
    Answerer(String),
}

/// What a link is made of and from.
pub(super) struct Link {
    pub(super) peer: DeviceId,
    pub(super) attempt: Attempt,
    pub(super) maker: Arc<Maker>,
    pub(super) clock: Arc<dyn Monotonic>,
    pub(super) memory: Memory,
    pub(super) events: mpsc::Sender<MeshEvent>,
    pub(super) orders: mpsc::Receiver<Order>,
}

/// Why a link ended.
pub(super) enum Ended {
    /// It was to.
    Asked,
    /// Another attempt takes its place.
    Replaced,
    Lost(String),
}

/// A connection that is being made, and then carries.
struct Session<'a> {
    link: &'a mut Link,
    connection: Connection,
    told: mpsc::Receiver<Told>,
    /// Kept from the start: a channel that nobody holds is forgotten by the crate. By [`CHANNELS`].
    theirs: [Option<Arc<dyn DataChannel>>; 3],
    heard: mpsc::Receiver<Heard>,
    heard_sender: mpsc::Sender<Heard>,
    opened: [bool; 3],
    described: bool,
    early: Vec<RTCIceCandidateInit>,
    refused: usize,
    /// Readers of channels; they end with the session.
    readers: JoinSet<()>,
}

impl Link {
    /// Makes the link, carries over it, and tells when it ends by itself.
    pub(super) async fn run(mut self, role: Role) {
        let (teller, told) = mpsc::channel(TOLD_MAX);
        let ended = match self.maker.make(teller.clone()).await {
            Ok(connection) => self.live(connection, role, teller, told).await,
            Err(error) => Ended::Lost(format!("no connection can be made here: {error}")),
        };
        if let Ended::Lost(reason) = ended {
            let Self { peer, attempt, events, .. } = self;
            tracing::debug!(%peer, ?attempt, reason, "a link ended");
            // Nobody listens when the daemon ends.
            let _ = events.send(MeshEvent::Down { peer, attempt, reason }).await;
        }
    }

    async fn live(
        &mut self,
        connection: Connection,
        role: Role,
        teller: mpsc::Sender<Told>,
        told: mpsc::Receiver<Told>,
    ) -> Ended {
        let peer_connection = connection.peer.clone();
        let mut session = Session::new(self, connection, &teller, told);
        let ended = match timeout(CONNECT_DEADLINE, session.come_up(role)).await {
            Ok(Ok(())) => session.carry().await,
            Ok(Err(ended)) => ended,
            Err(_) => Ended::Lost(format!("it did not come up within {} s", CONNECT_DEADLINE.as_secs())),
        };
        if matches!(ended, Ended::Replaced) {
            // The peer is to hear of the new attempt before it sees the old one end.
            sleep(REPLACED_STAYS).await;
        }
        drop(session);
        if let Err(error) = peer_connection.close().await {
            tracing::debug!(%error, "a connection does not close");
        }
        ended
    }
}

impl<'a> Session<'a> {
    fn new(
        link: &'a mut Link,
        connection: Connection,
        teller: &mpsc::Sender<Told>,
        told: mpsc::Receiver<Told>,
    ) -> Self {
        let (heard_sender, heard) = mpsc::channel(HEARD_MAX);
        let mut readers = JoinSet::new();
        for (place, channel) in connection.own.iter().enumerate() {
            readers.spawn(watch(channel.clone(), place, teller.clone()));
        }
        Self {
            link,
            connection,
            told,
            theirs: [None, None, None],
            heard,
            heard_sender,
            opened: [false; 3],
            described: false,
            early: Vec::new(),
            refused: 0,
            readers,
        }
    }

    /// From nothing to a link that carries both ways.
    async fn come_up(&mut self, role: Role) -> Result<(), Ended> {
        self.describe(role).await.map_err(|error| Ended::Lost(format!("the offer cannot be used: {error}")))?;
        while !(self.opened.iter().all(|open| *open) && self.theirs.iter().all(Option::is_some)) {
            tokio::select! {
                order = self.link.orders.recv() => match order {
                    Some(Order::Signal(signal)) => self.take_signal(signal).await?,
                    // There is no link yet.
                    Some(Order::Beat(_) | Order::Text(_)) => {}
                    Some(Order::Replaced) => return Err(Ended::Replaced),
                    None => return Err(Ended::Asked),
                },
                told = self.told.recv() => self.take_told(told).await?,
            }
        }
        let (peer, attempt) = (self.link.peer.clone(), self.link.attempt);
        self.tell(MeshEvent::Up { peer, attempt }).await
    }

    /// Carries until the link ends.
    async fn carry(&mut self) -> Ended {
        let mut outbox = Outbox::new(&self.connection);
        let gone = || Ended::Lost("the connection was closed".into());
        loop {
            let done = tokio::select! {
                order = self.link.orders.recv() => match order {
                    Some(Order::Signal(signal)) => self.take_signal(signal).await,
                    Some(Order::Beat(beat)) => {
                        outbox.beat(beat, &*self.link.clock).await;
                        Ok(())
                    }
                    Some(Order::Text(text)) => outbox
                        .push(text)
                        .map_err(|_| Ended::Lost("it does not take what it is sent".into())),
                    Some(Order::Replaced) => Err(Ended::Replaced),
                    None => {
                        outbox.flush().await;
                        Err(Ended::Asked)
                    }
                },
                told = self.told.recv() => self.take_told(told).await,
                heard = self.heard.recv() => self.take_heard(heard).await,
                ready = outbox.ready() => match ready {
                    Ok(queue) => outbox.send(queue).await.map_err(|Gone| gone()),
                    Err(Gone) => Err(gone()),
                },
            };
            if let Err(ended) = done {
                return ended;
            }
        }
    }

    async fn describe(&mut self, role: Role) -> webrtc::error::Result<()> {
        let peer = self.connection.peer.clone();
        let (kind, own) = match role {
            Role::Offerer => (SignalKind::Offer, peer.create_offer(None).await?),
            Role::Answerer(sdp) => {
                peer.set_remote_description(RTCSessionDescription::offer(sdp)?).await?;
                self.described = true;
                (SignalKind::Answer, peer.create_answer(None).await?)
            }
        };
        let body = own.sdp.clone();
        peer.set_local_description(own).await?;
        // Told before any candidate: those wait in `told`. Nobody listens when the daemon ends.
        let _ = self.tell(self.signal(kind, body)).await;
        Ok(())
    }

    fn signal(&self, kind: SignalKind, body: String) -> MeshEvent {
        let signal = Signal { attempt: self.link.attempt, kind, body };
        MeshEvent::Signal { to: self.link.peer.clone(), signal }
    }

    async fn tell(&self, event: MeshEvent) -> Result<(), Ended> {
        self.link.events.send(event).await.map_err(|_| Ended::Asked)
    }

    async fn take_signal(&mut self, signal: Signal) -> Result<(), Ended> {
        if signal.body.len() > BODY_BYTES_MAX {
            tracing::debug!(bytes = signal.body.len(), "a signal that is too long");
            return Ok(());
        }
        match signal.kind {
            SignalKind::Answer if !self.described => {
                let described = match RTCSessionDescription::answer(signal.body) {
                    Ok(answer) => self.connection.peer.set_remote_description(answer).await,
                    Err(error) => Err(error),
                };
                described.map_err(|error| Ended::Lost(format!("the answer cannot be used: {error}")))?;
                self.described = true;
                for candidate in std::mem::take(&mut self.early) {
                    self.add(candidate).await;
                }
            }
            SignalKind::IceCandidate => match serde_json::from_str::<RTCIceCandidateInit>(&signal.body) {
                Ok(candidate) if self.described => self.add(candidate).await,
                Ok(candidate) if self.early.len() < EARLY_MAX => self.early.push(candidate),
                Ok(_) => tracing::debug!("more candidates than are kept"),
                Err(error) => tracing::debug!(%error, "a candidate that cannot be read"),
            },
            SignalKind::Answer | SignalKind::Offer => {}
        }
        Ok(())
    }

    /// One that cannot be used is no fault: another will do.
    async fn add(&self, candidate: RTCIceCandidateInit) {
        if let Err(error) = self.connection.peer.add_ice_candidate(candidate).await {
            tracing::debug!(%error, "a candidate that cannot be used");
        }
    }

    async fn take_told(&mut self, told: Option<Told>) -> Result<(), Ended> {
        match told {
            Some(Told::Candidate(json)) => self.tell(self.signal(SignalKind::IceCandidate, json)).await,
            Some(Told::Theirs(channel)) => self.take_channel(channel).await,
            Some(Told::Opened(place)) => {
                if let Some(open) = self.opened.get_mut(place) {
                    *open = true;
                }
                Ok(())
            }
            Some(Told::Over(reason)) => Err(Ended::Lost(reason.into())),
            None => Err(Ended::Lost("the connection was closed".into())),
        }
    }

    async fn take_channel(&mut self, source: Arc<dyn DataChannel>) -> Result<(), Ended> {
        let label = source.label().await.unwrap_or_default();
        let place = CHANNELS.iter().position(|channel| channel.label == label);
        let free = place.and_then(|place| Some((CHANNELS.get(place)?, self.theirs.get_mut(place)?)));
        let Some((channel, theirs @ None)) = free else {
            return Err(Ended::Lost("it opened a channel that is none of ours".into()));
        };
        *theirs = Some(source.clone());
        let reader = Reader {
            channel: *channel,
            source,
            clock: self.link.clock.clone(),
            heard: self.heard_sender.clone(),
            memory: self.link.memory.clone(),
        };
        self.readers.spawn(reader.run());
        Ok(())
    }

    async fn take_heard(&mut self, heard: Option<Heard>) -> Result<(), Ended> {
        match heard {
            Some(Heard::Message { message, received }) => {
                self.tell(MeshEvent::Message { from: self.link.peer.clone(), message, received }).await
            }
            Some(Heard::Refused(error)) => {
                self.refused += 1;
                tracing::debug!(%error, refused = self.refused, "a frame that is no message");
                let too_many = self.refused >= REFUSED_MAX;
                if too_many {
                    Err(Ended::Lost(format!("it sent {REFUSED_MAX} frames that are no messages")))
                } else {
                    Ok(())
                }
            }
            Some(Heard::Closed) | None => Err(Ended::Lost("the other side closed the link".into())),
        }
    }
}

/// Watches an own channel. What a peer sends over it is not for us: each side sends over its own.
async fn watch(channel: Arc<dyn DataChannel>, place: usize, teller: mpsc::Sender<Told>) {
    while let Some(event) = channel.poll().await {
        let told = match event {
            DataChannelEvent::OnOpen => Told::Opened(place),
            DataChannelEvent::OnClose => Told::Over("the other side closed the link"),
            _ => continue,
        };
        if teller.send(told).await.is_err() {
            return;
        }
    }
}
