//! Drives a drive to its end, and looks all the time whether the rules are kept.

use super::drive::{Button, Drive, Fault, Step, draw};
use super::rules::Rules;
use super::world::World;
use super::{Instant, SECOND};
use crate::core::id::{ConvoyId, TrackId};
use crate::core::playlist::Track;
use crate::core::request::{Addition, Command};

/// How a drive went.
#[derive(Debug)]
pub struct Report {
    /// What was wrong; nothing, in a good drive.
    pub wrong: Vec<String>,
    /// What happened, if that was asked for.
    pub log: Vec<String>,
    /// Messages that were sent over links.
    pub messages: u64,
    /// How long the drive took, in its own time.
    pub driven_us: Instant,
}

/// How often the rules are looked at.
const LOOK_US: Instant = 50_000;
/// After the last fault everything is healed, and has so long to come to agree.
const HEAL_US: Instant = 45 * SECOND;

/// Drives what `seed` draws.
#[must_use]
pub fn rehearse(seed: u64, logs: bool) -> Report {
    ride(&draw(seed), logs)
}

/// Drives a drive.
#[must_use]
pub fn ride(drive: &Drive, logs: bool) -> Report {
    let Ok(convoy) = ConvoyId::new("rehearsal") else {
        return Report { wrong: vec!["no convoy".into()], log: Vec::new(), messages: 0, driven_us: 0 };
    };
    let mut world = World::new(drive.terms, convoy, logs);
    let mut rules = Rules::new();
    for (at, step) in &drive.steps {
        advance(&mut world, &mut rules, *at);
        world.take(step);
    }
    world.heal_all();
    let end = world.now + HEAL_US;
    advance(&mut world, &mut rules, end);
    rules.check_end(&world);
    let (messages, driven_us) = (world.sent, world.now);
    Report { wrong: rules.wrong, log: world.log.unwrap_or_default(), messages, driven_us }
}

fn advance(world: &mut World, rules: &mut Rules, until: Instant) {
    while world.now < until {
        let next = ((world.now / LOOK_US + 1) * LOOK_US).min(until);
        world.run_until(next);
        rules.look(world);
    }
}

impl World {
    /// Does to the convoy what a step says.
    pub fn take(&mut self, step: &Step) {
        self.note(|| Some(format!("-- {step:?}")));
        match step {
            Step::Press { car, button } => self.press(*car, button),
            Step::Fault(fault) => self.suffer(fault),
        }
    }

    fn suffer(&mut self, fault: &Fault) {
        (self.disturbed, self.fault) = (self.now, self.now);
        match fault {
            Fault::CutServer { car, silently } => self.cut_server(*car, *silently),
            Fault::HealServer { car } => self.heal_server(*car),
            Fault::SlowServer { one_way_us } => (self.wan_us, self.slowed) = (*one_way_us, self.now),
            Fault::Split { groups } => {
                self.lan.heal();
                for (a, first) in groups.iter().enumerate() {
                    for (b, second) in groups.iter().enumerate() {
                        if first != second {
                            self.lan.cut(a, b);
                        }
                    }
                }
            }
            Fault::Deafen { from, to } => self.lan.cut(*from, *to),
            Fault::HealLan => self.lan.heal(),
            Fault::Crash { car } => self.crash(*car),
            Fault::Start { car, reboot } => self.start(*car, *reboot),
        }
    }

    fn press(&mut self, car: usize, button: &Button) {
        let first = self.nodes.get(car).and_then(|node| node.car.as_ref()?.state().playlist.nth(0).cloned());
        let command = match (button, first) {
            (Button::Add, _) => {
                let Some(track) = self.a_track() else { return };
                Command::QueueAdd { tracks: vec![Addition::Known(Box::new(track))], index: None }
            }
            (Button::RemoveFirst, Some(entry)) => Command::QueueRemove { entry },
            (Button::MoveFirstTo(index), Some(entry)) => Command::QueueMove { entry, index: *index },
            (Button::Do(command), _) => command.clone(),
            (Button::RemoveFirst | Button::MoveFirstTo(_), None) => return,
        };
        self.command(car, command);
    }

    fn a_track(&mut self) -> Option<Track> {
        let number = self.chance.draw() % 1_000_000;
        Some(Track {
            id: TrackId::new(format!("track-{number}")).ok()?,
            title: format!("Track {number}"),
            artist: String::new(),
            album: String::new(),
            duration_us: Some(self.chance.between(20, 300) * SECOND),
            url: None,
            extra: serde_json::Map::new(),
        })
    }

    /// All that was cut is whole again, and every car is on.
    pub fn heal_all(&mut self) {
        self.note(|| Some("-- all is healed".into()));
        (self.disturbed, self.fault) = (self.now, self.now);
        self.lan.heal();
        for car in 0..self.nodes.len() {
            self.heal_server(car);
            self.start(car, false);
        }
    }
}
