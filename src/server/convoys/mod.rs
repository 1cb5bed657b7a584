//! The convoys that are decided here: each an authority with its state on disk; effects go out only after what they
//! tell is durable.

mod sharing;

use super::limits::{CHANGES_KEPT, CONVOYS_MAX};
use super::metrics::Metrics;
use super::probe::PublishedClock;
use super::storage::{Storage, StorageError, Write};
use crate::core::authority::{Authority, ConnectionId, Kept, Message, Newcomer, Now, Output, PhoneRequest};
use crate::core::changes::Change;
use crate::core::clock::MonoTime;
use crate::core::id::ConvoyId;
use crate::core::io::{ClockClaim, Dialect};
use crate::wire::server::jamz::{self, Acked, Failure, Joined, Members, Probed, Signal, State};
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
    Change(Box<Change>),
    RoundTrip {
        us: i64,
    },
    /// A probe that came by another instance.
    Probe {
        round_trip_us: Option<i64>,
    },
    Signal(Box<Signal>),
    Phone(Box<PhoneRequest>),
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
}

/// The kept state is written anew after so many changes, so that a start replays no more.
const CHANGES_PER_KEPT: i64 = 500;
/// A connection has no place in the convoy (any more).
const JOIN_FIRST: &str = "join the convoy first (`jamz-join`)";
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
        }
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
        if rejoins && let Some(hosted) = self.hosted.get(convoy) {
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
        let Some(hosted) = self.hosted.get_mut(convoy) else {
            return Err(Failure::passing(JOIN_FIRST));
        };
        let authority = &mut hosted.authority;
        match ask {
            ConvoyAsk::Join { .. } => {}
            ConvoyAsk::Leave { lost } => {
                hosted.leave(from, lost, now);
            }
            ConvoyAsk::Change(change) => {
                let id = change.id.clone();
                if authority.seat(from).is_none() {
                    return Err(Failure::passing(JOIN_FIRST));
                }
                let verdict = authority.handle_change(from, *change, now).map_err(Failure::last)?;
                self.metrics.change(&verdict);
                return Ok(Some(json!(Acked { id, verdict })));
            }
            ConvoyAsk::RoundTrip { us } => authority.handle_round_trip(from, us),
            ConvoyAsk::Probe { round_trip_us } => {
                if let Some(us) = round_trip_us {
                    authority.handle_round_trip(from, us);
                }
                let received = authority.clock().convoy(now.mono);
                return Ok(Some(json!(Probed { received, sent: received, lead_us: authority.lead_us() })));
            }
            ConvoyAsk::Signal(signal) => {
                let seat = authority.seat(from).ok_or_else(|| Failure::passing(JOIN_FIRST))?;
                let signal = Signal { from: seat.device.clone(), ..*signal };
                let to = authority.addressees(from, signal.to.as_ref());
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
        let (authority, last, kept) =
            loaded.unwrap_or_else(|| (Authority::new(None, self.boot.as_deref(), now.mono), 0, 0));
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
        Ok(())
    }

    fn load(&self, convoy: &ConvoyId, now: MonoTime) -> Result<Option<(Authority, i64, i64)>, StorageError> {
        let Some(stored) = self.storage.load(convoy)? else { return Ok(None) };
        let (kept, last) = (stored.through, stored.last());
        let mut authority = Authority::new(Some(stored.kept), self.boot.as_deref(), now);
        for recorded in &stored.recorded {
            authority.replay(recorded, now);
        }
        Ok(Some((authority, last, kept)))
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
                Output::Dismiss(connection) => {
                    let reason = "this car has come in by a newer connection".to_owned();
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

    /// Writes what is newer than on disk, and lets go of convoys that have been empty for long.
    pub fn tidy(&mut self, now: Now) {
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

    /// Makes all that was decided durable, and gives out what may be told now and what is to be shared first. When it
    /// fails, nothing of it has happened.
    pub fn settle(&mut self, now: Now) -> (Vec<Effect>, Vec<Write>) {
        for convoy in std::mem::take(&mut self.touched) {
            if self.hosted.get(&convoy).is_some_and(|hosted| hosted.last - hosted.kept >= CHANGES_PER_KEPT) {
                self.keep(&convoy, now);
            }
        }
        self.commit(now);
        let effects = std::mem::take(&mut self.effects).into_iter().map(|(_, effect)| effect).collect();
        (effects, std::mem::take(&mut self.committed))
    }

    fn commit(&mut self, now: Now) {
        let writes = std::mem::take(&mut self.writes);
        if !writes.is_empty() {
            let begun = self.metrics.begin();
            let result = tokio::task::block_in_place(|| self.storage.commit(&writes, now.unix_ms / 1_000));
            self.metrics.committed(begun, result.as_ref().err().map(ToString::to_string));
            if let Err(error) = result {
                tracing::error!(%error, "could not store changes; they are taken back");
                self.take_back(&writes, &error, now);
            } else if self.shares {
                self.committed.extend(writes);
            }
        }
    }

    /// Undoes what could not be stored: back to the state on disk, and every question of these convoys fails.
    fn take_back(&mut self, writes: &[Write], error: &StorageError, now: Now) {
        let failed: BTreeSet<ConvoyId> = writes.iter().map(Write::convoy).cloned().collect();
        for (convoy, effect) in &mut self.effects {
            if let Effect::Ack { payload, .. } = effect
                && failed.contains(convoy)
            {
                *payload = json!(Failure::passing(format!("not done, as it could not be stored: {error}; try again")));
            }
        }
        self.effects.retain(|(convoy, effect)| !failed.contains(convoy) || matches!(effect, Effect::Ack { .. }));
        for convoy in failed {
            let loaded = self.load(&convoy, now.mono);
            if let (Ok(Some((authority, last, kept))), Some(hosted)) = (loaded, self.hosted.get_mut(&convoy)) {
                hosted.authority.restore(authority, now);
                (hosted.last, hosted.kept) = (last, kept);
            } else if let Some(hosted) = self.hosted.remove(&convoy) {
                let reason = format!("the convoy's state cannot be read: {error}");
                for connection in hosted.authority.connections() {
                    self.effects.push((convoy.clone(), Effect::Dismiss { connection, reason: reason.clone() }));
                }
            }
            self.drain(&convoy);
        }
        self.writes.clear();
    }
}

fn wire(message: Message, convoy: &ConvoyId) -> Vec<(&'static str, Value)> {
    match message {
        Message::Change(change) => vec![(jamz::CHANGE, json!(change))],
        Message::Members(members) => vec![(jamz::MEMBERS, json!(Members { members }))],
        Message::State(snapshot) => vec![(jamz::STATE, json!(State { snapshot: *snapshot }))],
        Message::Phone(news) => phone::format(&news, convoy),
    }
}
