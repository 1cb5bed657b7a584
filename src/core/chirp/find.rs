//! Finds trains in a recording: the matched filter (Turin, "An Introduction to Matched Filters", 1960) of one chirp,
//! its peaks, and those of them that are as far apart as a train's chirps are.

use super::{CHIRP_US, STARTS_US, Sweep, TRAIN_US};
use rustfft::FftPlanner;
use rustfft::num_complex::Complex32;
use std::ops::RangeInclusive;

/// Rates that hold a chirp's band.
const RATE_HZ: RangeInclusive<f64> = 15_900.0..=193_000.0;
/// A longer recording is not looked at.
pub const SECONDS_MAX: u32 = 180;
/// -60 dB: what stays below is silence.
const QUIET: f32 = 1e-3;
/// Samples at full scale, and how large a part of all they may be.
const FULL_SCALE: f32 = 0.998;
const CLIPPED_MAX: f64 = 0.005;
/// A chirp is as like the recording as this at least, where 1 is nothing but the chirp: noise and the other sweep stay
/// below 0.06.
const LIKENESS_MIN: f32 = 0.08;
/// A chirp is so much more like the recording than most of it is.
const ABOVE_NOISE: f32 = 6.0;
/// What comes within this time of a chirp is its echo.
const ECHO_US: f64 = 60_000.0;
/// What comes first is the sound itself, if it is this part of its loudest echo, and no earlier than this.
const DIRECT: f32 = 0.5;
const DIRECT_US: f64 = 30_000.0;
/// Peaks that are nearer than this are one.
const PEAK_US: f64 = 150.0;
/// A chirp is looked for so far from its place in the train, and found so far from it at most.
const PLACE_US: f64 = 20_000.0;
const SPREAD_US_MAX: f64 = 1_000.0;

/// Where a train begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Train {
    /// In microseconds from the recording's first sample.
    pub at_us: f64,
    /// How much of the sound is the chirp, at its faintest: 1 is nothing else.
    pub clarity: f32,
}

/// Why a recording says nothing.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum FindError {
    #[error("the recording has {0:.0} samples a second; record with 16000 to 192000 (48000 is best)")]
    Rate(f64),
    #[error("the recording is shorter than the chirps; begin it before them, and end it after them")]
    TooShort,
    #[error("the recording is longer than {SECONDS_MAX} s; cut it down to the chirps")]
    TooLong,
    #[error("the recording is silent; turn the volume up, or the microphone's gain, and try again")]
    TooQuiet,
    #[error("the recording is distorted, as it was too loud; turn the microphone's gain down, and try again")]
    Clipped,
    #[error("the {} chirps are not in the recording; turn the volume up, or bring the microphone nearer", name(*.0))]
    Unheard(Sweep),
    #[error("the chirps do not come evenly (by {spread_us} us): the sound was interrupted or has echoes; try again")]
    Uneven { spread_us: i64 },
}

fn name(sweep: Sweep) -> &'static str {
    match sweep {
        Sweep::Rising => "reference car's (rising)",
        Sweep::Falling => "measured car's (falling)",
    }
}

/// All trains of a mono recording (samples from -1 to 1), the first one first. `rate_hz` is the true rate, as far as it
/// is known. Polarity and loudness do not matter; of a sound and its echoes what comes first is taken.
///
/// # Errors
/// [`FindError`] when there is none, with what to do about it.
pub fn find(samples: &[f32], rate_hz: f64, sweep: Sweep) -> Result<Vec<Train>, FindError> {
    check(samples, rate_hz)?;
    let likeness = likeness(samples, rate_hz, sweep);
    let threshold = LIKENESS_MIN.max(ABOVE_NOISE * median(&likeness));
    let peaks = peaks(&likeness, rate_hz, threshold);
    let mut trains: Vec<Train> = Vec::new();
    let mut uneven = None;
    for first in &peaks {
        let Some((train, spread_us)) = train_from(first, &peaks) else { continue };
        if spread_us > SPREAD_US_MAX {
            uneven = Some(FindError::Uneven { spread_us: spread_us as i64 });
        } else {
            trains.push(train);
        }
    }
    if trains.is_empty() { Err(uneven.unwrap_or(FindError::Unheard(sweep))) } else { Ok(trains) }
}

fn check(samples: &[f32], rate_hz: f64) -> Result<(), FindError> {
    if !RATE_HZ.contains(&rate_hz) {
        return Err(FindError::Rate(rate_hz));
    }
    let seconds = samples.len() as f64 / rate_hz;
    if seconds * 1e6 < TRAIN_US as f64 {
        return Err(FindError::TooShort);
    }
    if seconds > f64::from(SECONDS_MAX) {
        return Err(FindError::TooLong);
    }
    if !samples.iter().any(|sample| sample.abs() >= QUIET) {
        return Err(FindError::TooQuiet);
    }
    let clipped = samples.iter().filter(|sample| sample.abs() >= FULL_SCALE).count();
    if clipped as f64 > CLIPPED_MAX * samples.len() as f64 {
        return Err(FindError::Clipped);
    }
    Ok(())
}

