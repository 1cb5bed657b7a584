//! The changes of late, of whomever, in the order in which they came: what a member that lacks them is given.

use crate::core::changes::{Change, ChangeId};
use crate::core::clock::MonoTime;
use crate::core::id::DeviceId;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Changes that are kept; who lacks older ones gets the whole state.
const LOG_MAX: usize = 4_096;

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
    pub(super) from: Option<DeviceId>,
    /// Why an authority refused it.
    pub(super) refused: Option<String>,
    server: AtServer,
    /// Which it was of all that came.
    number: u64,
}

impl Logged {
    pub(super) fn new(change: Change, from: Option<DeviceId>, server: AtServer) -> Self {
        Self { change, from, refused: None, server, number: 0 }
    }

    pub(super) fn server(&self) -> AtServer {
        self.server
    }
}

#[derive(Debug, Default)]
pub(super) struct Log {
    order: VecDeque<ChangeId>,
    entries: BTreeMap<ChangeId, Logged>,
    /// How many have come so far.
    count: u64,
    /// What the server is to be given or was given and has not answered for, by when it came: there may be thousands
    /// that are of no concern to it.
    open: BTreeMap<u64, ChangeId>,
    /// Of those, what it is to be given, by when that is due; and how many were given. Both are asked for all the time.
    due: BTreeSet<(MonoTime, u64)>,
    sent: usize,
}

impl Log {
    /// Takes a change in; one that is there stays as it is.
    pub(super) fn note(&mut self, logged: Logged) {
        let id = logged.change.id.clone();
        if self.entries.contains_key(&id) {
            return;
        }
        if self.order.len() >= LOG_MAX
            && let Some(oldest) = self.order.pop_front()
            && let Some(oldest) = self.entries.remove(&oldest)
        {
            self.unlist(oldest.number, oldest.server);
        }
        self.count += 1;
        self.list(self.count, logged.server, &id);
        self.order.push_back(id.clone());
        self.entries.insert(id, Logged { number: self.count, ..logged });
    }

    fn list(&mut self, number: u64, server: AtServer, id: &ChangeId) {
        match server {
            AtServer::Unknown { due } => drop(self.due.insert((due, number))),
            AtServer::Sent => self.sent += 1,
            AtServer::Queued | AtServer::Known => return,
        }
        self.open.insert(number, id.clone());
    }

    fn unlist(&mut self, number: u64, server: AtServer) {
        self.open.remove(&number);
        match server {
            AtServer::Unknown { due } => drop(self.due.remove(&(due, number))),
            AtServer::Sent => self.sent -= 1,
            AtServer::Queued | AtServer::Known => {}
        }
    }

    /// Says how it stands with a change and the server; and that it was not refused, where the server has it.
    pub(super) fn set_server(&mut self, id: &ChangeId, server: AtServer) {
        let Some(logged) = self.entries.get_mut(id) else { return };
        let (number, before) = (logged.number, std::mem::replace(&mut logged.server, server));
        if server == AtServer::Known {
            logged.refused = None;
        }
        self.unlist(number, before);
        self.list(number, server, id);
    }

    pub(super) fn get(&self, id: &ChangeId) -> Option<&Logged> {
        self.entries.get(id)
    }

    pub(super) fn get_mut(&mut self, id: &ChangeId) -> Option<&mut Logged> {
        self.entries.get_mut(id)
    }

    /// In the order in which they came.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Logged> {
        self.order.iter().filter_map(|id| self.entries.get(id))
    }

    /// What can be given to others: it is signed, and nobody refused it.
    pub(super) fn good(&self, id: &ChangeId) -> Option<&Change> {
        let logged = self.entries.get(id)?;
        (logged.refused.is_none() && logged.change.signature.is_some()).then_some(&logged.change)
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&Logged) -> bool) {
        self.entries.retain(|_, logged| keep(logged));
        self.order.retain(|id| self.entries.contains_key(id));
        self.list_anew();
    }

    /// Sets anew what the server knows.
    pub(super) fn revise_server(&mut self, at_server: impl Fn(&Logged) -> AtServer) {
        for logged in self.entries.values_mut() {
            logged.server = at_server(logged);
        }
        self.list_anew();
    }

    fn list_anew(&mut self) {
        (self.open, self.due, self.sent) = (BTreeMap::new(), BTreeSet::new(), 0);
        let all: Vec<_> = self.entries.iter().map(|(id, logged)| (logged.number, logged.server, id.clone())).collect();
        for (number, server, id) in all {
            self.list(number, server, &id);
        }
    }

    /// How many are on their way to the server.
    pub(super) fn in_flight(&self) -> usize {
        self.sent
    }

    /// When the next is to be given to the server.
    pub(super) fn server_due(&self) -> Option<MonoTime> {
        let is_good = |number: &u64| {
            let logged = self.open.get(number).and_then(|id| self.entries.get(id));
            logged.is_some_and(|logged| logged.refused.is_none())
        };
        self.due.iter().find(|(_, number)| is_good(number)).map(|(due, _)| *due)
    }

    /// Takes out what is to be given to the server now, at most `room` and while it `may` go out, as it came.
    pub(super) fn give(&mut self, room: usize, now: MonoTime, mut may: impl FnMut() -> bool) -> Vec<Change> {
        let mut given = Vec::new();
        for (number, id) in &self.open {
            if given.len() >= room {
                break;
            }
            let Some(logged) = self.entries.get_mut(id).filter(|logged| logged.refused.is_none()) else { continue };
            if let AtServer::Unknown { due } = logged.server
                && now >= due
            {
                if !may() {
                    break;
                }
                logged.server = AtServer::Sent;
                self.due.remove(&(due, *number));
                self.sent += 1;
                given.push(logged.change.clone());
            }
        }
        given
    }
}
