//! What people and programs ask of the daemon, and what it answers.

use super::changes::ChangeId;
use super::chirp::Part;
use super::code::Code;
use super::id::{ConvoyId, ConvoyName, EntryId, TrackId};
use super::playlist::Track;
use super::ticket::Role;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A wish that changes something.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Go on; with an entry, from the start of that one.
    Play {
        entry: Option<EntryId>,
    },
    Pause,
    Toggle,
    /// To a position of the current track, in microseconds.
    Seek {
        position_us: i64,
    },
    /// By so many microseconds, forwards or backwards.
    SeekBy {
        offset_us: i64,
    },
    Next,
    Previous,
    /// This car's own loudness, 0 to 1.
    Volume {
        level: f64,
    },
    /// Quieter by a fixed amount, for as long as a call or the navigation speaks.
    Duck {
        on: bool,
    },
    /// What the sound needs from an output to the ear; of the one in use, where the name is empty.
    OutputDelay {
        output: String,
        delay_us: i64,
    },
    /// A train of chirps, by which the delay of the output in use is measured.
    Chirp {
        part: Part,
    },
    /// Tracks of the library, by id, or to be fetched from a URL; put at `index`, or at the end.
    QueueAdd {
        tracks: Vec<Addition>,
        index: Option<usize>,
    },
    QueueRemove {
        entry: EntryId,
    },
    QueueMove {
        entry: EntryId,
        index: usize,
    },
    QueueClear,
    Join {
        convoy: ConvoyId,
    },
    Leave,
    Take,
    Release,
    /// A link by which a phone's browser joins, as `role` or as much as this car may itself.
    Invite {
        role: Option<Role>,
    },
}

/// A wish about a convoy that cars form by themselves, on a network that they share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gathering {
    /// Found one, or let others into the one that this car is in.
    Found { name: Option<ConvoyName> },
    /// Be let in by a code.
    Join { code: Code },
}

/// Something to add to the playlist.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Addition {
    /// A track of this car's library; the daemon looks it up and makes it `Known`.
    Library(TrackId),
    Url(String),
    Known(Box<Track>),
}

/// A question, which changes nothing in the convoy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Query {
    /// Index the music folders anew; answers at once.
    LibraryScan,
    /// Tracks whose title, artist, album or path has all the words of `text`, or whose id begins with it (8 hex digits
    /// or more).
    LibrarySearch {
        text: String,
        limit: u32,
    },
    LibraryProblems,
    Outputs,
    /// What was done, the newest first; or what this car did and no authority has yet, the oldest first.
    History {
        limit: u32,
        pending: bool,
    },
    /// The configuration in force, without secrets.
    Config,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// The changes it made, if it made any.
    pub changes: Vec<ChangeId>,
    pub reach: Reach,
}

/// How far a change has come when its author is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// The authority has it, or it concerns this car alone.
    Convoy,
    /// Durable here, and sent when a link returns.
    Local,
}

/// What lets a phone's browser into a convoy.
#[derive(Clone, PartialEq, Eq)]
pub struct Invitation {
    pub convoy: ConvoyId,
    /// None where the server needs none. Whoever has it is let in.
    pub token: Option<String>,
    pub expires_unix_s: Option<u64>,
    pub role: Role,
    /// The car that receives who comes; none where the server does.
    pub at: Option<Doorstep>,
}

/// Where a car receives guests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doorstep {
    /// Its page's addresses (`https://192.168.4.1:8443`), the likeliest first.
    pub origins: Vec<String>,
    /// What the fingerprint of its certificate begins with, in hex digits.
    pub certificate: String,
}

impl fmt::Debug for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Invitation({}, {}, until {:?})", self.convoy, self.role.as_str(), self.expires_unix_s)
    }
}

/// The same as an address to open.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct InvitationLink {
    pub link: String,
    /// The same link by the car's other addresses, where it is the car's own.
    pub others: Vec<String>,
    pub role: Role,
    pub expires_unix_s: Option<u64>,
}

impl fmt::Debug for InvitationLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InvitationLink({}, until {:?})", self.role.as_str(), self.expires_unix_s)
    }
}

/// Why a request was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// The asker has no right to it.
    #[error("{0}")]
    Denied(String),
    /// It makes no sense now or ever; the text says what to do.
    #[error("{0}")]
    Invalid(String),
    /// Something failed here (a full disk, a lost device).
    #[error("{0}")]
    Failed(String),
}

/// What the sound was found to need from the card to the ear.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    pub output: String,
    pub delay_us: i64,
    /// How much of what was heard was the chirps, from 0 to 1.
    pub clarity: f32,
}

/// A piece of the library.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LibraryTrack {
    pub id: TrackId,
    pub title: String,
    pub artist: String,
    pub album: String,
    pub duration_us: Option<i64>,
    pub path: String,
}

/// A file of the library that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LibraryProblem {
    pub path: String,
    pub problem: String,
}

/// A sound output that a configuration may name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputInfo {
    pub name: String,
    pub description: String,
    /// The one in use.
    pub active: bool,
}

/// One line of the history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryEntry {
    pub id: String,
    pub device: String,
    pub user: Option<String>,
    /// What was done: `play`, `add`, ...
    pub action: String,
    /// The track concerned, by title or id, if any.
    pub subject: Option<String>,
    /// When, on the convoy's time line.
    pub convoy_time_us: i64,
    /// When, by this car's wall clock as it was then (seconds since 1970).
    pub recorded_unix_s: i64,
    /// `pending`, `applied`, `superseded` or `refused`.
    pub state: String,
    pub reason: Option<String>,
}
