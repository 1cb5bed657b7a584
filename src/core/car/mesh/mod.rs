//! Tier 2 in the car: links with the hub and the standby, who leads when the server does not, and that everyone comes
//! to know the same.

mod authority;
mod beats;
mod conduct;
mod digest;
mod edits;
mod flood;
mod greet;
mod links;
mod log;
mod members;
mod peer;
mod reconcile;
mod reference;
mod revoked;
mod signals;

use super::Car;
use super::pace::Pace;
use crate::core::changes::Change;
use crate::core::clock::MonoTime;
use crate::core::convoy::Snapshot;
use crate::core::corrections::Corrections;
use crate::core::election::Rank;
use crate::core::id::{ConvoyId, DeviceId};
use crate::core::io::{Input, Notice, Output, ServerEvent};
use crate::core::mesh::{LanCommand, LanEvent, MeshCommand, MeshEvent, MeshSettings, PeerMessage};
use authority::{Leading, Sources};
use digest::Digests;
use edits::Edits;
use log::{AtServer, Log, Logged};
use peer::{Live, Peer};
use reconcile::Sync;
use reference::Referring;
use signals::Relayed;
use std::collections::{BTreeMap, BTreeSet};

pub(super) use authority::Obeys;

/// Members that are kept an eye on.
const PEERS_MAX: usize = 128;
/// Attempts of an earlier run may have had higher numbers than was kept in time, but not by more than this: an hour,
/// as they follow the clock.
pub(super) const ATTEMPTS_UNKEPT: u64 = 3_600_000_000;

/// What a car knows of the others around it.
#[derive(Debug)]
pub(super) struct Mesh {
    settings: MeshSettings,
    peers: BTreeMap<DeviceId, Peer>,
    /// Those with whom a link is wanted.
    wanted: BTreeSet<DeviceId>,
    /// Members on the same network.
    found: BTreeSet<DeviceId>,
    /// Phones that have come to this car by a link.
    guests: BTreeSet<DeviceId>,
    /// The cars that a signal can reach,
    candidates: BTreeMap<DeviceId, Rank>,
    /// and since when those that no link leads to, over however many others.
    beyond: BTreeMap<DeviceId, MonoTime>,
    /// There are cars that are no members.
    strangers: bool,
    /// The convoy as which the car is to be found there.
    announced: Option<ConvoyId>,
    /// The last attempt that this car made.
    attempt: u64,
    relayed: Relayed,

    obeys: Obeys,
    leading: Leading,
    referring: Referring,
    sources: Sources,
    /// Since when the DJ has been out of reach.
    orphaned: Option<MonoTime>,

    /// The rate of convoy time by this car's clock, as it was last learned.
    learned_rate: f64,

    log: Log,
    sync: Sync,
    digests: Digests,
    /// How fast own changes go out over links.
    pace: Pace,
    /// How fast edits of others are passed on: who floods one car does not flood them all.
    edits_pace: Pace,
    edits: Edits,
    corrections: Corrections<DeviceId>,
    /// When a state that was taken over was last passed on.
    passed_on: MonoTime,
    /// All who can be reached, this car among them.
    reached: BTreeSet<DeviceId>,
    /// When the last of them came.
    grown: MonoTime,
    /// When somebody may be told of members again.
    members_due: Option<MonoTime>,
    /// The server gave its state while the mesh's counted.
    passed_over: bool,
    /// That state, until it is seen whom this car obeys now that the server is there.
    offered: Option<Box<Snapshot>>,
    /// When links were last looked at.
    tended: MonoTime,
    /// Something happened after which links and members have to be looked at again.
    stirred: bool,
}

impl Mesh {
    pub(super) fn new(settings: MeshSettings, learned_rate: f64, attempt: u64) -> Self {
        Self {
            settings,
            peers: BTreeMap::new(),
            wanted: BTreeSet::new(),
            found: BTreeSet::new(),
            guests: BTreeSet::new(),
            candidates: BTreeMap::new(),
            beyond: BTreeMap::new(),
            strangers: false,
            announced: None,
            attempt,
            relayed: Relayed::default(),
            obeys: Obeys::Myself,
            leading: Leading::default(),
            referring: Referring::default(),
            sources: Sources::default(),
            orphaned: None,
            learned_rate,
            log: Log::default(),
            sync: Sync::default(),
            digests: Digests::default(),
            pace: Pace::to_members(),
            edits_pace: Pace::of_edits_of_others(),
            edits: Edits::default(),
            corrections: Corrections::default(),
            passed_on: MonoTime(i64::MIN / 2),
            reached: BTreeSet::new(),
            grown: MonoTime(i64::MIN / 2),
            members_due: None,
            passed_over: false,
            offered: None,
            tended: MonoTime(i64::MIN),
            stirred: true,
        }
    }

