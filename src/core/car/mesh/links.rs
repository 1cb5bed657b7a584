//! Which links there should be, and how they come and go.

use super::peer::{Link, Live, Peer};
use super::{Mesh, Obeys, PEERS_MAX};
use crate::core::car::Car;
use crate::core::clock::MonoTime;
use crate::core::election::{Rank, hubs};
use crate::core::id::{DeviceId, UserId};
use crate::core::io::Output;
use crate::core::mesh::{Attempt, Hello, MeshCommand, PeerMessage, Source};
use crate::core::status::{Member, MemberKind};
use std::collections::{BTreeMap, BTreeSet};

/// Attempts at once.
const CONNECTING_MAX: usize = 4;
/// Who said goodbye is left alone so long.
const GOODBYE_US: i64 = 5_000_000;
/// Whoever is found on the network is not tried before so long, nor anyone beside a link there is before so long after
/// others came to be known by it: where many come at once, all have to find the same hub.
const GATHER_US: i64 = 150_000;
/// Who is there, and is not reached over the links there are, has so long to come by himself before he is tried: by
/// the leader of a component, for all of it,
const BEYOND_LEADER_US: i64 = 1_000_000;
/// and by those who obey, if the leader cannot reach him.
const BEYOND_OTHERS_US: i64 = 4_000_000;

impl Car {
    pub(super) fn tend_links(&mut self, now: MonoTime) {
        self.give_up_dead(now);
        self.note_candidates(now);
        let wanted = self.wanted_links(now);
        self.connect(&wanted, now);
        self.close_idle(&wanted, now);
        self.mesh.wanted = wanted;
        self.mesh.tended = now;
    }

    pub(super) fn links_due(&self) -> Option<MonoTime> {
        let has_room = self.connecting() < CONNECTING_MAX;
        let retries = self
            .mesh
            .wanted
            .iter()
            .filter_map(|device| self.mesh.peers.get(device))
            .filter(|peer| has_room && matches!(peer.link, Link::Down))
            .map(|peer| peer.retry.max(self.gathered()));
        let attempts = self.mesh.peers.values().filter_map(Peer::timeout);
        let live = self
            .mesh
            .live()
            .filter_map(|(_, live)| [live.closes(self.mesh.settings.idle_us), live.dies()].into_iter().flatten().min());
        let beyond = self.mesh.beyond.keys().filter_map(|device| self.beyond_due(device));
        let beyond = beyond.filter(|due| *due > self.mesh.tended);
        retries.chain(attempts).chain(live).chain(beyond).min()
    }

    pub(super) fn handle_link_up(&mut self, device: &DeviceId, attempt: Attempt, now: MonoTime) {
        let Some(peer) = self.mesh.peers.get_mut(device) else { return };
        if peer.attempt() != Some(attempt) || peer.live().is_some() {
            return;
        }
        (peer.link, peer.failures) = (Link::Up(Box::new(Live::new(attempt, now))), 0);
        self.tell_peer(device, PeerMessage::Hello(self.hello(now)));
        self.tell_revocations(device);
    }

    pub(super) fn handle_link_down(&mut self, device: &DeviceId, attempt: Attempt, now: MonoTime) {
        let is_near = self.mesh.is_near(device);
        let Some(peer) = self.mesh.peers.get_mut(device).filter(|peer| peer.attempt() == Some(attempt)) else { return };
        if peer.live().is_some() {
            peer.end();
            peer.retry = now;
        } else {
            peer.fail(is_near, now);
        }
    }

