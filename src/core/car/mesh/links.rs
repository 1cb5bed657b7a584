//! Which links there should be, and how they come and go.

use super::PEERS_MAX;
use super::peer::{Link, Live, Peer};
use crate::core::car::Car;
use crate::core::clock::MonoTime;
use crate::core::election::{Rank, hubs};
use crate::core::id::{DeviceId, UserId};
use crate::core::io::Output;
use crate::core::mesh::{Attempt, Hello, MeshCommand, PeerMessage};
use crate::core::status::{Member, MemberKind};
use std::collections::{BTreeMap, BTreeSet};

/// Attempts at once.
const CONNECTING_MAX: usize = 4;
/// Who said goodbye is left alone so long.
const GOODBYE_US: i64 = 5_000_000;

impl Car {
    pub(super) fn tend_links(&mut self, now: MonoTime) {
        self.give_up_dead(now);
        let wanted = self.wanted_links();
        self.connect(&wanted, now);
        self.close_idle(&wanted, now);
        self.mesh.wanted = wanted;
    }

    pub(super) fn links_due(&self) -> Option<MonoTime> {
        let has_room = self.connecting() < CONNECTING_MAX;
        let retries = self
            .mesh
            .wanted
            .iter()
            .filter_map(|device| self.mesh.peers.get(device))
            .filter(|peer| has_room && matches!(peer.link, Link::Down))
            .map(|peer| peer.retry);
        let attempts = self.mesh.peers.values().filter_map(Peer::timeout);
        let live = self.mesh.live().filter_map(|(_, live)| {
            let idle = live.idle.map(|since| since + self.mesh.settings.idle_us);
            [idle, live.dies()].into_iter().flatten().min()
        });
        retries.chain(attempts).chain(live).min()
    }

    pub(super) fn handle_link_up(&mut self, device: &DeviceId, attempt: Attempt, now: MonoTime) {
        let Some(peer) = self.mesh.peers.get_mut(device) else { return };
        if peer.attempt() != Some(attempt) || peer.live().is_some() {
            return;
        }
        (peer.link, peer.failures) = (Link::Up(Box::new(Live::new(attempt, now))), 0);
        let hello = Hello {
            user: self.me.user.clone(),
            name: self.me.name.clone(),
            kind: MemberKind::Car,
            battery: self.mesh.settings.battery,
        };
        self.tell_peer(device, PeerMessage::Hello(hello));
    }

    pub(super) fn handle_link_down(&mut self, device: &DeviceId, attempt: Attempt, now: MonoTime) {
        let is_near = self.mesh.found.contains(device);
        let Some(peer) = self.mesh.peers.get_mut(device).filter(|peer| peer.attempt() == Some(attempt)) else { return };
        if peer.live().is_some() {
            peer.end();
            peer.retry = now;
        } else {
            peer.fail(is_near, now);
        }
    }

    pub(super) fn handle_hello(&mut self, from: &DeviceId, hello: Hello) {
        if let Some(live) = self.mesh.live_with_mut(from) {
            live.hello = Some(hello);
        }
    }

    pub(super) fn handle_goodbye(&mut self, from: &DeviceId, now: MonoTime) {
        self.outputs.push_back(Output::Mesh(MeshCommand::Close { peer: from.clone() }));
        if let Some(peer) = self.mesh.peers.get_mut(from) {
            peer.end();
            (peer.failures, peer.retry) = (1, now + GOODBYE_US);
        }
    }

    /// Who was out of reach has shown itself.
    pub(in crate::core::car) fn renew_hope(&mut self, device: &DeviceId, now: MonoTime) {
        if let Some(peer) = self.mesh.peers.get_mut(device).filter(|peer| matches!(peer.link, Link::Down)) {
            (peer.failures, peer.retry) = (0, now);
        }
    }

    /// The peer, noted if it was not; none when there are too many.
    pub(super) fn peer_mut(&mut self, device: &DeviceId, now: MonoTime) -> Option<&mut Peer> {
        if self.mesh.peers.len() >= PEERS_MAX {
            self.mesh.peers.retain(|known, peer| known == device || !matches!(peer.link, Link::Down));
        }
        let full = self.mesh.peers.len() >= PEERS_MAX && !self.mesh.peers.contains_key(device);
        (!full).then(|| self.mesh.peers.entry(device.clone()).or_insert_with(|| Peer::new(now)))
    }

    fn give_up_dead(&mut self, now: MonoTime) {
        let mut over = Vec::new();
        let mut stirred = false;
        for (device, peer) in &mut self.mesh.peers {
            peer.lose_patience(now);
            let is_near = self.mesh.found.contains(device);
            match &peer.link {
                Link::Connecting { .. } if peer.deadline().is_some_and(|due| now >= due) => peer.fail(is_near, now),
                Link::Up(live) if live.deaf || live.dies().is_some_and(|dies| now >= dies) => {
                    peer.end();
                    peer.retry = now;
                }
                _ => continue,
            }
            stirred = true;
            over.push(device.clone());
        }
        self.mesh.stirred |= stirred;
        for peer in over {
            self.outputs.push_back(Output::Mesh(MeshCommand::Close { peer }));
        }
    }

