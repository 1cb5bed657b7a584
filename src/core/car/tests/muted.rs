//! A member with a good key and a bad will: he is cut off, whoever brings what he says, and nobody else is.

use super::*;
use crate::core::changes::ChangeId;
use crate::core::election::{Choice, Term};
use crate::core::mesh::{
    Attempt, Beat, Claim, Echo, LanEvent, MeshCommand, MeshEvent, PeerMessage, Route, Signal, SignalKind, SignedSignal,
    Source,
};
use crate::core::status::{PeerState, Status};
use crate::core::timeline::Anchor;

pub(super) const ROGUE: u8 = 3;
pub(super) const RELAY: u8 = 4;

fn convoy() -> ConvoyId {
    ConvoyId::new("convoy").unwrap()
}

pub(super) fn device(seed: u8) -> DeviceId {
    key(seed).device().clone()
}

fn offer(from: u8, attempt: u64) -> SignedSignal {
    let signal = Signal { attempt: Attempt(attempt), kind: SignalKind::Offer, body: "v=0".into() };
    key(from).sign_signal(me(), signal, convoy())
}

pub(super) fn seek(bench: &Bench, sequence: u64) -> Change {
    let anchor = Anchor::empty(bench.car.convoy_now(bench.now) + 200_000);
    does(bench, sequence, Action::Seek { anchor })
}

pub(super) fn removal(bench: &Bench, sequence: u64) -> Change {
    does(bench, sequence, Action::Remove { entry: EntryId::new(format!("e{sequence}")).unwrap() })
}

fn does(bench: &Bench, sequence: u64, action: Action) -> Change {
    let now = bench.car.convoy_now(bench.now);
    let mut change = Change {
        id: ChangeId { device: device(ROGUE), sequence },
        hlc: Hlc { time_us: now.0, count: sequence as u32 },
        term: Term(0),
        user: None,
        action,
        signature: None,
    };
    key(ROGUE).sign_change(&mut change, &convoy());
    change
}

impl Bench {
    pub(super) fn linked(with: &[u8]) -> Self {
        let mesh = MeshSettings { enabled: true, ..MeshSettings::default() };
        let mut bench = Self::new(Start { mesh, has_server: false, ..in_convoy() });
        for other in with {
            bench.give(Input::Lan(LanEvent::Signal(Box::new(offer(*other, 1)))));
            bench.give(Input::Mesh(MeshEvent::Up { peer: device(*other), attempt: Attempt(1) }));
        }
        bench
    }

    pub(super) fn says(&mut self, from: u8, message: PeerMessage) {
        let received = self.now;
        self.give(Input::Mesh(MeshEvent::Message { from: device(from), message: Box::new(message), received }));
    }

    pub(super) fn brings(&mut self, from: u8, change: Change, hops: usize) {
        self.says(from, PeerMessage::Change { change: Box::new(change), track: None, ticket: None, hops });
    }

    fn link_to(&self, with: u8) -> Option<PeerState> {
        self.status().connection.web_rtc.get(device(with).as_str()).copied()
    }

    /// A beat of the rogue, who leads; convoy time is `ahead_us` ahead of what it was.
    pub(super) fn beats(&mut self, ask: bool, ahead_us: i64) {
        let now = self.now;
        let user = UserId::new("zoe").unwrap();
        let claim = Claim {
            term: Term(1),
            established: true,
            timed: true,
            dj: false,
            mains: true,
            user,
            device: device(ROGUE),
        };
        let beat = Beat {
            ask,
            sent: now,
            echo: Some(Echo { sent: now - 1_000, received: now - 500 }),
            clock: Some((ClockMap { mono0: now, convoy0: ConvoyTime(now.0 + ahead_us), rate: 0.0 }, 10)),
            clock_through: Vec::new(),
            route: Route { source: Source::Member(claim), path: vec![device(ROGUE)], count: now.0.unsigned_abs() },
            digest: 5,
            members: 0,
            wanted: true,
        };
        self.says(ROGUE, PeerMessage::Beat(Box::new(beat)));
    }

    /// Beats of the rogue, ten a second.
    pub(super) fn leads(&mut self, beats: usize, ahead_us: i64) {
        for n in 0..beats {
            self.beats(n % 2 == 0, ahead_us);
            self.wait(100_000);
        }
    }
}

#[test]
fn who_is_muted_is_cut_off_and_comes_back_when_his_time_is_over() {
    let mut bench = Bench::linked(&[ROGUE]);
    for n in 1..=110 {
        bench.brings(ROGUE, seek(&bench, n), 0);
    }
    assert!(bench.car.mutes(&device(ROGUE), bench.now));
    let closes =
        |output: &Output| matches!(output, Output::Mesh(MeshCommand::Close { peer }) if *peer == device(ROGUE));
    assert!(bench.seen.iter().any(closes));
    let told =
        |output: &Output| matches!(output, Output::Notice(Notice::Muted { reason, .. }) if reason.contains("controls"));
    assert_eq!(bench.seen.iter().filter(|output| told(output)).count(), 1);
    let status = bench.status();
    assert!(status.connection.reason.contains("is muted here"));
    let shown = |status: &Status| status.members.iter().find(|m| m.device == device(ROGUE).as_str()).map(|m| m.online);
    assert_eq!(shown(&status), Some(false), "whoever is muted is shown, though no link tells of him");
    let muted = &status.muted[device(ROGUE).as_str()];
    assert_eq!((muted.until_us, muted.reason.as_str()), (bench.now.0 + 30 * SECOND, "too many controls of playback"));
    bench.give(Input::Lan(LanEvent::Signal(Box::new(offer(ROGUE, 2)))));
    bench.give(Input::Lan(LanEvent::Found { device: device(ROGUE) }));
    bench.wait(5 * SECOND);
    assert_eq!(bench.link_to(ROGUE), Some(PeerState::Failed), "neither his offer nor his presence makes a link");
    bench.wait(26 * SECOND);
    let status = bench.status();
    assert!(status.muted.is_empty() && shown(&status).is_none());
    bench.give(Input::Lan(LanEvent::Signal(Box::new(offer(ROGUE, bench.now.0.unsigned_abs())))));
    assert_eq!(bench.link_to(ROGUE), Some(PeerState::Connecting));
}

