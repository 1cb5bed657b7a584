//! The one task that owns all convoys: it hears connections in turn, lets convoys decide, and tells clients when that
//! is durable.

use super::cluster::{Cluster, InstanceId, Message};
use super::convoys::{ConvoyAsk, Convoys, Effect, Ticket};
use super::limits::{INBOX_MAX, QUEUE_MAX};
use super::metrics::Metrics;
use super::phones::Who;
use super::probe::ClockCell;
use super::revoked::Watch;
use super::rooms::Rooms;
use super::storage::Stored;
use crate::core::authority::{ConnectionId, Newcomer, Now};
use crate::core::clock::Monotonic;
use crate::core::id::ConvoyId;
use crate::core::io::ClockClaim;
use crate::host;
use crate::wire::server::jamz::{self, Failure};
use crate::wire::server::phone::PhoneEvent;
use serde_json::{Value, json};
use socketioxide::extract::{AckSender, SocketRef};
use socketioxide::{SendError, SocketError};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// What connections bring.
pub enum Inbound {
    Opened {
        connection: ConnectionId,
        socket: SocketRef,
        clock: Arc<ClockCell>,
    },
    Asked {
        connection: ConnectionId,
        ask: Ask,
        ack: AckSender,
    },
    /// A member measured its last round trip.
    RoundTrip {
        connection: ConnectionId,
        us: i64,
    },
    Closed {
        connection: ConnectionId,
    },
    /// Redis came or went.
    Link {
        up: bool,
    },
    /// Who holds a convoy, none when Redis does not say; and what it knows of it.
    Placed {
        convoy: ConvoyId,
        holder: Option<InstanceId>,
        stored: Option<Stored>,
    },
    /// Another instance speaks.
    Remote {
        from: InstanceId,
        message: Box<Message>,
    },
}

/// What a client asks.
#[derive(Debug)]
pub enum Ask {
    Join {
        convoy: ConvoyId,
        newcomer: Box<Newcomer>,
        claim: Option<ClockClaim>,
    },
    Leave,
    /// Something of the convoy that this connection has joined.
    Own(ConvoyAsk),
    Phone {
        event: Box<PhoneEvent>,
        who: Who,
    },
}

/// A connected client.
pub(super) struct Line {
    socket: SocketRef,
    pub(super) clock: Arc<ClockCell>,
    /// The convoy that it joined in the own dialect, and as whom.
    pub(super) native: Option<(ConvoyId, Newcomer)>,
    /// The convoys that it joined as a phone.
    pub(super) music: BTreeMap<ConvoyId, Newcomer>,
    acks: BTreeMap<Ticket, AckSender>,
    /// Told to go; it hears nothing any more.
    expelled: bool,
}

impl Line {
    /// As whom it joined a convoy.
    pub(super) fn newcomer(&self, convoy: &ConvoyId) -> Option<&Newcomer> {
        let native = self.native.as_ref().filter(|(own, _)| own == convoy).map(|(_, newcomer)| newcomer);
        native.or_else(|| self.music.get(convoy))
    }
}

/// The task's state.
pub struct Switchboard {
    pub(super) convoys: Convoys,
    pub(super) rooms: Rooms,
    pub(super) lines: BTreeMap<ConnectionId, Line>,
    pub(super) cluster: Option<Cluster>,
    pub(super) inbox: mpsc::Sender<Inbound>,
    clock: Arc<dyn Monotonic>,
    pub(super) metrics: Arc<Metrics>,
    tickets: Ticket,
    /// Where it is noted who is put out.
    watch: Option<Watch>,
}

const TIDY_EVERY: Duration = Duration::from_secs(30);
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Sleeping longer than this is never needed.
const SLEEP_MAX_US: i64 = 60_000_000;

impl Switchboard {
    #[must_use]
    pub fn new(
        convoys: Convoys,
        cluster: Option<Cluster>,
        inbox: mpsc::Sender<Inbound>,
        clock: Arc<dyn Monotonic>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let (rooms, lines) = (Rooms::default(), BTreeMap::new());
        Self { convoys, rooms, lines, cluster, inbox, clock, metrics, tickets: 0, watch: None }
    }

