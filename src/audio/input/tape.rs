//! What a microphone took in, and what it said of its time.

use super::InputError;
use crate::audio::pace::{DacClock, Observation};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Nobody listens for longer.
const SECONDS_MAX: usize = 15;

/// Sound, and when it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Take {
    /// One channel, from -1 to 1.
    pub samples: Vec<f32>,
    /// When the first sample came in, in microseconds of the monotonic clock.
    pub at_us: f64,
    /// The true rate.
    pub rate_hz: f64,
}

#[derive(Debug, Default)]
struct Inside {
    rate_hz: u32,
    samples: Vec<f32>,
    observations: Vec<Observation>,
    problem: Option<String>,
}

/// Fills while a microphone listens. What a microphone reports is late and never early, as with cards that play: a
/// coarse pointer lags behind the sound. So its clock is learned in the same way.
#[derive(Debug, Default)]
pub(super) struct Tape {
    inside: Mutex<Inside>,
}

impl Tape {
    /// Room for all that may come, so that the driver's thread need not make any.
    pub(super) fn begin(&self, rate_hz: u32) {
        let mut inside = self.lock();
        inside.rate_hz = rate_hz;
        inside.samples.reserve(rate_hz as usize * SECONDS_MAX);
    }

    /// Samples that follow those before without a gap; the first of them came in at `at_us`.
    pub(super) fn hear(&self, at_us: i64, samples: impl Iterator<Item = f32>) {
        let mut inside = self.lock();
        let (buffers, frame) = (inside.observations.len() as u32, inside.samples.len() as u64);
        inside.observations.push(Observation { epoch: 0, buffers, frame, at_us });
        let room = inside.samples.capacity() - inside.samples.len();
        inside.samples.extend(samples.take(room));
    }

    pub(super) fn fail(&self, problem: String) {
        self.lock().problem.get_or_insert(problem);
    }

    pub(super) fn take(&self) -> Result<Take, InputError> {
        let Inside { rate_hz, samples, observations, problem } = std::mem::take(&mut *self.lock());
        if let Some(problem) = problem {
            return Err(InputError::Lost(problem));
        }
        let mut clock = DacClock::new(rate_hz, 0.0);
        for observation in observations {
            clock.observe(observation);
        }
        let line = clock.line().ok_or_else(|| InputError::Lost("it gave no sound".into()))?;
        Ok(Take { samples, at_us: line.at_us(0), rate_hz: 1e6 / line.us_per_frame })
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
