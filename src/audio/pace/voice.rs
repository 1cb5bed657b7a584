//! One track being played: where it is read, how fast, how loud.

use super::fade::{Fade, mix};
use super::kernel::Kernel;
use super::window::Window;
use super::{JOINED_US, REALIGN_US};
use crate::audio::Frame;
use crate::audio::decode::{Fed, Feed};
use crate::core::clock::ConvoyTime;
use crate::core::io::{Segment, Source};
use std::sync::Arc;

/// How long a voice takes to come or go when it does so within its track.
pub(super) const FADE_US: f64 = 10_000.0;
/// A track that ends so close to where its stretch does has ended by itself.
const NATURAL_US: f64 = 1_000.0;
/// Loudest and softest that a tag may ask for.
const GAIN_DB: std::ops::RangeInclusive<f32> = -24.0..=12.0;

/// What a voice does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Silent until its frames are there and its time has come.
    Waiting,
    Playing,
    /// On its way to silence, and then over.
    Leaving,
    Over,
}

/// Reads one stretch of one track.
pub(super) struct Voice {
    pub segment: Segment,
    /// Which segment of the plan it plays; none when the plan has no use for it any more.
    pub slot: Option<usize>,
    pub stage: Stage,
    /// The plan has no use for it any more; it sounds until the one in its place is ready, but no longer than to
    /// this frame.
    pub stays_until: Option<u64>,
    /// Another voice for the same segment is on its way, and this one leaves when that one begins.
    pub relieved: bool,
    pub failed: Option<String>,
    /// What it was opened from: a file that is fetched is elsewhere when it is complete.
    pub opened: Option<Source>,
    /// Measured position minus wanted position, in microseconds.
    pub error_us: f64,
    feed: Box<dyn Feed>,
    window: Window,
    kernel: Option<Arc<Kernel>>,
    source_hz: u32,
    /// Where it reads, in frames of the track.
    position: f64,
    fade: Fade,
    gain: f32,
}

impl Voice {
    pub(super) fn new(segment: Segment, slot: usize, feed: Box<dyn Feed>, device_hz: u32) -> Self {
        let mut voice = Self {
            opened: segment.source.clone(),
            segment,
            slot: Some(slot),
            stage: Stage::Waiting,
            stays_until: None,
            relieved: false,
            failed: None,
            error_us: 0.0,
            feed,
            window: Window::default(),
            kernel: None,
            source_hz: 0,
            position: 0.0,
            fade: Fade::new(0.0, FADE_US, device_hz),
            gain: 1.0,
        };
        voice.take_gain();
        voice
    }

    /// Whether it reads what the segment asks for, or so nearly that the rest is correction.
    pub(super) fn plays(&self, segment: &Segment) -> bool {
        let origin = |s: &Segment| s.starts - s.position_us;
        let in_place = (origin(&self.segment) - origin(segment)).abs() as f64 <= REALIGN_US;
        let ready = self.stage == Stage::Waiting && self.segment.position_us == segment.position_us;
        self.stage != Stage::Leaving
            && self.segment.track == segment.track
            && (in_place || ready)
            && (self.failed.is_none() || self.opened == segment.source)
            && segment.source.is_some()
    }

    /// The plan says something new of the stretch that this voice plays.
    pub(super) fn follow(&mut self, segment: &Segment, slot: usize) {
        if self.segment.source.as_ref().is_some_and(|s| s.growing.is_some())
            && segment.source.as_ref().is_some_and(|s| s.growing.is_none())
        {
            self.feed.completed();
        }
        self.segment = segment.clone();
        (self.slot, self.stays_until) = (Some(slot), None);
        self.take_gain();
    }

    fn take_gain(&mut self) {
        let gain_db = self.segment.gain_db.filter(|db| db.is_finite()).unwrap_or(0.0);
        self.gain = 10_f32.powf(gain_db.clamp(*GAIN_DB.start(), *GAIN_DB.end()) / 20.0);
    }

    /// Frames per second of the track, once it is open.
    pub(super) fn source_hz(&self) -> Option<f64> {
        (self.source_hz > 0).then_some(f64::from(self.source_hz))
    }

    /// Taps on each side of a position.
    pub(super) fn half(&self) -> usize {
        self.kernel.as_ref().map_or(0, |k| k.half())
    }

