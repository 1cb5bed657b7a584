//! The DataChannels between cars: which there are, and how reliable each is.

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
/// Chunks of audio files; yields to the others.
pub const CONTENT: Channel = Channel { label: "content", ordered: true, max_retransmits: None };
