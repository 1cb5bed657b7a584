//! Greetings: who a car is, what its ticket says, and what time it is.

use crate::core::car::Car;
use crate::core::clock::MonoTime;
use crate::core::id::DeviceId;
use crate::core::mesh::{Attempt, Hello, PeerMessage};
use crate::core::status::MemberKind;
use crate::core::ticket::WallTime;

impl Car {
    pub(super) fn hello(&self, now: MonoTime) -> Hello {
        Hello {
            user: self.me.user.clone(),
            name: self.me.name.clone(),
            kind: MemberKind::Car,
            battery: self.mesh.settings.battery,
            attempt: Attempt(self.mesh.attempt),
            ticket: self.ticket_of(self.me.device()),
            unix_s: self.papers.clock.unix_s(now),
        }
    }

    /// Something in the greeting is new.
    pub(in crate::core::car) fn greet_again(&mut self, now: MonoTime) {
        let live: Vec<DeviceId> = self.mesh.live().map(|(device, _)| device.clone()).collect();
        self.tell_peers(live, PeerMessage::Hello(self.hello(now)));
    }

    /// What time it is by the neighbours who know it and have a good ticket, in seconds since 1970: by the earliest of
    /// those that can be true after `passed_unix_s`.
    pub(in crate::core::car) fn wall_time_told(&self, passed_unix_s: u64, now: MonoTime) -> Option<u64> {
        let convoy = self.convoy.as_ref()?;
        let book = &self.papers.tickets;
        let is_member = |device: &DeviceId| {
            let ticket = book.of(device);
            let standing = |ticket| book.standing(ticket, device, convoy, WallTime::AtLeastS(passed_unix_s));
            ticket.is_some_and(|ticket| !ticket.is_guests() && standing(ticket).admits())
        };
        let told = self.mesh.live().filter_map(|(device, live)| {
            let unix_s = live.hello.as_ref()?.unix_s?;
            let since_us = u64::try_from(now - live.greeted).unwrap_or_default();
            Some((device, unix_s.saturating_add(since_us / 1_000_000)))
        });
        let can_be = told.filter(|(device, unix_s)| *unix_s >= passed_unix_s && is_member(device));
        can_be.map(|(_, unix_s)| unix_s).min()
    }
}
