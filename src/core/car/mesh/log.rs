//! The changes of late, of whomever, in the order in which they came: what a member that lacks them is given.

use crate::core::changes::{Change, ChangeId};
use crate::core::clock::MonoTime;
use crate::core::id::DeviceId;
use std::collections::{BTreeMap, VecDeque};

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

impl AtServer {
    fn is_open(self) -> bool {
        matches!(self, Self::Unknown { .. } | Self::Sent)
    }
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
        {
            self.open.retain(|_, id| *id != oldest);
            self.entries.remove(&oldest);
        }
        self.count += 1;
        if logged.server.is_open() {
            self.open.insert(self.count, id.clone());
        }
        self.order.push_back(id.clone());
        self.entries.insert(id, Logged { number: self.count, ..logged });
    }

    /// Says how it stands with a change and the server; and that it was not refused, where the server has it.
    pub(super) fn set_server(&mut self, id: &ChangeId, server: AtServer) {
        let Some(logged) = self.entries.get_mut(id) else { return };
        logged.server = server;
        if server == AtServer::Known {
            logged.refused = None;
        }
        if server.is_open() {
            self.open.insert(logged.number, id.clone());
        } else {
            self.open.remove(&logged.number);
        }
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
        self.open.retain(|_, id| self.entries.contains_key(id));
    }

    /// Sets anew what the server knows.
    pub(super) fn revise_server(&mut self, at_server: impl Fn(&Logged) -> AtServer) {
        for logged in self.entries.values_mut() {
            logged.server = at_server(logged);
        }
        let open = self.entries.values().filter(|logged| logged.server.is_open());
        self.open = open.map(|logged| (logged.number, logged.change.id.clone())).collect();
    }

    /// How many are on their way to the server.
    pub(super) fn in_flight(&self) -> usize {
        self.open().filter(|logged| logged.server == AtServer::Sent).count()
    }

    /// When the next is to be given to the server.
    pub(super) fn server_due(&self) -> Option<MonoTime> {
        let due = |logged: &Logged| match logged.server {
            AtServer::Unknown { due } if logged.refused.is_none() => Some(due),
            _ => None,
        };
        self.open().filter_map(due).min()
    }

    fn open(&self) -> impl Iterator<Item = &Logged> {
        self.open.values().filter_map(|id| self.entries.get(id))
    }

    /// Takes out what is to be given to the server now, at most `room` and while it `may` go out, as it came.
    pub(super) fn give(&mut self, room: usize, now: MonoTime, mut may: impl FnMut() -> bool) -> Vec<Change> {
        let mut given = Vec::new();
        for id in self.open.values() {
            let Some(logged) = self.entries.get_mut(id).filter(|logged| logged.refused.is_none()) else { continue };
            if given.len() >= room {
                break;
            }
            if matches!(logged.server, AtServer::Unknown { due } if now >= due) {
                if !may() {
                    break;
                }
                logged.server = AtServer::Sent;
                given.push(logged.change.clone());
            }
        }
        given
    }
}
