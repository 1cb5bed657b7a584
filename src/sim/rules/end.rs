//! After all was healed everyone knows the same, and nothing that was acknowledged is lost.

use super::groups::SERVER;
use super::{Rule, Rules};
use crate::core::changes::ChangeId;
use crate::core::clock::ConvoyTime;
use crate::core::convoy::Snapshot;
use crate::core::id::EntryId;
use crate::core::playlist::Playlist;
use crate::sim::world::World;
use std::collections::BTreeSet;

impl Rules {
    /// Those who were healed are one, whatever the others are.
    pub(in crate::sim) fn check_part(&mut self, world: &mut World, part: &[usize]) {
        let all = part.iter().copied().collect();
        if part.is_empty() || (part.len() < 2 && world.server.is_none()) {
            // Who is alone has nobody to agree with, and nobody to give what he did.
            return;
        }
        if let Some(what) = world.disagree_on_leader(&all) {
            self.say(world, Rule::OneControllerPerComponent, &format!("those who were healed are not one: {what}"));
            return;
        }
        self.check_agreement(world, &all);
    }

    pub(in crate::sim) fn check_end(&mut self, world: &mut World) {
        let all: BTreeSet<usize> = (0..world.nodes.len()).collect();
        if let Some(what) = world.disagree_on_leader(&all) {
            self.say(world, Rule::OneControllerPerComponent, &format!("at the end not all are one convoy: {what}"));
        }
        self.check_agreement(world, &all);
        for what in world.lost() {
            self.say(world, Rule::NoAcknowledgedChangeLost, &what);
        }
        if let Some(state) = world.common_state(&all).cloned() {
            self.check_removals(world, &state);
        }
    }

    /// All of these know the same, and wait for nothing.
    fn check_agreement(&mut self, world: &mut World, all: &BTreeSet<usize>) {
        let Some(first) = world.common_state(all).cloned() else { return };
        let mut differs = Vec::new();
        for number in all {
            let Some(core) = world.nodes.get(*number).and_then(|node| node.car.as_ref()) else { continue };
            let Some(now) = core.convoy_time(world.mono(*number)) else { continue };
            let mut differences = differences(world, core.state(), &first, now);
            if core.pending() > 0 {
                differences.push(format!("{} changes without a verdict", core.pending()));
            }
            differs.extend(differences.iter().map(|what| format!("in the end {number} has another {what}")));
        }
        for what in differs {
            self.say(world, Rule::ConnectedMembersConverge, &what);
        }
    }
}

impl World {
    /// The state that counts for these: the server's, or that of the first.
    fn common_state(&self, all: &BTreeSet<usize>) -> Option<&Snapshot> {
        let first = *all.first()?;
        match &self.server {
            Some(server) if self.root(first) == Some(SERVER) => Some(server.snapshot()),
            _ => Some(self.nodes.get(first)?.car.as_ref()?.state()),
        }
    }

    /// What a person was told is done, and is not, though nobody told him otherwise.
    fn lost(&self) -> Vec<String> {
        let all = (0..self.nodes.len()).collect();
        let Some(first) = self.common_state(&all) else { return Vec::new() };
        // Of a control that was given long ago and counted for a while nobody is told that it counts no more.
        let latest = first.latest();
        let is_past = |id: &ChangeId| self.controls.get(id).is_some_and(|hlc| *hlc < latest);
        let is_lost = |id: &&ChangeId| !first.versions.knows(id) && !self.overruled.contains(*id) && !is_past(id);
        let lost = self.acknowledged().filter(is_lost);
        let known: BTreeSet<&str> = first.playlist.ids().map(EntryId::as_str).collect();
        let removed: BTreeSet<&EntryId> = self.removals.values().collect();
        let additions = self.acknowledged().filter_map(|id| Some((id, self.additions.get(id)?)));
        let gone = additions.filter(|(_, entry)| !known.contains(entry.as_str()) && !removed.contains(entry));
        let changes = lost.map(|id| format!("the acknowledged {} is lost", self.id(id)));
        let additions = gone.map(|(id, _)| format!("the acknowledged addition {} is lost", self.id(id)));
        changes.chain(additions).collect()
    }
}

pub(in crate::sim) fn differences(world: &World, state: &Snapshot, first: &Snapshot, now: ConvoyTime) -> Vec<String> {
    let mut differs = Vec::new();
    if state.versions != first.versions {
        let (has, wanted) = (world.versions(&state.versions), world.versions(&first.versions));
        differs.push(format!("versions {has} instead of {wanted}"));
    }
    if state.controller != first.controller || state.controlled != first.controlled {
        let (has, wanted) = (world.named(state.controller.as_ref()), world.named(first.controller.as_ref()));
        differs.push(format!("controller {has} instead of {wanted}"));
    }
    let last = |state: &Snapshot| {
        // Who has nothing to do meanwhile looks at the timeline when he is asked.
        let mut state = state.clone();
        state.advance(now);
        state.timeline.last().map(|last| (last.stamp.clone(), last.anchor.clone()))
    };
    if last(state) != last(first) {
        differs.push(format!("timeline {:?} instead of {:?}", last(state), last(first)));
    }
    let names = |playlist: &Playlist| playlist.ids().cloned().collect::<Vec<_>>();
    let (has, wanted) = (names(&state.playlist), names(&first.playlist));
    if has != wanted {
        differs.push(format!("playlist of {} instead of {}", has.len(), wanted.len()));
    }
    differs
}
