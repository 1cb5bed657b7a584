//! Tickets of a convoy that was founded on the roadside: its founder's key signs the first, and who has one signs those
//! of whom he lets in, so that nobody has to wait for the founder.

use super::{EXACT_MAX, Guest, Role, Ticket, WallTime};
use crate::core::id::{ConvoyId, DeviceId, IdError, UserId};
use crate::core::signature::DeviceKey;
use std::iter;

/// Such a convoy is for one journey; its tickets are not renewed.
const VALID_S: u64 = 366 * 86_400;
/// Members between a bearer and the founder.
const VOUCHERS_MAX: usize = 4;

impl Ticket {
    /// The founder's own, by its own key. Without a clock it is good without end.
    ///
    /// # Errors
    /// Never: a key's name is a user's.
    pub fn found(key: &DeviceKey, convoy: &ConvoyId, wall: WallTime) -> Result<Self, IdError> {
        let user = UserId::new(key.device().as_str())?;
        let (now_unix_us, valid_s) = match wall {
            WallTime::UnixS(now) => (now.saturating_mul(1_000_000), VALID_S),
            WallTime::AtLeastS(_) => (0, EXACT_MAX),
        };
        Ok(Self::issue(key, convoy, (key.device(), &user, Role::Owner), now_unix_us, valid_s))
    }

    /// For a device that the bearer of this one, whose key it is, lets in. None when too many stand between it and the
    /// founder.
    #[must_use]
    pub fn vouch(&self, key: &DeviceKey, device: &DeviceId) -> Option<Self> {
        let mut ticket = self.drawn_up(key, device)?;
        key.sign_ticket(&mut ticket);
        Some(ticket)
    }

    /// All of such a ticket but its signature.
    fn drawn_up(&self, key: &DeviceKey, device: &DeviceId) -> Option<Self> {
        if !self.may_vouch() || *key.device() != self.device {
            return None;
        }
        Some(Self {
            device: device.clone(),
            user: UserId::new(device.as_str()).ok()?,
            role: Role::Dj,
            serial: self.serial + 1,
            issuer: self.device.clone(),
            voucher: Some(Box::new(self.clone())),
            ..self.clone()
        })
    }

    /// For a guest's device: no more than the bearer of this one, whose key it is, may himself, for a day, and with
    /// nobody brought along. Where the time is not known it ends with this one.
    #[must_use]
    pub fn vouch_guest(&self, key: &DeviceKey, device: &DeviceId, role: Role, wall: WallTime) -> Option<Self> {
        let ticket = self.drawn_up(key, device)?;
        let (serial, expires_unix_s) = match wall {
            WallTime::UnixS(now) => (now.saturating_mul(1_000_000), now.saturating_add(Guest::VALID_S)),
            WallTime::AtLeastS(_) => (0, ticket.expires_unix_s),
        };
        let mut ticket = Self {
            role: if role == Role::Listener { role } else { Role::Dj },
            serial: ticket.serial.max(serial),
            expires_unix_s: ticket.expires_unix_s.min(expires_unix_s),
            guest: true,
            ..ticket
        };
        key.sign_ticket(&mut ticket);
        Some(ticket)
    }

    /// Whether it goes back to someone who founded the convoy, and not to a server.
    #[must_use]
    pub fn is_founders(&self) -> bool {
        self.first().is_some_and(|first| first.device == first.issuer && first.role == Role::Owner)
    }

    /// Whether its bearer may let others in.
    #[must_use]
    pub fn may_vouch(&self) -> bool {
        self.is_founders() && self.role != Role::Listener && !self.guest && self.chain().count() <= VOUCHERS_MAX
    }

    /// This one, that of whoever let its bearer in, and so on.
    pub(super) fn chain(&self) -> impl Iterator<Item = &Self> {
        iter::successors(Some(self), |ticket| ticket.voucher.as_deref())
    }

    /// The one that begins the chain, if that is no longer than it may be.
    pub(super) fn first(&self) -> Option<&Self> {
        self.chain().take(VOUCHERS_MAX + 1).find(|ticket| ticket.voucher.is_none())
    }

    /// Of a guest of a founded convoy, the car that let him in.
    pub(in crate::core) fn host(&self) -> Option<&DeviceId> {
        self.voucher.as_deref().filter(|_| self.guest).map(|voucher| &voucher.device)
    }

    /// Whether its bearer, to whom a server gave it, may have guests.
    pub(super) fn may_host(&self) -> bool {
        self.role != Role::Listener && !self.is_guests()
    }

    /// Whether its bearer is somebody's guest: he brings nobody along, and speaks for himself alone.
    pub(in crate::core) fn is_guests(&self) -> bool {
        self.guest || self.guest_of.is_some()
    }

    /// Whether the bearer of this one could have signed that one.
    pub(super) fn lets_in(&self, other: &Self) -> bool {
        self.may_vouch()
            && self.device == other.issuer
            && self.convoy == other.convoy
            && other.role != Role::Owner
            && self.not_before_unix_s <= other.not_before_unix_s
            && other.expires_unix_s <= self.expires_unix_s
    }
}
