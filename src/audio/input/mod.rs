//! Microphones, for as long as it takes to measure an output: ALSA's, and a virtual one that hears the virtual card.

mod alsa;
mod tape;
mod virtual_room;

pub use tape::Take;

use super::air::Air;
use super::output::OutputName;
use crate::core::clock::Monotonic;
use std::any::Any;
use std::sync::Arc;
use tape::Tape;
use virtual_room::VirtualRoom;

/// Why nothing can be heard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    #[error("there is no microphone {0}; `arecord -L` lists those there are")]
    Absent(String),
    #[error("the microphone cannot be opened: {0}")]
    Open(String),
    #[error("{0} is no microphone: write \"alsa\", \"alsa:CARD\" or \"virtual\"")]
    Deaf(OutputName),
    #[error("the microphone failed while it listened: {0}")]
    Lost(String),
}

/// All microphones of this machine.
#[derive(Clone)]
pub struct Ears {
    pub(super) air: Arc<Air>,
    /// What the virtual card's sound needs to the virtual microphone.
    pub(super) virtual_delay_us: u32,
    pub(super) clock: Arc<dyn Monotonic>,
}

impl std::fmt::Debug for Ears {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ears").finish_non_exhaustive()
    }
}

/// A microphone that listens.
pub struct Listening {
    tape: Arc<Tape>,
    room: Option<VirtualRoom>,
    /// Closes the microphone when dropped.
    _session: Option<Box<dyn Any + Send>>,
}

impl Ears {
    /// Opens a microphone, named as an output is, and records from it. May wait for the driver.
    ///
    /// # Errors
    /// [`InputError`] when it is not there or in use.
    pub fn listen(&self, name: &OutputName) -> Result<Listening, InputError> {
        let tape = Arc::new(Tape::default());
        match name {
            OutputName::Alsa(card) => {
                let session = alsa::open(card, &tape, &self.clock)?;
                Ok(Listening { tape, room: None, _session: Some(session) })
            }
            OutputName::Virtual => {
                let room = VirtualRoom::enter(&self.air, self.virtual_delay_us, &self.clock);
                Ok(Listening { tape, room: Some(room), _session: None })
            }
            OutputName::Wav(_) => Err(InputError::Deaf(name.clone())),
        }
    }
}

impl Listening {
    /// What was heard until now.
    ///
    /// # Errors
    /// [`InputError::Lost`] when the microphone missed something.
    pub fn finish(self) -> Result<Take, InputError> {
        if let Some(room) = self.room {
            room.record(&self.tape);
        }
        self.tape.take()
    }
}
