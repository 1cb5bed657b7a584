//! The authority of one convoy: it orders the changes, keeps convoy time and says who is there. The server runs it.
//!
//! Two kinds of member meet here: those of the own dialect, to whom changes go as they are, and today's phones, for
//! whom [`phone`] and [`news`] translate.

mod bounds;
mod clock;
mod conduct;
mod news;
mod phone;
mod roster;
#[cfg(test)]
mod tests;
mod tickets;
mod whole_list;

pub(in crate::core) use bounds::check as check_bounds;
pub use clock::{AuthorityClock, KeptClock};
pub use news::PhoneNews;
pub use phone::{PhoneRequest, device_of};
pub use roster::{ConnectionId, Newcomer, SEATS_MAX, Seat};
pub use tickets::put_out;

use super::changes::{Action, Change, ChangeId, Hlc, Verdict};
use super::clock::{ConvoyTime, MonoTime};
use super::conduct::{Conduct, Matter};
use super::convoy::Snapshot;
use super::corrections::Corrections;
use super::id::ConvoyId;
use super::io::{ClockClaim, Dialect};
use super::signature::{self, DeviceKey};
use super::status::Member;
use super::ticket::{Credentials, Rulings, Tickets};
use news::Phones;
use roster::Roster;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// The moment at which something happens; phones date things by wall clocks, so both are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    pub mono: MonoTime,
    /// Milliseconds since 1970.
    pub unix_ms: i64,
}

/// Something to be done.
#[must_use]
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Make this durable before any later output goes out.
    Record(Box<Recorded>),
    Send {
        to: Vec<ConnectionId>,
        message: Message,
    },
    /// End this connection, and say why.
    Dismiss {
        connection: ConnectionId,
        reason: String,
    },
}

/// What members are told.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    Change(Box<Change>),
    /// This change of someone else does not count; who has it by the mesh already must let go of it.
    Refused(ChangeId),
    Members(Vec<Member>),
    /// Who issues tickets, and those that are new to whom it is told.
    Tickets(Box<Credentials>),
    State(Box<Snapshot>),
    Phone(Box<PhoneNews>),
}

/// A change as it was decided, enough to decide it again in the same way after a restart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    pub change: Change,
    pub verdict: Verdict,
    /// Convoy time of the decision.
    pub at: ConvoyTime,
}

/// What is kept of a convoy, together with the changes recorded since.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    pub snapshot: Snapshot,
    pub clock: KeptClock,
    pub members: Vec<Member>,
    #[serde(default)]
    pub tickets: Tickets,
    #[serde(default)]
    pub rulings: Rulings,
}

/// The authority of one convoy.
#[derive(Debug)]
pub struct Authority {
    convoy: ConvoyId,
    snapshot: Snapshot,
    clock: AuthorityClock,
    hlc: Hlc,
    roster: Roster,
    phones: Phones,
    /// None: this convoy knows no tickets.
    issuer: Option<DeviceKey>,
    tickets: Tickets,
    /// Who may not come in.
    rulings: Rulings,
    conduct: Conduct,
    corrections: Corrections<ConnectionId>,
    outputs: VecDeque<Output>,
}

/// A connection has no place in the convoy (any more).
pub const JOIN_FIRST: &str = "join the convoy first (`jamz-join`)";
/// More changes than this at once reach members as one new state.
const CHANGES_SINGLY_MAX: usize = 16;

impl Authority {
    /// Begins a convoy, or continues it; `boot` names the machine's boot. Follow with [`Self::replay`] of what was
    /// recorded since.
    #[must_use]
    pub fn new(convoy: ConvoyId, kept: Option<Kept>, boot: Option<&str>, now: MonoTime) -> Self {
        let clock = AuthorityClock::new(kept.as_ref().map(|k| &k.clock), boot, now);
        let (mut snapshot, members, tickets, rulings) =
            kept.map(|k| (k.snapshot, k.members, k.tickets, k.rulings)).unwrap_or_default();
        snapshot.cleanse(clock.convoy(now));
        let hlc = Hlc { time_us: clock.convoy(now).0, count: 0 }.merge(snapshot.latest());
        let roster = Roster::remembering(members);
        let (phones, outputs) = (Phones::default(), VecDeque::new());
        let (conduct, corrections) = (Conduct::default(), Corrections::default());
        let issuer = None;
        Self { convoy, snapshot, clock, hlc, roster, phones, issuer, tickets, rulings, conduct, corrections, outputs }
    }

    /// Takes in again what was decided before a restart.
    pub fn replay(&mut self, recorded: &Recorded, now: MonoTime) {
        self.clock.raise(recorded.at, now);
        self.snapshot.advance(recorded.at);
        if matches!(recorded.verdict, Verdict::Applied | Verdict::Superseded { .. }) {
            self.apply(&recorded.change);
        }
    }

