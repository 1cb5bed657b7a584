//! Estimates convoy time from two-way exchanges with a reference, and says how wrong that may be.

use super::corridor::{Corridor, SURE};
use super::fit::Fit;
use super::{ClockMap, ConvoyTime, MonoTime, Probe};
use crate::core::planted::{Plant, is_planted};
use std::collections::VecDeque;

/// Convoy time as estimated, and how wrong it may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    pub map: ClockMap,
    /// At the last exchange; grows with time since then.
    pub bound_us: i64,
}

/// Two-way time estimation between bounds: `docs/clock.md` has the reasons.
#[derive(Debug, Clone, Default)]
pub struct Estimator {
    corridor: Corridor,
    count: usize,
    /// The last of them.
    round_trips_us: VecDeque<i64>,
    /// Exchanges in a row that cannot be true if the estimate is, and how far off it is if they are.
    contradictions: Vec<Probe>,
    contradicted_us: f64,
    /// The rate against a reference that was let go, and the time on the way to it: better than none at first.
    held_ppm: f64,
    held_way_us: i64,
    /// How far the estimate was off at most when it was let go, and when that was: a clock that followed it still is.
    held_bound: Option<(MonoTime, i64)>,
}

/// Exchanges are so far apart while they are few,
const PROBE_FAST_US: i64 = 40_000;
/// and afterwards.
const PROBE_US: i64 = 250_000;
const PROBES_FAST: usize = 12;
/// Where the line, or its slope, is no surer than this, much is to be learned in the first seconds,
const VAGUE_US: f64 = 50.0;
const VAGUE_PPM: f64 = 0.2;
const LEARN_FAST_US: i64 = 20_000_000;
const PROBE_LEARN_FAST_US: i64 = 12_500;
/// and something in the first minutes.
const LEARN_US: i64 = 180_000_000;
const PROBE_LEARN_US: i64 = 50_000;

/// Below this span a rate would be noise.
const RATE_SPAN_US: i64 = 14_000_000;
/// Below this a few late messages may pass for a crystal that is far off: what is likely does not bound the error yet.
const LIKELY_SPAN_US: i64 = 30_000_000;
/// A crystal that nobody watches wanders: by so much more with every second, in parts per million,
const WANDER_PPM: f64 = 0.01;
/// and by so much at most.
const WANDER_MAX_PPM: f64 = 5.0;
/// The path or the reference has changed for good after so many exchanges that contradict the estimate.
const CONTRADICTIONS_MAX: usize = 8;
/// Clocks are read no more exactly than this.
const NOISE_US: f64 = 10.0;
const ROUND_TRIPS: usize = 64;

impl Estimator {
    /// Takes in one exchange; false when it is impossible (it ended before it began) and was ignored.
    pub fn handle_probe(&mut self, probe: &Probe) -> bool {
        if !self.note_round_trip(probe) {
            return false;
        }
        let contradicted_us = self.contradicted_us(probe);
        self.contradicted_us = if contradicted_us > 0.0 { self.contradicted_us.max(contradicted_us) } else { 0.0 };
        if contradicted_us > 0.0 {
            self.contradictions.push(*probe);
            if self.contradictions.len() < CONTRADICTIONS_MAX {
                return true;
            }
            // A clock stepped, or another machine answers; crystals are what they were.
            self.corridor = self.corridor.after_step();
            (self.count, self.contradicted_us) = (0, 0.0);
            for probe in std::mem::take(&mut self.contradictions) {
                self.take_in(&probe);
            }
            return true;
        }
        self.contradictions.clear();
        self.take_in(probe);
        true
    }

    /// The same for a reference that is not followed: it costs next to nothing, and should it be followed later, what
    /// was noted is there.
    pub fn note_probe(&mut self, probe: &Probe) -> bool {
        if !self.note_round_trip(probe) {
            return false;
        }
        self.corridor.note((probe.sent, probe.reference_received), (probe.reference_sent, probe.received));
        self.count += 1;
        true
    }

    fn note_round_trip(&mut self, probe: &Probe) -> bool {
        if probe.received < probe.sent || probe.reference_sent < probe.reference_received {
            return false;
        }
        self.round_trips_us.push_back(probe.round_trip_us());
        self.round_trips_us.drain(..self.round_trips_us.len().saturating_sub(ROUND_TRIPS));
        true
    }

    fn take_in(&mut self, probe: &Probe) {
        self.corridor.push((probe.sent, probe.reference_received), (probe.reference_sent, probe.received));
        self.count += 1;
    }

    /// The true offset is below what a message there says, and above what one back says. When these lie beyond what is
    /// known, one of both is wrong, by so much at least.
    fn contradicted_us(&self, probe: &Probe) -> f64 {
        let Some((fit, now)) = self.corridor.line() else { return 0.0 };
        let base_us = self.corridor.base_us();
        let off_us = |at: MonoTime, us: i64| {
            let since_us = (at - now) as f64;
            let doubt_us = doubt_us(&fit, since_us.abs());
            (
                us.saturating_sub(base_us) as f64 - (fit.offset_us() + fit.rate_ppm * since_us / 1e6),
                fit.half_us() + doubt_us,
            )
        };
        let (above_us, up_to_us) = off_us(probe.sent, probe.reference_received.0.saturating_sub(probe.sent.0));
        let (below_us, down_to_us) = off_us(probe.received, probe.reference_sent.0.saturating_sub(probe.received.0));
        let off_us = (-above_us - up_to_us).max(below_us - down_to_us);
        // The line is off by that, and by half of what it lies between.
        if off_us > 0.0 { off_us + fit.half_us() } else { 0.0 }
    }

