//! Who is in the convoy: the connected members, those that were here, and how far away each is.

use crate::core::clock::MonoTime;
use crate::core::id::{DeviceId, UserId};
use crate::core::io::Dialect;
use crate::core::status::{ActiveSync, Member, MemberKind};
use crate::core::ticket::{Guest, Role};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// Names a connection; unique among all that reach this authority.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConnectionId(pub String);

/// Someone who wants to join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Newcomer {
    pub connection: ConnectionId,
    pub device: DeviceId,
    pub user: UserId,
    pub name: String,
    pub kind: MemberKind,
    pub dialect: Dialect,
    /// By the token.
    #[serde(default)]
    pub role: Role,
    /// It has shown that it has the device's key.
    #[serde(default)]
    pub proven: bool,
    #[serde(default)]
    pub guest: Option<Guest>,
}

/// A connected member.
#[derive(Debug, Clone)]
pub struct Seat {
    pub device: DeviceId,
    pub user: UserId,
    pub name: String,
    pub kind: MemberKind,
    pub dialect: Dialect,
    pub role: Role,
    pub proven: bool,
    pub guest: Option<Guest>,
    /// The last round trips that it measured, in microseconds,
    round_trips_us: VecDeque<i64>,
    /// and when the last of them was noted.
    timed: Option<MonoTime>,
    /// The least that the server's wall clock was ever ahead of this phone's, in milliseconds: its skew and the
    /// quickest way here.
    least_age_ms: Option<i64>,
}

impl Seat {
    /// How old something is that this phone dates `unix_ms`, whatever its own clock shows; in microseconds.
    pub fn age_us(&mut self, unix_ms: Option<i64>, now_unix_ms: i64) -> i64 {
        let Some(unix_ms) = unix_ms else { return 0 };
        let age_ms = now_unix_ms.saturating_sub(unix_ms);
        let least_ms = self.least_age_ms.map_or(age_ms, |least| least.min(age_ms));
        self.least_age_ms = Some(least_ms);
        age_ms.saturating_sub(least_ms).clamp(0, AGE_MAX_MS) * 1_000
    }

    fn member(&self) -> Member {
        Member {
            device: self.device.to_string(),
            user: self.user.to_string(),
            name: self.name.clone(),
            online: true,
            kind: self.kind,
            tier: Some(ActiveSync::Socket),
        }
    }
}

/// Connected members and those that were here.
#[derive(Debug, Clone, Default)]
pub(super) struct Roster {
    seats: BTreeMap<ConnectionId, Seat>,
    /// By the time they left; the first has been away longest.
    absent: VecDeque<Member>,
}

/// Members connected at once.
pub const SEATS_MAX: usize = 64;
/// Members remembered while they are away.
const ABSENT_MAX: usize = 128;
/// The slowest of so many round trips counts.
const ROUND_TRIPS_KEPT: usize = 8;
/// Several within this count as one.
const TIMED_US: i64 = 250_000;
const ROUND_TRIP_MAX_US: i64 = 5_000_000;
/// What a phone says is never taken for older than this.
const AGE_MAX_MS: i64 = 5_000;

/// What the slowest member needs beyond its round trip: scheduling, and being ready.
const LEAD_MARGIN_US: i64 = 60_000;
/// The least lead of a control: a LAN.
pub(super) const LEAD_MIN_US: i64 = 150_000;
/// The most: a satellite link; who is slower than this joins late into the music.
pub(super) const LEAD_MAX_US: i64 = 2_000_000;

impl Roster {
    #[must_use]
    pub(super) fn remembering(absent: Vec<Member>) -> Self {
        let absent = absent.into_iter().map(|member| Member { online: false, tier: None, ..member }).collect();
        Self { seats: BTreeMap::new(), absent }
    }

    /// Seats a newcomer; returns the connection that the same device had before, which is to be ended.
    ///
    /// # Errors
    /// When the convoy is full, or someone else has this device id.
    pub(super) fn seat(&mut self, newcomer: Newcomer) -> Result<Option<ConnectionId>, String> {
        let Newcomer { connection, device, user, name, kind, dialect, role, proven, guest } = newcomer;
        self.check_owner(&device, &user)?;
        let holder = |seat: &Seat| seat.dialect == Dialect::Jamz && seat.device == device;
        // One car has one connection; a person may have the web page open twice.
        let former = (dialect == Dialect::Jamz)
            .then(|| self.seats.iter().find(|(id, seat)| holder(seat) && **id != connection).map(|(id, _)| id.clone()))
            .flatten();
        if let Some(former) = &former {
            self.seats.remove(former);
        }
        if self.seats.len() >= SEATS_MAX && !self.seats.contains_key(&connection) {
            return Err(format!("the convoy is full: it has {SEATS_MAX} members"));
        }
        self.absent.retain(|member| member.device != device.as_str());
        let (round_trips_us, timed, least_age_ms) = (VecDeque::new(), None, None);
        let seat = Seat { device, user, name, kind, dialect, role, proven, guest, round_trips_us, timed, least_age_ms };
        self.seats.insert(connection, seat);
        Ok(former)
    }

