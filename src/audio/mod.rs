//! PLAYS: decodes files, paces them after the convoy's clock, and drives a sound card.
//!
//! Three threads at most stand between a file and the card: a decoder for each track, the pacer, and the card's own
//! callback, which does nothing but pass frames on.

mod air;
mod config;
pub mod decode;
mod engine;
mod inbox;
pub mod input;
pub mod output;
pub mod pace;
mod pcm;
mod realtime;

pub use config::{Config, ConfigError};
pub use output::{OutputName, OutputNameError};

use crate::core::clock::Monotonic;
use crate::core::io::AudioCommand;
use crate::core::request::OutputInfo;
use crate::core::status::AudioStatus;
use air::Air;
use decode::ThreadLibrary;
use engine::Engine;
use inbox::Inbox;
use input::Ears;
use output::Card;
use pace::Pacer;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

/// Left and right, from -1 to 1.
pub type Frame = [f32; 2];

/// Why the audio path cannot run at all. An absent sound card is no reason: it may come.
#[derive(Debug, thiserror::Error)]
pub enum AudioError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("no thread for the audio path: {0}")]
    Thread(#[from] std::io::Error),
}

/// The audio path, playing until it is dropped.
#[derive(Debug)]
pub struct Audio {
    inbox: Arc<Inbox>,
    beat: Arc<AtomicU64>,
    ears: Ears,
    thread: Option<JoinHandle<()>>,
}

impl Audio {
    /// Starts it. `report` is called at once when something changes, four times a second while only measured values
    /// do, and seldom otherwise, from a thread of its own; it must not wait.
    ///
    /// # Errors
    /// [`AudioError`] for settings out of bounds; never because the sound card is absent, which `report` tells.
    pub fn start(
        config: &Config,
        clock: Arc<dyn Monotonic>,
        report: Box<dyn Fn(AudioStatus) + Send>,
    ) -> Result<Self, AudioError> {
        let air = Arc::new(Air::default());
        let card = output::card(config, &clock, &air);
        Self::start_in(air, card, config, clock, report)
    }

    /// As [`Audio::start`], on a card of the caller's.
    ///
    /// # Errors
    /// As [`Audio::start`].
    pub fn start_on(
        card: Box<dyn Card>,
        config: &Config,
        clock: Arc<dyn Monotonic>,
        report: Box<dyn Fn(AudioStatus) + Send>,
    ) -> Result<Self, AudioError> {
        Self::start_in(Arc::default(), card, config, clock, report)
    }

    fn start_in(
        air: Arc<Air>,
        card: Box<dyn Card>,
        config: &Config,
        clock: Arc<dyn Monotonic>,
        report: Box<dyn Fn(AudioStatus) + Send>,
    ) -> Result<Self, AudioError> {
        config.check()?;
        let ears = Ears { air, virtual_delay_us: config.virtual_delay_us, clock: Arc::clone(&clock) };
        let inbox = Arc::new(Inbox::default());
        let beat = Arc::new(AtomicU64::new(0));
        let library = Box::new(ThreadLibrary { clock: Arc::clone(&clock) });
        let pacer = Pacer::new(library, config.rate_hz, config.latency_us);
        let output = config.output.to_string();
        let engine = Engine::new(card, pacer, clock, Arc::clone(&inbox), Arc::clone(&beat), report, output);
        let thread = std::thread::Builder::new().name("jamz-pacer".into()).spawn(move || {
            realtime::claim();
            engine.run();
        })?;
        Ok(Self { inbox, beat, ears, thread: Some(thread) })
    }

    /// Passes a command on; never waits.
    pub fn send(&self, command: AudioCommand) {
        self.inbox.send(command);
        self.wake();
    }

    /// The microphones, by which it can be heard.
    #[must_use]
    pub fn ears(&self) -> Ears {
        self.ears.clone()
    }

    /// Grows as long as the pacer runs and, while a card is open, the card asks for buffers: for a watchdog.
    pub fn beat(&self) -> u64 {
        self.beat.load(Ordering::Relaxed)
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for Audio {
    fn drop(&mut self) {
        self.inbox.stop();
        self.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// All outputs that a configuration may name.
#[must_use]
pub fn outputs() -> Vec<OutputInfo> {
    output::list()
}
