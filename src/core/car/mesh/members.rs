//! Who can be reached, over however many links: each tells its neighbour towards the authority who is behind it, and
//! the others all the rest.

use super::digest::of_members;
use super::peer::Told;
use super::{Obeys, PEERS_MAX};
use crate::core::car::Car;
use crate::core::clock::MonoTime;
use crate::core::id::DeviceId;
use crate::core::mesh::PeerMessage;
use crate::core::status::{Member, MemberKind, PeerState};
use std::collections::{BTreeMap, BTreeSet};

/// A list that has not arrived after so long is lost.
const LOST_US: i64 = 400_000;
/// A neighbour is told so often at most: when many come at once, of all of them together.
const PACE_US: i64 = 100_000;

/// A server that has not answered for so long knows no more who is there.
const MUTE_US: i64 = 1_800_000;

impl Car {
    pub(super) fn tend_members(&mut self, now: MonoTime) {
        let again = |live: &super::Live| live.told.as_ref().map(|told| told.at + PACE_US).filter(|again| now < *again);
        self.mesh.members_due = self.mesh.live().filter_map(|(_, live)| again(live)).min();
        let lists: Vec<(DeviceId, Vec<Member>)> = self
            .mesh
            .live()
            .filter(|(_, live)| again(live).is_none())
            .map(|(device, live)| (device, live, self.members_for(device)))
            .filter(|(_, live, list)| live.told.as_ref().is_none_or(|told| told.members != *list))
            .map(|(device, _, list)| (device.clone(), list))
            .collect();
        for (device, list) in lists {
            if let Some(live) = self.mesh.live_with_mut(&device) {
                live.told = Some(Told { members: list.clone(), sum: of_members(&list), at: now });
            }
            self.tell_peer(&device, PeerMessage::Members(list));
        }
        let reached = self.reached();
        if !reached.is_subset(&self.mesh.reached) {
            self.mesh.grown = now;
        }
        self.mesh.reached = reached;
        self.tiers.handle_mesh(self.reached_by_links().len() >= self.mesh.settings.group_size_min.max(2), now);
    }

    pub(super) fn handle_peer_members(&mut self, from: &DeviceId, members: Vec<Member>) {
        let guest = self.guest(from).map(|guest| guest.user.to_string());
        let Some(live) = self.mesh.live_with_mut(from) else { return };
        live.members_sum = of_members(&members);
        live.members = match guest {
            // With a guest is nobody but himself.
            Some(user) => {
                let own = members.into_iter().find(|member| member.device == from.as_str());
                own.map(|member| Member { user, kind: MemberKind::Phone, ..member }).into_iter().collect()
            }
            None => members.into_iter().take(PEERS_MAX).collect(),
        };
    }

    /// A neighbour says what it has heard of the list that it was told: one that was lost is told again.
    pub(super) fn note_heard_members(&mut self, from: &DeviceId, sum: u32, now: MonoTime) {
        let Some(live) = self.mesh.live_with_mut(from) else { return };
        if live.told.as_ref().is_some_and(|told| told.sum != sum && now - told.at >= LOST_US) {
            live.told = None;
            self.mesh.stirred = true;
        }
    }

    /// Those that `device` can reach through this car: without a detour, so that nobody is thought to be there because
    /// two say it of each other.
    fn members_for(&self, device: &DeviceId) -> Vec<Member> {
        let mut told = BTreeMap::new();
        let is_follower = self.followers().any(|(follower, _)| follower == device);
        if is_follower || self.mesh.upstream() == Some(device) {
            for (other, live) in self.branches() {
                if other != device {
                    told.extend(live.members.iter().map(|member| (member.device.clone(), member.clone())));
                }
            }
        }
        if is_follower && self.mesh.obeys == Obeys::Server {
            let online = self.members.iter().filter(|member| member.online);
            told.extend(online.map(|member| (member.device.clone(), member.clone())));
        }
        told.remove(device.as_str());
        told.insert(self.me.device().to_string(), self.itself());
        told.into_values().collect()
    }

    /// The links of the tree by which everyone reaches the authority: the one that leads there, and those of followers.
    fn branches(&self) -> impl Iterator<Item = (&DeviceId, &super::Live)> {
        let upstream = self.mesh.upstream().and_then(|peer| self.mesh.live_with(peer).map(|live| (peer, live)));
        upstream.into_iter().chain(self.followers())
    }

    /// All who can be reached now, over links or by a server that answers well.
    fn reached(&self) -> BTreeSet<DeviceId> {
        let mut reached = self.reached_by_links();
        let hears_server = self.is_joined_to_server() && self.tiers.is_socket_good();
        let by_server = self.members.iter().filter(|member| hears_server && member.online);
        reached.extend(by_server.filter_map(|member| DeviceId::new(&*member.device).ok()));
        reached
    }

