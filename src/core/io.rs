//! The core's border: everything that can happen to a car, and everything it can want done.

use super::backend::{BackendCommand, BackendEvent};
use super::changes::{Change, ChangeId, Verdict};
use super::chirp::Sweep;
use super::clock::{ClockMap, ConvoyTime, MonoTime};
use super::convoy::Snapshot;
use super::id::{ConvoyId, DeviceId, EntryId, TrackId, UserId};
use super::mesh::{LanCommand, LanEvent, MeshCommand, MeshEvent, SignedSignal};
use super::playlist::Track;
use super::request::{Command, Done, Invitation, Refusal};
use super::status::{AudioStatus, LibraryStatus, Member};
use super::ticket::{Credentials, Role, Ticket, Tickets};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Pairs a command with its reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    Command {
        request: RequestId,
        command: Command,
    },
    Server(ServerEvent),
    Mesh(MeshEvent),
    Lan(LanEvent),
    /// The change is durable.
    Stored(ChangeId),
    /// The change could not be made durable, and so was not made.
    NotStored {
        change: ChangeId,
        problem: String,
    },
    /// The state could not be kept this time.
    NotRemembered,
    Track(TrackEvent),
    Audio(AudioStatus),
    Library(LibraryStatus),
    /// With what this car was let into a convoy that was founded on the roadside, if ever it is in that one.
    LetIn(Box<Credentials>),
    /// The wall clock, and whether the system says that it is NTP-synchronised. For the legacy dialect, and the time of
    /// tickets.
    WallClock {
        unix_us: i64,
        synchronized: bool,
    },
    /// The time that `poll_timeout` named has come.
    Wake,
}

/// Something to be done.
#[must_use]
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    Reply {
        request: RequestId,
        result: Result<Done, Refusal>,
    },
    /// The answer to [`Command::Invite`].
    Invited {
        request: RequestId,
        result: Result<Invitation, Refusal>,
    },
    /// The answer to [`Command::Chirp`]: when the first sound of it leaves the card, by the card's own reckoning.
    Chirping {
        request: RequestId,
        result: Result<MonoTime, Refusal>,
    },
    /// Make an own change durable, then answer `Stored` or `NotStored`.
    Store(Box<Change>),
    /// Record someone else's change, for the history.
    Record {
        change: Box<Change>,
        verdict: Verdict,
    },
    /// What became of an own change.
    Settle {
        change: ChangeId,
        verdict: Verdict,
    },
    /// Keep the state for the next start; the newest one is enough.
    Remember(Box<Saved>),
    Server(ServerCommand),
    Mesh(MeshCommand),
    Lan(LanCommand),
    Audio(AudioCommand),
    /// Find the file of this track, or fetch it; answer with a [`TrackEvent`].
    Resolve(Box<Track>),
    Notice(Notice),
}

/// Which language a server speaks; it shows it in its `hello`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Dialect {
    Jamz,
    Backend,
}

impl Dialect {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Jamz => "jamz",
            Self::Backend => "backend",
        }
    }
}

/// What comes from tier 1.
#[derive(Debug, Clone, PartialEq)]
pub enum ServerEvent {
    /// Connected, authenticated, and the dialect is known.
    Up {
        dialect: Dialect,
        /// What the server wants signed at joining, where it wants that.
        challenge: Option<String>,
    },
    /// Not connected; it is being tried again without end.
    Down {
        reason: String,
    },
    /// The server took us into the convoy and gives its whole state.
    Joined {
        snapshot: Box<Snapshot>,
        members: Vec<Member>,
    },
    /// The server will not have us.
    Rejected {
        reason: String,
    },
    /// The server understood a change and says no, or it can never be sent: that is final.
    Refused {
        change: ChangeId,
        reason: String,
    },
    /// The server did not take a change in this time: it can be sent again, on this connection too.
    Failed {
        change: ChangeId,
        reason: String,
    },
    /// Today's backend takes no message of that length: nothing was said.
    TooLong {
        reason: String,
    },
    /// A change of any member, ours included, as the authority ordered it.
    Change(Box<Change>),
    /// What the authority made of our own change.
    Acked {
        change: ChangeId,
        verdict: Verdict,
    },
    Members(Vec<Member>),
    /// Who issues the convoy's tickets, and those that are new.
    Tickets(Box<Credentials>),
    /// The server's answer to [`ServerCommand::Invite`], or why there is none.
    Invited {
        request: RequestId,
        result: Result<Invitation, String>,
    },
    /// An answered clock probe of the own dialect.
    Probed {
        sent: MonoTime,
        received: MonoTime,
        server_received: ConvoyTime,
        server_sent: ConvoyTime,
        lead_us: i64,
    },
    /// An answered liveness probe of a server without a clock.
    Alive {
        sent: MonoTime,
        received: MonoTime,
    },
    /// A signal of another member. Over today's backend it comes inside `webrtc-offer` and its like.
    Signal(Box<SignedSignal>),
    /// The server's whole state again, when ours was found to differ.
    State(Box<Snapshot>),
    Backend {
        event: BackendEvent,
        received: MonoTime,
    },
}

