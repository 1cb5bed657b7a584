//! Drives a drive to its end, and looks all the time whether the rules are kept.

use super::chance::Chance;
use super::drive::{Button, Drive, Fault, Step, draw};
use super::rules::Rules;
use super::schedule::schedule;
use super::world::{WAN_US, World};
use super::{Instant, SECOND};
use crate::core::id::{ConvoyId, TrackId};
use crate::core::playlist::Track;
use crate::core::request::{Addition, Command};
use crate::core::signature::sign_with_sums;
use crate::core::ticket::Role;

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
    /// Faults that the drive had.
    pub faults: u64,
    /// How long whoever muted a rogue had borne him, at most.
    pub muted_us: Option<Instant>,
}

impl Report {
    pub(super) fn of_nothing(why: &str) -> Self {
        Self { wrong: vec![why.into()], log: Vec::new(), messages: 0, driven_us: 0, faults: 0, muted_us: None }
    }
}

/// How often the rules are looked at.
pub(super) const LOOK_US: Instant = 50_000;
/// After the last fault everything is healed, and has so long to come to agree.
const HEAL_US: Instant = 45 * SECOND;

/// Drives what `seed` draws.
#[must_use]
pub fn rehearse(seed: u64, logs: bool) -> Report {
    ride(&draw(seed), logs)
}

/// Drives what `seed` draws where the server issues tickets, and every second car may only listen: whenever its people
/// press a button, they also say themselves what their core does not say for them.
#[must_use]
pub fn rehearse_listeners(seed: u64, logs: bool) -> Report {
    let mut drive = draw(seed);
    drive.terms.has_server = true;
    drive_with(Keys::of(&drive), &drive, logs, true)
}

/// By what cars sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// Ed25519, as on a real road.
    Real,
    /// Sums that stand for it, and cost next to nothing.
    Sums,
}

impl Keys {
    /// One drive in so many is driven with real keys.
    const REAL_EVERY: u64 = 16;

    fn of(drive: &Drive) -> Self {
        if drive.terms.seed.is_multiple_of(Self::REAL_EVERY) { Self::Real } else { Self::Sums }
    }
}

/// Drives a drive.
#[must_use]
pub fn ride(drive: &Drive, logs: bool) -> Report {
    ride_with(Keys::of(drive), drive, logs)
}

/// Drives a drive with such keys.
#[must_use]
pub fn ride_with(keys: Keys, drive: &Drive, logs: bool) -> Report {
    drive_with(keys, drive, logs, false)
}

/// Drives a drive of everything that `seed` draws.
#[must_use]
pub fn rehearse_all(seed: u64, logs: bool) -> Report {
    ride(&schedule(&mut chance_of(seed)), logs)
}

/// What a drive of everything is drawn from, for a seed.
#[must_use]
pub fn chance_of(seed: u64) -> Chance {
    Chance::new(seed ^ 0x00a1_15ee_d000)
}

/// Drives a drive of everything that these bytes draw.
#[must_use]
pub fn rehearse_bytes(bytes: &[u8], logs: bool) -> Report {
    ride(&schedule(&mut Chance::of_bytes(bytes)), logs)
}

fn drive_with(keys: Keys, drive: &Drive, logs: bool, listeners: bool) -> Report {
    sign_with_sums(keys == Keys::Sums);
    let report = drive_signed(drive, logs, listeners);
    sign_with_sums(false);
    report
}

fn drive_signed(drive: &Drive, logs: bool, listeners: bool) -> Report {
    let Ok(convoy) = ConvoyId::new("rehearsal") else {
        return Report::of_nothing("no convoy");
    };
    let mut world = World::new(drive.terms, convoy, logs);
    if let Some(conditions) = drive.conditions {
        world = world.under(conditions);
    }
    let listens = |car: usize| listeners && !car.is_multiple_of(2);
    if listeners {
        world.issue_tickets();
    }
    for car in (0..drive.terms.cars).filter(|car| listens(*car)) {
        world.seat(car, Role::Listener);
    }
    let mut rules = Rules::new();
    for (at, step) in &drive.steps {
        if !rules.goes_on() {
            break;
        }
        advance(&mut world, *at, |world| rules.look(world));
        world.take(step);
        match step {
            Step::Press { car, .. } if listens(*car) => world.defy(*car),
            _ => {}
        }
    }
    if let Some((until, part)) = drive.part.as_ref().filter(|_| rules.goes_on()) {
        advance(&mut world, *until, |world| rules.look(world));
        rules.check_part(&mut world, part);
    }
    if rules.goes_on() {
        world.heal_all();
        let end = world.now + HEAL_US;
        advance(&mut world, end, |world| rules.look(world));
        rules.check_end(&mut world);
    }
    let (messages, driven_us, faults) = (world.sent, world.now, world.faults);
    Report { wrong: rules.wrong, log: world.log.unwrap_or_default(), messages, driven_us, faults, muted_us: None }
}