/// For each sample, how much of the sound from there on is a chirp: the envelope of the correlation, over the square
/// root of both energies. By overlap-save, the envelope by the filter's analytic form.
fn likeness(samples: &[f32], rate_hz: f64, sweep: Sweep) -> Vec<f32> {
    let taps = (CHIRP_US as f64 / 1e6 * rate_hz).ceil() as usize;
    let chirp: Vec<f32> = (0..taps).map(|n| sweep.train(n as f64 * 1e6 / rate_hz)).collect();
    let chirp_energy: f64 = chirp.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    let length = (4 * taps).next_power_of_two();
    let hop = length - taps + 1;
    let mut planner = FftPlanner::new();
    let (forward, inverse) = (planner.plan_fft_forward(length), planner.plan_fft_inverse(length));
    let mut filter = padded(&chirp, length);
    forward.process(&mut filter);
    for (index, bin) in filter.iter_mut().enumerate() {
        // Negative frequencies make room for twice the positive ones.
        *bin = if index < length / 2 { bin.conj() * (2.0 / length as f32) } else { Complex32::ZERO };
    }
    let energies = energies(samples, taps);
    let mut likeness = Vec::with_capacity(samples.len());
    for start in (0..samples.len()).step_by(hop) {
        let mut block = padded(samples.get(start..).unwrap_or_default(), length);
        forward.process(&mut block);
        block.iter_mut().zip(&filter).for_each(|(bin, filter)| *bin *= filter);
        inverse.process(&mut block);
        let energies = energies.get(start..).unwrap_or_default();
        let share = |(correlation, energy): (&Complex32, &f64)| {
            (f64::from(correlation.norm()) / (energy * chirp_energy).sqrt()) as f32
        };
        likeness.extend(block.iter().take(hop).zip(energies).map(share));
    }
    likeness
}

fn padded(samples: &[f32], length: usize) -> Vec<Complex32> {
    let samples = samples.iter().copied().chain(std::iter::repeat(0.0));
    samples.take(length).map(|sample| Complex32::new(sample, 0.0)).collect()
}

/// The energy of the `taps` samples from each one on.
fn energies(samples: &[f32], taps: usize) -> Vec<f64> {
    let power = |sample: &f32| f64::from(*sample).powi(2);
    // Much below what 16 bits can say, so that rounding never makes something of nothing.
    let least = taps as f64 * 1e-10;
    let mut energy: f64 = samples.iter().take(taps).map(power).sum();
    let coming = samples.iter().skip(taps).map(power).chain(std::iter::repeat(0.0));
    samples
        .iter()
        .zip(coming)
        .map(|(leaving, coming)| {
            let here = energy;
            energy += coming - power(leaving);
            here.max(least)
        })
        .collect()
}

fn median(values: &[f32]) -> f32 {
    let mut values = values.to_vec();
    let middle = values.len() / 2;
    if values.is_empty() { 0.0 } else { *values.select_nth_unstable_by(middle, f32::total_cmp).1 }
}

/// A chirp that was heard.
struct Peak {
    at_us: f64,
    likeness: f32,
}

/// The loudest of each sound with its echoes, moved to what comes first of it.
fn peaks(likeness: &[f32], rate_hz: f64, threshold: f32) -> Vec<Peak> {
    let frames = |us: f64| (us / 1e6 * rate_hz).ceil() as usize;
    let mut loudest: Vec<(usize, f32)> = Vec::new();
    for (index, value) in likeness.iter().copied().enumerate().filter(|(_, value)| *value >= threshold) {
        match loudest.last_mut() {
            Some(last) if index - last.0 <= frames(ECHO_US) => {
                if value > last.1 {
                    *last = (index, value);
                }
            }
            _ => loudest.push((index, value)),
        }
    }
    let near = frames(PEAK_US);
    let is_peak = |index: usize, value: f32| {
        let around = likeness.get(index.saturating_sub(near)..=index + near).unwrap_or_default();
        around.iter().all(|other| *other <= value)
    };
    let first_of = |(index, value): (usize, f32)| {
        let early = index.saturating_sub(frames(DIRECT_US))..index;
        let mut candidates = early.filter_map(|at| Some((at, *likeness.get(at)?)));
        let direct = candidates.find(|(at, early)| *early >= value * DIRECT && is_peak(*at, *early));
        let (at, value) = direct.unwrap_or((index, value));
        Peak { at_us: (at as f64 + vertex(likeness, at)) * 1e6 / rate_hz, likeness: value }
    };
    loudest.into_iter().map(first_of).collect()
}

/// The top of the parabola through a peak and its neighbours, in samples from the peak.
fn vertex(values: &[f32], peak: usize) -> f64 {
    let Some([before, top, after]) = peak.checked_sub(1).and_then(|first| values.get(first..first + 3)) else {
        return 0.0;
    };
    let (slope, bend) = (f64::from(after - before), f64::from(before + after - 2.0 * top));
    if bend < 0.0 { (-slope / bend / 2.0).clamp(-0.5, 0.5) } else { 0.0 }
}

/// The train that begins with this chirp, if it does, and how unevenly its chirps come, in microseconds.
fn train_from(first: &Peak, peaks: &[Peak]) -> Option<(Train, f64)> {
    let mut begins_us = Vec::with_capacity(STARTS_US.len());
    let mut clarity = f32::INFINITY;
    for start_us in STARTS_US {
        let off_us = |peak: &Peak| peak.at_us - start_us as f64 - first.at_us;
        let nearest = peaks.iter().min_by(|a, b| off_us(a).abs().total_cmp(&off_us(b).abs()))?;
        if off_us(nearest).abs() > PLACE_US {
            return None;
        }
        begins_us.push(nearest.at_us - start_us as f64);
        clarity = clarity.min(nearest.likeness);
    }
    let least = begins_us.iter().copied().fold(f64::INFINITY, f64::min);
    let most = begins_us.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let at_us = begins_us.iter().sum::<f64>() / begins_us.len() as f64;
    Some((Train { at_us, clarity: clarity.min(1.0) }, most - least))
}