/// What goes to tier 1. Sent at most once, dropped while the link is down: the core sends again what matters.
#[derive(Debug, Clone, PartialEq)]
pub enum ServerCommand {
    Join {
        convoy: ConvoyId,
        device: DeviceId,
        user: UserId,
        name: String,
        claim: Option<ClockClaim>,
        /// The device's answer to the server's challenge.
        proof: Option<String>,
    },
    Leave,
    Probe {
        round_trip_us: Option<i64>,
        bound_us: Option<i64>,
    },
    Change(Box<Change>),
    /// A change of someone else, with his ticket.
    PassOn {
        change: Box<Change>,
        ticket: Box<Ticket>,
    },
    Invite {
        request: RequestId,
        convoy: ConvoyId,
        role: Option<Role>,
    },
    /// To the device that it names; either dialect.
    Signal(Box<SignedSignal>),
    Backend(BackendCommand),
}

/// A member's knowledge of convoy time, for an authority that has lost its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClockClaim {
    /// Convoy time at the moment of sending.
    pub convoy: ConvoyTime,
    pub bound_us: i64,
}

/// What became of a track's file.
#[derive(Debug, Clone, PartialEq)]
pub enum TrackEvent {
    /// It can be opened. Sent again when a partial file grows complete.
    Ready { track: TrackId, source: Source, duration_us: Option<i64>, gain_db: Option<f32> },
    /// This car cannot have it; it stays silent for as long as the track lasts.
    Missing { track: TrackId, problem: String },
}

/// A file to play, opaque to the core.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub path: String,
    /// While the file is still being fetched: how long it will be, if the sender said so. Readers wait for it to grow.
    pub growing: Option<Growing>,
}

/// A file that is still being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Growing {
    pub bytes_total: Option<u64>,
}

/// What the audio path is told.
#[derive(Debug, Clone, PartialEq)]
pub enum AudioCommand {
    /// Replaces all that was planned; what plays and still fits goes on untouched.
    Plan(Plan),
    /// The convoy's clock; none while it is not known, and then the output is silent.
    Clock(Option<ClockMap>),
    /// Loudness from 0 to 1, reached by a ramp.
    Volume(f64),
    /// What the sound needs from the card to the ear, in place of what the configuration says.
    Delay { delay_us: i64 },
    /// A train of chirps whose first frame leaves the card at this instant, whatever the delay.
    Chirp { at: MonoTime, sweep: Sweep },
}

/// What is to be heard when.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// By ascending start, without overlap; gaps are silence.
    pub segments: Vec<Segment>,
}

/// A stretch of one track on the convoy's time line.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    pub entry: Option<EntryId>,
    pub track: TrackId,
    /// None when the file is not here (yet): silence in time.
    pub source: Option<Source>,
    pub starts: ConvoyTime,
    /// The track's position at `starts`.
    pub position_us: i64,
    /// Where the stretch ends: the track's end, or a control that takes effect; none when unknown.
    pub ends: Option<ConvoyTime>,
    pub gain_db: Option<f32>,
}

/// What survives a restart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    pub convoy: Option<ConvoyId>,
    pub snapshot: Snapshot,
    /// The clock, good for as long as this boot lasts.
    pub clock: Option<ClockMap>,
    /// Convoy time when this was saved: after a reboot, the music resumes from there.
    pub at: ConvoyTime,
    /// The last sequence number used for an own change.
    pub sequence: u64,
    /// The number of the last attempt to make a link.
    #[serde(default)]
    pub attempt: u64,
    /// Who issues the convoy's tickets, and those that are known.
    #[serde(default)]
    pub tickets: Tickets,
    /// A wall time that had passed when this was saved, in microseconds since 1970.
    #[serde(default)]
    pub passed_unix_us: u64,
    /// What today's backend called this car when it last made it its controller.
    #[serde(default)]
    pub known_as: Option<String>,
    pub volume: f64,
    /// What the sound needs from each output to the ear, in microseconds, as far as it was set.
    #[serde(default)]
    pub delays_us: BTreeMap<String, i64>,
}

/// Something that people may want to be told of at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "notice", rename_all = "kebab-case")]
pub enum Notice {
    /// Back under the server's authority.
    BackOnline,
    /// The cars talk to each other.
    MeshMode,
    /// This car is alone.
    OfflineMode { reason: String },
    /// The position jumped, in microseconds of the track.
    Seeked { position_us: i64 },
    /// This car cannot play a track and is silent for its duration.
    TrackSkipped { track: String, problem: String },
    /// A change made here did not count in the end.
    Superseded { change: ChangeId, reason: String },
    /// The code that newcomers were let in by was guessed wrong too often: people name a new one.
    CodeBurnt,
    /// What a member says is not heard here for a time.
    Muted { member: String, reason: String },
}

impl Notice {
    /// What it is about, without anything that is personal or secret.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::BackOnline => "back-online",
            Self::MeshMode => "mesh-mode",
            Self::OfflineMode { .. } => "offline-mode",
            Self::Seeked { .. } => "seeked",
            Self::TrackSkipped { .. } => "track-skipped",
            Self::Superseded { .. } => "superseded",
            Self::CodeBurnt => "code-burnt",
            Self::Muted { .. } => "muted",
        }
    }
}
