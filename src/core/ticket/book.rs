//! What a member knows of a convoy's issuers, and of what they signed: by it everyone judges everyone.
//!
//! A convoy that was founded on the roadside has its founder for an issuer, and a server that takes it over for
//! another, whose word is above. Such a server knows no founder; it knows a car's guest by the car, which has come to
//! it with a token and a proof of its key.

use super::{Revocations, Standing, Ticket, WallTime};
use crate::core::id::{ConvoyId, DeviceId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Issuers that one convoy can have, servers that stand in for each other and who founded it; of more, the latest.
const ISSUERS_MAX: usize = 4;
/// Devices whose tickets are kept; of more, those that a server let in, and of those whose end comes last.
pub const TICKETS_MAX: usize = 256;

/// What a member knows of a convoy's issuers, and of what they signed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tickets {
    /// None: whoever is let in by other means is as good as any.
    issuers: Vec<DeviceId>,
    /// The newest of each device.
    held: BTreeMap<DeviceId, Ticket>,
    /// The newest list of each issuer.
    revoked: BTreeMap<DeviceId, Revocations>,
}

impl Tickets {
    /// Trusts an issuer from now on; whether that is news.
    pub fn trust(&mut self, issuer: &DeviceId) -> bool {
        if self.issuers.contains(issuer) {
            return false;
        }
        self.issuers.push(issuer.clone());
        let surplus = self.issuers.len().saturating_sub(ISSUERS_MAX);
        self.issuers.drain(..surplus);
        true
    }

    /// Whether there is anyone whose word on members counts.
    #[must_use]
    pub fn has_issuer(&self) -> bool {
        !self.issuers.is_empty()
    }

    /// The ticket of a device.
    #[must_use]
    pub fn of(&self, device: &DeviceId) -> Option<&Ticket> {
        self.held.get(device)
    }

    /// The ticket of somebody's guest.
    #[must_use]
    pub fn of_guest(&self, device: &DeviceId) -> Option<&Ticket> {
        self.of(device).filter(|ticket| ticket.is_guests())
    }

    pub fn held(&self) -> impl Iterator<Item = &Ticket> {
        self.held.values()
    }

    pub fn revocations(&self) -> impl Iterator<Item = &Revocations> {
        self.revoked.values()
    }

    /// Takes in a ticket of this convoy by an issuer that is trusted, or of a guest of a car that such a one let in;
    /// whether it is news.
    pub fn take_ticket(&mut self, ticket: &Ticket, convoy: &ConvoyId) -> bool {
        let held = self.held.get(&ticket.device);
        let replaces = |held: &Ticket| held.is_founders() && self.is_void(held) && !self.is_void(ticket);
        let is_newer = held.is_none_or(|held| ticket.is_beyond(held) || replaces(held));
        let is_ours = ticket.convoy == *convoy && self.knows_issuer(ticket);
        let is_news = is_newer && is_ours && ticket.is_genuine();
        if is_news {
            if self.held.len() >= TICKETS_MAX && !self.held.contains_key(&ticket.device) {
                let worth = |held: &&Ticket| (!held.is_founders(), held.expires_unix_s);
                let least = self.held.values().min_by_key(worth).map(|held| held.device.clone());
                least.and_then(|device| self.held.remove(&device));
            }
            self.held.insert(ticket.device.clone(), ticket.clone());
        }
        is_news
    }

    /// Takes in a list of this convoy by an issuer that is trusted; whether it is news.
    pub fn take_revocations(&mut self, list: &Revocations, convoy: &ConvoyId) -> bool {
        let is_newer = self.revoked.get(&list.issuer).is_none_or(|known| known.number < list.number);
        let is_ours = list.convoy == *convoy && self.issuers.contains(&list.issuer);
        let is_news = is_newer && is_ours && list.is_genuine();
        if is_news {
            self.revoked.insert(list.issuer.clone(), list.clone());
        }
        is_news
    }

    /// How it stands with a ticket that `device` shows.
    #[must_use]
    pub fn standing(&self, ticket: &Ticket, device: &DeviceId, convoy: &ConvoyId, wall: WallTime) -> Standing {
        if ticket.convoy != *convoy {
            Standing::WrongConvoy
        } else if !self.knows_issuer(ticket) {
            Standing::UnknownIssuer
        } else if self.held.get(&ticket.device) != Some(ticket) && !ticket.is_genuine() {
            Standing::Forged
        } else if ticket.device != *device {
            Standing::WrongDevice
        } else if self.is_revoked(ticket) {
            Standing::Revoked
        } else if self.host_of(ticket).is_some_and(|host| !host.may_host()) {
            Standing::HostMayNot
        } else {
            let passed_unix_s = self.passed_unix_us().max(self.passed_by(ticket)) / 1_000_000;
            // No longer than his host.
            let host = self.host_of(ticket).map(|host| host.timing(wall, passed_unix_s));
            host.filter(|host| !host.admits()).unwrap_or_else(|| ticket.timing(wall, passed_unix_s))
        }
    }

    /// Whether the issuer is trusted, or someone whom members have let in, one after the other from the founder on; or
    /// it is a guest's, and a trusted issuer has let his host in.
    fn knows_issuer(&self, ticket: &Ticket) -> bool {
        let is_trusted = ticket.first().is_some_and(|first| self.issuers.contains(&first.issuer));
        is_trusted || self.host_of(ticket).is_some_and(Ticket::may_host)
    }

    /// What a server says of the host of a guest of a founded convoy.
    fn host_of(&self, ticket: &Ticket) -> Option<&Ticket> {
        self.of(ticket.host()?).filter(|host| !host.is_founders())
    }

    /// Whether the ticket that is known of a device is void.
    #[must_use]
    pub fn is_put_out(&self, device: &DeviceId) -> bool {
        self.held.get(device).is_some_and(|ticket| self.is_revoked(ticket))
    }

    fn is_void(&self, ticket: &Ticket) -> bool {
        self.is_revoked(ticket) || self.host_of(ticket).is_some_and(|host| !host.may_host())
    }

    /// Whether its bearer is put out, or one of those who invited him or let him in.
    fn is_revoked(&self, ticket: &Ticket) -> bool {
        let is_founders = ticket.is_founders();
        let is_issuers = |list: &&Revocations| ticket.first().is_some_and(|first| first.issuer == list.issuer);
        // Who has let in a convoy's server says whose tickets of before are void.
        let lists = || self.revoked.values().filter(|list| is_founders || is_issuers(list));
        let is_out = |ticket: &Ticket| {
            let until = lists().flat_map(|list| ticket.users().filter_map(|user| list.users.get(user)));
            let is_named = is_founders && lists().any(|list| list.devices.contains(&ticket.device));
            is_named || until.max().is_some_and(|until| ticket.serial <= *until)
        };
        ticket.chain().any(is_out) || self.host_of(ticket).is_some_and(|host| self.is_revoked(host))
    }

    /// A time that has passed for sure, in microseconds since 1970, as an issuer has signed something then.
    #[must_use]
    pub fn passed_unix_us(&self) -> u64 {
        let serials = self.held.values().map(|ticket| self.passed_by(ticket));
        serials.chain(self.revoked.values().map(|list| list.number)).max().unwrap_or(0)
    }

    /// The same, by one ticket: by the first issuer's clock, which all believe who trust him; that of a member who lets
    /// others in may be wrong.
    fn passed_by(&self, ticket: &Ticket) -> u64 {
        let first = ticket.first().filter(|first| self.issuers.contains(&first.issuer));
        first.map_or(0, |first| first.serial)
    }
}
