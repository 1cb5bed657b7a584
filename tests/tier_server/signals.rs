//! Signals of the mesh on their way over a server, in both dialects.

use crate::car::{Car, join};
use crate::node::Node;
use jamz::core::backend::{BackendCommand, BackendEvent};
use jamz::core::id::{ConvoyId, UserId};
use jamz::core::io::{ServerCommand, ServerEvent};
use jamz::core::mesh::{Attempt, Signal, SignalKind, SignedSignal};
use jamz::core::signature::{DeviceKey, check_signal};
use serde_json::json;
use std::time::{Duration, Instant};

fn key(n: u8) -> DeviceKey {
    DeviceKey::from_secret(&[n; 32]).unwrap()
}

fn signed(kind: SignalKind, body: &str) -> SignedSignal {
    let signal = Signal { attempt: Attempt(9), kind, body: body.into() };
    key(1).sign_signal(key(2).device().clone(), signal, ConvoyId::new("s").unwrap())
}

fn send(car: &Car, signed: &SignedSignal) {
    car.link.send(ServerCommand::Signal(Box::new(signed.clone())));
}

async fn hears(car: &mut Car, what: &str) -> SignedSignal {
    let ServerEvent::Signal(signed) = car.find(what, |e| matches!(e, ServerEvent::Signal(_))).await else {
        unreachable!()
    };
    *signed
}

#[tokio::test]
async fn the_own_dialect_carries_a_signal_in_the_users_shape_both_ways() {
    let mut node = Node::start("scripted.js", &json!({"acks": {"webrtc-signal": {}}})).await;
    let mut car = Car::at(node.url());
    car.up().await;
    let offer = signed(SignalKind::Offer, "v=0\r\n");
    send(&car, &offer);
    let said = node.got("webrtc-signal").await;
    assert_eq!(
        (&said["type"], &said["sessionId"], &said["data"]["sdp"]),
        (&json!("offer"), &json!("s"), &json!("v=0\r\n"))
    );
    assert_eq!((&said["from"], &said["to"]), (&json!(key(1).device()), &json!(key(2).device())));
    node.emit("webrtc-signal", &json!([said]));
    assert_eq!(hears(&mut car, "its own signal").await, offer);
}

#[tokio::test]
async fn what_browsers_signal_and_what_makes_no_sense_is_passed_over() {
    let mut node = Node::start("scripted.js", &json!({"acks": {"webrtc-signal": {"error": "no such car"}}})).await;
    let mut car = Car::at(node.url());
    car.up().await;
    for data in [json!({"sdp": {"type": "offer"}}), json!({"sdp": 1, "attempt": 1, "signature": "x"}), json!(null)] {
        let signal = json!({"sessionId": "s", "from": "f", "to": "t", "type": "offer", "data": data});
        node.emit("webrtc-signal", &json!([signal]));
    }
    send(&car, &signed(SignalKind::Answer, &"x".repeat(100_000)));
    send(&car, &signed(SignalKind::Answer, "v=0"));
    assert_eq!(node.got("webrtc-signal").await["data"]["sdp"], "v=0");
    node.emit("jamz-refused", &json!([{"id": {"device": "d", "sequence": 4}}]));
    let event = car.next().await;
    assert!(
        matches!(&event, ServerEvent::Refused { change, .. } if change.sequence == 4),
        "nothing else may have come: {event:?}"
    );
    car.link.send(join());
    assert!(matches!(car.next().await, ServerEvent::Joined { .. }));
}

/// A car in session `s` of today's backend.
async fn at_backend(node: &Node, user: &str) -> Car {
    let mut car = Car::at(node.url());
    car.up().await;
    let (convoy, user) = (ConvoyId::new("s").unwrap(), UserId::new(user).unwrap());
    car.link.send(ServerCommand::Backend(BackendCommand::JoinSession { convoy, user }));
    let session = |e: &ServerEvent| matches!(e, ServerEvent::Backend { event: BackendEvent::Session { .. }, .. });
    car.find("the session", session).await;
    car
}

