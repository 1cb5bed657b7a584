//! One of every kind of message between cars, signed where they are signed, in scripts and numbers that are hard to
//! carry.

use jamz::core::changes::{Action, Change, ChangeId, Hlc, Verdict, Versions};
use jamz::core::clock::{ClockMap, ConvoyTime, MonoTime};
use jamz::core::convoy::Snapshot;
use jamz::core::election::Term;
use jamz::core::id::{ConvoyId, EntryId, TrackId, UserId};
use jamz::core::mesh::{
    Attempt, Beat, Claim, Echo, Hello, PeerMessage, Route, Signal, SignalKind, SignedSignal, Source,
};
use jamz::core::order::OrderKey;
use jamz::core::playlist::Track;
use jamz::core::signature::DeviceKey;
use jamz::core::status::{ActiveSync, Member, MemberKind};
use jamz::core::timeline::Anchor;
use serde_json::json;

pub(crate) fn key(n: u8) -> DeviceKey {
    DeviceKey::from_secret(&[n; 32]).unwrap()
}

pub(crate) fn convoy() -> ConvoyId {
    ConvoyId::new("Конвой 7").unwrap()
}

/// A track whose every field is a trap: scripts, escapes, floats that only print exactly with care.
pub(crate) fn track(n: u64) -> Track {
    let extra = json!({
        "gain": -7.123_456_789_012_345, "third": 1.0 / 3.0, "tiny": 5e-324, "huge": 1.797_693_134_862_315_7e308,
        "whole": 1.0, "big": 9_007_199_254_740_991_u64, "minus": -0.0, "edge": 0.1 + 0.2,
        "awkward": 2.225_073_858_507_201e-308, "yes": true, "art": "https://x/\u{2028}\"\\\u{7f}.png",
        "deep": {"a": [1, [2, [3, {"b": null}]]], "ключ": "значение"},
    });
    Track {
        id: TrackId::new(format!("b3-{n}-ü\"\\")).unwrap(),
        title: format!("Дорога №{n} — 道路 🚗 \u{202e}عربى \t\n\u{0}"),
        artist: "Ä\u{308}ntje & \"the 'quotes'\" \\".into(),
        album: String::new(),
        duration_us: Some(212_345_678),
        url: Some("https://example.org/a b?c=%20".into()),
        extra: extra.as_object().unwrap().clone(),
    }
}

fn anchor(position_us: i64) -> Anchor {
    Anchor {
        entry: Some(EntryId::new("e:1").unwrap()),
        track: Some(TrackId::new("b3-1").unwrap()),
        position_us,
        at: ConvoyTime(9_876_543_210_123),
        playing: true,
    }
}

/// Every action there is, and some at the ends of their ranges.
pub(crate) fn actions() -> Vec<Action> {
    let entry = EntryId::new("car\\:\"7\"").unwrap();
    let order = OrderKey::between(None, Some(&OrderKey::between(None, None)));
    let between = OrderKey::between(Some(&order), Some(&OrderKey::between(None, None)));
    let bare = Anchor { playing: false, ..Anchor::empty(ConvoyTime(-5)) };
    vec![
        Action::Play { anchor: anchor(45_200_000) },
        Action::Play { anchor: bare },
        Action::Pause { anchor: anchor(45_200_001) },
        Action::Seek { anchor: anchor(604_799_999_999) },
        Action::Seek { anchor: anchor(1) },
        Action::ChangeTrack { anchor: anchor(0) },
        Action::Add { entry: entry.clone(), track: track(1), order },
        Action::Move { entry: entry.clone(), order: between },
        Action::Remove { entry },
        Action::TakeControl,
        Action::ReleaseControl,
    ]
}

/// A signed change.
pub(crate) fn change(author: &DeviceKey, sequence: u64, action: Action) -> Change {
    let mut change = Change {
        id: ChangeId { device: author.device().clone(), sequence },
        hlc: Hlc { time_us: 1_763_000_000_123_456 + sequence as i64, count: 3 },
        term: Term(4),
        user: sequence.is_multiple_of(2).then(|| UserId::new("Ann-Жанна").unwrap()),
        action,
        signature: None,
    };
    author.sign_change(&mut change, &convoy());
    change
}

pub(crate) fn changes() -> Vec<Change> {
    let author = key(1);
    actions().into_iter().zip(1..).map(|(action, sequence)| change(&author, sequence, action)).collect()
}

