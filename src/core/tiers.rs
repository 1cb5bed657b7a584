//! Which tier decides now: the user's thresholds, with hysteresis and a dwell so that a flapping link does not flap the
//! tier.

use super::clock::MonoTime;
use super::status::{ActiveSync, Connection, PeerState, SocketState};
use std::collections::BTreeMap;

/// The user's bound: a server that answers slower than this is no basis for sync.
pub const ROUND_TRIP_MAX_US: i64 = 300_000;
/// A degraded link counts as good again below this.
const ROUND_TRIP_GOOD_US: i64 = 250_000;
/// A link that was lost must hold so long before the tier goes up again.
const DWELL_US: i64 = 2_000_000;

/// Watches the paths and chooses the tier.
#[derive(Debug, Clone, Default)]
pub struct Tiers {
    socket: SocketState,
    round_trip_us: Option<i64>,
    active: ActiveSync,
    reason: String,
    /// Since when the socket has been good, while that is not yet long enough.
    good_since: Option<MonoTime>,
    /// Whether a lost link has made the tier wary: only then does it dwell.
    wary: bool,
    /// Since when the mesh has had members enough.
    mesh_since: Option<MonoTime>,
    /// Whether it had them before, and lost them.
    mesh_wary: bool,
}

impl Tiers {
    #[must_use]
    pub fn active(&self) -> ActiveSync {
        self.active
    }

    /// The user's three fields.
    #[must_use]
    pub fn connection(&self, peers: BTreeMap<String, PeerState>, dialect: Option<String>) -> Connection {
        Connection {
            socket_io: self.socket,
            web_rtc: peers,
            active_sync: self.active,
            reason: self.reason.clone(),
            round_trip_us: self.round_trip_us,
            dialect,
        }
    }

    #[must_use]
    pub fn round_trip_us(&self) -> Option<i64> {
        self.round_trip_us
    }

    /// The server has taken us in.
    pub fn handle_joined(&mut self, now: MonoTime) {
        self.socket = SocketState::Connected;
        self.reason.clear();
        self.good_since = Some(now);
    }

    /// The server is gone, or will not have us.
    pub fn handle_lost(&mut self, reason: &str) {
        self.wary |= self.socket != SocketState::Disconnected;
        self.socket = SocketState::Disconnected;
        self.round_trip_us = None;
        self.good_since = None;
        reason.clone_into(&mut self.reason);
    }

    /// A probe came back. The smoothing is TCP's (RFC 6298: an eighth of the news).
    pub fn handle_round_trip(&mut self, round_trip_us: i64, now: MonoTime) {
        let smooth_us = self.round_trip_us.map_or(round_trip_us, |old| old + (round_trip_us - old) / 8);
        self.round_trip_us = Some(smooth_us);
        match self.socket {
            SocketState::Connected if smooth_us >= ROUND_TRIP_MAX_US => {
                self.socket = SocketState::Degraded;
                self.wary = true;
                self.good_since = None;
                self.reason = format!("the server answers in {} ms", smooth_us / 1_000);
            }
            SocketState::Degraded if smooth_us < ROUND_TRIP_GOOD_US => {
                self.socket = SocketState::Connected;
                self.good_since = Some(now);
                self.reason.clear();
            }
            _ => {}
        }
    }

    /// The server does not answer, though there is a connection.
    pub fn handle_silence(&mut self) {
        if self.socket == SocketState::Connected {
            self.socket = SocketState::Degraded;
            self.wary = true;
            self.good_since = None;
            "the server does not answer".clone_into(&mut self.reason);
        }
    }

    /// Whether the server is connected and answers in time.
    #[must_use]
    pub fn is_socket_good(&self) -> bool {
        self.socket == SocketState::Connected
    }

    /// Members enough can be reached over the mesh, or not.
    pub fn handle_mesh(&mut self, enough: bool, now: MonoTime) {
        match (enough, self.mesh_since) {
            (true, None) => self.mesh_since = Some(now),
            (false, Some(_)) => (self.mesh_since, self.mesh_wary) = (None, true),
            _ => {}
        }
    }

    /// Whether the server decides, or would if it were asked now.
    #[must_use]
    pub fn socket_holds(&self, now: MonoTime) -> bool {
        let held = self.good_since.is_some_and(|since| !self.wary || now - since >= DWELL_US);
        self.socket == SocketState::Connected && (self.active == ActiveSync::Socket || held)
    }

