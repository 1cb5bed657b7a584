//! Rooms of today's phones: audio sessions and groups, in which the server only passes on what one says to the others.

use super::limits::{ROOM_MEMBERS_MAX, ROOMS_PER_CONNECTION_MAX};
use crate::core::authority::ConnectionId;
use crate::core::id::ConvoyId;
use serde_json::Value;
use std::collections::BTreeMap;

/// A room's name on the server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Room {
    /// Everyone in a music or audio session.
    Session(ConvoyId),
    Group(ConvoyId),
}

/// Who is in which room; a participant of an audio session has a description that the others are shown.
#[derive(Debug, Default)]
pub struct Rooms {
    rooms: BTreeMap<Room, BTreeMap<ConnectionId, Option<Value>>>,
    counts: BTreeMap<ConnectionId, usize>,
}

impl Rooms {
    /// Puts a connection into a room; false when the room or the connection has too many.
    pub fn join(&mut self, room: Room, connection: &ConnectionId, participant: Option<Value>) -> bool {
        let members = self.rooms.entry(room).or_default();
        if let Some(present) = members.get_mut(connection) {
            if participant.is_some() {
                *present = participant;
            }
            return true;
        }
        let count = self.counts.entry(connection.clone()).or_default();
        if members.len() >= ROOM_MEMBERS_MAX || *count >= ROOMS_PER_CONNECTION_MAX {
            self.sweep();
            return false;
        }
        *count += 1;
        members.insert(connection.clone(), participant);
        true
    }

    /// Takes a connection out of a room; what the others were shown of it.
    pub fn leave(&mut self, room: &Room, connection: &ConnectionId) -> Option<Value> {
        let participant = self.rooms.get_mut(room)?.remove(connection)?;
        if let Some(count) = self.counts.get_mut(connection) {
            *count = count.saturating_sub(1);
        }
        self.sweep();
        participant
    }

    /// Shows the others no longer as a participant one that stays in the room for its music.
    pub fn hang_up(&mut self, room: &Room, connection: &ConnectionId) -> Option<Value> {
        self.rooms.get_mut(room)?.get_mut(connection)?.take()
    }

    /// Takes a connection out of all its rooms.
    pub fn leave_all(&mut self, connection: &ConnectionId) -> Vec<(Room, Option<Value>)> {
        let left = self.rooms.iter_mut().filter_map(|(room, m)| m.remove(connection).map(|p| (room.clone(), p)));
        let left = left.collect();
        self.counts.remove(connection);
        self.sweep();
        left
    }

    #[must_use]
    pub fn contains(&self, room: &Room, connection: &ConnectionId) -> bool {
        self.rooms.get(room).is_some_and(|members| members.contains_key(connection))
    }

    /// All in the room but one.
    #[must_use]
    pub fn others(&self, room: &Room, connection: &ConnectionId) -> Vec<ConnectionId> {
        let members = self.rooms.get(room).into_iter().flat_map(BTreeMap::keys);
        members.filter(|other| *other != connection).cloned().collect()
    }

    /// The participants' descriptions, of all but one.
    #[must_use]
    pub fn participants(&self, room: &Room, connection: &ConnectionId) -> Vec<Value> {
        let members = self.rooms.get(room).into_iter().flatten();
        members.filter(|(other, _)| *other != connection).filter_map(|(_, participant)| participant.clone()).collect()
    }

    fn sweep(&mut self) {
        self.rooms.retain(|_, members| !members.is_empty());
        self.counts.retain(|_, count| *count > 0);
    }
}
