//! The one task that owns all convoys: it hears connections in turn, lets convoys decide, and tells clients when that is durable.

use super::convoys::{ConvoyAsk, Convoys, Effect, Ticket};
use super::metrics::Metrics;
use super::probe::ClockCell;
use super::rooms::Rooms;
use crate::core::authority::{ConnectionId, Newcomer, Now};
use crate::core::clock::Monotonic;
use crate::core::id::{ConvoyId, UserId};
use crate::core::io::ClockClaim;
use crate::host;
use crate::wire::server::jamz::{self, Failure};
use crate::wire::server::phone::PhoneEvent;
use serde_json::{Value, json};
use socketioxide::extract::{AckSender, SocketRef};
use socketioxide::{SendError, SocketError};
use std::collections::{BTreeMap, BTreeSet};
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
    Closed(ConnectionId),
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
        user: UserId,
    },
}

/// A connected client.
pub(super) struct Line {
    socket: SocketRef,
    clock: Arc<ClockCell>,
    /// The convoy that it joined in the own dialect.
    native: Option<ConvoyId>,
    /// The convoys that it joined as a phone.
    pub(super) music: BTreeSet<ConvoyId>,
    acks: BTreeMap<Ticket, AckSender>,
    /// Told to go; it hears nothing any more.
    expelled: bool,
}

/// The task's state.
pub struct Switchboard {
    pub(super) convoys: Convoys,
    pub(super) rooms: Rooms,
    pub(super) lines: BTreeMap<ConnectionId, Line>,
    clock: Arc<dyn Monotonic>,
    metrics: Arc<Metrics>,
    tickets: Ticket,
}

/// Messages that share one commit.
const BATCH_MAX: usize = 512;
const TIDY_EVERY: Duration = Duration::from_secs(30);
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Sleeping longer than this is never needed.
const SLEEP_MAX_US: i64 = 60_000_000;

impl Switchboard {
    #[must_use]
    pub fn new(convoys: Convoys, clock: Arc<dyn Monotonic>, metrics: Arc<Metrics>) -> Self {
        Self { convoys, rooms: Rooms::default(), lines: BTreeMap::new(), clock, metrics, tickets: 0 }
    }

