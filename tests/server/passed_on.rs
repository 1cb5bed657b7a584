//! Signed changes that another car brings, and signals between cars, through the real server and over Redis.

use crate::cars::{convoy_time, join, two_cars};
use crate::jamz_server::Server;
use crate::node_peers::Peers;
use crate::redis_server::Redis;
use jamz::core::changes::{Action, Change, ChangeId, Hlc};
use jamz::core::election::Term;
use jamz::core::id::ConvoyId;
use jamz::core::mesh::{Attempt, Signal, SignalKind};
use jamz::core::signature::{DeviceKey, check_signal};
use jamz::wire::server::{jamz as own, signal};
use serde_json::{Value, json};
use std::time::Duration;

fn key() -> DeviceKey {
    DeviceKey::from_secret(&[5; 32]).unwrap()
}

/// A change that a car signed which is not there.
fn signed(sequence: u64, time_us: i64, action: Action) -> Value {
    let mut change = Change {
        id: ChangeId { device: key().device().clone(), sequence },
        hlc: Hlc { time_us, count: 0 },
        term: Term(0),
        user: None,
        action,
        signature: None,
    };
    key().sign_change(&mut change, &ConvoyId::new("c").unwrap());
    json!(change)
}

/// The car that signs has been there once, and so has a ticket.
fn author_was_there(server: &Server, peers: &mut Peers) {
    let challenge = peers.open("author", &server.url(), server.token("cat", "c"));
    let mut join = join("c", key().device().as_str(), "cat");
    join["proof"] = json!(key().prove_join(&ConvoyId::new("c").unwrap(), &challenge));
    assert!(peers.ask("author", "jamz-join", join).get("snapshot").is_some());
    peers.ask("author", "jamz-leave", json!({}));
}

#[test]
fn a_change_reaches_the_server_by_a_neighbour_and_what_was_refused_is_told_to_all() {
    let server = Server::start(&[]);
    let mut peers = Peers::start();
    two_cars(&server, &mut peers);
    author_was_there(&server, &mut peers);
    let now = convoy_time(&mut peers, "a");
    let taken = signed(1, now, Action::TakeControl);
    assert_eq!(peers.ask("a", "jamz-change", taken.clone()), json!({ "id": taken["id"], "verdict": "applied" }));
    assert_eq!(peers.next("b", "jamz-change"), taken);
    assert_eq!(peers.ask("b", "jamz-change", taken.clone())["verdict"], "duplicate");

    let mut forged = taken.clone();
    forged["id"]["sequence"] = json!(2);
    let answer = peers.ask("a", "jamz-change", forged);
    assert!(answer["error"].as_str().unwrap().contains("the signature is not its author's"), "{answer}");

    let leads = json!({ "id": { "device": "b", "sequence": 1 }, "hlc": { "time_us": now + 9, "count": 0 }, "term": 0,
        "action": { "type": "take-control" } });
    assert_eq!(peers.ask("b", "jamz-change", leads)["verdict"], "applied");
    let refused = signed(3, now + 10, Action::ReleaseControl);
    assert_eq!(peers.ask("a", "jamz-change", refused.clone())["verdict"], "refused");
    for peer in ["a", "b"] {
        assert_eq!(peers.next(peer, "jamz-refused"), json!({ "id": refused["id"] }));
    }
    assert!(peers.silent("a", &["jamz-state"], Duration::from_millis(200)));
}

#[test]
fn a_signed_signal_passes_between_two_instances_as_its_author_made_it() {
    let redis = Redis::start();
    let start = || Server::start(&["--open", "--redis", &redis.url()]);
    let (first, second) = (start(), start());
    let mut peers = Peers::start();
    let me = key().device().to_string();
    for (device, server) in [(me.as_str(), &first), ("b", &second), ("c", &second)] {
        let challenge = peers.open(device, &server.url(), json!({}));
        let mut join = join("c", device, device);
        if device == me {
            join["proof"] = json!(key().prove_join(&ConvoyId::new("c").unwrap(), &challenge));
        }
        assert!(peers.ask(device, "jamz-join", join).get("snapshot").is_some());
    }
    let to = jamz::core::id::DeviceId::new("b").unwrap();
    for (kind, body) in [(SignalKind::Offer, "v=0\r\na=é"), (SignalKind::IceCandidate, r#"{"sdpMLineIndex": 0}"#)] {
        let body = body.to_owned();
        let made = key().sign_signal(
            to.clone(),
            Signal { attempt: Attempt(1 << 50), kind, body },
            ConvoyId::new("c").unwrap(),
        );
        assert_eq!(peers.ask(&me, "webrtc-signal", json!(signal::to_own(&made))), json!({}));
        let heard: own::Signal = serde_json::from_value(peers.next("b", "webrtc-signal")).unwrap();
        let heard = signal::from_own(&heard).unwrap().unwrap();
        assert_eq!((check_signal(&heard), heard), (Ok(()), made));
    }
    assert!(peers.silent("c", &["webrtc-signal"], Duration::from_millis(300)));
}
