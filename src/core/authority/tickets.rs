//! Tickets: issued to those who prove their device's key, renewed while they are there; and what each role may do.

use super::roster::{ConnectionId, Newcomer, Seat};
use super::{Authority, Message, Now, Output};
use crate::core::changes::{Change, Verdict};
use crate::core::id::{DeviceId, UserId};
use crate::core::io::Dialect;
use crate::core::signature::DeviceKey;
use crate::core::ticket::{Credentials, Guest, Revocations, Role, Rulings, Ticket, WallTime};
use crate::core::trust;
use std::collections::{BTreeMap, BTreeSet};

/// How long a ticket is good for: a convoy may be on the road for weeks without meeting its server.
const VALID_S: u64 = 30 * 86_400;
/// A ticket that is good for less than this is renewed.
const RENEW_S: u64 = VALID_S / 2;

impl Authority {
    /// Lets this key issue the convoy's tickets.
    #[must_use]
    pub fn issuing(mut self, issuer: Option<DeviceKey>) -> Self {
        if let Some(issuer) = &issuer {
            self.tickets.trust(issuer.device());
        }
        self.issuer = issuer;
        self
    }

    /// Gives a newcomer its ticket and shows it all others, and them its.
    pub(super) fn show_tickets(&mut self, newcomer: &ConnectionId, now: Now) {
        let Some(seat) = self.roster.get(newcomer).filter(|seat| seat.dialect == Dialect::Jamz).cloned() else {
            return;
        };
        let news = self.issue(&seat, now);
        self.tell_tickets(vec![newcomer.clone()], self.tickets.held().cloned().collect());
        let mut others = self.roster.speaking(Dialect::Jamz);
        others.retain(|other| other != newcomer);
        self.tell_tickets(others, news.into_iter().collect());
    }

    /// Renews the tickets of those who are there, when that is due; whether any was.
    pub fn handle_renewal(&mut self, now: Now) -> bool {
        let seats = self.roster.speaking(Dialect::Jamz).into_iter().filter_map(|id| self.roster.get(&id).cloned());
        let seats: Vec<Seat> = seats.collect();
        let news: Vec<Ticket> = seats.iter().filter_map(|seat| self.issue(seat, now)).collect();
        let renewed = !news.is_empty();
        self.tell_tickets(self.roster.speaking(Dialect::Jamz), news);
        renewed
    }

    /// Takes in whom the server's people put out or let back in: who is out is let go, and everyone hears whose tickets
    /// are void. Whether anything changed.
    pub fn handle_rulings(&mut self, rulings: &Rulings, now: Now) -> bool {
        let mut is_news = false;
        for (user, ruling) in rulings.iter() {
            is_news |= self.rulings.take(user, *ruling);
        }
        is_news |= self.revoke(now);
        if is_news {
            for connection in self.connections() {
                let seat = self.roster.get(&connection);
                let out = seat.and_then(|seat| self.out_of(&seat.user, seat.guest.as_ref()).cloned());
                if let Some(user) = out {
                    self.handle_leave(&connection, false, now);
                    self.outputs.push_back(Output::Dismiss { connection, reason: put_out(&user) });
                }
            }
        }
        is_news
    }

    /// Who of these is put out, a user and who invited him.
    #[must_use]
    pub fn out_of<'a>(&self, user: &'a UserId, guest: Option<&'a Guest>) -> Option<&'a UserId> {
        self.rulings.out_of(user, guest)
    }

    /// Whether someone may come in, for all that was ruled.
    pub(super) fn check_ruling(&mut self, newcomer: &Newcomer) -> Result<(), String> {
        let Some(out) = self.out_of(&newcomer.user, newcomer.guest.as_ref()) else { return Ok(()) };
        let reason = put_out(out);
        if newcomer.dialect == Dialect::Backend {
            // Today's phones wait for no answer.
            let connection = newcomer.connection.clone();
            self.outputs.push_back(Output::Dismiss { connection, reason: reason.clone() });
        }
        Err(reason)
    }

    /// Issues a new list of void tickets, if the last one says otherwise, and tells it to all; whether there is one.
    fn revoke(&mut self, now: Now) -> bool {
        let Some(issuer) = &self.issuer else { return false };
        let mut void: BTreeMap<UserId, u64> = self.rulings.out().map(|(user, at)| (user.clone(), at)).collect();
        let mut devices = BTreeSet::new();
        for ticket in self.tickets.held() {
            // One that was issued by a clock that was ahead is meant, too.
            for user in ticket.users() {
                if let Some(serial) = void.get_mut(user) {
                    *serial = ticket.serial.max(*serial);
                    if !ticket.is_founders() {
                        devices.insert(ticket.device.clone());
                    }
                }
            }
        }
        let now_unix_us = now.unix_ms.unsigned_abs().saturating_mul(1_000);
        let known = self.tickets.revocations().find(|list| list.issuer == *issuer.device());
        let number = known.map_or(0, |known| known.number + 1).max(now_unix_us);
        let list = Revocations::issue(issuer, &self.convoy, (void, devices), number);
        let says = |list: &Revocations| (list.users.clone(), list.devices.clone());
        if known.map_or(list.users.is_empty(), |known| says(known) == says(&list))
            || !self.tickets.take_revocations(&list, &self.convoy)
        {
            return false;
        }
        self.tell_credentials(self.roster.speaking(Dialect::Jamz), Vec::new());
        true
    }

