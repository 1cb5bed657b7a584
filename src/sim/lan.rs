//! The air: who hears whom between cars, how late, and what is lost; and the same of the way to the server.

use super::chance::Chance;
use super::{Instant, SECOND};
use std::collections::BTreeSet;

/// Over what a link goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    Wifi,
    Lte,
    /// 20 to 60 ms there and back, 2 % loss, another satellite every 15 s.
    Starlink,
}

impl Preset {
    /// How much longer than on Wi-Fi it takes to agree.
    pub(super) fn slower_us(self) -> Instant {
        match self {
            Self::Wifi => 0,
            Self::Lte => SECOND / 2,
            Self::Starlink => SECOND,
        }
    }
}

/// A satellite is left for another so often, and nothing comes through for so long.
const HANDOFF_US: Instant = 15 * SECOND;
const HANDOFF_GAP_US: Instant = 200_000;

/// What the air is like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Air {
    least_us: i64,
    queue_us: f64,
    loss: f64,
    hands_off: bool,
}

impl Air {
    pub(super) fn draw(chance: &mut Chance) -> Self {
        Self {
            least_us: chance.between(300, 4_000),
            queue_us: chance.between(100, 3_000) as f64,
            loss: if chance.happens(0.5) { 0.0 } else { chance.between(1, 30) as f64 * 1e-3 },
            hands_off: false,
        }
    }

    pub(super) fn of(preset: Preset, chance: &mut Chance) -> Self {
        let wifi = Self::draw(chance);
        match preset {
            Preset::Wifi => wifi,
            Preset::Lte => Self { least_us: chance.between(15_000, 40_000), queue_us: 8_000.0, ..wifi },
            Preset::Starlink => {
                let least_us = chance.between(10_000, 25_000);
                Self { least_us, queue_us: 3_000.0, loss: 0.02, hands_off: true }
            }
        }
    }

    pub(super) fn loses(&self, now: Instant, chance: &mut Chance) -> bool {
        let loss = if self.gap_us(now) > 0 { self.loss.max(0.3) } else { self.loss };
        chance.happens(loss)
    }

    pub(super) fn delay_us(&self, now: Instant, chance: &mut Chance) -> Instant {
        self.gap_us(now) + self.least_us + chance.queueing(self.queue_us)
    }

    pub(super) fn queue_us(&self) -> i64 {
        self.queue_us as i64
    }

    /// How long nothing comes through from now on, for a handoff.
    fn gap_us(&self, now: Instant) -> Instant {
        if self.hands_off { (HANDOFF_GAP_US - now.rem_euclid(HANDOFF_US)).max(0) } else { 0 }
    }
}

/// Who hears whom.
#[derive(Debug)]
pub(super) struct Lan {
    air: Air,
    /// What it adds to the air's own loss, and to its duplicates.
    weather: (f64, f64),
    deaf: BTreeSet<(usize, usize)>,
}

impl Lan {
    pub(super) fn new(air: Air) -> Self {
        Self { air, weather: (0.0, 0.0), deaf: BTreeSet::new() }
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

    /// So much is lost, and comes twice, beyond what the air does itself.
    pub(super) fn weather(&mut self, loss: f64, duplicates: f64) {
        self.weather = (loss, duplicates);
    }

    /// What the weather adds to what is lost.
    pub(super) fn weather_loss(&self) -> f64 {
        self.weather.0
    }

    pub(super) fn loses(&self, now: Instant, chance: &mut Chance) -> bool {
        self.air.loses(now, chance) || (self.weather.0 > 0.0 && chance.happens(self.weather.0))
    }

    pub(super) fn doubles(&self, chance: &mut Chance) -> bool {
        let duplicates = self.weather.1;
        duplicates > 0.0 && chance.happens(duplicates)
    }

    /// The mean of what a message waits.
    pub(super) fn queue_us(&self) -> i64 {
        self.air.queue_us()
    }

    pub(super) fn delay_us(&self, now: Instant, chance: &mut Chance) -> Instant {
        self.air.delay_us(now, chance)
    }
}
