//! Convoy time: the same in all cars that reach each other, and without jumps.

use super::{Rules, late};
use crate::core::clock::MonoTime;
use crate::sim::world::World;
use crate::sim::{Instant, SECOND};
use std::collections::{BTreeMap, BTreeSet};

/// Convoy time of members that reach each other differs by no more than this, and a few times what messages wait in
/// queues.
const APART_US: i64 = 2_000;
/// Where a made-up time was by chance nearly the convoy's, cars are bent to each other: by so much in a second.
const BENT_US: i64 = 100;
/// Convoy time of a car never jumps by more than this in between two looks.
const JUMP_US: i64 = 2_000;
/// Who takes another's time over has it within this, before his estimate settles.
const NEAR_US: i64 = 30_000;

/// Whose clock: a car in one of its runs, or the server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Whose {
    Server,
    Car { car: usize, life: u32 },
}

/// What was seen of the clocks until now.
#[derive(Debug, Default)]
pub(super) struct Clocks {
    /// Convoy time less the road's, at the last look; and whether it is the convoy's.
    offsets: BTreeMap<Whose, (i64, bool)>,
    /// Since when clocks are apart, and how far they were then.
    apart: Option<(Instant, i64)>,
}

impl Rules {
    pub(super) fn look_at_clocks(&mut self, world: &mut World, groups: &[BTreeSet<usize>]) {
        self.look_for_jumps(world);
        let apart = groups.iter().filter_map(|group| world.apart_us(group)).max();
        let Some((apart_us, times)) = apart else {
            self.clocks.apart = None;
            return;
        };
        let (since, then_us) = *self.clocks.apart.get_or_insert((world.now, apart_us));
        if late(Some(since), world, 3 * SECOND) {
            self.clocks.apart = None;
            let bent_us = (world.now - since) / SECOND * BENT_US;
            if apart_us > then_us - bent_us {
                self.say(world, &format!("clocks are apart: {apart_us} us, {times}"));
            }
        }
    }

    /// Once a car keeps the convoy's time, that never jumps; but for one that was made up by a car that found nobody:
    /// it gives way when another's is met, and is that one's then.
    fn look_for_jumps(&mut self, world: &mut World) {
        let offsets = world.offsets();
        let before = std::mem::replace(&mut self.clocks.offsets, offsets.clone());
        for (whose, (offset_us, keeps)) in &offsets {
            let Some((was_us, _)) = before.get(whose).filter(|(_, kept)| *kept && *keeps) else { continue };
            let is_near = |us: i64, other_us: i64| (us - other_us).abs() <= NEAR_US;
            let mut others = before.iter().filter(|(other, _)| *other != whose);
            let takes_over =
                others.any(|(_, (other_us, _))| is_near(*offset_us, *other_us) && !is_near(*was_us, *other_us));
            if (offset_us - was_us).abs() > JUMP_US && !takes_over {
                self.say(world, &format!("convoy time jumps by {} us: {whose:?}", offset_us - was_us));
            }
        }
    }
}

impl World {
    fn offsets(&self) -> BTreeMap<Whose, (i64, bool)> {
        let cars = self.nodes.iter().enumerate().filter_map(|(car, node)| {
            let core = node.car.as_ref()?;
            let convoy = core.convoy_time(node.crystal.mono(self.now))?;
            Some((Whose::Car { car, life: node.life }, (convoy.0 - self.now, core.keeps_convoy_time())))
        });
        let mono: MonoTime = self.server_now().mono;
        let server =
            self.server.as_ref().map(|server| (Whose::Server, (server.clock().convoy(mono).0 - self.now, true)));
        cars.chain(server).collect()
    }

    /// How far the convoy times of a group are apart, if that is too far.
    fn apart_us(&self, group: &BTreeSet<usize>) -> Option<(i64, String)> {
        let times: BTreeMap<usize, i64> = group
            .iter()
            .filter_map(|car| {
                let node = self.nodes.get(*car)?;
                Some((*car, node.car.as_ref()?.convoy_time(node.crystal.mono(self.now))?.0))
            })
            .collect();
        let apart_us = times.values().max()? - times.values().min()?;
        let queue_us = self.lan.queue_us().max(crate::sim::server::WAN_QUEUE_US as i64);
        (apart_us > APART_US + 3 * queue_us).then(|| (apart_us, format!("{times:?}")))
    }
}