    /// Takes decoded frames in until those before `position` are there; `kernel` makes the filter for the track's rate.
    pub(super) fn pull(&mut self, position: f64, kernel: &mut dyn FnMut(u32) -> Arc<Kernel>) {
        while self.window.music_end().is_none() && (self.source_hz == 0 || self.window.end() < position.ceil() as i64) {
            match self.feed.poll() {
                Fed::Rate(source_hz) => {
                    self.source_hz = source_hz;
                    self.kernel = Some(kernel(source_hz));
                    return;
                }
                Fed::Block { first, frames } => self.window.append(first as i64, &frames),
                Fed::End => self.window.finish(),
                Fed::Failed(problem) => {
                    self.failed = Some(problem);
                    self.window.finish();
                }
                Fed::Pending => return,
            }
        }
    }

    /// Whether all that is read from `from` to `to` is there.
    pub(super) fn covers(&self, from: f64, to: f64) -> bool {
        let half = self.half() as i64;
        // What a seek did not decode before its start is not missed.
        let from = (from.floor() as i64 - half + 1).max(self.window.first()).min(from.floor() as i64);
        self.window.covers(from, to.floor() as i64 + half + 1)
    }

    /// Whether the frames kept begin after `position`, so that it cannot be reached any more.
    pub(super) fn is_past(&self, position: f64) -> bool {
        self.window.end() > self.window.first() && self.window.first() > (position.floor() as i64).max(0)
    }

    /// Where the music ends, once that is known.
    pub(super) fn music_end(&self) -> Option<f64> {
        self.window.music_end().map(|end| end as f64)
    }

    /// Whether what starts then comes right after its stretch.
    pub(super) fn ends_at(&self, starts: ConvoyTime) -> bool {
        self.segment.ends.is_some_and(|ends| (ends - starts).abs() <= JOINED_US)
    }

    /// Whether the track itself ends where its stretch does, so that it may ring out.
    pub(super) fn ends_naturally(&self, source_hz: f64) -> bool {
        let (Some(end), Some(ends)) = (self.music_end(), self.segment.ends) else { return false };
        let wanted_us = (ends - self.segment.starts + self.segment.position_us) as f64;
        end * 1e6 / source_hz - wanted_us < NATURAL_US
    }

    pub(super) fn position(&self) -> f64 {
        self.position
    }

    /// Starts to sound at `position`, at once or under a fade.
    pub(super) fn begin(&mut self, position: f64, faded: bool) {
        self.stage = Stage::Playing;
        self.position = position;
        self.fade.set(if faded { 0.0 } else { 1.0 });
        self.fade.to(1.0);
    }

    /// Moves on without a sound.
    pub(super) fn skip(&mut self, frames: f64) {
        self.position += frames;
        self.window.release(self.position as i64 - self.half() as i64);
    }

    /// Starts to fall silent.
    pub(super) fn leave(&mut self) {
        match self.stage {
            Stage::Playing => {
                self.stage = Stage::Leaving;
                self.fade.to(0.0);
            }
            Stage::Waiting => self.stage = Stage::Over,
            Stage::Leaving | Stage::Over => {}
        }
    }

    /// Frames of the track that can still be read in one go.
    pub(super) fn available(&self) -> f64 {
        if self.window.music_end().is_some() {
            f64::INFINITY
        } else {
            self.window.end() as f64 - self.half() as f64 - 1.0 - self.position
        }
    }

    /// Adds this voice to `out`, moving on by `step` frames of the track for each.
    pub(super) fn render(&mut self, out: &mut [Frame], step: f64) {
        let Some(kernel) = self.kernel.clone() else { return };
        let half = kernel.half();
        let bent = self.gain > 1.0;
        for frame in out {
            let whole = self.position.floor();
            let frames = self.window.around(whole as i64 - half as i64 + 1, 2 * half);
            let value = kernel.value(frames, self.position - whole);
            mix(frame, value, self.gain * self.fade.next_smooth(), bent);
            self.position += step;
        }
        self.window.release(self.position as i64 - half as i64);
        let spent = self.music_end().is_some_and(|end| self.position > end + half as f64);
        if self.stage == Stage::Leaving && (self.fade.is_silent() || spent) {
            self.stage = Stage::Over;
        }
    }

    /// Out of frames: falls silent within `out`, and waits for them to come again.
    pub(super) fn starve(&mut self, out: &mut [Frame], step: f64) {
        let count = out.len().max(1) as f32;
        let mut tail = vec![[0.0; 2]; out.len()];
        self.render(&mut tail, step);
        for (i, (frame, sound)) in out.iter_mut().zip(tail).enumerate() {
            mix(frame, sound, 1.0 - (i as f32 + 1.0) / count, false);
        }
        self.stage = if self.stage == Stage::Leaving { Stage::Over } else { Stage::Waiting };
    }
}
