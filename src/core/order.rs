//! Places between places: keys that order a playlist and leave room between any two of them.

use serde::{Deserialize, Serialize};

/// A place in an order: a whole number, then a fraction in base 256 without trailing zeros. Between any two different
/// keys lies another, so that members can insert at the same time without a common numbering (fractional indexing).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OrderKey(i64, Vec<u8>);

impl OrderKey {
    /// A key after `before` and ahead of `after`; a missing one is that end of the list. If they are not in order, the
    /// key follows `before`.
    #[must_use]
    pub fn between(before: Option<&Self>, after: Option<&Self>) -> Self {
        match (before, after) {
            (None, None) => Self(0, Vec::new()),
            (Some(before), None) => Self(before.0.saturating_add(1), Vec::new()),
            (None, Some(after)) => Self(after.0.saturating_sub(1), Vec::new()),
            (Some(before), Some(after)) if after <= before => Self::between(Some(before), None),
            (Some(before), Some(after)) if after.0 - before.0 > 1 => Self(before.0 + 1, Vec::new()),
            (Some(before), Some(after)) => {
                let ceiling = (after.0 == before.0).then_some(after.1.as_slice());
                Self(before.0, fraction_between(&before.1, ceiling))
            }
        }
    }
}

/// A fraction strictly above `low` and, where given, strictly below `high`; neither ends in zero.
fn fraction_between(low: &[u8], high: Option<&[u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut high = high;
    for place in 0.. {
        let floor = u16::from(low.get(place).copied().unwrap_or(0));
        let ceiling = high.map_or(256, |h| u16::from(h.get(place).copied().unwrap_or(0)));
        if ceiling > floor + 1 {
            out.push(u8::try_from(floor.midpoint(ceiling)).unwrap_or(u8::MAX));
            break;
        }
        out.push(u8::try_from(floor).unwrap_or(u8::MAX));
        if ceiling == floor + 1 {
            high = None;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_always_a_place_between_two_places() {
        let mut keys = vec![OrderKey::between(None, None)];
        // A fixed walk that inserts everywhere, ends included.
        let mut seed = 7_usize;
        for _ in 0..2_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let place = (seed >> 33) % (keys.len() + 1);
            let key = OrderKey::between(place.checked_sub(1).and_then(|i| keys.get(i)), keys.get(place));
            keys.insert(place, key);
        }
        assert!(keys.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn inserting_at_one_spot_over_and_over_grows_keys_slowly() {
        let first = OrderKey::between(None, None);
        let mut after = OrderKey::between(Some(&first), None);
        for _ in 0..800 {
            after = OrderKey::between(Some(&first), Some(&after));
        }
        assert!(after > first && after.1.len() <= 101, "{} bytes", after.1.len());
    }

    #[test]
    fn appending_keeps_keys_short() {
        let mut last = OrderKey::between(None, None);
        for _ in 0..10_000 {
            last = OrderKey::between(Some(&last), None);
        }
        assert!(last.1.is_empty());
    }
}
