//! What others do, as far as it is their estimator: each simplified from its source to the lines that decide.

use crate::hull::Hull;
use std::collections::VecDeque;

/// An exchange as it is measured.
#[derive(Clone, Copy)]
#[allow(clippy::struct_field_names, reason = "units stand in names")]
pub(crate) struct Exchange {
    pub(crate) sent_us: f64,
    pub(crate) received_us: f64,
    /// The reference's clock when it answered, which takes it no time.
    pub(crate) reference_us: f64,
}

impl Exchange {
    pub(crate) fn middle_us(&self) -> f64 {
        f64::midpoint(self.sent_us, self.received_us)
    }

    pub(crate) fn offset_us(&self) -> f64 {
        self.reference_us - self.middle_us()
    }

    pub(crate) fn round_trip_us(&self) -> f64 {
        self.received_us - self.sent_us
    }
}

/// An estimator under test.
pub(crate) trait Estimates {
    /// Until the next probe, in microseconds.
    fn pace_us(&self) -> f64;
    fn handle(&mut self, exchange: &Exchange);
    /// Convoy time less the car's own, as estimated, and its bound if it states one.
    fn offset_us(&mut self, now_us: f64) -> Option<(f64, Option<f64>)>;
}

pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) new: fn() -> Box<dyn Estimates>,
}

/// The peers, then what was tried before.
pub(crate) const PEERS: [Peer; 9] = [
    Peer { name: "Snapcast: median of 200 at 1 Hz", new: || Box::new(Median::new(1, 1e6)) },
    Peer { name: "Ableton Link: median of 100 every 30 s", new: || Box::new(Median::new(100, 30e6)) },
    Peer { name: "Beatsync: least of 16, every 2.5 s", new: || Box::new(Least::new(16, 2.5e6)) },
    Peer { name: "Jellyfin: least of 8, every 60 s", new: || Box::new(Least::new(8, 60e6)) },
    Peer { name: "Sendspin: Kalman of offset and drift", new: || Box::<Kalman>::default() },
    Peer { name: "NTP-like: best 10 % of 120 s, line", new: || Box::<Best>::default() },
    Peer { name: "hull, 120 s at 4 Hz", new: || Box::new(Hull::new(120e6, 250e3)) },
    Peer { name: "hull, 300 s at 4 Hz", new: || Box::new(Hull::new(300e6, 250e3)) },
    Peer { name: "hull, 600 s at 4 Hz", new: || Box::new(Hull::new(600e6, 250e3)) },
];

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

/// Snapcast's `TimeProvider`, and Ableton Link's `Measurement`: the median of offsets.
struct Median {
    offsets_us: VecDeque<f64>,
    burst: usize,
    pace_us: f64,
    /// Of the burst that was completed last.
    settled_us: Option<f64>,
}

const SNAPCAST_KEEPS: usize = 200;
const LINK_GAP_US: f64 = 20e3;

impl Median {
    fn new(burst: usize, pace_us: f64) -> Self {
        Self { offsets_us: VecDeque::new(), burst, pace_us, settled_us: None }
    }
}

impl Estimates for Median {
    fn pace_us(&self) -> f64 {
        // Of a burst some are lost: it ends by itself.
        if self.burst > 1 && !self.offsets_us.is_empty() { LINK_GAP_US } else { self.pace_us }
    }

    fn handle(&mut self, exchange: &Exchange) {
        self.offsets_us.push_back(exchange.offset_us());
        if self.burst == 1 {
            self.offsets_us.drain(..self.offsets_us.len().saturating_sub(SNAPCAST_KEEPS));
            self.settled_us = median(self.offsets_us.iter().copied());
        } else if self.offsets_us.len() == self.burst {
            self.settled_us = median(self.offsets_us.drain(..));
        }
    }

    fn offset_us(&mut self, _: f64) -> Option<(f64, Option<f64>)> {
        Some((self.settled_us?, None))
    }
}

/// Beatsync and Jellyfin: the offset of the exchange with the least round trip of the last few.
struct Least {
    last: VecDeque<Exchange>,
    keeps: usize,
    pace_us: f64,
}

impl Least {
    fn new(keeps: usize, pace_us: f64) -> Self {
        Self { last: VecDeque::new(), keeps, pace_us }
    }
}

impl Estimates for Least {
    fn pace_us(&self) -> f64 {
        self.pace_us
    }

    fn handle(&mut self, exchange: &Exchange) {
        self.last.push_back(*exchange);
        self.last.drain(..self.last.len().saturating_sub(self.keeps));
    }

