//! Under what a drive goes: how the air is, how well clocks keep time, how honest disks are.

use super::chance::Chance;
use super::lan::{Air, Lan, Preset};
use super::node::Crystal;
use super::world::World;

/// What is drawn for a drive beyond who takes part in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conditions {
    /// Between cars, and to the server.
    pub lan: Preset,
    pub wan: Preset,
    /// No car's crystal is worse.
    pub crystal_ppm: i64,
}

/// A crystal as they are bought, and one as they are never.
const CRYSTAL_PPM: i64 = 100;
const BAD_CRYSTAL_PPM: i64 = 200;
/// How far they come to be apart by then.
const BAD_CRYSTALS_APART_US: i64 = 3_000;

impl Conditions {
    pub(super) fn draw(chance: &mut Chance) -> Self {
        let preset = |number: usize| match number {
            0..=5 => Preset::Wifi,
            6 | 7 => Preset::Lte,
            _ => Preset::Starlink,
        };
        let (lan, wan) = (preset(chance.below(9)), preset(chance.below(12)));
        Self { lan, wan, crystal_ppm: if chance.happens(0.3) { BAD_CRYSTAL_PPM } else { CRYSTAL_PPM } }
    }
}

impl World {
    /// On this road disks lose what was not synced, wall clocks are set and step, and the air is as told.
    #[must_use]
    pub fn under(mut self, conditions: Conditions) -> Self {
        self.lan = Lan::new(Air::of(conditions.lan, &mut self.chance));
        self.wan = Some(Air::of(conditions.wan, &mut self.chance));
        // A handful of messages, one after the other, takes longer where each does; and no message comes through a
        // handoff between satellites.
        self.agreed_us += [conditions.lan, conditions.wan].map(Preset::slower_us).into_iter().max().unwrap_or(0);
        self.has_bad_crystals = conditions.crystal_ppm > CRYSTAL_PPM;
        if self.has_bad_crystals {
            // Two that are 400 ppm apart part by 200 us a second more than clocks are bent, until that is measured.
            self.apart_us += BAD_CRYSTALS_APART_US;
        }
        self.is_harsh = true;
        for node in &mut self.nodes {
            node.crystal = Crystal::draw(conditions.crystal_ppm, &mut self.chance);
            node.disk.is_lazy = true;
            // A Pi begins at 1970; others may be off by a little.
            let is_unset = self.chance.happens(0.2);
            node.wall.off_us = if is_unset { i64::MIN } else { self.chance.between(-2_000_000, 2_000_000) };
        }
        self
    }
}
