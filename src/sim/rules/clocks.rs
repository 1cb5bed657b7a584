//! Convoy time: the same in all cars that reach each other, and without jumps.

use super::{Rule, Rules, excused, late};
use crate::core::clock::MonoTime;
use crate::core::election::Choice;
use crate::sim::ride::LOOK_US;
use crate::sim::server::WAN_QUEUE_US;
use crate::sim::world::World;
use crate::sim::{Instant, SECOND};
use std::collections::{BTreeMap, BTreeSet};

/// Where a made-up time was by chance nearly the convoy's, cars are bent to each other: by so much in a second.
const BENT_US: i64 = 100;
/// The rate of a clock is known after so long, and no sooner is it known how it bends: two bad crystals part faster.
const RATED_US: Instant = 12 * SECOND;
/// Convoy time of a car never jumps by more than this in between two looks.
const JUMP_US: i64 = 2_000;
/// Where no music follows it, a clock is set by so much that would be bent away elsewhere.
const UNHEARD_US: i64 = 30_000;
/// Who takes another's time over has it within this before his estimate settles, and by then.
const NEAR_US: i64 = 30_000;
const NEAR_BY_US: Instant = 3 * SECOND;

/// A server that was slow is not forgotten for so long.
const SLOW_US: Instant = 12 * SECOND;

/// Whose clock: a car in one of its runs, or the server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Whose {
    Server { boot: u32 },
    Car { car: usize, life: u32 },
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// Convoy time less the road's.
    pub(super) offset_us: i64,
    /// It is the convoy's, and not made up.
    pub(super) keeps: bool,
    leads: bool,
    /// Music follows it.
    plays: bool,
    /// How far it may be off by its own word; none where it has no word on that.
    pub(super) bound_us: Option<i64>,
}

impl Seen {
    /// Who has just come to obey another, and knows little of his clock yet, says nothing of his own.
    fn bound_us(&self, is_harsh: bool) -> i64 {
        self.bound_us.unwrap_or(if is_harsh && !self.leads { i64::MAX } else { 0 })
    }
}

/// What was seen of the clocks until now.
#[derive(Debug, Default)]
pub(super) struct Clocks {
    /// At the last look.
    pub(super) seen: BTreeMap<Whose, Seen>,
    /// Since when clocks are apart, and how far the worst was off his leader's then, once all had settled.
    apart: Option<(Instant, Option<i64>)>,
}

impl Rules {
    pub(super) fn look_at_clocks(&mut self, world: &mut World, groups: &[BTreeSet<usize>]) {
        let apart = groups.iter().filter_map(|group| world.apart_us(group)).max();
        let Some((apart_us, worst_us, times)) = apart else {
            self.clocks.apart = None;
            return;
        };
        // What came or went may have brought others together.
        self.clocks.apart.take_if(|(since, _)| *since < excused(world));
        let (since, then_us) = *self.clocks.apart.get_or_insert((world.now, None));
        let is_rated = then_us.is_some() || world.has_bad_crystals;
        if late(Some(since), world, if is_rated { RATED_US } else { NEAR_BY_US }) {
            self.clocks.apart = Some((world.now, Some(worst_us)));
            // All are bent to the time of who leads, and may keep their distance to each other while all are late.
            let bent_us = (world.now - since) / SECOND * BENT_US;
            if worst_us > then_us.map_or(NEAR_US, |then_us| then_us - bent_us) {
                let what = format!("clocks are apart: {apart_us} us, {worst_us} us from who leads, {times}");
                self.say(world, Rule::ConvoyTimeAgrees, &what);
            }
        }
    }

