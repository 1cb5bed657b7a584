//! The stretch of a track around the place where a voice reads it, with silence before its start and after its end.

use crate::audio::Frame;

/// Consecutive frames of a track, by position.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// Position of the first frame kept.
    first: i64,
    frames: Vec<Frame>,
    /// Nothing comes after the last frame.
    ended: bool,
    scratch: Vec<Frame>,
}

/// Frames behind the reader are dropped in lots of this size.
const LOT: usize = 8_192;
/// A hole of more frames than this is no lost packet.
const HOLE_MAX: i64 = 96_000;

impl Window {
    /// One past the last frame.
    pub(super) fn end(&self) -> i64 {
        self.first + self.frames.len() as i64
    }

    pub(super) fn first(&self) -> i64 {
        self.first
    }

    /// Where the music ends, once that is known.
    pub(super) fn music_end(&self) -> Option<i64> {
        self.ended.then(|| self.end())
    }

    pub(super) fn finish(&mut self) {
        self.ended = true;
    }

    /// Appends a block; a hole before it is silence, an overlap is skipped.
    pub(super) fn append(&mut self, first: i64, frames: &[Frame]) {
        let hole = first - self.end();
        if self.frames.is_empty() || hole > HOLE_MAX {
            self.frames.clear();
            self.first = first;
        } else if hole > 0 {
            self.frames.resize(self.frames.len() + hole as usize, [0.0; 2]);
        }
        let overlap = usize::try_from(self.end() - first).unwrap_or(0);
        self.frames.extend(frames.get(overlap..).unwrap_or_default());
    }

    /// Forgets what stands before `position`, now or when it is worth the copying.
    pub(super) fn release(&mut self, position: i64) {
        let behind = usize::try_from(position - self.first).unwrap_or(0).min(self.frames.len());
        if behind >= LOT {
            self.frames.drain(..behind);
            self.first += behind as i64;
        }
    }

    /// Whether all frames of `from..to` are known, those outside of the track being silence.
    pub(super) fn covers(&self, from: i64, to: i64) -> bool {
        !self.frames.is_empty() && from.max(0) >= self.first && (self.ended || to <= self.end())
    }

    /// The frames `from..from + count`.
    pub(super) fn around(&mut self, from: i64, count: usize) -> &[Frame] {
        let start = from - self.first;
        if let Ok(start) = usize::try_from(start)
            && start + count <= self.frames.len()
        {
            return self.frames.get(start..start + count).unwrap_or_default();
        }
        self.scratch.clear();
        let frames = &self.frames;
        self.scratch.extend(
            (start..start + count as i64)
                .map(|at| usize::try_from(at).ok().and_then(|at| frames.get(at)).copied().unwrap_or_default()),
        );
        &self.scratch
    }
}
