//! What a car shows of itself: one snapshot that the bus, the command line and the metrics all read.

use super::clock::MonoTime;
use super::playlist::Track;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Health of the path to the server; the user's `connectionState.socketIO`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SocketState {
    Connected,
    Degraded,
    #[default]
    Disconnected,
}

/// Health of the link to one peer; the user's `connectionState.webRTC`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PeerState {
    Connecting,
    Connected,
    Failed,
}

/// Which tier decides now; the user's `connectionState.activeSync`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActiveSync {
    Socket,
    Webrtc,
    #[default]
    Offline,
}

impl SocketState {
    /// As the wire and the API name it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Degraded => "degraded",
            Self::Disconnected => "disconnected",
        }
    }
}

impl PeerState {
    /// As the wire and the API name it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Failed => "failed",
        }
    }
}

impl ActiveSync {
    /// As the wire and the API name it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Socket => "socket",
            Self::Webrtc => "webrtc",
            Self::Offline => "offline",
        }
    }
}

/// The user's three connection fields, and why.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Connection {
    #[serde(rename = "socketIO")]
    pub socket_io: SocketState,
    #[serde(rename = "webRTC")]
    pub web_rtc: BTreeMap<String, PeerState>,
    #[serde(rename = "activeSync")]
    pub active_sync: ActiveSync,
    pub reason: String,
    /// Round trip to the server, in microseconds, when it answers.
    pub round_trip_us: Option<i64>,
    /// `jamz` or `backend`, once the server has shown which it speaks.
    pub dialect: Option<String>,
}

/// A member of the convoy, as the people in it see each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub device: String,
    pub user: String,
    pub name: String,
    pub online: bool,
    /// `car` or `phone`.
    pub kind: MemberKind,
    /// On which tier he is, by himself or by who has him connected, where that is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<ActiveSync>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemberKind {
    #[default]
    Car,
    Phone,
}

/// That a member is not heard for a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Muted {
    pub reason: String,
    /// By this machine's monotonic clock, in microseconds.
    pub until_us: i64,
}

/// What plays now, with what a person wants to know of it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct NowPlaying {
    pub playing: bool,
    pub entry: Option<String>,
    pub track: Option<Track>,
    /// At the moment of the snapshot, in microseconds.
    pub position_us: i64,
    /// The place in the playlist, counted from nought.
    pub index: Option<usize>,
    /// The next control that is decided and not yet in effect.
    #[serde(skip)]
    pub upcoming: Option<Box<Upcoming>>,
}

/// What will play once a control takes effect.
#[derive(Debug, Clone, PartialEq)]
pub struct Upcoming {
    /// So long after the snapshot, in microseconds.
    pub in_us: i64,
    /// Nothing is in effect before it: until then the position stands.
    pub is_first: bool,
    pub then: NowPlaying,
}

impl NowPlaying {
    /// What it has become so much later.
    fn after(&self, elapsed_us: i64) -> Self {
        if let Some(upcoming) = self.upcoming.as_ref().filter(|upcoming| elapsed_us >= upcoming.in_us) {
            return upcoming.then.after(elapsed_us - upcoming.in_us);
        }
        let mut later = self.clone();
        if let Some(upcoming) = &mut later.upcoming {
            upcoming.in_us -= elapsed_us;
        }
        if self.playing && !self.upcoming.as_ref().is_some_and(|upcoming| upcoming.is_first) {
            let end_us = self.track.as_ref().and_then(|track| track.duration_us).unwrap_or(i64::MAX);
            later.position_us = self.position_us.saturating_add(elapsed_us).min(end_us.max(self.position_us));
        }
        later
    }
}

/// The convoy's clock as this car knows it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ClockStatus {
    pub synced: bool,
    /// Convoy time at the moment of the snapshot.
    pub convoy_us: Option<i64>,
    /// Bound of the error against convoy time, in microseconds.
    pub bound_us: Option<i64>,
    pub rate_ppm: f64,
    /// The devices of the cars by whom this one has the server's time, the first of which asks the server itself; none
    /// where this one does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub through: Vec<String>,
}

