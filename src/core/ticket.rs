//! Tickets: who is in a convoy and what he may do there, signed by its issuer, so that members judge each other without
//! a server.
//!
//! The issuer is a server or the car that founded the convoy: any key will do. It numbers what it signs by its own time
//! in microseconds since 1970. So a number says which of two is newer, and proves that this time has passed, also to a
//! car whose clock begins at 1970.
//!
//! In a convoy that was founded on the roadside members let others in while the founder is away: such a ticket is the
//! member's word and bears the member's own, and so on back to the founder's (`vouch`).

mod book;
mod rulings;
mod vouch;

pub use book::{TICKETS_MAX, Tickets};
pub use rulings::{Ruling, Rulings};

use super::id::{ConvoyId, DeviceId, UserId};
use super::signature::{self, DeviceKey};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What someone may do in a convoy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Whose convoy it is; may do all that a DJ may.
    Owner,
    /// May take control, and edit the playlist.
    #[default]
    Dj,
    /// Hears what is played.
    Listener,
}

impl Role {
    /// As tokens and the command line name it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Dj => "dj",
            Self::Listener => "listener",
        }
    }
}

/// That a device is a user's and may do in a convoy what a role allows, for a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ticket {
    pub convoy: ConvoyId,
    pub device: DeviceId,
    pub user: UserId,
    pub role: Role,
    /// Seconds since 1970.
    pub not_before_unix_s: u64,
    pub expires_unix_s: u64,
    /// When it was issued, in microseconds since 1970.
    pub serial: u64,
    pub issuer: DeviceId,
    /// Of a guest, who invited him: when that one is put out, so is he.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest_of: Option<UserId>,
    /// The issuer's own ticket, where he is a member of a convoy that was founded on the roadside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voucher: Option<Box<Ticket>>,
    /// Lets nobody else in.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub guest: bool,
    /// The issuer's, in base64.
    pub signature: String,
}

/// Who is there by somebody's invitation, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Guest {
    pub invited_by: UserId,
    /// Seconds since 1970; nothing of his is renewed.
    pub until_unix_s: u64,
}

impl Guest {
    /// How long an invitation is good for, and who came by it may stay: a day's drive.
    pub const VALID_S: u64 = 86_400;
}

/// Whose tickets count no more. Of an issuer's lists the newest counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocations {
    pub convoy: ConvoyId,
    pub issuer: DeviceId,
    /// When it was made, in microseconds since 1970.
    pub number: u64,
    /// A user's tickets up to this serial are void: a later one admits him again.
    pub users: BTreeMap<UserId, u64>,
    /// Whose tickets of a founded convoy are void, and those of whom they let in: there users have other names.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub devices: BTreeSet<DeviceId>,
    pub signature: String,
}

/// What an issuer tells members: who it is, and what it has signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    pub convoy: ConvoyId,
    pub issuer: DeviceId,
    pub tickets: Vec<Ticket>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocations: Option<Revocations>,
}

/// The wall clock of whoever judges, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WallTime {
    /// Nobody knows it; so much has passed at least.
    AtLeastS(u64),
    UnixS(u64),
}

impl Default for WallTime {
    fn default() -> Self {
        Self::AtLeastS(0)
    }
}

impl WallTime {
    /// Of a clock that says so, when somebody vouches for it.
    #[must_use]
    pub fn vouched(unix_us: i64, synchronized: bool) -> Self {
        let unix_s = u64::try_from(unix_us / 1_000_000).ok().filter(|_| synchronized);
        unix_s.map_or_else(Self::default, Self::UnixS)
    }
}

/// How it stands with a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Standing {
    #[error("it is valid")]
    Valid,
    #[error("its ticket has expired; a new one comes with the next connection to the server")]
    Expired,
    #[error("its ticket is not valid yet")]
    NotYet,
    /// All but its time is well, and that cannot be told: the verdict waits for a clock, and nothing is denied.
    #[error("the time is not known here")]
    ClockUnknown,
    #[error("its ticket is for another convoy")]
    WrongConvoy,
    #[error("its ticket is another device's")]
    WrongDevice,
    #[error("its ticket was issued by someone who is not known here")]
    UnknownIssuer,
    #[error("its ticket is forged")]
    Forged,
    /// By the issuer's word, who is above those that founded the convoy.
    #[error("whoever let it in may let nobody in")]
    HostMayNot,
    #[error("its ticket was revoked; whoever runs the convoy's server can let its user in again")]
    Revoked,
}

impl Standing {
    /// Whether who shows the ticket is let in.
    #[must_use]
    pub fn admits(self) -> bool {
        matches!(self, Self::Valid | Self::ClockUnknown)
    }
}

