//! Loudness that never steps: fades of voices, the ramp of the volume, the knee of what is amplified.

use crate::audio::Frame;

/// How long the loudness takes from nought to all, and back.
pub(super) const VOLUME_US: f64 = 50_000.0;

/// A gain between nought and one that moves at a steady pace.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fade {
    level: f32,
    target: f32,
    step: f32,
}

impl Fade {
    /// Crosses the whole range in `duration_us`.
    pub(super) fn new(level: f32, duration_us: f64, rate_hz: u32) -> Self {
        Self { level, target: level, step: (1e6 / (duration_us * f64::from(rate_hz.max(1)))) as f32 }
    }

    pub(super) fn to(&mut self, target: f32) {
        self.target = target;
    }

    pub(super) fn set(&mut self, level: f32) {
        (self.level, self.target) = (level, level);
    }

    pub(super) fn level(&self) -> f32 {
        self.level
    }

    pub(super) fn is_silent(&self) -> bool {
        self.level <= 0.0 && self.target <= 0.0
    }

    /// The next gain on a straight line.
    pub(super) fn next(&mut self) -> f32 {
        let rest = self.target - self.level;
        self.level = if rest.abs() <= self.step { self.target } else { self.level + self.step.copysign(rest) };
        self.level
    }

    /// The next gain on a smooth curve whose rise and fall sum to one.
    pub(super) fn next_smooth(&mut self) -> f32 {
        let level = self.next();
        level * level * (3.0 - 2.0 * level)
    }
}

/// Above this, amplified music is bent.
const KNEE: f32 = 0.8;

/// Bends what would clip; below the knee nothing is changed.
pub(super) fn bend(sample: f32) -> f32 {
    let beyond = sample.abs() - KNEE;
    if beyond <= 0.0 {
        return sample;
    }
    let room = 1.0 - KNEE;
    (KNEE + room * (beyond / room).tanh()).copysign(sample)
}

/// Adds `frame` at this gain.
pub(super) fn mix(out: &mut Frame, frame: Frame, gain: f32, bent: bool) {
    let [out_l, out_r] = out;
    let [l, r] = frame;
    let (l, r) = (l * gain, r * gain);
    let (l, r) = if bent { (bend(l), bend(r)) } else { (l, r) };
    *out_l += l;
    *out_r += r;
}
