//! How long, how deep and how many: the bounds of everything that comes over a DataChannel, looked at before it is
//! parsed where that can be, and before it goes on in any case. How often is `core::conduct`'s.

/// Longest frame on any channel, in bytes; every browser takes as much.
pub const FRAME_BYTES_MAX: usize = 16 << 10;
/// Longest message, in bytes: the state of a convoy whose playlist is full.
pub const MESSAGE_BYTES_MAX: usize = 24 << 20;
/// Deepest nesting: what tracks say of themselves is nested, all else is flat.
pub(super) const DEPTH_MAX: usize = 32;

/// Longest beat, in bytes: one with the longest names still is shorter.
pub(super) const BEAT_BYTES_MAX: usize = 2 << 10;
/// Longest control, greeting or verdict, in bytes.
pub(super) const CONTROL_BYTES_MAX: usize = 10 << 10;
/// Longest signal, for its SDP, and longest edit, for a track with all that the backend says of it, in bytes.
pub(super) const LARGE_BYTES_MAX: usize = 72 << 10;
/// Longest list of changes or members, in bytes.
pub(super) const LIST_BYTES_MAX: usize = 1 << 20;
/// Longest message that says nothing but its type, in bytes.
pub(super) const EMPTY_BYTES_MAX: usize = 256;

/// Authors that a convoy remembers.
pub(super) const AUTHORS_MAX: usize = 4_096;
/// Changes that are asked for at once.
pub(super) const WANTED_MAX: usize = 4_096;
/// Members of one convoy.
pub(super) const MEMBERS_MAX: usize = 1_024;
/// Anchors of one timeline.
pub(super) const ANCHORS_MAX: usize = 64;

/// Longest name of a person or a car, and longest id of either, in bytes; of a longer name the rest is cut.
pub(super) const NAME_BYTES_MAX: usize = 256;
/// Longest reason of a verdict, in bytes; the rest is cut.
pub(super) const REASON_BYTES_MAX: usize = 1_024;
/// Longest signature, in bytes of its base64: Ed25519 has 88.
pub(super) const SIGNATURE_BYTES_MAX: usize = 128;
/// Most room for a control's track, in bytes of JSON.
pub(super) const TRACK_BYTES_MAX: usize = 6 << 10;
/// Farthest position, in seconds, that is told to the microsecond.
pub(super) const POSITION_S_MAX: f64 = 1e9;
