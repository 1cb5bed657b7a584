//! The playlist: entries that all survive concurrent edits, in an order that all members agree on.

use super::changes::{Hlc, Stamp};
use super::election::Term;
use super::id::{EntryId, TrackId};
use super::order::OrderKey;
use super::planted::{Plant, is_planted};
use serde::{Deserialize, Deserializer, Serialize};
use standing::Standing;
use std::collections::{BTreeMap, BTreeSet};

/// What is known of a piece of music, apart from the file itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Track {
    pub id: TrackId,
    #[serde(default)]
    pub title: String,
    #[serde(default)]
    pub artist: String,
    #[serde(default)]
    pub album: String,
    /// Length in microseconds; none when nobody has had the file yet.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "length")]
    pub duration_us: Option<i64>,
    /// Where the audio file can be fetched, if anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What today's backend says of the track beyond this, kept as it was: its playlist is written back whole.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub extra: serde_json::Map<String, serde_json::Value>,
}

/// No track is longer than a week; one that says so, or that it has no length, is taken for one of unknown length.
pub const DURATION_MAX_US: i64 = 7 * 24 * 3_600 * 1_000_000;

impl Track {
    /// With a length that can be, or none.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        self.duration_us = self.duration_us.filter(|us| is_length(*us));
        self
    }
}

/// Whether a track can be so long, in microseconds.
fn is_length(duration_us: i64) -> bool {
    (1..=DURATION_MAX_US).contains(&duration_us)
}

/// A number that is too great for its type is still a number, and as absurd as the greatest one.
fn length<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let number = Option::<serde_json::Number>::deserialize(deserializer)?;
    Ok(number.and_then(|number| number.as_i64().or_else(|| number.as_f64().map(|us| us as i64))))
}

/// One place in the playlist.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub id: EntryId,
    pub track: Track,
    pub order: OrderKey,
}

/// What is known of one entry, in whatever order the news came.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Slot {
    /// None until the addition arrives: a move or a removal may overtake it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    track: Option<Track>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    order: Option<(Stamp, OrderKey)>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    removed: bool,
    /// Of a removed entry whose track is forgotten: how long that is. An anchor that names the entry may still be on
    /// its way here, and then what follows has to be the same as where the anchor came first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    duration_us: Option<i64>,
}

/// A map of entries that converges: additions are a union, a move is last-writer-wins, a removal is for ever (adding a
/// track again makes a new entry, which the removal does not touch).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(from = "Slots", into = "Slots")]
pub struct Playlist {
    slots: BTreeMap<EntryId, Slot>,
    /// Entries to play, in order; derived from the slots, as are the next two.
    order: Standing,
    /// Removed entries whose track is still known.
    leaving: BTreeSet<(OrderKey, EntryId)>,
    /// Entries that were moved and have not been added yet, by the time of that.
    awaited: BTreeSet<(Stamp, EntryId)>,
}

/// A playlist without what is derived, as it is written.
#[derive(Serialize, Deserialize)]
struct Slots {
    slots: BTreeMap<EntryId, Slot>,
}

impl From<Slots> for Playlist {
    fn from(Slots { slots }: Slots) -> Self {
        let mut playlist = Self { slots, ..Self::default() };
        for slot in playlist.slots.values_mut() {
            slot.track = slot.track.take().map(Track::bounded);
            slot.duration_us = slot.duration_us.filter(|us| is_length(*us));
        }
        let is_removed = |(_, id): &(OrderKey, EntryId)| playlist.slots.get(id).is_some_and(|slot| slot.removed);
        let known = playlist.slots.iter().filter(|(_, slot)| slot.track.is_some());
        let (leaving, standing): (BTreeSet<_>, BTreeSet<_>) =
            known.filter_map(|(id, _)| playlist.key(id)).partition(is_removed);
        (playlist.leaving, playlist.order) = (leaving, standing.into());
        let awaited = playlist.slots.iter().filter(|(_, slot)| slot.track.is_none() && !slot.removed);
        playlist.awaited =
            awaited.filter_map(|(id, slot)| Some((slot.order.as_ref()?.0.clone(), id.clone()))).collect();
        playlist
    }
}

impl From<Playlist> for Slots {
    fn from(playlist: Playlist) -> Self {
        Self { slots: playlist.slots }
    }
}

/// Entries that stand in the playlist at once.
pub const ENTRIES_MAX: usize = 20_000;
/// Removed entries that are remembered.
const REMOVED_MAX: usize = 20_000;
/// Entries that were moved ahead of being added, and are waited for.
const AWAITED_MAX: usize = 1_024;