    fn offset_us(&mut self, _: f64) -> Option<(f64, Option<f64>)> {
        let least = self.last.iter().min_by(|a, b| a.round_trip_us().total_cmp(&b.round_trip_us()));
        Some((least?.offset_us(), None))
    }
}

/// Sendspin's time filter: a Kalman filter over offset and drift, that forgets when it is surprised.
#[derive(Default)]
struct Kalman {
    count: u32,
    at_us: f64,
    offset_us: f64,
    drift: f64,
    offset_variance: f64,
    covariance: f64,
    drift_variance: f64,
}

/// Variance of the offset that a microsecond adds.
const PROCESS_VARIANCE: f64 = 0.01 * 0.01;
const FORGETS: f64 = 1.001;
const SURPRISED: f64 = 0.75;
const LEARNS: u32 = 100;

impl Estimates for Kalman {
    fn pace_us(&self) -> f64 {
        let doubt_us = self.offset_variance.sqrt();
        match doubt_us {
            _ if self.count < 3 || doubt_us > 5e3 => 200e3,
            _ if doubt_us > 2e3 => 500e3,
            _ if doubt_us > 1e3 => 1e6,
            _ => 3e6,
        }
    }

    fn handle(&mut self, exchange: &Exchange) {
        let (measured_us, doubt_us) = (exchange.offset_us(), exchange.round_trip_us() / 2.0);
        let variance = doubt_us * doubt_us;
        let step_us = exchange.received_us - self.at_us;
        if step_us <= 0.0 {
            return;
        }
        self.at_us = exchange.received_us;
        self.count += 1;
        match self.count {
            1 => (self.offset_us, self.offset_variance) = (measured_us, variance),
            2 => {
                self.drift = (measured_us - self.offset_us) / step_us;
                self.drift_variance = (self.offset_variance + variance) / (step_us * step_us);
                (self.offset_us, self.offset_variance) = (measured_us, variance);
            }
            _ => {
                let predicted_us = self.offset_us + self.drift * step_us;
                self.offset_variance += 2.0 * self.covariance * step_us
                    + self.drift_variance * step_us * step_us
                    + PROCESS_VARIANCE * step_us;
                self.covariance += self.drift_variance * step_us;
                let residual_us = measured_us - predicted_us;
                if self.count > LEARNS && residual_us.abs() > SURPRISED * doubt_us {
                    let forgets = FORGETS * FORGETS;
                    self.offset_variance *= forgets;
                    self.covariance *= forgets;
                    self.drift_variance *= forgets;
                }
                let gain = 1.0 / (self.offset_variance + variance);
                let (offset_gain, drift_gain) = (self.offset_variance * gain, self.covariance * gain);
                self.offset_us = predicted_us + offset_gain * residual_us;
                self.drift += drift_gain * residual_us;
                self.drift_variance -= drift_gain * self.covariance;
                self.covariance -= drift_gain * self.offset_variance;
                self.offset_variance *= 1.0 - offset_gain;
            }
        }
    }

    fn offset_us(&mut self, now_us: f64) -> Option<(f64, Option<f64>)> {
        (self.count > 0).then_some((self.offset_us + self.drift * (now_us - self.at_us), None))
    }
}

/// A line through those of the last two minutes that were on the way the shortest, as careful NTP clients do.
#[derive(Default)]
struct Best(VecDeque<Exchange>);

const BEST_WINDOW_US: f64 = 120e6;
const BEST_PACE_US: f64 = 250e3;

impl Estimates for Best {
    fn pace_us(&self) -> f64 {
        BEST_PACE_US
    }

    fn handle(&mut self, exchange: &Exchange) {
        self.0.push_back(*exchange);
        while self.0.front().is_some_and(|first| exchange.received_us - first.received_us > BEST_WINDOW_US) {
            self.0.pop_front();
        }
    }

    fn offset_us(&mut self, now_us: f64) -> Option<(f64, Option<f64>)> {
        let mut best: Vec<&Exchange> = self.0.iter().collect();
        best.sort_by(|a, b| a.round_trip_us().total_cmp(&b.round_trip_us()));
        best.truncate((best.len() / 10).max(3));
        let count = best.len() as f64;
        let mean_at = best.iter().map(|one| one.middle_us()).sum::<f64>() / count;
        let mean = best.iter().map(|one| one.offset_us()).sum::<f64>() / count;
        let variance: f64 = best.iter().map(|one| (one.middle_us() - mean_at).powi(2)).sum();
        let covariance: f64 = best.iter().map(|one| (one.middle_us() - mean_at) * (one.offset_us() - mean)).sum();
        (count > 1.0 && variance > 0.0).then(|| (mean + covariance / variance * (now_us - mean_at), None))
    }
}
