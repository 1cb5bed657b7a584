//! What happens on a drive: faults and buttons, drawn from a seed or written down.

use super::chance::Chance;
use super::conditions::Conditions;
use super::world::{Terms, WAN_US};
use super::{Instant, SECOND};
use crate::core::request::Command;

/// A drive from its first to its last moment.
#[derive(Debug, Clone)]
pub struct Drive {
    pub terms: Terms,
    /// None: those of a good network, with disks and wall clocks that do what they should.
    pub conditions: Option<Conditions>,
    /// By time; after the last, all is healed.
    pub steps: Vec<(Instant, Step)>,
    /// Those who are healed first, and by when they have to be one.
    pub part: Option<(Instant, Vec<usize>)>,
}

/// Something that is done to the convoy, or in it.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Fault(Fault),
    Press { car: usize, button: Button },
    PressPhone { phone: usize, key: usize },
}

/// What someone in a car wants.
#[derive(Debug, Clone, PartialEq)]
pub enum Button {
    Add,
    /// The track of the first entry, once more.
    AddFirstAgain,
    RemoveFirst,
    RemoveLast,
    MoveFirstTo(usize),
    Do(Command),
}

/// What goes wrong, or right again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    CutServer {
        car: usize,
        silently: bool,
    },
    HealServer {
        car: usize,
    },
    /// Every message takes so long to the server, and back.
    SlowServer {
        one_way_us: Instant,
    },
    /// Cars of different groups do not hear each other.
    Split {
        groups: Vec<usize>,
    },
    /// `to` does not hear `from`.
    Deafen {
        from: usize,
        to: usize,
    },
    HealLan,
    Crash {
        car: usize,
    },
    Start {
        car: usize,
        reboot: bool,
    },
    KillServer,
    StartServer {
        reboot: bool,
    },
    /// A car's wall clock is set, by so much too far.
    StepWall {
        car: usize,
        by_us: i64,
    },
    /// So much more is lost between cars, and comes twice.
    Weather {
        loss_permille: i64,
        duplicates_permille: i64,
    },
    /// A phone comes into the convoy, or goes.
    MovePhone {
        phone: usize,
    },
    /// These hear each other, and the server, and nobody else.
    HealPart {
        cars: Vec<usize>,
    },
}

/// The convoy is together and calm for so long at first.
const CALM_US: Instant = 8 * SECOND;
/// Then things go wrong for so long.
const TROUBLE_US: Instant = 40 * SECOND;

/// Draws a drive.
#[must_use]
pub fn draw(seed: u64) -> Drive {
    let mut chance = Chance::new(seed ^ 0x005e_ed0f_d21e);
    let terms = Terms { cars: 3 + chance.below(4), has_server: chance.happens(0.75), seed };
    let mut steps = Vec::new();
    for car in 0..terms.cars {
        let at = chance.between(0, 2 * SECOND);
        steps.push((at, Step::Fault(Fault::Start { car, reboot: false })));
    }
    let mut at = 3 * SECOND;
    while at < CALM_US + TROUBLE_US {
        at += chance.between(100_000, 2_500_000);
        let car = chance.below(terms.cars);
        let button = press(&mut chance, at < 5 * SECOND);
        steps.push((at, Step::Press { car, button }));
    }
    let mut at = CALM_US;
    while at < CALM_US + TROUBLE_US {
        for fault in misfortune(&mut chance, terms) {
            if let Fault::Crash { car } = fault {
                let (back, reboot) = (at + chance.between(500_000, 9_000_000), chance.happens(0.3));
                steps.push((back, Step::Fault(Fault::Start { car, reboot })));
            }
            steps.push((at, Step::Fault(fault)));
        }
        at += if chance.happens(0.3) { chance.between(10_000, 500_000) } else { chance.between(500_000, 9_000_000) };
    }
    if terms.has_server && chance.happens(0.4) {
        let at = chance.between(CALM_US, CALM_US + TROUBLE_US - 12 * SECOND);
        let one_way_us = chance.between(100_000, 500_000);
        steps.push((at, Step::Fault(Fault::SlowServer { one_way_us })));
        let back = at + chance.between(SECOND, 10 * SECOND);
        steps.push((back, Step::Fault(Fault::SlowServer { one_way_us: WAN_US })));
    }
    steps.sort_by_key(|(at, _)| *at);
    Drive { terms, conditions: None, steps, part: None }
}

pub(super) fn press(chance: &mut Chance, early: bool) -> Button {
    match chance.below(if early { 4 } else { 20 }) {
        0..=5 => Button::Add,
        6 | 7 => Button::Do(Command::Play { entry: None }),
        8 => Button::Do(Command::Pause),
        9 | 10 => Button::Do(Command::Next),
        11 => Button::Do(Command::Previous),
        12 | 13 => Button::Do(Command::Seek { position_us: chance.between(0, 60 * SECOND) }),
        14 => Button::RemoveFirst,
        15 => Button::MoveFirstTo(chance.below(8)),
        16 => Button::Do(Command::Release),
        17 => Button::Do(Command::Take),
        _ => Button::Do(Command::Toggle),
    }
}

pub(super) fn misfortune(chance: &mut Chance, terms: Terms) -> Vec<Fault> {
    let car = chance.below(terms.cars);
    let silently = chance.happens(0.5);
    let all = 0..terms.cars;
    match chance.below(if terms.has_server { 14 } else { 8 }) {
        0 | 1 => vec![Fault::Split { groups: all.map(|_| chance.below(2)).collect() }],
        2 => vec![Fault::Split { groups: all.map(|_| chance.below(3)).collect() }],
        3 => vec![Fault::Deafen { from: car, to: (car + 1 + chance.below(terms.cars - 1)) % terms.cars }],
        4..=6 => vec![Fault::HealLan],
        7 => vec![Fault::Crash { car }],
        8..=10 => all.map(|car| Fault::CutServer { car, silently }).collect(),
        11 => vec![Fault::CutServer { car, silently }],
        12 => all.map(|car| Fault::HealServer { car }).collect(),
        _ => vec![Fault::HealServer { car }],
    }
}
