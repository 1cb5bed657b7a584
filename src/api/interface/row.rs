//! The dictionaries (`a{sv}`) that lists consist of. Keys are those of `jamzctl --json`; a reader ignores keys that it
//! does not know, and takes a missing one as unknown.

use crate::api::call::QueueEntry;
use crate::core::id::{EntryId, IdError, TrackId};
use crate::core::playlist::Track;
use crate::core::request::{HistoryEntry, LibraryTrack, OutputInfo};
use crate::core::status::{Fetching, Member, MemberKind, Muted, Status};
use zbus::{DeserializeDict, SerializeDict, Type};

/// A track, and where in the playlist it stands. Empty when nothing is chosen.
#[derive(Debug, Clone, Default, PartialEq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub(crate) struct TrackRow {
    pub(crate) entry: Option<String>,
    pub(crate) id: Option<String>,
    pub(crate) title: Option<String>,
    pub(crate) artist: Option<String>,
    pub(crate) album: Option<String>,
    pub(crate) duration_us: Option<i64>,
    pub(crate) url: Option<String>,
}

impl TrackRow {
    pub(crate) fn new(entry: Option<&str>, track: &Track) -> Self {
        Self {
            entry: entry.map(Into::into),
            id: Some(track.id.to_string()),
            title: named(&track.title),
            artist: named(&track.artist),
            album: named(&track.album),
            duration_us: track.duration_us,
            url: track.url.clone(),
        }
    }

    /// About how many bytes it takes on the bus.
    pub(crate) fn bytes(&self) -> usize {
        let texts = [&self.entry, &self.id, &self.title, &self.artist, &self.album, &self.url];
        texts.into_iter().flatten().map(|text| text.len() + 24).sum::<usize>() + 32
    }
}

impl TryFrom<TrackRow> for QueueEntry {
    type Error = IdError;
    fn try_from(row: TrackRow) -> Result<Self, IdError> {
        let track = Track {
            id: TrackId::new(row.id.unwrap_or_default())?,
            title: row.title.unwrap_or_default(),
            artist: row.artist.unwrap_or_default(),
            album: row.album.unwrap_or_default(),
            duration_us: row.duration_us,
            url: row.url,
            extra: serde_json::Map::new(),
        };
        Ok(Self { id: EntryId::new(row.entry.unwrap_or_default())?, track })
    }
}

/// A member of the convoy.
#[derive(Debug, Clone, PartialEq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub(crate) struct MemberRow {
    device: String,
    user: String,
    name: String,
    online: bool,
    kind: String,
    muted: Option<String>,
    muted_until_us: Option<i64>,
}

impl MemberRow {
    /// All members.
    pub(crate) fn of(status: &Status) -> Vec<Self> {
        status.members.iter().map(|member| Self::new(member, status.muted.get(&member.device))).collect()
    }

    fn new(member: &Member, muted: Option<&Muted>) -> Self {
        let kind = match member.kind {
            MemberKind::Car => "car",
            MemberKind::Phone => "phone",
        };
        Self {
            device: member.device.clone(),
            user: member.user.clone(),
            name: member.name.clone(),
            online: member.online,
            kind: kind.into(),
            muted: muted.map(|muted| muted.reason.clone()),
            muted_until_us: muted.map(|muted| muted.until_us),
        }
    }
}

/// A track on its way here.
#[derive(Debug, Clone, PartialEq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub(crate) struct FetchRow {
    track: String,
    bytes: u64,
    bytes_total: Option<u64>,
}

impl From<&Fetching> for FetchRow {
    fn from(fetching: &Fetching) -> Self {
        Self { track: fetching.track.clone(), bytes: fetching.bytes, bytes_total: fetching.bytes_total }
    }
}

/// A track of the library.
#[derive(Debug, Clone, PartialEq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub(crate) struct LibraryRow {
    id: String,
    title: Option<String>,
    artist: Option<String>,
    album: Option<String>,
    duration_us: Option<i64>,
    path: Option<String>,
}

impl From<LibraryTrack> for LibraryRow {
    fn from(track: LibraryTrack) -> Self {
        Self {
            id: track.id.into(),
            title: Some(track.title),
            artist: Some(track.artist),
            album: Some(track.album),
            duration_us: track.duration_us,
            path: Some(track.path),
        }
    }
}

impl TryFrom<LibraryRow> for LibraryTrack {
    type Error = IdError;
    fn try_from(row: LibraryRow) -> Result<Self, IdError> {
        Ok(Self {
            id: TrackId::new(row.id)?,
            title: row.title.unwrap_or_default(),
            artist: row.artist.unwrap_or_default(),
            album: row.album.unwrap_or_default(),
            duration_us: row.duration_us,
            path: row.path.unwrap_or_default(),
        })
    }
}

/// A sound output.
#[derive(Debug, Clone, PartialEq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub(crate) struct OutputRow {
    name: String,
    description: Option<String>,
    active: Option<bool>,
}

impl From<OutputInfo> for OutputRow {
    fn from(output: OutputInfo) -> Self {
        Self { name: output.name, description: Some(output.description), active: Some(output.active) }
    }
}

impl From<OutputRow> for OutputInfo {
    fn from(row: OutputRow) -> Self {
        Self {
            name: row.name,
            description: row.description.unwrap_or_default(),
            active: row.active.unwrap_or_default(),
        }
    }
}

/// A change, and what became of it.
#[derive(Debug, Clone, PartialEq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}")]
pub(crate) struct HistoryRow {
    id: String,
    device: String,
    user: Option<String>,
    action: String,
    subject: Option<String>,
    convoy_time_us: i64,
    recorded_unix_s: i64,
    state: String,
    reason: Option<String>,
}

impl From<HistoryEntry> for HistoryRow {
    fn from(entry: HistoryEntry) -> Self {
        Self {
            id: entry.id,
            device: entry.device,
            user: entry.user,
            action: entry.action,
            subject: entry.subject,
            convoy_time_us: entry.convoy_time_us,
            recorded_unix_s: entry.recorded_unix_s,
            state: entry.state,
            reason: entry.reason,
        }
    }
}

impl From<HistoryRow> for HistoryEntry {
    fn from(row: HistoryRow) -> Self {
        Self {
            id: row.id,
            device: row.device,
            user: row.user,
            action: row.action,
            subject: row.subject,
            convoy_time_us: row.convoy_time_us,
            recorded_unix_s: row.recorded_unix_s,
            state: row.state,
            reason: row.reason,
        }
    }
}

fn named(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}
