//! The road: everything that is going to happen, in order, and the cars that it happens to.

use super::chance::Chance;
use super::lan::{Air, Lan};
use super::log::word;
use super::node::Node;
use super::{Instant, SECOND};
use crate::core::authority::Authority;
use crate::core::changes::{Action, ChangeId, Hlc, Verdict};
use crate::core::clock::MonoTime;
use crate::core::id::{ConvoyId, DeviceId, EntryId};
use crate::core::io::{Input, Output, RequestId, ServerCommand, ServerEvent};
use crate::core::mesh::{Attempt, LanCommand, LanEvent, PeerMessage};
use crate::core::request::Command;
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
    AtServer { car: usize, connection: u32, command: Box<ServerCommand>, sent: MonoTime },
    FromServer { car: usize, connection: u32, event: Box<ServerEvent> },
    Ice { offerer: usize, answerer: usize, attempt: Attempt, until: Instant },
    Open { car: usize, peer: usize, attempt: Attempt },
    Arrive { from: usize, to: usize, attempt: Attempt, message: Box<PeerMessage> },
    Hangup { car: usize, peer: usize, attempt: Attempt },
    Browse,
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
    has_server: bool,
    queue: BTreeMap<(Instant, u64), Event>,
    count: u64,
    /// The least that a message takes to the server, and back.
    pub(super) wan_us: Instant,
    /// When that last changed.
    pub(super) slowed: Instant,
    /// When what was sent last on a way that keeps order arrives.
    pub(super) in_order: BTreeMap<(usize, usize), Instant>,
    /// Since when each pair has heard each other, or has not.
    browsing: BTreeMap<(usize, usize), (bool, Instant)>,
    /// When a link, a connection or a car last came or went.
    pub(super) disturbed: Instant,
    /// When something was last cut, or healed.
    pub(super) fault: Instant,
    /// Messages that cars gave to links.
    pub(super) sent: u64,
    /// The entries that were ever added, by change, and those that were ever removed.
    pub(super) additions: BTreeMap<ChangeId, EntryId>,
    pub(super) removals: BTreeSet<EntryId>,
    /// Changes that were made since that was last looked at, and by whom.
    pub(super) made: Vec<(usize, ChangeId)>,
    /// When each control of playback was given.
    pub(super) controls: BTreeMap<ChangeId, Hlc>,
    /// Changes that lost or were refused, of which their authors are told.
    pub(super) overruled: BTreeSet<ChangeId>,
    /// What link came or went since that was last looked at.
    pub(super) link_changed: Option<String>,
    pub(super) log: Option<Vec<String>>,
}