    fn connect(&mut self, wanted: &BTreeSet<DeviceId>, now: MonoTime) {
        for device in wanted {
            if self.connecting() >= CONNECTING_MAX {
                return;
            }
            let attempt = Attempt((self.mesh.attempt + 1).max(now.0.unsigned_abs()));
            let Some(peer) = self.peer_mut(device, now) else { continue };
            if !matches!(peer.link, Link::Down) || now < peer.retry {
                continue;
            }
            peer.link = Link::Connecting { attempt, since: now, ours: true, answered: false, patient: true };
            self.mesh.attempt = attempt.0;
            self.outputs.push_back(Output::Mesh(MeshCommand::Connect { peer: device.clone(), attempt }));
        }
    }

    fn connecting(&self) -> usize {
        let is_ours = |peer: &&Peer| matches!(peer.link, Link::Connecting { ours: true, .. });
        self.mesh.peers.values().filter(is_ours).count()
    }

    fn close_idle(&mut self, wanted: &BTreeSet<DeviceId>, now: MonoTime) {
        let idle_us = self.mesh.settings.idle_us;
        let mut idle = Vec::new();
        for (device, peer) in &mut self.mesh.peers {
            let Some(live) = peer.live_mut() else { continue };
            live.wanted = wanted.contains(device);
            let needed = live.wanted || live.beat.as_ref().is_none_or(|beat| beat.wanted);
            live.idle = if needed { None } else { live.idle.or(Some(now)) };
            if live.idle.is_some_and(|since| now - since >= idle_us) {
                idle.push(device.clone());
                peer.end();
            }
        }
        for peer in idle {
            self.outputs.push_back(Output::Mesh(MeshCommand::Close { peer }));
        }
    }

    /// With whom this car wants a link now.
    fn wanted_links(&self) -> BTreeSet<DeviceId> {
        let candidates = self.candidates();
        let mut ranks: Vec<Rank> = candidates.values().cloned().collect();
        ranks.push(self.rank_of(self.me.device(), Some(self.me.user.clone())));
        let gone = |device: &DeviceId| self.mesh.peers.get(device).is_some_and(Peer::seems_gone);
        let mut wanted = hubs(&ranks, self.me.device(), gone);
        wanted.extend(self.mesh.upstream().cloned());
        // Who is there and belongs to another component, or to another server, is the way to it.
        let mut beyond: Vec<&Rank> =
            candidates.values().filter(|rank| !self.mesh.reached.contains(&rank.device)).collect();
        beyond.sort_unstable_by(|a, b| b.cmp(a));
        wanted.extend(beyond.iter().filter(|rank| gone(&rank.device)).map(|rank| rank.device.clone()));
        wanted.extend(beyond.iter().find(|rank| !gone(&rank.device)).map(|rank| rank.device.clone()));
        wanted
    }

    /// The cars that a signal can reach, by rank.
    fn candidates(&self) -> BTreeMap<DeviceId, Rank> {
        let mut users: BTreeMap<DeviceId, Option<UserId>> =
            self.mesh.found.iter().map(|device| (device.clone(), None)).collect();
        let by_server = self.is_joined_to_server().then_some(&self.members).into_iter().flatten();
        let by_peers = self.mesh.live().flat_map(|(_, live)| &live.members);
        let is_there = |member: &&Member| member.online && member.kind == MemberKind::Car;
        for member in by_server.chain(by_peers).filter(is_there) {
            if let (Ok(device), Ok(user)) = (DeviceId::new(&*member.device), UserId::new(&*member.user)) {
                users.insert(device, Some(user));
            }
        }
        for (device, live) in self.mesh.live() {
            let user = live.hello.as_ref().map(|hello| hello.user.clone());
            let known = users.entry(device.clone()).or_default();
            *known = user.or_else(|| known.take());
        }
        users.remove(self.me.device());
        users.into_iter().map(|(device, user)| (device.clone(), self.rank_of(&device, user))).collect()
    }

    fn rank_of(&self, device: &DeviceId, user: Option<UserId>) -> Rank {
        let battery = if device == self.me.device() {
            self.mesh.settings.battery
        } else {
            let hello = self.mesh.live_with(device).and_then(|live| live.hello.as_ref());
            hello.is_some_and(|hello| hello.battery || hello.kind == MemberKind::Phone)
        };
        let dj = self.state.controller.as_ref() == Some(device);
        Rank { dj, mains: !battery, user, device: device.clone() }
    }
}
