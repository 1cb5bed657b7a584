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

fn signal(from: u8, to: u8, attempt: u64, kind: SignalKind, body: &str) -> Box<SignedSignal> {
    let signal = Signal { attempt: Attempt(attempt), kind, body: body.into() };
    Box::new(key(from).sign_signal(key(to).device().clone(), signal, ConvoyId::new("convoy").unwrap()))
}

fn offer(from: u8, attempt: u64) -> Box<SignedSignal> {
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
    })
}

impl Bench {
    fn hear(&mut self, signed: Box<SignedSignal>) {
        self.give(Input::Lan(LanEvent::Signal(signed)));
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
    for n in 0..600 {
        bench.hear(signal(3, ME, 18, SignalKind::IceCandidate, &n.to_string()));
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
    bench.say(3, PeerMessage::Signal { signal: relayed, hops: 0 });
    assert_eq!(bench.ways_to(5), (vec![key(4).device().clone()], false, false));
    let unheard_of = signal(3, 6, 1, SignalKind::Offer, "v=0");
    bench.say(3, PeerMessage::Signal { signal: unheard_of, hops: 0 });
    assert_eq!(bench.ways_to(6), (vec![key(4).device().clone()], false, false), "not back to where it came from");
}
