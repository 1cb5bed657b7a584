//! The DataChannels between cars: which there are, what goes over each, and its bounds.
//!
//! Everything is JSON text in one envelope, the user's section 2.1: `{type, action, data, sequence, signature}`. What
//! is longer than one frame goes over `content`, in chunks. Beats go over `clock`.

mod beat;
mod bounds;
mod change;
mod chunk;
pub(super) mod depth;
mod envelope;

pub use beat::{decode_beat, encode_beat};
pub use bounds::{FRAME_BYTES_MAX, MESSAGE_BYTES_MAX};
pub use chunk::{Assembler, CHUNK_BYTES_MAX, chunk, chunk_count};
pub use envelope::{decode, encode};

/// A DataChannel of the mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Channel {
    pub label: &'static str,
    pub ordered: bool,
    /// None is reliable.
    pub max_retransmits: Option<u16>,
}

/// Controls as JSON, in the form of the user's section 2.1.
pub const MUSIC_CONTROL: Channel = Channel { label: "music-control", ordered: true, max_retransmits: Some(3) };
/// Clock exchanges and heartbeats: late ones are worthless.
pub const CLOCK: Channel = Channel { label: "clock", ordered: false, max_retransmits: Some(0) };
/// What is too long for one frame, in chunks; yields to the others.
pub const CONTENT: Channel = Channel { label: "content", ordered: true, max_retransmits: None };

/// Why something cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    #[error("a `{kind}` of {bytes} bytes; at most {bytes_max} are sent")]
    TooLong { kind: &'static str, bytes: usize, bytes_max: usize },
    #[error("{what} is out of its range")]
    Range { what: &'static str },
    #[error("it cannot be written as JSON: {problem}")]
    Json { problem: String },
}

/// Why something that came is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("{bytes} bytes of `{kind}`; at most {bytes_max} are taken")]
    TooLong { kind: &'static str, bytes: usize, bytes_max: usize },
    #[error("JSON nested deeper than {} levels", bounds::DEPTH_MAX)]
    TooDeep,
    #[error("no such message: {problem}")]
    Malformed { problem: String },
    #[error("an unknown type of message")]
    UnknownType,
    #[error("more than {items_max} {what}")]
    TooMany { what: &'static str, items_max: usize },
    #[error("{what} is out of its range")]
    Range { what: &'static str },
    #[error("a chunk that does not follow the one before")]
    Chunk,
}

/// Whole numbers that JavaScript, and so every peer, holds exactly.
const EXACT_MAX: u64 = 1 << 53;

fn exact(what: &'static str, number: i64) -> Result<i64, FrameError> {
    if number.unsigned_abs() <= EXACT_MAX { Ok(number) } else { Err(FrameError::Range { what }) }
}

fn exact_unsigned(what: &'static str, number: u64) -> Result<u64, FrameError> {
    if number <= EXACT_MAX { Ok(number) } else { Err(FrameError::Range { what }) }
}

fn at_most(what: &'static str, items: usize, items_max: usize) -> Result<(), FrameError> {
    if items <= items_max { Ok(()) } else { Err(FrameError::TooMany { what, items_max }) }
}

/// # Errors
/// What serde says, shortened: it may quote what the peer sent.
fn read<'a, T: serde::Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, FrameError> {
    serde_json::from_slice(bytes).map_err(|error| FrameError::Malformed { problem: brief(&error) })
}

fn write(thing: &impl serde::Serialize) -> Result<String, EncodeError> {
    serde_json::to_string(thing).map_err(|error| EncodeError::Json { problem: brief(&error) })
}

fn brief(error: &serde_json::Error) -> String {
    error.to_string().chars().take(160).collect()
}
