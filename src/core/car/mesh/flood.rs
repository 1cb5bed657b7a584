//! Changes on their way through the mesh: over every live link, applied once, and the authority's verdict back.

use super::log::{AtServer, Logged};
use super::{Obeys, PEERS_MAX};
use crate::core::authority::check_bounds;
use crate::core::car::Car;
use crate::core::changes::{Change, ChangeId, Verdict};
use crate::core::clock::MonoTime;
use crate::core::conduct::Matter;
use crate::core::id::DeviceId;
use crate::core::io::{Output, ServerCommand};
use crate::core::mesh::{HOPS_MAX, PeerMessage, Source};
use crate::core::planted::{Plant, is_planted};
use crate::core::signature::check_change;
use crate::core::ticket::Ticket;

/// A change that its author is about to give to the server itself is given by others after so long.
const COURTESY_US: i64 = 600_000;
/// One whose author the server cannot know yet is looked at again after so long.
const STRANGE_US: i64 = 2_000_000;
/// Changes on their way to the server at once.
const IN_FLIGHT_MAX: usize = 32;

impl Car {
    /// An own change counts here, and goes out over every live link.
    pub(in crate::core::car) fn publish(&mut self, change: &Change, now: MonoTime) {
        if !self.meshes() {
            return;
        }
        let server = AtServer::Queued;
        self.mesh.log.note(Logged::new(change.clone(), None, server));
        if !self.mesh.pace.allows(now) {
            // They will find that they lack it, and ask.
            return;
        }
        self.mesh.pace.spend(now);
        let to: Vec<DeviceId> = self.mesh.live().map(|(device, _)| device.clone()).collect();
        self.tell_peers(to, self.told(change, 0));
    }

    /// Own changes have been signed anew.
    pub(in crate::core::car) fn replace_logged(&mut self, changes: Vec<Change>) {
        for change in changes {
            self.mesh.log.replace(change);
        }
    }

    /// A change as others are told of it.
    pub(super) fn told(&self, change: &Change, hops: usize) -> PeerMessage {
        let track = change.action.anchor().and_then(|anchor| self.track_of(anchor)).map(Box::new);
        PeerMessage::Change { change: Box::new(change.clone()), track, ticket: self.ticket_of(&change.id.device), hops }
    }

    /// A change of someone, over a link.
    pub(super) fn handle_flooded(&mut self, from: &DeviceId, change: &Change, hops: usize, now: MonoTime) {
        let from_above = self.mesh.upstream() == Some(from);
        if hops >= HOPS_MAX {
            return;
        }
        if self.ignores(from, change, now) {
            return;
        }
        if !self.is_news(from, change) {
            if self.conduct.count(from, Matter::Repeats, 1, now) && !from_above {
                self.repeat(from, change, hops, now);
            }
            return;
        }
        let Some(convoy) = &self.convoy else { return };
        if check_change(change, convoy).is_err() {
            tracing::debug!(change = %change.id, "a change that is not its author's is dropped");
            let _ = self.conduct.count(from, Matter::Forgeries, 1, now);
            return;
        }
        if !self.bears(from, change, now) {
            return;
        }
        if self.is_in_session() && self.mesh.obeys == Obeys::Server && !self.understands(change, now) {
            return;
        }
        let verdict = match check_bounds(change, &self.state, self.convoy_now(now)) {
            Ok(()) => match self.right_of(change) {
                Ok(()) => self.take_in_flooded(change, from, now),
                Err(reason) if from_above => self.pass_over(change, reason, now),
                Err(reason) if self.mesh.obeys == Obeys::Myself && self.ticket_of(&change.id.device).is_none() => {
                    return self.turn_down(from, change, reason);
                }
                Err(reason) => Verdict::Refused { reason },
            },
            Err(reason) => {
                let _ = from_above || self.conduct.count(&change.id.device, Matter::OutOfBounds, 1, now);
                Verdict::Refused { reason }
            }
        };
        self.pass_on(from, change, hops, verdict, now);
    }