    /// Ends a connection's membership; one that was merely lost is remembered as absent.
    pub(super) fn unseat(&mut self, connection: &ConnectionId, lost: bool) -> Option<Seat> {
        let seat = self.seats.remove(connection)?;
        if lost && !self.seats.values().any(|other| other.device == seat.device) {
            self.absent.push_back(Member { online: false, tier: None, ..seat.member() });
            if self.absent.len() > ABSENT_MAX {
                self.absent.pop_front();
            }
        }
        Some(seat)
    }

    /// Whether someone may have this device's seat.
    ///
    /// # Errors
    /// When it is someone else's.
    pub(super) fn check_owner(&self, device: &DeviceId, user: &UserId) -> Result<(), String> {
        let holder = self.seats.values().find(|seat| seat.dialect == Dialect::Jamz && seat.device == *device);
        if let Some(other) = holder.filter(|seat| seat.user != *user) {
            return Err(format!("device id {device} is in use by {}; every car needs its own", other.user));
        }
        let known_as = self.absent.iter().find(|member| member.device == device.as_str());
        match known_as.filter(|member| member.user != user.as_str()) {
            Some(other) => Err(format!("device id {device} belongs to {}; every car needs its own", other.user)),
            None => Ok(()),
        }
    }

    #[must_use]
    pub(super) fn get(&self, connection: &ConnectionId) -> Option<&Seat> {
        self.seats.get(connection)
    }

    pub(super) fn get_mut(&mut self, connection: &ConnectionId) -> Option<&mut Seat> {
        self.seats.get_mut(connection)
    }

    #[must_use]
    pub(super) fn len(&self) -> usize {
        self.seats.len()
    }

    /// All members: each device once, then those that are away.
    #[must_use]
    pub(super) fn members(&self) -> Vec<Member> {
        let by_device: BTreeMap<&DeviceId, &Seat> = self.seats.values().map(|seat| (&seat.device, seat)).collect();
        by_device.values().map(|seat| seat.member()).chain(self.absent.iter().cloned()).collect()
    }

    /// The connections that speak `dialect`.
    #[must_use]
    pub(super) fn speaking(&self, dialect: Dialect) -> Vec<ConnectionId> {
        self.seats.iter().filter(|(_, seat)| seat.dialect == dialect).map(|(id, _)| id.clone()).collect()
    }

    /// The connections of one device, or with none those of all; never `from` itself.
    #[must_use]
    pub(super) fn addressees(&self, from: &ConnectionId, to: Option<&DeviceId>) -> Vec<ConnectionId> {
        let meant = |id: &ConnectionId, seat: &Seat| id != from && to.is_none_or(|device| seat.device == *device);
        self.seats.iter().filter(|(id, seat)| meant(id, seat)).map(|(id, _)| id.clone()).collect()
    }

    /// A connection of `device`, and its seat.
    #[must_use]
    pub(super) fn of_device(&self, device: &DeviceId) -> Option<(&ConnectionId, &Seat)> {
        self.seats.iter().find(|(_, seat)| seat.device == *device)
    }

    /// The person behind a device, here or away.
    #[must_use]
    pub(super) fn user_of(&self, device: &DeviceId) -> Option<UserId> {
        let here = self.of_device(device).map(|(_, seat)| seat.user.clone());
        let away = || self.absent.iter().find(|member| member.device == device.as_str());
        here.or_else(|| away().and_then(|member| UserId::new(member.user.clone()).ok()))
    }

    /// Notes a member's last round trip: of several within a short time the longest.
    pub(super) fn note_round_trip(&mut self, connection: &ConnectionId, round_trip_us: i64, now: MonoTime) {
        let Some(seat) = self.seats.get_mut(connection) else { return };
        let round_trip_us = round_trip_us.clamp(0, ROUND_TRIP_MAX_US);
        if let Some(last_us) = seat.round_trips_us.back_mut().filter(|_| seat.timed.is_some_and(|t| now - t < TIMED_US))
        {
            *last_us = round_trip_us.max(*last_us);
            return;
        }
        seat.timed = Some(now);
        seat.round_trips_us.push_back(round_trip_us);
        if seat.round_trips_us.len() > ROUND_TRIPS_KEPT {
            seat.round_trips_us.pop_front();
        }
    }

