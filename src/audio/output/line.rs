//! Between the pacer and a sound card: a short ring of frames one way, what the card says of its time the other way.
//!
//! The player is the body of every card's real-time callback. It allocates nothing, locks nothing, logs nothing. When
//! it has taken frames it wakes the pacer, which so has as much time as there is to send others.

use crate::audio::Frame;
use crate::audio::pace::Observation;
use crate::core::clock::Monotonic;
use rtrb::{Consumer, Producer, RingBuffer};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::thread::Thread;

/// What is kept ahead of the card's own buffer: a card that is late asks for two buffers in one go.
const AHEAD_US: u64 = 45_000;
/// What is kept, at least, beyond the largest buffer that the card has asked for.
const MARGIN_US: u64 = 15_000;
/// What the ring can hold: some sound servers ask for very large buffers.
const RING_US: u64 = 400_000;
/// Observations that wait to be read: more than a second of them.
const OBSERVATIONS_MAX: usize = 256;
/// How long the sound takes to come back after a hole.
const RETURN_US: u64 = 5_000;
/// What is left, after each frame, of the last one before a hole: a click would be worse.
const DECAY: f32 = 0.97;

/// What both sides can see.
#[derive(Debug, Default)]
pub struct Shared {
    /// Frames the card has asked for.
    frames: AtomicU64,
    /// Buffers the card has asked for.
    buffers: AtomicU64,
    /// Frames of the largest buffer the card has asked for.
    largest: AtomicUsize,
    /// Holes in the sound: the ring was empty.
    holes: AtomicU64,
    /// Times that the card stopped and started anew.
    restarts: AtomicU32,
    /// Frames that will never be sent.
    skipped: AtomicU64,
    /// The card is gone.
    lost: AtomicBool,
    loss: AtomicU8,
}

/// The card's side.
pub struct Player {
    frames: Consumer<Frame>,
    observations: Producer<Observation>,
    shared: Arc<Shared>,
    clock: Arc<dyn Monotonic>,
    pacer: Thread,
    played: u64,
    /// Frames that were silent in place of frames that came too late: those are thrown away when they come, so that
    /// every frame of the ring has its fixed place in time.
    owed: u64,
    epoch: u32,
    buffers: u32,
    /// Frames have come through since the card runs; while it is filled up before that, nothing is heard to be missing.
    primed: bool,
    last: Frame,
    gain: f32,
    gain_step: f32,
}

/// The pacer's side.
pub struct Line {
    frames: Producer<Frame>,
    observations: Consumer<Observation>,
    shared: Arc<Shared>,
    ahead_frames: usize,
    margin_frames: usize,
}

/// Joins a pacer, in whose thread this is called, and a card of this rate.
#[must_use]
pub fn line(rate_hz: u32, clock: Arc<dyn Monotonic>) -> (Line, Player) {
    let in_frames = |us: u64| (u64::from(rate_hz) * us / 1_000_000).max(1) as usize;
    let (ahead_frames, margin_frames) = (in_frames(AHEAD_US), in_frames(MARGIN_US));
    let (to_card, frames) = RingBuffer::new(in_frames(RING_US));
    let (to_pacer, observations) = RingBuffer::new(OBSERVATIONS_MAX);
    let shared = Arc::new(Shared::default());
    let player = Player {
        frames,
        observations: to_pacer,
        shared: Arc::clone(&shared),
        clock,
        pacer: std::thread::current(),
        played: 0,
        owed: 0,
        epoch: 0,
        buffers: 0,
        primed: false,
        last: [0.0; 2],
        gain: 1.0,
        gain_step: 1.0 / in_frames(RETURN_US) as f32,
    };
    (Line { frames: to_card, observations, shared, ahead_frames, margin_frames }, player)
}

