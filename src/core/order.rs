//! Places between places: keys that order a playlist and leave room between any two of them.

use serde::{Deserialize, Serialize};

/// A place in an order: a whole number, then a fraction in base 256 without trailing zeros. Between any two different
/// keys lies another, so that members can insert at the same time without a common numbering (fractional indexing).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Parts")]
pub struct OrderKey(i64, Vec<u8>);

/// A key as it is written, and as anyone may write it.
#[derive(Deserialize)]
struct Parts(i64, Vec<u8>);

/// Why two numbers are no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    #[error("a place's whole number must be from -{max} to {max}", max = WHOLE_MAX)]
    Whole,
    #[error("a place's fraction must have at most {max} bytes; this one has {0}", max = FRACTION_BYTES_MAX)]
    Long(usize),
    #[error("a place's fraction must not end in zero")]
    Zero,
}

/// Whole numbers that JavaScript holds exactly.
const WHOLE_MAX: i64 = (1 << 53) - 1;
/// Room for thousands of insertions at one spot.
const FRACTION_BYTES_MAX: usize = 1_024;

impl TryFrom<Parts> for OrderKey {
    type Error = OrderError;
    fn try_from(Parts(whole, fraction): Parts) -> Result<Self, OrderError> {
        if !(-WHOLE_MAX..=WHOLE_MAX).contains(&whole) {
            return Err(OrderError::Whole);
        }
        if fraction.len() > FRACTION_BYTES_MAX {
            return Err(OrderError::Long(fraction.len()));
        }
        if fraction.last() == Some(&0) {
            return Err(OrderError::Zero);
        }
        Ok(Self(whole, fraction))
    }
}

impl OrderKey {
    /// A key after `before` and ahead of `after`; a missing one is that end of the list. If they are not in order, the
    /// key follows `before`. Where no room is left, it is that of a neighbour.
    #[must_use]
    pub fn between(before: Option<&Self>, after: Option<&Self>) -> Self {
        match (before, after) {
            (None, None) => Self(0, Vec::new()),
            (Some(before), None) if before.0 < WHOLE_MAX => Self(before.0 + 1, Vec::new()),
            (None, Some(after)) if after.0 > -WHOLE_MAX => Self(after.0 - 1, Vec::new()),
            (None, Some(after)) => Self::within(after.0, &[], Some(&after.1)).unwrap_or_else(|| after.clone()),
            (Some(before), Some(after)) if after <= before => Self::between(Some(before), None),
            (Some(before), Some(after)) if after.0 - before.0 > 1 => Self(before.0 + 1, Vec::new()),
            (Some(before), after) => {
                let ceiling = after.filter(|after| after.0 == before.0).map(|after| after.1.as_slice());
                Self::within(before.0, &before.1, ceiling).unwrap_or_else(|| before.clone())
            }
        }
    }

    fn within(whole: i64, low: &[u8], high: Option<&[u8]>) -> Option<Self> {
        Some(Self(whole, fraction_between(low, high)?))
    }
}

/// A fraction strictly above `low` and, where given, strictly below `high`, none of which ends in zero; none where that
/// would be too long.
fn fraction_between(low: &[u8], high: Option<&[u8]>) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut high = high;
    for place in 0..FRACTION_BYTES_MAX {
        let floor = u16::from(low.get(place).copied().unwrap_or(0));
        let ceiling = high.map_or(256, |h| u16::from(h.get(place).copied().unwrap_or(0)));
        if ceiling > floor + 1 {
            out.push(u8::try_from(floor.midpoint(ceiling)).unwrap_or(u8::MAX));
            return Some(out);
        }
        out.push(u8::try_from(floor).unwrap_or(u8::MAX));
        if ceiling == floor + 1 {
            high = None;
        }
    }
    None
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

    fn key(text: &str) -> Result<OrderKey, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn a_key_that_could_not_have_been_made_is_refused_where_it_is_read() {
        let long = format!("[0,[{}7]]", "7,".repeat(FRACTION_BYTES_MAX));
        for bad in ["[-5,[5,0]]", "[0,[0]]", "[9223372036854775807,[]]", "[-9007199254740992,[]]", long.as_str()] {
            assert!(key(bad).is_err(), "{bad}");
        }
        let made = OrderKey::between(key("[-5,[5]]").ok().as_ref(), None);
        assert_eq!(key(&serde_json::to_string(&made).unwrap()).unwrap(), made);
    }

    #[test]
    fn keys_at_the_edge_of_what_can_be_leave_a_place_beside_them_that_can_be_read_again() {
        let full = format!("[0,[{}1]]", "0,".repeat(FRACTION_BYTES_MAX - 1));
        let ends = ["[9007199254740991,[]]", "[-9007199254740991,[]]", "[-9007199254740991,[1]]", "[0,[]]", &full];
        let mut keys: Vec<OrderKey> = ends.into_iter().map(|text| key(text).unwrap()).collect();
        // The pair whose second a hostile member may still hold in memory: no zeros, no end.
        keys.push(OrderKey(0, vec![5]));
        keys.push(OrderKey(0, vec![5, 0]));
        keys.sort();
        let sides: Vec<Option<&OrderKey>> = std::iter::once(None).chain(keys.iter().map(Some)).collect();
        for before in &sides {
            for after in &sides {
                let made = OrderKey::between(*before, *after);
                assert!(made.1.len() <= FRACTION_BYTES_MAX && made.0.abs() <= WHOLE_MAX, "{before:?} {after:?}");
                assert!(before.is_none_or(|before| made >= *before), "{before:?} {after:?}");
            }
        }
    }
}
