//! What holds at every moment, however bad the road is: nothing is taken in twice, clocks are off by no more than they
//! say, and nothing grows beyond what was done.

use super::clocks::{Seen, Whose};
use super::groups::SERVER;
use super::{Rule, Rules};
use crate::core::car::Car;
use crate::core::clock::ConvoyTime;
use crate::core::election::Choice;
use crate::sim::world::World;
use crate::sim::{Instant, SECOND};
use std::collections::BTreeMap;

/// Readings of clocks are whole microseconds, on both sides and on the way.
const ROUNDING_US: i64 = 20;
/// Anchors that a timeline holds, at most.
const ANCHORS_MAX: usize = 64;
/// Events that are still to come for one car: more would be a storm that nobody sees.
const EVENTS_PER_CAR: usize = 4_000;

/// By what way each car has had its time, since when, and what that was at the last look.
#[derive(Debug, Default)]
pub(super) struct Ways(BTreeMap<usize, Way>);

#[derive(Debug, Clone)]
struct Way {
    cars: Vec<(usize, u32)>,
    offsets_us: Vec<i64>,
    since: Instant,
}

/// When authority has passed, or a clock on the way has stepped to another's time, what was told before is not so any
/// more, and the new word is on its way for so long, over as many links as there can be and with beats that are lost.
const TOLD_US: Instant = 3 * SECOND / 2;
/// A clock that changes more between two looks has stepped.
const STEP_US: i64 = 1_000;

impl Ways {
    /// Whether a car has had its time by the same way for long enough to know how good it is.
    fn settled(&mut self, car: usize, world: &World) -> bool {
        let cars = world.way(car);
        let offset_us = |car: &(usize, u32)| world.convoy_offset_us(car.0).unwrap_or_default();
        let offsets_us: Vec<i64> = cars.iter().skip(1).map(offset_us).collect();
        let way =
            self.0.entry(car).or_insert_with(|| Way { cars: Vec::new(), offsets_us: Vec::new(), since: world.now });
        let mut pairs = way.offsets_us.iter().zip(&offsets_us);
        let is_same = way.cars == cars && pairs.all(|(was, is)| (was - is).abs() <= STEP_US);
        let since = if is_same { way.since } else { world.now };
        *way = Way { cars, offsets_us, since };
        world.now - since >= TOLD_US
    }
}

impl Rules {
    pub(super) fn look_at_safety(&mut self, world: &mut World) {
        for (car, id) in std::mem::take(&mut world.twice) {
            let who = if car == SERVER { "the server".into() } else { car.to_string() };
            let what = format!("{who} takes in {} once more", world.id(&id));
            self.say(world, Rule::NoControlAppliedTwice, &what);
        }
        for car in 0..world.nodes.len() {
            let is_settled = self.ways.settled(car, world);
            let life = world.nodes.get(car).map_or(0, |node| node.life);
            let seen = self.clocks.seen.get(&Whose::Car { car, life }).copied().filter(|_| is_settled);
            if let Some((error_us, bound_us)) = seen.and_then(|seen| world.clock_error_us(car, seen))
                && error_us.abs() > bound_us.saturating_add(ROUNDING_US)
            {
                let way = world.way(car);
                let what =
                    format!("the clock of {car} is off by {error_us} us, and says {bound_us} us at most, by {way:?}");
                self.say(world, Rule::ErrorBoundHolds, &what);
            }
        }
    }

    pub(super) fn look_at_bounds(&mut self, world: &mut World) {
        let (made, members) = (world.authored, world.authors());
        let too_much = world.nodes.iter().enumerate().find_map(|(car, node)| {
            let core = node.car.as_ref()?;
            let state = core.state();
            let anchors = state.timeline.from(ConvoyTime(i64::MIN)).count();
            let too_much = core.pending() as usize > made
                || state.versions.authors() > members
                || state.playlist.len() > made
                || anchors > ANCHORS_MAX;
            too_much.then(|| format!("{car} holds {} changes, {anchors} anchors", core.pending()))
        });
        let events = world.events();
        let storm = (events > EVENTS_PER_CAR * world.nodes.len()).then(|| format!("{events} events are to come"));
        if let Some(what) = too_much.or(storm) {
            self.say(world, Rule::Bounded, &what);
        }
    }
}

impl World {
    /// Those from whom a car has its time one after the other, with their lives, itself first.
    fn way(&self, car: usize) -> Vec<(usize, u32)> {
        let mut way = Vec::new();
        let mut at = car;
        while way.len() <= self.nodes.len()
            && let Some(node) = self.nodes.get(at)
            && let Some(core) = &node.car
        {
            way.push((at, node.life));
            let from = match core.obeys() {
                Choice::Server => core.clock_through().pop(),
                Choice::Lead => break,
                Choice::Follow(device) => Some(device),
            };
            let Some(device) = from else {
                way.push((SERVER, self.storage.boot));
                break;
            };
            at = self.number_of(&device).unwrap_or(SERVER);
        }
        way
    }

    /// Convoy time less the road's, as a car has it, or the server.
    pub(super) fn convoy_offset_us(&self, car: usize) -> Option<i64> {
        let time = if car == SERVER {
            self.server.as_ref()?.clock().convoy(self.server_now().mono)
        } else {
            self.nodes.get(car)?.car.as_ref()?.convoy_time(self.mono(car))?
        };
        Some(time.0 - self.now)
    }

    /// How far a car's clock is off that of whoever leads it, and how far it says at most; none for one that leads, or
    /// has no word on it.
    fn clock_error_us(&self, car: usize, seen: Seen) -> Option<(i64, i64)> {
        let bound_us = seen.bound_us.filter(|_| seen.keeps)?;
        let root = self.root(car).filter(|root| *root != car)?;
        let leads = self.nodes.get(root).and_then(|node| node.car.as_ref());
        let truth_us = self.convoy_offset_us(root).filter(|_| leads.is_none_or(Car::keeps_convoy_time))?;
        Some((seen.offset_us - truth_us, bound_us))
    }
}
