//! MPRIS, the media player interface that desktops, phones over Bluetooth and steering wheels know.
//!
//! It is the convoy's player as this car sees it. While another car leads, this one cannot control playback: `CanPlay`
//! and the like are then false, and a call nevertheless made is answered with an error that says who leads.
//! `CanControl` stays true, as the specification wants it constant, and because the volume is always this car's own.

mod metadata;
#[expect(clippy::unused_self, reason = "a property is the object's, also where it is constant")]
pub(super) mod player;
#[expect(clippy::unused_self, reason = "a property is the object's, also where it is constant")]
pub(super) mod root;
pub(super) mod track_id;

/// The name beside the head unit's own.
pub(super) const BUS_NAME: &str = "org.mpris.MediaPlayer2.jamz";
/// Where every MPRIS player's object stands.
pub(super) const PATH: &str = "/org/mpris/MediaPlayer2";