/// What the sound card does.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct AudioStatus {
    pub output: String,
    /// Frames per second of the device; none while there is no device.
    pub rate_hz: Option<u32>,
    /// What the sound is taken to need from the card to the ear, in microseconds.
    #[serde(default)]
    pub delay_us: i64,
    /// True while music is audible, at the right place.
    pub in_sync: bool,
    /// Measured position minus wanted position, in microseconds.
    pub offset_us: Option<i64>,
    /// What the resampler adds now, in parts per million.
    pub correction_ppm: f64,
    pub underruns: u64,
    pub realigns: u64,
    /// What is wrong, in words, when something is.
    pub problem: Option<String>,
}

impl AudioStatus {
    /// No output delays the sound, or is ahead, by more.
    pub const DELAY_US_MAX: i64 = 2_000_000;
}

/// A track on its way here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetching {
    pub track: String,
    pub bytes: u64,
    pub bytes_total: Option<u64>,
}

/// The library and the cache.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LibraryStatus {
    pub tracks: u64,
    pub problems: u64,
    /// Files looked at and files found, while a scan runs.
    pub scanning: Option<(u64, u64)>,
    pub fetching: Vec<Fetching>,
}

/// Changes, by what became of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ChangeCounts {
    /// Known here, whoever made them.
    pub applied: u64,
    /// Made here, and not yet acknowledged by an authority.
    pub pending: u64,
}

/// Everything at once.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Status {
    pub version: String,
    pub device: String,
    pub name: String,
    pub convoy: Option<String>,
    /// The device that may control playback.
    pub controller: Option<String>,
    /// Whether that is this car.
    pub is_controller: bool,
    pub connection: Connection,
    pub members: Vec<Member>,
    /// Whom this car does not hear now, by device.
    #[serde(default)]
    pub muted: BTreeMap<String, Muted>,
    pub now_playing: NowPlaying,
    pub queue_length: usize,
    /// Volume of this car, 0 to 1.
    pub volume: f64,
    pub ducked: bool,
    pub clock: ClockStatus,
    pub audio: AudioStatus,
    pub library: LibraryStatus,
    pub changes: ChangeCounts,
    /// Lead of the next control, in microseconds.
    pub lead_us: i64,
    /// Grows when the playlist changes, so that readers fetch it only then.
    pub queue_revision: u64,
    /// When the snapshot was taken, by this machine's monotonic clock, in microseconds.
    pub taken_us: i64,
}

impl Status {
    /// What the snapshot has become by `now`: position and convoy time have run on, and controls that were decided have
    /// taken effect; nothing else is known to have changed.
    #[must_use]
    pub fn at(&self, now: MonoTime) -> Self {
        let elapsed_us = (now - MonoTime(self.taken_us)).max(0);
        let mut status = self.clone();
        status.taken_us = self.taken_us.saturating_add(elapsed_us);
        status.clock.convoy_us = self.clock.convoy_us.map(|us| us.saturating_add(elapsed_us));
        status.now_playing = self.now_playing.after(elapsed_us);
        status
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::id::TrackId;

    fn playing(position_us: i64) -> Status {
        let track = Track {
            id: TrackId::new("t").unwrap(),
            title: String::new(),
            artist: String::new(),
            album: String::new(),
            duration_us: Some(10_000_000),
            url: None,
            extra: serde_json::Map::new(),
        };
        let now_playing = NowPlaying { playing: true, track: Some(track), position_us, ..NowPlaying::default() };
        Status { now_playing, taken_us: 500, ..Status::default() }
    }

    #[test]
    fn a_snapshot_of_playing_music_runs_on_and_stops_at_the_end() {
        let status = playing(1_000_000);
        assert_eq!(status.at(MonoTime(2_000_500)).now_playing.position_us, 3_000_000);
        assert_eq!(status.at(MonoTime(99_000_000)).now_playing.position_us, 10_000_000);
        assert_eq!(status.at(MonoTime(0)), status);
    }

    #[test]
    fn a_snapshot_of_paused_music_stands() {
        let mut status = playing(1_000_000);
        status.now_playing.playing = false;
        assert_eq!(status.at(MonoTime(2_000_500)).now_playing.position_us, 1_000_000);
    }
}