    /// How long to wait until the next exchange: at first, while much is to be learned, and where the last one
    /// contradicts the estimate, little.
    #[must_use]
    pub fn pace_us(&self) -> i64 {
        if self.count() < PROBES_FAST || !self.contradictions.is_empty() {
            return PROBE_FAST_US;
        }
        let is_vague = self.corridor.doubts().is_none_or(|(us, ppm)| us > VAGUE_US || ppm > VAGUE_PPM);
        match self.corridor.span_us() {
            span_us if is_vague && span_us < LEARN_FAST_US => PROBE_LEARN_FAST_US,
            span_us if is_vague && span_us < LEARN_US => PROBE_LEARN_US,
            _ => PROBE_US,
        }
    }

    /// How many exchanges the estimate rests on.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The longest round trip among the last `count` exchanges, in microseconds.
    #[must_use]
    pub fn longest_round_trip_us(&self, count: usize) -> Option<i64> {
        self.round_trips_us.iter().rev().take(count).max().copied()
    }

    /// The best line through what is known; none before the first exchange.
    #[must_use]
    pub fn estimate(&self) -> Option<Estimate> {
        let (fit, now) = self.corridor.line()?;
        Some(self.estimate_of(&fit, now, now))
    }

    /// The rate against the reference, once the exchanges span long enough to tell.
    #[must_use]
    pub fn measured_rate(&self) -> Option<f64> {
        let (fit, _) = self.corridor.line().filter(|_| self.corridor.span_us() >= RATE_SPAN_US)?;
        Some(fit.rate_ppm / 1e6)
    }

    /// The best line, with its error bound at `now`: what the time since the last exchange has added is in it.
    #[must_use]
    pub fn estimate_at(&self, now: MonoTime) -> Option<Estimate> {
        let (fit, mono0) = self.corridor.line()?;
        Some(self.estimate_of(&fit, mono0, now))
    }

    fn estimate_of(&self, fit: &Fit, mono0: MonoTime, now: MonoTime) -> Estimate {
        let offset_us = self.corridor.base_us().saturating_add(fit.offset_us().round() as i64);
        let map = ClockMap { mono0, convoy0: ConvoyTime(mono0.0) + offset_us, rate: fit.rate_ppm / 1e6 };
        let since_us = (now - mono0).max(0) as f64;
        let mut off_us = fit.half_us() + doubt_us(fit, since_us);
        if self.corridor.span_us() < LIKELY_SPAN_US {
            let line_us = fit.offset_us() + fit.rate_ppm * since_us / 1e6;
            let [below_us, above_us] = self.corridor.ends_us(now);
            off_us = off_us.max(NOISE_US + (above_us - line_us).max(line_us - below_us));
        }
        let off_us = if is_planted(Plant::ErrorBoundTooSmall) { 0.0 } else { off_us };
        Estimate { map, bound_us: (off_us + self.contradicted_us) as i64 }
    }

    /// The error bound at `now`.
    #[must_use]
    pub fn bound_us(&self, now: MonoTime) -> Option<i64> {
        self.estimate_at(now).map(|estimate| estimate.bound_us)
    }

    /// How far a clock may be off at `now` that followed what was let go: until the new reference has answered.
    #[must_use]
    pub fn held_bound_us(&self, now: MonoTime) -> Option<i64> {
        let (since, bound_us) = self.held_bound?;
        Some(bound_us.saturating_add(((now - since).max(0) as f64 * WANDER_MAX_PPM / 1e6) as i64))
    }

    /// What was learned of one reference says nothing of the next, but for the rate, which is mostly this machine's.
    /// The clock is off by `bound_us` at most, if that is known.
    pub fn begin_anew(&mut self, bound_us: Option<i64>, now: MonoTime) {
        self.held_bound = bound_us.map(|bound_us| (now, bound_us)).or(self.held_bound);
        self.held_ppm = self.measured_rate().map_or(self.held_ppm, |rate| rate * 1e6);
        self.held_way_us = self.way_us();
        self.corridor = Corridor::new(self.held_ppm);
        self.round_trips_us.clear();
        self.contradictions.clear();
        (self.count, self.contradicted_us) = (0, 0.0);
    }

    /// What is known of the time on the way there, in microseconds.
    #[must_use]
    pub fn way_us(&self) -> i64 {
        self.round_trips_us.iter().min().map_or(self.held_way_us, |least_us| least_us / 2)
    }
}

/// How far the line may be off so long after its last point, beside what both ways differ by.
fn doubt_us(fit: &Fit, since_us: f64) -> f64 {
    let since_s = since_us / 1e6;
    let wanders = (WANDER_PPM * since_s / 2.0).min(WANDER_MAX_PPM);
    NOISE_US + SURE * fit.offset_doubt_us + since_s * (SURE * fit.rate_doubt_ppm + wanders)
}

#[cfg(test)]
mod tests;
