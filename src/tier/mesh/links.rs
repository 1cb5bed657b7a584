//! The task that the core's commands go to: it starts links, ends them, and gives each what is for it.

use super::collect::Memory;
use super::connection::Maker;
use super::link::{Link, Order, Role};
use crate::core::clock::Monotonic;
use crate::core::id::DeviceId;
use crate::core::mesh::{Attempt, MeshCommand, MeshEvent, PeerMessage, Signal, SignalKind};
use crate::wire::mesh::encode;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

/// Links and attempts at once; a convoy's hub has fewer.
const LINKS_MAX: usize = 64;
/// What waits for one link's task.
const ORDERS_MAX: usize = 512;
/// Peers whose candidates are kept until their offer comes, and how many of each.
const EARLY_PEERS_MAX: usize = 64;
const EARLY_MAX: usize = 32;

/// A link, or an attempt at one.
struct Handle {
    attempt: Attempt,
    offering: bool,
    orders: mpsc::Sender<Order>,
}

pub(super) struct Links {
    maker: Arc<Maker>,
    clock: Arc<dyn Monotonic>,
    events: mpsc::Sender<MeshEvent>,
    handles: BTreeMap<DeviceId, Handle>,
    /// Candidates may overtake the offer that they belong to.
    early: BTreeMap<DeviceId, VecDeque<Signal>>,
    memory: Memory,
    tasks: JoinSet<()>,
}

impl Links {
    pub(super) fn new(maker: Arc<Maker>, clock: Arc<dyn Monotonic>, events: mpsc::Sender<MeshEvent>) -> Self {
        let (handles, early) = (BTreeMap::new(), BTreeMap::new());
        Self { maker, clock, events, handles, early, memory: Memory::new(), tasks: JoinSet::new() }
    }

