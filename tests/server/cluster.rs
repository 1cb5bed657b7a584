//! Two instances behind one Redis, and everything that can go away.

use crate::cars::{add, convoy_time, join, play};
use crate::jamz_server::Server;
use crate::node_peers::Peers;
use crate::redis_server::Redis;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Generous, as the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(20);

/// Redis, two instances, and a car at each.
struct Stage {
    redis: Redis,
    first: Server,
    second: Server,
    peers: Peers,
}

impl Stage {
    fn new() -> Self {
        let redis = Redis::start();
        let start = || Server::start(&["--open", "--redis", &redis.url()]);
        let (first, second) = (start(), start());
        let mut stage = Self { redis, first, second, peers: Peers::start() };
        stage.car("a", true);
        stage.car("b", false);
        stage
    }

    fn url(&self, at_first: bool) -> String {
        if at_first { self.first.url() } else { self.second.url() }
    }

    /// Brings a car into the convoy; returns what it is told.
    fn car(&mut self, device: &str, at_first: bool) -> Value {
        let url = self.url(at_first);
        self.peers.open(device, &url, json!({}));
        let joined = self.peers.ask(device, "jamz-join", join("c", device, device));
        assert!(joined.get("snapshot").is_some(), "{joined}");
        joined
    }

    fn add(&mut self, device: &str, sequence: u64) -> Value {
        self.peers.ask(device, "jamz-change", add(device, sequence, 1, &format!("{device} {sequence}")))
    }

