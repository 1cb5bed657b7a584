//! What must be so, whatever happens on the road.

use super::world::World;
use super::{Instant, SECOND};
use crate::core::car::Car;
use crate::core::election::Choice;
use crate::core::id::DeviceId;
use crate::core::mesh::HOPS_MAX;
use crate::core::status::Status;
use std::collections::{BTreeMap, BTreeSet};

/// Everyone has found his place so long after the last link, connection or car came or went.
const SETTLED_US: Instant = SECOND;
/// A cut that nobody shows is noticed within this.
const UNNOTICED_US: Instant = 2_200_000;
/// Convoy time of members that reach each other differs by no more than this, and a few times what messages wait in
/// queues.
const APART_US: i64 = 2_000;
/// Convoy time of a car never jumps by more than this in between two looks.
const JUMP_US: i64 = 2_000;
/// More messages than this in a drive's second and of one car are a storm.
const MESSAGES_PER_SECOND: u64 = 400;

/// Who decides for a car.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leader {
    Server,
    Car(usize),
    Nobody,
}

/// Looks at a drive as it goes, and notes what is wrong.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) wrong: Vec<String>,
    has_server: bool,
    /// Since when members that reach each other do not agree on who leads, or who controls.
    leaders_since: Option<Instant>,
    controllers_since: Option<Instant>,
    apart_since: Option<Instant>,
    /// Convoy time less the road's, of each car and its run, at the last look.
    clocks: BTreeMap<(usize, u32), i64>,
    sent: (Instant, u64),
}

/// Findings beyond these add nothing.
const WRONG_MAX: usize = 12;

impl Rules {
    pub(super) fn new(has_server: bool) -> Self {
        Self {
            wrong: Vec::new(),
            has_server,
            leaders_since: None,
            controllers_since: None,
            apart_since: None,
            clocks: BTreeMap::new(),
            sent: (0, 0),
        }
    }

    fn say(&mut self, world: &mut World, what: &str) {
        world.note(|| Some(format!("WRONG: {what}")));
        if self.wrong.len() < WRONG_MAX {
            self.wrong.push(format!("{:.3} s: {what}", world.now as f64 / 1e6));
        }
    }

    pub(super) fn look(&mut self, world: &mut World) {
        if world.now - world.fault < UNNOTICED_US && world.has_zombies() {
            world.disturbed = world.now;
        }
        let groups = world.components();
        let since = |old: Option<Instant>, bad: bool, now: Instant| bad.then(|| old.unwrap_or(now));
        let leaders = groups.iter().find_map(|group| world.disagree_on_leader(group));
        self.leaders_since = since(self.leaders_since, leaders.is_some(), world.now);
        let controllers = groups.iter().find_map(|group| world.disagree_on_controller(group));
        let unsettled = leaders.is_none() && controllers.is_some();
        self.controllers_since = since(self.controllers_since, unsettled, world.now);
        let apart = groups.iter().find_map(|group| world.apart_us(group));
        self.apart_since = since(self.apart_since, apart.is_some(), world.now);
        if late(self.leaders_since, world, SETTLED_US) {
            self.leaders_since = None;
            self.say(world, &format!("no agreement on who leads: {}", leaders.unwrap_or_default()));
        }
        if late(self.controllers_since, world, SETTLED_US) {
            self.controllers_since = None;
            self.say(world, &format!("no agreement on who controls: {}", controllers.unwrap_or_default()));
        }
        if late(self.apart_since, world, 3 * SECOND) {
            self.apart_since = None;
            self.say(world, &format!("clocks are apart: {}", apart.unwrap_or_default()));
        }
        self.look_at_clocks(world);
        self.look_for_storms(world);
    }

    /// Once a car keeps the convoy's time, that never jumps. (Without a server there may be several that were made up,
    /// and when they meet one takes over the other's, which is far from it.)
    fn look_at_clocks(&mut self, world: &mut World) {
        let mut clocks = BTreeMap::new();
        let mut jumps = Vec::new();
        for (car, node) in world.nodes.iter().enumerate() {
            let Some(core) = &node.car else { continue };
            let Some(convoy) = core.convoy_time(node.crystal.mono(world.now)) else { continue };
            let offset_us = convoy.0 - world.now;
            let before = self.clocks.get(&(car, node.life));
            if let Some(jump_us) = before.map(|before| offset_us - before).filter(|us| us.abs() > JUMP_US) {
                jumps.push((car, jump_us));
            }
            if core.keeps_convoy_time() {
                clocks.insert((car, node.life), offset_us);
            }
        }
        self.clocks = clocks;
        for (car, jump_us) in jumps {
            if self.has_server && jump_us.abs() < SECOND {
                self.say(world, &format!("{car}'s convoy time jumps by {jump_us} us"));
            }
        }
    }

    fn look_for_storms(&mut self, world: &mut World) {
        let (since, sent) = self.sent;
        if world.now - since < SECOND {
            return;
        }
        let per_second = world.sent - sent;
        self.sent = (world.now, world.sent);
        if per_second > MESSAGES_PER_SECOND * world.nodes.len() as u64 {
            self.say(world, &format!("{per_second} messages in a second"));
        }
    }

