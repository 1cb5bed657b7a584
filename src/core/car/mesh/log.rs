//! The changes of late, of whomever, in the order in which they came: what a member that lacks them is given, and the
//! server.

use crate::core::changes::{CHANGES_KEPT_MAX, Change, ChangeId};
use crate::core::clock::MonoTime;
use crate::core::id::DeviceId;
use std::collections::{BTreeMap, BTreeSet};

/// Changes that are kept though the server has them; who lacks older ones gets the whole state.
const KNOWN_MAX: usize = 4_096;
/// Changes that are kept in all. What the server lacks has to be here: some 20 MB at most, as each is about as long as
/// what it says of a track.
const LOG_MAX: usize = CHANGES_KEPT_MAX;

/// Half of the pace at which a car asks for a verdict on its own.
const ASK_AGAIN_US: i64 = 500_000;

/// How it stands with a change and the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AtServer {
    /// It is an own change in the car's queue, which sends it.
    Queued,
    /// It is to be given it, not before then.
    Unknown {
        due: MonoTime,
    },
    Sent,
    Known,
}

/// A change, and what is known of it.
#[derive(Debug)]
pub(super) struct Logged {
    pub(super) change: Change,
    /// The neighbour that brought it, and waits for the verdict.
    from: Option<DeviceId>,
    /// Why an authority refused it.
    refused: Option<String>,
    server: AtServer,
    /// When it was last asked for the verdict anew.
    asked: Option<MonoTime>,
    /// Which it was of all that came.
    number: u64,
}

impl Logged {
    pub(super) fn new(change: Change, from: Option<DeviceId>, server: AtServer) -> Self {
        Self { change, from, refused: None, server, asked: None, number: 0 }
    }

    pub(super) fn server(&self) -> AtServer {
        self.server
    }

    pub(super) fn refused(&self) -> Option<&String> {
        self.refused.as_ref()
    }
}

/// Changes by the number of their coming, as it stands with each and the server; there may be thousands, and most are
/// of no concern.
#[derive(Debug, Default)]
struct Places {
    /// To be given to the server, not before then.
    later: BTreeSet<(MonoTime, u64)>,
    /// To be given now.
    ready: BTreeSet<u64>,
    sent: BTreeSet<u64>,
    known: BTreeSet<u64>,
}

impl Places {
    fn put(&mut self, logged: &Logged) {
        match logged.server {
            AtServer::Unknown { due } if logged.refused.is_none() => drop(self.later.insert((due, logged.number))),
            AtServer::Sent => drop(self.sent.insert(logged.number)),
            AtServer::Known => drop(self.known.insert(logged.number)),
            AtServer::Unknown { .. } | AtServer::Queued => {}
        }
    }