    /// Does what is noted there about who is put out.
    #[must_use]
    pub fn watching(self, watch: Watch) -> Self {
        Self { watch: Some(watch), ..self }
    }

    /// Runs until `stop` says so, then stores what is left.
    pub async fn run(mut self, mut inbox: mpsc::Receiver<Inbound>, mut stop: watch::Receiver<bool>) {
        let mut batch = Vec::with_capacity(INBOX_MAX);
        let mut tidy = tokio::time::interval(TIDY_EVERY);
        let mut sweep = tokio::time::interval(SWEEP_EVERY);
        loop {
            let now = self.now();
            let sleep_us = self.convoys.due(now.mono).map_or(SLEEP_MAX_US, |at| (at - now.mono).clamp(0, SLEEP_MAX_US));
            tokio::select! {
                _ = inbox.recv_many(&mut batch, INBOX_MAX) => {}
                () = tokio::time::sleep(Duration::from_micros(sleep_us.unsigned_abs())) => {}
                _ = tidy.tick() => self.convoys.tidy(now),
                _ = sweep.tick() => self.sweep(),
                _ = stop.wait_for(|stop| *stop) => break,
            }
            for inbound in batch.drain(..) {
                self.hear(inbound);
            }
            let now = self.now();
            self.convoys.wake(now);
            self.settle(now).await;
        }
        let now = self.now();
        self.convoys.tidy(now);
        self.settle(now).await;
    }

    pub(super) fn now(&self) -> Now {
        Now { mono: self.clock.now(), unix_ms: host::wall_clock().unix_us / 1_000 }
    }

    fn hear(&mut self, inbound: Inbound) {
        match inbound {
            Inbound::Opened { connection, socket, clock } => {
                let (music, acks) = (BTreeMap::new(), BTreeMap::new());
                self.lines.insert(connection, Line { socket, clock, native: None, music, acks, expelled: false });
                self.metrics.connections.set(self.lines.len() as i64);
            }
            Inbound::Asked { connection, ask, ack } => self.asked(&connection, ask, ack),
            Inbound::RoundTrip { connection, us } => {
                let native = self.lines.get(&connection).and_then(|line| line.native.as_ref());
                if let Some((convoy, _)) = native.cloned() {
                    self.ask(&convoy, &connection, ConvoyAsk::RoundTrip { us }, None);
                }
            }
            Inbound::Closed { connection } => self.closed(&connection),
            Inbound::Link { up } => self.linked(up),
            Inbound::Placed { convoy, holder, stored } => self.placed(&convoy, holder, stored),
            Inbound::Remote { from, message } => self.remote(from, *message),
        }
    }

    fn asked(&mut self, connection: &ConnectionId, ask: Ask, ack: AckSender) {
        let Some(line) = self.lines.get_mut(connection) else { return };
        self.tickets += 1;
        let ticket = self.tickets;
        // An answer that another instance never gave is not waited for without end.
        while line.acks.len() >= QUEUE_MAX {
            line.acks.pop_first();
        }
        match ask {
            Ask::Join { convoy, newcomer, claim } => {
                line.acks.insert(ticket, ack);
                let former = line.native.replace((convoy.clone(), (*newcomer).clone()));
                if let Some((former, _)) = former.filter(|(former, _)| *former != convoy) {
                    self.ask(&former, connection, ConvoyAsk::Leave { lost: false }, None);
                }
                self.ask(&convoy, connection, ConvoyAsk::Join { newcomer, claim }, Some(ticket));
                let clock = self.convoys.clock(&convoy);
                self.lines.get(connection).inspect(|line| line.clock.set(clock));
            }
            Ask::Leave => {
                line.acks.insert(ticket, ack);
                line.clock.set(None);
                match line.native.take() {
                    Some((convoy, _)) => self.ask(&convoy, connection, ConvoyAsk::Leave { lost: false }, Some(ticket)),
                    None => self.acknowledge(connection, ticket, &json!({})),
                }
            }
            Ask::Own(ask) => {
                line.acks.insert(ticket, ack);
                if let Some((convoy, _)) = line.native.clone() {
                    self.ask(&convoy, connection, ask, Some(ticket));
                } else {
                    let failure = Failure::passing("join a convoy first (`jamz-join`)");
                    self.acknowledge(connection, ticket, &json!(failure));
                }
            }
            Ask::Phone { event, who } => self.phone(connection, *event, who),
        }
    }

