//! Links with other members: which offers begin one, and which way signals go.

use super::*;
use crate::core::io::ServerCommand;
use crate::core::mesh::{
    Attempt, Hello, LanCommand, LanEvent, MeshCommand, MeshEvent, PeerMessage, Signal, SignalKind, SignedSignal,
};
use crate::core::status::{MemberKind, PeerState};

fn meshed() -> Bench {
    Bench::new(Start { mesh: MeshSettings { enabled: true, ..MeshSettings::default() }, ..in_convoy() })
}

fn signal(from: u8, to: u8, attempt: u64, kind: SignalKind, body: &str) -> SignedSignal {
    let signal = Signal { attempt: Attempt(attempt), kind, body: body.into() };
    key(from).sign_signal(key(to).device().clone(), signal, ConvoyId::new("convoy").unwrap())
}

fn offer(from: u8, attempt: u64) -> SignedSignal {
    signal(from, ME, attempt, SignalKind::Offer, "v=0")
}

fn hello(attempt: u64) -> PeerMessage {
    let user = UserId::new("bob").unwrap();
    PeerMessage::Hello(Hello {
        user,
        name: "Bob".into(),
        kind: MemberKind::Car,
        battery: false,
        attempt: Attempt(attempt),
        ticket: None,
        unix_s: None,
    })
}

impl Bench {
    fn hear(&mut self, signed: SignedSignal) {
        self.give(Input::Lan(LanEvent::Signal(Box::new(signed))));
    }

    fn say(&mut self, from: u8, message: PeerMessage) {
        let (from, received) = (key(from).device().clone(), self.now);
        self.give(Input::Mesh(MeshEvent::Message { from, message: Box::new(message), received }));
    }

    /// A link that the other side offers comes up.
    fn link(&mut self, with: u8, attempt: u64) {
        self.hear(offer(with, attempt));
        self.give(Input::Mesh(MeshEvent::Up { peer: key(with).device().clone(), attempt: Attempt(attempt) }));
        self.say(with, hello(attempt));
    }

    fn link_with(&self, other: u8) -> Option<PeerState> {
        self.status().connection.web_rtc.get(key(other).device().as_str()).copied()
    }

    /// The attempt that the car has begun at `other`.
    fn attempt_at(&self, other: u8) -> Option<Attempt> {
        self.seen.iter().rev().find_map(|output| match output {
            Output::Mesh(MeshCommand::Connect { peer, attempt }) if peer == key(other).device() => Some(*attempt),
            _ => None,
        })
    }

    /// Whom a signal to `other` was given to, over links, and whether to the network and to the server.
    fn ways_to(&self, other: u8) -> (Vec<DeviceId>, bool, bool) {
        let is_to = |signed: &SignedSignal| signed.to == *key(other).device();
        let mut ways = (Vec::new(), false, false);
        for output in &self.seen {
            match output {
                Output::Lan(LanCommand::Signal(signed)) => ways.1 |= is_to(signed),
                Output::Server(ServerCommand::Signal(signed)) => ways.2 |= is_to(signed),
                Output::Mesh(MeshCommand::Send { to, message }) => {
                    if matches!(&**message, PeerMessage::Signal { signal, .. } if is_to(signal)) {
                        ways.0.extend(to.iter().cloned());
                    }
                }
                _ => {}
            }
        }
        ways
    }
}

#[test]
fn an_offer_of_long_ago_that_is_replayed_ends_no_link() {
    let mut bench = meshed();
    for attempt in 1..=18 {
        bench.link(3, attempt);
    }
    for n in 0..200 {
        for author in [3, 4, 5] {
            bench.hear(signal(author, ME, 18, SignalKind::IceCandidate, &n.to_string()));
        }
    }
    bench.hear(offer(3, 1));
    assert_eq!(bench.link_with(3), Some(PeerState::Connected));
    bench.hear(offer(3, 19));
    assert_eq!(bench.link_with(3), Some(PeerState::Connecting), "a new one says that the other side has no link");
}

#[test]
fn an_offer_from_before_the_own_start_that_is_replayed_ends_no_link() {
    let mut bench = meshed();
    bench.give(Input::Lan(LanEvent::Found { device: key(3).device().clone() }));
    bench.wait(SECOND);
    let attempt = bench.attempt_at(3).unwrap();
    let body = String::new();
    bench.hear(signal(3, ME, attempt.0, SignalKind::Answer, &body));
    bench.give(Input::Mesh(MeshEvent::Up { peer: key(3).device().clone(), attempt }));
    bench.say(3, hello(50));
    bench.hear(offer(3, 50));
    assert_eq!(bench.link_with(3), Some(PeerState::Connected));
}

#[test]
fn attempts_have_higher_numbers_than_those_before_a_reboot() {
    let mut bench = meshed();
    bench.give(Input::Lan(LanEvent::Found { device: key(3).device().clone() }));
    bench.wait(3 * SECOND);
    let before = bench.attempt_at(3).unwrap();
    let saved = bench.seen.iter().rev().find_map(|output| match output {
        Output::Remember(saved) => Some((**saved).clone()),
        _ => None,
    });
    let mut bench = Bench::new(Start {
        mesh: MeshSettings { enabled: true, ..MeshSettings::default() },
        saved: Some(saved.expect("the attempt is kept")),
        ..in_convoy()
    });
    bench.give(Input::Lan(LanEvent::Found { device: key(3).device().clone() }));
    bench.wait(SECOND);
    assert!(bench.attempt_at(3).unwrap() > before);
}

