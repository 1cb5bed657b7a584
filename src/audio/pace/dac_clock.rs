//! When which frame reaches the sound card's converter: a line through what the card said of itself.
//!
//! What a card reports is late, never early: a coarse pointer (a Pi's moves every 10 ms) lags behind, and a thread that
//! is held up reads the clock too late. So the line is laid *under* the observations, by their convex hull, as Moon,
//! Skelly and Towsley do for one-way network delays ("Estimation and Removal of Clock Skew", 1999), and not through
//! their middle.

use std::collections::VecDeque;

/// What the card said when it asked for a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observation {
    /// Grows when the card stopped and started anew (an xrun).
    pub epoch: u32,
    /// Buffers asked for in this epoch before this one.
    pub buffers: u32,
    /// The buffer's first frame, counted since the card was opened.
    pub frame: u64,
    /// When it will be heard, in microseconds of the monotonic clock.
    pub at_us: i64,
}

/// The instant of every frame, as believed now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DacLine {
    pub epoch: u32,
    pub frame: u64,
    pub at_us: f64,
    pub us_per_frame: f64,
}

impl DacLine {
    /// When a frame is heard, in microseconds of the monotonic clock.
    #[must_use]
    pub fn at_us(&self, frame: u64) -> f64 {
        self.at_us + (frame as f64 - self.frame as f64) * self.us_per_frame
    }
}

/// A point of the fit: microseconds at the nominal rate since the epoch's first frame, and how late the card was by
/// then.
#[derive(Debug, Clone, Copy)]
struct Point {
    x_us: f64,
    late_us: f64,
}

/// A card that is being filled up before it starts has nothing true to say yet.
const BUFFERS_IGNORED: u32 = 3;
/// Of the observations within so long only the least late counts.
const SLOT_US: f64 = 20_000.0;
/// The window of the fit: 30 s, in which no crystal changes its rate by more than the noise.
const POINTS_MAX: usize = 1_500;
/// A new card is believed from so many points on.
const POINTS_MIN: usize = 5;
/// Crystals are within 100 ppm, by their data sheets.
const RATE_MAX: f64 = 500e-6;
/// What rates are likely, before anything is known.
const RATE_LIKELY: f64 = 30e-6;
/// An observation so far from the line is no noise but an error, or a step.
const STEP_US: f64 = 3_000.0;
/// So many in a row that agree are a step.
const STEP_POINTS: u32 = 25;
/// A card whose observations spread less is precise.
const FINE_US: f64 = 500.0;
/// With more points than this, only every fifth brings a new fit.
const POINTS_FEW: usize = 50;
const POINTS_EACH_FIT: usize = 5;

/// Follows one card.
#[derive(Debug)]
pub struct DacClock {
    rate_hz: f64,
    epoch: Option<u32>,
    /// Steps that were found, on top of the epochs that the card told.
    steps: u32,
    frame0: u64,
    at0_us: i64,
    points: VecDeque<Point>,
    slot: Option<Point>,
    /// The card's learned rate error, kept over its restarts.
    rate: f64,
    /// Lateness of the line at `x = 0`, once it is believed.
    late0_us: Option<f64>,
    /// Observations in a row that were far too early, and far too late.
    early: u32,
    late: u32,
    /// How far the points lie above the line, mostly; as of the last fit.
    spread_us: f64,
    /// Points since the last fit.
    unfitted: usize,
    known: bool,
    /// The line before a restart, good until there is a new one.
    held: Option<DacLine>,
}

impl DacClock {
    /// For a card that was just opened; `rate` is what is known of its error from before, as a part of one.
    #[must_use]
    pub fn new(rate_hz: u32, rate: f64) -> Self {
        Self {
            rate_hz: f64::from(rate_hz),
            epoch: None,
            steps: 0,
            frame0: 0,
            at0_us: 0,
            points: VecDeque::new(),
            slot: None,
            rate,
            late0_us: None,
            early: 0,
            late: 0,
            spread_us: 0.0,
            unfitted: 0,
            known: false,
            held: None,
        }
    }

    /// Takes in an observation.
    pub fn observe(&mut self, seen: Observation) {
        if seen.buffers < BUFFERS_IGNORED {
            return;
        }
        if self.epoch != Some(seen.epoch) {
            self.restart(seen);
        }
        let point = self.point(seen);
        if self.is_step(point) {
            self.steps += 1;
            self.restart(seen);
        } else if self.early > 0 {
            return;
        }
        let point = self.point(seen);
        match &mut self.slot {
            Some(slot) if point.x_us - slot.x_us < SLOT_US => slot.late_us = slot.late_us.min(point.late_us),
            slot => {
                let full = slot.replace(point);
                if let Some(full) = full {
                    self.points.push_back(full);
                    self.fit();
                }
            }
        }
        if self.known && self.late0_us.is_none() && self.spread_us < FINE_US {
            // After a restart the rate of a card is known, and one point of a precise one gives the rest.
            self.late0_us = Some(point.late_us - self.rate * point.x_us);
        }
    }

