//! What a damaged disk, or a member that errs, may say: the car that hears it goes on, and so do all others.

use super::*;
use crate::core::authority::check_bounds;
use crate::core::changes::ChangeId;
use crate::core::election::Term;
use crate::core::io::Saved;
use crate::core::mesh::{
    Attempt, Beat, Claim, Echo, LanEvent, MeshCommand, MeshEvent, PeerMessage, Route, Signal, SignalKind, Source,
};
use crate::core::status::{Member, MemberKind};
use serde_json::json;

const OTHER: u8 = 3;

fn convoy() -> ConvoyId {
    ConvoyId::new("convoy").unwrap()
}

fn other() -> DeviceId {
    key(OTHER).device().clone()
}

fn meshed() -> Start {
    Start { mesh: MeshSettings { enabled: true, ..MeshSettings::default() }, ..in_convoy() }
}

/// The other has a link with us.
fn link_up(bench: &mut Bench) {
    let offer = Signal { attempt: Attempt(1), kind: SignalKind::Offer, body: "v=0".into() };
    let signed = key(OTHER).sign_signal(me(), offer, convoy());
    bench.give(Input::Lan(LanEvent::Signal(Box::new(signed))));
    bench.give(Input::Mesh(MeshEvent::Up { peer: other(), attempt: Attempt(1) }));
}

fn say(bench: &mut Bench, message: PeerMessage) {
    let received = bench.now;
    bench.give(Input::Mesh(MeshEvent::Message { from: other(), message: Box::new(message), received }));
}

/// The other leads in `term`, or follows us; it beats for two seconds, in which the server answers in `round_trip_us`.
fn beats(bench: &mut Bench, term: Term, leads: bool, round_trip_us: Option<i64>) {
    for n in 0..20 {
        if let Some(us) = round_trip_us.filter(|_| n % 5 == 0) {
            let (sent, received, at) = (bench.now - us, bench.now, ConvoyTime(bench.now.0 - us / 2));
            bench.server(ServerEvent::Probed {
                sent,
                received,
                server_received: at,
                server_sent: at,
                lead_us: 150_000,
            });
        }
        let now = bench.now;
        let source = if leads { other() } else { me() };
        let user = UserId::new("zoe").unwrap();
        let claim =
            Claim { term, established: leads, timed: true, dj: false, mains: true, user, device: source.clone() };
        let path = if leads { vec![other()] } else { vec![source, other()] };
        let beat = Beat {
            ask: n % 2 == 0,
            sent: now,
            echo: Some(Echo { sent: now - 1_000, received: now - 500 }),
            clock: Some((ClockMap { mono0: now, convoy0: ConvoyTime(now.0), rate: 0.0 }, 10)),
            clock_through: Vec::new(),
            route: Route { source: Source::Member(claim), path, count: now.0.unsigned_abs() },
            digest: 5,
            members: 0,
            wanted: true,
        };
        say(bench, PeerMessage::Beat(Box::new(beat)));
        bench.wait(100_000);
    }
}

/// A car that follows the other.
fn following(term: Term) -> Bench {
    let mut bench = Bench::new(Start { has_server: false, ..meshed() });
    link_up(&mut bench);
    beats(&mut bench, term, true, None);
    assert_eq!(bench.car.obeys(), Choice::Follow(other()));
    bench
}

/// A state that no convoy ever had: someone took control at the end of time.
fn absurd() -> Snapshot {
    let end = Hlc { time_us: i64::MAX, count: u32::MAX };
    let stamp = json!({"term": u64::MAX, "hlc": end, "device": other()});
    let mut state = serde_json::to_value(Snapshot::default()).unwrap();
    state["deeds"] = json!({"before": null, "kept": [[stamp, "take"]]});
    state["controller"] = json!(other());
    state["controlled"] = stamp;
    state["term"] = json!(u64::MAX);
    state["versions"] = json!({ me().as_str(): {"contiguous": u64::MAX, "ahead": [], "skipped": u64::MAX} });
    serde_json::from_value(state).unwrap()
}

/// What this car does counts for others.
fn assert_is_heard(bench: &mut Bench) {
    bench.seen.clear();
    bench.add(&[track("a", 10)]);
    let now = bench.car.convoy_now(bench.now);
    let made =
        bench.seen.iter().find_map(|output| if let Output::Store(change) = output { Some(change) } else { None });
    assert_eq!(check_bounds(made.unwrap(), &Snapshot::default(), now), Ok(()));
}