#[test]
fn a_signal_takes_the_network_where_it_can_and_links_only_where_nothing_else_leads() {
    let mut bench = meshed();
    bench.link(3, 1);
    bench.link(4, 1);
    bench.give(Input::Lan(LanEvent::Found { device: key(5).device().clone() }));
    bench.wait(6 * SECOND / 5);
    let attempt = bench.attempt_at(5).unwrap();
    let offer = Signal { attempt, kind: SignalKind::Offer, body: "v=0".into() };
    bench.give(Input::Mesh(MeshEvent::Signal { to: key(5).device().clone(), signal: offer }));
    assert_eq!(bench.ways_to(5), (Vec::new(), true, false));
}

#[test]
fn a_signal_over_links_goes_towards_who_reaches_the_addressee() {
    let mut bench = meshed();
    for other in [3, 4] {
        bench.link(other, 1);
    }
    let far = Member { device: key(5).device().to_string(), user: "eve".into(), online: true, ..bench.car.itself() };
    bench.say(4, PeerMessage::Members(vec![far]));
    let relayed = signal(3, 5, 1, SignalKind::Offer, "v=0");
    bench.say(3, PeerMessage::Signal { signal: Box::new(relayed), hops: 0 });
    assert_eq!(bench.ways_to(5), (vec![key(4).device().clone()], false, false));
    let unheard_of = signal(3, 6, 1, SignalKind::Offer, "v=0");
    bench.say(3, PeerMessage::Signal { signal: Box::new(unheard_of), hops: 0 });
    assert_eq!(bench.ways_to(6), (vec![key(4).device().clone()], false, false), "not back to where it came from");
}

#[test]
fn a_link_is_not_given_up_for_a_silence_in_which_this_car_itself_did_not_run() {
    let mut bench = meshed();
    bench.link(3, 1);
    bench.now = bench.now + 5 * SECOND;
    bench.give(Input::Wake);
    assert_eq!(bench.link_with(3), Some(PeerState::Connected), "what was said meanwhile may wait to be read");
    bench.wait(1_600_000);
    assert_ne!(bench.link_with(3), Some(PeerState::Connected), "once");
}

#[test]
fn who_is_gone_from_the_network_and_does_not_answer_at_once_is_given_up_sooner() {
    let silence_us = |is_lost: bool| {
        let mut bench = meshed();
        bench.give(Input::Lan(LanEvent::Found { device: key(3).device().clone() }));
        bench.link(3, 1);
        bench.wait(100_000);
        let began = bench.now;
        if is_lost {
            bench.give(Input::Lan(LanEvent::Lost { device: key(3).device().clone() }));
        }
        while bench.link_with(3) == Some(PeerState::Connected) {
            bench.wait(10_000);
        }
        bench.now - began
    };
    assert!(silence_us(true) < silence_us(false));
}

fn hello_of_phone(attempt: u64) -> PeerMessage {
    let PeerMessage::Hello(hello) = hello(attempt) else { panic!("a greeting") };
    PeerMessage::Hello(Hello { kind: MemberKind::Phone, battery: true, ..hello })
}

#[test]
fn a_phone_that_has_come_is_offered_a_link_and_told_all_by_the_way_that_it_came() {
    let mut bench = meshed();
    bench.give(Input::Lan(LanEvent::Guest { device: key(5).device().clone() }));
    bench.wait(SECOND / 2);
    let attempt = bench.attempt_at(5).expect("at once, and not when nobody else has");
    let signal = Signal { attempt, kind: SignalKind::Offer, body: "v=0".into() };
    bench.give(Input::Mesh(MeshEvent::Signal { to: key(5).device().clone(), signal }));
    assert_eq!(bench.ways_to(5), (Vec::new(), true, false));
    bench.give(Input::Mesh(MeshEvent::Up { peer: key(5).device().clone(), attempt }));
    bench.say(5, hello_of_phone(0));
    bench.wait(SECOND);
    assert_eq!(bench.link_with(5), Some(PeerState::Connected));
}

#[test]
fn a_phone_that_is_gone_is_not_tried_again() {
    let mut bench = meshed();
    bench.give(Input::Lan(LanEvent::Guest { device: key(5).device().clone() }));
    bench.wait(SECOND / 2);
    let attempt = bench.attempt_at(5).unwrap();
    bench.give(Input::Mesh(MeshEvent::Up { peer: key(5).device().clone(), attempt }));
    bench.say(5, hello_of_phone(0));
    bench.give(Input::Lan(LanEvent::Lost { device: key(5).device().clone() }));
    bench.give(Input::Mesh(MeshEvent::Down { peer: key(5).device().clone(), attempt, reason: "gone".into() }));
    bench.wait(100 * SECOND);
    assert_eq!(bench.attempt_at(5), Some(attempt));
}

#[test]
fn a_phone_that_controls_is_no_hub_for_anyone() {
    let mut before = meshed();
    before.join(led_by(key(5).device().as_str()), 0);
    let (saved, mesh) = (Some(before.saved()), MeshSettings { enabled: true, ..MeshSettings::default() });
    let mut bench = Bench::new(Start { mesh, saved, has_server: false, ..in_convoy() });
    bench.link(5, 1);
    bench.say(5, hello_of_phone(1));
    for car in [3, 4] {
        bench.give(Input::Lan(LanEvent::Found { device: key(car).device().clone() }));
    }
    bench.wait(SECOND / 2);
    assert_eq!(bench.status().controller.as_deref(), Some(key(5).device().as_str()));
    // Of the two places this car has one.
    let tried = [3, 4].iter().filter(|car| bench.attempt_at(**car).is_some()).count();
    assert_eq!((tried, bench.attempt_at(5)), (1, None));
}