/// A convoy's state with a playlist of so many entries, about 550 bytes each.
pub(crate) fn state(entries: u64) -> Snapshot {
    let mut snapshot = Snapshot::default();
    let author = key(2);
    let mut order = OrderKey::between(None, None);
    for n in 1..=entries {
        order = OrderKey::between(Some(&order), None);
        let action = Action::Add {
            entry: EntryId::new(format!("{}:{n}", author.device())).unwrap(),
            track: Track { title: "Очень длинное название песни ".repeat(3), ..track(n) },
            order: order.clone(),
        };
        let hlc = Hlc { time_us: n as i64, count: 0 };
        let id = ChangeId { device: author.device().clone(), sequence: n };
        snapshot.apply(&Change { id, hlc, term: Term(1), user: None, action, signature: None });
    }
    let author = key(1);
    snapshot.apply(&change(&author, 1, Action::TakeControl));
    snapshot.apply(&change(&author, 2, Action::Play { anchor: anchor(45_200_000) }));
    snapshot
}

pub(crate) fn beat(count: u64) -> Beat {
    let claim = Claim {
        term: Term(3),
        timed: true,
        established: true,
        dj: false,
        mains: true,
        user: UserId::new("ben").unwrap(),
        device: key(1).device().clone(),
    };
    Beat {
        ask: true,
        sent: MonoTime(0),
        echo: Some(Echo { sent: MonoTime(77), received: MonoTime(88) }),
        clock: Some((ClockMap { mono0: MonoTime(5), convoy0: ConvoyTime(6), rate: 1.25e-5 }, 140)),
        clock_through: Vec::new(),
        route: Route { source: Source::Member(claim), path: vec![key(1).device().clone()], count },
        digest: 0xfeed_0000_0000_0001,
        members: 0,
        wanted: true,
    }
}

/// A signed signal with an SDP of a usual length.
pub(crate) fn signal() -> SignedSignal {
    let signal = Signal { attempt: Attempt(9), kind: SignalKind::Offer, body: "v=0\r\na=x\r\n".repeat(100) };
    key(1).sign_signal(key(2).device().clone(), signal, convoy())
}

/// One of every kind but beats, all changes among them.
pub(crate) fn every_kind() -> Vec<PeerMessage> {
    let id = |sequence| ChangeId { device: key(1).device().clone(), sequence };
    let mut versions = Versions::default();
    for n in [1, 2, 3, 7, 9] {
        versions.insert(&id(n));
    }
    let member = |n: u8| Member {
        device: key(n).device().to_string(),
        user: "Жанна".into(),
        name: "Bus \"7\"".into(),
        online: n.is_multiple_of(2),
        kind: if n == 3 { MemberKind::Phone } else { MemberKind::Car },
        tier: (n == 1).then_some(ActiveSync::Webrtc),
    };
    let hello = Hello {
        user: UserId::new("ann").unwrap(),
        name: "Ännes Bus 🚌".into(),
        kind: MemberKind::Car,
        battery: true,
        attempt: Attempt(7),
        ticket: Some(Box::new(ticket())),
        unix_s: Some(1_800_000_000),
    };
    let verdicts = [
        Verdict::Applied,
        Verdict::Duplicate,
        Verdict::Superseded { reason: "a newer „play“ counts".into() },
        Verdict::Refused { reason: String::new() },
    ];
    let mut all = vec![PeerMessage::Hello(hello)];
    all.extend(changes().into_iter().zip(0_usize..).map(|(change, n)| {
        let change = Box::new(change);
        let ticket = n.is_multiple_of(2).then(|| Box::new(ticket()));
        PeerMessage::Change { change, track: None, ticket, hops: n % 5 }
    }));
    all.extend(verdicts.map(|verdict| PeerMessage::Verdict { change: id(5), verdict }));
    all.extend([
        PeerMessage::Versions(versions),
        PeerMessage::Versions(Versions::default()),
        PeerMessage::Want(vec![id(4), id(5)]),
        PeerMessage::Members((1..5).map(member).collect()),
        PeerMessage::Signal { signal: Box::new(signal()), hops: 2 },
        PeerMessage::Revoked(Box::new(revocations(3))),
        PeerMessage::Goodbye,
    ]);
    all
}

/// A list of so many users, by the issuer with key 9.
pub(crate) fn revocations(users: usize) -> jamz::core::ticket::Revocations {
    let convoy = jamz::core::id::ConvoyId::new("alps").unwrap();
    let user = |n| UserId::new(format!("{n:\"<128}")).unwrap();
    let users = (0..users).map(|n| (user(n), (1 << 53) - n as u64)).collect();
    jamz::core::ticket::Revocations::issue(&key(9), &convoy, (users, [].into()), 1 << 53)
}

/// The ticket of the car with key 1, by the issuer with key 9.
pub(crate) fn ticket() -> jamz::core::ticket::Ticket {
    let (convoy, user) = (jamz::core::id::ConvoyId::new("alps").unwrap(), UserId::new("ann").unwrap());
    let device = key(1).device().clone();
    let bearer = (&device, &user, jamz::core::ticket::Role::Dj);
    jamz::core::ticket::Ticket::issue(&key(9), &convoy, bearer, 1_800_000_000_000_000, 86_400)
}
