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
/// The rate of a clock is known after so long, and no sooner is it known how it bends.
const RATED_US: Instant = 12 * SECOND;
/// Convoy time of a car never jumps by more than this in between two looks.
const JUMP_US: i64 = 2_000;
/// Who takes another's time over has it within this, before his estimate settles.
const NEAR_US: i64 = 30_000;

/// A server that was slow is not forgotten for so long.
const SLOW_US: Instant = 12 * SECOND;

/// Whose clock: a car in one of its runs, or the server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Whose {
    Server,
    Car { car: usize, life: u32 },
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    /// Convoy time less the road's.
    offset_us: i64,
    /// It is the convoy's, and not made up.
    keeps: bool,
    bound_us: i64,
}

/// What was seen of the clocks until now.
#[derive(Debug, Default)]
pub(super) struct Clocks {
    /// At the last look.
    seen: BTreeMap<Whose, Seen>,
    /// Since when clocks are apart, and how far they were then once all had settled.
    apart: Option<(Instant, Option<i64>)>,
}

impl Rules {
    pub(super) fn look_at_clocks(&mut self, world: &mut World, groups: &[BTreeSet<usize>]) {
        self.look_for_jumps(world);
        let apart = groups.iter().filter_map(|group| world.apart_us(group)).max();
        let Some((apart_us, times)) = apart else {
            self.clocks.apart = None;
            return;
        };
        let (since, then_us) = *self.clocks.apart.get_or_insert((world.now, None));
        let patience_us = then_us.map_or(3 * SECOND, |_| RATED_US);
        if late(Some(since), world, patience_us) {
            self.clocks.apart = Some((world.now, Some(apart_us)));
            let bent_us = (world.now - since) / SECOND * BENT_US;
            if apart_us > then_us.map_or(NEAR_US, |then_us| then_us - bent_us) {
                self.say(world, &format!("clocks are apart: {apart_us} us, {times}"));
            }
        }
    }

    /// Once a car keeps the convoy's time, that never jumps by more than it may be off by its own word; but for one
    /// that was made up by a car that found nobody: it gives way when another's is met, and is that one's then.
    fn look_for_jumps(&mut self, world: &mut World) {
        let seen = world.clocks();
        let before = std::mem::replace(&mut self.clocks.seen, seen.clone());
        for (whose, now) in seen.iter().filter(|(_, now)| now.keeps) {
            let Some(was) = before.get(whose).filter(|was| was.keeps) else { continue };
            let jump_us = now.offset_us - was.offset_us;
            let is_near = |us: i64, other: &Seen| (us - other.offset_us).abs() <= NEAR_US;
            let mut others = before.iter().filter(|(other, _)| *other != whose).map(|(_, other)| other);
            let takes_over = others.any(|other| is_near(now.offset_us, other) && !is_near(was.offset_us, other));
            // An estimate that a slow server gave may be bettered by more than it said.
            let was_slow = world.now - world.slowed < SLOW_US;
            if !was_slow && jump_us.abs() > JUMP_US + was.bound_us && !takes_over {
                self.say(world, &format!("convoy time jumps by {jump_us} us: {whose:?}"));
            }
        }
    }
}

impl World {
    fn clocks(&self) -> BTreeMap<Whose, Seen> {
        let cars = self.nodes.iter().enumerate().filter_map(|(car, node)| {
            let core = node.car.as_ref()?;
            let mono = node.crystal.mono(self.now);
            let offset_us = core.convoy_time(mono)?.0 - self.now;
            let bound_us = core.clock_bound(mono).unwrap_or(0);
            Some((Whose::Car { car, life: node.life }, Seen { offset_us, keeps: core.keeps_convoy_time(), bound_us }))
        });
        let mono: MonoTime = self.server_now().mono;
        let server = self.server.iter().map(|server| {
            let offset_us = server.clock().convoy(mono).0 - self.now;
            (Whose::Server, Seen { offset_us, keeps: true, bound_us: 0 })
        });
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
