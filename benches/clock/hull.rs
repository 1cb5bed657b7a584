//! The common-slope hull of Moon, Skelly and Towsley, in both directions at once, over a window that is what it is.

use crate::peers::{Estimates, Exchange};
use std::collections::VecDeque;

pub(crate) struct Hull {
    last: VecDeque<Exchange>,
    window_us: f64,
    pace_us: f64,
}

type Point = (f64, f64);

impl Hull {
    pub(crate) fn new(window_us: f64, pace_us: f64) -> Self {
        Self { last: VecDeque::new(), window_us, pace_us }
    }
}

/// The lower hull of points that come in the order of time.
fn lower(points: impl Iterator<Item = Point>) -> Vec<Point> {
    let mut hull: Vec<Point> = Vec::new();
    for point in points {
        while let [.., before, last] = hull.as_slice() {
            let is_below = (last.1 - before.1) * (point.0 - before.0) < (point.1 - before.1) * (last.0 - before.0);
            if is_below {
                break;
            }
            hull.pop();
        }
        hull.push(point);
    }
    hull
}

/// Where the line of that slope under all points is at time nought.
fn height(hull: &[Point], slope: f64) -> f64 {
    hull.iter().map(|(at, value)| value - slope * at).fold(f64::INFINITY, f64::min)
}

impl Estimates for Hull {
    fn pace_us(&self) -> f64 {
        self.pace_us
    }

    fn handle(&mut self, exchange: &Exchange) {
        self.last.push_back(*exchange);
        while self.last.front().is_some_and(|first| exchange.received_us - first.received_us > self.window_us) {
            self.last.pop_front();
        }
    }

    fn offset_us(&mut self, now_us: f64) -> Option<(f64, Option<f64>)> {
        let base_us = self.last.front()?.offset_us();
        let at = |one: &Exchange| one.middle_us() - now_us;
        let half = |one: &Exchange| one.round_trip_us() / 2.0;
        let above = lower(self.last.iter().map(|one| (at(one), one.offset_us() - base_us + half(one))));
        let below = lower(self.last.iter().map(|one| (at(one), -(one.offset_us() - base_us - half(one)))));
        let gap = |slope: f64| height(&above, slope) + height(&below, -slope);
        let (mut low, mut high) = (-500e-6, 500e-6);
        for _ in 0..80 {
            let third = (high - low) / 3.0;
            if gap(low + third) < gap(high - third) { low += third } else { high -= third }
        }
        let slope = f64::midpoint(low, high);
        Some((base_us + (height(&above, slope) - height(&below, -slope)) / 2.0, None))
    }
}
