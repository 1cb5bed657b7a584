//! A block of the sound card's frames on the convoy's time line.

use super::dac_clock::DacLine;
use crate::core::clock::{ClockMap, ConvoyTime};

/// Where a block lies in convoy time. Kept relative to the map's own origin, for a double has no room for both years
/// and fractions of a sample.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    origin: ConvoyTime,
    /// From the origin to the block's first frame.
    offset_us: f64,
    pub us_per_frame: f64,
}

impl Grid {
    /// `delay_us` is what the sound still needs after the card has let it go.
    #[must_use]
    pub(super) fn new(map: &ClockMap, line: &DacLine, frame: u64, delay_us: i64) -> Self {
        let mono_us = line.at_us(frame) + delay_us as f64 - map.mono0.0 as f64;
        Self {
            origin: map.convoy0,
            offset_us: mono_us * (1.0 + map.rate),
            us_per_frame: line.us_per_frame * (1.0 + map.rate),
        }
    }

    /// Microseconds from `time` to the block's frame `index`.
    #[must_use]
    pub(super) fn since_us(&self, time: ConvoyTime, index: f64) -> f64 {
        self.offset_us + index * self.us_per_frame - (time - self.origin) as f64
    }

    /// The frame of the block, in fractions, that is heard at `time`.
    #[must_use]
    pub(super) fn index_of(&self, time: ConvoyTime) -> f64 {
        -self.since_us(time, 0.0) / self.us_per_frame
    }

    /// The convoy time of the block's first frame, to the microsecond.
    #[must_use]
    pub(super) fn start(&self) -> ConvoyTime {
        self.origin + self.offset_us.floor() as i64
    }
}