/// Clocks of issuer and members may differ by this much.
const LEEWAY_S: u64 = 300;
/// Numbers that every member's JSON holds exactly, and so signs in the same way.
const EXACT_MAX: u64 = 1 << 53;
/// Users that one list can name; of more, the latest count.
pub const REVOKED_MAX: usize = 32;
/// Devices that one list can name.
pub const REVOKED_DEVICES_MAX: usize = 64;

impl Ticket {
    /// Whose being put out makes it void: its user's, and his host's.
    pub(super) fn users(&self) -> impl Iterator<Item = &UserId> {
        [Some(&self.user), self.guest_of.as_ref()].into_iter().flatten()
    }

    /// Issues a ticket for `valid_s` seconds from `now_unix_us` on.
    #[must_use]
    pub fn issue(
        issuer: &DeviceKey,
        convoy: &ConvoyId,
        (device, user, role): (&DeviceId, &UserId, Role),
        now_unix_us: u64,
        valid_s: u64,
    ) -> Self {
        let now_unix_s = now_unix_us / 1_000_000;
        let mut ticket = Self {
            convoy: convoy.clone(),
            device: device.clone(),
            user: user.clone(),
            role,
            not_before_unix_s: now_unix_s,
            expires_unix_s: now_unix_s.saturating_add(valid_s),
            serial: now_unix_us,
            issuer: issuer.device().clone(),
            guest_of: None,
            voucher: None,
            guest: false,
            signature: String::new(),
        };
        issuer.sign_ticket(&mut ticket);
        ticket
    }

    /// Whether it is to take the place of another that the same device has: a server's later word counts, that of no
    /// member against it, and of what members say of each other the most, so that none makes another less than he is.
    fn is_beyond(&self, held: &Self) -> bool {
        let rank = |ticket: &Self| match ticket.role {
            Role::Listener => 0,
            Role::Dj => 1,
            Role::Owner => 2,
        };
        let of_members = |ticket: &Self| (rank(ticket), !ticket.guest, ticket.expires_unix_s, ticket.serial);
        match (self.is_founders(), held.is_founders()) {
            (true, true) => of_members(self) > of_members(held),
            (false, false) => self.serial > held.serial,
            (is_members, _) => !is_members,
        }
    }

    fn is_genuine(&self) -> bool {
        let numbers = [self.not_before_unix_s, self.expires_unix_s, self.serial];
        self.chain().all(|ticket| ticket.voucher.as_deref().is_none_or(|voucher| voucher.lets_in(ticket)))
            && numbers.iter().all(|number| *number <= EXACT_MAX)
            && self.chain().all(|ticket| signature::check_ticket(ticket).is_ok())
    }

    /// How its time stands to a clock that is known to be past `passed_unix_s`.
    fn timing(&self, wall: WallTime, passed_unix_s: u64) -> Standing {
        let (known, least) = match wall {
            WallTime::UnixS(now) if now.saturating_add(LEEWAY_S) >= passed_unix_s => {
                (Some(now), now.max(passed_unix_s))
            }
            WallTime::UnixS(_) => (None, passed_unix_s),
            WallTime::AtLeastS(least) => (None, least.max(passed_unix_s)),
        };
        if least > self.expires_unix_s.saturating_add(LEEWAY_S) {
            Standing::Expired
        } else if known.unwrap_or(least).saturating_add(LEEWAY_S) < self.not_before_unix_s {
            // An issuer dates no ticket ahead: without a clock, one that is will do when so much has passed.
            Standing::NotYet
        } else if known.is_some() {
            Standing::Valid
        } else {
            Standing::ClockUnknown
        }
    }
}

impl Revocations {
    /// Makes a list.
    #[must_use]
    pub fn issue(
        issuer: &DeviceKey,
        convoy: &ConvoyId,
        (mut users, devices): (BTreeMap<UserId, u64>, BTreeSet<DeviceId>),
        now_unix_us: u64,
    ) -> Self {
        while users.len() > REVOKED_MAX {
            let earliest = users.iter().min_by_key(|(_, serial)| **serial).map(|(user, _)| user.clone());
            earliest.and_then(|user| users.remove(&user));
        }
        let (convoy, signature) = (convoy.clone(), String::new());
        let devices = devices.into_iter().take(REVOKED_DEVICES_MAX).collect();
        let mut list = Self { convoy, issuer: issuer.device().clone(), number: now_unix_us, users, devices, signature };
        issuer.sign_revocations(&mut list);
        list
    }

    fn is_genuine(&self) -> bool {
        self.users.len() <= REVOKED_MAX
            && self.devices.len() <= REVOKED_DEVICES_MAX
            && self.users.values().chain([&self.number]).all(|number| *number <= EXACT_MAX)
            && signature::check_revocations(self).is_ok()
    }
}

#[cfg(test)]
mod taken_over;
#[cfg(test)]
mod tests;
