//! People on a drive: what they do each by himself, and what two of them do to the same entry at nearly the same
//! moment.

use super::chance::Chance;
use super::drive::{Button, Step, press};
use super::{Instant, SECOND};

/// Of all that people do, so much is done by two of them.
const TOGETHER: f64 = 0.3;
/// Who sees what another has added, or removed, is so quick at most, and so slow.
const QUICK_US: Instant = 20_000;
const SLOW_US: Instant = 1_200_000;

/// Someone in a car does something at `at`, and perhaps someone in another car has to do with it.
pub(super) fn act(chance: &mut Chance, cars: usize, car: usize, at: Instant) -> Vec<(Instant, Step)> {
    let step = |at: Instant, car: usize, button: Button| (at, Step::Press { car, button });
    if at < 5 * SECOND || cars < 2 || !chance.happens(TOGETHER) {
        return vec![step(at, car, press(chance, at < 5 * SECOND))];
    }
    let other = (car + 1 + chance.below(cars - 1)) % cars;
    let soon = at + chance.between(QUICK_US, SLOW_US);
    // As good as at once: neither has heard of the other.
    let at_once = at + chance.between(0, 100_000);
    match chance.below(8) {
        // What was added is not to everyone's taste; or its owner regrets it.
        0..=2 => vec![step(at, car, Button::Add), step(soon, other, Button::RemoveLast)],
        3 => vec![step(at, car, Button::Add), step(soon, car, Button::RemoveLast)],
        4 => vec![step(at, car, Button::RemoveFirst), step(at_once, other, Button::RemoveFirst)],
        5 => vec![step(at, car, Button::RemoveFirst), step(at_once, other, Button::MoveFirstTo(chance.below(8)))],
        6 => vec![step(at, car, Button::RemoveFirst), step(at_once, other, Button::AddFirstAgain)],
        _ => vec![
            step(at, car, Button::MoveFirstTo(chance.below(8))),
            step(at_once, other, Button::MoveFirstTo(chance.below(8))),
        ],
    }
}
