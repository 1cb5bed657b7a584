//! Wall clocks, which are wrong: by years, or since 1970. No outcome may depend on them.

use super::Instant;
use super::world::World;
use crate::core::io::Input;

/// The road begins at this time of day.
const BEGINS_UNIX_US: i64 = 1_790_000_000_000_000;

/// A car's wall clock.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wall {
    /// How far it is off; by so much that it can only be in 1970, it is not set.
    pub(super) off_us: i64,
}

impl Wall {
    fn shows(self, now: Instant) -> (i64, bool) {
        let is_set = self.off_us != i64::MIN;
        (if is_set { BEGINS_UNIX_US + now + self.off_us } else { now }, is_set)
    }
}

impl World {
    /// A car looks at its wall clock; its system vouches for one that is set.
    pub(super) fn show_wall(&mut self, car: usize) {
        let Some(node) = self.nodes.get(car).filter(|node| self.is_harsh && node.car.is_some()) else { return };
        let (unix_us, synchronized) = node.wall.shows(self.now);
        self.input(car, Input::WallClock { unix_us, synchronized });
    }

    /// Someone, or something, sets a car's wall clock.
    pub(super) fn step_wall(&mut self, car: usize, by_us: i64) {
        self.nodes_mut(car, |node| node.wall.off_us = node.wall.off_us.max(-BEGINS_UNIX_US).saturating_add(by_us));
        self.show_wall(car);
    }
}
