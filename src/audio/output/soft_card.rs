//! A sound card in software: its own crystal, its own buffer, real underruns; what it plays goes to a file, or nowhere.

use super::line::{Loss, Player};
use super::recording::Recording;
use super::wav::WavFile;
use super::{Card, MakePlayer, OutputError, Session};
use crate::audio::air::Air;
use crate::audio::realtime;
use crate::core::clock::{MonoTime, Monotonic};
use std::io;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often the card wants frames: half a buffer at a time, within these bounds.
const PERIODS_PER_S: RangeInclusive<u32> = 50..=100;

/// Signed 16-bit stereo.
pub(super) type Pcm = [i16; 2];

/// Where the played frames go.
pub(super) trait Sink: Send {
    /// The card starts to play with frame `first` at this instant, at this true rate.
    fn start(&mut self, at: MonoTime, first: u64, rate_hz: f64) -> io::Result<()>;
    fn write(&mut self, frames: &[Pcm]) -> io::Result<()>;
    /// The card has stopped before frame `end`.
    fn stop(&mut self, at: MonoTime, end: u64, why: &str) -> io::Result<()>;
}

/// Which sink a card opens.
pub(super) enum SinkKind {
    /// Raw samples and their exact instants, or nothing at all.
    Recording(Option<PathBuf>),
    Wav(PathBuf),
}

pub(super) struct SoftCard {
    pub rate_hz: u32,
    /// Error of its crystal.
    pub ppm: f64,
    pub buffer_us: u32,
    pub sink: SinkKind,
    pub clock: Arc<dyn Monotonic>,
    pub air: Arc<Air>,
}

/// Plays to nobody.
struct Nowhere;

impl Sink for Nowhere {
    fn start(&mut self, _at: MonoTime, _first: u64, _rate_hz: f64) -> io::Result<()> {
        Ok(())
    }

    fn write(&mut self, _frames: &[Pcm]) -> io::Result<()> {
        Ok(())
    }

    fn stop(&mut self, _at: MonoTime, _end: u64, _why: &str) -> io::Result<()> {
        Ok(())
    }
}

impl Card for SoftCard {
    fn open(&mut self, make: MakePlayer<'_>) -> Result<Session, OutputError> {
        let buffer = (u64::from(self.rate_hz) * u64::from(self.buffer_us) / 1_000_000) as usize;
        let period_of = |periods_per_s: &u32| (self.rate_hz / periods_per_s).max(1) as usize;
        let period = (buffer / 2).clamp(period_of(PERIODS_PER_S.end()), period_of(PERIODS_PER_S.start()));
        let buffer = (buffer / period).max(2) * period;
        let sink: Box<dyn Sink> = match &self.sink {
            SinkKind::Recording(None) => Box::new(Nowhere),
            SinkKind::Recording(Some(path)) => Box::new(Recording::create(path, self.rate_hz, buffer, period)?),
            SinkKind::Wav(path) => Box::new(WavFile::create(path, self.rate_hz)?),
        };
        let stop = Arc::new(AtomicBool::new(false));
        let converter = Converter {
            player: make(self.rate_hz),
            sink,
            clock: Arc::clone(&self.clock),
            air: Arc::clone(&self.air),
            rate_hz: f64::from(self.rate_hz) * (1.0 + self.ppm * 1e-6),
            period,
            buffer,
            stop: Arc::clone(&stop),
            written: 0,
            pcm: vec![[0; 2]; period],
        };
        let thread = std::thread::Builder::new().name("jamz-card".into()).spawn(move || {
            realtime::claim();
            converter.run();
        });
        let thread = thread.map_err(|e| OutputError::Open(e.to_string()))?;
        Ok(Box::new(SoftSession { stop, thread: Some(thread) }))
    }
}

struct SoftSession {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for SoftSession {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Converter {
    player: Player,
    sink: Box<dyn Sink>,
    clock: Arc<dyn Monotonic>,
    air: Arc<Air>,
    /// Frames it truly plays in a second of the monotonic clock.
    rate_hz: f64,
    period: usize,
    buffer: usize,
    stop: Arc<AtomicBool>,
    written: u64,
    pcm: Vec<Pcm>,
}

impl Converter {
    fn run(mut self) {
        if let Err(error) = self.convert() {
            tracing::warn!(%error, "the virtual sound card cannot write what it plays");
            self.player.shared().lose(Loss::Failed);
        }
    }

    /// Plays run after run, each until the buffer is empty or nobody wants the card any more.
    fn convert(&mut self) -> io::Result<()> {
        while !self.stop.load(Ordering::Acquire) {
            let first = self.written;
            for _ in (0..self.buffer).step_by(self.period) {
                self.ask(None)?;
            }
            let start = self.clock.now();
            self.sink.start(start, first, self.rate_hz)?;
            let underrun = self.converse(start, first)?;
            let (end, why) =
                if underrun { (self.written, "xrun") } else { (self.written.min(first + self.done(start)), "stop") };
            self.sink.stop(self.clock.now(), end, why)?;
            if underrun {
                self.player.shared().restarted();
            }
        }
        Ok(())
    }

    /// Frames played since `start`.
    fn done(&self, start: MonoTime) -> u64 {
        ((self.clock.now() - start).max(0) as f64 * 1e-6 * self.rate_hz) as u64
    }

    /// Asks for a period whenever there is room for it. Returns true when the buffer ran empty.
    fn converse(&mut self, start: MonoTime, first: u64) -> io::Result<bool> {
        while !self.stop.load(Ordering::Acquire) {
            let played = (self.clock.now() - start).max(0) as f64 * 1e-6 * self.rate_hz;
            let waiting = (self.written - first) as f64 - played;
            if waiting < 0.0 {
                return Ok(true);
            }
            let room = self.buffer as f64 - waiting;
            if room >= self.period as f64 {
                self.ask(Some(waiting))?;
                let sound = self.pcm.iter().map(|[left, _]| f32::from(*left) / 32_768.0);
                self.air.carry(start, self.written - self.period as u64 - first, self.rate_hz, sound);
            } else {
                let rest_us = (self.period as f64 - room) * 1e6 / self.rate_hz;
                std::thread::sleep(Duration::from_micros(rest_us as u64 + 1));
            }
        }
        Ok(false)
    }

    /// Asks for the next period, while so many frames are still waiting to be played.
    fn ask(&mut self, waiting: Option<f64>) -> io::Result<()> {
        let delay_us = waiting.map(|waiting| (waiting * 1e6 / self.rate_hz).round() as i64);
        let pcm = &mut self.pcm;
        self.player.play(self.period, delay_us, |index, frame| {
            if let Some(place) = pcm.get_mut(index) {
                *place = frame.map(nearest);
            }
        });
        self.written += self.period as u64;
        self.sink.write(&self.pcm)
    }
}

/// Rounded by hand: the library's `round` is a call for each sample where the processor has no instruction for it.
fn nearest(sample: f32) -> i16 {
    (sample * 32_767.0 + 0.5_f32.copysign(sample)) as i16
}
