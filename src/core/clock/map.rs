//! Convoy time as a virtual clock over the monotonic one, and its slewing: once it is in use it steps for much only.

use super::{ConvoyTime, Estimate, MonoTime};
use serde::{Deserialize, Serialize};

/// Convoy time as a line over monotonic time: `convoy = convoy0 + (1 + rate) * (mono - mono0)`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClockMap {
    pub mono0: MonoTime,
    pub convoy0: ConvoyTime,
    /// Convoy seconds per monotonic second, less one (10 ppm is `1e-5`).
    pub rate: f64,
}

impl ClockMap {
    /// The error of a crystal, at its very worst; a clock that runs further off is none.
    pub const RATE_MAX: f64 = 0.01;

    #[must_use]
    pub fn convoy(&self, mono: MonoTime) -> ConvoyTime {
        let elapsed_us = mono - self.mono0;
        self.convoy0 + elapsed_us + (elapsed_us as f64 * self.rate).round() as i64
    }

    #[must_use]
    pub fn mono(&self, convoy: ConvoyTime) -> MonoTime {
        let elapsed_us = convoy - self.convoy0;
        self.mono0 + (elapsed_us as f64 / (1.0 + self.rate)).round() as i64
    }
}

/// Follows the estimator without ever stepping, unless the error is so large that the music must be re-aligned anyway.
#[derive(Debug, Clone, Default)]
pub struct SlewedClock {
    map: Option<ClockMap>,
    /// Of a microsecond what the map leaves out: bent often enough, it would lose all of a rate otherwise.
    part_us: f64,
    /// When it was first set; none where it goes on from before.
    since: Option<MonoTime>,
}

/// Slewing on top of the learned rate; small enough to be inaudible and to keep resampling within its +-500 ppm.
const SLEW_MAX: f64 = 300e-6;
/// The time in which a small error is worked off.
const SLEW_HORIZON_US: f64 = 3e6;
/// Beyond this the audio re-aligns under a fade, so the clock may as well step.
const STEP_US: i64 = 30_000;
/// While a clock is young, beyond this: to bend it away would take the music as long as a minute.
const STEP_YOUNG_US: i64 = 5_000;
/// Who has only just come to know the convoy's time learns most about it in so long.
const YOUNG_US: i64 = 10_000_000;

impl SlewedClock {
    /// A clock that continues a map known from before (a restart, a hand-over).
    #[must_use]
    pub fn continued(map: ClockMap) -> Self {
        Self { map: Some(map), ..Self::default() }
    }

    #[must_use]
    pub fn map(&self) -> Option<ClockMap> {
        self.map
    }

    /// Bends the clock towards `estimate` from `now` on. Returns true when it had to step.
    pub fn follow(&mut self, estimate: &Estimate, now: MonoTime) -> bool {
        self.bend(estimate, now, STEP_US)
    }

    /// The same for a clock by which nobody else goes: while it is young it steps for less.
    pub fn follow_freely(&mut self, estimate: &Estimate, now: MonoTime) -> bool {
        let step_us = if self.is_young(now) { STEP_YOUNG_US } else { STEP_US };
        self.bend(estimate, now, step_us)
    }

    /// Sets the clock to `estimate`, which nobody hears.
    pub fn set(&mut self, estimate: &Estimate, now: MonoTime) {
        if self.map.is_none() {
            self.since = Some(now);
        }
        self.map = Some(ClockMap { mono0: now, convoy0: estimate.map.convoy(now), rate: estimate.map.rate });
        self.part_us = 0.0;
    }

    /// Whether the clock was first set only just now.
    fn is_young(&self, now: MonoTime) -> bool {
        self.since.is_some_and(|since| now - since < YOUNG_US)
    }

