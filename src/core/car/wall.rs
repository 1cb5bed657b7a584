//! What time of day it is, as far as a car can tell: a Pi has no clock at boot, and still has to know when a ticket is
//! over.
//!
//! A clock that the system vouches for counts. Without one, neighbours with a good ticket are believed who have such a
//! clock; of several the earliest, so that one liar denies nobody. Where nobody knows, all that is sure is that time
//! passes: since an issuer signed something, and since a clock was last vouched for, here or in an earlier run.

use super::Car;
use crate::core::clock::{ClockMap, MonoTime, SlewedClock};
use crate::core::planted::{Plant, is_planted};
use crate::core::ticket::WallTime;

/// What is known of the wall clock.
#[derive(Debug)]
pub(super) struct Wall {
    /// A time that had passed, in microseconds since 1970, and when that was so.
    passed_unix_us: u64,
    at: MonoTime,
    /// It was the time itself, by a clock that is vouched for.
    vouched: bool,
}

impl Wall {
    /// What an earlier run knew.
    pub(super) fn kept(passed_unix_us: u64, now: MonoTime) -> Self {
        Self { passed_unix_us, at: now, vouched: false }
    }

    /// A time that has passed at `now`, in microseconds since 1970.
    pub(super) fn passed_unix_us(&self, now: MonoTime) -> u64 {
        self.passed_unix_us.saturating_add(u64::try_from(now - self.at).unwrap_or_default())
    }

    /// The time at `now`, in seconds since 1970, if it is known.
    pub(super) fn unix_s(&self, now: MonoTime) -> Option<u64> {
        self.vouched.then(|| self.passed_unix_us(now) / 1_000_000)
    }

    /// The wall clock shows this; what a clock showed that is vouched for counts, whatever one showed before.
    fn note(&mut self, unix_us: Option<u64>, now: MonoTime) {
        *self = match unix_us {
            Some(passed_unix_us) => Self { passed_unix_us, at: now, vouched: true },
            None => Self::kept(self.passed_unix_us(now), now),
        };
    }

    /// This time has passed for sure.
    fn raise(&mut self, passed_unix_us: u64, now: MonoTime) {
        if passed_unix_us > self.passed_unix_us(now) && !self.vouched {
            *self = Self::kept(passed_unix_us, now);
        }
    }
}

impl Car {
    /// The system tells the wall clock, and whether it vouches for it. Neighbours hear when it is known at last.
    pub(super) fn note_wall_time(&mut self, unix_us: i64, synchronized: bool, now: MonoTime) {
        if is_planted(Plant::WallClockUsed) {
            let stepped_us = unix_us.saturating_sub(self.papers.clock.passed_unix_us(now).cast_signed());
            let shifted = self.clock.map().map(|map| ClockMap { convoy0: map.convoy0 + stepped_us, ..map });
            self.clock = shifted.map(SlewedClock::continued).unwrap_or_default();
        }
        let knew = self.papers.clock.unix_s(now).is_some();
        self.papers.clock.note(u64::try_from(unix_us).ok().filter(|_| synchronized), now);
        self.tell_wall_time(now);
        if !knew && synchronized {
            self.greet_again(now);
        }
    }

    /// Works out what time it is, for all that is judged now.
    pub(super) fn tell_wall_time(&mut self, now: MonoTime) {
        self.papers.clock.raise(self.papers.tickets.passed_unix_us(), now);
        let passed_s = self.papers.clock.passed_unix_us(now) / 1_000_000;
        let known = self.papers.clock.unix_s(now).or_else(|| self.wall_time_told(passed_s, now));
        self.papers.wall = known.map_or(WallTime::AtLeastS(passed_s), WallTime::UnixS);
    }
}
