//! Today's production backend as seen by the core: what it tells us, what we tell it. It has no acknowledgements, no
//! sequence numbers and no clock; positions are dated with wall clocks, in milliseconds since 1970.

use super::id::{ConvoyId, TrackId, UserId};
use super::playlist::Track;
use super::status::Member;
use serde::{Deserialize, Serialize};

/// A position and the sender's wall clock at that moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dated {
    pub position_us: i64,
    /// Milliseconds since 1970 by the sender's wall clock; none when it did not say.
    pub unix_ms: Option<i64>,
}

/// Which control a `music-<action>` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BackendAction {
    Play,
    Pause,
    Seek,
}

/// What the backend says.
#[derive(Debug, Clone, PartialEq)]
pub enum BackendEvent {
    /// `music-session-state`: everything, on joining.
    Session {
        playlist: Vec<Track>,
        current: Option<Track>,
        /// Socket id of the controller.
        controller: Option<String>,
        playing: bool,
        dated: Dated,
    },
    /// `music-play`, `music-pause`, `music-seek`.
    Control { action: BackendAction, track: Option<Track>, track_id: Option<TrackId>, dated: Dated },
    /// `music-track-change`.
    TrackChanged { track: Track, autoplay: bool, dated: Dated },
    /// `music-position-sync`, from the DJ, every 5 s.
    PositionSync { track_id: Option<TrackId>, dated: Dated },
    /// `music-controller-changed`; nulls when nobody leads.
    Controller { socket_id: Option<String>, user_id: Option<UserId> },
    /// `playlist-update`: the whole list.
    Playlist { tracks: Vec<Track> },
    /// `user-joined-music`.
    UserJoined { socket_id: String, user_id: Option<UserId> },
    /// A car of this kind is in the session, and asks who else is. The backend knows of none: it is said inside
    /// `webrtc-offer`, which it passes on as it is.
    Present { member: Member, ask: bool },
}

/// What we say to the backend.
#[derive(Debug, Clone, PartialEq)]
pub enum BackendCommand {
    JoinSession {
        convoy: ConvoyId,
        user: UserId,
    },
    LeaveSession {
        convoy: ConvoyId,
    },
    Control {
        action: BackendAction,
        track: Option<Track>,
        playing: bool,
        dated: Dated,
    },
    TrackChange {
        track: Track,
        autoplay: bool,
        dated: Dated,
    },
    PositionSync {
        track_id: TrackId,
        dated: Dated,
    },
    TakeControl,
    ReleaseControl,
    Playlist {
        tracks: Vec<Track>,
    },
    /// This car is in the session; whether the others are to say that they are.
    Present {
        member: Member,
        ask: bool,
    },
}