    /// Whether a change is to be looked at: it is not known here, nor was it refused, unless it comes from the
    /// authority's side.
    pub(super) fn is_news(&self, from: &DeviceId, change: &Change) -> bool {
        let is_known = self.state.versions.knows(&change.id) && !is_planted(Plant::ReplayAccepted);
        let was_refused = self.mesh.log.get(&change.id).is_some_and(|logged| logged.refused().is_some());
        !is_known && (self.mesh.upstream() == Some(from) || !was_refused)
    }

    /// Who has no ticket may be anybody, and there is no end to what he may say: nothing of it is kept here.
    fn turn_down(&mut self, from: &DeviceId, change: &Change, reason: String) {
        let verdict = Verdict::Refused { reason };
        self.tell_peer(from, PeerMessage::Verdict { change: change.id.clone(), verdict });
        self.mesh.corrections.owe(from.clone());
    }

    /// A change of someone else, within bounds and new here.
    fn take_in_flooded(&mut self, change: &Change, from: &DeviceId, now: MonoTime) -> Verdict {
        self.hlc = self.hlc.merge(change.hlc);
        if self.is_in_session() {
            if self.will_tell_server(from, change) {
                self.adopt_name(change, now);
            } else {
                self.tell_backend_for(change, now);
            }
        }
        if change.id.device == *self.me.device() {
            self.own.count_on_from(change.id.sequence);
        }
        // What comes from the authority's side has been approved there.
        if self.mesh.upstream() == Some(from) { self.apply_approved(change, now) } else { self.apply(change, now) }
    }

    /// Records what was made of a change here; passes it on, and where this car has the last word, that back.
    fn pass_on(&mut self, from: &DeviceId, change: &Change, hops: usize, verdict: Verdict, now: MonoTime) {
        self.outputs.push_back(Output::Record { change: Box::new(change.clone()), verdict: verdict.clone() });
        let due = if self.will_tell_server(from, change) { now + COURTESY_US } else { now };
        let final_word = self.mesh.obeys == Obeys::Myself;
        let refused = match &verdict {
            Verdict::Refused { reason } => Some(reason.clone()),
            _ => None,
        };
        let is_refused = refused.is_some();
        let from_below = (self.mesh.upstream() != Some(from)).then(|| from.clone());
        // Where it is known already, it did not count then.
        self.mesh.log.note(Logged::new(change.clone(), None, AtServer::Unknown { due }));
        self.mesh.log.set_from(&change.id, from_below);
        self.mesh.log.set_refused(&change.id, refused.filter(|_| final_word));
        if final_word {
            self.tell_peer(from, PeerMessage::Verdict { change: change.id.clone(), verdict });
        }
        if is_refused && final_word {
            self.mesh.corrections.owe(from.clone());
        } else {
            self.forward(from, change, hops + 1, is_refused, now);
        }
    }

    /// A change that is known comes again: who brings it waits for the verdict.
    fn repeat(&mut self, from: &DeviceId, change: &Change, hops: usize, now: MonoTime) {
        let logged = self.mesh.log.get(&change.id);
        let refused = logged.and_then(|logged| logged.refused().cloned());
        let decided = self.mesh.obeys == Obeys::Myself
            || refused.is_some()
            || logged.is_none_or(|logged| logged.server() == AtServer::Known);
        if decided {
            let verdict = refused.map_or(Verdict::Duplicate, |reason| Verdict::Refused { reason });
            self.tell_peer(from, PeerMessage::Verdict { change: change.id.clone(), verdict });
            return;
        }
        self.mesh.log.set_from(&change.id, Some(from.clone()));
        if let Some(upstream) = self.mesh.upstream().cloned().filter(|_| self.mesh.log.may_ask(&change.id, now)) {
            self.tell_peer(&upstream, self.told(change, hops + 1));
        }
    }