    /// How far ahead a control must name its time so that the slowest member hears of it before.
    #[must_use]
    pub(super) fn lead_us(&self) -> i64 {
        let slowest_us = self.seats.values().flat_map(|seat| seat.round_trips_us.iter()).max().copied().unwrap_or(0);
        (slowest_us + LEAD_MARGIN_US).clamp(LEAD_MIN_US, LEAD_MAX_US)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn newcomer(connection: &str, device: &str, user: &str) -> Newcomer {
        Newcomer {
            connection: ConnectionId(connection.into()),
            device: DeviceId::new(device).unwrap(),
            user: UserId::new(user).unwrap(),
            name: user.into(),
            kind: MemberKind::Car,
            dialect: Dialect::Jamz,
            role: Role::Dj,
            proven: false,
            guest: None,
        }
    }

    #[test]
    fn the_lead_follows_the_slowest_member_within_its_bounds_and_forgets_a_spike() {
        let mut roster = Roster::default();
        roster.seat(newcomer("1", "a", "u")).unwrap();
        roster.seat(newcomer("2", "b", "u")).unwrap();
        assert_eq!(roster.lead_us(), LEAD_MIN_US);
        let (one, two) = (ConnectionId("1".into()), ConnectionId("2".into()));
        roster.note_round_trip(&two, 600_000, MonoTime(0));
        assert_eq!(roster.lead_us(), 660_000);
        roster.note_round_trip(&one, i64::MAX, MonoTime(0));
        assert_eq!(roster.lead_us(), LEAD_MAX_US);
        for n in 1..10 {
            roster.note_round_trip(&one, 1_000, MonoTime(n * 100_000));
        }
        assert_eq!(roster.lead_us(), LEAD_MAX_US, "however often it asks, a second is a second");
        for n in 1..=ROUND_TRIPS_KEPT as i64 {
            roster.note_round_trip(&one, 1_000, MonoTime(n * 1_000_000));
        }
        assert_eq!(roster.lead_us(), 660_000);
        roster.unseat(&ConnectionId("2".into()), true);
        assert_eq!(roster.lead_us(), LEAD_MIN_US);
    }

    #[test]
    fn a_device_that_comes_back_takes_its_own_place_and_nobody_elses() {
        let mut roster = Roster::default();
        roster.seat(newcomer("1", "a", "ann")).unwrap();
        assert_eq!(roster.seat(newcomer("2", "a", "ann")), Ok(Some(ConnectionId("1".into()))));
        assert!(roster.seat(newcomer("3", "a", "bob")).unwrap_err().contains("in use by ann"));
        roster.unseat(&ConnectionId("2".into()), true);
        assert!(roster.seat(newcomer("3", "a", "bob")).unwrap_err().contains("belongs to ann"));
        assert_eq!(roster.members().iter().map(|m| m.online).collect::<Vec<_>>(), [false]);
        roster.seat(newcomer("4", "a", "ann")).unwrap();
        assert_eq!(roster.members().iter().map(|m| m.online).collect::<Vec<_>>(), [true]);
    }

    #[test]
    fn a_full_convoy_says_so() {
        let mut roster = Roster::default();
        for n in 0..SEATS_MAX {
            roster.seat(newcomer(&format!("c{n}"), &format!("d{n}"), "u")).unwrap();
        }
        assert!(roster.seat(newcomer("more", "more", "u")).unwrap_err().contains("full"));
        assert_eq!(roster.seat(newcomer("c1", "d1", "u")), Ok(None));
    }

    #[test]
    fn a_phones_wrong_clock_does_not_age_what_it_says() {
        let mut roster = Roster::default();
        roster.seat(newcomer("1", "a", "u")).unwrap();
        let seat = roster.get_mut(&ConnectionId("1".into())).unwrap();
        let behind_ms = 3_600_000;
        assert_eq!(seat.age_us(Some(1_000_000 - behind_ms), 1_000_000), 0);
        assert_eq!(seat.age_us(Some(1_001_000 - behind_ms), 1_002_500), 1_500_000);
        assert_eq!(seat.age_us(Some(i64::MIN), i64::MAX), AGE_MAX_MS * 1_000);
        assert_eq!(seat.age_us(None, 5), 0);
    }
}
