//! The convoys that are decided here: each an authority with its state on disk; effects go out only after what they
//! tell is durable.

mod durable;
mod sharing;
mod tickets;

use super::limits::{CHANGES_KEPT, CONVOYS_MAX};
use super::metrics::Metrics;
use super::probe::PublishedClock;
use super::revoked::Revoked;
use super::storage::{Storage, StorageError, Write};
use crate::core::authority::{Authority, ConnectionId, JOIN_FIRST, Kept, Message, Newcomer, Now, Output, PhoneRequest};
use crate::core::changes::Change;
use crate::core::clock::MonoTime;
use crate::core::id::ConvoyId;
use crate::core::io::{ClockClaim, Dialect};
use crate::core::signature::DeviceKey;
use crate::core::ticket::{Rulings, Ticket as Bearer};
use crate::wire::server::jamz::{self, Acked, Failure, Joined, Members, Probed, Refused, Signal, State};
use crate::wire::server::phone;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a connection asks of a convoy.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum ConvoyAsk {
    Join {
        newcomer: Box<Newcomer>,
        claim: Option<ClockClaim>,
    },
    /// `lost`: the connection ended, and nobody said good-bye.
    Leave {
        lost: bool,
    },
    Change {
        change: Box<Change>,
        /// Its author's, when another brings it.
        ticket: Option<Box<Bearer>>,
    },
    RoundTrip {
        us: i64,
    },
    /// A probe that came by another instance.
    Probe {
        round_trip_us: Option<i64>,
    },
    Signal(Box<Signal>),
    Phone(Box<PhoneRequest>),
    /// Who is put out, or let in again; no connection asks this.
    Rule(Rulings),
}

/// Pairs a question with its acknowledgement, on the instance that the connection is at.
pub type Ticket = u64;

/// Something to be done once all before it is durable.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Effect {
    Ack { to: ConnectionId, ticket: Ticket, payload: Value },
    Emit { to: Vec<ConnectionId>, event: Cow<'static, str>, payload: Value },
    Dismiss { connection: ConnectionId, reason: String },
}

/// A convoy in memory.
struct Hosted {
    authority: Authority,
    clock: Arc<PublishedClock>,
    /// The number of the last recorded change, and of the last that the kept state includes.
    last: i64,
    kept: i64,
    /// The number of the last change that other instances can have.
    shared: i64,
    /// Something but the changes is newer than on disk.
    dirty: bool,
    /// Whether a car has joined since it was loaded, and so the clock is what it is.
    clock_settled: bool,
    /// Since when nobody has been there.
    empty_since: Option<MonoTime>,
}

/// All convoys that are decided here.
pub struct Convoys {
    hosted: BTreeMap<ConvoyId, Hosted>,
    storage: Storage,
    boot: Option<String>,
    metrics: Arc<Metrics>,
    effects: Vec<(ConvoyId, Effect)>,
    writes: Vec<Write>,
    /// What is durable here and not yet shared.
    committed: Vec<Write>,
    touched: BTreeSet<ConvoyId>,
    /// Whether there are other instances.
    shares: bool,
    /// Signs the members' tickets.
    issuer: Option<DeviceKey>,
    /// Who is put out, as this instance was told.
    revoked: Revoked,
}

/// The kept state is written anew after so many changes, so that a start replays no more.
const CHANGES_PER_KEPT: i64 = 500;
/// How long a convoy without members stays in memory.
const EMPTY_US: i64 = 600_000_000;

impl Hosted {
    fn leave(&mut self, connection: &ConnectionId, lost: bool, now: Now) {
        self.authority.handle_leave(connection, lost, now);
        self.dirty = true;
        self.empty_since = (self.authority.seated() == 0).then_some(now.mono);
    }
}

impl Convoys {
    #[must_use]
    pub fn new(storage: Storage, boot: Option<String>, metrics: Arc<Metrics>, shares: bool) -> Self {
        Self {
            hosted: BTreeMap::new(),
            storage,
            boot,
            metrics,
            effects: Vec::new(),
            writes: Vec::new(),
            committed: Vec::new(),
            touched: BTreeSet::new(),
            shares,
            issuer: None,
            revoked: Revoked::new(),
        }
    }

    /// Lets this key sign the members' tickets.
    #[must_use]
    pub fn issuing(self, issuer: Option<DeviceKey>) -> Self {
        Self { issuer, ..self }
    }

    /// The published clock of a convoy that is decided here.
    #[must_use]
    pub fn clock(&self, convoy: &ConvoyId) -> Option<Arc<PublishedClock>> {
        self.hosted.get(convoy).map(|hosted| Arc::clone(&hosted.clock))
    }

