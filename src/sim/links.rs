//! How WebRTC makes and loses links, as far as the core can tell: signals go to and fro, then it takes a while, and
//! both sides have to hear each other.

use super::world::{Event, World};
use super::{Instant, SECOND};
use crate::core::io::Input;
use crate::core::mesh::{Attempt, MeshCommand, MeshEvent, PeerMessage, Signal, SignalKind};

/// One side of a link, or of an attempt at one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    pub(super) attempt: Attempt,
    pub(super) up: bool,
}

/// ICE tries again so often.
const ICE_AGAIN_US: Instant = 400_000;
/// The edge's own deadline.
const ICE_MAX_US: Instant = 20 * SECOND;
/// How often a lost control is sent again: `maxRetransmits`.
const RETRANSMITS: usize = 3;
const RETRANSMIT_US: Instant = 150_000;

impl World {
    pub(super) fn perform_mesh(&mut self, car: usize, command: MeshCommand) {
        match command {
            MeshCommand::Connect { peer, attempt } => {
                let Some(peer) = self.number_of(&peer) else { return };
                self.end(car, peer);
                self.nodes_mut(car, |node| node.ends.insert(peer, End { attempt, up: false }));
                self.signal_later(car, peer, attempt, SignalKind::Offer);
                self.signal_later(car, peer, attempt, SignalKind::IceCandidate);
            }
            MeshCommand::Signal { from, signal } => {
                let Some(peer) = self.number_of(&from) else { return };
                self.hear_signal(car, peer, &signal);
            }
            MeshCommand::Send { to, message } => {
                for peer in to.iter().filter_map(|device| self.number_of(device)).collect::<Vec<_>>() {
                    self.send(car, peer, &message);
                }
            }
            MeshCommand::Close { peer } => {
                let Some(peer) = self.number_of(&peer) else { return };
                self.end(car, peer);
            }
        }
    }

    pub(super) fn send(&mut self, car: usize, peer: usize, message: &PeerMessage) {
        self.sent += 1;
        if let Some(end) = self.end_of(car, peer).filter(|end| end.up) {
            let mut message = Box::new(message.clone());
            if let PeerMessage::Beat(beat) = &mut *message {
                beat.sent = self.mono(car);
                self.falsify(car, beat);
            }
            self.carry(car, peer, end.attempt, message);
        }
    }

    fn signal_later(&mut self, car: usize, peer: usize, attempt: Attempt, kind: SignalKind) {
        let Some(to) = self.device_of(peer) else { return };
        let body = format!("{kind:?} of {car} to {peer}");
        let event = MeshEvent::Signal { to, signal: Signal { attempt, kind, body } };
        let at = self.now + self.chance.between(2_000, 30_000);
        self.input_at(at, car, Input::Mesh(event));
    }

    fn hear_signal(&mut self, car: usize, peer: usize, signal: &Signal) {
        match signal.kind {
            SignalKind::Offer => {
                self.end(car, peer);
                let end = End { attempt: signal.attempt, up: false };
                self.nodes_mut(car, |node| node.ends.insert(peer, end));
                self.signal_later(car, peer, signal.attempt, SignalKind::Answer);
            }
            SignalKind::Answer => {
                let at = self.now + self.chance.between(30_000, 250_000);
                let until = self.now + ICE_MAX_US;
                self.at(at, Event::Ice { offerer: car, answerer: peer, attempt: signal.attempt, until });
            }
            SignalKind::IceCandidate => {}
        }
    }

    /// ICE and DTLS have had their time: the link is there if both still want it and hear each other.
    pub(super) fn try_ice(&mut self, offerer: usize, answerer: usize, attempt: Attempt, until: Instant) {
        let is_tried = |end: Option<End>| end.is_some_and(|end| end.attempt == attempt && !end.up);
        if !is_tried(self.end_of(offerer, answerer)) || !is_tried(self.end_of(answerer, offerer)) {
            return;
        }
        let firewalled = |car: usize| self.nodes.get(car).is_some_and(|node| node.firewalled);
        if !self.lan.passes_both(offerer, answerer) || firewalled(offerer) || firewalled(answerer) {
            if self.now < until {
                self.at(self.now + ICE_AGAIN_US, Event::Ice { offerer, answerer, attempt, until });
            }
            return;
        }
        for (car, peer) in [(offerer, answerer), (answerer, offerer)] {
            let at = self.now + self.chance.between(1_000, 20_000);
            self.at(at, Event::Open { car, peer, attempt });
        }
    }

