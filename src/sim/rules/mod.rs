//! What must be so, whatever happens on the road.

mod clocks;
mod end;
mod groups;
mod name;
mod removals;
mod safety;
mod spread;

use super::node::Node;
use super::world::World;
use super::{Instant, SECOND};
use crate::core::car::Car;
use clocks::Clocks;
pub(super) use end::differences;
use name::Rule;
pub use name::is_about;
use removals::Lists;
use safety::Ways;
use spread::Made;
use std::collections::{BTreeMap, BTreeSet};

/// In a storm, which takes more than a tenth of all messages, it takes so many times as long until all agree: what is
/// lost is sent again after 150 ms, up to three times, and holds up what comes after it; and of beats three in a row
/// are lost.
const STORM: f64 = 0.1;
const STORM_TIMES: Instant = 2;
/// A cut that nobody shows is noticed within this, and where a pause may be a satellite's.
const UNNOTICED_US: Instant = 2_200_000;
const UNNOTICED_SATELLITE_US: Instant = 3_700_000;
/// A dead link is given up within this: calm ones beat every 5 s, then an answer may take 1.5 s; and where only one
/// side is deaf, the other hears it until it gives up, and has to miss an answer of its own.
const DEAD_US: Instant = 9 * SECOND;
/// However links come and go: so long after the last fault no excuse counts any more,
const RECOVERED_US: Instant = 15 * SECOND;
/// and after so long no link comes or goes.
const CALM_US: Instant = 35 * SECOND;
/// Everyone has met the server by then, and knows whose tickets count.
const TICKETS_US: Instant = 8 * SECOND;
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
    /// Since when members that reach each other do not agree on who leads, or who controls.
    leaders_since: Option<Instant>,
    controllers_since: Option<Instant>,
    clocks: Clocks,
    ways: Ways,
    made: Vec<Made>,
    lists: Lists,
    /// Links that carry nothing, by both ends, since when.
    dead: BTreeMap<(usize, usize), Instant>,
    sent: (Instant, u64),
}

/// Findings beyond these add nothing.
const WRONG_MAX: usize = 12;

impl Rules {
    pub(super) fn new() -> Self {
        Self {
            wrong: Vec::new(),
            leaders_since: None,
            controllers_since: None,
            clocks: Clocks::default(),
            ways: Ways::default(),
            made: Vec::new(),
            lists: Lists::default(),
            dead: BTreeMap::new(),
            sent: (0, 0),
        }
    }

    fn say(&mut self, world: &mut World, rule: Rule, what: &str) {
        let what = format!("{}: {what}", rule.name());
        world.note(|_| Some(format!("WRONG: {what}")));
        if self.wrong.len() < WRONG_MAX {
            self.wrong.push(format!("{:.3} s: {what}", world.now as f64 / 1e6));
        }
    }

    /// Whether there is more to be learned from this drive.
    pub(super) fn goes_on(&self) -> bool {
        self.wrong.len() < WRONG_MAX
    }

    pub(super) fn look(&mut self, world: &mut World) {
        let bears = |node: &Node| node.car.as_ref().is_some_and(Car::is_over_satellite);
        let unnoticed_us = if world.nodes.iter().any(bears) { UNNOTICED_SATELLITE_US } else { UNNOTICED_US };
        if world.now - world.fault < unnoticed_us && world.has_zombies() {
            world.disturbed = world.now;
        }
        let groups = world.components();
        self.look_for_jumps(world);
        self.look_at_safety(world);
        self.look_at_bounds(world);
        self.look_at_removals(world);
        self.look_for_storms(world);
        if let Some(what) = world.heeded().filter(|_| world.now > TICKETS_US) {
            self.say(world, Rule::ListenersAreNotHeeded, &what);
        }
        self.look_for_mutes(world);
        let since = |old: Option<Instant>, bad: bool, now: Instant| bad.then(|| old.unwrap_or(now));
        let leaders = groups.iter().find_map(|group| world.disagree_on_leader(group));
        self.leaders_since = since(self.leaders_since, leaders.is_some(), world.now);
        let controllers = groups.iter().find_map(|group| world.disagree_on_controller(group));
        let unsettled = leaders.is_none() && controllers.is_some();
        self.controllers_since = since(self.controllers_since, unsettled, world.now);
        if late(self.leaders_since, world, world.settled_us()) {
            self.leaders_since = None;
            self.say(
                world,
                Rule::OneControllerPerComponent,
                &format!("no agreement on who leads: {}", leaders.unwrap_or_default()),
            );
        }
        if late(self.controllers_since, world, world.settled_us()) {
            self.controllers_since = None;
            self.say(
                world,
                Rule::OneControllerPerComponent,
                &format!("no agreement on who controls: {}", controllers.unwrap_or_default()),
            );
        }
        self.look_at_clocks(world, &groups);
        self.look_at_spread(world, &groups);
        self.look_for_unrest(world);
        self.look_for_dead_links(world);
    }

    fn look_for_dead_links(&mut self, world: &mut World) {
        let dead = world.dead_links();
        self.dead.retain(|link, _| dead.contains(link));
        for link in dead {
            let since = *self.dead.entry(link).or_insert(world.now);
            if world.now - since > DEAD_US {
                self.dead.insert(link, world.now);
                self.say(world, Rule::DeadLinksEnd, &format!("{} holds on to its link with {}", link.0, link.1));
            }
        }
    }

    /// In the calm no link comes or goes.
    fn look_for_unrest(&mut self, world: &mut World) {
        if let Some(what) = world.link_changed.take().filter(|_| world.now - world.fault > CALM_US) {
            self.say(world, Rule::CalmLinksStay, &format!("in the calm {what}"));
        }
    }

    /// What must be so for those who behave, while another does not.
    pub(super) fn look_at_honest(&mut self, world: &mut World, honest: &BTreeSet<usize>) {
        self.look_for_jumps(world);
        self.look_at_clocks(world, std::slice::from_ref(honest));
        self.look_for_mutes(world);
    }

    /// Nobody who behaves is muted.
    fn look_for_mutes(&mut self, world: &mut World) {
        for (car, who) in std::mem::take(&mut world.mutes) {
            self.say(world, Rule::NobodyHonestIsMuted, &format!("{car} mutes {who}"));
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
            self.say(world, Rule::Bounded, &format!("{per_second} messages in a second"));
        }
    }
}

impl World {
    /// Everyone has found his place so long after the last link, connection or car came or went.
    fn settled_us(&self) -> Instant {
        self.agreed_us * if self.lan.weather_loss() > STORM { STORM_TIMES } else { 1 }
    }
}

/// Until then nobody is to blame for what is not as it should be.
fn excused(world: &World) -> Instant {
    world.disturbed.min(world.fault + RECOVERED_US)
}

fn late(since: Option<Instant>, world: &World, patience_us: Instant) -> bool {
    since.is_some_and(|since| world.now - since.max(excused(world)) > patience_us)
}