    fn take(&mut self, logged: &Logged) {
        if let AtServer::Unknown { due } = logged.server {
            self.later.remove(&(due, logged.number));
        }
        for place in [&mut self.ready, &mut self.sent, &mut self.known] {
            place.remove(&logged.number);
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Log {
    /// In the order in which they came.
    order: BTreeMap<u64, ChangeId>,
    entries: BTreeMap<ChangeId, Logged>,
    /// How many have come so far.
    count: u64,
    places: Places,
}

impl Log {
    /// Takes a change in; one that is there stays as it is.
    pub(super) fn note(&mut self, logged: Logged) {
        let id = logged.change.id.clone();
        if self.entries.contains_key(&id) {
            return;
        }
        self.count += 1;
        let logged = Logged { number: self.count, ..logged };
        self.places.put(&logged);
        self.order.insert(self.count, id.clone());
        self.entries.insert(id, logged);
        self.forget_oldest();
    }

    /// Makes room: first of what the server has.
    fn forget_oldest(&mut self) {
        while self.places.known.len() > KNOWN_MAX || self.order.len() > LOG_MAX {
            let oldest = self.places.known.first().or_else(|| self.order.keys().next()).copied();
            let Some(logged) =
                oldest.and_then(|number| self.order.remove(&number)).and_then(|id| self.entries.remove(&id))
            else {
                return;
            };
            self.places.take(&logged);
        }
    }

    fn revise<T>(&mut self, id: &ChangeId, change: impl FnOnce(&mut Logged) -> T) -> Option<T> {
        let logged = self.entries.get_mut(id)?;
        self.places.take(logged);
        let answer = change(logged);
        self.places.put(logged);
        Some(answer)
    }

    /// Says how it stands with a change and the server; and that it was not refused, where the server has it.
    pub(super) fn set_server(&mut self, id: &ChangeId, server: AtServer) {
        self.revise(id, |logged| {
            logged.server = server;
            logged.refused.take_if(|_| server == AtServer::Known);
        });
        self.forget_oldest();
    }

    /// Says why a change was refused, or that it was not.
    pub(super) fn set_refused(&mut self, id: &ChangeId, refused: Option<String>) {
        self.revise(id, |logged| logged.refused = refused);
    }

    /// Says who waits for the verdict; returns who did.
    pub(super) fn set_from(&mut self, id: &ChangeId, from: Option<DeviceId>) -> Option<DeviceId> {
        self.entries.get_mut(id).and_then(|logged| std::mem::replace(&mut logged.from, from))
    }

    /// Whether the authority may be asked for a verdict anew: however often others ask, not again at once.
    pub(super) fn may_ask(&mut self, id: &ChangeId, now: MonoTime) -> bool {
        let Some(logged) = self.entries.get_mut(id) else { return false };
        let may = logged.asked.is_none_or(|asked| now - asked >= ASK_AGAIN_US);
        logged.asked = if may { Some(now) } else { logged.asked };
        may
    }

    /// Puts a change in the place of one of the same id.
    pub(super) fn replace(&mut self, change: Change) {
        if let Some(logged) = self.entries.get_mut(&change.id) {
            logged.change = change;
        }
    }

    pub(super) fn get(&self, id: &ChangeId) -> Option<&Logged> {
        self.entries.get(id)
    }

    /// In the order in which they came.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Logged> {
        self.order.values().filter_map(|id| self.entries.get(id))
    }

    /// What can be given to others: it is signed, and nobody refused it.
    pub(super) fn good(&self, id: &ChangeId) -> Option<&Change> {
        let logged = self.entries.get(id)?;
        (logged.refused.is_none() && logged.change.signature.is_some()).then_some(&logged.change)
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&Logged) -> bool) {
        self.entries.retain(|_, logged| keep(logged));
        self.order.retain(|_, id| self.entries.contains_key(id));
        self.place_all();
    }

    /// Sets anew what the server knows.
    pub(super) fn revise_server(&mut self, at_server: impl Fn(&Logged) -> AtServer) {
        for logged in self.entries.values_mut() {
            logged.server = at_server(logged);
        }
        self.place_all();
        self.forget_oldest();
    }

    fn place_all(&mut self) {
        self.places = Places::default();
        self.entries.values().for_each(|logged| self.places.put(logged));
    }

    /// How many are on their way to the server.
    pub(super) fn in_flight(&self) -> usize {
        self.places.sent.len()
    }

    /// When the next is to be given to the server.
    pub(super) fn server_due(&self) -> Option<MonoTime> {
        let ready = self.places.ready.first().map(|_| MonoTime(i64::MIN));
        ready.or_else(|| self.places.later.first().map(|(due, _)| *due))
    }

    /// Takes out what is to be given to the server now, at most `room` and while it `may` go out, as it came.
    pub(super) fn give(&mut self, room: usize, now: MonoTime, mut may: impl FnMut() -> bool) -> Vec<Change> {
        let Places { later, ready, .. } = &mut self.places;
        while let Some((due, number)) = later.pop_first() {
            if due > now {
                later.insert((due, number));
                break;
            }
            ready.insert(number);
        }
        let mut given = Vec::new();
        while given.len() < room
            && let Some(id) = self.places.ready.first().and_then(|number| self.order.get(number)).cloned()
            && may()
        {
            given.extend(self.entries.get(&id).map(|logged| logged.change.clone()));
            self.set_server(&id, AtServer::Sent);
        }
        given
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::changes::{Action, Hlc};
    use crate::core::election::Term;

    fn change(sequence: u64) -> Change {
        Change {
            id: ChangeId { device: DeviceId::new("car").unwrap(), sequence },
            hlc: Hlc::default(),
            term: Term(0),
            user: None,
            action: Action::TakeControl,
            signature: None,
        }
    }

    fn numbers(changes: &[Change]) -> Vec<u64> {
        changes.iter().map(|change| change.id.sequence).collect()
    }

    #[test]
    fn what_the_server_lacks_stays_however_much_comes_that_it_has() {
        let mut log = Log::default();
        for n in 1..=6_000 {
            log.note(Logged::new(change(n), None, AtServer::Unknown { due: MonoTime(0) }));
        }
        for n in 6_001..=20_000 {
            log.note(Logged::new(change(n), None, AtServer::Known));
        }
        assert_eq!(log.iter().count(), 6_000 + KNOWN_MAX);
        let given = log.give(10_000, MonoTime(0), || true);
        assert_eq!(numbers(&given), (1..=6_000).collect::<Vec<_>>());
        assert_eq!((log.in_flight(), log.server_due()), (6_000, None));
        log.revise_server(|_| AtServer::Known);
        assert_eq!((log.iter().count(), log.in_flight()), (KNOWN_MAX, 0));
    }

    #[test]
    fn what_nobody_ever_takes_has_an_end() {
        let mut log = Log::default();
        for n in 1..=LOG_MAX as u64 + 5 {
            log.note(Logged::new(change(n), None, AtServer::Unknown { due: MonoTime(0) }));
        }
        assert_eq!((log.iter().count(), log.iter().next().unwrap().change.id.sequence), (LOG_MAX, 6));
    }

    #[test]
    fn the_server_is_given_what_is_due_in_the_order_in_which_it_came_and_nothing_that_was_refused() {
        let mut log = Log::default();
        for (n, due) in [(1, 9), (2, 3), (3, 1), (4, 2)] {
            log.note(Logged::new(change(n), None, AtServer::Unknown { due: MonoTime(due) }));
        }
        log.set_refused(&change(3).id, Some("no".into()));
        assert_eq!(log.server_due(), Some(MonoTime(2)));
        assert_eq!(numbers(&log.give(1, MonoTime(5), || true)), [2]);
        assert_eq!(numbers(&log.give(9, MonoTime(5), || true)), [4]);
        assert_eq!(log.server_due(), Some(MonoTime(9)));
        log.set_refused(&change(3).id, None);
        assert_eq!(numbers(&log.give(9, MonoTime(9), || true)), [1, 3]);
    }
}