    pub(super) fn open(&mut self, car: usize, peer: usize, attempt: Attempt) {
        let Some(end) = self.end_of(car, peer).filter(|end| end.attempt == attempt && !end.up) else { return };
        self.nodes_mut(car, |node| {
            node.ends.insert(peer, End { up: true, ..end });
            node.opened += 1;
        });
        self.stir_links(format!("{car} has a link with {peer}"));
        let Some(peer) = self.device_of(peer) else { return };
        self.input(car, Input::Mesh(MeshEvent::Up { peer, attempt }));
    }

    /// Sends a message over a link. A control that is lost is sent again, and holds up those after it; a beat is not.
    pub(super) fn carry(&mut self, from: usize, to: usize, attempt: Attempt, message: Box<PeerMessage>) {
        let is_beat = matches!(*message, PeerMessage::Beat(_));
        let tries = if is_beat { 1 } else { 1 + RETRANSMITS };
        let lost = (0..tries).take_while(|_| self.lan.loses(self.now, &mut self.chance)).count();
        if lost == tries || !self.lan.passes(from, to) {
            return;
        }
        let mut at = self.now + lost as Instant * RETRANSMIT_US + self.lan.delay_us(self.now, &mut self.chance);
        if !is_beat {
            let last = self.in_order.entry((from, to)).or_default();
            at = at.max(*last);
            *last = at;
        } else if self.lan.doubles(&mut self.chance) {
            let again = self.now + self.lan.delay_us(self.now, &mut self.chance);
            self.at(again, Event::Arrive { from, to, attempt, message: message.clone() });
        }
        self.at(at, Event::Arrive { from, to, attempt, message });
    }

    pub(super) fn arrive(&mut self, from: usize, to: usize, attempt: Attempt, message: Box<PeerMessage>) {
        let Some(end) = self.end_of(to, from).filter(|end| end.attempt == attempt) else { return };
        if !end.up {
            // The channel opens at the other side first.
            self.at(self.now + 5_000, Event::Arrive { from, to, attempt, message });
            return;
        }
        let (Some(device), received) = (self.device_of(from), self.mono(to)) else { return };
        self.note_mischief(from, to, &message);
        self.input(to, Input::Mesh(MeshEvent::Message { from: device, message, received }));
    }

    fn stir_links(&mut self, what: String) {
        self.disturbed(|| what.clone());
        self.link_changed = Some(what);
    }

    /// Ends a side of a link; the other side mostly hears of it.
    pub(super) fn end(&mut self, car: usize, peer: usize) {
        let Some(end) = self.end_of(car, peer) else { return };
        self.nodes_mut(car, |node| node.ends.remove(&peer));
        if !end.up {
            return;
        }
        self.stir_links(format!("{car} ends its link with {peer}"));
        if self.lan.passes(car, peer) && !self.chance.happens(0.3) {
            let at = self.now + self.lan.delay_us(self.now, &mut self.chance);
            self.at(at, Event::Hangup { car: peer, peer: car, attempt: end.attempt });
        }
    }

    pub(super) fn hang_up(&mut self, car: usize, peer: usize, attempt: Attempt) {
        if self.end_of(car, peer).is_none_or(|end| end.attempt != attempt) {
            return;
        }
        self.nodes_mut(car, |node| node.ends.remove(&peer));
        self.stir_links(format!("{car} hears that {peer} has ended their link"));
        let Some(peer) = self.device_of(peer) else { return };
        self.input(car, Input::Mesh(MeshEvent::Down { peer, attempt, reason: "closed".into() }));
    }

    pub(super) fn end_of(&self, car: usize, peer: usize) -> Option<End> {
        self.nodes.get(car)?.ends.get(&peer).copied()
    }
}