    pub(super) fn handle_hello(&mut self, from: &DeviceId, hello: Hello, now: MonoTime) {
        self.learn_ticket(hello.ticket.as_deref(), now);
        if self.is_put_out(from) {
            return self.turn_away(from);
        }
        let hello = match self.guest(from) {
            // However he calls himself.
            Some(guest) => Hello { user: guest.user.clone(), kind: MemberKind::Phone, ..hello },
            None => hello,
        };
        let Some(peer) = self.mesh.peers.get_mut(from) else { return };
        peer.battery = hello.battery || hello.kind == MemberKind::Phone;
        peer.latest = peer.latest.max(hello.attempt);
        if let Some(live) = peer.live_mut() {
            (live.hello, live.greeted) = (Some(hello), now);
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
        if self.conduct.is_muted(device, now) {
            return;
        }
        let gather_us = if self.mesh.is_near(device) { GATHER_US } else { 0 };
        if let Some(peer) = self.peer_mut(device, now).filter(|peer| matches!(peer.link, Link::Down)) {
            (peer.failures, peer.retry) = (0, now + gather_us);
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
        let Mesh { peers, found, guests, .. } = &mut self.mesh;
        for (device, peer) in peers {
            peer.lose_patience(now);
            let is_near = found.contains(device) || guests.contains(device);
            if peer.live_mut().is_some_and(|live| live.pardon(now)) {
                continue;
            }
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
        if now < self.gathered() {
            return;
        }
        // Whoever never failed does not wait behind those who always do.
        let mut in_turn: Vec<&DeviceId> = wanted.iter().collect();
        in_turn.sort_by_key(|device| self.mesh.peers.get(*device).map_or(0, |peer| peer.failures));
        in_turn.retain(|device| !self.conduct.is_muted(device, now));
        for device in in_turn {
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
            self.dirty_since.get_or_insert(now);
            self.outputs.push_back(Output::Mesh(MeshCommand::Connect { peer: device.clone(), attempt }));
        }
    }

    /// When it is known well enough who is there.
    fn gathered(&self) -> MonoTime {
        let has_link = self.mesh.live().next().is_some();
        if has_link { self.mesh.grown + GATHER_US } else { MonoTime(i64::MIN) }
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
            if live.closes(idle_us).is_some_and(|closes| now >= closes) {
                idle.push(device.clone());
                peer.end();
            }
        }
        for peer in idle {
            self.outputs.push_back(Output::Mesh(MeshCommand::Close { peer }));
        }
    }

    /// Looks who is there. Whoever has just come gives hope anew, and is beyond for as long as no link leads to it.
    fn note_candidates(&mut self, now: MonoTime) {
        let candidates = self.candidates();
        let come: Vec<DeviceId> =
            candidates.keys().filter(|device| !self.mesh.candidates.contains_key(*device)).cloned().collect();
        self.mesh.candidates = candidates;
        for device in come {
            self.renew_hope(&device, now);
        }
        let Mesh { candidates, reached, beyond, .. } = &mut self.mesh;
        beyond.retain(|device, _| candidates.contains_key(device) && !reached.contains(device));
        for device in candidates.keys().filter(|device| !reached.contains(*device)) {
            beyond.entry(device.clone()).or_insert(now);
        }
    }

    /// When somebody beyond is to be tried, if he has not come by himself.
    fn beyond_due(&self, device: &DeviceId) -> Option<MonoTime> {
        let wait_us = if self.mesh.obeys == Obeys::Myself { BEYOND_LEADER_US } else { BEYOND_OTHERS_US };
        self.mesh.beyond.get(device).map(|since| *since + wait_us)
    }

    /// With whom this car wants a link now.
    fn wanted_links(&self, now: MonoTime) -> BTreeSet<DeviceId> {
        let mut ranks: Vec<Rank> = self.mesh.candidates.values().cloned().collect();
        ranks.push(self.rank_of(self.me.device(), Some(self.me.user.clone())));
        let gone = |device: &DeviceId| self.mesh.peers.get(device).is_some_and(Peer::seems_gone);
        let mut wanted = hubs(&ranks, self.me.device(), gone);
        wanted.extend(self.mesh.upstream().cloned());
        // Who is there and belongs to another component, or to another server, is the way to it.
        let is_due = |rank: &&Rank| self.beyond_due(&rank.device).is_some_and(|due| now >= due);
        let mut beyond: Vec<&Rank> = self.mesh.candidates.values().filter(is_due).collect();
        beyond.sort_unstable_by(|a, b| b.cmp(a));
        wanted.extend(beyond.iter().filter(|rank| gone(&rank.device)).map(|rank| rank.device.clone()));
        wanted.extend(beyond.iter().find(|rank| !gone(&rank.device)).map(|rank| rank.device.clone()));
        // A phone is nobody's way to others: whom it has come to offers it a link, for as long as it is there.
        wanted.extend(self.mesh.guests.iter().filter(|device| !self.is_put_out(device)).cloned());
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
        users.retain(|device, _| !self.is_put_out(device) && !self.is_phone(device));
        users.into_iter().map(|(device, user)| (device.clone(), self.rank_of(&device, user))).collect()
    }

    /// Whether it has come as a phone, or says that it is one.
    fn is_phone(&self, device: &DeviceId) -> bool {
        let says_so = |live: &Live| live.hello.as_ref().is_some_and(|hello| hello.kind == MemberKind::Phone);
        self.mesh.guests.contains(device) || self.mesh.live_with(device).is_some_and(says_so)
    }

    fn rank_of(&self, device: &DeviceId, user: Option<UserId>) -> Rank {
        let battery = if device == self.me.device() {
            self.mesh.settings.battery
        } else {
            self.mesh.peers.get(device).is_some_and(|peer| peer.battery)
        };
        let dj = self.state.controller.as_ref() == Some(device);
        Rank { leads: self.leading_member() == Some(device), dj, mains: !battery, user, device: device.clone() }
    }

    /// The member that has authority here, if one has.
    fn leading_member(&self) -> Option<&DeviceId> {
        match &self.mesh.obeys {
            Obeys::Server => None,
            Obeys::Myself => self.has_followers().then(|| self.me.device()),
            Obeys::Neighbour(peer) => match &self.mesh.live_with(peer)?.beat.as_ref()?.route.source {
                Source::Member(claim) => Some(&claim.device),
                Source::Server { .. } => None,
            },
        }
    }
}
