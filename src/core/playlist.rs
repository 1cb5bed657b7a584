//! The playlist: entries that all survive concurrent edits, in an order that all members agree on.

use super::changes::Stamp;
use super::id::{EntryId, TrackId};
use super::order::OrderKey;
use serde::{Deserialize, Deserializer, Serialize};
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
}

/// A map of entries that converges: additions are a union, a move is last-writer-wins, a removal is for ever (adding a
/// track again makes a new entry, which the removal does not touch).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(from = "Slots", into = "Slots")]
pub struct Playlist {
    slots: BTreeMap<EntryId, Slot>,
    /// Entries to play, in order; derived from the slots.
    order: BTreeSet<(OrderKey, EntryId)>,
}

/// A playlist without what is derived, as it is written.
#[derive(Serialize, Deserialize)]
struct Slots {
    slots: BTreeMap<EntryId, Slot>,
}

impl From<Slots> for Playlist {
    fn from(Slots { slots }: Slots) -> Self {
        let mut playlist = Self { slots, order: BTreeSet::new() };
        for slot in playlist.slots.values_mut() {
            slot.track = slot.track.take().map(Track::bounded);
        }
        playlist.order = playlist.slots.keys().filter_map(|id| playlist.key(id)).collect();
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

impl Playlist {
    /// Adds an entry; false when it was there or was removed before.
    pub fn add(&mut self, id: &EntryId, track: &Track, order: &OrderKey, stamp: &Stamp) -> bool {
        let slot = self.slots.entry(id.clone()).or_default();
        if slot.track.is_some() || slot.removed {
            return false;
        }
        slot.track = Some(track.clone().bounded());
        if slot.order.is_none() {
            slot.order = Some((stamp.clone(), order.clone()));
        }
        self.index(id);
        true
    }

    /// Moves an entry; false when a newer move counts, or it is gone.
    pub fn shift(&mut self, id: &EntryId, order: &OrderKey, stamp: &Stamp) -> bool {
        let slot = self.slots.entry(id.clone()).or_default();
        if slot.removed || (slot.track.is_some() && slot.order.as_ref().is_some_and(|(s, _)| s >= stamp)) {
            return false;
        }
        if let Some((_, old)) = slot.order.replace((stamp.clone(), order.clone())) {
            self.order.remove(&(old, id.clone()));
        }
        self.index(id);
        true
    }

    /// Removes an entry for ever; false when it was gone.
    pub fn remove(&mut self, id: &EntryId) -> bool {
        let slot = self.slots.entry(id.clone()).or_default();
        let was_there = !slot.removed;
        if let Some((_, order)) = slot.order.take() {
            self.order.remove(&(order, id.clone()));
        }
        *slot = Slot { removed: true, ..Slot::default() };
        self.forget_removed();
        was_there
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

    /// The track of an entry, without copying it.
    #[must_use]
    pub fn track(&self, id: &EntryId) -> Option<&Track> {
        self.slots.get(id).and_then(|slot| slot.track.as_ref())
    }

    /// The place of an entry in the order.
    #[must_use]
    pub fn order_of(&self, id: &EntryId) -> Option<&OrderKey> {
        self.slots.get(id).and_then(|slot| slot.order.as_ref()).map(|(_, order)| order)
    }

    /// The entries in order.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = &EntryId> {
        self.order.iter().map(|(_, id)| id)
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

    /// The entry after `id`, the first one when `id` is none or gone.
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
            return OrderKey::between(self.order.iter().map(|(key, _)| key).next_back(), None);
        };
        let keys: Vec<&OrderKey> =
            self.order.iter().filter(|(_, id)| Some(id) != moving).map(|(key, _)| key).take(index + 1).collect();
        let before = index.checked_sub(1).and_then(|i| keys.get(i)).copied();
        OrderKey::between(before, keys.get(index).copied())
    }

    fn key(&self, id: &EntryId) -> Option<(OrderKey, EntryId)> {
        let slot = self.slots.get(id)?;
        slot.track.as_ref()?;
        slot.order.as_ref().map(|(_, key)| (key.clone(), id.clone()))
    }

    fn index(&mut self, id: &EntryId) {
        if let Some(key) = self.key(id) {
            self.order.insert(key);
        }
    }

    fn forget_removed(&mut self) {
        let removed = self.slots.len().saturating_sub(self.order.len());
        if removed > REMOVED_MAX
            && let Some(oldest) = self.slots.iter().find(|(_, slot)| slot.removed).map(|(id, _)| id.clone())
        {
            self.slots.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::changes::Hlc;
    use crate::core::election::Term;
    use crate::core::id::DeviceId;

    fn stamp(time_us: i64) -> Stamp {
        Stamp { term: Term(1), hlc: Hlc { time_us, count: 0 }, device: DeviceId::new("d").unwrap() }
    }

    fn entry(name: &str) -> EntryId {
        EntryId::new(name).unwrap()
    }

    fn track(name: &str) -> Track {
        Track {
            id: TrackId::new(name).unwrap(),
            title: name.into(),
            artist: String::new(),
            album: String::new(),
            duration_us: None,
            url: None,
            extra: serde_json::Map::new(),
        }
    }

    fn filled(names: &[&str]) -> Playlist {
        let mut playlist = Playlist::default();
        for (i, name) in names.iter().enumerate() {
            let order = playlist.place(None, None);
            assert!(playlist.add(&entry(name), &track(name), &order, &stamp(i as i64)));
        }
        playlist
    }

    fn names(playlist: &Playlist) -> Vec<&str> {
        playlist.ids().map(EntryId::as_str).collect()
    }

    #[test]
    fn entries_stand_in_the_order_they_were_put() {
        let mut playlist = filled(&["a", "b", "c"]);
        let order = playlist.place(Some(1), None);
        playlist.add(&entry("x"), &track("x"), &order, &stamp(9));
        assert_eq!(names(&playlist), ["a", "x", "b", "c"]);
        let order = playlist.place(Some(0), Some(&entry("c")));
        assert!(playlist.shift(&entry("c"), &order, &stamp(10)));
        assert_eq!(names(&playlist), ["c", "a", "x", "b"]);
        let order = playlist.place(Some(3), Some(&entry("c")));
        playlist.shift(&entry("c"), &order, &stamp(11));
        assert_eq!(names(&playlist), ["a", "x", "b", "c"]);
        assert_eq!(playlist.after(Some(&entry("a"))), Some(&entry("x")));
        assert_eq!(playlist.before(&entry("a")), None);
        assert_eq!(playlist.after(None), Some(&entry("a")));
        assert_eq!(playlist.after(Some(&entry("c"))), None);
    }

    #[test]
    fn an_older_move_does_not_undo_a_newer_one() {
        let mut playlist = filled(&["a", "b"]);
        let to_front = playlist.place(Some(0), Some(&entry("b")));
        assert!(playlist.shift(&entry("b"), &to_front, &stamp(20)));
        let to_back = playlist.place(None, Some(&entry("b")));
        assert!(!playlist.shift(&entry("b"), &to_back, &stamp(19)));
        assert_eq!(names(&playlist), ["b", "a"]);
    }

    #[test]
    fn a_removal_beats_a_move_but_not_a_new_addition_of_the_same_track() {
        let mut playlist = filled(&["a", "b"]);
        playlist.remove(&entry("a"));
        let order = playlist.place(None, None);
        assert!(!playlist.shift(&entry("a"), &order, &stamp(99)));
        assert!(!playlist.add(&entry("a"), &track("a"), &order, &stamp(99)));
        assert!(playlist.add(&entry("a2"), &track("a"), &order, &stamp(99)));
        assert_eq!(names(&playlist), ["b", "a2"]);
    }

    #[test]
    fn a_move_or_removal_that_overtakes_the_addition_still_counts() {
        let mut late = Playlist::default();
        let first = late.place(None, None);
        let second = OrderKey::between(Some(&first), None);
        assert!(late.shift(&entry("a"), &second, &stamp(5)));
        late.remove(&entry("gone"));
        assert!(late.add(&entry("b"), &track("b"), &first, &stamp(1)));
        assert!(late.add(&entry("a"), &track("a"), &OrderKey::between(None, Some(&first)), &stamp(1)));
        assert!(!late.add(&entry("gone"), &track("gone"), &first, &stamp(1)));
        assert_eq!(names(&late), ["b", "a"]);
    }

    #[test]
    fn absurd_lengths_are_unknown_ones_wherever_they_come_from() {
        for said in ["0", "-5", "604800000001", "9223372036854775807", "18446744073709551615", "1e300", "-1e300"] {
            let read: Track = serde_json::from_str(&format!(r#"{{"id": "a", "duration_us": {said}}}"#)).unwrap();
            let mut playlist = Playlist::default();
            playlist.add(&entry("a"), &read, &playlist.place(None, None), &stamp(1));
            assert_eq!(playlist.track(&entry("a")).unwrap().duration_us, None, "{said}");
            assert!(!playlist.learn_duration(&read.id, read.duration_us.unwrap()), "{said}");
            let mut text = serde_json::to_value(filled(&["a"])).unwrap();
            text["slots"]["a"]["track"]["duration_us"] = serde_json::from_str(said).unwrap();
            let whole: Playlist = serde_json::from_value(text).unwrap();
            assert_eq!(whole.track(&entry("a")).unwrap().duration_us, None, "{said}");
        }
        let week: Track = serde_json::from_str(r#"{"id": "a", "duration_us": 604800000000}"#).unwrap();
        assert_eq!(week.bounded().duration_us, Some(DURATION_MAX_US));
        assert!(serde_json::from_str::<Track>(r#"{"id": "a", "duration_us": "long"}"#).is_err());
    }

    #[test]
    fn it_survives_being_written_and_read() {
        let playlist = filled(&["a", "b", "c"]);
        let text = serde_json::to_string(&playlist).unwrap();
        let read: Playlist = serde_json::from_str(&text).unwrap();
        assert_eq!(read, playlist);
    }

    #[test]
    fn ten_thousand_entries_are_ordinary() {
        let mut playlist = Playlist::default();
        for i in 0..10_000 {
            let order = playlist.place(None, None);
            playlist.add(&entry(&format!("e{i}")), &track("t"), &order, &stamp(i));
        }
        assert_eq!(playlist.len(), 10_000);
        assert_eq!(playlist.after(Some(&entry("e4999"))), Some(&entry("e5000")));
    }
}
