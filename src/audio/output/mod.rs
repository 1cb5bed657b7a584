//! Sound cards: ALSA's, a virtual one with a crystal of its own, a WAV file. All drive the same player.

mod alsa;
mod line;
mod name;
mod recording;
mod soft_card;
mod wav;

pub use line::{Line, Loss, Player, Shared, line};
pub use name::{OutputName, OutputNameError};

use super::Config;
use super::air::Air;
use crate::core::clock::Monotonic;
use crate::core::request::OutputInfo;
use std::any::Any;
use std::sync::Arc;

/// Why a card cannot be opened now.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    #[error("there is no sound card {0}; `jamzctl outputs` lists those there are")]
    Absent(String),
    #[error("the sound card cannot be opened: {0}")]
    Open(String),
    #[error("the file cannot be written: {0}")]
    Write(#[from] std::io::Error),
}

/// Makes the player for a card whose rate has turned out.
pub type MakePlayer<'a> = &'a mut dyn FnMut(u32) -> Player;

/// A card that plays until it is dropped.
pub type Session = Box<dyn Any + Send>;

/// A sound card that may be there.
pub trait Card: Send {
    /// Opens it and starts it; it calls the player from a thread of its own.
    ///
    /// # Errors
    /// [`OutputError`] while it is not there; it may come later.
    fn open(&mut self, make: MakePlayer<'_>) -> Result<Session, OutputError>;
}

/// The card that the configuration names.
#[must_use]
pub(super) fn card(config: &Config, clock: &Arc<dyn Monotonic>, air: &Arc<Air>) -> Box<dyn Card> {
    match &config.output {
        OutputName::Alsa(name) => Box::new(alsa::AlsaCard { name: name.clone(), buffer_us: config.buffer_us }),
        OutputName::Virtual => Box::new(soft_card::SoftCard {
            rate_hz: config.rate_hz,
            ppm: config.virtual_ppm,
            buffer_us: config.buffer_us,
            sink: soft_card::SinkKind::Recording(config.record.clone()),
            clock: Arc::clone(clock),
            air: Arc::clone(air),
        }),
        OutputName::Wav(path) => Box::new(soft_card::SoftCard {
            rate_hz: config.rate_hz,
            ppm: 0.0,
            buffer_us: config.buffer_us,
            sink: soft_card::SinkKind::Wav(path.clone()),
            clock: Arc::clone(clock),
            air: Arc::clone(air),
        }),
    }
}

/// All outputs that a configuration may name.
#[must_use]
pub fn list() -> Vec<OutputInfo> {
    let info = |name: &str, description: &str| OutputInfo {
        name: name.into(),
        description: description.into(),
        active: false,
    };
    let mut outputs = alsa::list();
    outputs
        .push(info("virtual", "plays to nobody, with a clock of its own; for a machine without sound, and for tests"));
    outputs.push(info("wav:PATH", "writes what would be heard into a file"));
    outputs
}
