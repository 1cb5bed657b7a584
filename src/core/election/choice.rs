//! The choice of an authority out of what the neighbours say: a path vector, so that nobody obeys himself by a detour.

use crate::core::id::DeviceId;
use crate::core::mesh::{Claim, ROUTE_MAX, Route, Source};
use crate::core::planted::{Plant, is_planted};
use std::cmp::Reverse;

/// Whom a member obeys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// The server, over its own link.
    Server,
    /// Itself, and whoever follows.
    Lead,
    /// The authority that this neighbour obeys.
    Follow(DeviceId),
}

/// What a neighbour says of its authority.
#[derive(Debug, Clone, Copy)]
pub struct Heard<'a> {
    pub peer: &'a DeviceId,
    pub route: &'a Route,
}

/// Chooses for `me`, which has the server by its own link (`server`) or else would lead with `claim`; without one, only
/// where nobody else does. Of equal ways, the one through `current` stays.
#[must_use]
pub fn choose<'a>(
    me: &DeviceId,
    server: bool,
    claim: Option<&Claim>,
    heard: impl Iterator<Item = Heard<'a>>,
    current: Option<&DeviceId>,
) -> Choice {
    if server {
        return Choice::Server;
    }
    let usable = heard.filter(|heard| is_usable(heard, me));
    let best = usable.max_by_key(|heard| {
        let claim = match &heard.route.source {
            Source::Server { .. } => None,
            Source::Member(claim) => Some(claim),
        };
        // A server's word is above any member's; a shorter way, the way in use, and the lower id are better.
        let length = Reverse(heard.route.path.len());
        (claim.is_none(), claim, length, current == Some(heard.peer), Reverse(heard.peer))
    });
    match best {
        Some(Heard { peer, route: Route { source: Source::Server { .. }, .. } }) => Choice::Follow(peer.clone()),
        Some(Heard { peer, route: Route { source: Source::Member(other), .. } })
            if claim.is_none_or(|own| other > own && !(own.established && is_planted(Plant::HubNeverStepsDown))) =>
        {
            Choice::Follow(peer.clone())
        }
        _ => Choice::Lead,
    }
}

/// Whether a way leads somewhere else than back here, and is not too long to be passed on.
fn is_usable(heard: &Heard, me: &DeviceId) -> bool {
    let path = &heard.route.path;
    let source_is_first = match &heard.route.source {
        Source::Server { .. } => !path.is_empty(),
        Source::Member(claim) => path.first() == Some(&claim.device),
    };
    source_is_first && path.len() < ROUTE_MAX && path.last() == Some(heard.peer) && !path.contains(me)
}
