//! What members tell each other over a link.

use super::signal::{Attempt, SignedSignal};
use crate::core::changes::{Change, ChangeId, Verdict, Versions};
use crate::core::clock::{ClockMap, MonoTime};
use crate::core::convoy::Snapshot;
use crate::core::election::Term;
use crate::core::id::{DeviceId, UserId};
use crate::core::playlist::Track;
use crate::core::status::{Member, MemberKind};
use crate::core::ticket::{Revocations, Ticket};
use serde::{Deserialize, Serialize};

/// Links that a message may cross.
pub const HOPS_MAX: usize = 4;
/// Devices on a route: those at the ends of so many links.
pub const ROUTE_MAX: usize = HOPS_MAX + 1;

/// A message of one member to another that it has a link with.
#[derive(Debug, Clone, PartialEq)]
pub enum PeerMessage {
    /// Who the sender is; the first message on a link.
    Hello(Hello),
    /// Alive, what time it is, and who leads. Goes over the unordered channel.
    Beat(Box<Beat>),
    /// A change, new to the sender; it has crossed `hops` links before this one. The track that a control concerns is
    /// for whoever does not know the playlist: it is told, and not read.
    ///
    /// Its author's ticket goes with it, so that whoever has never met him can judge it.
    Change { change: Box<Change>, track: Option<Box<Track>>, ticket: Option<Box<Ticket>>, hops: usize },
    /// What the authority made of a change; goes back the way that the change came.
    Verdict { change: ChangeId, verdict: Verdict },
    /// The changes that the sender knows. The other side sends those that are missing there (or its state), and asks
    /// for those that it misses itself.
    Versions(Versions),
    /// Send these again.
    Want(Vec<ChangeId>),
    /// The authority's whole state; the user's `sync-state`.
    State(Box<Snapshot>),
    /// All who can be reached through the sender.
    Members(Vec<Member>),
    /// A signal on its way to a member that has no link with its author (yet).
    Signal { signal: Box<SignedSignal>, hops: usize },
    /// Whose tickets are void, by the newest list of an issuer.
    Revoked(Box<Revocations>),
    /// The sender leaves the convoy, or ends.
    Goodbye,
}

/// Who a member is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    pub user: UserId,
    pub name: String,
    pub kind: MemberKind,
    /// Runs on a battery, and so does not lead where another can.
    #[serde(default)]
    pub battery: bool,
    /// The number of the last attempt that it made: an offer with a lower one, or the same, is an old one.
    #[serde(default)]
    pub attempt: Attempt,
    /// The sender's, where the convoy has tickets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Box<Ticket>>,
    /// Seconds since 1970, where the sender's clock is vouched for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unix_s: Option<u64>,
}

/// A heartbeat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Beat {
    /// Wants to be answered at once.
    pub ask: bool,
    /// When it left, by the sender's monotonic clock: written by the edge.
    pub sent: MonoTime,
    /// The last beat of the other side that arrived, if any: proof that it is heard.
    pub echo: Option<Echo>,
    /// Convoy time over the sender's monotonic clock, and its error bound in microseconds, if it is known there.
    pub clock: Option<(ClockMap, i64)>,
    /// The cars by whom the sender has the server's time, the first of which asks the server itself; none where that is
    /// the sender, or there is no server.
    #[serde(default)]
    pub clock_through: Vec<DeviceId>,
    /// The authority that the sender obeys, and how it is reached.
    pub route: Route,
    /// Differs when the sender's state does.
    pub digest: u64,
    /// A checksum of the members that the receiver told the sender last: what got lost on the way shows.
    #[serde(default)]
    pub members: u32,
    /// Whether the sender would keep this link.
    pub wanted: bool,
}

/// A beat as it arrived at the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Echo {
    /// As it said itself, by the clock of its sender.
    pub sent: MonoTime,
    /// By the clock of its receiver.
    pub received: MonoTime,
}

/// Who has authority, as a member has heard it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    pub source: Source,
    /// The devices that told it to each other, the source's own first; at most [`ROUTE_MAX`] and without repetition.
    pub path: Vec<DeviceId>,
    /// Counted up by the source with each of its own beats: a source that counts no more is gone.
    pub count: u64,
}

/// Who has authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// The server, which the first of the path is connected to.
    Server { term: Term },
    /// A member.
    Member(Claim),
}

/// A member's claim to lead. The order of two claims is that of their fields.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Claim {
    pub term: Term,
    /// Others follow it already in this term: someone alone does not unseat it.
    pub established: bool,
    /// It knows the convoy's time, rather than having made up its own at its start.
    #[serde(default)]
    pub timed: bool,
    /// The rank: it is the DJ's car,
    pub dj: bool,
    /// has mains power,
    pub mains: bool,
    /// and the user's "highest userId", by bytes;
    pub user: UserId,
    /// the device tells cars of the same user apart.
    pub device: DeviceId,
}