    /// After all was healed everyone knows the same, and nothing that was acknowledged is lost.
    pub(super) fn check_end(&mut self, world: &World) {
        let mut states = world.nodes.iter().enumerate().filter_map(|(n, node)| Some((n, node.car.as_ref()?.state())));
        let Some((_, first)) = states.next() else { return };
        let first = world.server.as_ref().map_or(first, crate::core::authority::Authority::snapshot);
        let names = |state: &crate::core::convoy::Snapshot| -> Vec<String> {
            state.playlist.ids().map(ToString::to_string).collect()
        };
        for (number, node) in world.nodes.iter().enumerate() {
            let Some(core) = &node.car else { continue };
            let state = core.state();
            let mut differs = Vec::new();
            if state.versions != first.versions {
                let (has, wanted) = (world.versions(&state.versions), world.versions(&first.versions));
                differs.push(format!("versions {has} instead of {wanted}"));
            }
            if state.controller != first.controller || state.controlled != first.controlled {
                let (has, wanted) = (world.named(state.controller.as_ref()), world.named(first.controller.as_ref()));
                differs.push(format!("controller {has} instead of {wanted}"));
            }
            let last = |s: &crate::core::convoy::Snapshot| s.timeline.last().map(|last| last.stamp.clone());
            if last(state) != last(first) {
                differs.push(format!("timeline {:?} instead of {:?}", last(state), last(first)));
            }
            if names(state) != names(first) {
                differs.push(format!("playlist of {} instead of {}", names(state).len(), names(first).len()));
            }
            if core.pending() > 0 {
                differs.push(format!("{} changes without a verdict", core.pending()));
            }
            for difference in differs {
                self.wrong.push(format!("at the end {number} has another {difference}"));
            }
        }
        let known: BTreeSet<String> = names(first).into_iter().collect();
        for (id, entry) in world.added() {
            if !known.contains(&entry) && !world.removed().contains(&entry) {
                self.wrong.push(format!("at the end the acknowledged addition {id} is lost"));
            }
        }
    }
}

fn late(since: Option<Instant>, world: &World, patience_us: Instant) -> bool {
    since.is_some_and(|since| world.now - since.max(world.disturbed) > patience_us)
}

impl World {
    /// Cars that reach each other over links, or by the server, in groups.
    fn components(&self) -> Vec<BTreeSet<usize>> {
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
    fn has_zombies(&self) -> bool {
        let is_zombie = |car: usize| {
            let Some(node) = self.nodes.get(car) else { return false };
            let by_link = node.ends.iter().any(|(peer, end)| end.up && !self.carries(car, *peer));
            let by_server = matches!(node.car.as_ref().map(Car::obeys), Some(Choice::Server));
            by_link || (by_server && node.socket.cut)
        };
        (0..self.nodes.len()).any(is_zombie)
    }

    /// Whether some in a group are further from each other than messages go.
    fn is_too_long(&self, group: &BTreeSet<usize>) -> bool {
        group.iter().any(|first| {
            let mut near = BTreeSet::from([*first]);
            for _ in 0..HOPS_MAX {
                let next = group.iter().filter(|car| near.iter().any(|known| self.carries(*known, **car)));
                near = next.copied().chain(near.iter().copied()).collect();
            }
            near.len() < group.len() && self.root(*first) != Some(SERVER)
        })
    }

    fn carries(&self, a: usize, b: usize) -> bool {
        let (Some(there), Some(back)) = (self.end_of(a, b), self.end_of(b, a)) else { return false };
        there.up && back.up && there.attempt == back.attempt && self.lan.passes_both(a, b)
    }

    fn disagree_on_leader(&self, group: &BTreeSet<usize>) -> Option<String> {
        if self.is_too_long(group) {
            return None;
        }
        let roots: BTreeMap<usize, Option<usize>> = group.iter().map(|car| (*car, self.root(*car))).collect();
        let named: BTreeSet<&Option<usize>> = roots.values().collect();
        let stray = roots.values().flatten().find(|root| **root != SERVER && !group.contains(root));
        (named.len() != 1 || named.contains(&None) || stray.is_some()).then(|| format!("{roots:?} (car: leader)"))
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
    fn root(&self, car: usize) -> Option<usize> {
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
    fn disagree_on_controller(&self, group: &BTreeSet<usize>) -> Option<String> {
        if group.len() < 2 {
            return None;
        }
        let state = |car: usize| self.nodes.get(car).and_then(|node| node.car.as_ref()).map(Car::state);
        let named: BTreeSet<Option<DeviceId>> = group.iter().map(|car| state(*car)?.controller.clone()).collect();
        let hears_server =
            |car: &usize| self.nodes.get(*car).is_some_and(|node| node.socket.connection.is_some() && !node.socket.cut);
        let led_by_member = !group.iter().any(hears_server);
        let stranger = named
            .iter()
            .flatten()
            .find(|device| led_by_member && self.number_of(device).is_none_or(|number| !group.contains(&number)));
        let names: Vec<String> = named.iter().map(|device| self.named(device.as_ref())).collect();
        (named.len() != 1 || stranger.is_some()).then(|| format!("{} in {group:?}", names.join(" and ")))
    }

    fn apart_us(&self, group: &BTreeSet<usize>) -> Option<String> {
        let times: BTreeMap<usize, i64> = group
            .iter()
            .filter_map(|car| {
                let node = self.nodes.get(*car)?;
                Some((*car, node.car.as_ref()?.convoy_time(node.crystal.mono(self.now))?.0))
            })
            .collect();
        let apart_us = times.values().max()? - times.values().min()?;
        (apart_us > APART_US + 3 * self.lan.queue_us().max(super::server::WAN_QUEUE_US as i64))
            .then(|| format!("{apart_us} us, {times:?}"))
    }

    /// The entries whose addition was acknowledged, by change.
    fn added(&self) -> Vec<(String, String)> {
        self.acknowledged()
            .filter_map(|id| self.additions.get(id).map(|entry| (id.to_string(), entry.to_string())))
            .collect()
    }

    fn removed(&self) -> BTreeSet<String> {
        self.removals.iter().map(ToString::to_string).collect()
    }
}

/// Stands for the server where a car's number is expected.
const SERVER: usize = usize::MAX;
