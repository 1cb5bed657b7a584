//! What was removed stays removed: whoever knows of a removal does not have its entry any more, at no moment; and what
//! a person was told is removed is not there at the end.

use super::groups::SERVER;
use super::{Rule, Rules};
use crate::core::convoy::Snapshot;
use crate::sim::world::World;
use std::collections::BTreeMap;

/// What each car, and the server, had at the last look: the sum of its list, and how many changes it knew.
#[derive(Debug, Default)]
pub(super) struct Lists(BTreeMap<usize, (u64, u64)>);

impl Rules {
    pub(super) fn look_at_removals(&mut self, world: &mut World) {
        let cars = world.nodes.iter().enumerate().filter_map(|(car, node)| Some((car, node.car.as_ref()?.state())));
        let server = world.server.iter().map(|server| (SERVER, server.snapshot()));
        let mut back = Vec::new();
        for (who, state) in cars.chain(server) {
            let now = (state.playlist.sum(), state.versions.count());
            if self.lists.0.insert(who, now) != Some(now) {
                back.extend(world.resurrected(state).map(|what| (who, what)));
            }
        }
        for (who, what) in back {
            let who = if who == SERVER { "the server".into() } else { who.to_string() };
            self.say(world, Rule::RemovedStaysRemoved, &format!("{who} knows {what}, and has what that removed"));
        }
    }

    /// The end, by the state that counts: what a person was told is done, and nobody told him otherwise.
    pub(super) fn check_removals(&mut self, world: &mut World, state: &Snapshot) {
        let acknowledged = world.acknowledged().filter(|id| !world.overruled.contains(*id));
        let removals = acknowledged.filter_map(|id| Some((id, world.removals.get(id)?)));
        let back = removals.filter(|(_, entry)| state.playlist.contains(entry));
        let back: Vec<String> = back.map(|(id, _)| world.id(id)).collect();
        for id in back {
            self.say(world, Rule::RemovedStaysRemoved, &format!("what the acknowledged {id} removed is back"));
        }
    }
}

impl World {
    /// The removals that a state knows of, and has the entry of all the same.
    fn resurrected(&self, state: &Snapshot) -> impl Iterator<Item = String> {
        let stands = |entry: &_| state.playlist.contains(entry);
        let back = self.removals.iter().filter(move |(id, entry)| stands(entry) && state.versions.knows(id));
        back.map(|(id, _)| self.id(id))
    }
}