    fn mesh_holds(&self, now: MonoTime) -> bool {
        let dwells = self.mesh_wary && self.active == ActiveSync::Offline;
        self.mesh_since.is_some_and(|since| !dwells || now - since >= DWELL_US)
    }

    /// Chooses anew; returns the tier when it changed.
    pub fn decide(&mut self, now: MonoTime) -> Option<ActiveSync> {
        let chosen = if self.socket_holds(now) {
            ActiveSync::Socket
        } else if self.mesh_holds(now) {
            ActiveSync::Webrtc
        } else {
            ActiveSync::Offline
        };
        (chosen != self.active).then(|| {
            self.active = chosen;
            chosen
        })
    }

    /// When `decide` may choose otherwise though nothing happens.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<MonoTime> {
        let waiting = self.socket == SocketState::Connected && self.active != ActiveSync::Socket;
        let socket = self.good_since.filter(|_| waiting).map(|since| since + if self.wary { DWELL_US } else { 0 });
        let mesh = self.mesh_since.filter(|_| self.mesh_wary && self.active == ActiveSync::Offline);
        [socket, mesh.map(|since| since + DWELL_US)].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    #[test]
    fn a_first_connection_counts_at_once() {
        let mut tiers = Tiers::default();
        assert_eq!(tiers.decide(MonoTime(0)), None);
        tiers.handle_joined(MonoTime(5));
        assert_eq!(tiers.decide(MonoTime(5)), Some(ActiveSync::Socket));
    }

    #[test]
    fn a_lost_link_counts_at_once_and_a_returning_one_after_a_dwell() {
        let mut tiers = Tiers::default();
        tiers.handle_joined(MonoTime(0));
        tiers.decide(MonoTime(0));
        tiers.handle_lost("cut");
        assert_eq!(tiers.decide(MonoTime(1)), Some(ActiveSync::Offline));
        tiers.handle_joined(MonoTime(SECOND));
        assert_eq!(tiers.decide(MonoTime(SECOND)), None);
        assert_eq!(tiers.poll_timeout(), Some(MonoTime(3 * SECOND)));
        assert_eq!(tiers.decide(MonoTime(3 * SECOND)), Some(ActiveSync::Socket));
    }

    #[test]
    fn the_mesh_decides_while_the_server_does_not_and_members_enough_are_there() {
        let mut tiers = Tiers::default();
        tiers.handle_mesh(true, MonoTime(0));
        assert_eq!(tiers.decide(MonoTime(0)), Some(ActiveSync::Webrtc));
        tiers.handle_joined(MonoTime(1));
        assert_eq!(tiers.decide(MonoTime(1)), Some(ActiveSync::Socket));
        tiers.handle_lost("cut");
        assert_eq!(tiers.decide(MonoTime(2)), Some(ActiveSync::Webrtc));
    }

    #[test]
    fn a_mesh_that_was_lost_counts_again_after_a_dwell() {
        let mut tiers = Tiers::default();
        tiers.handle_mesh(true, MonoTime(0));
        tiers.decide(MonoTime(0));
        tiers.handle_mesh(false, MonoTime(1));
        assert_eq!(tiers.decide(MonoTime(1)), Some(ActiveSync::Offline));
        tiers.handle_mesh(true, MonoTime(2));
        assert_eq!(tiers.decide(MonoTime(2)), None);
        assert_eq!(tiers.poll_timeout(), Some(MonoTime(2 + 2 * SECOND)));
        assert_eq!(tiers.decide(MonoTime(2 + 2 * SECOND)), Some(ActiveSync::Webrtc));
    }

    #[test]
    fn a_slow_server_is_degraded_and_one_slow_answer_is_not() {
        let mut tiers = Tiers::default();
        tiers.handle_joined(MonoTime(0));
        tiers.decide(MonoTime(0));
        tiers.handle_round_trip(40_000, MonoTime(0));
        tiers.handle_round_trip(900_000, MonoTime(1));
        assert_eq!(tiers.decide(MonoTime(1)), None);
        for _ in 0..20 {
            tiers.handle_round_trip(500_000, MonoTime(2));
        }
        assert_eq!(tiers.decide(MonoTime(2)), Some(ActiveSync::Offline));
        assert_eq!(tiers.connection(BTreeMap::new(), None).socket_io, SocketState::Degraded);
        for _ in 0..40 {
            tiers.handle_round_trip(50_000, MonoTime(3));
        }
        assert_eq!(tiers.decide(MonoTime(3 + 2 * SECOND)), Some(ActiveSync::Socket));
    }
}