    /// All who can be reached over links now, this car among them.
    fn reached_by_links(&self) -> BTreeSet<DeviceId> {
        let mut reached: BTreeSet<DeviceId> = self.mesh.live().map(|(device, _)| device.clone()).collect();
        let beyond = self.branches().flat_map(|(_, live)| &live.members);
        reached.extend(beyond.filter(|m| m.online).filter_map(|member| DeviceId::new(&*member.device).ok()));
        reached.insert(self.me.device().clone());
        reached
    }

    /// Whether a server that answers, however slowly, says that a member is there.
    pub(super) fn is_there_by_server(&self, device: &DeviceId, now: MonoTime) -> bool {
        let answers = self.is_joined_to_server() && now - self.answered < MUTE_US;
        answers && self.members.iter().any(|member| member.online && member.device == device.as_str())
    }

    pub(in crate::core::car) fn itself(&self) -> Member {
        Member {
            device: self.me.device().to_string(),
            user: self.me.user.to_string(),
            name: self.me.name.clone(),
            online: true,
            kind: MemberKind::Car,
            tier: Some(self.tiers.active()),
        }
    }

    /// The members as people are shown them: those that are there, and whom this car does not hear for a time.
    pub(in crate::core::car) fn members_shown(&self, now: MonoTime) -> Vec<Member> {
        let mut shown = self.members_met();
        for (device, _) in self.conduct.muted(now) {
            if !shown.iter().any(|member| member.device == device.as_str()) {
                let user = self.papers.tickets.of(device).map_or_else(String::new, |ticket| ticket.user.to_string());
                let (device, name) = (device.to_string(), String::new());
                shown.push(Member { device, user, name, online: false, kind: MemberKind::Car, tier: None });
            }
        }
        shown
    }

    /// Those of the server's list, and whoever else is met.
    fn members_met(&self) -> Vec<Member> {
        if self.mesh.obeys == Obeys::Server && !self.members.is_empty() {
            // Phones that came to a car are in no server's list.
            let behind = self.followers().flat_map(|(_, live)| live.members.iter().cloned());
            let mut shown = self.members.clone();
            for phone in behind.chain(self.linked()).filter(|one| one.online && one.kind == MemberKind::Phone) {
                if !shown.iter().any(|member| member.device == phone.device) {
                    shown.push(phone);
                }
            }
            return shown;
        }
        let mut shown: BTreeMap<String, Member> =
            self.members.iter().map(|member| (member.device.clone(), member.clone())).collect();
        for member in self.branches().flat_map(|(_, live)| &live.members) {
            shown.insert(member.device.clone(), member.clone());
        }
        shown.extend(self.linked().map(|member| (member.device.clone(), member)));
        if !self.is_joined_to_server() {
            for member in shown.values_mut() {
                member.online = self.mesh.reached.iter().any(|device| device.as_str() == member.device);
            }
        }
        if self.members.is_empty() || !self.is_joined_to_server() {
            shown.insert(self.me.device().to_string(), self.itself());
        }
        shown.into_values().collect()
    }

    /// The tier is another, and others are told it with this car.
    pub(in crate::core::car) fn note_tier(&mut self) {
        self.mesh.stirred = true;
    }

    /// Those with whom there is a link, as they greeted.
    fn linked(&self) -> impl Iterator<Item = Member> {
        self.mesh.live().filter_map(|(device, live)| {
            let hello = live.hello.as_ref()?;
            let (user, name) = (hello.user.to_string(), hello.name.clone());
            Some(Member { device: device.to_string(), user, name, online: true, kind: hello.kind, tier: None })
        })
    }

    /// Why nobody is found, where others are.
    pub(in crate::core::car) fn strangers_only(&self) -> Option<&'static str> {
        let alone = self.mesh.found.is_empty() && self.mesh.live().next().is_none();
        (alone && self.mesh.strangers).then_some(
            "the cars on this network are of another convoy, or have another secret (`secret_file` under [convoy])",
        )
    }

    /// The user's `connectionState.webRTC`.
    pub(in crate::core::car) fn peer_states(&self) -> BTreeMap<String, PeerState> {
        let state = |peer: &super::Peer| match peer.link {
            super::peer::Link::Up(_) => Some(PeerState::Connected),
            super::peer::Link::Connecting { .. } => Some(PeerState::Connecting),
            super::peer::Link::Down => (peer.failures > 0).then_some(PeerState::Failed),
        };
        self.mesh.peers.iter().filter_map(|(device, peer)| Some((device.to_string(), state(peer)?))).collect()
    }
}
