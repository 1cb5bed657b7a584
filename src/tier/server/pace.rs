//! Candidates for today's backend, which drops what is more than 50 in 5 s: they leave a little slower, and none is
//! lost.

use crate::core::clock::MonoTime;
use crate::core::mesh::SignedSignal;
use std::collections::VecDeque;

/// Half of what the backend takes: what a slow network holds back arrives together with what is sent 5 s later.
const IN_WINDOW_MAX: usize = 25;
const WINDOW_US: i64 = 5_000_000;
/// Three minutes' worth: by then every attempt has been given up for another.
const WAITING_MAX: usize = 1_024;

/// Candidates that wait for their turn.
#[derive(Debug, Default)]
pub(super) struct Pace {
    waiting: VecDeque<SignedSignal>,
    /// When the last of them left.
    left: VecDeque<MonoTime>,
}

impl Pace {
    /// Takes one in. Those of an older attempt at the same device are of no use any more. False when too many wait.
    #[must_use]
    pub(super) fn push(&mut self, signed: SignedSignal) -> bool {
        let is_older = |other: &SignedSignal| other.to == signed.to && other.signal.attempt < signed.signal.attempt;
        self.waiting.retain(|other| !is_older(other));
        let has_room = self.waiting.len() < WAITING_MAX;
        if has_room {
            self.waiting.push_back(signed);
        }
        has_room
    }

    /// When the next may leave; none when none waits.
    pub(super) fn due(&self) -> Option<MonoTime> {
        let first = self.left.len().checked_sub(IN_WINDOW_MAX).and_then(|at| self.left.get(at));
        (!self.waiting.is_empty()).then(|| first.map_or(MonoTime(0), |at| *at + WINDOW_US))
    }

    /// The next, if it may leave now.
    pub(super) fn pop(&mut self, now: MonoTime) -> Option<SignedSignal> {
        self.due().filter(|due| *due <= now)?;
        self.left.push_back(now);
        if self.left.len() > IN_WINDOW_MAX {
            self.left.pop_front();
        }
        self.waiting.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::id::{ConvoyId, DeviceId};
    use crate::core::mesh::{Attempt, Signal, SignalKind};

    fn candidate(to: &str, attempt: u64, n: usize) -> SignedSignal {
        SignedSignal {
            convoy: ConvoyId::new("c").unwrap(),
            from: DeviceId::new("me").unwrap(),
            to: DeviceId::new(to).unwrap(),
            signal: Signal { attempt: Attempt(attempt), kind: SignalKind::IceCandidate, body: n.to_string() },
            signature: String::new(),
        }
    }

    #[test]
    fn all_leave_in_order_and_never_more_than_the_backend_takes_in_any_five_seconds() {
        let mut pace = Pace::default();
        for n in 0..300 {
            assert!(pace.push(candidate("you", 1, n)));
        }
        let (mut now, mut left) = (MonoTime(7), Vec::new());
        while let Some(due) = pace.due() {
            now = now.max(due);
            let signed = pace.pop(now).unwrap();
            assert_eq!(signed.signal.body, left.len().to_string());
            left.push(now);
        }
        assert_eq!(left.len(), 300);
        for window in left.windows(IN_WINDOW_MAX + 1) {
            assert!(window[IN_WINDOW_MAX] - window[0] >= WINDOW_US);
        }
        assert!(left[299] - left[0] <= 12 * WINDOW_US);
    }

    #[test]
    fn a_new_attempt_does_not_wait_behind_the_one_that_it_replaces() {
        let mut pace = Pace::default();
        assert!(
            pace.push(candidate("you", 1, 0))
                && pace.push(candidate("them", 1, 1))
                && pace.push(candidate("you", 2, 2))
        );
        let bodies: Vec<String> = std::iter::from_fn(|| pace.pop(MonoTime(0))).map(|s| s.signal.body).collect();
        assert_eq!(bodies, ["1", "2"]);
    }

    #[test]
    fn without_end_they_do_not_fill_memory() {
        let mut pace = Pace::default();
        let taken = (0..5_000).filter(|n| pace.push(candidate("you", 1, *n))).count();
        assert_eq!(taken, WAITING_MAX);
    }
}
