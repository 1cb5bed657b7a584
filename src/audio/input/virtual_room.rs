//! A room with a virtual card and a virtual microphone in it: the sound takes its time, some of it comes back from a
//! wall, and the microphone has a crystal of its own.

use super::tape::Tape;
use crate::audio::air::{Air, Stretch};
use crate::core::clock::{MonoTime, Monotonic};
use std::sync::Arc;

const RATE_HZ: u32 = 44_100;
const CRYSTAL: f64 = 80e-6;
/// Samples in each of the microphone's buffers.
const BUFFER: usize = 441;
/// Of the sound itself, upside down as many amplifiers have it, and of its echo.
const GAIN: f32 = -0.4;
const ECHO_GAIN: f32 = 0.15;
const ECHO_US: f64 = 7_300.0;

pub(super) struct VirtualRoom {
    air: Arc<Air>,
    delay_us: f64,
    clock: Arc<dyn Monotonic>,
    entered: MonoTime,
}

impl VirtualRoom {
    pub(super) fn enter(air: &Arc<Air>, delay_us: u32, clock: &Arc<dyn Monotonic>) -> Self {
        air.listen();
        Self { air: Arc::clone(air), delay_us: f64::from(delay_us), clock: Arc::clone(clock), entered: clock.now() }
    }

    /// Records all that was to be heard since the room was entered.
    pub(super) fn record(self, tape: &Tape) {
        let stretches = self.air.take();
        let us_per_sample = 1e6 / (f64::from(RATE_HZ) * (1.0 + CRYSTAL));
        let count = ((self.clock.now() - self.entered) as f64 / us_per_sample) as usize;
        tape.begin(RATE_HZ);
        for first in (0..count).step_by(BUFFER) {
            let at_us = |index: usize| self.entered.0 as f64 + index as f64 * us_per_sample;
            let samples = (first..first + BUFFER).map(|index| self.sound(&stretches, at_us(index)));
            tape.hear(at_us(first) as i64, samples);
        }
    }

    fn sound(&self, stretches: &[Stretch], at_us: f64) -> f32 {
        let left_us = at_us - self.delay_us;
        GAIN * value(stretches, left_us) + ECHO_GAIN * value(stretches, left_us - ECHO_US)
    }
}

/// What left the card at an instant, by its neighbours; silence where nothing did.
fn value(stretches: &[Stretch], at_us: f64) -> f32 {
    let next = stretches.partition_point(|stretch| stretch.at_us <= at_us);
    let Some(stretch) = next.checked_sub(1).and_then(|last| stretches.get(last)) else { return 0.0 };
    let place = (at_us - stretch.at_us) / stretch.us_per_frame;
    let index = place as usize;
    let Some(before) = stretch.samples.get(index) else { return 0.0 };
    let following = || stretches.get(next).and_then(|stretch| stretch.samples.first());
    let after = stretch.samples.get(index + 1).or_else(following).unwrap_or(before);
    before + (after - before) * (place - index as f64) as f32
}
