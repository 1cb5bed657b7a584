//! A pacer on a sound card that exists in numbers only, so that minutes are rendered in a moment.

use jamz::audio::Frame;
use jamz::audio::decode::InlineLibrary;
use jamz::audio::pace::{DacLine, Pacer};
use jamz::core::clock::{ClockMap, ConvoyTime, MonoTime};
use jamz::core::id::TrackId;
use jamz::core::io::{Plan, Segment, Source};
use jamz::host::MonotonicClock;
use std::sync::Arc;

/// Convoy time and monotonic time are this far apart, to find places that mix them up.
pub const CONVOY_US: i64 = 1_700_000_000_000_000;
/// When the card's first frame is heard.
pub const MONO_US: i64 = 5_000_000;
/// Frames in a block.
pub const BLOCK: usize = 240;

pub struct VirtualCar {
    pub pacer: Pacer,
    pub line: DacLine,
    pub map: ClockMap,
    rate_hz: u32,
}

impl VirtualCar {
    /// A card of 48 kHz whose crystal is wrong by `ppm`.
    pub fn new(ppm: f64) -> Self {
        let rate_hz = 48_000;
        let library = Box::new(InlineLibrary { clock: Arc::new(MonotonicClock) });
        let mut pacer = Pacer::new(library, rate_hz, 0);
        let map = ClockMap { mono0: MonoTime(MONO_US), convoy0: ConvoyTime(CONVOY_US), rate: 0.0 };
        pacer.set_clock(Some(map));
        let us_per_frame = 1e6 / (f64::from(rate_hz) * (1.0 + ppm * 1e-6));
        Self { pacer, line: DacLine { epoch: 0, frame: 0, at_us: MONO_US as f64, us_per_frame }, map, rate_hz }
    }

    pub fn plan(&mut self, segments: &[Segment]) {
        self.pacer.set_plan(Plan { segments: segments.to_vec() });
    }

    /// Renders on for so many seconds of the card.
    pub fn render(&mut self, seconds: f64) -> Vec<Frame> {
        let blocks = (seconds * f64::from(self.rate_hz) / BLOCK as f64).round() as usize;
        let mut all = Vec::with_capacity(blocks * BLOCK);
        for _ in 0..blocks {
            let mut block = [[0.0; 2]; BLOCK];
            self.pacer.render(Some(&self.line), &mut block);
            all.extend(block);
        }
        all
    }

    /// Seconds of convoy time from `CONVOY_US` to frame `frame`.
    pub fn seconds_at(&self, frame: usize) -> f64 {
        (self.line.at_us(frame as u64) - MONO_US as f64) * (1.0 + self.map.rate) * 1e-6
    }
}

/// Plays `source` from `position_us` on between two instants, in microseconds from `CONVOY_US`.
pub fn segment(name: &str, source: &Source, starts_us: i64, position_us: i64, ends_us: Option<i64>) -> Segment {
    Segment {
        entry: None,
        track: TrackId::new(name).unwrap(),
        source: Some(source.clone()),
        starts: ConvoyTime(CONVOY_US + starts_us),
        position_us,
        ends: ends_us.map(|us| ConvoyTime(CONVOY_US + us)),
        gain_db: None,
    }
}
