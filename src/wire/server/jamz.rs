//! The project's own dialect over Socket.IO: `jamz-*` events, each of the client's with an acknowledgement.
//!
//! A server that speaks it says so in its `hello`: `{ok: true, jamz: {version: 1}}`. Keys are camelCase, as the
//! backend's are.

use crate::core::changes::{ChangeId, Verdict};
use crate::core::clock::ConvoyTime;
use crate::core::convoy::Snapshot;
use crate::core::id::{ConvoyId, DeviceId, UserId};
use crate::core::io::ClockClaim;
use crate::core::status::{Member, MemberKind};
use crate::core::ticket::Role;
use serde::{Deserialize, Serialize};

/// Version of this dialect.
pub const VERSION: u32 = 1;

/// Server to client, once after connecting: [`Hello`].
pub const HELLO: &str = "hello";
/// Client to server: [`Join`], acknowledged by [`Joined`] or [`Failure`].
pub const JOIN: &str = "jamz-join";
/// Client to server: an empty object, acknowledged by an empty object.
pub const LEAVE: &str = "jamz-leave";
/// Client to server: a [`Change`](crate::core::changes::Change), acknowledged by [`Acked`] or [`Failure`]. Server to
/// client: a [`Change`](crate::core::changes::Change).
pub const CHANGE: &str = "jamz-change";
/// Beside the fields of a change of someone else: his [`Ticket`](crate::core::ticket::Ticket), as far as it is known.
pub const AUTHORS_TICKET: &str = "authorsTicket";
/// Client to server: [`Probe`], acknowledged by [`Probed`].
pub const PROBE: &str = "jamz-probe";
/// Client to server: an empty object, acknowledged by [`FreshToken`] or [`Failure`].
pub const TOKEN: &str = "jamz-token";
/// Client to server: [`Invite`], acknowledged by [`Invited`] or [`Failure`].
pub const INVITE: &str = "jamz-invite";
/// Server to client: [`Refused`], to those who may have another's change by the mesh already.
pub const REFUSED: &str = "jamz-refused";
/// Server to client: [`Members`].
pub const MEMBERS: &str = "jamz-members";
/// Server to client: [`State`], when the convoy's state changed otherwise than by a single change.
pub const STATE: &str = "jamz-state";
/// Server to client: [`Failure`], why the server is about to end the connection.
pub const ERROR: &str = "jamz-error";
/// Server to client: [`Credentials`](crate::core::ticket::Credentials), at joining all of the convoy's, later what is
/// new.
pub const TICKETS: &str = "jamz-tickets";
/// Both ways: [`Signal`], for the mesh.
pub const SIGNAL: &str = "webrtc-signal";

/// What a server says of itself on connecting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    pub ok: bool,
    /// Present when the server speaks this dialect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jamz: Option<HelloJamz>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HelloJamz {
    pub version: u32,
    /// What a joining device signs to prove that it is the one; good for this connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Join {
    pub convoy: ConvoyId,
    pub device: DeviceId,
    pub user: UserId,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub kind: MemberKind,
    /// The member's convoy time, for a server that has lost its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<ClockClaim>,
    /// The device's signature over convoy, device and the server's challenge; demanded of a device whose id is a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Joined {
    pub snapshot: Snapshot,
    pub members: Vec<Member>,
}

/// Any request that was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub error: String,
    /// Whether the same request may be done another time: it was not its fault.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retry: bool,
}

impl Failure {
    /// The request is wrong, now and later.
    #[must_use]
    pub fn last(error: impl Into<String>) -> Self {
        Self { error: error.into(), retry: false }
    }

    /// The request was not done, and may be another time.
    #[must_use]
    pub fn passing(error: impl Into<String>) -> Self {
        Self { error: error.into(), retry: true }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acked {
    pub id: ChangeId,
    #[serde(flatten)]
    pub verdict: Verdict,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    /// The member's last round trip, from which the server derives the convoy's lead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trip_us: Option<i64>,
    /// The member's error bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound_us: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Probed {
    /// Convoy time when the probe arrived.
    pub received: ConvoyTime,
    /// Convoy time when this answer was made.
    pub sent: ConvoyTime,
    /// The lead that a control needs to reach the slowest member in time.
    pub lead_us: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FreshToken {
    pub token: String,
}

/// Asks for what lets somebody's phone into a convoy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invite {
    pub convoy: ConvoyId,
    /// `dj` or `listener`; without it, as much as the asker may himself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
}

/// A guest's token; neither is there on a server that needs none.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Invited {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_unix_s: Option<u64>,
    pub role: Role,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Members {
    pub members: Vec<Member>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub snapshot: Snapshot,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    pub id: ChangeId,
}

/// A WebRTC signal, as the user's architecture document has it (1.1): `to` null is everyone else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Signal {
    pub session_id: ConvoyId,
    /// The sender's device id; the server overwrites what is wrong here.
    pub from: DeviceId,
    pub to: Option<DeviceId>,
    /// `offer`, `answer` or `ice-candidate`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Between cars `{sdp or candidate, attempt, signature}`: see [`super::signal`].
    pub data: serde_json::Value,
}

/// An acknowledgement that is either `T` or a [`Failure`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Answer<T> {
    Failed(Failure),
    Ok(T),
}

impl<T> From<Answer<T>> for Result<T, String> {
    fn from(answer: Answer<T>) -> Self {
        match answer {
            Answer::Ok(value) => Ok(value),
            Answer::Failed(failure) => Err(failure.error),
        }
    }
}
