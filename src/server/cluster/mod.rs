//! Several instances behind one Redis: each convoy is decided by one of them, which holds its lease, and the others
//! pass questions on to it and copy what it makes durable.
//!
//! While Redis is away every instance decides for its own clients, from its copy. When it is back, one holds the lease
//! again, takes in what the others decided meanwhile, and all members come to it anew.

mod link;
mod routing;

pub use link::{Link, LinkError};

use super::convoys::{ConvoyAsk, Effect, Ticket};
use super::rooms::Room;
use super::storage::Write;
use crate::core::authority::ConnectionId;
use crate::core::changes::Change;
use crate::core::clock::{ConvoyTime, Estimator, MonoTime};
use crate::core::id::ConvoyId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Names a running instance; a new one at every start.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InstanceId(pub String);

#[derive(Debug, Serialize, Deserialize)]
struct Envelope {
    from: InstanceId,
    message: Message,
}

/// What instances say to each other.
#[derive(Debug, Serialize, Deserialize)]
pub enum Message {
    /// Here, every second; `fresh` when what was said before must be said again.
    Beat {
        fresh: bool,
    },
    /// A question of a client there, for a convoy that is decided here.
    Ask {
        convoy: ConvoyId,
        connection: ConnectionId,
        ask: ConvoyAsk,
        ticket: Option<Ticket>,
    },
    /// For clients here.
    Effects(Vec<Effect>),
    /// What the holder made durable.
    Wrote(Vec<Write>),
    /// What was decided there while Redis was away; said again until the answer comes, which is when it is durable
    /// here.
    Reunion {
        convoy: ConvoyId,
        changes: Vec<Change>,
    },
    Reunited {
        convoy: ConvoyId,
    },
    /// What time is it in this convoy? And the answer.
    Clock {
        convoy: ConvoyId,
        sent: MonoTime,
    },
    Clocked {
        convoy: ConvoyId,
        sent: MonoTime,
        at: ConvoyTime,
    },
    /// Someone there is in a room, or no longer.
    Present {
        room: Room,
        connection: ConnectionId,
        participant: Option<Value>,
    },
    Absent {
        room: Room,
        connection: ConnectionId,
    },
    /// A client there has closed its connection.
    Gone(ConnectionId),
}

/// Where a convoy is decided.
#[derive(Debug)]
enum Place {
    Here,
    There(InstanceId),
    /// Being found out; questions wait.
    Asking(Vec<(ConnectionId, ConvoyAsk, Option<Ticket>)>),
}

/// What an instance knows of the others.
pub struct Cluster {
    link: Link,
    me: InstanceId,
    up: bool,
    places: BTreeMap<ConvoyId, Place>,
    /// Where clients of other instances are.
    homes: BTreeMap<ConnectionId, InstanceId>,
    heard: BTreeMap<InstanceId, MonoTime>,
    outgoing: BTreeMap<InstanceId, Vec<Effect>>,
    /// Convoy time of convoys that are decided elsewhere, to go on with should that instance be lost.
    clocks: BTreeMap<ConvoyId, Estimator>,
    /// The last change copied of each of them.
    copied: BTreeMap<ConvoyId, i64>,
    /// What was decided here alone and their holders have not confirmed yet.
    reunions: BTreeMap<ConvoyId, Vec<Change>>,
    /// Whom to confirm what once it is durable.
    reunited: Vec<(InstanceId, ConvoyId)>,
}

impl Cluster {
    #[must_use]
    pub fn new(link: Link, me: InstanceId) -> Self {
        Self {
            link,
            me,
            up: false,
            places: BTreeMap::new(),
            homes: BTreeMap::new(),
            heard: BTreeMap::new(),
            outgoing: BTreeMap::new(),
            clocks: BTreeMap::new(),
            copied: BTreeMap::new(),
            reunions: BTreeMap::new(),
            reunited: Vec::new(),
        }
    }
}