    /// A new ticket for a member that has proved its key, if it needs one.
    fn issue(&mut self, seat: &Seat, now: Now) -> Option<Ticket> {
        let issuer = self.issuer.as_ref().filter(|_| seat.proven)?;
        let now_unix_us = now.unix_ms.unsigned_abs().saturating_mul(1_000);
        let held = self.tickets.of(&seat.device);
        let now_unix_s = now_unix_us / 1_000_000;
        let left_s = |guest: &Guest| guest.until_unix_s.saturating_sub(now_unix_s).min(VALID_S);
        let left_s = seat.guest.as_ref().map_or(VALID_S, left_s);
        let guest_of = seat.guest.as_ref().map(|guest| guest.invited_by.clone());
        if left_s == 0 {
            return None;
        }
        let is_good = |ticket: &Ticket| {
            // A guest's is his only one.
            let lasts = ticket.expires_unix_s > now_unix_s + RENEW_S.min(left_s.saturating_sub(1));
            lasts
                && ticket.issuer == *issuer.device()
                && (&ticket.user, ticket.role, &ticket.guest_of) == (&seat.user, seat.role, &guest_of)
        };
        if held.is_some_and(is_good) {
            return None;
        }
        let serial = held.map_or(0, |held| held.serial + 1).max(now_unix_us);
        let mut ticket = Ticket::issue(issuer, &self.convoy, (&seat.device, &seat.user, seat.role), serial, left_s);
        if guest_of.is_some() {
            ticket.guest_of = guest_of;
            issuer.sign_ticket(&mut ticket);
        }
        self.tickets.take_ticket(&ticket, &self.convoy).then_some(ticket)
    }

    /// A member shows the ticket of someone whose change he passes on; whether it is news, which the others are then
    /// told, as they pass the change on.
    pub fn handle_ticket(&mut self, ticket: &Ticket) -> bool {
        let is_news = self.tickets.take_ticket(ticket, &self.convoy);
        if is_news {
            self.tell_tickets(self.roster.speaking(Dialect::Jamz), vec![ticket.clone()]);
        }
        is_news
    }

    fn tell_tickets(&mut self, to: Vec<ConnectionId>, tickets: Vec<Ticket>) {
        if !tickets.is_empty() {
            self.tell_credentials(to, tickets);
        }
    }

    fn tell_credentials(&mut self, to: Vec<ConnectionId>, tickets: Vec<Ticket>) {
        let Some(issuer) = self.issuer.as_ref().map(|key| key.device().clone()) else { return };
        let revocations = self.tickets.revocations().find(|list| list.issuer == issuer).cloned();
        let credentials = Credentials { convoy: self.convoy.clone(), issuer, tickets, revocations };
        self.send(to, Message::Tickets(Box::new(credentials)));
    }

    /// Whether its author may make a change; where nobody has a ticket, whether he may who passes it on.
    pub(super) fn permits(&self, change: &Change, by: Role, now: Now) -> Result<(), String> {
        let author: &DeviceId = &change.id.device;
        if let Some((_, seat)) = self.roster.of_device(author) {
            return trust::role_allows(seat.role, &change.action);
        }
        if self.issuer.is_none() {
            return trust::role_allows(by, &change.action);
        }
        trust::check_user(&self.tickets, change)?;
        let wall = WallTime::UnixS(now.unix_ms.unsigned_abs() / 1_000);
        trust::admit(&self.tickets, author, &change.action, &self.convoy, wall)
    }

    /// Decides a change of somebody's, if he may make it.
    pub(super) fn judge(&mut self, change: &Change, by: Role, now: Now) -> Verdict {
        match self.permits(change, by, now) {
            Err(reason) if !self.snapshot.versions.knows(&change.id) => {
                let verdict = Verdict::Refused { reason };
                self.record(change, &verdict, now);
                verdict
            }
            _ => self.decide(change, now),
        }
    }
}

/// What someone who was put out is told.
#[must_use]
pub fn put_out(user: &UserId) -> String {
    format!("{user} was put out of this convoy; whoever runs its server can let them in again")
}