    /// Passes a change on over every live link, so that nobody waits for one that is about to be found dead. One that
    /// seems to be refused goes to the authority only. Of very many edits not all are passed on: who lacks some finds
    /// that he does, and asks.
    fn forward(&mut self, from: &DeviceId, change: &Change, hops: usize, only_up: bool, now: MonoTime) {
        if hops >= HOPS_MAX {
            return;
        }
        if change.action.is_edit() {
            if !self.mesh.edits_pace.allows(now) {
                return;
            }
            self.mesh.edits_pace.spend(now);
        }
        let upstream = self.mesh.upstream();
        let to: Vec<DeviceId> = self
            .mesh
            .live()
            .map(|(device, _)| device)
            .filter(|device| *device != from && (!only_up || Some(*device) == upstream))
            .cloned()
            .collect();
        self.tell_peers(to, self.told(change, hops));
    }

    /// Whether `from` made the change itself and gives it to the server over its own link.
    fn will_tell_server(&self, from: &DeviceId, change: &Change) -> bool {
        let route = self.mesh.live_with(from).and_then(|live| live.beat.as_ref()).map(|beat| &beat.route);
        *from == change.id.device && route.is_some_and(|route| has_server(&route.source, &route.path))
    }

    /// The server orders a change of someone else: it counts here, and is passed on to those who do not hear the
    /// server, or hear it too late to obey it.
    pub(in crate::core::car) fn note_from_server(&mut self, change: &Change, now: MonoTime) {
        if !self.meshes() {
            return;
        }
        if self.mesh.log.get(&change.id).is_some() {
            self.mesh.log.set_server(&change.id, AtServer::Known);
            return;
        }
        let server = AtServer::Known;
        self.mesh.log.note(Logged::new(change.clone(), None, server));
        if change.signature.is_some() {
            let below = self.followers().map(|(device, _)| device);
            let to: Vec<DeviceId> = below.chain(self.mesh.upstream()).cloned().collect();
            self.tell_peers(to, self.told(change, 0));
        } else if !change.action.is_edit() {
            // Nobody would believe it of a neighbour; and a control does not wait until the difference is noticed.
            self.pass_state_on(now);
        }
        self.touch(now);
    }

    /// What an authority made of a change: it goes back the way that the change came.
    pub(super) fn handle_verdict(&mut self, from: &DeviceId, id: &ChangeId, verdict: &Verdict) {
        if self.mesh.upstream() != Some(from) {
            return;
        }
        if id.device == *self.me.device() {
            self.settle(id, verdict.clone());
        }
        self.note_verdict(id, verdict);
    }

    /// Notes what became of a change, and tells the neighbour that brought it.
    fn note_verdict(&mut self, id: &ChangeId, verdict: &Verdict) {
        let upstream = self.mesh.upstream().cloned();
        if let Verdict::Refused { reason } = verdict {
            self.mesh.log.set_refused(id, Some(reason.clone()));
        }
        let back = self.mesh.log.set_from(id, None).filter(|device| Some(device) != upstream.as_ref());
        if let Some(back) = back {
            self.tell_peer(&back, PeerMessage::Verdict { change: id.clone(), verdict: verdict.clone() });
        }
    }

    /// An own change is void before anyone took it in: nobody is given it.
    pub(in crate::core::car) fn withdraw(&mut self, id: &ChangeId, reason: &str) {
        if !self.state.versions.knows(id) {
            self.mesh.log.set_refused(id, Some(reason.to_owned()));
        }
    }

    /// A settled change is refused by another authority; whether that is news.
    pub(in crate::core::car) fn note_overruled(&mut self, id: &ChangeId, reason: &str) -> bool {
        let is_news = self.mesh.log.get(id).is_some_and(|logged| logged.refused().is_none());
        self.mesh.log.set_refused(id, Some(reason.to_owned()));
        is_news
    }

    /// A change of late, whatever became of it.
    pub(in crate::core::car) fn logged(&self, id: &ChangeId) -> Option<Change> {
        self.mesh.log.get(id).map(|logged| logged.change.clone())
    }