/// Goes on until then, and looks all the time.
pub(super) fn advance(world: &mut World, until: Instant, mut look: impl FnMut(&mut World)) {
    while world.now < until {
        let next = ((world.now / LOOK_US + 1) * LOOK_US).min(until);
        world.run_until(next);
        look(world);
    }
}

impl World {
    /// Does to the convoy what a step says.
    pub fn take(&mut self, step: &Step) {
        self.note(|_| Some(format!("-- {step:?}")));
        match step {
            Step::Press { car, button } => self.press(*car, button),
            Step::PressPhone { phone, key } => self.press_phone(*phone, *key),
            Step::Fault(fault) => self.suffer(fault),
        }
    }

    fn suffer(&mut self, fault: &Fault) {
        (self.disturbed, self.fault) = (self.now, self.now);
        self.faults += 1;
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
            Fault::KillServer => self.kill_server(),
            Fault::StartServer { reboot } => self.start_server(*reboot),
            Fault::StepWall { car, by_us } => self.step_wall(*car, *by_us),
            Fault::Weather { loss_permille, duplicates_permille } => {
                self.lan.weather(*loss_permille as f64 * 1e-3, *duplicates_permille as f64 * 1e-3);
            }
            Fault::MovePhone { phone } => self.move_phone(*phone),
            Fault::HealPart { cars } => self.heal_part(cars),
        }
    }

    fn press(&mut self, car: usize, button: &Button) {
        let playlist = self.nodes.get(car).and_then(|node| Some(&node.car.as_ref()?.state().playlist));
        let first = playlist.and_then(|playlist| playlist.nth(0)).cloned();
        let last = playlist.and_then(|playlist| playlist.ids().next_back()).cloned();
        let first_track = playlist.zip(first.as_ref()).and_then(|(playlist, first)| playlist.track(first)).cloned();
        let add = |track: Track| Command::QueueAdd { tracks: vec![Addition::Known(Box::new(track))], index: None };
        let command = match button {
            Button::Add => self.a_track().map(add),
            Button::AddFirstAgain => first_track.map(add),
            Button::RemoveFirst => first.map(|entry| Command::QueueRemove { entry }),
            Button::RemoveLast => last.map(|entry| Command::QueueRemove { entry }),
            Button::MoveFirstTo(index) => first.map(|entry| Command::QueueMove { entry, index: *index }),
            Button::Do(command) => Some(command.clone()),
        };
        if let Some(command) = command {
            self.command(car, command);
        }
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

    /// These cars are on, and hear each other and the server; the others hear none of them.
    fn heal_part(&mut self, cars: &[usize]) {
        self.heal_air();
        for a in 0..self.nodes.len() {
            for b in (0..self.nodes.len()).filter(|b| cars.contains(&a) != cars.contains(b)) {
                self.lan.cut(a, b);
            }
        }
        for car in cars {
            self.heal_server(*car);
            self.start(*car, false);
        }
    }

    /// The air is as it is, without weather.
    fn heal_air(&mut self) {
        self.lan.heal();
        self.lan.weather(0.0, 0.0);
        if self.is_harsh {
            self.wan_us = WAN_US;
            self.start_server(false);
        }
    }

    /// All that was cut is whole again, and every car is on.
    pub fn heal_all(&mut self) {
        self.note(|_| Some("-- all is healed".into()));
        (self.disturbed, self.fault) = (self.now, self.now);
        self.heal_air();
        for car in 0..self.nodes.len() {
            self.heal_server(car);
            self.start(car, false);
        }
    }
}