    /// Runs until `stop` says so, then stores what is left.
    pub async fn run(mut self, mut inbox: mpsc::Receiver<Inbound>, mut stop: watch::Receiver<bool>) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        let mut tidy = tokio::time::interval(TIDY_EVERY);
        let mut sweep = tokio::time::interval(SWEEP_EVERY);
        loop {
            let now = self.now();
            let sleep_us = self.convoys.due(now.mono).map_or(SLEEP_MAX_US, |at| (at - now.mono).clamp(0, SLEEP_MAX_US));
            tokio::select! {
                _ = inbox.recv_many(&mut batch, BATCH_MAX) => {}
                () = tokio::time::sleep(Duration::from_micros(sleep_us.unsigned_abs())) => {}
                _ = tidy.tick() => self.convoys.tidy(now.mono),
                _ = sweep.tick() => self.sweep(),
                _ = stop.wait_for(|stop| *stop) => break,
            }
            for inbound in batch.drain(..) {
                self.hear(inbound);
            }
            let now = self.now();
            self.convoys.wake(now);
            self.settle(now);
        }
        let now = self.now();
        self.convoys.tidy(now.mono);
        self.settle(now);
    }

    pub(super) fn now(&self) -> Now {
        Now { mono: self.clock.now(), unix_ms: host::wall_clock().unix_us / 1_000 }
    }

    fn hear(&mut self, inbound: Inbound) {
        match inbound {
            Inbound::Opened { connection, socket, clock } => {
                let (music, acks) = (BTreeSet::new(), BTreeMap::new());
                self.lines.insert(connection, Line { socket, clock, native: None, music, acks, expelled: false });
                self.metrics.connections.set(self.lines.len() as i64);
            }
            Inbound::Asked { connection, ask, ack } => self.asked(&connection, ask, ack),
            Inbound::RoundTrip { connection, us } => {
                let native = self.lines.get(&connection).and_then(|line| line.native.clone());
                if let Some(convoy) = native {
                    self.ask(&convoy, &connection, ConvoyAsk::RoundTrip { us }, None);
                }
            }
            Inbound::Closed(connection) => self.closed(&connection),
        }
    }

    fn asked(&mut self, connection: &ConnectionId, ask: Ask, ack: AckSender) {
        let Some(line) = self.lines.get_mut(connection) else { return };
        self.tickets += 1;
        let ticket = self.tickets;
        match ask {
            Ask::Join { convoy, newcomer, claim } => {
                line.acks.insert(ticket, ack);
                if let Some(former) = line.native.replace(convoy.clone()).filter(|former| *former != convoy) {
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
                    Some(convoy) => self.ask(&convoy, connection, ConvoyAsk::Leave { lost: false }, Some(ticket)),
                    None => self.acknowledge(connection, ticket, &json!({})),
                }
            }
            Ask::Own(ask) => {
                line.acks.insert(ticket, ack);
                match line.native.clone() {
                    Some(convoy) => self.ask(&convoy, connection, ask, Some(ticket)),
                    None => {
                        let error = "join a convoy first (`jamz-join`)".to_owned();
                        self.acknowledge(connection, ticket, &json!(Failure { error }));
                    }
                }
            }
            Ask::Phone { event, user } => self.phone(connection, *event, user),
        }
    }

    fn closed(&mut self, connection: &ConnectionId) {
        let Some(line) = self.lines.remove(connection) else { return };
        self.metrics.connections.set(self.lines.len() as i64);
        for convoy in line.native.into_iter().chain(line.music) {
            self.ask(&convoy, connection, ConvoyAsk::Leave { lost: true }, None);
        }
        self.phone_gone(connection);
    }

    /// Passes a question on to where the convoy is decided.
    pub(super) fn ask(&mut self, convoy: &ConvoyId, from: &ConnectionId, ask: ConvoyAsk, ticket: Option<Ticket>) {
        let now = self.now();
        self.convoys.ask(convoy, from, ask, ticket, now);
    }

    fn settle(&mut self, now: Now) {
        for effect in self.convoys.settle(now) {
            match effect {
                Effect::Ack { to, ticket, payload } => self.acknowledge(&to, ticket, &payload),
                Effect::Emit { to, event, payload } => self.emit(&to, &event, &payload),
                Effect::Dismiss { connection, reason } => self.dismiss(&connection, &reason),
            }
        }
        let (convoys, members) = self.convoys.counts();
        self.metrics.convoys.set(convoys as i64);
        self.metrics.members.set(members as i64);
    }

    fn acknowledge(&mut self, to: &ConnectionId, ticket: Ticket, payload: &Value) {
        let Some(line) = self.lines.get_mut(to) else { return };
        let Some(ack) = line.acks.remove(&ticket) else { return };
        if is_behind(ack.send(payload)) {
            self.expel(to);
        }
    }

    /// Tells connections something; one that cannot keep up is let go, and comes back to the whole state.
    pub(super) fn emit(&mut self, to: &[ConnectionId], event: &str, payload: &Value) {
        for connection in to {
            let Some(line) = self.lines.get(connection).filter(|line| !line.expelled) else { continue };
            if is_behind(line.socket.emit(event, payload)) {
                self.expel(connection);
            }
        }
    }

    fn dismiss(&mut self, connection: &ConnectionId, reason: &str) {
        self.emit(std::slice::from_ref(connection), jamz::ERROR, &json!(Failure { error: reason.to_owned() }));
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
    }
}

fn is_behind(sent: Result<(), SendError>) -> bool {
    matches!(sent, Err(SendError::Socket(SocketError::InternalChannelFull)))
}
