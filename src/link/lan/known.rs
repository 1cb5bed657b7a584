//! Who was seen on the network, and when each is to be dialled.

use crate::core::clock::MonoTime;
use crate::core::id::DeviceId;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Devices that are remembered; a convoy has fewer members.
const KNOWN_MAX: usize = 256;
/// The one with the lower device id dials at once; the other only when nothing comes of that, as with a network that
/// carries announcements one way.
const SECOND_US: i64 = 2_000_000;
/// After a failure; twice as long after each further one, up to the longest.
const AGAIN_US: i64 = 500_000;
const AGAIN_US_MAX: i64 = 8_000_000;

/// Who was seen. Nothing here is proved.
#[derive(Debug)]
pub(super) struct Known {
    me: DeviceId,
    seen: BTreeMap<DeviceId, Seen>,
}

#[derive(Debug)]
struct Seen {
    name: String,
    addresses: Vec<SocketAddr>,
    failures: u32,
    /// None while it is being dialled, or connected.
    dial_at: Option<MonoTime>,
}

impl Known {
    pub(super) fn new(me: DeviceId) -> Self {
        Self { me, seen: BTreeMap::new() }
    }

    /// A device shows itself under a name of DNS-SD.
    pub(super) fn note(
        &mut self,
        device: DeviceId,
        name: String,
        addresses: Vec<SocketAddr>,
        is_connected: bool,
        now: MonoTime,
    ) {
        if device == self.me || addresses.is_empty() {
            return;
        }
        let dial_at = if self.me < device { now } else { now + SECOND_US };
        if let Some(seen) = self.seen.get_mut(&device) {
            // Somewhere else, or by another port: what failed before says nothing.
            if seen.addresses != addresses {
                seen.failures = 0;
                seen.dial_at = seen.dial_at.map(|at| at.min(dial_at));
            }
            (seen.name, seen.addresses) = (name, addresses);
        } else if self.has_room() {
            let dial_at = (!is_connected).then_some(dial_at);
            self.seen.insert(device, Seen { name, addresses, failures: 0, dial_at });
        }
    }

    /// Where too many show themselves, the one that has failed most goes first.
    fn has_room(&mut self) -> bool {
        if self.seen.len() >= KNOWN_MAX
            && let Some((worst, _)) =
                self.seen.iter().max_by_key(|(_, seen)| seen.failures).filter(|w| w.1.failures > 0)
        {
            let worst = worst.clone();
            self.seen.remove(&worst);
        }
        self.seen.len() < KNOWN_MAX
    }

    /// A name is on the network no more.
    pub(super) fn forget(&mut self, name: &str) {
        self.seen.retain(|_, seen| seen.name != name);
    }

    /// When the next is to be dialled.
    pub(super) fn due(&self) -> Option<MonoTime> {
        self.seen.values().filter_map(|seen| seen.dial_at).min()
    }

    /// One that is to be dialled now, and where.
    pub(super) fn take_due(&mut self, now: MonoTime) -> Option<(DeviceId, Vec<SocketAddr>)> {
        let (device, seen) = self.seen.iter_mut().find(|(_, seen)| seen.dial_at.is_some_and(|at| at <= now))?;
        seen.dial_at = None;
        Some((device.clone(), seen.addresses.clone()))
    }

    pub(super) fn met(&mut self, device: &DeviceId) {
        if let Some(seen) = self.seen.get_mut(device) {
            (seen.failures, seen.dial_at) = (0, None);
        }
    }

    /// Dialling came to nothing.
    pub(super) fn failed(&mut self, device: &DeviceId, now: MonoTime) {
        if let Some(seen) = self.seen.get_mut(device) {
            let wait_us = (AGAIN_US << seen.failures.min(8)).min(AGAIN_US_MAX);
            seen.failures += 1;
            seen.dial_at = Some(now + wait_us);
        }
    }

    /// Its connection has ended.
    pub(super) fn lost(&mut self, device: &DeviceId, now: MonoTime) {
        let patience_us = if self.me < *device { AGAIN_US } else { SECOND_US };
        if let Some(seen) = self.seen.get_mut(device) {
            seen.dial_at = Some(now + patience_us);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(name: &str) -> DeviceId {
        DeviceId::new(name).unwrap()
    }

    fn at(port: u16) -> Vec<SocketAddr> {
        vec![SocketAddr::from(([192, 0, 2, 1], port))]
    }

    fn seen(me: &str, other: &str) -> Known {
        let mut known = Known::new(device(me));
        known.note(device(other), other.to_uppercase(), at(1), false, MonoTime(0));
        known
    }

    #[test]
    fn of_two_the_one_with_the_lower_name_dials_first_and_nobody_dials_itself() {
        assert_eq!(seen("a", "b").due(), Some(MonoTime(0)));
        assert_eq!(seen("b", "a").due(), Some(MonoTime(SECOND_US)));
        assert_eq!(seen("a", "a").due(), None);
    }

    #[test]
    fn a_failure_is_tried_again_ever_more_rarely_and_at_once_where_it_shows_up_anew() {
        let mut known = seen("a", "b");
        let mut now = MonoTime(0);
        let mut waits = Vec::new();
        for _ in 0..7 {
            let due = known.due().unwrap();
            waits.push(due - now);
            now = due;
            assert_eq!(known.take_due(now), Some((device("b"), at(1))));
            assert_eq!((known.take_due(now), known.due()), (None, None));
            known.failed(&device("b"), now);
        }
        assert_eq!(waits, [0, 500_000, 1_000_000, 2_000_000, 4_000_000, 8_000_000, 8_000_000]);
        known.note(device("b"), "B".into(), at(1), false, now);
        assert_eq!(known.due(), Some(now + AGAIN_US_MAX));
        known.note(device("b"), "B".into(), at(2), false, now);
        assert_eq!(known.take_due(now), Some((device("b"), at(2))));
    }

    #[test]
    fn who_is_connected_is_not_dialled_and_is_again_when_lost_unless_it_left_the_network() {
        let mut known = seen("a", "b");
        known.met(&device("b"));
        assert_eq!(known.due(), None);
        known.lost(&device("b"), MonoTime(9));
        assert_eq!(known.due(), Some(MonoTime(9 + AGAIN_US)));
        known.forget("B");
        assert_eq!(known.due(), None);
        known.lost(&device("b"), MonoTime(9));
        assert_eq!(known.due(), None);
    }

    #[test]
    fn devices_without_end_do_not_fill_memory() {
        let mut known = Known::new(device("a"));
        for n in 0..1_000 {
            known.note(device(&format!("b{n}")), n.to_string(), at(1), false, MonoTime(0));
        }
        assert_eq!(known.seen.len(), KNOWN_MAX);
        known.failed(&device("b7"), MonoTime(0));
        known.note(device("c"), "C".into(), at(1), false, MonoTime(0));
        assert!(known.seen.contains_key(&device("c")) && !known.seen.contains_key(&device("b7")));
    }
}
