//! Between the virtual card and the virtual microphone: what the card lets go, and when, kept while somebody listens.

use crate::core::clock::MonoTime;
use std::sync::{Mutex, PoisonError};

/// Some frames of a card, without a gap.
#[derive(Debug, Clone)]
pub(super) struct Stretch {
    /// When the first of them leaves the card, in microseconds of the monotonic clock.
    pub at_us: f64,
    pub us_per_frame: f64,
    pub samples: Vec<f32>,
}

#[derive(Debug, Default)]
pub(super) struct Air {
    /// None while nobody listens.
    heard: Mutex<Option<Vec<Stretch>>>,
}

impl Air {
    /// From here on, what is carried is kept.
    pub(super) fn listen(&self) {
        *self.lock() = Some(Vec::new());
    }

    /// What came since; nothing more is kept.
    pub(super) fn take(&self) -> Vec<Stretch> {
        self.lock().take().unwrap_or_default()
    }

    /// The card lets `samples` go, the first of them `frame` frames after `start`.
    pub(super) fn carry(&self, start: MonoTime, frame: u64, rate_hz: f64, samples: impl Iterator<Item = f32>) {
        if let Some(heard) = self.lock().as_mut() {
            let us_per_frame = 1e6 / rate_hz;
            let at_us = start.0 as f64 + frame as f64 * us_per_frame;
            heard.push(Stretch { at_us, us_per_frame, samples: samples.collect() });
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Vec<Stretch>>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
