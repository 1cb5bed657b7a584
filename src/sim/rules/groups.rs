//! Who reaches whom, and what they make of it.

use super::Leader;
use crate::core::car::Car;
use crate::core::election::Choice;
use crate::core::id::DeviceId;
use crate::core::mesh::HOPS_MAX;
use crate::core::status::Status;
use crate::sim::node::Node;
use crate::sim::world::World;
use std::collections::{BTreeMap, BTreeSet};

impl World {
    /// Cars that reach each other over links, or by the server, in groups.
    pub(in crate::sim) fn components(&self) -> Vec<BTreeSet<usize>> {
        let running = |car: usize| self.nodes.get(car).is_some_and(|node| node.car.is_some());
        let by_server = |car: usize| {
            self.nodes.get(car).is_some_and(|n| matches!(n.car.as_ref().map(Car::obeys), Some(Choice::Server)))
        };
        let mut left: BTreeSet<usize> = (0..self.nodes.len()).filter(|car| running(*car)).collect();
        let mut groups = Vec::new();
        while let Some(first) = left.pop_first() {
            let mut group = BTreeSet::from([first]);
            let mut open = vec![first];
            while let Some(car) = open.pop() {
                let meets = |other: &usize| self.carries(car, *other) || (by_server(car) && by_server(*other));
                let next: Vec<usize> = left.iter().copied().filter(meets).collect();
                for other in next {
                    left.remove(&other);
                    group.insert(other);
                    open.push(other);
                }
            }
            groups.push(group);
        }
        groups
    }

    /// Whether a link or a connection that carries nothing more still passes for one.
    pub(in crate::sim) fn has_zombies(&self) -> bool {
        let is_zombie = |car: usize| {
            let Some(node) = self.nodes.get(car) else { return false };
            let by_link = node.ends.iter().any(|(peer, end)| end.up && !self.carries(car, *peer));
            by_link || (node.socket.cut && node.socket.connection.is_some())
        };
        (0..self.nodes.len()).any(is_zombie)
    }

    /// Links that pass for such at one end, and carry nothing.
    pub(super) fn dead_links(&self) -> BTreeSet<(usize, usize)> {
        let of = |(car, node): (usize, &Node)| {
            let up = node.ends.iter().filter(|(_, end)| end.up).map(|(peer, _)| (car, *peer));
            up.filter(|(car, peer)| !self.carries(*car, *peer)).collect::<Vec<_>>()
        };
        self.nodes.iter().enumerate().flat_map(of).collect()
    }

    /// Whether some in a group are further from each other than messages go.
    pub(super) fn is_too_long(&self, group: &BTreeSet<usize>) -> bool {
        group.iter().any(|first| {
            let mut near = BTreeSet::from([*first]);
            for _ in 0..HOPS_MAX {
                let next = group.iter().filter(|car| near.iter().any(|known| self.carries(*known, **car)));
                near = next.copied().chain(near.iter().copied()).collect();
            }
            near.len() < group.len() && self.root(*first) != Some(SERVER)
        })
    }

    pub(super) fn carries(&self, a: usize, b: usize) -> bool {
        let (Some(there), Some(back)) = (self.end_of(a, b), self.end_of(b, a)) else { return false };
        there.up && back.up && there.attempt == back.attempt && self.lan.passes_both(a, b)
    }

    pub(in crate::sim) fn disagree_on_leader(&self, group: &BTreeSet<usize>) -> Option<String> {
        let roots: BTreeMap<usize, Option<usize>> = group.iter().map(|car| (*car, self.root(*car))).collect();
        let named: BTreeSet<&Option<usize>> = roots.values().collect();
        let stray = roots.values().flatten().find(|root| **root != SERVER && !group.contains(root));
        let disagrees = named.len() != 1 || named.contains(&None) || stray.is_some();
        (disagrees && !self.is_too_long(group)).then(|| format!("{roots:?} (car: leader)"))
    }

    /// Who decides for a car in the end.
    #[must_use]
    pub fn leader(&self, car: usize) -> Leader {
        match self.root(car) {
            None => Leader::Nobody,
            Some(SERVER) => Leader::Server,
            Some(car) => Leader::Car(car),
        }
    }

    /// The car that may control playback, as `car` knows it.
    #[must_use]
    pub fn controller(&self, car: usize) -> Option<usize> {
        let state = self.nodes.get(car)?.car.as_ref()?.state();
        self.number_of(state.controller.as_ref()?)
    }

    /// What a car shows of itself.
    #[must_use]
    pub fn status(&self, car: usize) -> Option<Status> {
        Some(self.nodes.get(car)?.car.as_ref()?.status(self.mono(car)))
    }

    /// The titles of the playlist, as `car` knows it.
    #[must_use]
    pub fn titles(&self, car: usize) -> Vec<String> {
        let core = self.nodes.get(car).and_then(|node| node.car.as_ref());
        core.into_iter().flat_map(Car::queue).map(|(_, track)| track.title.clone()).collect()
    }

    /// How many links a car has.
    #[must_use]
    pub fn links(&self, car: usize) -> usize {
        self.nodes.get(car).map_or(0, |node| node.ends.values().filter(|end| end.up).count())
    }

    /// The car that decides for `car` in the end, or [`SERVER`].
    pub(super) fn root(&self, car: usize) -> Option<usize> {
        let mut at = car;
        for _ in 0..=self.nodes.len() {
            match self.nodes.get(at)?.car.as_ref()?.obeys() {
                Choice::Server => return Some(SERVER),
                Choice::Lead => return Some(at),
                Choice::Follow(device) => at = self.number_of(&device)?,
            }
        }
        None
    }

    /// All name the same controller; without a server he is one of those who reach each other.
    pub(super) fn disagree_on_controller(&self, group: &BTreeSet<usize>) -> Option<String> {
        if group.len() < 2 {
            return None;
        }
        let core = |car: usize| self.nodes.get(car).and_then(|node| node.car.as_ref());
        // Who has just started waits some seconds for a server's time, and decides nothing until then.
        let waits = |car: usize| core(car).is_some_and(|core| core.convoy_time(self.mono(car)).is_none());
        if group.iter().filter_map(|car| self.root(*car)).any(waits) {
            return None;
        }
        let state = |car: usize| core(car).map(Car::state);
        let named: BTreeSet<Option<DeviceId>> = group.iter().map(|car| state(*car)?.controller.clone()).collect();
        let hears_server =
            |car: &usize| self.nodes.get(*car).is_some_and(|node| node.socket.connection.is_some() && !node.socket.cut);
        // A listener who leads takes no control from a DJ who is away.
        let listens = |car: usize| self.device_of(car).is_some_and(|device| self.listens(&device));
        let led_by_listener = group.iter().filter_map(|car| self.root(*car)).any(listens);
        let led_by_member = !group.iter().any(hears_server) && !led_by_listener;
        let stranger = named
            .iter()
            .flatten()
            .find(|device| led_by_member && self.number_of(device).is_none_or(|number| !group.contains(&number)));
        let names: Vec<String> = named.iter().map(|device| self.named(device.as_ref())).collect();
        (named.len() != 1 || stranger.is_some()).then(|| format!("{} in {group:?}", names.join(" and ")))
    }
}

/// Stands for the server where a car's number is expected.
pub(super) const SERVER: usize = usize::MAX;
