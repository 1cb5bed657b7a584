//! Time: the monotonic clock, convoy time over it, and the estimate that joins them with a stated error bound.
//!
//! Wall clocks never enter here: a Pi has none at boot, and others are wrong by years.

mod change;
mod corridor;
mod estimator;
mod fit;
mod map;
mod probe;
pub mod reference;
mod side;

pub use estimator::{Estimate, Estimator};
pub use map::{ClockMap, SlewedClock};
pub use probe::Probe;

use serde::{Deserialize, Serialize};
use std::ops::{Add, Sub};

/// An instant of this machine's monotonic clock, in microseconds from an arbitrary origin (its boot).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MonoTime(pub i64);

/// An instant on the convoy's shared time line, in microseconds from an arbitrary origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConvoyTime(pub i64);

/// Reads the machine's monotonic clock. The only implementation that reads a real one is in `host`.
pub trait Monotonic: Send + Sync {
    fn now(&self) -> MonoTime;
}

macro_rules! instant {
    ($name:ident) => {
        impl Add<i64> for $name {
            type Output = Self;
            /// Later by so many microseconds.
            fn add(self, us: i64) -> Self {
                Self(self.0.saturating_add(us))
            }
        }
        impl Sub<i64> for $name {
            type Output = Self;
            /// Earlier by so many microseconds.
            fn sub(self, us: i64) -> Self {
                Self(self.0.saturating_sub(us))
            }
        }
        impl Sub for $name {
            type Output = i64;
            /// Microseconds from `other` to `self`.
            fn sub(self, other: Self) -> i64 {
                self.0.saturating_sub(other.0)
            }
        }
    };
}
instant!(MonoTime);
instant!(ConvoyTime);