#[test]
fn a_state_that_cannot_be_makes_nobody_mute() {
    let mut bench = following(Term(9));
    say(&mut bench, PeerMessage::State(Box::new(absurd())));
    assert_is_heard(&mut bench);
    assert!(bench.car.state().deeds.is_empty());

    let mut bench = Bench::new(in_convoy());
    bench.join(absurd(), 0);
    assert_is_heard(&mut bench);
}

#[test]
fn a_car_whose_disk_holds_nonsense_heals() {
    let saved = Saved {
        attempt: 0,
        convoy: Some(convoy()),
        snapshot: absurd(),
        clock: Some(ClockMap { mono0: MonoTime(0), convoy0: ConvoyTime(i64::MAX), rate: f64::MAX }),
        at: ConvoyTime(i64::MIN),
        sequence: 4,
        tickets: crate::core::ticket::Tickets::default(),
        passed_unix_us: 0,
        known_as: None,
        delays_us: std::collections::BTreeMap::default(),
        volume: 0.5,
    };
    let late = Change {
        id: ChangeId { device: me(), sequence: 5 },
        hlc: Hlc { time_us: i64::MAX, count: 0 },
        term: Term(1),
        user: None,
        action: Action::TakeControl,
        signature: None,
    };
    let start =
        Start { saved: Some(saved), pending: vec![late.clone()], recent: vec![late], same_boot: true, ..meshed() };
    let mut bench = Bench::new(start);
    bench.wait(5 * SECOND);
    assert_is_heard(&mut bench);
    assert!((0..SECOND * 60).contains(&bench.car.convoy_now(bench.now).0));
}

#[test]
fn the_term_of_someone_who_is_not_obeyed_is_not_taken_over() {
    let mut bench = Bench::new(meshed());
    bench.join(Snapshot::default(), 0);
    link_up(&mut bench);
    beats(&mut bench, Term(1 << 52), true, Some(1_000));
    assert_eq!((bench.car.obeys(), bench.car.state().term), (Choice::Server, Term(0)));
}

#[test]
fn a_term_that_cannot_be_is_not_followed_and_ends_neither_the_mesh_nor_what_is_done_in_it() {
    let mut bench = Bench::new(Start { has_server: false, ..meshed() });
    link_up(&mut bench);
    beats(&mut bench, Term::MAX, true, None);
    assert_eq!((bench.car.obeys(), bench.car.state().term), (Choice::Lead, Term(0)));
    assert!(bench.car.mutes(&other(), bench.now));
    assert_is_heard(&mut bench);
    assert_eq!(Term::MAX.next(), Term::MAX);
}

#[test]
fn a_change_out_of_bounds_is_refused_in_words() {
    let mut bench = Bench::new(Start { has_server: false, ..meshed() });
    link_up(&mut bench);
    let mut late = Change {
        id: ChangeId { device: other(), sequence: 1 },
        hlc: Hlc { time_us: i64::MAX, count: 0 },
        term: Term(1),
        user: None,
        action: Action::TakeControl,
        signature: None,
    };
    key(OTHER).sign_change(&mut late, &convoy());
    bench.seen.clear();
    say(&mut bench, PeerMessage::Change { change: Box::new(late), track: None, ticket: None, hops: 0 });
    let is_refused = |message: &PeerMessage| {
        let PeerMessage::Verdict { verdict: Verdict::Refused { reason }, .. } = message else { return false };
        reason.contains("dated")
    };
    let told = bench
        .seen
        .iter()
        .any(|output| matches!(output, Output::Mesh(MeshCommand::Send { message, .. }) if is_refused(message)));
    assert!(told, "{:?}", bench.seen);
    assert_is_heard(&mut bench);
}

#[test]
fn a_slow_server_takes_no_control_from_a_dj_who_is_with_it() {
    let mut bench = Bench::new(meshed());
    bench.join(led_by("dj"), 0);
    let dj = Member {
        device: "dj".into(),
        user: "dj".into(),
        name: "dj".into(),
        online: true,
        kind: MemberKind::Car,
        tier: None,
    };
    bench.server(ServerEvent::Members(vec![dj]));
    link_up(&mut bench);
    for (round_trip_us, takes) in [(Some(900_000), false), (None, true)] {
        for _ in 0..3 {
            beats(&mut bench, Term(1), false, round_trip_us);
        }
        assert_eq!(bench.car.obeys(), Choice::Lead);
        let is_take = |output: &Output| matches!(output, Output::Store(change) if change.action == Action::TakeControl);
        assert_eq!(bench.seen.iter().any(is_take), takes);
    }
}
