//! Edits of the playlist that neighbours bring: they are counted as they come, and wait for all else, as nobody hears
//! them come late.

use super::Car;
use crate::core::changes::{Change, ChangeId};
use crate::core::clock::MonoTime;
use crate::core::conduct::Matter;
use crate::core::id::DeviceId;
use crate::core::mesh::PeerMessage;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;

/// Edits that wait, each neighbour's share of it being the same. Of more, the latest are not heard: what is known here
/// differs then from what others know, and is asked for.
const WAITING_MAX: usize = 4_096;

/// What one neighbour has brought, in the order in which it came.
#[derive(Debug, Default)]
struct Queue {
    messages: VecDeque<(ChangeId, PeerMessage)>,
    ids: BTreeSet<ChangeId>,
}

/// What waits. One is taken of each neighbour in turn: however much one brings, nobody else's waits for it.
#[derive(Debug, Default)]
pub(super) struct Edits {
    /// None of them is empty.
    queues: BTreeMap<DeviceId, Queue>,
    /// Whose was taken in last.
    last: Option<DeviceId>,
}

impl Edits {
    pub(super) fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    /// Whether anything waits that `from` brought.
    pub(super) fn any_of(&self, from: &DeviceId) -> bool {
        self.queues.contains_key(from)
    }

    /// Whether `from` has brought this one, and it waits.
    pub(super) fn has(&self, from: &DeviceId, id: &ChangeId) -> bool {
        self.queues.get(from).is_some_and(|queue| queue.ids.contains(id))
    }

    /// Of whom nothing more is heard, what he brought is forgotten.
    pub(super) fn forget(&mut self, from: &DeviceId) {
        self.queues.remove(from);
    }

    /// Unless `from` has as many that wait as it may.
    fn push(&mut self, from: &DeviceId, id: ChangeId, message: PeerMessage, share: usize) {
        let queue = self.queues.entry(from.clone()).or_default();
        if queue.ids.len() < share {
            queue.ids.insert(id.clone());
            queue.messages.push_back((id, message));
        }
    }

    /// That which has waited longest of the neighbour whose turn it is.
    fn pop(&mut self) -> Option<(DeviceId, PeerMessage)> {
        let after = self.last.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut in_turn = self.queues.range::<DeviceId, _>((after, Bound::Unbounded)).chain(&self.queues);
        let from = in_turn.next()?.0.clone();
        let queue = self.queues.get_mut(&from)?;
        let (id, message) = queue.messages.pop_front()?;
        queue.ids.remove(&id);
        if queue.ids.is_empty() {
            self.queues.remove(&from);
        }
        self.last = Some(from.clone());
        Some((from, message))
    }
}

impl Car {
    /// Keeps an edit that is new here for later; gives back anything else.
    pub(super) fn keep_edit(&mut self, from: &DeviceId, message: PeerMessage, now: MonoTime) -> Option<PeerMessage> {
        let change = match &message {
            PeerMessage::Change { change, .. } if change.action.is_edit() => change,
            _ => return Some(message),
        };
        if !self.is_news(from, change) || self.ignores(from, change, now) {
            return Some(message);
        }
        let id = change.id.clone();
        if self.mesh.edits.has(from, &id) {
            let _ = self.conduct.count(from, Matter::Repeats, 1, now);
        } else if self.bears_edit(from, change, now) {
            let share = WAITING_MAX / self.mesh.live().count().max(1);
            self.mesh.edits.push(from, id, message, share);
        }
        None
    }

    /// Takes in the edit whose turn it is.
    pub(in crate::core::car) fn take_in_edit(&mut self, now: MonoTime) {
        if let Some((from, message)) = self.mesh.edits.pop() {
            self.handle_peer(&from, message, now, now);
        }
    }

    /// Whether what an author made himself waits here, and so has been counted.
    pub(super) fn has_counted(&self, change: &Change) -> bool {
        self.mesh.edits.has(&change.id.device, &change.id)
    }
}
