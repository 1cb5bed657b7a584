//! How far apart the cars were, and where one was silent: judged from what their cards played, not from their word.

use super::record::{Record, Stretch};
use super::span::{Span, join};
use anyhow::{Result, ensure};
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use std::sync::Arc;

/// Offsets beyond this are not looked for; two cars that sound unlike are taken to be this far apart.
pub const SEARCH_S: f64 = 0.15;
/// Between one comparison and the next.
const STEP_S: f64 = 0.05;
/// Frames compared at a time: long enough for a beat to be told from the next.
const WINDOW: usize = 16_384;
/// The likeness, from -1 to 1, below which two windows are not the same music.
const ALIKE_MIN: f64 = 0.5;
/// Root mean square of samples below which there is nothing to compare.
const QUIET: f64 = 30.0;
/// Shorter runs of zeros are part of the music.
const SILENCE_MIN_S: f64 = 0.005;

/// Lays windows of two records over each other.
pub struct Comparison {
    forward: Arc<dyn RealToComplex<f64>>,
    inverse: Arc<dyn ComplexToReal<f64>>,
}

impl Comparison {
    pub fn new() -> Self {
        let mut planner = RealFftPlanner::new();
        let length = (WINDOW + (2.2 * SEARCH_S * 48_000.0) as usize).next_power_of_two();
        Self { forward: planner.plan_fft_forward(length), inverse: planner.plan_fft_inverse(length) }
    }

    /// By how many seconds `b` was behind `a`, all along `span`, where both had something to hear. What was heard after
    /// it does not count.
    ///
    /// # Errors
    /// When the two cards ran at different rates by design, which this does not compare.
    pub fn offsets_s(&self, a: &Record, b: &Record, span: Span) -> Result<Vec<f64>> {
        let mut offsets = Vec::new();
        for x in &a.stretches {
            for y in &b.stretches {
                ensure!((x.rate_hz / y.rate_hz - 1.0).abs() < 0.001, "the cards run at different rates");
                let Some(both) = x.span().overlap(y.span()).and_then(|both| both.overlap(span)) else { continue };
                let window_s = WINDOW as f64 / x.rate_hz;
                let steps = ((both.length_s() - window_s).max(0.0) / STEP_S) as usize;
                let times = (0..steps).map(|step| both.from_s + step as f64 * STEP_S);
                offsets.extend(times.filter_map(|time_s| self.offset_s(x, y, time_s)));
            }
        }
        Ok(offsets)
    }

    /// None where a window does not fit into both stretches, or nothing is to be heard in one of them.
    fn offset_s(&self, a: &Stretch, b: &Stretch, time_s: f64) -> Option<f64> {
        let lags = (2.0 * SEARCH_S * b.rate_hz) as usize;
        let (a_starts_s, short) = a.window(time_s, WINDOW)?;
        let (b_starts_s, long) = b.window(time_s - SEARCH_S, WINDOW + lags)?;
        let around = long.get(lags / 2..lags / 2 + WINDOW)?;
        if !sounds(&short) || !sounds(around) {
            return None;
        }
        let likeness = self.likeness(&brighten(&short), &brighten(&long), lags)?;
        let (best, height) = likeness.iter().copied().enumerate().max_by(|x, y| x.1.total_cmp(&y.1))?;
        if height < ALIKE_MIN {
            return Some(SEARCH_S);
        }
        let lag = best as f64 + peak_between(&likeness, best);
        let drift_s = (WINDOW / 2) as f64 * (1.0 / b.rate_hz - 1.0 / a.rate_hz);
        Some(b_starts_s + lag / b.rate_hz - a_starts_s + drift_s)
    }

    /// The normalised correlation of `short` with `long` from each of its first `lags` frames on.
    fn likeness(&self, short: &[f64], long: &[f64], lags: usize) -> Option<Vec<f64>> {
        let spectrum = |samples: &[f64]| {
            let mut input = self.forward.make_input_vec();
            input.get_mut(..samples.len())?.copy_from_slice(samples);
            let mut output = self.forward.make_output_vec();
            self.forward.process(&mut input, &mut output).ok()?;
            Some(output)
        };
        let mut product = spectrum(long)?;
        product.iter_mut().zip(spectrum(short)?).for_each(|(x, y)| *x *= y.conj());
        let mut sums = self.inverse.make_output_vec();
        self.inverse.process(&mut product, &mut sums).ok()?;
        let scale = 1.0 / sums.len() as f64;
        let square = |sample: &f64| sample * sample;
        let own: f64 = short.iter().map(square).sum();
        let mut other: f64 = long.iter().take(short.len()).map(square).sum();
        let leaving = long.iter().map(square);
        let entering = long.iter().skip(short.len()).map(square).chain(std::iter::repeat(0.0));
        let likeness = sums.iter().take(lags).zip(leaving.zip(entering)).map(|(sum, (leaves, enters))| {
            let like = sum * scale / (own * other).sqrt().max(1.0);
            other += enters - leaves;
            like
        });
        Some(likeness.collect())
    }
}

