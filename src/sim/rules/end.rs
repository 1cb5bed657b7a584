//! After all was healed everyone knows the same, and nothing that was acknowledged is lost.

use super::Rules;
use crate::core::authority::Authority;
use crate::core::changes::ChangeId;
use crate::core::clock::ConvoyTime;
use crate::core::convoy::Snapshot;
use crate::core::playlist::Playlist;
use crate::sim::world::World;
use std::collections::BTreeSet;

impl Rules {
    pub(in crate::sim) fn check_end(&mut self, world: &World) {
        let cars = || world.nodes.iter().enumerate().filter_map(|(number, node)| Some((number, node.car.as_ref()?)));
        let Some((_, first)) = cars().next() else { return };
        let first = world.server.as_ref().map_or(first.state(), Authority::snapshot);
        let all = cars().map(|(number, _)| number).collect();
        self.wrong
            .extend(world.disagree_on_leader(&all).map(|what| format!("at the end not all are one convoy: {what}")));
        for (number, core) in cars() {
            let Some(now) = core.convoy_time(world.mono(number)) else { continue };
            let mut differs = differences(world, core.state(), first, now);
            if core.pending() > 0 {
                differs.push(format!("{} changes without a verdict", core.pending()));
            }
            self.wrong.extend(differs.iter().map(|what| format!("at the end {number} has another {what}")));
        }
        // Of a control that was given long ago and counted for a while nobody is told that it counts no more.
        let latest = first.latest();
        let is_past = |id: &ChangeId| world.controls.get(id).is_some_and(|hlc| *hlc < latest);
        let is_lost = |id: &&ChangeId| !first.versions.knows(id) && !world.overruled.contains(*id) && !is_past(id);
        let lost = world.acknowledged().filter(is_lost);
        self.wrong.extend(lost.map(|id| format!("at the end the acknowledged {} is lost", world.id(id))));
        let known: BTreeSet<&str> = first.playlist.ids().map(|entry| entry.as_str()).collect();
        let additions = world.acknowledged().filter_map(|id| Some((id, world.additions.get(id)?)));
        let gone = additions.filter(|(_, entry)| !known.contains(entry.as_str()) && !world.removals.contains(*entry));
        self.wrong.extend(gone.map(|(id, _)| format!("at the end the acknowledged addition {} is lost", world.id(id))));
    }
}

fn differences(world: &World, state: &Snapshot, first: &Snapshot, now: ConvoyTime) -> Vec<String> {
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
