//! Tier 2 as the core sees it: links between members, what travels over them, and what is asked of them.

mod message;
mod settings;
mod signal;

pub use message::{Beat, Claim, Echo, HOPS_MAX, Hello, PeerMessage, ROUTE_MAX, Route, Source};
pub use settings::MeshSettings;
pub use signal::{Attempt, Signal, SignalKind, SignedSignal};

use super::clock::MonoTime;
use super::id::DeviceId;
use super::io::RequestId;
use super::request::{Invitation, Refusal};
use super::ticket::Role;

/// What comes from tier 2.
#[derive(Debug, Clone, PartialEq)]
pub enum MeshEvent {
    /// A link carries: the channels of both sides are open, over the connection that `attempt` names.
    Up { peer: DeviceId, attempt: Attempt },
    /// A link has ended, or could not be made in time.
    Down { peer: DeviceId, attempt: Attempt, reason: String },
    /// To be carried to the peer by any other way, or the link does not come about.
    Signal { to: DeviceId, signal: Signal },
    /// The peer says something. `received` is when it arrived here.
    Message { from: DeviceId, message: Box<PeerMessage>, received: MonoTime },
}

/// What goes to tier 2.
#[derive(Debug, Clone, PartialEq)]
pub enum MeshCommand {
    /// Offer a link; one that exists is given up for it.
    Connect { peer: DeviceId, attempt: Attempt },
    /// What a peer signalled, with its signature checked. An offer opens the accepting side of a link.
    Signal { from: DeviceId, signal: Signal },
    /// Sent at most once to each, dropped where there is no link; a [`Beat`] is dated when it leaves.
    Send { to: Vec<DeviceId>, message: Box<PeerMessage> },
    /// End a link, or the attempt at one.
    Close { peer: DeviceId },
}

/// What comes from the network that the car is in.
#[derive(Debug, Clone, PartialEq)]
pub enum LanEvent {
    /// A member of this convoy is on the same network, and has proved that it knows the convoy's secret.
    Found {
        device: DeviceId,
    },
    /// A phone has come to this car by a link, and has proved that it is this device.
    Guest {
        device: DeviceId,
    },
    /// Who was found, or came, is there no more.
    Lost {
        device: DeviceId,
    },
    Signal(Box<SignedSignal>),
    /// Some car is on the same network that is of another convoy, or has another secret; told once.
    Stranger,
    /// The code that newcomers are let in by was guessed wrong too often, and is good no more.
    CodeBurnt,
    /// The answer to [`LanCommand::Invite`].
    Invited {
        request: RequestId,
        result: Result<Invitation, Refusal>,
    },
}

/// What goes to the network that the car is in.
#[derive(Debug, Clone, PartialEq)]
pub enum LanCommand {
    /// Be found by members of this convoy, and find them; none: be silent.
    Announce { convoy: Option<super::id::ConvoyId> },
    /// To the device that it names.
    Signal(Box<SignedSignal>),
    /// Make a link by which a phone comes to this car as `role`.
    Invite { request: RequestId, role: Role },
}