/// Whether there is music all along: where it begins or ends within the window, too little is left to tell one beat
/// from another.
fn sounds(samples: &[f64]) -> bool {
    samples.chunks(samples.len().div_ceil(8).max(1)).all(|part| rms(part) >= QUIET)
}

fn rms(samples: &[f64]) -> f64 {
    (samples.iter().map(|sample| sample * sample).sum::<f64>() / samples.len().max(1) as f64).sqrt()
}

/// Takes the weight from the bass, whose slow waves hardly tell one lag from the next, and from the highest treble, in
/// which half a frame makes the same music look unlike.
fn brighten(samples: &[f64]) -> Vec<f64> {
    let before = std::iter::once(&0.0).chain(samples);
    let bright: Vec<f64> = samples.iter().zip(before).map(|(sample, before)| sample - 0.95 * before).collect();
    smooth(&smooth(&bright))
}

/// The mean of each sample and the three before it: nothing is left at a quarter of the rate.
fn smooth(samples: &[f64]) -> Vec<f64> {
    let delayed = |by: usize| std::iter::repeat_n(&0.0, by).chain(samples);
    let sums = samples.iter().zip(delayed(1)).zip(delayed(2)).zip(delayed(3)).map(|(((a, b), c), d)| a + b + c + d);
    sums.map(|sum| sum / 4.0).collect()
}

/// Where the top of the parabola through the highest point and its neighbours lies, from -0.5 to 0.5 of a frame.
fn peak_between(heights: &[f64], best: usize) -> f64 {
    let at = |n: Option<usize>| n.and_then(|n| heights.get(n)).copied();
    let (Some(before), Some(top), Some(after)) = (at(best.checked_sub(1)), at(Some(best)), at(best.checked_add(1)))
    else {
        return 0.0;
    };
    let bend = before - 2.0 * top + after;
    if bend < 0.0 { (0.5 * (before - after) / bend).clamp(-0.5, 0.5) } else { 0.0 }
}

