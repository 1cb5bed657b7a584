//! Sounds whose every sample is known, and WAV files of them.

use jamz::audio::Frame;
use jamz::core::io::Source;
use std::f64::consts::TAU;
use std::fs;
use std::path::Path;

/// Frames of the sweep in `tests/fixtures/tones`, at 44.1 kHz.
pub const SWEEP_FRAMES: usize = 26_461;

/// The sweep at a time in seconds, as `tests/fixtures/make.sh` makes it; silence outside.
pub fn sweep(t: f64) -> Frame {
    if !(0.0..SWEEP_FRAMES as f64 / 44_100.0).contains(&t) {
        return [0.0; 2];
    }
    let value = (TAU * (200.0 * t + 3_000.0 * t * t)).sin();
    [(0.5 * value) as f32, (0.25 * value) as f32]
}

/// A steady tone.
pub fn sine(hz: f64, level: f64) -> impl Fn(f64) -> Frame {
    move |t| [(level * (TAU * hz * t).sin()) as f32; 2]
}

/// `count` frames of a sound.
pub fn frames(sound: impl Fn(f64) -> Frame, rate_hz: u32, count: usize) -> Vec<Frame> {
    (0..count).map(|i| sound(i as f64 / f64::from(rate_hz))).collect()
}

/// Writes a WAV file of 32-bit floats, which keeps every sample as it is.
pub fn write_wav(path: &Path, rate_hz: u32, frames: &[Frame]) -> Source {
    let data_bytes = frames.len() as u32 * 8;
    let mut bytes = Vec::new();
    bytes.extend(b"RIFF");
    bytes.extend((data_bytes + 36).to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    bytes.extend(16_u32.to_le_bytes());
    bytes.extend([3_u16, 2].map(u16::to_le_bytes).concat());
    bytes.extend([rate_hz, rate_hz * 8].map(u32::to_le_bytes).concat());
    bytes.extend([8_u16, 32].map(u16::to_le_bytes).concat());
    bytes.extend(b"data");
    bytes.extend(data_bytes.to_le_bytes());
    bytes.extend(frames.iter().flatten().flat_map(|sample| sample.to_le_bytes()));
    fs::write(path, bytes).unwrap();
    source(path)
}

/// A complete file.
pub fn source(path: &Path) -> Source {
    Source { path: path.to_str().unwrap().into(), growing: None }
}

/// Root mean square of what `a` differs from `b`, over that of `b`, in decibels.
pub fn error_db(a: &[Frame], b: &[Frame]) -> f64 {
    let power = |x: f64| x * x;
    let noise: f64 = a.iter().flatten().zip(b.iter().flatten()).map(|(a, b)| power(f64::from(a - b))).sum();
    let signal: f64 = b.iter().flatten().map(|b| power(f64::from(*b))).sum();
    10.0 * (noise / signal).log10()
}
