//! A drive with a rogue: whether he is muted, and the others go on as if he were not there.

use super::{Behaviour, Instant, SECOND, World};
use crate::core::authority::Authority;
use crate::core::id::ConvoyId;
use crate::core::request::Command;
use crate::sim::chance::Chance;
use crate::sim::drive::{Button, Fault, Step};
use crate::sim::ride::{Report, advance};
use crate::sim::rules::{Leader, Rules, differences};
use crate::sim::world::Terms;
use std::collections::BTreeSet;

/// He turns rogue when all are together, and goes on for so long.
const SINCE_US: Instant = 10 * SECOND;
const GOES_ON_US: Instant = 16 * SECOND;
/// Then one of the others takes control, plays on, and all look.
const PLAY_US: Instant = 3 * SECOND;

/// Drives with a rogue of this kind.
#[must_use]
pub fn rehearse_rogue(behaviour: Behaviour, seed: u64, logs: bool) -> Report {
    let mut chance = Chance::new(seed ^ 0x00ba_d5ee_d000);
    let cars = 3 + chance.below(3);
    let has_server = behaviour.reaches_server() && chance.happens(0.3);
    let leads = behaviour.leads().unwrap_or_else(|| chance.happens(0.5));
    let rogue = if leads { cars - 1 } else { 0 };
    let dj = if leads { rogue } else { cars - 1 };
    let since = SINCE_US + chance.between(0, SECOND);
    let Ok(convoy) = ConvoyId::new("rehearsal") else {
        return Report::of_nothing("no convoy");
    };
    let mut world = World::new(Terms { cars, has_server, seed }, convoy, logs);
    world.turn_rogue(rogue, behaviour, seed, since, since + GOES_ON_US);
    let mut rules = Rules::new();
    let start = |car: usize| Step::Fault(Fault::Start { car, reboot: false });
    world.take(&start(dj));
    world.run_until(SECOND);
    (0..cars).filter(|car| *car != dj).for_each(|car| world.take(&start(car)));
    for (at_s, button) in [(3, Button::Add), (3, Button::Add), (4, Button::Do(Command::Take))] {
        world.run_until(at_s * SECOND);
        world.take(&Step::Press { car: dj, button });
    }
    world.run_until(5 * SECOND);
    world.take(&Step::Press { car: dj, button: Button::Do(Command::Play { entry: None }) });
    let honest: BTreeSet<usize> = (0..cars).filter(|car| *car != rogue).collect();
    let next = *honest.last().unwrap_or(&0);
    world.run_until(6 * SECOND);
    world.take(&Step::Press { car: next, button: Button::Add });
    world.run_until(since);
    look(&mut world, &mut rules, &honest, since + GOES_ON_US);
    for button in [Button::Do(Command::Take), Button::Do(Command::Next)] {
        world.take(&Step::Press { car: next, button });
    }
    let end = world.now + PLAY_US;
    look(&mut world, &mut rules, &honest, end);
    let mut wrong = rules.wrong;
    wrong.extend(judge(&world, &honest, next));
    let muted_us = world.muted_after_us();
    let (messages, driven_us) = (world.sent, world.now);
    Report { wrong, log: world.log.take().unwrap_or_default(), messages, driven_us, faults: world.faults, muted_us }
}

/// Goes on, and looks all the time at the clocks of those who behave.
fn look(world: &mut World, rules: &mut Rules, honest: &BTreeSet<usize>, until: Instant) {
    advance(world, until, |world| rules.look_at_honest(world, honest));
}

/// What is wrong in the end.
fn judge(world: &World, honest: &BTreeSet<usize>, dj: usize) -> Vec<String> {
    let mut wrong = Vec::new();
    let Some(rogue) = &world.rogue else { return wrong };
    if rogue.muted.is_empty() && !rogue.bothered.is_empty() {
        wrong.push("nobody has muted the rogue".into());
    }
    for (car, at) in &rogue.bore {
        wrong.push(format!("{car} still hears the rogue at {:.3} s", *at as f64 / 1e6));
    }
    wrong.extend(world.disagree_on_leader(honest).map(|what| format!("at the end no agreement on who leads: {what}")));
    if honest.iter().any(|car| world.leader(*car) == Leader::Car(rogue.car)) {
        wrong.push("at the end the rogue leads".into());
    }
    let cars = || honest.iter().filter_map(|car| Some((*car, world.nodes.get(*car)?.car.as_ref()?)));
    for (car, _) in cars().filter(|(car, _)| world.controller(*car) != Some(dj)) {
        wrong.push(format!("at the end {car} has {:?} for the DJ, not {dj}", world.controller(car)));
    }
    let Some((_, first)) = cars().next() else { return wrong };
    let first = world.server.as_ref().map_or(first.state(), Authority::snapshot);
    for (car, core) in cars() {
        let Some(now) = core.convoy_time(world.mono(car)) else { continue };
        let differs = differences(world, core.state(), first, now);
        wrong.extend(differs.iter().map(|what| format!("at the end {car} has another {what}")));
    }
    wrong
}

impl World {
    /// How long the last of those who muted him bore it, from when he first bothered them.
    fn muted_after_us(&self) -> Option<Instant> {
        let rogue = self.rogue.as_ref()?;
        rogue.muted.iter().map(|(car, at)| at - rogue.bothered.get(car).unwrap_or(at)).max()
    }
}