    /// The line, once it can be believed.
    #[must_use]
    pub fn line(&self) -> Option<DacLine> {
        let Some(late0_us) = self.late0_us else { return self.held };
        Some(DacLine {
            epoch: self.epoch?.wrapping_add(self.steps),
            frame: self.frame0,
            at_us: self.at0_us as f64 + late0_us,
            us_per_frame: 1e6 / self.rate_hz * (1.0 + self.rate),
        })
    }

    /// The card's rate error as learned so far, as a part of one; positive is slow.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.rate
    }

    fn point(&self, seen: Observation) -> Point {
        let x_us = (seen.frame as f64 - self.frame0 as f64) / self.rate_hz * 1e6;
        Point { x_us, late_us: (seen.at_us - self.at0_us) as f64 - x_us }
    }

    fn restart(&mut self, seen: Observation) {
        self.held = self.line();
        self.epoch = Some(seen.epoch);
        (self.frame0, self.at0_us) = (seen.frame, seen.at_us);
        self.points.clear();
        self.slot = None;
        self.late0_us = None;
        (self.early, self.late) = (0, 0);
    }

    /// Whether the card has moved against its line for good, without a word.
    fn is_step(&mut self, point: Point) -> bool {
        let Some(late0_us) = self.late0_us.filter(|_| self.points.len() >= POINTS_FEW) else { return false };
        let residual_us = point.late_us - late0_us - self.rate * point.x_us;
        let coarse_us = self.spread_us * 2.0;
        self.early = if residual_us < -STEP_US { self.early + 1 } else { 0 };
        self.late = if residual_us > STEP_US.max(coarse_us) { self.late + 1 } else { 0 };
        self.early >= STEP_POINTS || self.late >= 2 * STEP_POINTS
    }

    fn spread_us(&self) -> f64 {
        let late0_us = self.late0_us.unwrap_or_default();
        let mut above: Vec<f64> = self.points.iter().map(|p| p.late_us - late0_us - self.rate * p.x_us).collect();
        let middle = above.len() / 2;
        if above.is_empty() {
            return 0.0;
        }
        *above.select_nth_unstable_by(middle, f64::total_cmp).1
    }

    fn fit(&mut self) {
        while self.points.len() > POINTS_MAX {
            self.points.pop_front();
        }
        let count = self.points.len();
        self.unfitted += 1;
        if count < POINTS_MIN || (count > POINTS_FEW && self.unfitted < POINTS_EACH_FIT) {
            return;
        }
        self.unfitted = 0;
        let (Some(first), Some(last)) = (self.points.front(), self.points.back()) else { return };
        let span_us = last.x_us - first.x_us;
        // A short look at a noisy card says little of its rate: then what was known before weighs more.
        self.spread_us = self.spread_us();
        let noise_us = 10.0 + self.spread_us * 8.0 / count as f64;
        let needed_us = (noise_us / RATE_LIKELY).max(1e6);
        let weight = span_us.powi(2) / (span_us.powi(2) + needed_us.powi(2));
        let hull_rate = hull_rate(&self.points);
        self.rate = (self.rate + weight * (hull_rate - self.rate)).clamp(-RATE_MAX, RATE_MAX);
        let lowest = self.points.iter().map(|p| p.late_us - self.rate * p.x_us).fold(f64::INFINITY, f64::min);
        self.late0_us = Some(lowest);
        self.known = true;
    }
}

/// Slope of the line under all points that is nearest to them in sum: the edge of their lower hull above their mean.
fn hull_rate(points: &VecDeque<Point>) -> f64 {
    let mut hull: Vec<Point> = Vec::new();
    for point in points {
        while let [.., a, b] = hull.as_slice() {
            let turn =
                (b.x_us - a.x_us) * (point.late_us - a.late_us) - (b.late_us - a.late_us) * (point.x_us - a.x_us);
            if turn > 0.0 {
                break;
            }
            hull.pop();
        }
        hull.push(*point);
    }
    let mean_us = points.iter().map(|p| p.x_us).sum::<f64>() / points.len().max(1) as f64;
    hull.windows(2)
        .find_map(|edge| match edge {
            [a, b] if b.x_us >= mean_us && b.x_us > a.x_us => Some((b.late_us - a.late_us) / (b.x_us - a.x_us)),
            _ => None,
        })
        .unwrap_or(0.0)
}
