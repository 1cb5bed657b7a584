//! Band-limited interpolation: the value of sampled sound at any instant between its samples.
//!
//! A Kaiser-windowed sinc, tabulated at 256 phases, with linear interpolation between two of them (Smith, "Digital
//! Audio Resampling", 2002). It is linear and has no state, so voices may be cut, joined and summed at any place.

use crate::audio::Frame;

const PHASES: usize = 256;
/// Taps on each side at equal rates.
const HALF_TAPS: f64 = 32.0;
/// Kaiser's beta: side lobes at -100 dB.
const BETA: f64 = 10.0;
/// Cutoff as a part of the lower Nyquist frequency; images fold back only above 18 kHz.
const CUTOFF: f64 = 0.95;
/// Nothing is slowed down more than this: a longer filter would cost more than it gives.
const RATIO_MAX: f64 = 8.0;

/// A tabulated filter for one ratio of rates.
#[derive(Debug)]
pub struct Kernel {
    half: usize,
    /// One row of `2 * half` coefficients for each phase, and one more.
    table: Vec<f32>,
}

impl Kernel {
    /// For music of `source_hz` on a card of `device_hz`.
    #[must_use]
    pub fn new(source_hz: u32, device_hz: u32) -> Self {
        let ratio = (f64::from(source_hz) / f64::from(device_hz.max(1))).clamp(1.0, RATIO_MAX);
        // Taps are taken four at a time.
        let half = ((HALF_TAPS * ratio / 2.0).ceil() * 2.0) as usize;
        let cutoff = CUTOFF / ratio;
        let mut table = Vec::with_capacity((PHASES + 1) * 2 * half);
        for phase in 0..=PHASES {
            let fraction = phase as f64 / PHASES as f64;
            let row: Vec<f64> = (0..2 * half)
                .map(|tap| {
                    let at = tap as f64 - (half as f64 - 1.0) - fraction;
                    sinc(at * cutoff) * kaiser(at / half as f64)
                })
                .collect();
            let sum: f64 = row.iter().sum();
            table.extend(row.iter().map(|c| (c / sum) as f32));
        }
        Self { half, table }
    }

    /// Taps on each side of the position.
    #[must_use]
    pub fn half(&self) -> usize {
        self.half
    }

    /// The value at `fraction` after the frame number `half - 1` of these `2 * half`.
    #[must_use]
    pub fn value(&self, frames: &[Frame], fraction: f64) -> Frame {
        let scaled = fraction * PHASES as f64;
        let phase = (scaled as usize).min(PHASES - 1);
        let between = (scaled - phase as f64) as f32;
        let taps = 2 * self.half;
        let low = self.table.get(phase * taps..(phase + 1) * taps).unwrap_or_default();
        let high = self.table.get((phase + 1) * taps..(phase + 2) * taps).unwrap_or_default();
        // Four sums for each side, so that they can be made side by side.
        let mut sums = [[0.0_f32; 2]; 4];
        let (low, high, frames) = (low.as_chunks::<4>().0, high.as_chunks::<4>().0, frames.as_chunks::<4>().0);
        for ((low, high), frames) in low.iter().zip(high).zip(frames) {
            for (((sum, low), high), frame) in sums.iter_mut().zip(low).zip(high).zip(frames) {
                let weight = low + between * (high - low);
                let ([sum_l, sum_r], [l, r]) = (sum, frame);
                *sum_l += weight * l;
                *sum_r += weight * r;
            }
        }
        sums.iter().fold([0.0, 0.0], |[l, r], [sl, sr]| [l + sl, r + sr])
    }
}

fn sinc(x: f64) -> f64 {
    let angle = std::f64::consts::PI * x;
    if angle.abs() < 1e-9 { 1.0 } else { angle.sin() / angle }
}

fn kaiser(x: f64) -> f64 {
    if x.abs() >= 1.0 { 0.0 } else { bessel_i0(BETA * (1.0 - x * x).sqrt()) / bessel_i0(BETA) }
}

/// The modified Bessel function of order nought, by its series.
fn bessel_i0(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let (mut term, mut sum) = (1.0, 1.0);
    for k in 1..60 {
        term *= quarter / f64::from(k * k);
        sum += term;
    }
    sum
}