    /// Runs until the commands end, and then ends all links.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<MeshCommand>, overflow: Arc<Notify>) {
        loop {
            tokio::select! {
                biased;
                () = overflow.notified() => self.give_up_all("this car asked for more than its links carry").await,
                command = commands.recv() => match command {
                    Some(command) => self.obey(command).await,
                    None => break,
                },
                Some(_) = self.tasks.join_next() => {}
            }
        }
        self.handles.clear();
        while self.tasks.join_next().await.is_some() {}
    }

    async fn obey(&mut self, command: MeshCommand) {
        match command {
            MeshCommand::Connect { peer, attempt } => self.begin(peer, attempt, Role::Offerer).await,
            MeshCommand::Signal { from, signal } => self.signal(from, signal).await,
            MeshCommand::Send { to, message } => self.send(to, *message).await,
            MeshCommand::Close { peer } => {
                self.handles.remove(&peer);
                self.early.remove(&peer);
            }
        }
    }

    /// Begins an attempt; one that exists is given up for it.
    async fn begin(&mut self, peer: DeviceId, attempt: Attempt, role: Role) {
        self.handles.retain(|_, handle| !handle.orders.is_closed());
        if let Some(handle) = self.handles.remove(&peer) {
            // Without room for it, the link ends at once.
            let _ = handle.orders.try_send(Order::Replaced);
        }
        // Those that were replaced a moment ago still end, and may not pile up either.
        if self.handles.len() >= LINKS_MAX || self.tasks.len() >= 2 * LINKS_MAX {
            let reason = format!("this car has {LINKS_MAX} links, and takes no more");
            return self.tell(MeshEvent::Down { peer, attempt, reason }).await;
        }
        let (orders, receiver) = mpsc::channel(ORDERS_MAX);
        let offering = matches!(role, Role::Offerer);
        let link = Link {
            peer: peer.clone(),
            attempt,
            maker: self.maker.clone(),
            clock: self.clock.clone(),
            memory: self.memory.clone(),
            events: self.events.clone(),
            orders: receiver,
        };
        self.tasks.spawn(link.run(role));
        self.handles.insert(peer, Handle { attempt, offering, orders });
    }

    async fn signal(&mut self, from: DeviceId, signal: Signal) {
        let current = self.handles.get(&from).filter(|handle| handle.attempt == signal.attempt);
        match signal.kind {
            SignalKind::Offer => {
                if current.is_some_and(|handle| !handle.offering) {
                    return;
                }
                let attempt = signal.attempt;
                self.begin(from.clone(), attempt, Role::Answerer(signal.body)).await;
                for candidate in self.early.remove(&from).into_iter().flatten() {
                    if candidate.attempt == attempt {
                        self.order(&from, Order::Signal(candidate)).await;
                    }
                }
            }
            SignalKind::Answer => {
                if current.is_some_and(|handle| handle.offering) {
                    self.order(&from, Order::Signal(signal)).await;
                }
            }
            SignalKind::IceCandidate => {
                // Also one that fits the current attempt may belong to an offer of the same number that it overtook.
                let is_answering = current.is_some_and(|handle| !handle.offering);
                let fits = current.is_some();
                if !is_answering {
                    self.keep_early(&from, signal.clone());
                }
                if fits {
                    self.order(&from, Order::Signal(signal)).await;
                }
            }
        }
    }

    fn keep_early(&mut self, from: &DeviceId, signal: Signal) {
        if !self.early.contains_key(from) && self.early.len() >= EARLY_PEERS_MAX {
            self.early.pop_first();
        }
        let early = self.early.entry(from.clone()).or_default();
        if early.len() >= EARLY_MAX {
            early.pop_front();
        }
        early.push_back(signal);
    }

    async fn send(&mut self, to: Vec<DeviceId>, message: PeerMessage) {
        match message {
            PeerMessage::Beat(beat) => {
                for peer in to {
                    self.order(&peer, Order::Beat(beat.clone())).await;
                }
            }
            PeerMessage::State(_) => self.send_beside(&to, message),
            _ => match encode(&message) {
                Ok(text) => {
                    let text: Arc<str> = text.into();
                    for peer in to {
                        self.order(&peer, Order::Text(text.clone())).await;
                    }
                }
                Err(error) => tracing::warn!(%error, "a message that cannot be sent"),
            },
        }
    }

    /// Encodes what takes long beside the other commands.
    fn send_beside(&mut self, to: &[DeviceId], message: PeerMessage) {
        let links = to.iter().filter_map(|peer| self.handles.get(peer));
        // Weak: the message must not keep a link alive.
        let orders: Vec<_> = links.map(|handle| handle.orders.downgrade()).collect();
        self.tasks.spawn(async move {
            let text = match tokio::task::spawn_blocking(move || encode(&message)).await {
                Ok(Ok(text)) => Arc::<str>::from(text),
                Ok(Err(error)) => return tracing::warn!(%error, "a state that cannot be sent"),
                // The runtime ends.
                Err(_) => return,
            };
            for orders in orders.iter().filter_map(mpsc::WeakSender::upgrade) {
                // Fails when the link has ended meanwhile.
                let _ = orders.send(Order::Text(text.clone())).await;
            }
        });
    }

    /// Gives an order to a link, if there is one. A link that does not keep up is ended: its core sends again what
    /// matters.
    async fn order(&mut self, peer: &DeviceId, order: Order) {
        let Some(handle) = self.handles.get(peer) else { return };
        if let Err(mpsc::error::TrySendError::Full(_)) = handle.orders.try_send(order) {
            let attempt = handle.attempt;
            self.handles.remove(peer);
            let reason = "it does not take what it is sent".to_owned();
            self.tell(MeshEvent::Down { peer: peer.clone(), attempt, reason }).await;
        }
    }

    async fn give_up_all(&mut self, reason: &str) {
        for (peer, handle) in std::mem::take(&mut self.handles) {
            let attempt = handle.attempt;
            drop(handle);
            self.tell(MeshEvent::Down { peer, attempt, reason: reason.to_owned() }).await;
        }
    }

    async fn tell(&self, event: MeshEvent) {
        // Nobody listens when the daemon ends.
        let _ = self.events.send(event).await;
    }
}
