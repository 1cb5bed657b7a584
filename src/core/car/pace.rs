//! How fast changes go out: slower than the server's bound on messages, or it would end the connection, and than what
//! other members bear of one, or they would mute it.

use super::MonoTime;

/// Distance of changes for long: half of what `jamz-server` allows a connection.
const SERVER_US: i64 = 4_000;
/// So many may go out at once.
const SERVER_BURST: i64 = 32;
/// Likewise to members: with what they ask for beside it, they bear as much (`core::conduct`).
const MEMBERS_US: i64 = 2_000;
const MEMBERS_BURST: i64 = 512;
/// Edits of others, which are passed on as fast; less at once, as it comes on top.
const PASSED_ON_BURST: i64 = 256;
/// Of asking the server to be taken in again, which is answered with its whole state.
const JOIN_US: i64 = 250_000;
const JOIN_BURST: i64 = 8;

/// What has gone out lately.
#[derive(Debug)]
pub(super) struct Pace {
    distance_us: i64,
    burst: i64,
    /// As if each had taken its time.
    used_up_to: Option<MonoTime>,
    /// When to go on, if something is held back.
    waits: Option<MonoTime>,
}

impl Pace {
    pub(super) fn to_server() -> Self {
        Self::of(SERVER_US, SERVER_BURST)
    }

    pub(super) fn to_members() -> Self {
        Self::of(MEMBERS_US, MEMBERS_BURST)
    }

    pub(super) fn of_edits_of_others() -> Self {
        Self::of(MEMBERS_US, PASSED_ON_BURST)
    }

    pub(super) fn of_joins() -> Self {
        Self::of(JOIN_US, JOIN_BURST)
    }

    fn of(distance_us: i64, burst: i64) -> Self {
        Self { distance_us, burst, used_up_to: None, waits: None }
    }

    /// Whether one may go out now; if not, `poll_timeout` says when.
    pub(super) fn allows(&mut self, now: MonoTime) -> bool {
        self.waits = self.used_up_to.map(|used| used + -(self.burst - 1) * self.distance_us).filter(|free| now < *free);
        self.waits.is_none()
    }

    /// One goes out.
    pub(super) fn spend(&mut self, now: MonoTime) {
        self.used_up_to = Some(self.used_up_to.map_or(now, |used| used.max(now)) + self.distance_us);
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
        let mut pace = Pace::to_server();
        let mut send = |now| {
            let mut count = 0;
            while pace.allows(now) {
                pace.spend(now);
                count += 1;
            }
            count
        };
        assert_eq!(send(MonoTime(0)), 32);
        assert_eq!(send(MonoTime(SERVER_US - 1)), 0);
        assert_eq!(send(MonoTime(SERVER_US)), 1);
        assert_eq!(send(MonoTime(1_000_000)), 32);
    }
}
