//! Links by which phones join: the server gives them, and a car asks for them on behalf of whoever sits in it. Where
//! there is none, a car gives its own in a convoy that was founded on the roadside.

use super::{Car, Link};
use crate::core::io::{Dialect, Output, RequestId, ServerCommand};
use crate::core::mesh::LanCommand;
use crate::core::request::{Invitation, Refusal};
use crate::core::ticket::{Role, Ticket};

impl Car {
    pub(super) fn ask_for_invitation(&mut self, request: RequestId, role: Option<Role>) {
        let refusal = match (&self.convoy, self.link) {
            (None, _) => Refusal::Invalid("this car is in no convoy; join one first (`jamzctl join`)".into()),
            (Some(convoy), Link::Joined(Dialect::Jamz)) => {
                let convoy = convoy.clone();
                self.invitations.insert(request);
                self.outputs.push_back(Output::Server(ServerCommand::Invite { request, convoy, role }));
                return;
            }
            (_, Link::Joined(Dialect::Backend) | Link::Joining(Dialect::Backend)) => {
                Refusal::Invalid("this server gives no links; phones join it by its own app".into())
            }
            (_, Link::Down | Link::Joining(Dialect::Jamz)) => match self.own_link(role) {
                Ok(role) => return self.outputs.push_back(Output::Lan(LanCommand::Invite { request, role })),
                Err(refusal) => refusal,
            },
        };
        self.outputs.push_back(Output::Invited { request, result: Err(refusal) });
    }

    /// As what a phone may come by a link of this car's own: as much as the car may, at most.
    fn own_link(&self, wanted: Option<Role>) -> Result<Role, Refusal> {
        let let_in = self.papers.let_in.as_ref().filter(|papers| self.convoy.as_ref() == Some(&papers.convoy));
        let founders =
            let_in.and_then(|papers| papers.tickets.iter().find(|ticket| ticket.device == *self.me.device()));
        let (Some(founders), Some(convoy)) = (founders.filter(|_| self.meshes()), &self.convoy) else {
            let problem = "only the server can give a link, and it is out of reach; try again when it is back \
                (`jamzctl status`)";
            return Err(Refusal::Failed(problem.into()));
        };
        let (book, me, wall) = (&self.papers.tickets, self.me.device(), self.papers.wall);
        let own = book.of(me).unwrap_or(founders);
        let is_good = |ticket: &Ticket| book.standing(ticket, me, convoy, wall).admits();
        if !is_good(founders) || !is_good(own) {
            return Err(Refusal::Denied("this car's own ticket is good no more, so it may let nobody in".into()));
        }
        if own.role == Role::Listener {
            return Err(Refusal::Denied("this car may only listen, and so lets nobody in".into()));
        }
        if !founders.may_vouch() {
            let problem = "too many cars stand between this one and the one that founded the convoy; have a car that \
                was in it earlier show a link";
            return Err(Refusal::Denied(problem.into()));
        }
        Ok(wanted.unwrap_or(Role::Dj))
    }

    pub(super) fn handle_invited(&mut self, request: RequestId, result: Result<Invitation, String>) {
        if self.invitations.remove(&request) {
            let result = result.map_err(|reason| Refusal::Denied(format!("the server gives no link: {reason}")));
            self.outputs.push_back(Output::Invited { request, result });
        }
    }

    /// The server is gone: who waits for a link is told.
    pub(super) fn abandon_invitations(&mut self) {
        for request in std::mem::take(&mut self.invitations) {
            let result = Err(Refusal::Failed("the connection to the server was lost; try again".into()));
            self.outputs.push_back(Output::Invited { request, result });
        }
    }
}
