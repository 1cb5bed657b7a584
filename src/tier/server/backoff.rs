//! How long to wait between two attempts to connect: growing, with jitter, without end, and never nought.

use std::time::Duration;

/// Upper ends of the waits, in milliseconds; the last one repeats for ever.
const STEPS_MS: [u64; 6] = [200, 1_000, 2_000, 4_000, 8_000, 10_000];
/// A connection that held this long was a good one: the next loss starts from the shortest wait.
pub(super) const GOOD_AFTER_US: i64 = 30_000_000;

/// The waits, each drawn from the upper half of its step, so that a convoy does not knock all at once when
/// its server is back.
#[derive(Debug)]
pub(super) struct Backoff {
    failures: usize,
    random: u64,
}

impl Backoff {
    /// Different seeds give different jitter.
    pub(super) fn new(seed: u64) -> Self {
        Self { failures: 0, random: seed }
    }

    /// The wait before the next attempt.
    pub(super) fn next_wait(&mut self) -> Duration {
        let step = STEPS_MS.get(self.failures).or(STEPS_MS.last()).copied().unwrap_or(10_000);
        self.failures = self.failures.saturating_add(1).min(STEPS_MS.len());
        let half = step / 2;
        Duration::from_millis(half + self.draw() % (half + 1))
    }

    /// The path may be good again: starts from the shortest wait.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// SplitMix64 (Steele, Lea and Flood, 2014).
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_down_for_a_day_is_never_knocked_at_in_a_hot_loop() {
        let mut backoff = Backoff::new(7);
        let mut waited = Duration::ZERO;
        let mut attempts = 0_u32;
        while waited < Duration::from_hours(24) {
            let wait = backoff.next_wait();
            assert!(wait >= Duration::from_millis(100) && wait <= Duration::from_secs(10), "{wait:?}");
            assert!(attempts < 5 || wait >= Duration::from_secs(5), "attempt {attempts} after only {wait:?}");
            waited += wait;
            attempts += 1;
        }
        assert!(attempts < 24 * 3600 / 5);
    }

    #[test]
    fn the_first_attempt_after_a_good_connection_comes_at_once() {
        let mut backoff = Backoff::new(7);
        for _ in 0..50 {
            let _ = backoff.next_wait();
        }
        backoff.reset();
        assert!(backoff.next_wait() <= Duration::from_millis(200));
    }

    #[test]
    fn cars_do_not_knock_in_step() {
        let waits = |seed| {
            let mut backoff = Backoff::new(seed);
            (0..20).map(|_| backoff.next_wait()).collect::<Vec<_>>()
        };
        assert_ne!(waits(1), waits(2));
        assert_eq!(waits(1), waits(1));
    }
}
