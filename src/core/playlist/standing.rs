//! The entries that stand in a playlist, in order, and a sum by which two members see whether they have the same.

use crate::core::id::{EntryId, fingerprint};
use crate::core::order::OrderKey;
use std::collections::BTreeSet;
use std::ops::Deref;

/// An entry at its place.
type Place = (OrderKey, EntryId);

/// A set whose sum is kept with every change: a list of ten thousand is not gone through for each.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Standing {
    places: BTreeSet<Place>,
    sum: u64,
}

impl Standing {
    pub(super) fn insert(&mut self, place: Place) {
        let part = part(&place);
        if self.places.insert(place) {
            self.sum = self.sum.wrapping_add(part);
        }
    }

    pub(super) fn remove(&mut self, place: &Place) {
        if self.places.remove(place) {
            self.sum = self.sum.wrapping_sub(part(place));
        }
    }

    /// The same wherever the same entries stand at the same places.
    pub(super) fn sum(&self) -> u64 {
        self.sum
    }
}

impl From<BTreeSet<Place>> for Standing {
    fn from(places: BTreeSet<Place>) -> Self {
        let sum = places.iter().map(part).fold(0, u64::wrapping_add);
        Self { places, sum }
    }
}

impl Deref for Standing {
    type Target = BTreeSet<Place>;

    fn deref(&self) -> &BTreeSet<Place> {
        &self.places
    }
}

fn part(place: &Place) -> u64 {
    // Text and numbers only: nothing can fail.
    fingerprint(&serde_json::to_string(place).unwrap_or_default())
}
