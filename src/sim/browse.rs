//! DNS-SD, as far as the core can tell: cars on one network find each other, and miss each other.

use super::world::{Event, World};
use super::{Instant, SECOND};
use crate::core::io::Input;
use crate::core::mesh::LanEvent;

/// DNS-SD finds a car after so long, and misses it after so long.
const FOUND_US: Instant = 400_000;
const MISSED_US: Instant = 6 * SECOND;
const BROWSE_US: Instant = 200_000;

impl World {
    /// Cars find each other on the network, and miss each other, some time after it has become so.
    pub(super) fn browse(&mut self) {
        for a in 0..self.nodes.len() {
            for b in (0..self.nodes.len()).filter(|b| *b != a) {
                let announces = |car: usize| self.nodes.get(car).is_some_and(|node| node.announces);
                let is_there = announces(a) && announces(b) && self.meet(a, b) && self.lan.passes_both(a, b);
                let (was_there, since) = *self.browsing.entry((a, b)).or_insert((false, self.now));
                if is_there != was_there {
                    self.browsing.insert((a, b), (is_there, self.now));
                    continue;
                }
                let knows = self.nodes.get(a).is_some_and(|node| node.found.contains(&b));
                let patience_us = if is_there { FOUND_US } else { MISSED_US };
                if knows == is_there || self.now - since < patience_us || !announces(a) {
                    continue;
                }
                let Some(device) = self.device_of(b) else { continue };
                self.nodes_mut(a, |node| if is_there { node.found.insert(b) } else { node.found.remove(&b) });
                let event = if is_there { LanEvent::Found { device } } else { LanEvent::Lost { device } };
                self.input(a, Input::Lan(event));
            }
        }
        self.nodes.iter_mut().for_each(|node| node.disk.sync());
        self.at(self.now + BROWSE_US, Event::Browse);
    }

    /// Whether two cars can share a network at all.
    pub(super) fn meet(&self, a: usize, b: usize) -> bool {
        [a, b].iter().all(|car| self.nodes.get(*car).is_some_and(|node| !node.roams))
    }
}
