//! Who has authority: terms, as in Raft but without a quorum, because half a convoy must keep working; and who is the
//! hub.

mod choice;
#[cfg(test)]
mod tests;

pub use choice::{Choice, Heard, choose};

use super::id::{DeviceId, UserId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Counts the passings of authority; of two authorities that meet, the one of the higher term leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(from = "u64")]
pub struct Term(pub u64);

impl Term {
    /// JavaScript holds it exactly; what is read is read as this at most.
    pub const MAX: Self = Self(1 << 53);

    /// No convoy lives to see a higher one, though it passed authority on every second for a hundred years.
    pub const LIVED_MAX: Self = Self(1 << 32);

    /// Two convoys that meet are no further apart: for so many passings of authority the one would have had to pass it
    /// on every second for twelve days. Who says more would end that anyone can ever pass him.
    const LEAP_MAX: u64 = 1 << 20;

    /// Whether nobody who is in `ours` can come upon it.
    #[must_use]
    pub fn is_beyond(self, ours: Self) -> bool {
        self.0 > ours.0.saturating_add(Self::LEAP_MAX)
    }

    /// The one after, if there is one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1)).min(Self::MAX)
    }
}

impl From<u64> for Term {
    fn from(number: u64) -> Self {
        Self(number).min(Self::MAX)
    }
}

/// What a member brings to be the hub: who leads already, or else the DJ's car first, then mains before battery, then
/// the user's "highest userId", by bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    pub leads: bool,
    pub dj: bool,
    pub mains: bool,
    /// None when it is not known (yet).
    pub user: Option<UserId>,
    pub device: DeviceId,
}

/// The hub and the standby.
const HUBS: usize = 2;

/// Whom `me` should have a link with so that all meet at the hub, or at the standby: the first two by rank of those
/// that can be reached. Who ranks above them and `fails` is tried all the same.
#[must_use]
pub fn hubs(members: &[Rank], me: &DeviceId, fails: impl Fn(&DeviceId) -> bool) -> BTreeSet<DeviceId> {
    let mut ranked: Vec<&Rank> = members.iter().collect();
    ranked.sort_unstable_by(|a, b| b.cmp(a));
    let mut places = HUBS;
    let mut chosen = BTreeSet::new();
    for rank in ranked {
        if places == 0 {
            break;
        }
        if rank.device == *me {
            places -= 1;
            continue;
        }
        chosen.insert(rank.device.clone());
        if !fails(&rank.device) {
            places -= 1;
        }
    }
    chosen
}
