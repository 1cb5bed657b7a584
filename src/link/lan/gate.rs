//! How many may knock, and how often: a stranger costs a car little.

use crate::core::clock::MonoTime;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Connections that one address may open at once, and then one more each so often.
const BURST: i64 = 8;
const REFILL_US: i64 = 1_000_000;
/// Addresses that are remembered; more than a road's whole hotspot has.
const ADDRESSES_MAX: usize = 256;

/// Who knocked lately.
#[derive(Debug)]
pub(in crate::link) struct Gate {
    burst: i64,
    refill_us: i64,
    /// When an address will have all of its allowance again.
    full_at: BTreeMap<IpAddr, MonoTime>,
}

impl Default for Gate {
    fn default() -> Self {
        Self::with(BURST, REFILL_US)
    }
}

impl Gate {
    /// One that lets an address open so many connections at once, and then one more each `refill_us`.
    pub(in crate::link) fn with(burst: i64, refill_us: i64) -> Self {
        Self { burst, refill_us, full_at: BTreeMap::new() }
    }

    /// Whether one more connection from this address is heard at all.
    pub(in crate::link) fn admits(&mut self, address: IpAddr, now: MonoTime) -> bool {
        if self.full_at.len() >= ADDRESSES_MAX {
            self.full_at.retain(|_, full_at| *full_at > now);
        }
        let is_new = !self.full_at.contains_key(&address);
        if is_new && self.full_at.len() >= ADDRESSES_MAX {
            return false;
        }
        let full_at = self.full_at.entry(address).or_insert(now);
        let after = (*full_at).max(now) + self.refill_us;
        let admits = after - now <= self.burst * self.refill_us;
        if admits {
            *full_at = after;
        }
        admits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u32) -> IpAddr {
        IpAddr::V4(n.into())
    }

    #[test]
    fn an_address_that_knocks_without_end_is_heard_once_a_second_and_others_as_before() {
        let mut gate = Gate::default();
        assert_eq!((0..100).filter(|_| gate.admits(address(1), MonoTime(5))).count(), BURST as usize);
        assert!(gate.admits(address(2), MonoTime(5)));
        let later = (0..100).filter(|n| gate.admits(address(1), MonoTime(n * 100_000))).count();
        assert!((9..=10).contains(&later), "{later}");
    }

    #[test]
    fn addresses_without_end_do_not_fill_memory_and_are_forgotten() {
        let mut gate = Gate::default();
        let heard = (0..10_000).filter(|n| gate.admits(address(*n), MonoTime(0))).count();
        assert_eq!((heard, gate.full_at.len()), (ADDRESSES_MAX, ADDRESSES_MAX));
        assert!(gate.admits(address(77_777), MonoTime(2 * REFILL_US)));
        assert_eq!(gate.full_at.len(), 1);
    }
}
