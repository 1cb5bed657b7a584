//! Whether the way to the server goes over a satellite: by its round trips, which are of middling length and never the
//! same, or because the configuration says so.

use super::clock::MonoTime;

/// A satellite's round trips, smoothed, are within these,
const ROUND_TRIP_MIN_US: i64 = 20_000;
const ROUND_TRIP_MAX_US: i64 = 250_000;
/// and differ by so much from one to the next, or by little less once they did; the way stays one until they differ by
/// less than the last. While few differences were heard their mean is worth less.
const JITTER_SOON_US: i64 = 5_900;
const JITTER_US: i64 = 3_900;
const JITTER_AGAIN_US: i64 = 3_600;
const JITTER_LEAST_US: i64 = 3_250;
/// It has to look like one, or like none, for so long: nothing is gained by haste.
const SURE_US: i64 = 20_000_000;
/// How much of a new round trip is believed at once,
const NEWS: i64 = 16;
/// and of a new difference, as RTP estimates jitter (RFC 3550), but less, once there were so many: with a sixteenth,
/// four times a second, chance makes satellites of ways on the ground within minutes.
const DIFFERENCES: i64 = 192;

/// What is known of the way.
#[derive(Debug, Clone, Default)]
pub(super) struct Sky {
    /// The configuration says so.
    is_told: bool,
    smooth_us: Option<i64>,
    jitter_us: i64,
    last_us: i64,
    /// Differences that were heard of, up to [`DIFFERENCES`].
    heard: i64,
    is_satellite: bool,
    /// Since when it has looked otherwise.
    doubted: Option<MonoTime>,
}

impl Sky {
    pub(super) fn told(is_told: bool) -> Self {
        Self { is_told, ..Self::default() }
    }

    pub(super) fn is_satellite(&self) -> bool {
        self.is_told || self.is_satellite
    }

    /// A probe came back.
    pub(super) fn handle_round_trip(&mut self, round_trip_us: i64, now: MonoTime) {
        let Some(smooth_us) = self.smooth_us else {
            (self.smooth_us, self.last_us) = (Some(round_trip_us), round_trip_us);
            return;
        };
        // A spike, as of a handoff, is one; it does not say that the way jitters.
        let change_us = (round_trip_us - self.last_us).abs().min(4 * JITTER_US);
        self.heard = (self.heard + 1).min(DIFFERENCES);
        self.jitter_us += (change_us - self.jitter_us) / self.heard;
        let smooth_us = smooth_us + (round_trip_us - smooth_us) / NEWS;
        (self.smooth_us, self.last_us) = (Some(smooth_us), round_trip_us);
        let bound_us = match (self.is_satellite, self.doubted) {
            (true, _) => JITTER_LEAST_US,
            (false, _) if self.heard < DIFFERENCES => JITTER_SOON_US,
            (false, None) => JITTER_US,
            (false, Some(_)) => JITTER_AGAIN_US,
        };
        let looks_like_one = (ROUND_TRIP_MIN_US..=ROUND_TRIP_MAX_US).contains(&smooth_us) && self.jitter_us >= bound_us;
        if looks_like_one == self.is_satellite {
            self.doubted = None;
        } else if now - *self.doubted.get_or_insert(now) >= SURE_US {
            (self.is_satellite, self.doubted) = (looks_like_one, None);
        }
    }

    /// The connection is gone; the next one is over the same sky, until it shows otherwise.
    pub(super) fn handle_lost(&mut self) {
        (self.smooth_us, self.doubted) = (None, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After so many seconds of probes four times a second, over a way that takes so long and jitters by so much.
    fn after(sky: &mut Sky, from_s: i64, seconds: i64, least_us: i64, jitter_us: i64) -> bool {
        for n in 0..seconds * 4 {
            let noise_us = (n * 7_919 % 101) * jitter_us / 100;
            sky.handle_round_trip(least_us + noise_us, MonoTime(from_s * 1_000_000 + n * 250_000));
        }
        sky.is_satellite()
    }

    #[test]
    fn a_way_of_20_to_60_ms_that_jitters_is_known_for_a_satellite_within_half_a_minute_and_stays_one_over_handoffs() {
        let mut sky = Sky::default();
        assert!(!after(&mut sky, 0, 5, 25_000, 30_000));
        assert!(after(&mut sky, 5, 30, 25_000, 30_000));
        for handoff in 0..8 {
            sky.handle_round_trip(900_000, MonoTime((35 + handoff * 15) * 1_000_000));
            assert!(after(&mut sky, 35 + handoff * 15, 15, 25_000, 30_000));
        }
    }

    #[test]
    fn neither_a_cable_nor_a_lan_nor_a_server_that_is_slow_is_taken_for_a_satellite() {
        for (least_us, jitter_us) in [(30_000, 1_000), (1_000, 4_000), (400_000, 50_000)] {
            assert!(!after(&mut Sky::default(), 0, 120, least_us, jitter_us), "{least_us} us and {jitter_us} us");
        }
    }

    #[test]
    fn a_way_that_has_come_down_to_earth_is_known_for_that_and_one_that_is_told_stays() {
        let mut sky = Sky::default();
        assert!(after(&mut sky, 0, 40, 30_000, 30_000));
        assert!(!after(&mut sky, 40, 60, 5_000, 500));
        assert!(!after(&mut Sky::default(), 0, 9, 30_000, 30_000));
        assert!(after(&mut Sky::told(true), 0, 1, 500, 10));
    }
}