/// DNS-SD finds a car after so long, and misses it after so long.
const FOUND_US: Instant = 400_000;
const MISSED_US: Instant = 6 * SECOND;
const BROWSE_US: Instant = 200_000;

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
            slowed: 0,
            in_order: BTreeMap::new(),
            browsing: BTreeMap::new(),
            disturbed: 0,
            fault: 0,
            sent: 0,
            additions: BTreeMap::new(),
            removals: BTreeSet::new(),
            made: Vec::new(),
            controls: BTreeMap::new(),
            overruled: BTreeSet::new(),
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
                    match &change.action {
                        Action::Add { entry, .. } => drop(self.additions.insert(id.clone(), entry.clone())),
                        Action::Remove { entry } => drop(self.removals.insert(entry.clone())),
                        Action::Move { .. } => {}
                        _ => drop(self.controls.insert(id.clone(), change.hlc)),
                    }
                    self.made.push((car, id.clone()));
                    node.disk.store(*change);
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
            Event::AtServer { car, connection, command, sent } => self.at_server(car, connection, *command, sent),
            Event::FromServer { car, connection, event } => self.hear_from_server(car, connection, *event),
            Event::Ice { offerer, answerer, attempt, until } => self.try_ice(offerer, answerer, attempt, until),
            Event::Open { car, peer, attempt } => self.open(car, peer, attempt),
            Event::Arrive { from, to, attempt, message } => self.arrive(from, to, attempt, message),
            Event::Hangup { car, peer, attempt } => self.hang_up(car, peer, attempt),
            Event::Browse => self.browse(),
        }
    }

    /// Gives a car an input, does what it wants done, and plans its next wake.
    pub(super) fn input(&mut self, car: usize, input: Input) {
        let now = self.now;
        self.note_input(car, &input);
        let Some(node) = self.nodes.get_mut(car) else { return };
        let mono = node.crystal.mono(now);
        let Some(core) = &mut node.car else { return };
        let before = core.obeys();
        core.handle(input, mono);
        self.drain(car);
        let Some(node) = self.nodes.get_mut(car) else { return };
        let Some(core) = &node.car else { return };
        let after = core.obeys();
        let wake = core.poll_timeout().map(|wake| node.crystal.instant(wake).max(now + 1));
        if node.wake != wake {
            node.wake = wake;
            if let Some(wake) = wake {
                self.at(wake, Event::Wake { car });
            }
        }
        if before != after {
            let text = self.obeyed(&after);
            self.note(|| Some(format!("{car} obeys {text}")));
        }
    }

    fn drain(&mut self, car: usize) {
        loop {
            let output =
                self.nodes.get_mut(car).and_then(|node| node.car.as_mut()).and_then(crate::core::car::Car::poll_output);
            let Some(output) = output else { return };
            self.perform(car, output);
        }
    }

    fn perform(&mut self, car: usize, output: Output) {
        match output {
            Output::Store(change) => {
                let at = self.now + self.chance.between(1_000, 20_000);
                let life = self.nodes.get(car).map_or(0, |node| node.life);
                self.at(at, Event::Stored { car, life, change });
            }
            Output::Record { change, verdict } => self.nodes_mut(car, |node| node.disk.record(*change, &verdict)),
            Output::Settle { change, verdict } => {
                self.note(|| Some(format!("{car} settles {}: {}", change.sequence, word(&verdict))));
                self.nodes_mut(car, |node| node.disk.settle(&change, &verdict));
                if matches!(verdict, Verdict::Refused { .. } | Verdict::Superseded { .. }) {
                    self.overruled.insert(change);
                }
            }
            Output::Remember(saved) => self.nodes_mut(car, |node| node.disk.remember(*saved)),
            Output::Reply { request, result } => {
                let text = self.answer(&result);
                self.note(|| Some(format!("{car} answers: {text}")));
                self.nodes_mut(car, |node| {
                    node.waiting.remove(&request);
                    if let Ok(done) = result {
                        node.acknowledged.extend(done.changes);
                    }
                });
            }
            Output::Server(command) => self.perform_server(car, command),
            Output::Mesh(command) => self.perform_mesh(car, command),
            Output::Lan(LanCommand::Announce { convoy }) => {
                self.nodes_mut(car, |node| node.announces = convoy.is_some());
            }
            Output::Lan(LanCommand::Signal(signed)) => {
                let Some(to) = self.number_of(&signed.to) else { return };
                if self.lan.passes(car, to) && !self.lan.loses(&mut self.chance) {
                    let at = self.now + self.lan.delay_us(&mut self.chance);
                    self.input_at(at, to, Input::Lan(LanEvent::Signal(signed)));
                }
            }
            Output::Notice(notice) => self.note(|| Some(format!("{car} says {notice:?}"))),
            Output::Audio(_) | Output::Resolve(_) => {}
        }
    }

    /// A person presses a button.
    pub fn command(&mut self, car: usize, command: Command) {
        let Some(node) = self.nodes.get_mut(car).filter(|node| node.car.is_some()) else { return };
        node.requests += 1;
        let request = RequestId(node.requests);
        node.waiting.insert(request);
        self.input(car, Input::Command { request, command });
    }

    /// Switches a car on.
    pub fn start(&mut self, car: usize, reboot: bool) {
        let (convoy, has_server, now) = (self.convoy.clone(), self.has_server, self.now);
        if self.nodes.get(car).is_none_or(|node| node.car.is_some()) {
            return;
        }
        self.disturbed(|| format!("{car} starts{}", if reboot { " after a reboot" } else { "" }));
        self.nodes_mut(car, |node| node.start(convoy, has_server, reboot, now));
        self.input(car, Input::Wake);
        let at = self.now + self.chance.between(100_000, 1_500_000);
        self.at(at, Event::Dial { car });
    }

    /// Takes a car's power away.
    pub fn crash(&mut self, car: usize) {
        let Some(connection) = self.nodes.get(car).map(|node| node.socket.connection) else { return };
        self.disturbed(|| format!("{car} crashes"));
        self.nodes_mut(car, Node::stop);
        if let Some(connection) = connection {
            self.hang_up_server(car, connection);
        }
        let pairs: Vec<(usize, usize)> =
            self.browsing.keys().filter(|(a, b)| *a == car || *b == car).copied().collect();
        for pair in pairs {
            self.browsing.insert(pair, (false, self.now));
        }
    }

    /// Cars find each other on the network, and miss each other, some time after it has become so.
    fn browse(&mut self) {
        for a in 0..self.nodes.len() {
            for b in (0..self.nodes.len()).filter(|b| *b != a) {
                let announces = |car: usize| self.nodes.get(car).is_some_and(|node| node.announces);
                let is_there = announces(a) && announces(b) && self.lan.passes_both(a, b);
                let (was_there, since) = *self.browsing.entry((a, b)).or_insert((false, self.now));
                if is_there != was_there {
                    self.browsing.insert((a, b), (is_there, self.now));
                    continue;
                }
                let knows = self.nodes.get(a).is_some_and(|node| node.found.contains(&b));
                let patience_us = if is_there { FOUND_US } else { MISSED_US };
                if knows == is_there || self.now - since < patience_us || !announces(a) {
                    continue;
                }
                let Some(device) = self.device_of(b) else { continue };
                self.nodes_mut(a, |node| if is_there { node.found.insert(b) } else { node.found.remove(&b) });
                let event = if is_there { LanEvent::Found { device } } else { LanEvent::Lost { device } };
                self.input(a, Input::Lan(event));
            }
        }
        self.at(self.now + BROWSE_US, Event::Browse);
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

    /// Something came or went, after which everyone has to find his place.
    pub(super) fn disturbed(&mut self, what: impl FnOnce() -> String) {
        self.disturbed = self.now;
        self.note(|| Some(what()));
    }
}