    /// The server has answered for a change.
    pub(in crate::core::car) fn note_acked(&mut self, id: &ChangeId, verdict: &Verdict) {
        self.mesh.log.set_server(id, AtServer::Known);
        self.note_verdict(id, verdict);
    }

    /// The connection is gone: what was on its way may not have arrived.
    pub(in crate::core::car) fn note_server_lost(&mut self, now: MonoTime) {
        self.mesh.log.revise_server(|logged| match logged.server() {
            AtServer::Sent => AtServer::Unknown { due: now },
            other => other,
        });
    }

    /// The server's whole state says what it knows; the rest is given to it.
    pub(in crate::core::car) fn note_server_state(&mut self, versions: &crate::core::changes::Versions, now: MonoTime) {
        self.mesh.log.revise_server(|logged| match logged.server() {
            _ if versions.knows(&logged.change.id) => AtServer::Known,
            AtServer::Queued => AtServer::Queued,
            _ => AtServer::Unknown { due: now },
        });
    }

    /// An own change has left the car's queue; if another than the server settled it, the server is still to have it.
    pub(in crate::core::car) fn note_settled(&mut self, id: &ChangeId) {
        if self.mesh.log.get(id).is_some_and(|logged| logged.server() == AtServer::Queued) {
            self.mesh.log.set_server(id, AtServer::Unknown { due: MonoTime(i64::MIN) });
        }
    }

    /// Gives the server what it lacks and the car's own queue does not send, in the order in which it came.
    pub(in crate::core::car) fn give_to_server(&mut self, now: MonoTime) {
        if !self.meshes() {
            return;
        }
        let room = IN_FLIGHT_MAX.saturating_sub(self.mesh.log.in_flight());
        let own = &mut self.own;
        for change in self.mesh.log.give(room, now, || own.may_send(now)) {
            let is_own = change.id.device == *self.me.device();
            let ticket = self.ticket_of(&change.id.device).filter(|_| !is_own);
            if !is_own && self.papers.tickets.has_issuer() && !self.is_known_to_server(ticket.as_deref()) {
                // He brings it himself, or a guest's host comes first.
                self.mesh.log.set_server(&change.id, AtServer::Unknown { due: now + STRANGE_US });
                continue;
            }
            let change = Box::new(change);
            self.outputs.push_back(Output::Server(match ticket {
                Some(ticket) => ServerCommand::PassOn { change, ticket },
                None => ServerCommand::Change(change),
            }));
        }
    }

    /// Whether the server can tell whose change it is: it let him in himself, or the car whose guest he is. One that
    /// gives no tickets does not ask for a guest's.
    fn is_known_to_server(&self, ticket: Option<&Ticket>) -> bool {
        let Some(ticket) = ticket else { return false };
        let has_let_in = |device| self.papers.tickets.of(device).is_some_and(|ticket| !ticket.is_founders());
        !ticket.is_founders() || ticket.host().is_some_and(|host| has_let_in(host) || !has_let_in(self.me.device()))
    }

    /// Whether something is on its way to the server, or is to be given to it.
    pub(in crate::core::car) fn gives_to_server(&self) -> bool {
        self.mesh.log.in_flight() > 0 || self.mesh.log.server_due().is_some()
    }

    pub(in crate::core::car) fn server_due(&self) -> Option<MonoTime> {
        let has_room = self.mesh.log.in_flight() < IN_FLIGHT_MAX;
        let due = self.mesh.log.server_due().filter(|_| has_room && self.meshes());
        due.map(|due| self.own.held_until().map_or(due, |held| due.max(held)))
    }

    /// Own changes that no authority has answered for go to it again.
    pub(super) fn repeat_own(&mut self) {
        let Some(upstream) = self.mesh.upstream().cloned() else { return };
        for change in self.own.stored_changes().into_iter().take(PEERS_MAX) {
            self.tell_peer(&upstream, self.told(&change, 0));
        }
    }
}

/// Whether a route says that its teller has the server by its own link.
fn has_server(source: &Source, path: &[DeviceId]) -> bool {
    matches!(source, Source::Server { .. }) && path.len() == 1
}