/// Where a car put out nothing within `span`: runs of zeros, and times at which its card stood still.
pub fn silences(record: &Record, span: Span) -> Vec<Span> {
    let mut silent = Vec::new();
    let running: Vec<Span> = record.stretches.iter().map(Stretch::span).collect();
    silent.extend(span.without(&running));
    for stretch in &record.stretches {
        let mut run = None;
        for (at, frame) in stretch.frames.iter().chain([&[1, 1]]).enumerate() {
            match (run, *frame == [0, 0]) {
                (None, true) => run = Some(at),
                (Some(from), false) => {
                    silent.push(Span { from_s: stretch.time_of(from), to_s: stretch.time_of(at) });
                    run = None;
                }
                _ => {}
            }
        }
    }
    silent.retain(|run| run.length_s() > 0.0005);
    let joined = join(silent, 0.0005).into_iter().filter_map(|run| run.overlap(span));
    joined.filter(|run| run.length_s() > SILENCE_MIN_S).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    /// Music that is known at every instant: twenty tones (hertz, phase) without a common measure.
    fn tones(seed: u64) -> Vec<(f64, f64)> {
        let tone = |n: u64| {
            let hash =
                (n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(seed.wrapping_mul(0xBF58_476D_1CE4_E5B9));
            let part = |shift: u32| f64::from(((hash ^ (hash >> 29)) >> shift) as u16) / 65_536.0;
            (60.0 + 7_000.0 * part(3) * part(17), part(31))
        };
        (0..20).map(tone).collect()
    }

    /// `seconds` of music on a card that starts at `starts_s`, with a rate error, heard late by `late_s`.
    fn played(seed: u64, starts_s: f64, seconds: f64, ppm: f64, late_s: f64) -> Record {
        let rate_hz = 48_000.0 * (1.0 + ppm * 1e-6);
        let tones = tones(seed);
        let sample = |n: usize| {
            let at_s = starts_s + n as f64 / rate_hz - late_s;
            let sum: f64 = tones.iter().map(|(hz, phase)| (TAU * (hz * at_s + phase)).sin()).sum();
            (1_250.0 * sum).round() as i16
        };
        let frames = (0..(seconds * rate_hz) as usize).map(|n| [sample(n); 2]).collect();
        Record { stretches: vec![Stretch { starts_s, rate_hz, frames }] }
    }

    fn all() -> Span {
        Span { from_s: 0.0, to_s: 1e9 }
    }

    #[test]
    fn a_known_shift_between_cards_of_different_crystals_is_found_to_five_microseconds() {
        let comparison = Comparison::new();
        for late_s in [0.0, 0.000_007_3, 0.001_234_5, -0.020_001_1, 0.083] {
            let a = played(1, 5_000.123, 1.2, 40.0, 0.0);
            let b = played(1, 5_000.037_77, 1.3, -35.0, late_s);
            let offsets = comparison.offsets_s(&a, &b, all()).unwrap();
            assert!(offsets.len() > 8, "{}", offsets.len());
            assert!(offsets.iter().all(|offset| (offset - late_s).abs() < 5e-6), "{late_s}: {offsets:?}");
        }
    }

    #[test]
    fn cards_that_drift_apart_are_measured_as_they_drift() {
        let (mut a, b) = (played(1, 100.0, 2.0, 0.0, 0.0), played(1, 100.0, 2.0, 0.0, 0.0));
        a.stretches[0].rate_hz *= 1.0 + 200e-6;
        let offsets = Comparison::new().offsets_s(&a, &b, all()).unwrap();
        let (first, last) = (offsets[0], offsets[offsets.len() - 1]);
        let expected = 200e-6 * STEP_S * (offsets.len() - 1) as f64;
        assert!((last - first - expected).abs() < 5e-6, "{first} {last} {expected}");
    }

    #[test]
    fn different_music_counts_as_far_apart_and_silence_as_nothing_to_compare() {
        let comparison = Comparison::new();
        let (a, b) = (played(1, 10.0, 1.5, 0.0, 0.0), played(2, 10.0, 1.5, 0.0, 0.0));
        let offsets = comparison.offsets_s(&a, &b, all()).unwrap();
        assert!(!offsets.is_empty() && offsets.iter().all(|offset| *offset == SEARCH_S), "{offsets:?}");
        let mut quiet = played(1, 10.0, 1.5, 0.0, 0.0);
        quiet.stretches[0].frames.fill([0, 0]);
        assert_eq!(comparison.offsets_s(&a, &quiet, all()).unwrap(), [0.0; 0]);
    }

    #[test]
    fn what_is_heard_after_the_span_does_not_count() {
        let (a, mut b) = (played(1, 10.0, 3.0, 0.0, 0.0), played(1, 10.0, 3.0, 0.0, 0.0));
        let other = played(2, 10.0, 3.0, 0.0, 0.0);
        b.stretches[0].frames.truncate(72_000);
        b.stretches[0].frames.extend(&other.stretches[0].frames[72_000..]);
        let worst = |to_s: f64| {
            let offsets = Comparison::new().offsets_s(&a, &b, Span { from_s: 10.0, to_s }).unwrap();
            assert!(offsets.len() > 8);
            offsets.into_iter().map(f64::abs).fold(0.0, f64::max)
        };
        assert!(worst(11.5) < 5e-6, "{}", worst(11.5));
        assert!(worst(12.0) >= SEARCH_S);
    }

    #[test]
    fn zeros_and_a_card_that_stands_still_are_silence() {
        let mut record = played(1, 10.0, 1.0, 0.0, 0.0);
        record.stretches.extend(played(1, 11.2, 1.0, 0.0, 0.0).stretches);
        record.stretches[0].frames[24_000..24_000 + 480].fill([0, 0]);
        record.stretches[0].frames[30_000..30_000 + 200].fill([0, 0]);
        let found = silences(&record, Span { from_s: 10.1, to_s: 12.1 });
        let [zeros, still] = found.as_slice() else { panic!("{found:?}") };
        assert!((zeros.from_s - 10.5).abs() < 1e-4 && (zeros.length_s() - 0.010).abs() < 1e-4, "{zeros:?}");
        assert!((still.from_s - 11.0).abs() < 1e-4 && (still.length_s() - 0.2).abs() < 1e-4, "{still:?}");
    }
}