#[test]
fn a_rogue_behind_a_relay_is_muted_and_not_the_relay() {
    let mut bench = Bench::linked(&[RELAY]);
    for n in 1..=300 {
        bench.brings(RELAY, seek(&bench, n), 1);
    }
    assert!(bench.car.mutes(&device(ROGUE), bench.now) && !bench.car.mutes(&device(RELAY), bench.now));
    assert_eq!(bench.link_to(RELAY), Some(PeerState::Connected));
    let known = bench.car.state().versions.next(&device(ROGUE)) - 1;
    assert!((90..=110).contains(&known), "{known}");
}

#[test]
fn who_brings_what_is_not_signed_by_its_author_is_muted_and_not_the_author() {
    let mut bench = Bench::linked(&[RELAY]);
    for n in 1..=10 {
        let forged = Change { user: UserId::new("eve").ok(), ..seek(&bench, n) };
        bench.brings(RELAY, forged, 1);
    }
    assert!(bench.car.mutes(&device(RELAY), bench.now) && !bench.car.mutes(&device(ROGUE), bench.now));
}

#[test]
fn a_hub_whose_clock_steps_drags_nobody_away() {
    for step_us in [10 * SECOND, -300_000] {
        let mut bench = Bench::linked(&[ROGUE]);
        bench.leads(30, 0);
        assert_eq!(bench.car.obeys(), Choice::Follow(device(ROGUE)));
        let before_us = bench.car.convoy_now(bench.now) - ConvoyTime(bench.now.0);
        bench.leads(30, step_us);
        assert_eq!(bench.car.obeys(), Choice::Lead);
        let after_us = bench.car.convoy_now(bench.now) - ConvoyTime(bench.now.0);
        assert!((after_us - before_us).abs() < 1_000, "convoy time moved by {} us", after_us - before_us);
    }
}

/// A beat of one who follows this car.
fn follows(bench: &mut Bench, ask: bool) {
    let user = bench.car.me.user.clone();
    let claim = Claim {
        term: bench.car.state().term,
        established: true,
        timed: true,
        dj: false,
        mains: true,
        user,
        device: me(),
    };
    let beat = Beat {
        ask,
        sent: bench.now,
        echo: Some(Echo { sent: bench.now - 1_000, received: bench.now - 500 }),
        clock: None,
        clock_through: Vec::new(),
        route: Route {
            source: Source::Member(claim),
            path: vec![me(), device(ROGUE)],
            count: bench.now.0.unsigned_abs(),
        },
        digest: 5,
        members: 0,
        wanted: true,
    };
    bench.says(ROGUE, PeerMessage::Beat(Box::new(beat)));
}

/// One that had a server's time, and has a link with another.
fn left_alone(ahead_us: i64) -> Bench {
    let mesh = MeshSettings { enabled: true, ..MeshSettings::default() };
    let mut bench = Bench::new(Start { mesh, ..in_convoy() });
    bench.join(Snapshot::default(), ahead_us);
    bench.give(Input::Lan(LanEvent::Signal(Box::new(offer(ROGUE, 1)))));
    bench.give(Input::Mesh(MeshEvent::Up { peer: device(ROGUE), attempt: Attempt(1) }));
    bench.server(ServerEvent::Down { reason: "gone".into() });
    bench
}

fn ahead_us(bench: &Bench) -> i64 {
    bench.car.convoy_time(bench.now).unwrap().0 - bench.now.0
}

#[test]
fn who_leads_others_is_not_made_to_step_by_a_server_that_does_not_decide_yet() {
    let mut bench = left_alone(5_000_000);
    let goes_on = |bench: &mut Bench, tenths: i64| {
        for n in 0..tenths {
            follows(bench, n % 2 == 0);
            bench.wait(100_000);
        }
    };
    goes_on(&mut bench, 10);
    assert!(bench.car.leads_others());
    bench.join(Snapshot::default(), 5_300_000);
    assert!(bench.car.leads_others() && (ahead_us(&bench) - 5_000_000).abs() < 1_000, "{}", ahead_us(&bench));
    for _ in 0..6 {
        goes_on(&mut bench, 5);
        bench.probe(5_300_000);
    }
    assert_eq!(bench.car.obeys(), Choice::Server);
    assert!((ahead_us(&bench) - 5_300_000).abs() < 1_000, "{}", ahead_us(&bench));
}

#[test]
fn nor_is_he_whom_another_follows_since_a_moment_ago() {
    let mut bench = left_alone(5_000_000);
    bench.server(ServerEvent::Up { dialect: Dialect::Jamz, challenge: None });
    bench.server(ServerEvent::Joined { snapshot: Box::new(Snapshot::default()), members: Vec::new() });
    follows(&mut bench, false);
    for _ in 0..12 {
        bench.probe(5_300_000);
        bench.wait(10_000);
    }
    assert!(bench.car.obeys() == Choice::Lead && !bench.car.leads_others());
    assert!((ahead_us(&bench) - 5_000_000).abs() < 1_000, "{}", ahead_us(&bench));
}