#[tokio::test]
async fn todays_backend_carries_a_signal_to_all_in_the_session_and_the_signature_holds() {
    let node = Node::start("backend.js", &json!({})).await;
    let (ann, mut ben, mut cat) =
        (at_backend(&node, "ann").await, at_backend(&node, "ben").await, at_backend(&node, "cat").await);
    for (kind, body) in [
        (SignalKind::Offer, "v=0\r\na=é\r\n"),
        (SignalKind::Answer, "v=0"),
        (SignalKind::IceCandidate, "{ \"a\": 1.0}"),
    ] {
        let signal = signed(kind, body);
        send(&ann, &signal);
        for car in [&mut ben, &mut cat] {
            let heard = hears(car, body).await;
            assert_eq!((&heard, check_signal(&heard)), (&signal, Ok(())));
        }
    }
}

#[tokio::test]
async fn more_candidates_than_the_backend_takes_at_once_all_arrive_in_order_and_hold_up_no_offer() {
    const CANDIDATES: usize = 60;
    let mut node = Node::start("backend.js", &json!({})).await;
    let (ann, mut ben) = (at_backend(&node, "ann").await, at_backend(&node, "ben").await);
    let begun = Instant::now();
    for n in 0..CANDIDATES {
        send(&ann, &signed(SignalKind::IceCandidate, &n.to_string()));
    }
    send(&ann, &signed(SignalKind::Offer, "v=0"));
    let mut bodies = Vec::new();
    let mut offered = None;
    while bodies.len() < CANDIDATES {
        let Signal { kind, body, .. } = hears(&mut ben, "a candidate").await.signal;
        match kind {
            SignalKind::IceCandidate => bodies.push(body),
            _ => offered = Some(bodies.len()),
        }
    }
    assert_eq!(bodies, (0..CANDIDATES).map(|n| n.to_string()).collect::<Vec<_>>());
    assert!(offered.is_some_and(|before| before <= 50), "the offer came after {offered:?} candidates");
    assert!(begun.elapsed() >= Duration::from_secs(9), "in {:?}", begun.elapsed());
    assert!(node.lines().iter().all(|line| line.get("dropped").is_none()));
}

#[tokio::test]
async fn web_clients_and_cars_in_the_same_session_do_not_disturb_each_others_links() {
    let mut node = Node::start("backend.js", &json!({})).await;
    let (ann, mut ben) = (at_backend(&node, "ann").await, at_backend(&node, "ben").await);
    let options = json!({"url": node.url(), "sessionId": "s", "groupId": "g", "userId": "web", "token": ""});
    let mut web = Node::spawn("web-client.js", &options);
    node.find("the browser", |line| line["got"] == "join-music-session" && line["args"][0]["userId"] == "web").await;
    web.tell(&json!({"do": "call"}));
    node.got("webrtc-candidate").await;
    let nonsense = json!({"answer": {"jamz": {"from": 7}}, "from": "browser"});
    node.tell(&json!({"do": "emit", "sessionId": "s", "event": "webrtc-answer", "args": [nonsense]}));
    node.tell(&json!({"do": "emit", "sessionId": "s", "event": "webrtc-ready", "args": [{"from": "browser"}]}));
    for (kind, body) in [(SignalKind::Offer, "v=0"), (SignalKind::IceCandidate, "candidate:1")] {
        let signal = signed(kind, body);
        send(&ann, &signal);
        assert_eq!(hears(&mut ben, "the car's").await, signal, "what the browser said is no signal");
    }
    let begun = Instant::now();
    loop {
        web.tell(&json!({"do": "state"}));
        let state = web.expect("state").await["state"].take();
        if state["heard"].as_array().unwrap().iter().any(|heard| heard["event"] == "webrtc-candidate") {
            assert_eq!(state["applied"], json!([]));
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "the browser heard nothing: {state}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
