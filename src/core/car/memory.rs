//! What a car keeps for its next start, and when it has it written.

use super::{Car, Start};
use crate::core::clock::{ClockMap, ConvoyTime, MonoTime};
use crate::core::convoy::DATE_AHEAD_MAX_US;
use crate::core::election::Term;
use crate::core::io::Output;
use std::ops::RangeInclusive;

/// State is kept so long after it changed, at the latest,
const REMEMBER_SOON_US: i64 = 1_000_000;
/// and so often while music plays, so that it resumes near where it was.
const REMEMBER_PLAYING_US: i64 = 15_000_000;

/// Convoy times that can be.
const TIMES: RangeInclusive<i64> = 0..=1 << 52;

/// What a disk holds, without what cannot be: it would be told to others, and be kept again.
pub(super) fn cleansed(mut start: Start) -> Start {
    let mut at = ConvoyTime(0);
    if let Some(saved) = &mut start.saved {
        saved.at = Some(saved.at).filter(|at| TIMES.contains(&at.0)).unwrap_or(at);
        saved
            .clock
            .take_if(|map| !TIMES.contains(&map.convoy0.0) || map.rate.abs() > ClockMap::RATE_MAX || map.rate.is_nan());
        at = saved.at;
        saved.snapshot.cleanse(at);
    }
    let latest = at + DATE_AHEAD_MAX_US;
    for changes in [&mut start.tail, &mut start.pending, &mut start.recent] {
        changes.retain(|change| change.hlc.time_us <= latest.0 && change.term <= Term::LIVED_MAX);
    }
    start
}

impl Car {
    pub(super) fn remember_timeout(&self) -> Option<MonoTime> {
        let changed = self.dirty_since.map(|since| since + REMEMBER_SOON_US);
        let playing = self.is_playing_planned().then_some(self.remembered + REMEMBER_PLAYING_US);
        changed.into_iter().chain(playing).min()
    }

    /// Marks the state as worth keeping.
    pub(super) fn touch(&mut self, now: MonoTime) {
        self.forget_digest();
        self.dirty_since.get_or_insert(now);
    }

    pub(super) fn remember_when_due(&mut self, now: MonoTime) {
        let changed = self.dirty_since.is_some_and(|since| now - since >= REMEMBER_SOON_US);
        let playing = self.is_playing_planned() && now - self.remembered >= REMEMBER_PLAYING_US;
        if changed || playing {
            self.remember(now);
        }
    }

    pub(super) fn remember(&mut self, now: MonoTime) {
        self.outputs.push_back(Output::Remember(Box::new(self.saved(now))));
        self.dirty_since = None;
        self.remembered = now;
    }
}
