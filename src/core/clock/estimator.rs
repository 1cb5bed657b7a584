//! Estimates convoy time from two-way exchanges with a reference: the least round trip of each bucket, then a line
//! through them.

use super::{ClockMap, ConvoyTime, MonoTime};
use std::collections::VecDeque;

/// One exchange: sent and received by our clock, received and sent by the reference's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    pub sent: MonoTime,
    pub received: MonoTime,
    pub reference_received: ConvoyTime,
    pub reference_sent: ConvoyTime,
}

impl Probe {
    /// Time on the way, there and back, in microseconds.
    #[must_use]
    pub fn round_trip_us(&self) -> i64 {
        ((self.received - self.sent) - (self.reference_sent - self.reference_received)).max(0)
    }
}

/// Convoy time as estimated, and how wrong it may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    pub map: ClockMap,
    /// At the last exchange; grows with time since then.
    pub bound_us: i64,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    /// The middle of the exchange by our clock.
    mono: MonoTime,
    /// Convoy time less our own, at that moment, if both ways took equally long.
    offset_us: i64,
    round_trip_us: i64,
}

/// Two-way time estimation in the manner of NTP (RFC 5905, section 8) with Cristian's least-round-trip choice, and a
/// rate by weighted least squares.
#[derive(Debug, Clone, Default)]
pub struct Estimator {
    samples: VecDeque<Sample>,
    /// Exchanges in a row that cannot be true if the estimate is.
    contradictions: u32,
}

const WINDOW_US: i64 = 120_000_000;
const SAMPLES_MAX: usize = 1_000;
const BUCKET_US: i64 = 4_000_000;
/// Below this span a rate would be noise.
const RATE_SPAN_US: i64 = 10_000_000;
/// No crystal is worse than this.
const RATE_MAX: f64 = 300e-6;
/// A rate that is not measured yet may be as wrong as a cheap pair of crystals.
const RATE_UNKNOWN: f64 = 100e-6;
/// What is left of the rate's error once it is measured.
const RATE_MEASURED: f64 = 5e-6;
/// The path or the reference has changed for good after so many exchanges that contradict the estimate.
const CONTRADICTIONS_MAX: u32 = 8;
/// Scheduling noise: round trips that differ by less are equally good.
const NOISE_US: f64 = 60.0;

impl Estimator {
    /// Takes in one exchange; false when it is impossible (it ended before it began) and was ignored.
    pub fn handle_probe(&mut self, probe: &Probe) -> bool {
        if probe.received < probe.sent || probe.reference_sent < probe.reference_received {
            return false;
        }
        let half_us = (probe.received - probe.sent) / 2;
        let mono = probe.sent + half_us;
        let reference = probe.reference_received + (probe.reference_sent - probe.reference_received) / 2;
        let sample = Sample { mono, offset_us: reference.0 - mono.0, round_trip_us: probe.round_trip_us() };
        self.let_go_when_contradicted(&sample);
        self.samples.push_back(sample);
        while self.samples.front().is_some_and(|s| sample.mono - s.mono > WINDOW_US) || self.samples.len() > SAMPLES_MAX
        {
            self.samples.pop_front();
        }
        true
    }

    /// How many exchanges the estimate rests on.
    #[must_use]
    pub fn count(&self) -> usize {
        self.samples.len()
    }

    /// The best line through what is known; none before the first exchange.
    #[must_use]
    pub fn estimate(&self) -> Option<Estimate> {
        let last = self.samples.back()?;
        let best = self.best_per_bucket();
        let least_us = best.iter().map(|s| s.round_trip_us).min()?;
        let weight = |s: &Sample| {
            let excess_us = (s.round_trip_us - least_us) as f64 + NOISE_US;
            1.0 / (excess_us * excess_us)
        };
        let total: f64 = best.iter().map(weight).sum();
        let at = |s: &Sample| (s.mono - last.mono) as f64;
        let offset = |s: &Sample| (s.offset_us - last.offset_us) as f64;
        let mean_at = best.iter().map(|s| weight(s) * at(s)).sum::<f64>() / total;
        let mean_offset = best.iter().map(|s| weight(s) * offset(s)).sum::<f64>() / total;
        let span_us = best.last()?.mono - best.first()?.mono;
        let rate = if span_us >= RATE_SPAN_US {
            let covariance: f64 = best.iter().map(|s| weight(s) * (at(s) - mean_at) * (offset(s) - mean_offset)).sum();
            let variance: f64 = best.iter().map(|s| weight(s) * (at(s) - mean_at).powi(2)).sum();
            (covariance / variance).clamp(-RATE_MAX, RATE_MAX)
        } else {
            0.0
        };
        let offset_now_us = mean_offset - rate * mean_at;
        let rate_doubt = if span_us >= RATE_SPAN_US { RATE_MEASURED } else { RATE_UNKNOWN };
        let map = ClockMap {
            mono0: last.mono,
            convoy0: ConvoyTime(last.mono.0 + last.offset_us + offset_now_us.round() as i64),
            rate,
        };
        let bound_us = least_us / 2 + (rate_doubt * mean_at.abs()) as i64 + NOISE_US as i64;
        Some(Estimate { map, bound_us })
    }

    /// The rate against the reference, once the exchanges span long enough to tell.
    #[must_use]
    pub fn measured_rate(&self) -> Option<f64> {
        let span_us = self.samples.back()?.mono - self.samples.front()?.mono;
        self.estimate().map(|estimate| estimate.map.rate).filter(|_| span_us >= RATE_SPAN_US + BUCKET_US)
    }

