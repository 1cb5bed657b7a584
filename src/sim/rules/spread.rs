//! What is done in a convoy that is together is known to all of it within a second.

use super::{Rule, Rules};
use crate::core::changes::ChangeId;
use crate::sim::Instant;
use crate::sim::world::World;
use std::collections::BTreeSet;

/// A change that was made a moment ago, and who was together with its author then.
#[derive(Debug)]
pub(super) struct Made {
    id: ChangeId,
    at: Instant,
    group: BTreeSet<usize>,
}

impl Rules {
    pub(super) fn look_at_spread(&mut self, world: &mut World, groups: &[BTreeSet<usize>]) {
        let is_calm = world.now - world.disturbed > world.settled_us() && !world.has_zombies();
        let made = std::mem::take(&mut world.made);
        for (car, id) in made.into_iter().filter(|_| is_calm) {
            let group = groups.iter().find(|group| group.contains(&car));
            let agreed = group.filter(|group| world.disagree_on_leader(group).is_none());
            self.made.extend(agreed.map(|group| Made { id, at: world.now, group: group.clone() }));
        }
        // As long as it takes to agree, it takes until all know what one did.
        let spread_us = world.settled_us();
        let (old, young) = std::mem::take(&mut self.made).into_iter().partition(|made| world.now - made.at > spread_us);
        self.made = young;
        for Made { id, at, group } in Vec::<Made>::from_iter(old) {
            let lacks = |car: &&usize| {
                let core = world.nodes.get(**car).and_then(|node| node.car.as_ref());
                core.is_some_and(|core| !core.state().versions.knows(&id))
            };
            let lacking: Vec<usize> = group.iter().filter(lacks).copied().collect();
            if !lacking.is_empty() && world.disturbed < at && !world.overruled.contains(&id) {
                let what = format!("{} is not known to {lacking:?} after {spread_us} us", world.id(&id));
                self.say(world, Rule::ConnectedMembersConverge, &what);
            }
        }
    }
}
