//! The road: everything that is going to happen, in order, and the cars that it happens to.

use super::Instant;
use super::chance::Chance;
use super::lan::{Air, Lan};
use super::node::Node;
use super::rogue::Rogue;
use super::storage::Storage;
use crate::core::authority::Authority;
use crate::core::changes::{ChangeId, Hlc};
use crate::core::clock::MonoTime;
use crate::core::id::{ConvoyId, DeviceId, EntryId};
use crate::core::io::{Input, ServerCommand, ServerEvent};
use crate::core::mesh::{Attempt, PeerMessage};
use std::collections::{BTreeMap, BTreeSet};

/// What kind of drive it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    pub cars: usize,
    pub has_server: bool,
    pub seed: u64,
}

/// Something that is going to happen.
#[derive(Debug)]
pub(super) enum Event {
    Wake { car: usize },
    Stored { car: usize, life: u32, change: Box<crate::core::changes::Change> },
    Input { car: usize, life: u32, input: Box<Input> },
    Hung { car: usize, connection: u32 },
    Dial { car: usize },
    Dismissed { car: usize, connection: u32 },
    AtServer { car: usize, connection: u32, command: Box<ServerCommand>, sent: MonoTime },
    FromServer { car: usize, connection: u32, event: Box<ServerEvent> },
    Ice { offerer: usize, answerer: usize, attempt: Attempt, until: Instant },
    Open { car: usize, peer: usize, attempt: Attempt },
    Arrive { from: usize, to: usize, attempt: Attempt, message: Box<PeerMessage> },
    Hangup { car: usize, peer: usize, attempt: Attempt },
    Browse,
    Mischief,
}

/// The road and all who are on it.
#[derive(Debug)]
pub struct World {
    pub(super) now: Instant,
    pub(super) chance: Chance,
    pub(super) nodes: Vec<Node>,
    pub(super) lan: Lan,
    pub(super) server: Option<Authority>,
    pub(super) convoy: ConvoyId,
    pub(super) has_server: bool,
    queue: BTreeMap<(Instant, u64), Event>,
    count: u64,
    /// The least that a message takes to the server, and back.
    pub(super) wan_us: Instant,
    /// What messages of a car to the server take longer, and those back do not.
    pub(super) detours_us: BTreeMap<usize, Instant>,
    /// What is on the way there beside that, where it was drawn.
    pub(super) wan: Option<Air>,
    pub(super) storage: Storage,
    /// Phones that are in the convoy now.
    pub(super) phones: BTreeSet<usize>,
    /// Disks lose what was not synced, and wall clocks are wrong.
    pub(super) is_harsh: bool,
    /// Who reach each other agree within this, while no storm rages.
    pub(super) agreed_us: Instant,
    /// Beside queues, clocks differ by no more than this.
    pub(super) apart_us: i64,
    /// Crystals are worse than those that are sold.
    pub(super) has_bad_crystals: bool,
    /// When the way to the server last changed.
    pub(super) slowed: Instant,
    /// When what was sent last on a way that keeps order arrives.
    pub(super) in_order: BTreeMap<(usize, usize), Instant>,
    /// Since when each pair has heard each other, or has not.
    pub(super) browsing: BTreeMap<(usize, usize), (bool, Instant)>,
    /// When a link, a connection or a car last came or went, and when something was last cut, or healed.
    pub(super) disturbed: Instant,
    pub(super) fault: Instant,
    /// Messages that cars gave to links, and signals that went by the server.
    pub(super) sent: u64,
    pub(super) signals: u64,
    /// The entries that were ever added, and those that were ever removed, by change.
    pub(super) additions: BTreeMap<ChangeId, EntryId>,
    pub(super) removals: BTreeMap<ChangeId, EntryId>,
    /// Changes that were made since that was last looked at, and by whom.
    pub(super) made: Vec<(usize, ChangeId)>,
    /// When each control of playback was given.
    pub(super) controls: BTreeMap<ChangeId, Hlc>,
    /// What the input of now brings, if whom it is brought to knows it.
    pub(super) known: Option<ChangeId>,
    /// How many changes cars ever made.
    pub(super) authored: usize,
    /// Changes that someone took in again though he had them, since that was last looked at.
    pub(super) twice: Vec<(usize, ChangeId)>,
    /// How many faults there were.
    pub(super) faults: u64,
    /// Changes that lost or were refused, of which their authors are told.
    pub(super) overruled: BTreeSet<ChangeId>,
    /// How often a listener has said what he may not do.
    pub(super) defied: u64,
    pub(super) rogue: Option<Rogue>,
    /// Who muted whom since that was last looked at.
    pub(super) mutes: Vec<(usize, String)>,
    /// What link came or went since that was last looked at.
    pub(super) link_changed: Option<String>,
    pub(super) log: Option<Vec<String>>,
}

/// Phones that come and go.
pub(super) const PHONES_MAX: usize = 3;
/// On Wi-Fi, all agree after so long, and their clocks are no further apart than this.
const AGREED_US: Instant = super::SECOND;
const APART_US: i64 = 2_000;
/// A server is so far away.
pub(super) const WAN_US: Instant = 12_000;