    /// What to keep for the next start.
    #[must_use]
    pub fn kept(&self, boot: Option<&str>, now: MonoTime) -> Kept {
        let (snapshot, tickets, rulings) = (self.snapshot.clone(), self.tickets.clone(), self.rulings.clone());
        Kept { snapshot, clock: self.clock.kept(boot, now), members: self.roster.members(), tickets, rulings }
    }

    /// Goes on from a state that another authority, or the disk, has: what was done here since is void.
    pub fn restore(&mut self, other: Self, now: Now) {
        self.snapshot = other.snapshot;
        self.hlc = self.hlc.merge(other.hlc);
        (self.tickets, self.rulings) = (other.tickets, other.rulings);
        self.outputs.clear();
        let state = Message::State(Box::new(self.snapshot.clone()));
        self.send(self.roster.speaking(Dialect::Jamz), state);
        self.tell_members();
        self.reset_phones(now);
    }

    /// Continues the clock of an authority that is gone.
    pub fn inherit_clock(&mut self, offset_us: i64) {
        self.clock.inherit(offset_us);
    }

    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    #[must_use]
    pub fn clock(&self) -> &AuthorityClock {
        &self.clock
    }

    #[must_use]
    pub fn members(&self) -> Vec<Member> {
        self.roster.members()
    }

    /// How many members are connected.
    #[must_use]
    pub fn seated(&self) -> usize {
        self.roster.len()
    }

    /// The connections of all members.
    #[must_use]
    pub fn connections(&self) -> Vec<ConnectionId> {
        [Dialect::Jamz, Dialect::Backend].into_iter().flat_map(|dialect| self.roster.speaking(dialect)).collect()
    }

    #[must_use]
    pub fn seat(&self, connection: &ConnectionId) -> Option<&Seat> {
        self.roster.get(connection)
    }

    /// The lead that a control needs to reach the slowest member in time, in microseconds.
    #[must_use]
    pub fn lead_us(&self) -> i64 {
        self.roster.lead_us()
    }

    /// A member comes in. Answer it with [`Self::snapshot`] and [`Self::members`]; a phone gets its own greeting as
    /// output.
    ///
    /// # Errors
    /// Why it cannot, in words for the member.
    pub fn handle_join(&mut self, newcomer: Newcomer, claim: Option<ClockClaim>, now: Now) -> Result<(), String> {
        let (connection, dialect) = (newcomer.connection.clone(), newcomer.dialect);
        if dialect == Dialect::Jamz && phone::is_phone(&newcomer.device) {
            return Err("device ids that begin with `phone:` are given by the server".into());
        }
        self.check_ruling(&newcomer)?;
        // What somebody claims to be is not counted against whom he claims to be.
        self.roster.check_owner(&newcomer.device, &newcomer.user)?;
        self.hears(&newcomer.device, Matter::Joins, now)?;
        let former = self.roster.seat(newcomer)?;
        if dialect == Dialect::Jamz {
            self.clock.settle(claim, now.mono);
        }
        self.snapshot.advance(self.clock.convoy(now.mono));
        if let Some(connection) = former {
            let reason = "this car has come in by a newer connection".to_owned();
            self.outputs.push_back(Output::Dismiss { connection, reason });
        }
        self.show_tickets(&connection, now);
        self.greet(&connection, now);
        self.tell_members();
        self.tell_phones(now);
        Ok(())
    }

    /// A member goes (`lost` false) or its connection ended (`lost` true).
    pub fn handle_leave(&mut self, connection: &ConnectionId, lost: bool, now: Now) {
        if self.roster.unseat(connection, lost).is_some() {
            self.tell_members();
            self.tell_phones(now);
        }
    }

    /// A member's own change, or one of another's that the member passes on. The verdict is final, once what was
    /// recorded is durable.
    ///
    /// # Errors
    /// Why it cannot be considered at all, in words for the member.
    pub fn handle_change(&mut self, connection: &ConnectionId, change: Change, now: Now) -> Result<Verdict, String> {
        self.is_heard(&change.id.device, now)?;
        let seat = self.roster.get(connection).ok_or(JOIN_FIRST)?;
        let (is_own, role) = (change.id.device == seat.device, seat.role);
        if is_own && change.user.as_ref().is_some_and(|user| *user != seat.user) {
            return Err(format!("this connection is {}'s; the change names another user", seat.user));
        }
        if !is_own || change.signature.is_some() {
            signature::check_change(&change, &self.convoy).map_err(|error| {
                let (member, author) = (&seat.device, &change.id.device);
                format!("this connection is {member}'s and cannot speak for {author} with this change: {error}")
            })?;
        }
        self.bears(&change, now)?;
        let verdict = match self.is_sensible(&change, now) {
            Ok(()) => self.judge(&change, role, now),
            Err(problem) if is_own => return Err(problem),
            // Whoever passed it on in good faith is not to blame.
            Err(reason) => Verdict::Refused { reason },
        };
        self.tell_verdict(connection, change, &verdict);
        self.correct_members(now);
        self.tell_phones(now);
        Ok(verdict)
    }