    /// Adds as a car does, again and again until it is acknowledged.
    fn add_in_the_end(&mut self, device: &str, sequence: u64) {
        let begun = Instant::now();
        loop {
            let ack = self.add(device, sequence);
            if ["applied", "duplicate"].iter().any(|verdict| ack["verdict"] == **verdict) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{ack}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn await_redis(&self, state: &str) {
        let begun = Instant::now();
        while [&self.first, &self.second].iter().any(|server| server.health()["redis"] != state) {
            assert!(begun.elapsed() < PATIENCE, "Redis is not {state}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn entries(joined: &Value) -> usize {
    joined["snapshot"]["playlist"]["slots"].as_object().unwrap().len()
}

#[test]
fn cars_at_two_instances_are_one_convoy() {
    let mut stage = Stage::new();
    assert_eq!(stage.add("a", 1)["verdict"], "applied");
    assert_eq!(stage.peers.next("b", "jamz-change")["action"]["entry"], "a:1");
    assert_eq!(stage.add("b", 1)["verdict"], "applied");
    assert_eq!(stage.peers.next("a", "jamz-change")["action"]["entry"], "b:1");
    let both = |m: &Value| m["members"].as_array().unwrap().iter().filter(|m| m["online"] == true).count() == 2;
    stage.peers.next_where("a", "jamz-members", both);
    stage.peers.next_where("b", "jamz-members", both);
    let mut last = 0;
    for n in 0..20 {
        let now = convoy_time(&mut stage.peers, if n % 2 == 0 { "a" } else { "b" });
        assert!(now > last, "{last} then {now}");
        last = now;
    }
    let signal = json!({ "sessionId": "c", "from": "b", "to": "a", "type": "offer", "data": {} });
    stage.peers.tell("b", "webrtc-signal", signal);
    assert_eq!(stage.peers.next("a", "webrtc-signal")["from"], "b");
    assert_eq!(entries(&stage.car("late", false)), 2);
    stage.peers.close("b");
    let away = |m: &Value| m["members"].as_array().unwrap().iter().any(|m| m["device"] == "b" && m["online"] == false);
    stage.peers.next_where("a", "jamz-members", away);
}

#[test]
fn phones_at_two_instances_share_music_calls_and_places() {
    let mut stage = Stage::new();
    for (user, at_first) in [("ann", true), ("bob", false)] {
        let url = stage.url(at_first);
        stage.peers.open(user, &url, json!({}));
        stage.peers.tell(user, "join-music-session", json!({ "sessionId": "c", "userId": user }));
        stage.peers.next(user, "music-session-state");
        stage.peers.tell(user, "join-audio-session", json!({ "sessionId": "c", "userId": user, "display_name": user }));
        stage.peers.next(user, "current-participants");
    }
    assert_eq!(stage.peers.next("ann", "participant-joined")["userId"], "bob");
    stage.peers.tell("bob", "music-take-control", json!({ "sessionId": "c", "userId": "bob" }));
    stage.peers.next_where("ann", "music-controller-changed", |c| c["userId"] == "bob");
    stage.peers.tell("bob", "playlist-update", json!({ "sessionId": "c", "playlist": [{ "id": "t", "duration": 9 }] }));
    stage.peers.next_where("ann", "playlist-update", |u| u["playlist"][0]["id"] == "t");
    stage.peers.tell("bob", "webrtc-offer", json!({ "sessionId": "c", "offer": 1 }));
    assert_eq!(stage.peers.next("ann", "webrtc-offer")["offer"], 1);
    stage.peers.close("bob");
    stage.peers.next("ann", "participant-left");
}

#[test]
fn when_the_deciding_instance_dies_another_goes_on_with_all_that_was_acknowledged() {
    let mut stage = Stage::new();
    for n in 1..=30 {
        assert_eq!(stage.add("a", n)["verdict"], "applied");
    }
    let began = convoy_time(&mut stage.peers, "b");
    assert_eq!(stage.peers.ask("a", "jamz-change", play("a", 31, began, "a:1", "track-1"))["verdict"], "applied");
    stage.first.kill();
    let killed = Instant::now();
    let state = stage.peers.next("b", "jamz-state");
    assert!(killed.elapsed() < Duration::from_secs(12), "{:?}", killed.elapsed());
    assert_eq!(entries(&state), 30);
    assert_eq!(state["snapshot"]["timeline"]["anchors"][0]["anchor"]["at"], began);
    stage.add_in_the_end("b", 1);
    let now = convoy_time(&mut stage.peers, "b");
    assert!((began..began + 60_000_000).contains(&now), "{began} then {now}");
    stage.first.restart();
    assert_eq!(entries(&stage.car("a", true)), 31);
    assert_eq!(stage.add("a", 32)["verdict"], "applied");
    stage.peers.next_where("b", "jamz-change", |change| change["id"]["sequence"] == 32);
}

#[test]
fn while_redis_is_away_each_goes_on_and_afterwards_nothing_is_missing() {
    let mut stage = Stage::new();
    assert_eq!(stage.add("a", 1)["verdict"], "applied");
    stage.peers.next("b", "jamz-change");
    let before = convoy_time(&mut stage.peers, "b");
    stage.redis.kill();
    stage.await_redis("disconnected");
    // Each is joined by another car, and they hear each other.
    stage.peers.forget("a");
    stage.peers.forget("b");
    assert_eq!(entries(&stage.car("a2", true)), 1);
    assert_eq!(entries(&stage.car("b2", false)), 1);
    for (device, other) in [("a", "a2"), ("b", "b2")] {
        for n in 2..=6 {
            stage.add_in_the_end(device, n);
            stage.peers.next_where(other, "jamz-change", |change| change["id"]["sequence"] == n);
        }
    }
    let during = convoy_time(&mut stage.peers, "b");
    assert!((before..before + 60_000_000).contains(&during), "{before} then {during}");
    assert_eq!(stage.first.health()["ok"], true);
    stage.redis.restart();
    stage.await_redis("connected");
    for device in ["a", "b", "a2", "b2"] {
        stage.peers.next_where(device, "jamz-state", |state| entries(state) == 11);
    }
    for device in ["a", "b"] {
        stage.add_in_the_end(device, 7);
    }
    stage.peers.next_where("b2", "jamz-change", |change| change["id"] == json!({ "device": "a", "sequence": 7 }));
    stage.peers.next_where("a2", "jamz-change", |change| change["id"] == json!({ "device": "b", "sequence": 7 }));
    assert_eq!(entries(&stage.car("late", true)), 13);
    assert_eq!(entries(&stage.car("late2", false)), 13);
}

#[test]
fn an_instance_starts_without_redis_and_shares_when_it_comes() {
    let mut redis = Redis::start();
    redis.kill();
    let first = Server::start(&["--open", "--redis", &redis.url()]);
    let mut peers = Peers::start();
    peers.open("a", &first.url(), json!({}));
    peers.ask("a", "jamz-join", join("c", "a", "a"));
    assert_eq!(peers.ask("a", "jamz-change", add("a", 1, 1, "alone"))["verdict"], "applied");
    redis.restart();
    let begun = Instant::now();
    while first.health()["redis"] != "connected" {
        assert!(begun.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(50));
    }
    let second = Server::start(&["--open", "--redis", &redis.url()]);
    peers.open("b", &second.url(), json!({}));
    let joined = peers.ask("b", "jamz-join", join("c", "b", "b"));
    assert_eq!(entries(&joined), 1);
    assert_eq!(peers.ask("b", "jamz-change", add("b", 1, 1, "both"))["verdict"], "applied");
    assert_eq!(peers.next("a", "jamz-change")["action"]["entry"], "b:1");
}
