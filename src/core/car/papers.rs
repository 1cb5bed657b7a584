//! This car's papers and those of others: who issues the convoy's tickets, and what each author may do by his.

use super::Car;
use super::wall::Wall;
use crate::core::changes::{Action, Change, Verdict};
use crate::core::clock::MonoTime;
use crate::core::id::DeviceId;
use crate::core::mesh::{Claim, Source};
use crate::core::ticket::{Credentials, Ticket, Tickets, WallTime};
use crate::core::trust;

/// What is known of tickets here.
#[derive(Debug)]
pub(super) struct Papers {
    pub(super) tickets: Tickets,
    /// What time it is, for all that is judged now, and how that is known.
    pub(super) wall: WallTime,
    pub(super) clock: Wall,
    /// What the server that is connected wants signed at joining.
    pub(super) challenge: Option<String>,
    /// The founder of the convoy of the roadside that this car was let into last, and its ticket there.
    pub(super) let_in: Option<Box<Credentials>>,
}

impl Papers {
    pub(super) fn kept(tickets: Tickets, clock: Wall) -> Self {
        Self { tickets, wall: WallTime::default(), clock, challenge: None, let_in: None }
    }
}

impl Car {
    /// The founder's word on this car counts where it was given.
    pub(super) fn handle_let_in(&mut self, credentials: Box<Credentials>, now: MonoTime) {
        self.papers.let_in = Some(credentials);
        self.show_let_in(now);
    }

    /// Shows those papers in the convoy that they are of.
    pub(super) fn show_let_in(&mut self, now: MonoTime) {
        let let_in = self.papers.let_in.take();
        if let Some(credentials) = &let_in {
            self.handle_credentials(credentials, now);
        }
        self.papers.let_in = let_in;
    }

    /// The server that takes this car in, or who let it in on the roadside, says who issues the convoy's tickets. From
    /// then on only they count.
    pub(super) fn handle_credentials(&mut self, credentials: &Credentials, now: MonoTime) {
        let Some(convoy) = self.convoy.as_ref().filter(|convoy| **convoy == credentials.convoy) else { return };
        let tickets = &mut self.papers.tickets;
        let mut is_news = tickets.trust(&credentials.issuer);
        for ticket in &credentials.tickets {
            is_news |= tickets.take_ticket(ticket, convoy);
        }
        if is_news {
            self.touch(now);
        }
        if let Some(list) = &credentials.revocations {
            self.learn_revocations(list, now);
        }
    }

    /// Somebody shows a ticket, his own or that of an author whose change he passes on.
    pub(super) fn learn_ticket(&mut self, ticket: Option<&Ticket>, now: MonoTime) {
        let (Some(ticket), Some(convoy)) = (ticket, &self.convoy) else { return };
        if self.papers.tickets.take_ticket(ticket, convoy) {
            self.touch(now);
        }
    }

    /// The ticket that goes where a device's changes go.
    pub(super) fn ticket_of(&self, device: &DeviceId) -> Option<Box<Ticket>> {
        self.papers.tickets.of(device).cloned().map(Box::new)
    }

    /// Whether a device, this one or another, may do something in this car's convoy, by its ticket.
    fn right(&self, device: &DeviceId, action: &Action) -> Result<(), String> {
        let Some(convoy) = &self.convoy else { return Ok(()) };
        trust::admit(&self.papers.tickets, device, action, convoy, self.papers.wall)
    }

    /// Whether a change that came over a link may count, by its author's ticket, whoever brought it.
    pub(super) fn right_of(&self, change: &Change) -> Result<(), String> {
        trust::check_user(&self.papers.tickets, change)?;
        self.right(&change.id.device, &change.action)
    }

    /// The ticket of somebody's guest.
    pub(super) fn guest(&self, device: &DeviceId) -> Option<&Ticket> {
        self.papers.tickets.of_guest(device)
    }

    /// Whether a neighbour may be followed to whoever it says has the last word. A guest leads nowhere; and in a convoy
    /// that was founded on the roadside all others have a ticket to show.
    pub(super) fn may_be_followed(&self, neighbour: &DeviceId) -> bool {
        let is_founded = self.papers.let_in.as_ref().is_some_and(|papers| self.convoy.as_ref() == Some(&papers.convoy));
        self.papers.tickets.of(neighbour).map_or(!is_founded, |ticket| !ticket.is_guests())
    }

    /// A change is known and does not count, though it comes from the authority's side: that it is known there, too,
    /// must not be asked for again and again.
    pub(super) fn pass_over(&mut self, change: &Change, reason: String, now: MonoTime) -> Verdict {
        self.state.versions.insert(&change.id);
        self.touch(now);
        Verdict::Superseded { reason }
    }

    /// Whether this car may do something in its convoy, by its own ticket.
    pub(super) fn own_right(&self, action: &Action) -> Result<(), String> {
        self.right(self.me.device(), action)
    }

    /// Whether somebody may say what counts, by his ticket. Its time is no matter here: cars with different clocks have
    /// to agree on who leads.
    pub(super) fn may_lead(&self, source: &Source) -> bool {
        let Source::Member(Claim { device, .. }) = source else { return true };
        let tickets = &self.papers.tickets;
        let may = |ticket: &Ticket| trust::role_allows(ticket.role, &Action::TakeControl).is_ok();
        tickets.of(device).is_none_or(|ticket| may(ticket) && !tickets.is_put_out(device))
    }
}