    fn is_sensible(&self, change: &Change, now: Now) -> Result<(), String> {
        let author = self.roster.user_of(&change.id.device);
        if let (Some(author), Some(named)) = (author, &change.user)
            && author != *named
        {
            return Err(format!("{} is {author}'s; the change names another user", change.id.device));
        }
        bounds::check(change, &self.snapshot, self.clock.convoy(now.mono))
    }

    /// Tells the others what has been decided of a change that came by `connection`.
    fn tell_verdict(&mut self, connection: &ConnectionId, change: Change, verdict: &Verdict) {
        let author = self.roster.of_device(&change.id.device).map(|(author, _)| author.clone());
        let mut others = self.roster.speaking(Dialect::Jamz);
        match verdict {
            Verdict::Applied | Verdict::Superseded { .. } => {
                others.retain(|other| other != connection);
                self.send(others, Message::Change(Box::new(change)));
            }
            Verdict::Refused { .. } => {
                others.retain(|other| Some(other) != author.as_ref());
                if change.signature.is_some() {
                    self.send(others, Message::Refused(change.id));
                }
                // Its author holds something that is not so.
                if let Some(author) = author {
                    self.corrections.owe(author);
                }
            }
            Verdict::Duplicate => {}
        }
    }

    /// A member probed the clock; it says how long its last probe took.
    pub fn handle_round_trip(&mut self, connection: &ConnectionId, round_trip_us: i64, now: MonoTime) {
        self.roster.note_round_trip(connection, round_trip_us, now);
    }

    /// Takes in what another authority decided while the two could not reach each other; all hear how it stands now.
    pub fn handle_reunion(&mut self, changes: &[Change], now: Now) {
        for change in changes {
            if bounds::check(change, &self.snapshot, self.clock.convoy(now.mono)).is_ok() {
                let _ = self.decide(change, now);
            }
        }
        let state = Message::State(Box::new(self.snapshot.clone()));
        self.send(self.roster.speaking(Dialect::Jamz), state);
        self.tell_phones(now);
    }

    /// The time that [`Self::poll_timeout`] named has come.
    pub fn handle_wake(&mut self, now: Now) {
        self.correct_members(now);
        self.tell_phones(now);
    }

    /// What is to be done, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Self::handle_wake`]; never while nobody needs it.
    #[must_use]
    pub fn poll_timeout(&self, now: MonoTime) -> Option<MonoTime> {
        self.phones_due(now).into_iter().chain(self.corrections.poll_timeout()).min()
    }

    /// Decides a change and records it.
    fn decide(&mut self, change: &Change, now: Now) -> Verdict {
        let at = self.clock.convoy(now.mono);
        self.snapshot.advance(at);
        let removed = match &change.action {
            Action::Remove { entry } => self.snapshot.playlist.track(entry).map(|track| track.id.clone()),
            _ => None,
        };
        let verdict = self.apply(change);
        if verdict == Verdict::Applied {
            self.phones.note_edit(change, removed, now.mono);
            if self.snapshot.had_rolled(change) {
                self.corrections.owe_all(self.roster.speaking(Dialect::Jamz));
            }
        }
        if verdict != Verdict::Duplicate {
            self.record(change, &verdict, now);
        }
        verdict
    }

    fn record(&mut self, change: &Change, verdict: &Verdict, now: Now) {
        let at = self.clock.convoy(now.mono);
        let recorded = Recorded { change: change.clone(), verdict: verdict.clone(), at };
        self.outputs.push_back(Output::Record(Box::new(recorded)));
    }

    fn apply(&mut self, change: &Change) -> Verdict {
        let verdict = self.snapshot.apply(change);
        if matches!(verdict, Verdict::Applied | Verdict::Superseded { .. }) {
            self.hlc = self.hlc.merge(change.hlc);
            self.snapshot.term = self.snapshot.term.max(change.term);
        }
        verdict
    }

    fn correct_members(&mut self, now: Now) {
        let to = self.corrections.take_due(now.mono);
        if !to.is_empty() {
            self.send(to, Message::State(Box::new(self.snapshot.clone())));
        }
    }

    fn tell_members(&mut self) {
        let to = self.roster.speaking(Dialect::Jamz);
        self.send(to, Message::Members(self.roster.members()));
    }

    fn send(&mut self, to: Vec<ConnectionId>, message: Message) {
        if !to.is_empty() {
            self.outputs.push_back(Output::Send { to, message });
        }
    }
}
