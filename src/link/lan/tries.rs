//! How often a code may be guessed: a few times a minute, and ten times in all.

use crate::core::clock::MonoTime;
use crate::wire::founding::Verdict;

/// Wrong guesses after which a code is burnt: one in a hundred thousand million hits.
pub(super) const WRONG_MAX: u32 = 10;
/// Wrong guesses at once, and then one more each so often.
const BURST: i64 = 5;
const REFILL_US: i64 = 10_000_000;

/// The guesses at one code.
#[derive(Debug, Default)]
pub(super) struct Tries {
    wrong: u32,
    /// Not judged yet: each counts as wrong until it is.
    open: u32,
    /// When all of the burst is there again.
    full_at: Option<MonoTime>,
}

impl Tries {
    /// Lets one more guess be made, which is to be ended by [`Self::end`].
    ///
    /// # Errors
    /// What the guesser is told instead.
    pub(super) fn begin(&mut self, now: MonoTime) -> Result<(), Verdict> {
        if self.is_burnt() {
            return Err(Verdict::Closed);
        }
        let owed_us = self.full_at.map_or(0, |at| (at - now).max(0)) + i64::from(self.open) * REFILL_US;
        if self.wrong + self.open >= WRONG_MAX || owed_us + REFILL_US > BURST * REFILL_US {
            return Err(Verdict::Later);
        }
        self.open += 1;
        Ok(())
    }

    /// A guess is judged, or came to nothing.
    pub(super) fn end(&mut self, is_wrong: bool, now: MonoTime) {
        self.open = self.open.saturating_sub(1);
        if is_wrong {
            self.wrong += 1;
            self.full_at = Some(self.full_at.map_or(now, |at| at.max(now)) + REFILL_US);
        }
    }

    pub(super) fn is_burnt(&self) -> bool {
        self.wrong >= WRONG_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When each of the guesses that were heard was made, in seconds; one is tried each second.
    fn heard(seconds: i64) -> Vec<i64> {
        let mut tries = Tries::default();
        (0..seconds)
            .filter(|second| {
                let now = MonoTime(second * 1_000_000);
                tries.begin(now).map(|()| tries.end(true, now)).is_ok()
            })
            .collect()
    }

    #[test]
    fn a_guesser_is_heard_a_few_times_a_minute_and_ten_times_in_all() {
        assert_eq!(heard(60), [0, 1, 2, 3, 4, 10, 20, 30, 40, 50]);
        assert_eq!(heard(100_000).len(), 10);
    }

    #[test]
    fn guesses_at_once_are_no_more_than_guesses_one_by_one() {
        let mut tries = Tries::default();
        let heard = (0..100).filter(|_| tries.begin(MonoTime(0)).is_ok()).count();
        assert_eq!(heard as i64, BURST);
        for _ in 0..heard {
            tries.end(true, MonoTime(0));
        }
        assert_eq!(tries.begin(MonoTime(0)), Err(Verdict::Later));
        assert!(tries.begin(MonoTime(REFILL_US)).is_ok());
    }

    #[test]
    fn cars_with_the_right_code_are_let_in_without_end() {
        let mut tries = Tries::default();
        assert!((0..1_000).all(|_| tries.begin(MonoTime(0)).map(|()| tries.end(false, MonoTime(0))).is_ok()));
        assert!(!tries.is_burnt());
    }

    #[test]
    fn a_burnt_code_is_told_from_one_that_rests() {
        let mut tries = Tries { wrong: WRONG_MAX, ..Tries::default() };
        assert_eq!(tries.begin(MonoTime(i64::MAX / 2)), Err(Verdict::Closed));
    }
}