impl Playlist {
    /// Adds an entry; false when it was there or was removed before.
    pub fn add(&mut self, id: &EntryId, track: &Track, order: &OrderKey, stamp: &Stamp) -> bool {
        let slot = self.slots.entry(id.clone()).or_default();
        if slot.track.is_some() {
            return false;
        }
        slot.track = Some(track.clone().bounded());
        match &slot.order {
            Some((moved, _)) => drop(self.awaited.remove(&(moved.clone(), id.clone()))),
            None => slot.order = Some((stamp.clone(), order.clone())),
        }
        let is_removed = slot.removed;
        self.index(id);
        !is_removed
    }

    /// Moves an entry; false when a newer move counts, or it is gone. One that is gone may still play, and has its
    /// place for what follows.
    pub fn shift(&mut self, id: &EntryId, order: &OrderKey, stamp: &Stamp) -> bool {
        let slot = self.slots.entry(id.clone()).or_default();
        if slot.order.as_ref().is_some_and(|(s, _)| s >= stamp) {
            return false;
        }
        let old = slot.order.replace((stamp.clone(), order.clone()));
        let (is_removed, is_awaited) = (slot.removed, slot.track.is_none());
        if is_awaited {
            return !is_removed && self.await_entry(id, old.map(|(moved, _)| moved), stamp);
        }
        if let Some((_, old)) = old {
            let key = (old, id.clone());
            self.order.remove(&key);
            self.leaving.remove(&key);
        }
        self.index(id);
        !is_removed
    }

    /// Removes an entry for ever; false when it was gone. Its track is known until [`Self::forget_removed`], its place
    /// for as long as that it was removed.
    pub fn remove(&mut self, id: &EntryId) -> bool {
        let slot = self.slots.entry(id.clone()).or_default();
        if std::mem::replace(&mut slot.removed, true) {
            return false;
        }
        match (&slot.track, &slot.order) {
            (Some(_), Some((_, order))) => {
                let key = (order.clone(), id.clone());
                self.order.remove(&key);
                self.leaving.insert(key);
            }
            (None, Some((moved, _))) => drop(self.awaited.remove(&(moved.clone(), id.clone()))),
            _ => {}
        }
        if is_planted(Plant::RemovalResurrects) {
            self.leaving.retain(|(_, leaving)| leaving != id);
            self.slots.remove(id);
        }
        self.forget_oldest_removed();
        true
    }

    /// Forgets the tracks of the removed entries that nothing names any more, but for how long they are.
    pub fn forget_removed(&mut self, mut is_named: impl FnMut(&EntryId) -> bool) {
        let slots = &mut self.slots;
        self.leaving.retain(|(_, id)| {
            let stays = is_named(id);
            if !stays && let Some(slot) = slots.get_mut(id) {
                slot.duration_us = slot.track.take().and_then(|track| track.duration_us);
            }
            stays
        });
    }

    /// Waits for an entry that was moved, `formerly` at another time; the one moved longest ago is waited for no more
    /// when they are too many.
    fn await_entry(&mut self, id: &EntryId, formerly: Option<Stamp>, stamp: &Stamp) -> bool {
        if let Some(formerly) = formerly {
            self.awaited.remove(&(formerly, id.clone()));
        }
        self.awaited.insert((stamp.clone(), id.clone()));
        if self.awaited.len() > AWAITED_MAX
            && let Some((_, oldest)) = self.awaited.pop_first()
        {
            self.slots.remove(&oldest);
            return oldest != *id;
        }
        true
    }

    /// Learns a track's length from whoever has had the file.
    pub fn learn_duration(&mut self, track: &TrackId, duration_us: i64) -> bool {
        let mut learned = false;
        if !is_length(duration_us) {
            return learned;
        }
        for known in self.slots.values_mut().filter_map(|slot| slot.track.as_mut()) {
            if known.id == *track && known.duration_us.is_none() {
                known.duration_us = Some(duration_us);
                learned = true;
            }
        }
        learned
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    #[must_use]
    pub fn get(&self, id: &EntryId) -> Option<Entry> {
        let slot = self.slots.get(id)?;
        let (_, order) = slot.order.clone()?;
        Some(Entry { id: id.clone(), track: slot.track.clone()?, order })
    }

    /// Whether an entry stands in the playlist.
    #[must_use]
    pub fn contains(&self, id: &EntryId) -> bool {
        self.slots.get(id).is_some_and(|slot| slot.track.is_some() && !slot.removed)
    }

    /// The track of an entry, without copying it; also of one that was removed and is still named.
    #[must_use]
    pub fn track(&self, id: &EntryId) -> Option<&Track> {
        self.slots.get(id).and_then(|slot| slot.track.as_ref())
    }

    /// How long an entry's track is, if that is known; also of one that was removed.
    #[must_use]
    pub fn duration_us(&self, id: &EntryId) -> Option<i64> {
        let slot = self.slots.get(id)?;
        slot.track.as_ref().map_or(slot.duration_us, |track| track.duration_us)
    }

    /// The place of an entry in the order.
    #[must_use]
    pub fn order_of(&self, id: &EntryId) -> Option<&OrderKey> {
        self.slots.get(id).and_then(|slot| slot.order.as_ref()).map(|(_, order)| order)
    }

    /// The entries in order, each with its place in it.
    pub fn places(&self) -> impl Iterator<Item = (&EntryId, &OrderKey)> {
        self.order.iter().map(|(order, id)| (id, order))
    }

    /// The entries in order.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = &EntryId> {
        self.order.iter().map(|(_, id)| id)
    }