    fn bend(&mut self, estimate: &Estimate, now: MonoTime, step_us: i64) -> bool {
        let error_us = self.map.map(|map| estimate.map.convoy(now) - map.convoy(now));
        if let Some(error_us) = error_us.filter(|error_us| error_us.abs() <= step_us) {
            let slew = (error_us as f64 / SLEW_HORIZON_US).clamp(-SLEW_MAX, SLEW_MAX);
            self.hold(estimate.map.rate + slew, now);
            return false;
        }
        self.set(estimate, now);
        true
    }

    /// Without news the learned rate is kept, and the slew that was in progress ends.
    pub fn hold(&mut self, rate: f64, now: MonoTime) {
        if let Some(map) = self.map {
            let elapsed_us = now - map.mono0;
            let gained_us = elapsed_us as f64 * map.rate + self.part_us;
            let convoy0 = map.convoy0 + elapsed_us + gained_us.round() as i64;
            self.map = Some(ClockMap { mono0: now, convoy0, rate });
            self.part_us = gained_us - gained_us.round();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(convoy0: i64, rate: f64) -> Estimate {
        Estimate { map: ClockMap { mono0: MonoTime(0), convoy0: ConvoyTime(convoy0), rate }, bound_us: 100 }
    }

    #[test]
    fn a_map_turns_back_into_itself() {
        let map = ClockMap { mono0: MonoTime(1_000), convoy0: ConvoyTime(77), rate: 4e-5 };
        let mono = MonoTime(3_600_000_000);
        assert!((map.mono(map.convoy(mono)) - mono).abs() <= 1);
    }

    #[test]
    fn a_small_error_is_slewed_and_convoy_time_never_steps() {
        let mut clock = SlewedClock::default();
        assert!(clock.follow(&estimate(0, 0.0), MonoTime(0)));
        let mut now = MonoTime(0);
        let mut last = clock.map().unwrap().convoy(now);
        let step_us = 250_000;
        for _ in 0..400 {
            assert!(!clock.follow(&estimate(5_000, 2e-5), now));
            now = now + step_us;
            let convoy = clock.map().unwrap().convoy(now);
            let excess = (convoy - last - step_us) as f64 / step_us as f64;
            assert!(excess.abs() <= SLEW_MAX + 3e-5, "ran {excess} too fast");
            last = convoy;
        }
        assert!((estimate(5_000, 2e-5).map.convoy(now) - last).abs() < 50);
    }

    #[test]
    fn however_often_a_clock_is_bent_it_keeps_its_rate() {
        let mut clock = SlewedClock::default();
        for n in 0..2_000 {
            clock.follow(&estimate(0, 3e-5), MonoTime(n * 12_500));
        }
        let now = MonoTime(25_000_000);
        let error_us = estimate(0, 3e-5).map.convoy(now) - clock.map().unwrap().convoy(now);
        assert!(error_us.abs() <= 2, "{error_us} us behind");
    }

    #[test]
    fn a_young_clock_is_set_to_what_would_take_long_to_bend() {
        assert!(!SlewedClock::continued(estimate(0, 0.0).map).is_young(MonoTime(0)));
        let mut clock = SlewedClock::default();
        clock.set(&estimate(0, 0.0), MonoTime(0));
        assert!(clock.is_young(MonoTime(9_000_000)) && !clock.is_young(MonoTime(11_000_000)));
        assert!(!clock.follow_freely(&estimate(4_000, 0.0), MonoTime(10)));
        assert!(clock.follow_freely(&estimate(6_000, 0.0), MonoTime(20)));
        assert_eq!(clock.map().unwrap().convoy(MonoTime(20)), ConvoyTime(6_020));
        assert!(!clock.follow(&estimate(20_000, 0.0), MonoTime(30)));
    }

    #[test]
    fn a_large_error_steps_at_once() {
        let mut clock = SlewedClock::continued(estimate(0, 0.0).map);
        assert!(clock.follow(&estimate(40_000, 0.0), MonoTime(10)));
        assert_eq!(clock.map().unwrap().convoy(MonoTime(10)), ConvoyTime(40_010));
    }
}