    /// The error bound at `now`, with what the time since the last exchange has added.
    #[must_use]
    pub fn bound_us(&self, now: MonoTime) -> Option<i64> {
        let estimate = self.estimate()?;
        let age_us = (now - estimate.map.mono0).max(0) as f64;
        let measured = self.samples.back()?.mono - self.samples.front()?.mono >= RATE_SPAN_US;
        let doubt = if measured { RATE_MEASURED } else { RATE_UNKNOWN };
        Some(estimate.bound_us + (age_us * doubt) as i64)
    }

    fn best_per_bucket(&self) -> Vec<Sample> {
        let mut best: Vec<Sample> = Vec::new();
        let mut bucket = None;
        for sample in &self.samples {
            let this = Some(sample.mono.0.div_euclid(BUCKET_US));
            match best.last_mut() {
                Some(last) if bucket == this => {
                    if sample.round_trip_us < last.round_trip_us {
                        *last = *sample;
                    }
                }
                _ => best.push(*sample),
            }
            bucket = this;
        }
        best
    }

    /// The true offset lies within half a round trip of every exchange. When exchange after exchange says that the
    /// estimate lies outside, the estimate is what is wrong: a clock stepped, or another machine answers.
    fn let_go_when_contradicted(&mut self, sample: &Sample) {
        let Some(estimate) = self.estimate() else { return };
        let estimated_us = estimate.map.convoy(sample.mono).0 - sample.mono.0;
        let doubt_us = self.bound_us(sample.mono).unwrap_or(0);
        if (estimated_us - sample.offset_us).abs() <= sample.round_trip_us / 2 + doubt_us {
            self.contradictions = 0;
            return;
        }
        self.contradictions += 1;
        if self.contradictions >= CONTRADICTIONS_MAX {
            self.samples.clear();
            self.contradictions = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small generator of repeatable noise (Knuth's MMIX constants), uniform in 0..1.
    struct Noise(u64);

    impl Noise {
        fn next(&mut self) -> f64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 11) as f64 / (1_u64 << 53) as f64
        }
        fn exponential(&mut self, mean_us: f64) -> f64 {
            -mean_us * (1.0 - self.next()).ln()
        }
    }

    fn truth(mono_us: i64, ppm: f64) -> i64 {
        5_000_000_000 + mono_us + (mono_us as f64 * ppm * 1e-6) as i64
    }

    /// Probes twice a second over a link with the given least delay and mean queueing each way; returns the worst error
    /// after the first 20 s.
    fn worst_error_us(seconds: i64, least_us: f64, queue_us: f64, ppm: f64) -> (i64, i64) {
        let mut noise = Noise(42);
        let mut estimator = Estimator::default();
        let (mut worst, mut breaches) = (0, 0);
        for n in 0..seconds * 2 {
            let sent = n * 500_000;
            let arrived = sent + (least_us + noise.exponential(queue_us)) as i64;
            let received = arrived + (least_us + noise.exponential(queue_us)) as i64;
            let at_reference = ConvoyTime(truth(arrived, ppm));
            assert!(estimator.handle_probe(&Probe {
                sent: MonoTime(sent),
                received: MonoTime(received),
                reference_received: at_reference,
                reference_sent: at_reference,
            }));
            let error = (estimator.estimate().unwrap().map.convoy(MonoTime(received)).0 - truth(received, ppm)).abs();
            breaches += i64::from(error > estimator.bound_us(MonoTime(received)).unwrap());
            if n > 40 {
                worst = worst.max(error);
            }
        }
        (worst, breaches)
    }

    #[test]
    fn on_a_lan_the_estimate_stays_within_a_fraction_of_a_millisecond() {
        let (worst, breaches) = worst_error_us(300, 100.0, 80.0, 40.0);
        assert!(worst < 200, "worst error {worst} us");
        assert_eq!(breaches, 0);
    }

    #[test]
    fn on_busy_wifi_queueing_is_filtered_out() {
        let (worst, breaches) = worst_error_us(300, 800.0, 1_500.0, -60.0);
        assert!(worst < 1_000, "worst error {worst} us");
        assert_eq!(breaches, 0);
    }

    #[test]
    fn an_impossible_exchange_is_ignored() {
        let mut estimator = Estimator::default();
        let backwards = Probe {
            sent: MonoTime(10),
            received: MonoTime(5),
            reference_received: ConvoyTime(0),
            reference_sent: ConvoyTime(0),
        };
        assert!(!estimator.handle_probe(&backwards));
        assert_eq!(estimator.estimate(), None);
    }

    #[test]
    fn a_reference_that_steps_is_followed_after_a_few_exchanges() {
        let mut estimator = Estimator::default();
        let probe = |n: i64, step: i64| Probe {
            sent: MonoTime(n * 500_000),
            received: MonoTime(n * 500_000 + 400),
            reference_received: ConvoyTime(n * 500_000 + 200 + step),
            reference_sent: ConvoyTime(n * 500_000 + 200 + step),
        };
        for n in 0..60 {
            estimator.handle_probe(&probe(n, 0));
        }
        for n in 60..80 {
            estimator.handle_probe(&probe(n, 1_000_000));
        }
        let error = estimator.estimate().unwrap().map.convoy(MonoTime(40_000_000)).0 - 41_000_000;
        assert!(error.abs() < 200, "error {error} us");
    }

    #[test]
    fn the_bound_grows_while_there_is_no_news() {
        let mut estimator = Estimator::default();
        for n in 0..60 {
            let at = ConvoyTime(n * 500_000 + 100);
            estimator.handle_probe(&Probe {
                sent: MonoTime(n * 500_000),
                received: MonoTime(n * 500_000 + 200),
                reference_received: at,
                reference_sent: at,
            });
        }
        let soon = estimator.bound_us(MonoTime(30_000_000)).unwrap();
        let later = estimator.bound_us(MonoTime(3_630_000_000)).unwrap();
        assert!(soon < 1_000 && later > soon + 10_000, "{soon} then {later}");
    }
}
