//! What must be so, whatever happens on the road.

mod clocks;
mod end;
mod groups;
mod spread;

use super::world::World;
use super::{Instant, SECOND};
use clocks::Clocks;
use spread::Made;

/// Everyone has found his place so long after the last link, connection or car came or went.
const SETTLED_US: Instant = SECOND;
/// A cut that nobody shows is noticed within this.
const UNNOTICED_US: Instant = 2_200_000;
/// However links come and go: so long after the last fault no excuse counts any more,
const RECOVERED_US: Instant = 15 * SECOND;
/// and after so long no link comes or goes.
const CALM_US: Instant = 35 * SECOND;
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
    made: Vec<Made>,
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
            made: Vec::new(),
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
        if late(self.leaders_since, world, SETTLED_US) {
            self.leaders_since = None;
            self.say(world, &format!("no agreement on who leads: {}", leaders.unwrap_or_default()));
        }
        if late(self.controllers_since, world, SETTLED_US) {
            self.controllers_since = None;
            self.say(world, &format!("no agreement on who controls: {}", controllers.unwrap_or_default()));
        }
        self.look_at_clocks(world, &groups);
        self.look_at_spread(world, &groups);
        self.look_for_storms(world);
        self.look_for_unrest(world);
    }

    /// In the calm no link comes or goes.
    fn look_for_unrest(&mut self, world: &mut World) {
        if let Some(what) = world.link_changed.take().filter(|_| world.now - world.fault > CALM_US) {
            self.say(world, &format!("in the calm {what}"));
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
}

fn late(since: Option<Instant>, world: &World, patience_us: Instant) -> bool {
    let excused = world.disturbed.min(world.fault + RECOVERED_US);
    since.is_some_and(|since| world.now - since.max(excused) > patience_us)
}