impl World {
    #[must_use]
    pub fn new(terms: Terms, convoy: ConvoyId, logs: bool) -> Self {
        let mut chance = Chance::new(terms.seed);
        let lan = Lan::new(Air::draw(&mut chance));
        let nodes = (0..terms.cars).filter_map(|number| Node::new(number, &mut chance)).collect();
        let mut world = Self {
            now: 0,
            chance,
            nodes,
            lan,
            server: None,
            convoy: convoy.clone(),
            has_server: terms.has_server,
            queue: BTreeMap::new(),
            count: 0,
            wan_us: WAN_US,
            detours_us: BTreeMap::new(),
            wan: None,
            storage: Storage::default(),
            phones: BTreeSet::new(),
            is_harsh: false,
            agreed_us: AGREED_US,
            apart_us: APART_US,
            has_bad_crystals: false,
            slowed: 0,
            in_order: BTreeMap::new(),
            browsing: BTreeMap::new(),
            disturbed: 0,
            fault: 0,
            sent: 0,
            signals: 0,
            additions: BTreeMap::new(),
            removals: BTreeMap::new(),
            made: Vec::new(),
            controls: BTreeMap::new(),
            known: None,
            authored: 0,
            twice: Vec::new(),
            faults: 0,
            overruled: BTreeSet::new(),
            defied: 0,
            rogue: None,
            mutes: Vec::new(),
            link_changed: None,
            log: logs.then(Vec::new),
        };
        if terms.has_server {
            world.found_server(convoy);
        }
        world.at(0, Event::Browse);
        world
    }

    pub(super) fn at(&mut self, at: Instant, event: Event) {
        self.count += 1;
        self.queue.insert((at.max(self.now), self.count), event);
    }

    /// Gives a car an input later, if it is still in the same run then.
    pub(super) fn input_at(&mut self, at: Instant, car: usize, input: Input) {
        let life = self.nodes.get(car).map_or(0, |node| node.life);
        self.at(at, Event::Input { car, life, input: Box::new(input) });
    }

    /// Lets happen what happens until `end`.
    pub fn run_until(&mut self, end: Instant) {
        while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= end) {
            self.now = entry.key().0;
            let event = entry.remove();
            self.happen(event);
        }
        self.now = end;
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Wake { car } => {
                if self.nodes.get(car).is_some_and(|node| node.wake == Some(self.now)) {
                    self.input(car, Input::Wake);
                }
            }
            Event::Stored { car, life, change } => {
                if let Some(node) = self.nodes.get_mut(car).filter(|node| node.life == life) {
                    let id = change.id.clone();
                    self.made.push((car, id.clone()));
                    node.disk.stored(*change);
                    self.input(car, Input::Stored(id));
                }
            }
            Event::Input { car, life, input } => {
                if self.nodes.get(car).is_some_and(|node| node.life == life) {
                    self.input(car, *input);
                }
            }
            Event::Hung { car, connection } => self.hang_up_server(car, connection),
            Event::Dial { car } => self.dial(car),
            Event::Dismissed { car, connection } => self.dismissed(car, connection),
            Event::AtServer { car, connection, command, sent } => self.at_server(car, connection, *command, sent),
            Event::FromServer { car, connection, event } => self.hear_from_server(car, connection, *event),
            Event::Ice { offerer, answerer, attempt, until } => self.try_ice(offerer, answerer, attempt, until),
            Event::Open { car, peer, attempt } => self.open(car, peer, attempt),
            Event::Arrive { from, to, attempt, message } => self.arrive(from, to, attempt, message),
            Event::Hangup { car, peer, attempt } => self.hang_up(car, peer, attempt),
            Event::Browse => self.browse(),
            Event::Mischief => self.do_mischief(),
        }
    }

    /// How many messages went over links, and how many signals by the server, so far.
    #[must_use]
    pub fn traffic(&self) -> (u64, u64) {
        (self.sent, self.signals)
    }

    /// How many links have opened so far, counted at both ends.
    #[must_use]
    pub fn opened(&self) -> u64 {
        self.nodes.iter().map(|node| node.opened).sum()
    }

    pub(super) fn mono(&self, car: usize) -> MonoTime {
        self.nodes.get(car).map_or(MonoTime(self.now), |node| node.crystal.mono(self.now))
    }

    pub(super) fn number_of(&self, device: &DeviceId) -> Option<usize> {
        self.nodes.iter().position(|node| node.device() == device)
    }

    pub(super) fn device_of(&self, car: usize) -> Option<DeviceId> {
        self.nodes.get(car).map(|node| node.device().clone())
    }

    pub(super) fn nodes_mut<T>(&mut self, car: usize, change: impl FnOnce(&mut Node) -> T) {
        if let Some(node) = self.nodes.get_mut(car) {
            change(node);
        }
    }

    /// All that a person was told is done, by car.
    pub(super) fn acknowledged(&self) -> impl Iterator<Item = &ChangeId> {
        self.nodes.iter().flat_map(|node| &node.acknowledged)
    }

    /// Who may ever be an author.
    pub(super) fn authors(&self) -> usize {
        self.nodes.len() + PHONES_MAX
    }

    /// How much is still to happen.
    pub(super) fn events(&self) -> usize {
        self.queue.len()
    }

    /// Something came or went, after which everyone has to find his place.
    pub(super) fn disturbed(&mut self, what: impl FnOnce() -> String) {
        self.disturbed = self.now;
        self.note(|_| Some(what()));
    }
}
