//! The convoy's clock as a connection's own task reads it, so that a probe is answered where it arrives and waits for
//! nothing.

use crate::core::clock::{ConvoyTime, MonoTime};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What a convoy tells of its clock.
#[derive(Debug, Default)]
pub struct PublishedClock {
    offset_us: AtomicI64,
    lead_us: AtomicI64,
}

impl PublishedClock {
    pub fn publish(&self, offset_us: i64, lead_us: i64) {
        self.offset_us.store(offset_us, Ordering::Relaxed);
        self.lead_us.store(lead_us, Ordering::Relaxed);
    }

    #[must_use]
    pub fn convoy(&self, mono: MonoTime) -> ConvoyTime {
        ConvoyTime(mono.0.saturating_add(self.offset_us.load(Ordering::Relaxed)))
    }

    #[must_use]
    pub fn lead_us(&self) -> i64 {
        self.lead_us.load(Ordering::Relaxed)
    }
}

/// The clock of the convoy that a connection is in, while that convoy is decided here.
#[derive(Debug, Default)]
pub struct ClockCell(Mutex<Option<Arc<PublishedClock>>>);

impl ClockCell {
    pub fn set(&self, clock: Option<Arc<PublishedClock>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = clock;
    }

    #[must_use]
    pub fn get(&self) -> Option<Arc<PublishedClock>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
