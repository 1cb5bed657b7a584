//! Chirps on their way to the card: each sample is made for the very instant at which its frame leaves the card.

use super::DacLine;
use crate::audio::Frame;
use crate::core::chirp::{Sweep, TRAIN_US};
use crate::core::clock::MonoTime;

/// The train of chirps that is being played or comes, if any.
#[derive(Debug, Default)]
pub struct Chirps {
    train: Option<(MonoTime, Sweep)>,
}

impl Chirps {
    /// Plays a train whose first frame leaves the card at this instant, whatever the delay.
    pub fn begin(&mut self, at: MonoTime, sweep: Sweep) {
        self.train = Some((at, sweep));
    }

    /// Adds what of the train falls into a block that begins with this frame of the card.
    pub(super) fn mix(&mut self, line: Option<&DacLine>, first: u64, block: &mut [Frame]) {
        let (Some((at, sweep)), Some(line)) = (self.train, line) else { return };
        let begin_us = line.at_us(first) - at.0 as f64;
        for (index, frame) in block.iter_mut().enumerate() {
            let sample = sweep.train(begin_us + index as f64 * line.us_per_frame);
            *frame = frame.map(|sound| sound + sample);
        }
        if begin_us > TRAIN_US as f64 {
            self.train = None;
        }
    }
}