    pub(super) fn last_attempt(&self) -> u64 {
        self.attempt
    }

    /// Whether somebody is reached by the network that this car is in.
    fn is_near(&self, device: &DeviceId) -> bool {
        self.found.contains(device) || self.guests.contains(device)
    }

    fn live(&self) -> impl Iterator<Item = (&DeviceId, &Live)> {
        self.peers.iter().filter_map(|(device, peer)| peer.live().map(|live| (device, live)))
    }

    fn live_with(&self, device: &DeviceId) -> Option<&Live> {
        self.peers.get(device).and_then(Peer::live)
    }

    fn live_with_mut(&mut self, device: &DeviceId) -> Option<&mut Live> {
        self.peers.get_mut(device).and_then(Peer::live_mut)
    }

    pub(super) fn obeys_now(&self) -> &Obeys {
        &self.obeys
    }

    /// The neighbour through which the authority is reached.
    fn upstream(&self) -> Option<&DeviceId> {
        match &self.obeys {
            Obeys::Neighbour(peer) => Some(peer),
            Obeys::Server | Obeys::Myself => None,
        }
    }
}

impl Car {
    pub(super) fn handle_mesh(&mut self, event: MeshEvent, now: MonoTime) {
        if !self.meshes() {
            return;
        }
        match event {
            MeshEvent::Up { peer, attempt } => self.handle_link_up(&peer, attempt, now),
            MeshEvent::Down { peer, attempt, reason: _ } => self.handle_link_down(&peer, attempt, now),
            MeshEvent::Signal { to, signal } => self.send_signal(to, signal),
            MeshEvent::Message { from, message, received } => {
                if self.mesh.live_with(&from).is_some()
                    && self.hears(&from, &message, now)
                    && let Some(message) = self.keep_edit(&from, *message, now)
                {
                    self.handle_peer(&from, message, received, now);
                }
            }
        }
    }

    pub(super) fn handle_lan(&mut self, event: LanEvent, now: MonoTime) {
        if event == LanEvent::CodeBurnt {
            self.outputs.push_back(Output::Notice(Notice::CodeBurnt));
        }
        if let LanEvent::Invited { request, result } = event {
            return self.outputs.push_back(Output::Invited { request, result });
        }
        if !self.meshes() {
            return;
        }
        match event {
            LanEvent::Found { device } => {
                if device != *self.me.device() && self.mesh.found.len() < PEERS_MAX {
                    self.mesh.found.insert(device.clone());
                    self.renew_hope(&device, now);
                }
            }
            LanEvent::Guest { device } => {
                if device != *self.me.device() && self.mesh.guests.len() < PEERS_MAX {
                    self.mesh.guests.insert(device.clone());
                    self.renew_hope(&device, now);
                }
            }
            LanEvent::Lost { device } => {
                self.mesh.found.remove(&device);
                self.mesh.guests.remove(&device);
                if let Some(live) = self.mesh.live_with_mut(&device) {
                    live.doubt();
                }
            }
            LanEvent::Signal(signed) => self.handle_signal(*signed, 0, None, now),
            LanEvent::Stranger => self.mesh.strangers = true,
            LanEvent::CodeBurnt | LanEvent::Invited { .. } => {}
        }
    }

    fn handle_peer(&mut self, from: &DeviceId, message: PeerMessage, received: MonoTime, now: MonoTime) {
        match message {
            PeerMessage::Hello(hello) => self.handle_hello(from, hello, now),
            PeerMessage::Beat(beat) => self.handle_beat(from, *beat, received, now),
            PeerMessage::Change { change, track: _, ticket, hops } => {
                self.learn_ticket(ticket.as_deref(), now);
                self.handle_flooded(from, &change, hops, now);
            }
            PeerMessage::Verdict { change, verdict } => self.handle_verdict(from, &change, &verdict),
            PeerMessage::Versions(versions) => self.handle_versions(from, &versions, now),
            PeerMessage::Want(changes) => self.handle_want(from, &changes),
            PeerMessage::State(snapshot) => self.handle_peer_state(from, *snapshot, now),
            PeerMessage::Members(members) => self.handle_peer_members(from, members),
            PeerMessage::Signal { signal, hops } => self.handle_signal(*signal, hops, Some(from), now),
            PeerMessage::Revoked(list) => self.learn_revocations(&list, now),
            PeerMessage::Goodbye => self.handle_goodbye(from, now),
        }
    }

