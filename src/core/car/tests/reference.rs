//! From whom a car has the server's time, and whom it does not believe.

use super::*;
use crate::core::election::Term;
use crate::core::mesh::{
    Attempt, Beat, Echo, Hello, LanEvent, MeshCommand, MeshEvent, PeerMessage, Route, Signal, SignalKind, Source,
};
use crate::core::status::MemberKind;

/// Convoy time is so much ahead of this car's clock by the server's word, which takes a long way that is straight.
const AHEAD_US: i64 = 5_000_000;
const WAY_US: i64 = 40_000;
const NEIGHBOUR: u8 = 3;

fn device() -> DeviceId {
    key(NEIGHBOUR).device().clone()
}

/// What the neighbour says: convoy time is ahead of its clock, which is this car's, by so much, within so much.
#[derive(Clone, Copy)]
struct Word {
    ahead_us: i64,
    bound_us: i64,
    rate: f64,
    /// How long its messages are on their way.
    way_us: i64,
}

const NEAR_US: i64 = 500;
/// Better than the server's own, which is off by half of what its way takes longer there than back.
const BETTER: Word = Word { ahead_us: AHEAD_US + 15_000, bound_us: 700, rate: 0.0, way_us: NEAR_US };

impl Bench {
    /// In a convoy with a server a long way off, and a link with another member.
    fn beside(kind: MemberKind) -> Self {
        let mesh = MeshSettings { enabled: true, ..MeshSettings::default() };
        let mut bench = Self::new(Start { mesh, ..in_convoy() });
        bench.server(ServerEvent::Up { dialect: Dialect::Jamz, challenge: None });
        bench.server(ServerEvent::Joined { snapshot: Box::new(Snapshot::default()), members: Vec::new() });
        for _ in 0..20 {
            bench.asks_from_afar();
            bench.wait(40_000);
        }
        let offer = Signal { attempt: Attempt(1), kind: SignalKind::Offer, body: "v=0".into() };
        let signed = key(NEIGHBOUR).sign_signal(me(), offer, ConvoyId::new("convoy").unwrap());
        bench.give(Input::Lan(LanEvent::Signal(Box::new(signed))));
        bench.give(Input::Mesh(MeshEvent::Up { peer: device(), attempt: Attempt(1) }));
        let user = UserId::new("bob").unwrap();
        let (name, attempt) = ("Bob".into(), Attempt(1));
        bench.says(
            NEIGHBOUR,
            PeerMessage::Hello(Hello { user, name, kind, battery: false, attempt, ticket: None, unix_s: None }),
        );
        bench
    }

    fn asks_from_afar(&mut self) {
        let at = ConvoyTime(self.now.0 - WAY_US + AHEAD_US);
        let (sent, lead_us) = (self.now - 2 * WAY_US, 150_000);
        self.server(ServerEvent::Probed { sent, received: self.now, server_received: at, server_sent: at, lead_us });
    }

    /// The neighbour answers all that it is asked, for so many tenths of a second.
    fn answers(&mut self, word: Word, through: &[DeviceId], tenths: i64) {
        for _ in 0..tenths {
            self.asks_from_afar();
            self.seen.clear();
            self.wait(100_000);
            let asks = |output: &Output| match output {
                Output::Mesh(MeshCommand::Send { message, .. }) => {
                    matches!(&**message, PeerMessage::Beat(beat) if beat.ask)
                }
                _ => false,
            };
            let is_asked = self.seen.iter().any(asks);
            let now = self.now;
            let beat = Beat {
                ask: !is_asked,
                sent: now - word.way_us,
                echo: is_asked.then_some(Echo { sent: now - 2 * word.way_us, received: now - word.way_us }),
                clock: Some((
                    ClockMap { mono0: now, convoy0: ConvoyTime(now.0 + word.ahead_us), rate: word.rate },
                    word.bound_us,
                )),
                clock_through: through.to_vec(),
                route: Route {
                    source: Source::Server { term: Term(0) },
                    path: vec![device()],
                    count: now.0.unsigned_abs(),
                },
                digest: 5,
                members: 0,
                wanted: true,
            };
            self.says(NEIGHBOUR, PeerMessage::Beat(Box::new(beat)));
        }
    }

    fn through(&self) -> Vec<DeviceId> {
        self.car.clock_through()
    }