    /// Convoys in memory, and connected members in all of them.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        (self.hosted.len(), self.hosted.values().map(|hosted| hosted.authority.seated()).sum())
    }

    /// Hears what a connection asks. Collect the effects with [`Self::settle`].
    pub fn ask(&mut self, convoy: &ConvoyId, from: &ConnectionId, ask: ConvoyAsk, ticket: Option<Ticket>, now: Now) {
        let rejoins =
            ticket.is_none() && matches!(&ask, ConvoyAsk::Join { newcomer, .. } if newcomer.dialect == Dialect::Jamz);
        let answer = self.decide(convoy, from, ask, now);
        self.drain(convoy);
        if rejoins
            && answer.is_ok()
            && let Some(hosted) = self.hosted.get(convoy)
        {
            let payload = json!(State { snapshot: hosted.authority.snapshot().clone() });
            let effect = Effect::Emit { to: vec![from.clone()], event: jamz::STATE.into(), payload };
            self.effects.push((convoy.clone(), effect));
        }
        let payload = match answer {
            Ok(Some(payload)) => payload,
            Ok(None) => json!({}),
            Err(error) => json!(error),
        };
        if let Some(ticket) = ticket {
            let ack = Effect::Ack { to: from.clone(), ticket, payload };
            self.effects.push((convoy.clone(), ack));
        }
    }

    fn decide(
        &mut self,
        convoy: &ConvoyId,
        from: &ConnectionId,
        ask: ConvoyAsk,
        now: Now,
    ) -> Result<Option<Value>, Failure> {
        if let ConvoyAsk::Join { newcomer, claim } = ask {
            return self.join(convoy, *newcomer, claim, now).map(Some).map_err(Failure::last);
        }
        if let ConvoyAsk::Rule(rulings) = ask {
            self.host(convoy, now).map_err(|error| Failure::passing(error.to_string()))?;
            self.rule(convoy, &rulings, now);
            return Ok(None);
        }
        let Some(hosted) = self.hosted.get_mut(convoy) else {
            return Err(Failure::passing(JOIN_FIRST));
        };
        let authority = &mut hosted.authority;
        authority.note_ask(from, now);
        match ask {
            ConvoyAsk::Join { .. } | ConvoyAsk::Rule(_) => {}
            ConvoyAsk::Leave { lost } => {
                hosted.leave(from, lost, now);
            }
            ConvoyAsk::Change { change, ticket } => {
                let id = change.id.clone();
                if authority.seat(from).is_none() {
                    return Err(Failure::passing(JOIN_FIRST));
                }
                if let Some(ticket) = ticket {
                    hosted.dirty |= authority.handle_ticket(&ticket);
                }
                let verdict = authority.handle_change(from, *change, now).map_err(Failure::last)?;
                self.metrics.change(&verdict);
                return Ok(Some(json!(Acked { id, verdict })));
            }
            ConvoyAsk::RoundTrip { us } => authority.handle_round_trip(from, us, now.mono),
            ConvoyAsk::Probe { round_trip_us } => {
                if let Some(us) = round_trip_us {
                    authority.handle_round_trip(from, us, now.mono);
                }
                let received = authority.clock().convoy(now.mono);
                return Ok(Some(json!(Probed { received, sent: received, lead_us: authority.lead_us() })));
            }
            ConvoyAsk::Signal(signal) => {
                let heard = authority.handle_signal(from, signal.to.as_ref(), now);
                let (device, to) = heard.map_err(Failure::passing)?;
                let signal = Signal { from: device, ..*signal };
                let effect = Effect::Emit { to, event: jamz::SIGNAL.into(), payload: json!(signal) };
                self.effects.push((convoy.clone(), effect));
            }
            ConvoyAsk::Phone(request) => authority.handle_phone(from, *request, now),
        }
        Ok(None)
    }

    fn join(
        &mut self,
        convoy: &ConvoyId,
        newcomer: Newcomer,
        claim: Option<ClockClaim>,
        now: Now,
    ) -> Result<Value, String> {
        let dialect = newcomer.dialect;
        self.host(convoy, now).map_err(|e| e.to_string())?;
        let Some(hosted) = self.hosted.get_mut(convoy) else { return Err("the convoy could not be opened".into()) };
        hosted.authority.handle_join(newcomer, claim, now)?;
        hosted.dirty = true;
        hosted.empty_since = None;
        if dialect == Dialect::Backend {
            return Ok(json!({}));
        }
        if !std::mem::replace(&mut hosted.clock_settled, true) {
            // Members now rely on this clock, so it must survive.
            self.keep(convoy, now);
        }
        let Some(hosted) = self.hosted.get(convoy) else { return Err("the convoy could not be opened".into()) };
        let (snapshot, members) = (hosted.authority.snapshot().clone(), hosted.authority.members());
        Ok(json!(Joined { snapshot, members }))
    }

    /// Has a convoy in memory, from disk or as a new one.
    fn host(&mut self, convoy: &ConvoyId, now: Now) -> Result<(), StorageError> {
        if self.hosted.contains_key(convoy) {
            return Ok(());
        }
        if self.hosted.len() >= CONVOYS_MAX {
            return Err(StorageError::Full);
        }
        let loaded = self.load(convoy, now.mono)?;
        if loaded.is_none() {
            self.storage.make_room(now.unix_ms / 1_000)?;
        }
        let known = loaded.is_some();
        let (authority, last, kept) = loaded.unwrap_or_else(|| (self.begun(convoy, None, now.mono), 0, 0));
        let hosted = Hosted {
            authority,
            clock: Arc::default(),
            last,
            kept,
            shared: last,
            dirty: false,
            clock_settled: false,
            empty_since: Some(now.mono),
        };
        self.hosted.insert(convoy.clone(), hosted);
        if !known || self.shares {
            self.keep(convoy, now);
        }
        self.heed_rulings(convoy, now);
        Ok(())
    }

    fn load(&self, convoy: &ConvoyId, now: MonoTime) -> Result<Option<(Authority, i64, i64)>, StorageError> {
        let Some(stored) = self.storage.load(convoy)? else { return Ok(None) };
        let (kept, last) = (stored.through, stored.last());
        let mut authority = self.begun(convoy, Some(stored.kept), now);
        for recorded in &stored.recorded {
            authority.replay(recorded, now);
        }
        Ok(Some((authority, last, kept)))
    }

    fn begun(&self, convoy: &ConvoyId, kept: Option<Kept>, now: MonoTime) -> Authority {
        Authority::new(convoy.clone(), kept, self.boot.as_deref(), now).issuing(self.issuer.clone())
    }

    /// Takes over what an authority wants done.
    fn drain(&mut self, convoy: &ConvoyId) {
        let Some(hosted) = self.hosted.get_mut(convoy) else { return };
        while let Some(output) = hosted.authority.poll_output() {
            match output {
                Output::Record(recorded) => {
                    hosted.last += 1;
                    self.writes.push(Write::Recorded { convoy: convoy.clone(), number: hosted.last, recorded });
                }
                Output::Send { to, message } => {
                    for (event, payload) in wire(message, convoy) {
                        let effect = Effect::Emit { to: to.clone(), event: event.into(), payload };
                        self.effects.push((convoy.clone(), effect));
                    }
                }
                Output::Dismiss { connection, reason } => {
                    self.effects.push((convoy.clone(), Effect::Dismiss { connection, reason }));
                }
            }
        }
        hosted.clock.publish(hosted.authority.clock().offset_us(), hosted.authority.lead_us());
        self.touched.insert(convoy.clone());
    }

    /// When some convoy wants [`Self::wake`].
    #[must_use]
    pub fn due(&self, now: MonoTime) -> Option<MonoTime> {
        self.hosted.values().filter_map(|hosted| hosted.authority.poll_timeout(now)).min()
    }

    /// Lets convoys do what has come due.
    pub fn wake(&mut self, now: Now) {
        let due = |hosted: &Hosted| hosted.authority.poll_timeout(now.mono).is_some_and(|at| at <= now.mono);
        let convoys: Vec<ConvoyId> = self.hosted.iter().filter(|(_, h)| due(h)).map(|(id, _)| id.clone()).collect();
        for convoy in convoys {
            if let Some(hosted) = self.hosted.get_mut(&convoy) {
                hosted.authority.handle_wake(now);
            }
            self.drain(&convoy);
        }
    }

    /// Renews tickets, writes what is newer than on disk, and lets go of convoys that have been empty for long.
    pub fn tidy(&mut self, now: Now) {
        self.tend_tickets(now);
        let newer = self.hosted.iter().filter(|(_, hosted)| hosted.dirty || hosted.kept < hosted.last);
        for convoy in newer.map(|(convoy, _)| convoy.clone()).collect::<Vec<_>>() {
            self.keep(&convoy, now);
        }
        self.hosted
            .retain(|_, hosted| hosted.dirty || hosted.empty_since.is_none_or(|since| now.mono - since < EMPTY_US));
    }

    /// Writes a convoy's state whole.
    pub fn keep(&mut self, convoy: &ConvoyId, now: Now) {
        let Some(hosted) = self.hosted.get_mut(convoy) else { return };
        let kept: Box<Kept> = Box::new(hosted.authority.kept(self.boot.as_deref(), now.mono));
        // What others do not have yet is what they will ask for.
        let spent = (hosted.last - CHANGES_KEPT).min(if self.shares { hosted.shared } else { i64::MAX });
        self.writes.push(Write::Kept { convoy: convoy.clone(), through: hosted.last, spent, kept });
        hosted.kept = hosted.last;
        hosted.dirty = false;
    }
}

fn wire(message: Message, convoy: &ConvoyId) -> Vec<(&'static str, Value)> {
    match message {
        Message::Change(change) => vec![(jamz::CHANGE, json!(change))],
        Message::Refused(id) => vec![(jamz::REFUSED, json!(Refused { id }))],
        Message::Tickets(credentials) => vec![(jamz::TICKETS, json!(credentials))],
        Message::Members(members) => vec![(jamz::MEMBERS, json!(Members { members }))],
        Message::State(snapshot) => vec![(jamz::STATE, json!(State { snapshot: *snapshot }))],
        Message::Phone(news) => phone::format(&news, convoy),
    }
}