    /// Once a car keeps the convoy's time, that never jumps by more than it may be off by its own word; but for one
    /// that was made up by a car that found nobody: it gives way when another's is met, and is that one's then.
    pub(super) fn look_for_jumps(&mut self, world: &mut World) {
        let seen = world.clocks();
        if world.now % SECOND == 0 {
            world.note(|_| Some(format!("clocks are off by (and say at most): {}", words(&seen))));
        }
        let before = std::mem::replace(&mut self.clocks.seen, seen.clone());
        for (whose, now) in seen.iter().filter(|(_, now)| now.keeps) {
            let Some(was) = before.get(whose).filter(|was| was.keeps) else { continue };
            let jump_us = now.offset_us - was.offset_us;
            let is_near = |us: i64, other: &Seen| (us - other.offset_us).abs() <= NEAR_US;
            let mut others = before.iter().filter(|(other, _)| *other != whose).map(|(_, other)| other);
            let takes_over = others.any(|other| is_near(now.offset_us, other) && !is_near(was.offset_us, other));
            // An estimate that a slow server gave may be bettered by more than it said.
            let was_slow = world.now - world.slowed < SLOW_US;
            let mut bound_us = was.bound_us(world.is_harsh);
            if world.is_harsh {
                // Each of the two was so far from the truth at most, on whichever side.
                bound_us = bound_us.saturating_add(now.bound_us(true));
            }
            let unheard_us = if was.plays || now.plays { 0 } else { UNHEARD_US };
            if !was_slow && jump_us.abs() > bound_us.saturating_add(JUMP_US + unheard_us) && !takes_over {
                let runs_back = jump_us < -LOOK_US;
                let rule = if runs_back { Rule::PositionNeverRunsBack } else { Rule::PositionNeverJumps };
                self.say(world, rule, &format!("convoy time jumps by {jump_us} us: {whose:?}"));
            }
        }
    }
}

fn words(seen: &BTreeMap<Whose, Seen>) -> String {
    let word = |(whose, seen): (&Whose, &Seen)| {
        let who = match whose {
            Whose::Server { .. } => "server".into(),
            Whose::Car { car, .. } => car.to_string(),
        };
        let bound = seen.bound_us.map_or_else(|| "no word".into(), |us| us.to_string());
        format!("{who}: {} ({bound}){}", seen.offset_us, if seen.keeps { "" } else { ", its own" })
    };
    seen.iter().map(word).collect::<Vec<_>>().join("; ")
}

impl World {
    fn clocks(&self) -> BTreeMap<Whose, Seen> {
        let honest = self.nodes.iter().enumerate().filter(|(car, _)| !self.is_rogue(*car));
        let cars = honest.filter_map(|(car, node)| {
            let core = node.car.as_ref()?;
            let mono = node.crystal.mono(self.now);
            let offset_us = core.convoy_time(mono)?.0 - self.now;
            let (keeps, leads) = (core.keeps_convoy_time(), core.obeys() == Choice::Lead);
            let (plays, bound_us) = (core.is_playing_planned(), core.clock_bound(mono));
            let seen = Seen { offset_us, keeps, leads, plays, bound_us };
            Some((Whose::Car { car, life: node.life }, seen))
        });
        let mono: MonoTime = self.server_now().mono;
        let server = self.server.iter().map(|server| {
            let offset_us = server.clock().convoy(mono).0 - self.now;
            // One that rebooted takes the convoy's time from the first car that comes in; phones have none to give.
            let keeps = server.clock().is_settled();
            (
                Whose::Server { boot: self.storage.boot },
                Seen { offset_us, keeps, leads: true, plays: true, bound_us: None },
            )
        });
        cars.chain(server).collect()
    }

    /// How far the convoy times of a group are apart, if that is too far; and from that of who leads it.
    fn apart_us(&self, group: &BTreeSet<usize>) -> Option<(i64, i64, String)> {
        let offset = |car: &usize| Some((*car, self.convoy_offset_us(*car)?));
        let offsets: BTreeMap<usize, i64> = group.iter().filter_map(offset).collect();
        let (least, most) = (offsets.values().min()?, offsets.values().max()?);
        let apart_us = most - least;
        let to_server_us = self.wan.map_or(WAN_QUEUE_US as i64, |air| air.queue_us());
        // A few times what messages wait in queues, on one of the two ways.
        let queue_us = self.lan.queue_us().max(to_server_us);
        if apart_us <= self.apart_us + 3 * queue_us {
            return None;
        }
        let root_us = group.first().and_then(|car| self.root(*car)).and_then(|root| self.convoy_offset_us(root));
        let worst_us = root_us.map_or(apart_us, |root| (most - root).abs().max((least - root).abs()));
        Some((apart_us, worst_us, format!("{offsets:?}")))
    }
}