    /// Notes what may change links and members; beats look after that themselves.
    pub(super) fn stir(&mut self, input: &Input) {
        let is_quiet = match input {
            Input::Mesh(MeshEvent::Message { message, .. }) => matches!(**message, PeerMessage::Beat(_)),
            Input::Server(ServerEvent::Probed { .. } | ServerEvent::Alive { .. }) => true,
            Input::Server(_) | Input::Mesh(_) | Input::Lan(_) | Input::Stored(_) | Input::Command { .. } => false,
            _ => true,
        };
        self.mesh.stirred |= !is_quiet;
    }

    /// Whether the mesh's word counts, and not (yet) the server's.
    pub(super) fn obeys_mesh(&self) -> bool {
        matches!(self.mesh.obeys, Obeys::Neighbour(_)) || self.leads_others()
    }

    /// The server gives its state; where the mesh's counts now, it is asked for again when that does no more.
    pub(super) fn take_server_state(&mut self, snapshot: Box<Snapshot>, now: MonoTime) {
        self.mesh.passed_over = self.obeys_mesh();
        if self.mesh.passed_over {
            self.mesh.offered = Some(snapshot);
        } else {
            self.take_over(*snapshot, now);
        }
    }

    /// Whoever still obeys a neighbour cannot show him what nobody signed, and does not count it before he does: the
    /// server's state is asked for again when it counts.
    pub(super) fn puts_off_the_server(&mut self) -> bool {
        let obeys_neighbour = self.mesh.upstream().is_some();
        self.mesh.passed_over |= obeys_neighbour;
        obeys_neighbour
    }

    /// What an earlier run knew is there for others.
    pub(super) fn recall_log(&mut self, changes: impl Iterator<Item = Change>, now: MonoTime) {
        if self.mesh.settings.enabled {
            for change in changes {
                let queued = self.own.holds(&change.id);
                let server = if queued { AtServer::Queued } else { AtServer::Unknown { due: now } };
                self.mesh.log.note(Logged::new(change, None, server));
            }
        }
    }

    /// Whether there is a mesh to speak of.
    pub(super) fn meshes(&self) -> bool {
        self.mesh.settings.enabled && self.convoy.is_some()
    }

    /// Everything of the mesh that follows from the state as it is now.
    pub(super) fn tend_mesh(&mut self, now: MonoTime) {
        self.announce();
        if !self.meshes() {
            return;
        }
        self.cut_off_muted(now);
        let is_due = |due: Option<MonoTime>| due.is_some_and(|due| now >= due);
        let stirred = std::mem::take(&mut self.mesh.stirred);
        if stirred || is_due(self.links_due()) {
            self.tend_links(now);
        }
        self.tend_authority(now);
        self.tend_reference(now);
        if stirred || self.mesh.stirred || is_due(self.mesh.members_due) {
            self.tend_members(now);
        }
        self.tend_beats(now);
        self.give_corrections(now);
        self.tend_sync(now);
    }

    pub(super) fn mesh_timeout(&self) -> Option<MonoTime> {
        if !self.meshes() {
            return None;
        }
        let edits = (!self.mesh.edits.is_empty()).then_some(MonoTime(i64::MIN));
        let corrections = self.mesh.corrections.poll_timeout();
        let due = [self.links_due(), self.authority_due(), self.mesh.members_due, self.beats_due(), self.sync_due()];
        due.into_iter().chain([edits, corrections]).flatten().min()
    }

    /// The convoy is left, or the program ends: who is there is told.
    pub(super) fn leave_mesh(&mut self) {
        let live: Vec<DeviceId> = self.mesh.live().map(|(device, _)| device.clone()).collect();
        if !live.is_empty() {
            self.tell_peers(live, PeerMessage::Goodbye);
        }
        for peer in std::mem::take(&mut self.mesh.peers).into_keys() {
            self.outputs.push_back(Output::Mesh(MeshCommand::Close { peer }));
        }
        self.mesh = Mesh {
            announced: self.mesh.announced.take(),
            ..Mesh::new(self.mesh.settings.clone(), self.mesh.learned_rate, self.mesh.attempt)
        };
        self.announce();
    }

    fn announce(&mut self) {
        let convoy = self.convoy.clone().filter(|_| self.mesh.settings.enabled);
        if convoy != self.mesh.announced {
            self.mesh.announced.clone_from(&convoy);
            self.mesh.found.clear();
            self.mesh.guests.clear();
            self.mesh.strangers = false;
            self.outputs.push_back(Output::Lan(LanCommand::Announce { convoy }));
        }
    }

    fn tell_peers(&mut self, to: Vec<DeviceId>, message: PeerMessage) {
        if !to.is_empty() {
            self.outputs.push_back(Output::Mesh(MeshCommand::Send { to, message: Box::new(message) }));
        }
    }

    fn tell_peer(&mut self, to: &DeviceId, message: PeerMessage) {
        self.tell_peers(vec![to.clone()], message);
    }
}
