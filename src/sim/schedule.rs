//! A drive of everything: two to ten cars under drawn conditions, every fault there is, people and phones that press
//! keys; then a part of the convoy is healed, and has to live, and then all of it.

use super::chance::Chance;
use super::conditions::Conditions;
use super::drive::{Drive, Fault, Step, misfortune, press};
use super::people::act;
use super::world::{PHONES_MAX, Terms, WAN_US};
use super::{Instant, SECOND};

/// The convoy is together and calm for so long at first.
const CALM_US: Instant = 8 * SECOND;
/// Then things go wrong for so long.
const TROUBLE_US: Instant = 32 * SECOND;
/// Then a part of it has so long to come together.
pub(super) const PART_US: Instant = 25 * SECOND;
const YEAR_US: i64 = 365 * 24 * 3_600 * SECOND;

/// Draws a drive out of chance, which may be a seed's or a fuzzer's.
#[must_use]
pub fn schedule(chance: &mut Chance) -> Drive {
    let terms = Terms { cars: 2 + chance.below(9), has_server: chance.happens(0.75), seed: chance.draw() };
    let conditions = Some(Conditions::draw(chance));
    let mut steps = Vec::new();
    for car in 0..terms.cars {
        let at = chance.between(0, 2 * SECOND);
        steps.push((at, Step::Fault(Fault::Start { car, reboot: false })));
    }
    press_keys(chance, terms, &mut steps);
    let mut at = CALM_US;
    while at < CALM_US + TROUBLE_US {
        let faults = match chance.below(3) {
            0 => worse(chance, terms, at, &mut steps),
            _ => misfortune(chance, terms),
        };
        for fault in faults {
            if let Fault::Crash { car } = fault {
                come_back(chance, car, at, &mut steps);
            }
            steps.push((at, Step::Fault(fault)));
        }
        at += if chance.happens(0.3) { chance.between(10_000, 500_000) } else { chance.between(500_000, 7_000_000) };
    }
    let part: Vec<usize> = (0..terms.cars).filter(|_| chance.happens(0.6)).collect();
    let healed = CALM_US + TROUBLE_US;
    steps.retain(|(at, _)| *at < healed);
    steps.push((healed, Step::Fault(Fault::HealPart { cars: part.clone() })));
    for _ in 0..chance.below(6) {
        let Some(car) = part.get(chance.below(part.len())).copied() else { break };
        let at = healed + chance.between(6 * SECOND, PART_US - 8 * SECOND);
        steps.push((at, Step::Press { car, button: press(chance, false) }));
    }
    steps.sort_by_key(|(at, _)| *at);
    Drive { terms, conditions, steps, part: Some((healed + PART_US, part)) }
}

fn press_keys(chance: &mut Chance, terms: Terms, steps: &mut Vec<(Instant, Step)>) {
    let mut at = 3 * SECOND;
    while at < CALM_US + TROUBLE_US {
        at += chance.between(100_000, 2_000_000);
        let car = chance.below(terms.cars);
        steps.extend(act(chance, terms.cars, car, at));
        if terms.has_server && chance.happens(0.1) {
            steps.push((at, Step::PressPhone { phone: chance.below(PHONES_MAX), key: chance.below(6) }));
        }
        // The power goes while what was done is on its way to the disk.
        if at > CALM_US && chance.happens(0.05) {
            let cut = at + chance.between(0, 25_000);
            steps.push((cut, Step::Fault(Fault::Crash { car })));
            come_back(chance, car, cut, steps);
        }
    }
}

fn come_back(chance: &mut Chance, car: usize, at: Instant, steps: &mut Vec<(Instant, Step)>) {
    let (back, reboot) = (at + chance.between(300_000, 9_000_000), chance.happens(0.3));
    steps.push((back, Step::Fault(Fault::Start { car, reboot })));
}

/// What goes wrong beyond what a convoy meets on each drive.
fn worse(chance: &mut Chance, terms: Terms, at: Instant, steps: &mut Vec<(Instant, Step)>) -> Vec<Fault> {
    let car = chance.below(terms.cars);
    match chance.below(if terms.has_server { 8 } else { 4 }) {
        0 | 1 => {
            let years = chance.between(-10, 10);
            vec![Fault::StepWall { car, by_us: years * YEAR_US }]
        }
        2 | 3 => {
            let (loss, duplicates) = (chance.between(0, 300), chance.between(0, 500));
            let over = at + chance.between(SECOND, 12 * SECOND);
            steps.push((over, Step::Fault(Fault::Weather { loss_permille: 0, duplicates_permille: 0 })));
            vec![Fault::Weather { loss_permille: loss, duplicates_permille: duplicates }]
        }
        4 => {
            let back = at + chance.between(SECOND, 15 * SECOND);
            steps.push((back, Step::Fault(Fault::StartServer { reboot: chance.happens(0.3) })));
            vec![Fault::KillServer]
        }
        5 => {
            let over = at + chance.between(SECOND, 10 * SECOND);
            steps.push((over, Step::Fault(Fault::SlowServer { one_way_us: WAN_US })));
            vec![Fault::SlowServer { one_way_us: chance.between(100_000, 500_000) }]
        }
        _ => vec![Fault::MovePhone { phone: chance.below(PHONES_MAX) }],
    }
}
