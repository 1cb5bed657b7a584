//! Decoded frames on their way to the pacer: a thread for each voice, and a queue of about two seconds.

use super::{Control, DecodeError, Decoder, under_way};
use crate::audio::Frame;
use crate::audio::realtime;
use crate::core::clock::Monotonic;
use crate::core::io::Source;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};

/// Frames in a block, at least.
const BLOCK_FRAMES: usize = 4_096;
/// Room for the whole packets of most formats that make a block.
const BLOCK_CAPACITY_FRAMES: usize = 5_120;
/// Blocks that wait: 1.9 s at 44.1 kHz, and 820 kB.
const BLOCKS_MAX: usize = 20;

/// What a feed has to give.
#[derive(Debug)]
pub enum Fed {
    /// Comes first: frames per second.
    Rate(u32),
    /// Frames, the first of which stands at `first`.
    Block {
        first: u64,
        frames: Vec<Frame>,
    },
    /// The music ends here.
    End,
    /// Nothing yet.
    Pending,
    Failed(String),
}

/// Where a voice gets its frames from.
pub trait Feed: Send {
    /// What comes next; never waits.
    fn poll(&mut self) -> Fed;
    /// The file has all its bytes now.
    fn completed(&self);
}

/// Opens files for the pacer.
pub trait Library: Send {
    /// Frames from `position_us` on.
    fn open(&self, source: &Source, position_us: i64) -> Box<dyn Feed>;
}

/// Decodes each file in a thread of its own.
pub struct ThreadLibrary {
    pub clock: Arc<dyn Monotonic>,
}

impl Library for ThreadLibrary {
    fn open(&self, source: &Source, position_us: i64) -> Box<dyn Feed> {
        let (to_voice, blocks) = sync_channel(BLOCKS_MAX);
        let control = Arc::new(Control::default());
        let work =
            Work { source: source.clone(), position_us, control: Arc::clone(&control), clock: Arc::clone(&self.clock) };
        let thread = std::thread::Builder::new().name("jamz-decode".into()).spawn(move || {
            realtime::release();
            under_way::begin(&work.source.path);
            work.run(&to_voice);
        });
        match thread {
            Ok(_) => Box::new(ThreadFeed { blocks, control, over: false }),
            Err(error) => Box::new(NoFeed { problem: Some(format!("no thread for a decoder: {error}")) }),
        }
    }
}

struct Work {
    source: Source,
    position_us: i64,
    control: Arc<Control>,
    clock: Arc<dyn Monotonic>,
}

impl Work {
    /// Ends with the file, or when nobody listens any more.
    fn run(&self, to_voice: &SyncSender<Fed>) {
        let last = match self.decode(to_voice) {
            Ok(()) => Fed::End,
            Err(error) => Fed::Failed(error.to_string()),
        };
        let _ = to_voice.send(last);
    }

    fn decode(&self, to_voice: &SyncSender<Fed>) -> Result<(), DecodeError> {
        let mut decoder = Decoder::open(&self.source, &self.control, &self.clock)?;
        if to_voice.send(Fed::Rate(decoder.rate_hz())).is_err() {
            return Ok(());
        }
        decoder.seek(frame_at(self.position_us, decoder.rate_hz()))?;
        while let Some((first, frames)) = next_block(&mut decoder)? {
            if to_voice.send(Fed::Block { first, frames }).is_err() {
                break;
            }
        }
        Ok(())
    }
}

fn frame_at(position_us: i64, rate_hz: u32) -> u64 {
    (position_us.max(0) as u64).saturating_mul(u64::from(rate_hz)) / 1_000_000
}

/// Packets that follow each other, joined to a block worth sending.
fn next_block(decoder: &mut Decoder) -> Result<Option<(u64, Vec<Frame>)>, DecodeError> {
    let mut frames = Vec::with_capacity(BLOCK_CAPACITY_FRAMES);
    let Some(first) = decoder.next(&mut frames)? else { return Ok(None) };
    while frames.len() < BLOCK_FRAMES {
        let expected = first + frames.len() as u64;
        let old = frames.len();
        match decoder.next(&mut frames)? {
            Some(found) if found > expected => {
                // A packet was lost: silence in its place.
                let lost = (found - expected).min(BLOCK_FRAMES as u64) as usize;
                frames.splice(old..old, std::iter::repeat_n([0.0; 2], lost));
            }
            Some(found) if found < expected => {
                let overlap = (expected - found).min((frames.len() - old) as u64) as usize;
                frames.drain(old..old + overlap);
            }
            Some(_) => {}
            None => break,
        }
    }
    Ok(Some((first, frames)))
}

struct ThreadFeed {
    blocks: Receiver<Fed>,
    control: Arc<Control>,
    over: bool,
}

impl Feed for ThreadFeed {
    fn poll(&mut self) -> Fed {
        if self.over {
            return Fed::End;
        }
        match self.blocks.try_recv() {
            Ok(fed) => {
                self.over = matches!(fed, Fed::End | Fed::Failed(_));
                fed
            }
            Err(TryRecvError::Empty) => Fed::Pending,
            Err(TryRecvError::Disconnected) => {
                self.over = true;
                Fed::Failed("its decoder ended unexpectedly".into())
            }
        }
    }

    fn completed(&self) {
        self.control.complete.store(true, Ordering::Release);
    }
}

impl Drop for ThreadFeed {
    fn drop(&mut self) {
        self.control.cancelled.store(true, Ordering::Release);
    }
}

/// A feed that could not be had.
struct NoFeed {
    problem: Option<String>,
}

impl Feed for NoFeed {
    fn poll(&mut self) -> Fed {
        self.problem.take().map_or(Fed::End, Fed::Failed)
    }

    fn completed(&self) {}
}

/// Decodes in place, whenever it is asked: for renderings that run in no real time.
pub struct InlineLibrary {
    pub clock: Arc<dyn Monotonic>,
}

impl Library for InlineLibrary {
    fn open(&self, source: &Source, position_us: i64) -> Box<dyn Feed> {
        let control = Arc::new(Control::default());
        match Decoder::open(source, &control, &self.clock) {
            Ok(decoder) => Box::new(InlineFeed { decoder, position_us, control, stage: 0 }),
            Err(error) => Box::new(NoFeed { problem: Some(error.to_string()) }),
        }
    }
}

struct InlineFeed {
    decoder: Decoder,
    position_us: i64,
    control: Arc<Control>,
    stage: u8,
}

impl Feed for InlineFeed {
    fn poll(&mut self) -> Fed {
        let rate_hz = self.decoder.rate_hz();
        match self.stage {
            0 => {
                self.stage = 1;
                match self.decoder.seek(frame_at(self.position_us, rate_hz)) {
                    Ok(()) => Fed::Rate(rate_hz),
                    Err(error) => Fed::Failed(error.to_string()),
                }
            }
            1 => match next_block(&mut self.decoder) {
                Ok(Some((first, frames))) => Fed::Block { first, frames },
                Ok(None) => {
                    self.stage = 2;
                    Fed::End
                }
                Err(error) => {
                    self.stage = 2;
                    Fed::Failed(error.to_string())
                }
            },
            _ => Fed::End,
        }
    }

    fn completed(&self) {
        self.control.complete.store(true, Ordering::Release);
    }
}