    fn closed(&mut self, connection: &ConnectionId) {
        let Some(line) = self.lines.remove(connection) else { return };
        self.metrics.connections.set(self.lines.len() as i64);
        for convoy in line.native.into_iter().map(|(convoy, _)| convoy).chain(line.music.into_keys()) {
            self.ask(&convoy, connection, ConvoyAsk::Leave { lost: true }, None);
        }
        self.phone_gone(connection);
        self.say_gone(connection);
    }

    async fn settle(&mut self, now: Now) {
        let (effects, writes) = self.convoys.settle(now);
        self.share(writes).await;
        self.perform(effects);
        self.flush();
        let (convoys, members) = self.convoys.counts();
        self.metrics.convoys.set(convoys as i64);
        self.metrics.members.set(members as i64);
    }

    /// Does what was decided, for clients here and elsewhere.
    pub(super) fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Ack { to, ticket, payload } if self.lines.contains_key(&to) => {
                    self.acknowledge(&to, ticket, &payload);
                }
                Effect::Ack { ref to, .. } => self.forward(&to.clone(), effect),
                Effect::Emit { to, event, payload } => self.emit(&to, &event, &payload),
                Effect::Dismiss { connection, reason } if self.lines.contains_key(&connection) => {
                    self.dismiss(&connection, &reason);
                }
                Effect::Dismiss { ref connection, .. } => self.forward(&connection.clone(), effect),
            }
        }
    }

    pub(super) fn acknowledge(&mut self, to: &ConnectionId, ticket: Ticket, payload: &Value) {
        let Some(line) = self.lines.get_mut(to) else { return };
        let Some(ack) = line.acks.remove(&ticket) else { return };
        if is_behind(&ack.send(payload)) {
            self.expel(to);
        }
    }

    /// Tells connections something; one that cannot keep up is let go, and comes back to the whole state.
    pub(super) fn emit(&mut self, to: &[ConnectionId], event: &str, payload: &Value) {
        let (here, elsewhere): (Vec<_>, Vec<_>) =
            to.iter().partition(|connection| self.lines.contains_key(*connection));
        self.emit_elsewhere(elsewhere.into_iter().cloned().collect(), event, payload);
        for connection in here {
            let Some(line) = self.lines.get(connection).filter(|line| !line.expelled) else { continue };
            if is_behind(&line.socket.emit(event, payload)) {
                self.expel(connection);
            }
        }
    }

    pub(super) fn dismiss(&mut self, connection: &ConnectionId, reason: &str) {
        self.emit(std::slice::from_ref(connection), jamz::ERROR, &json!(Failure::passing(reason)));
        self.expel(connection);
    }

    fn expel(&mut self, connection: &ConnectionId) {
        let Some(line) = self.lines.get_mut(connection) else { return };
        if !std::mem::replace(&mut line.expelled, true) {
            self.metrics.expelled.inc();
            tracing::debug!(connection = %connection.0, "a connection is ended");
        }
        // Fails while its buffer is full; the sweep tries again.
        let _ = line.socket.clone().disconnect();
    }

    fn sweep(&mut self) {
        let expelled = self.lines.iter().filter(|(_, line)| line.expelled).map(|(id, _)| id.clone());
        for connection in expelled.collect::<Vec<_>>() {
            self.expel(&connection);
        }
        self.heed_revoked();
        self.beat();
    }

    fn heed_revoked(&mut self) {
        let Some(revoked) = self.watch.as_mut().and_then(Watch::news) else { return };
        for (convoy, rulings) in self.convoys.note_revoked(revoked) {
            // What nobody has opened yet will be told when somebody does.
            if self.cluster.is_some() || self.convoys.clock(&convoy).is_some() {
                let nobody = ConnectionId(String::new());
                self.ask(&convoy, &nobody, ConvoyAsk::Rule(rulings), None);
            }
        }
    }
}

fn is_behind(sent: &Result<(), SendError>) -> bool {
    matches!(sent, Err(SendError::Socket(SocketError::InternalChannelFull)))
}
