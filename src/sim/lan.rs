//! The radio between cars: who hears whom, how late, and what is lost.

use super::Instant;
use super::chance::Chance;
use std::collections::BTreeSet;

/// What the air is like on this drive.
#[derive(Debug, Clone, Copy)]
pub(super) struct Air {
    least_us: i64,
    queue_us: f64,
    loss: f64,
}

impl Air {
    pub(super) fn draw(chance: &mut Chance) -> Self {
        Self {
            least_us: chance.between(300, 4_000),
            queue_us: chance.between(100, 3_000) as f64,
            loss: if chance.happens(0.5) { 0.0 } else { chance.between(1, 30) as f64 * 1e-3 },
        }
    }
}

/// Who hears whom.
#[derive(Debug)]
pub(super) struct Lan {
    air: Air,
    deaf: BTreeSet<(usize, usize)>,
}

impl Lan {
    pub(super) fn new(air: Air) -> Self {
        Self { air, deaf: BTreeSet::new() }
    }

    /// Whether what `from` sends reaches `to`.
    pub(super) fn passes(&self, from: usize, to: usize) -> bool {
        !self.deaf.contains(&(from, to))
    }

    pub(super) fn passes_both(&self, a: usize, b: usize) -> bool {
        self.passes(a, b) && self.passes(b, a)
    }

    pub(super) fn cut(&mut self, from: usize, to: usize) {
        self.deaf.insert((from, to));
    }

    pub(super) fn heal(&mut self) {
        self.deaf.clear();
    }

    pub(super) fn loses(&self, chance: &mut Chance) -> bool {
        chance.happens(self.air.loss)
    }

    /// The mean of what a message waits.
    pub(super) fn queue_us(&self) -> i64 {
        self.air.queue_us as i64
    }

    pub(super) fn delay_us(&self, chance: &mut Chance) -> Instant {
        self.air.least_us + chance.queueing(self.air.queue_us)
    }
}