    fn off_us(&self) -> i64 {
        self.car.convoy_time(self.now).unwrap().0 - self.now.0 - AHEAD_US
    }
}

#[test]
fn who_is_near_and_knows_the_time_better_is_asked_for_it() {
    let mut bench = Bench::beside(MemberKind::Car);
    let before_us = bench.car.clock_bound(bench.now).unwrap();
    bench.answers(BETTER, &[], 40);
    let bound_us = bench.car.clock_bound(bench.now).unwrap();
    assert_eq!(bench.through(), [device()]);
    assert!((bench.off_us() - 15_000).abs() < 500, "{}", bench.off_us());
    assert!(before_us > 30_000 && bound_us < 5_000, "within {before_us} us before, {bound_us} us then");
}

#[test]
fn a_phone_and_one_who_is_far_are_not() {
    for (kind, way_us) in [(MemberKind::Phone, NEAR_US), (MemberKind::Car, WAY_US / 2)] {
        let mut bench = Bench::beside(kind);
        bench.answers(Word { way_us, ..BETTER }, &[], 40);
        assert!(bench.through().is_empty() && bench.off_us().abs() < 1_000);
    }
}

#[test]
fn who_has_the_time_from_this_car_is_not_asked_for_it() {
    let mut bench = Bench::beside(MemberKind::Car);
    bench.answers(BETTER, &[me()], 40);
    assert!(bench.through().is_empty() && bench.off_us().abs() < 1_000);
}

#[test]
fn whose_time_cannot_be_the_servers_leads_nobody_astray_however_sure_he_says_he_is() {
    let mut bench = Bench::beside(MemberKind::Car);
    bench.answers(Word { ahead_us: AHEAD_US + 90_000, bound_us: 10, ..BETTER }, &[], 40);
    assert!(bench.through().is_empty() && bench.off_us().abs() < 1_000, "{}", bench.off_us());
    bench.answers(BETTER, &[], 40);
    assert_eq!(bench.through(), [device()]);
    bench.answers(Word { ahead_us: AHEAD_US + 3_600 * SECOND, bound_us: 10, ..BETTER }, &[], 40);
    assert!(bench.through().is_empty() && bench.off_us().abs() <= WAY_US, "{}", bench.off_us());
}

#[test]
fn who_has_only_just_come_is_put_right_at_once_and_later_on_the_music_is_bent() {
    for (seconds, off_us) in [(0, 14_000..16_000), (20, 0..2_000)] {
        let mut bench = Bench::beside(MemberKind::Car);
        bench.add(&[track("song", 600)]);
        bench.command(Command::Play { entry: None });
        bench.ack_all(&Verdict::Applied);
        bench.answers(Word { ahead_us: AHEAD_US, bound_us: 200_000, ..BETTER }, &[], 10 * seconds);
        bench.answers(BETTER, &[], 40);
        assert!(bench.car.is_playing_planned() && bench.through() == [device()]);
        assert!(off_us.contains(&bench.off_us()), "after {seconds} s: {} us", bench.off_us());
    }
}

#[test]
fn who_says_that_time_runs_as_no_crystal_does_is_not_followed() {
    let mut bench = Bench::beside(MemberKind::Car);
    bench.answers(Word { rate: 0.005, ..BETTER }, &[], 40);
    assert!(bench.through().is_empty() && bench.off_us().abs() < 1_000, "{}", bench.off_us());
}

#[test]
fn who_is_followed_and_steps_leads_no_further_than_the_server_allows_and_is_muted_when_he_goes_on() {
    let mut bench = Bench::beside(MemberKind::Car);
    bench.add(&[track("song", 600)]);
    bench.command(Command::Play { entry: None });
    bench.ack_all(&Verdict::Applied);
    bench.answers(Word { ahead_us: AHEAD_US, bound_us: 200_000, ..BETTER }, &[], 150);
    for n in 0..20 {
        let ahead_us = AHEAD_US + if n % 2 == 0 { 55_000 } else { -55_000 };
        bench.answers(Word { ahead_us, bound_us: 20_000, ..BETTER }, &[], 6);
        assert!(bench.off_us().abs() <= WAY_US + 2_000, "{n}: {}", bench.off_us());
    }
    assert!(bench.car.mutes(&device(), bench.now));
}
