//! Cars in a convoy: joining, changes, the clock, signals, presence.

use crate::jamz_server::Server;
use crate::node_peers::Peers;
use serde_json::{Value, json};
use std::time::Duration;

pub(crate) fn join(convoy: &str, device: &str, user: &str) -> Value {
    json!({ "convoy": convoy, "device": device, "user": user, "name": format!("{device} of {user}") })
}

/// A change of `device`, dated with convoy time.
pub(crate) fn change(device: &str, sequence: u64, time_us: i64, action: Value) -> Value {
    json!({ "id": { "device": device, "sequence": sequence }, "hlc": { "time_us": time_us, "count": 0 }, "term": 0,
        "action": action })
}

pub(crate) fn add(device: &str, sequence: u64, time_us: i64, title: &str) -> Value {
    let track = json!({ "id": format!("track-{sequence}"), "title": title, "duration_us": 200_000_000 });
    let entry = format!("{device}:{sequence}");
    change(device, sequence, time_us, json!({ "type": "add", "entry": entry, "track": track, "order": [sequence, []] }))
}

pub(crate) fn play(device: &str, sequence: u64, at: i64, entry: &str, track: &str) -> Value {
    let anchor = json!({ "entry": entry, "track": track, "position_us": 5_000_000, "at": at, "playing": true });
    change(device, sequence, at, json!({ "type": "play", "anchor": anchor }))
}

/// Convoy time now, by the server.
pub(crate) fn convoy_time(peers: &mut Peers, peer: &str) -> i64 {
    peers.ask(peer, "jamz-probe", json!({}))["sent"].as_i64().unwrap()
}

/// Two cars, `a` and `b`, of different people in convoy `c`.
pub(crate) fn two_cars(server: &Server, peers: &mut Peers) {
    for (device, user) in [("a", "ann"), ("b", "bob")] {
        peers.open(device, &server.url(), server.token(user, "*"));
        let joined = peers.ask(device, "jamz-join", join("c", device, user));
        assert!(joined.get("snapshot").is_some(), "{joined}");
    }
}

#[test]
fn a_change_is_acknowledged_and_reaches_the_other_car_once() {
    let server = Server::start(&[]);
    let mut peers = Peers::start();
    two_cars(&server, &mut peers);
    let members = peers.next_where("a", "jamz-members", |m| m["members"].as_array().unwrap().len() == 2);
    assert_eq!(members["members"][1]["name"], "b of bob");
    let now = convoy_time(&mut peers, "a");
    let added = add("a", 1, now, "Пісня 歌 🎵");
    let ack = peers.ask("a", "jamz-change", added.clone());
    assert_eq!(ack, json!({ "id": added["id"], "verdict": "applied" }));
    assert_eq!(peers.next("b", "jamz-change")["action"]["track"]["title"], "Пісня 歌 🎵");
    assert_eq!(peers.ask("a", "jamz-change", added)["verdict"], "duplicate");
    assert!(peers.silent("b", &["jamz-change"], Duration::from_millis(300)));
    assert!(peers.silent("a", &["jamz-change"], Duration::from_millis(1)));
}

#[test]
fn a_late_car_gets_the_whole_state_and_the_one_in_control_leads() {
    let server = Server::start(&[]);
    let mut peers = Peers::start();
    two_cars(&server, &mut peers);
    let now = convoy_time(&mut peers, "a");
    assert_eq!(peers.ask("a", "jamz-change", add("a", 1, now, "one"))["verdict"], "applied");
    assert_eq!(peers.ask("a", "jamz-change", play("a", 2, now + 200_000, "a:1", "track-1"))["verdict"], "applied");
    let denied = peers.ask("b", "jamz-change", play("b", 1, now + 300_000, "a:1", "track-1"));
    assert_eq!(denied["verdict"], "refused");
    assert!(denied["reason"].as_str().unwrap().contains("a is the DJ"), "{denied}");
    assert_eq!(peers.next("b", "jamz-state")["snapshot"]["controller"], "a");
    peers.open("late", &server.url(), server.token("cat", "c"));
    let joined = peers.ask("late", "jamz-join", join("c", "late", "cat"));
    assert_eq!(joined["snapshot"]["controller"], "a");
    assert_eq!(joined["snapshot"]["playlist"]["slots"]["a:1"]["track"]["title"], "one");
    assert_eq!(joined["snapshot"]["timeline"]["anchors"][0]["anchor"]["position_us"], 5_000_000);
    assert_eq!(joined["members"].as_array().unwrap().len(), 3);
}