    /// A number that is the same wherever the same entries stand in the same order.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.order.sum()
    }

    /// The entries in order, with their tracks.
    pub fn entries(&self) -> impl Iterator<Item = (&EntryId, &Track)> {
        self.ids().filter_map(|id| self.track(id).map(|track| (id, track)))
    }

    /// The first entry of a track.
    #[must_use]
    pub fn entry_of(&self, track: &TrackId) -> Option<&EntryId> {
        self.entries().find(|(_, known)| known.id == *track).map(|(entry, _)| entry)
    }

    /// The entry at a place counted from nought.
    #[must_use]
    pub fn nth(&self, index: usize) -> Option<&EntryId> {
        self.ids().nth(index)
    }

    /// The entry after `id`, the first one when `id` is none; none when nothing is known of it.
    #[must_use]
    pub fn after(&self, id: Option<&EntryId>) -> Option<&EntryId> {
        match id.and_then(|id| self.key(id)) {
            Some(key) => {
                use std::ops::Bound::{Excluded, Unbounded};
                self.order.range((Excluded(key), Unbounded)).next().map(|(_, id)| id)
            }
            None if id.is_some() => None,
            None => self.nth(0),
        }
    }

    /// The entry ahead of `id`.
    #[must_use]
    pub fn before(&self, id: &EntryId) -> Option<&EntryId> {
        let key = self.key(id)?;
        self.order.range(..key).next_back().map(|(_, id)| id)
    }

    /// A key that puts an entry at `index` (at the end when none, or beyond it), leaving `moving` out of the count.
    #[must_use]
    pub fn place(&self, index: Option<usize>, moving: Option<&EntryId>) -> OrderKey {
        let Some(index) = index.filter(|i| *i < self.len()) else {
            // What was removed and still plays is followed by what is added.
            let last = self.order.last().max(self.leaving.last());
            return OrderKey::between(last.map(|(key, _)| key), None);
        };
        let keys: Vec<&OrderKey> =
            self.order.iter().filter(|(_, id)| Some(id) != moving).map(|(key, _)| key).take(index + 1).collect();
        let before = index.checked_sub(1).and_then(|i| keys.get(i)).copied();
        OrderKey::between(before, keys.get(index).copied())
    }

    /// Takes what was moved later than `latest` for moved then.
    pub(super) fn cleanse(&mut self, latest: Hlc, term: Term) {
        let cannot_be = |stamp: &Stamp| stamp.hlc > latest || stamp.term.is_beyond(term);
        if !self.slots.values().filter_map(|slot| slot.order.as_ref()).any(|(stamp, _)| cannot_be(stamp)) {
            return;
        }
        let mut slots = std::mem::take(&mut self.slots);
        for (stamp, _) in slots.values_mut().filter_map(|slot| slot.order.as_mut()) {
            (stamp.hlc, stamp.term) = (stamp.hlc.min(latest), stamp.term.min(term));
        }
        *self = Self::from(Slots { slots });
    }

    /// The place of an entry that was added, or has been removed.
    fn key(&self, id: &EntryId) -> Option<(OrderKey, EntryId)> {
        let slot = self.slots.get(id).filter(|slot| slot.track.is_some() || slot.removed)?;
        slot.order.as_ref().map(|(_, key)| (key.clone(), id.clone()))
    }

    fn index(&mut self, id: &EntryId) {
        let Some(slot) = self.slots.get(id) else { return };
        let (is_removed, has_track) = (slot.removed, slot.track.is_some());
        if let Some(key) = self.key(id).filter(|_| has_track) {
            if is_removed {
                self.leaving.insert(key);
            } else {
                self.order.insert(key);
            }
        }
    }

    fn forget_oldest_removed(&mut self) {
        let removed = self.slots.len().saturating_sub(self.order.len() + self.awaited.len());
        let is_gone = |slot: &Slot| slot.removed && slot.track.is_none();
        if removed > REMOVED_MAX
            && let Some(oldest) = self.slots.iter().find(|(_, slot)| is_gone(slot)).map(|(id, _)| id.clone())
        {
            self.slots.remove(&oldest);
        }
    }
}

mod standing;
#[cfg(test)]
mod tests;
