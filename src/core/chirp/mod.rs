//! The sound by which an output's delay is measured: a train of chirps, and where it is in a recording.

#[cfg(any(feature = "car", feature = "ctl"))]
mod compare;
#[cfg(any(feature = "car", feature = "ctl"))]
mod find;

#[cfg(any(feature = "car", feature = "ctl"))]
pub use compare::{CompareError, difference_us};
#[cfg(any(feature = "car", feature = "ctl"))]
pub use find::{FindError, SECONDS_MAX, Train, find};

use serde::{Deserialize, Serialize};
use std::f64::consts::{PI, TAU};

/// When each chirp of a train begins. No two gaps are alike, so that no chirp is taken for another one.
const STARTS_US: [i64; 4] = [0, 420_000, 900_000, 1_440_000];
const CHIRP_US: i64 = 300_000;
/// How long a train lasts.
pub const TRAIN_US: i64 = 1_740_000;
/// Where two cars are compared, the reference car's trains begin when convoy time is a multiple of this, the measured
/// car's half of it later: delays that are shorter than that are told apart, and usual ones keep the trains apart.
pub const PERIOD_US: i64 = 4_000_000;
/// Above the noise of an engine, within what small speakers, telephones and a rate of 16 kHz can do.
const BAND_HZ: [f64; 2] = [600.0, 6_000.0];
/// A chirp comes and goes within this part of it.
const FADE: f64 = 0.1;
const LEVEL: f64 = 0.5;

/// Which way a chirp's pitch goes. The two are told apart even when they sound at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sweep {
    Rising,
    Falling,
}

/// What a train is played for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Part {
    /// This car's own microphone listens.
    Alone,
    /// Two cars are recorded together, and this one is heard in time already.
    Reference,
    /// Two cars are recorded together, and this one's delay is to be found.
    Measured,
}

impl Part {
    #[must_use]
    pub fn sweep(self) -> Sweep {
        match self {
            Self::Reference => Sweep::Rising,
            Self::Alone | Self::Measured => Sweep::Falling,
        }
    }
}

impl Sweep {
    /// The train `since_us` microseconds after its start, from -1 to 1; silence before it, after it and between chirps.
    #[must_use]
    pub fn train(self, since_us: f64) -> f32 {
        let within = |start_us: &i64| since_us - *start_us as f64;
        let chirps = STARTS_US.iter().map(within).filter(|us| (0.0..CHIRP_US as f64).contains(us));
        (chirps.map(|us| self.chirp(us / CHIRP_US as f64)).sum::<f64>() * LEVEL) as f32
    }

    /// A linear sweep under a Tukey window, at a moment from 0 to 1 of it.
    fn chirp(self, at: f64) -> f64 {
        let [low_hz, high_hz] = BAND_HZ;
        let (from_hz, to_hz) = if self == Self::Rising { (low_hz, high_hz) } else { (high_hz, low_hz) };
        let turns = (from_hz + (to_hz - from_hz) / 2.0 * at) * at * CHIRP_US as f64 / 1e6;
        let edge = (at.min(1.0 - at) / FADE).clamp(0.0, 1.0);
        (TAU * turns).sin() * (PI / 2.0 * edge).sin().powi(2)
    }
}

#[cfg(test)]
#[cfg(any(feature = "car", feature = "ctl"))]
mod tests;