#[test]
fn convoy_time_only_goes_forward_and_is_the_same_for_all() {
    let server = Server::start(&[]);
    let mut peers = Peers::start();
    two_cars(&server, &mut peers);
    let mut last = 0;
    for n in 0..100 {
        let peer = if n % 2 == 0 { "a" } else { "b" };
        let probed = peers.ask(peer, "jamz-probe", json!({ "roundTripUs": 40_000, "boundUs": 900 }));
        let (received, sent) = (probed["received"].as_i64().unwrap(), probed["sent"].as_i64().unwrap());
        assert!(last < received && received <= sent, "{last} {probed}");
        assert!((150_000..=2_000_000).contains(&probed["leadUs"].as_i64().unwrap()));
        last = sent;
    }
    peers.ask("b", "jamz-probe", json!({ "roundTripUs": 700_000 }));
    let mut lead = 0;
    for _ in 0..50 {
        lead = peers.ask("a", "jamz-probe", json!({}))["leadUs"].as_i64().unwrap();
        if lead == 760_000 {
            break;
        }
    }
    assert_eq!(lead, 760_000);
}

#[test]
fn the_first_car_of_a_new_convoy_brings_its_time() {
    let server = Server::start(&[]);
    let mut peers = Peers::start();
    peers.open("a", &server.url(), server.token("ann", "*"));
    let mut with_claim = join("c", "a", "ann");
    with_claim["claim"] = json!({ "convoy": 77_000_000_000_i64, "boundUs": 500 });
    peers.ask("a", "jamz-join", with_claim);
    let now = convoy_time(&mut peers, "a");
    assert!((77_000_000_000..77_060_000_000).contains(&now), "{now}");
}

#[test]
fn signals_reach_the_one_addressed_or_all_members_and_nobody_else() {
    let server = Server::start(&[]);
    let mut peers = Peers::start();
    two_cars(&server, &mut peers);
    for (device, convoy) in [("c", "c"), ("stranger", "elsewhere")] {
        peers.open(device, &server.url(), server.token(device, "*"));
        peers.ask(device, "jamz-join", join(convoy, device, device));
    }
    let signal =
        |to: Value| json!({ "sessionId": "c", "from": "forged", "to": to, "type": "offer", "data": { "sdp": "v=0" } });
    peers.tell("a", "webrtc-signal", signal(json!("b")));
    let heard = peers.next("b", "webrtc-signal");
    assert_eq!((&heard["from"], &heard["data"]["sdp"]), (&json!("a"), &json!("v=0")));
    peers.tell("a", "webrtc-signal", signal(json!(null)));
    peers.next("b", "webrtc-signal");
    peers.next("c", "webrtc-signal");
    for peer in ["a", "c", "stranger"] {
        assert!(peers.silent(peer, &["webrtc-signal"], Duration::from_millis(200)), "{peer}");
    }
    let bad =
        peers.ask("a", "webrtc-signal", json!({ "sessionId": "c", "from": "a", "to": null, "type": "pwn", "data": 1 }));
    assert!(bad["error"].as_str().unwrap().contains("ice-candidate"), "{bad}");
    peers.open("outside", &server.url(), server.token("eve", "*"));
    let outside = peers.ask("outside", "webrtc-signal", signal(json!(null)));
    assert!(outside["error"].as_str().unwrap().contains("join a convoy"), "{outside}");
}

