//! Whoever holds something that is not so is given the whole state: at once, but not over and over, as it may be large.

use super::clock::MonoTime;
use std::collections::{BTreeMap, BTreeSet};

/// Between two whole states for the same member: however much of what he says is refused, each gives him all of it.
const AGAIN_US: i64 = 1_000_000;

/// Who is to be given the state, and who was of late.
#[derive(Debug)]
pub struct Corrections<K> {
    owed: BTreeSet<K>,
    given: BTreeMap<K, MonoTime>,
}

impl<K> Default for Corrections<K> {
    fn default() -> Self {
        Self { owed: BTreeSet::new(), given: BTreeMap::new() }
    }
}

impl<K: Ord + Clone> Corrections<K> {
    pub fn owe(&mut self, to: K) {
        self.owed.insert(to);
    }

    pub fn owe_all(&mut self, to: Vec<K>) {
        self.owed.extend(to);
    }

    /// Those whose time it is now.
    pub fn take_due(&mut self, now: MonoTime) -> Vec<K> {
        self.given.retain(|_, at| now - *at < AGAIN_US);
        let due: Vec<K> = self.owed.iter().filter(|to| !self.given.contains_key(*to)).cloned().collect();
        for to in &due {
            self.owed.remove(to);
            self.given.insert(to.clone(), now);
        }
        due
    }

    /// When there is next somebody to give it to.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<MonoTime> {
        self.owed.iter().map(|to| self.given.get(to).map_or(MonoTime(i64::MIN), |at| *at + AGAIN_US)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_owed_over_and_over_is_given_once_at_once_and_once_more_when_his_time_has_come() {
        let mut corrections = Corrections::default();
        let mut given = Vec::new();
        for ms in 0..2_500 {
            corrections.owe("rogue");
            if ms == 300 {
                corrections.owe("neighbour");
            }
            let due = corrections.take_due(MonoTime(ms * 1_000));
            given.extend(due.into_iter().map(|to| (to, ms)));
        }
        assert_eq!(given, [("rogue", 0), ("neighbour", 300), ("rogue", 1_000), ("rogue", 2_000)]);
        assert_eq!(corrections.poll_timeout(), Some(MonoTime(3_000_000)));
    }
}
