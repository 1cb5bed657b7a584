//! How much later than a reference car another one is heard, in one recording of both.

use super::{BAND_HZ, CHIRP_US, PERIOD_US, Train};

/// Why two cars cannot be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CompareError {
    #[error("the two cars chirped one after the other; let both chirp at the same time, and record that")]
    Apart,
    #[error("the two cars come apart by {spread_us} us during the recording; are both in the same convoy, in step?")]
    Uneven { spread_us: i64 },
}

/// A recorder's crystal is no further off, as a part of one.
const CRYSTAL_MAX: f64 = 1e-3;
/// A chirp that is recorded too low, by a part of one, is found later by that part of this where it rises, and earlier
/// where it falls: the coupling of range and Doppler shift (Klauder and others, "The Theory and Design of Chirp
/// Radars", 1960).
const COUPLING_US: f64 = CHIRP_US as f64 * (BAND_HZ[0] + BAND_HZ[1]) / 2.0 / (BAND_HZ[1] - BAND_HZ[0]);
/// Trains may say so different things; the convoy's clock moves less.
const SPREAD_US_MAX: f64 = 2_000.0;

/// Microseconds by which the measured car's trains come later than half-way between two of the reference car's: the
/// median of all that sounded amid those. The reference car's period says what the recorder takes for a second, so that
/// an error of its crystal does not matter.
///
/// # Errors
/// [`CompareError`] when no train did, or when they do not agree.
pub fn difference_us(reference: &[Train], measured: &[Train]) -> Result<f64, CompareError> {
    let period_us = PERIOD_US as f64;
    let is_period = |us: f64| (us / period_us - 1.0).abs() < CRYSTAL_MAX;
    let mut differences_us = Vec::new();
    for (from, to) in reference.iter().zip(reference.iter().skip(1)) {
        let apart_us = to.at_us - from.at_us;
        let coupled_us = 2.0 * COUPLING_US * (apart_us / period_us - 1.0);
        let amid = measured.iter().filter(|train| is_period(apart_us) && (from.at_us..to.at_us).contains(&train.at_us));
        let difference_us = |train: &Train| ((train.at_us - from.at_us) / apart_us - 0.5) * period_us + coupled_us;
        differences_us.extend(amid.map(difference_us));
    }
    differences_us.sort_by(f64::total_cmp);
    let median_us = differences_us.get(differences_us.len() / 2).copied().ok_or(CompareError::Apart)?;
    let spread_us = differences_us.iter().map(|us| (us - median_us).abs()).fold(0.0, f64::max);
    if spread_us > SPREAD_US_MAX {
        return Err(CompareError::Uneven { spread_us: spread_us as i64 });
    }
    Ok(median_us)
}