#[test]
fn who_leaves_is_gone_and_who_is_lost_is_away() {
    let server = Server::start(&[]);
    let mut peers = Peers::start();
    two_cars(&server, &mut peers);
    peers.open("c", &server.url(), server.token("cat", "c"));
    peers.ask("c", "jamz-join", join("c", "c", "cat"));
    peers.close("c");
    let away = |m: &Value| m["members"].as_array().unwrap().iter().any(|m| m["device"] == "c" && m["online"] == false);
    peers.next_where("a", "jamz-members", away);
    assert_eq!(peers.ask("b", "jamz-leave", json!({})), json!({}));
    let gone = |m: &Value| m["members"].as_array().unwrap().iter().all(|m| m["device"] != "b");
    peers.next_where("a", "jamz-members", gone);
    let after = peers.ask("b", "jamz-change", add("b", 1, 1, "x"));
    assert!(after["error"].as_str().unwrap().contains("join a convoy"), "{after}");
}

#[test]
fn a_car_that_comes_in_again_replaces_its_old_connection_and_nobody_takes_its_name() {
    let server = Server::start(&[]);
    let mut peers = Peers::start();
    two_cars(&server, &mut peers);
    peers.open("a-again", &server.url(), server.token("ann", "c"));
    assert!(peers.ask("a-again", "jamz-join", join("c", "a", "ann")).get("snapshot").is_some());
    assert!(peers.next("a", "jamz-error")["error"].as_str().unwrap().contains("newer connection"));
    peers.next("a", "disconnect");
    let taken = peers.ask("b", "jamz-join", join("c", "a", "bob"));
    assert!(taken["error"].as_str().unwrap().contains("in use by ann"), "{taken}");
    let reserved = peers.ask("b", "jamz-join", join("c", "phone:ann", "bob"));
    assert!(reserved["error"].as_str().unwrap().contains("given by the server"), "{reserved}");
}

#[test]
fn names_in_any_script_and_at_their_longest_are_kept() {
    let server = Server::start(&[]);
    let mut peers = Peers::start();
    let (convoy, user, device) = ("Конвой 道路 🚗 ".repeat(4), "عمر ن 用户".repeat(4), "車".repeat(21));
    peers.open("a", &server.url(), server.token(&user, &convoy));
    let joined = peers.ask(
        "a",
        "jamz-join",
        json!({ "convoy": convoy, "device": device, "user": user, "name": "é".repeat(4_000) }),
    );
    let member = &joined["members"][0];
    assert_eq!((&member["device"], &member["user"]), (&json!(device), &json!(user)));
    assert_eq!(member["name"], "é".repeat(128));
    let mut added = add("x", 1, 1, &"長".repeat(1_000));
    added["id"]["device"] = json!(device);
    assert_eq!(peers.ask("a", "jamz-change", added)["verdict"], "applied");
    let too_long = peers.ask("a", "jamz-join", json!({ "convoy": "c".repeat(129), "device": "d", "user": "u" }));
    assert!(too_long["error"].as_str().unwrap().contains("at most 128"), "{too_long}");
}

#[test]
fn health_and_figures_are_shown() {
    let mut server = Server::start(&[]);
    let mut peers = Peers::start();
    two_cars(&server, &mut peers);
    let health = server.health();
    let shown = (&health["ok"], &health["convoys"], &health["members"], &health["storage"], &health["redis"]);
    assert_eq!(shown, (&json!(true), &json!(1), &json!(2), &json!("ok"), &json!("off")));
    assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
    let now = convoy_time(&mut peers, "a");
    peers.ask("a", "jamz-change", add("a", 1, now, "x"));
    let (status, figures) = server.get("/metrics");
    assert_eq!(status, 200);
    assert!(figures.contains("jamz_changes_total{verdict=\"applied\"} 1"), "{figures}");
    assert!(figures.contains("jamz_commit_seconds_count") && figures.ends_with("# EOF\n"), "{figures}");
    assert_eq!(server.get("/elsewhere").0, 404);
    for (method, path) in [("OPTIONS", "/socket.io/"), ("GET", "/socket.io/?EIO=4&transport=polling")] {
        let response = server.request(method, path);
        assert!(
            response.starts_with("HTTP/1.1 20") && response.contains("access-control-allow-origin: *"),
            "{response}"
        );
    }
    assert!(server.terminate(), "it ends well");
    peers.next("a", "disconnect");
}
