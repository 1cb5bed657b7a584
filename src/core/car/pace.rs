//! How fast changes go out: slower than the server's bound on messages, or it would end the connection.

use super::MonoTime;

/// Distance of changes for long: half of what `jamz-server` allows a connection.
const SEND_US: i64 = 4_000;
/// So many may go out at once.
const BURST: i64 = 32;

/// What has gone out lately.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// As if each had taken its time.
    used_up_to: Option<MonoTime>,
    /// When to go on, if something is held back.
    waits: Option<MonoTime>,
}

impl Pace {
    /// Whether one may go out now; if not, `poll_timeout` says when.
    pub(super) fn allows(&mut self, now: MonoTime) -> bool {
        self.waits = self.used_up_to.map(|used| used + -(BURST - 1) * SEND_US).filter(|free| now < *free);
        self.waits.is_none()
    }

    /// One goes out.
    pub(super) fn spend(&mut self, now: MonoTime) {
        self.used_up_to = Some(self.used_up_to.map_or(now, |used| used.max(now)) + SEND_US);
    }

    /// Nothing is held back.
    pub(super) fn rest(&mut self) {
        self.waits = None;
    }

    pub(super) fn poll_timeout(&self) -> Option<MonoTime> {
        self.waits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_goes_out_at_once_and_the_rest_at_its_distance() {
        let mut pace = Pace::default();
        let mut send = |now| {
            let mut count = 0;
            while pace.allows(now) {
                pace.spend(now);
                count += 1;
            }
            count
        };
        assert_eq!(send(MonoTime(0)), 32);
        assert_eq!(send(MonoTime(SEND_US - 1)), 0);
        assert_eq!(send(MonoTime(SEND_US)), 1);
        assert_eq!(send(MonoTime(1_000_000)), 32);
    }
}
