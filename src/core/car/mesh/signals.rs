//! Signals on their way between two members that have no link yet: over every way there is, and each counts once.

use super::PEERS_MAX;
use super::peer::{Link, Live};
use crate::core::car::Car;
use crate::core::clock::MonoTime;
use crate::core::conduct::Matter;
use crate::core::id::DeviceId;
use crate::core::io::{Dialect, Output, ServerCommand};
use crate::core::mesh::{HOPS_MAX, LanCommand, MeshCommand, PeerMessage, Signal, SignalKind, SignedSignal};
use crate::core::signature::check_signal;
use std::collections::VecDeque;

/// Signals that are remembered as seen.
const SEEN_MAX: usize = 512;
/// Longest SDP or candidate, in bytes.
const BODY_BYTES_MAX: usize = 64 * 1_024;

/// Signatures of the signals seen last: whatever came by two ways is one.
#[derive(Debug, Default)]
pub(super) struct Relayed(VecDeque<String>);

impl Relayed {
    /// Notes a signal; false when it was seen before.
    fn note(&mut self, signed: &SignedSignal) -> bool {
        if self.0.contains(&signed.signature) {
            return false;
        }
        if self.0.len() >= SEEN_MAX {
            self.0.pop_front();
        }
        self.0.push_back(signed.signature.clone());
        true
    }
}

impl Car {
    /// Sends what our side of a link wants the other side to know.
    pub(super) fn send_signal(&mut self, to: DeviceId, signal: Signal) {
        let current = self.mesh.peers.get(&to).and_then(super::Peer::attempt);
        let Some(convoy) = self.convoy.clone().filter(|_| current == Some(signal.attempt)) else { return };
        let signed = self.me.key.sign_signal(to, signal, convoy);
        self.mesh.relayed.note(&signed);
        let is_listed = self.members.iter().any(|member| member.online && member.device == signed.to.as_str());
        let by_server = self.is_joined_to_server() && is_listed;
        let by_lan = self.mesh.is_near(&signed.to);
        if self.is_joined_to_server() && (is_listed || !by_lan) {
            self.outputs.push_back(Output::Server(ServerCommand::Signal(Box::new(signed.clone()))));
        }
        if by_lan {
            self.outputs.push_back(Output::Lan(LanCommand::Signal(Box::new(signed.clone()))));
        }
        // What is thought to carry it may have ceased to.
        let has_failed = self.mesh.peers.get(&signed.to).is_some_and(|peer| peer.failures > 0);
        let is_carried = by_server || by_lan;
        if !is_carried || has_failed {
            self.relay_signal(signed, 0, None, is_carried);
        }
    }

    /// A signal has come by some way, over `hops` links.
    pub(in crate::core::car) fn handle_signal(
        &mut self,
        signed: SignedSignal,
        hops: usize,
        from: Option<&DeviceId>,
        now: MonoTime,
    ) {
        let ours = self.meshes() && self.convoy.as_ref() == Some(&signed.convoy);
        if !ours || signed.signal.body.len() > BODY_BYTES_MAX || signed.from == *self.me.device() {
            return;
        }
        if self.conduct.is_muted(&signed.from, now) {
            return;
        }
        if check_signal(&signed).is_err() {
            // Whoever passes it on has not looked, as everyone of good faith does.
            let _ = from.is_none_or(|from| self.conduct.count(from, Matter::Forgeries, 1, now));
            return;
        }
        if !self.mesh.relayed.note(&signed) || !self.conduct.count(&signed.from, Matter::Signals, 1, now) {
            return;
        }
        if self.is_put_out(&signed.from) {
            return;
        }
        if signed.to == *self.me.device() {
            self.take_signal(signed.from, signed.signal, now);
        } else {
            self.relay_signal(signed, hops + 1, from, false);
        }
    }

    /// Passes a signal on over links: to the addressee, or else towards those who reach it, or else, unless it is on
    /// its way already, to everyone.
    fn relay_signal(&mut self, signed: SignedSignal, hops: usize, from: Option<&DeviceId>, is_carried: bool) {
        if hops >= HOPS_MAX {
            return;
        }
        let others = || self.mesh.live().filter(|(device, _)| Some(*device) != from);
        let lists = |live: &Live| live.members.iter().any(|member| member.device == signed.to.as_str());
        let mut to: Vec<DeviceId> = others()
            .filter(|(device, live)| **device == signed.to || lists(live))
            .map(|(device, _)| device.clone())
            .collect();
        if to.contains(&signed.to) {
            to = vec![signed.to.clone()];
        } else if to.is_empty() && !is_carried {
            to = others().map(|(device, _)| device.clone()).collect();
        }
        self.tell_peers(to, PeerMessage::Signal { signal: Box::new(signed), hops });
    }

    fn take_signal(&mut self, from: DeviceId, signal: Signal, now: MonoTime) {
        if signal.kind == SignalKind::Offer {
            if !self.accepts_offer(&from, &signal, now) {
                return;
            }
        } else {
            let Some(peer) = self.mesh.peers.get_mut(&from) else { return };
            if peer.attempt() != Some(signal.attempt) {
                return;
            }
            if let Link::Connecting { answered, .. } = &mut peer.link {
                *answered = true;
            }
        }
        self.outputs.push_back(Output::Mesh(MeshCommand::Signal { from, signal }));
    }

    /// Whether an offer begins a link. Of two that cross, the lower device id's stands; a new one that comes while
    /// there is a link says that the other side has none.
    fn accepts_offer(&mut self, from: &DeviceId, signal: &Signal, now: MonoTime) -> bool {
        let is_lower = from < self.me.device();
        let links = self.mesh.peers.values().filter(|peer| !matches!(peer.link, Link::Down)).count();
        let Some(peer) = self.peer_mut(from, now) else { return false };
        let crosses = matches!(peer.link, Link::Connecting { ours: true, .. });
        let is_old = signal.attempt <= peer.latest && peer.live().is_some();
        peer.latest = peer.latest.max(signal.attempt);
        if is_old || peer.is_over(signal.attempt) || peer.attempt() == Some(signal.attempt) || links >= PEERS_MAX {
            return false;
        }
        if crosses && !is_lower {
            peer.put_behind(signal.attempt);
            return false;
        }
        let had_one = peer.attempt().is_some();
        peer.end();
        peer.link =
            Link::Connecting { attempt: signal.attempt, since: now, ours: false, answered: true, patient: true };
        if had_one {
            self.outputs.push_back(Output::Mesh(MeshCommand::Close { peer: from.clone() }));
        }
        true
    }

    pub(in crate::core::car) fn is_joined_to_server(&self) -> bool {
        matches!(self.link, crate::core::car::Link::Joined(Dialect::Jamz | Dialect::Backend))
    }
}