impl Player {
    /// A handle for the card's other callbacks.
    #[must_use]
    pub fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Fills a buffer; `write` gets every frame, in order. The first of them will be heard in `delay_us`, unless the
    /// card does not run yet and so cannot know.
    pub fn play(&mut self, count: usize, delay_us: Option<i64>, mut write: impl FnMut(usize, Frame)) {
        if let Some(delay_us) = delay_us {
            self.observe(delay_us);
        }
        let skipped = self.shared.skipped.swap(0, Ordering::AcqRel);
        self.owed = self.owed.saturating_sub(skipped);
        let late = usize::try_from(self.owed).unwrap_or(usize::MAX).min(self.frames.slots());
        if let Ok(chunk) = self.frames.read_chunk(late) {
            chunk.commit_all();
            self.owed -= late as u64;
        }
        let ready = if self.owed > 0 { 0 } else { self.frames.slots().min(count) };
        let mut index = 0;
        if let Ok(chunk) = self.frames.read_chunk(ready) {
            let (first, second) = chunk.as_slices();
            for frame in first.iter().chain(second) {
                self.gain = (self.gain + self.gain_step).min(1.0);
                self.last = frame.map(|sample| sample * self.gain);
                write(index, self.last);
                index += 1;
            }
            chunk.commit_all();
        }
        self.primed |= index > 0 && delay_us.is_some();
        if index < count {
            self.hole(count - index);
            for index in index..count {
                self.last = self.last.map(|sample| sample * DECAY);
                write(index, self.last);
            }
        }
        self.played += count as u64;
        self.shared.frames.store(self.played, Ordering::Release);
        self.shared.largest.fetch_max(count, Ordering::Relaxed);
        self.shared.buffers.fetch_add(1, Ordering::AcqRel);
        self.pacer.unpark();
    }

    fn observe(&mut self, delay_us: i64) {
        let epoch = self.shared.restarts.load(Ordering::Acquire);
        if epoch != self.epoch {
            (self.epoch, self.buffers) = (epoch, 0);
        }
        let at_us = self.clock.now().0.saturating_add(delay_us);
        // A full ring means that the pacer is held up, and then old observations do as well.
        let _ = self.observations.push(Observation { epoch, buffers: self.buffers, frame: self.played, at_us });
        self.buffers = self.buffers.saturating_add(1);
    }

    fn hole(&mut self, frames: usize) {
        self.owed += frames as u64;
        self.gain = 0.0;
        if self.primed {
            self.shared.holes.fetch_add(1, Ordering::AcqRel);
            self.primed = false;
        }
    }
}

/// Why a card was lost, as far as a callback can tell without a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Loss {
    Gone = 1,
    Failed = 2,
}

impl Shared {
    /// The card ran empty and starts anew.
    pub fn restarted(&self) {
        self.restarts.fetch_add(1, Ordering::AcqRel);
    }

    /// The card will play no more.
    pub fn lose(&self, loss: Loss) {
        self.loss.store(loss as u8, Ordering::Release);
        self.lost.store(true, Ordering::Release);
    }
}

impl Line {
    /// Frames that the ring should still be given.
    #[must_use]
    pub fn wanted(&self) -> usize {
        let filled = self.frames.buffer().capacity() - self.frames.slots();
        let largest = self.shared.largest.load(Ordering::Relaxed);
        let ahead = self.ahead_frames.max(largest + self.margin_frames).min(self.frames.buffer().capacity());
        ahead.saturating_sub(filled)
    }

    /// Sends a block that [`Line::wanted`] asked for.
    pub fn send(&mut self, block: &[Frame]) {
        // There is always room for what was wanted.
        let _ = self.frames.push_partial_slice(block);
    }

    /// Frames the card has asked for so far.
    #[must_use]
    pub fn played(&self) -> u64 {
        self.shared.frames.load(Ordering::Acquire)
    }

    /// Buffers the card has asked for so far.
    #[must_use]
    pub fn buffers(&self) -> u64 {
        self.shared.buffers.load(Ordering::Acquire)
    }

    /// The next `frames` frames will not be sent, for the card has gone past them.
    pub fn skip(&self, frames: u64) {
        self.shared.skipped.fetch_add(frames, Ordering::AcqRel);
    }

    /// Holes in the sound so far, the card's own included.
    #[must_use]
    pub fn underruns(&self) -> u64 {
        self.shared.holes.load(Ordering::Acquire) + u64::from(self.shared.restarts.load(Ordering::Acquire))
    }

    /// What the card said since the last time.
    pub fn observation(&mut self) -> Option<Observation> {
        self.observations.pop().ok()
    }

    /// Why the card is gone, when it is.
    #[must_use]
    pub fn lost(&self) -> Option<Loss> {
        let lost = self.shared.lost.load(Ordering::Acquire);
        let gone = self.shared.loss.load(Ordering::Acquire) == Loss::Gone as u8;
        lost.then_some(if gone { Loss::Gone } else { Loss::Failed })
    }
}
