//! The authority's convoy clock: an offset over its own monotonic clock, fixed once and never stepped afterwards.

use crate::core::clock::{ConvoyTime, MonoTime};
use crate::core::io::ClockClaim;
use serde::{Deserialize, Serialize};

/// What is kept of the clock for the next start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptClock {
    /// The boot in which `offset_us` holds; none where the system does not name its boots.
    pub boot: Option<String>,
    /// Convoy time less monotonic time.
    pub offset_us: i64,
    /// Convoy time when this was written: a later start begins no earlier.
    pub at: ConvoyTime,
}

/// Convoy time as the authority keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorityClock {
    offset_us: i64,
    /// Once a member has been told convoy time, it is what it is.
    settled: bool,
    /// Convoy time has been at least this.
    floor: Option<ConvoyTime>,
}

/// Convoy times stay within what a JavaScript number holds exactly.
const TIME_MAX: ConvoyTime = ConvoyTime(1 << 52);

impl AuthorityClock {
    /// Continues exactly within the same boot; else goes on from the last known convoy time until a member knows
    /// better.
    #[must_use]
    pub fn new(kept: Option<&KeptClock>, boot: Option<&str>, now: MonoTime) -> Self {
        match kept {
            None => Self { offset_us: 0, settled: false, floor: None },
            Some(kept) if boot.is_some() && kept.boot.as_deref() == boot => {
                Self { offset_us: kept.offset_us, settled: true, floor: Some(kept.at) }
            }
            Some(kept) => Self { offset_us: kept.at.0 - now.0, settled: false, floor: Some(kept.at) },
        }
    }

    #[must_use]
    pub fn convoy(&self, mono: MonoTime) -> ConvoyTime {
        ConvoyTime(mono.0.saturating_add(self.offset_us))
    }

    #[must_use]
    pub fn mono(&self, convoy: ConvoyTime) -> MonoTime {
        MonoTime(convoy.0.saturating_sub(self.offset_us))
    }

    /// Whether this is the convoy's time, and not what a server goes on from that has not met a car since it started.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.settled
    }

    #[must_use]
    pub fn offset_us(&self) -> i64 {
        self.offset_us
    }

    /// Takes convoy time from the first member that knows it. Later claims are not heard, and neither is one that would
    /// put convoy time before what it has been.
    pub fn settle(&mut self, claim: Option<ClockClaim>, now: MonoTime) {
        if self.settled {
            return;
        }
        self.settled = true;
        let earliest = self.floor.unwrap_or(ConvoyTime(0));
        if let Some(claim) = claim.filter(|c| c.convoy >= earliest && c.convoy <= TIME_MAX) {
            self.offset_us = claim.convoy.0 - now.0;
        }
    }

    /// Learns, while state is read back, that convoy time had come as far as `at`.
    pub fn raise(&mut self, at: ConvoyTime, now: MonoTime) {
        self.floor = self.floor.max(Some(at));
        if !self.settled && self.convoy(now) < at {
            self.offset_us = at.0 - now.0;
        }
    }

    /// Goes on with another authority's clock, as estimated here, unless that is known exactly: authority passed on,
    /// and convoy time did not change.
    pub fn inherit(&mut self, offset_us: i64) {
        if !self.settled {
            self.offset_us = offset_us;
            self.settled = true;
        }
    }

    #[must_use]
    pub fn kept(&self, boot: Option<&str>, now: MonoTime) -> KeptClock {
        // An unsettled clock must not be taken for the convoy's by the next start.
        let boot = boot.filter(|_| self.settled).map(str::to_owned);
        KeptClock { boot, offset_us: self.offset_us, at: self.convoy(now) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(convoy: i64) -> ClockClaim {
        ClockClaim { convoy: ConvoyTime(convoy), bound_us: 100 }
    }

    #[test]
    fn within_a_boot_the_clock_continues_exactly_and_hears_no_claim() {
        let mut first = AuthorityClock::new(None, Some("a"), MonoTime(50));
        first.settle(Some(claim(9_000)), MonoTime(50));
        let kept = first.kept(Some("a"), MonoTime(60));
        let mut second = AuthorityClock::new(Some(&kept), Some("a"), MonoTime(100));
        second.settle(Some(claim(1_000_000)), MonoTime(100));
        assert_eq!(second.convoy(MonoTime(100)), first.convoy(MonoTime(100)));
    }

    #[test]
    fn after_another_boot_time_comes_from_the_first_member_and_never_runs_back() {
        let kept = KeptClock { boot: Some("a".into()), offset_us: 7, at: ConvoyTime(5_000) };
        let mut clock = AuthorityClock::new(Some(&kept), Some("b"), MonoTime(10));
        assert_eq!(clock.convoy(MonoTime(10)), ConvoyTime(5_000));
        clock.settle(Some(claim(4_999)), MonoTime(10));
        assert_eq!(clock.convoy(MonoTime(10)), ConvoyTime(5_000));
        let mut clock = AuthorityClock::new(Some(&kept), Some("b"), MonoTime(10));
        clock.raise(ConvoyTime(6_000), MonoTime(10));
        assert_eq!(clock.convoy(MonoTime(10)), ConvoyTime(6_000));
        clock.settle(Some(claim(90_000)), MonoTime(10));
        clock.settle(Some(claim(1)), MonoTime(11));
        assert_eq!(clock.convoy(MonoTime(12)), ConvoyTime(90_002));
    }

    #[test]
    fn an_inherited_clock_counts_unless_time_is_known_exactly() {
        let kept = KeptClock { boot: Some("a".into()), offset_us: 7, at: ConvoyTime(5_000) };
        let mut elsewhere = AuthorityClock::new(Some(&kept), Some("b"), MonoTime(10));
        elsewhere.inherit(900);
        elsewhere.settle(Some(claim(1_000_000)), MonoTime(10));
        assert_eq!(elsewhere.convoy(MonoTime(10)), ConvoyTime(910));
        let mut here = AuthorityClock::new(Some(&kept), Some("a"), MonoTime(10));
        here.inherit(900);
        assert_eq!(here.convoy(MonoTime(10)), ConvoyTime(17));
    }

    #[test]
    fn an_absurd_claim_is_not_heard() {
        let mut clock = AuthorityClock::new(None, None, MonoTime(10));
        clock.settle(Some(claim(i64::MAX)), MonoTime(10));
        assert_eq!(clock.convoy(MonoTime(10)), ConvoyTime(10));
    }
}
