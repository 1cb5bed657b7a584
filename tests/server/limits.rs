//! Floods, giants and nonsense: each is answered in words or dropped, and nobody else is disturbed.

use crate::cars::{add, change, convoy_time, join, two_cars};
use crate::jamz_server::Server;
use crate::node_peers::Peers;
use serde_json::{Value, json};

fn error(answer: &Value) -> &str {
    answer["error"].as_str().unwrap_or_else(|| panic!("no error: {answer}"))
}

#[test]
fn nonsense_is_answered_in_words_and_disturbs_nobody() {
    let server = Server::start(&[]);
    let mut peers = Peers::start();
    two_cars(&server, &mut peers);
    let nonsense = [
        json!(null),
        json!(7),
        json!("text"),
        json!([]),
        json!({}),
        json!({ "convoy": 1 }),
        json!({ "$deep": 100 }),
        json!({ "$bytes": 64 }),
        json!({ "id": "x", "action": { "type": "explode" } }),
        json!({ "data": { "$bytes": 9 } }),
    ];
    for event in ["jamz-join", "jamz-change", "webrtc-signal"] {
        for payload in &nonsense {
            let answer = peers.ask("a", event, payload.clone());
            assert!(!error(&answer).is_empty(), "{event} {payload}");
        }
        let answer = peers.ask_with("a", event, json!([]));
        assert!(!error(&answer).is_empty(), "{event} without arguments");
        let answer = peers.ask_with("a", event, json!([1, "two", { "$bytes": 3 }]));
        assert!(!error(&answer).is_empty(), "{event} with many arguments");
    }
    for event in
        ["jamz-probe", "join-music-session", "music-control", "playlist-update", "join-group", "made-up", "message"]
    {
        for payload in &nonsense {
            peers.tell("a", event, payload.clone());
        }
        peers.tell_with("a", event, json!([]));
    }
    let now = convoy_time(&mut peers, "a");
    for (bad, says) in [
        (add("b", 1, now, "forged"), "cannot speak for b"),
        (add("a", 0, now, "x"), "counts from 1"),
        (add("a", 1, 1 << 52, "x"), "ahead of the convoy"),
        (add("a", 1, now, &"x".repeat(5_000)), "at most 4096 bytes"),
        (add("a", 1, now, &"x".repeat(40_000)), "at most 32768 bytes"),
        (
            change("a", 1, now, json!({ "type": "play", "anchor": { "position_us": -1, "at": now, "playing": true } })),
            "from 0 to a week",
        ),
    ] {
        let answer = peers.ask("a", "jamz-change", bad);
        assert!(error(&answer).contains(says), "{answer}");
    }
    assert_eq!(peers.ask("a", "jamz-change", add("a", 1, now, "good"))["verdict"], "applied");
    assert_eq!(peers.next("b", "jamz-change")["action"]["track"]["title"], "good");
    assert_eq!(server.health()["ok"], true);
}

#[test]
fn nesting_beyond_reason_ends_only_that_connection() {
    let server = Server::start(&[]);
    let mut peers = Peers::start();
    two_cars(&server, &mut peers);
    peers.tell("b", "jamz-change", json!({ "$deep": 1_000 }));
    let now = convoy_time(&mut peers, "a");
    assert_eq!(peers.ask("a", "jamz-change", add("a", 1, now, "x"))["verdict"], "applied");
}

#[test]
fn a_flood_is_told_why_and_ended_and_others_go_on() {
    let server = Server::start(&[]);
    let mut peers = Peers::start();
    two_cars(&server, &mut peers);
    peers.flood("b", "jamz-probe", json!({}), 6_000);
    assert!(error(&peers.next("b", "jamz-error")).contains("too many messages"));
    peers.next("b", "disconnect");
    let now = convoy_time(&mut peers, "a");
    assert_eq!(peers.ask("a", "jamz-change", add("a", 1, now, "x"))["verdict"], "applied");
    assert!(server.get("/metrics").1.contains("jamz_connections_expelled_total 1"));
}

#[test]
fn who_asks_too_much_over_one_connection_after_another_is_let_in_no_more_for_a_time() {
    let server = Server::start(&[]);
    let mut peers = Peers::start();
    two_cars(&server, &mut peers);
    let refusal = (0..5).find_map(|n| {
        let name = format!("b{n}");
        peers.open(&name, &server.url(), server.token("bob", "*"));
        let answer = peers.ask(&name, "jamz-join", join("c", "b", "bob"));
        if answer["error"].is_string() {
            return Some(answer["error"].to_string());
        }
        // No connection has more than it may, and nothing is new.
        let now = convoy_time(&mut peers, &name);
        peers.flood(&name, "jamz-change", add("b", 1, now, "x"), 1_900);
        peers.ask(&name, "jamz-change", add("b", 1, now, "x"));
        peers.close(&name);
        None
    });
    assert!(refusal.is_some_and(|refusal| refusal.contains("over one connection after another")));
}

#[test]
fn a_burst_of_changes_within_the_limit_is_all_taken_in_order() {
    let server = Server::start(&[]);
    let mut peers = Peers::start();
    two_cars(&server, &mut peers);
    let now = convoy_time(&mut peers, "a");
    for n in 1..=500 {
        peers.tell("a", "jamz-change", add("a", n, now, "x"));
    }
    for n in 1..=500 {
        assert_eq!(peers.next("b", "jamz-change")["id"]["sequence"], n);
    }
}

#[test]
fn a_giant_message_ends_only_its_own_connection() {
    let server = Server::start(&[]);
    let mut peers = Peers::start();
    two_cars(&server, &mut peers);
    peers.tell("b", "music-sync", json!({ "sessionId": "c", "junk": "x".repeat(6 << 20) }));
    peers.next("b", "disconnect");
    let now = convoy_time(&mut peers, "a");
    assert_eq!(peers.ask("a", "jamz-change", add("a", 1, now, "x"))["verdict"], "applied");
}

#[test]
fn too_many_members_or_sessions_are_refused() {
    let server = Server::start(&["--open"]);
    let mut peers = Peers::start();
    for n in 0..64 {
        let name = format!("car-{n}");
        peers.open(&name, &server.url(), json!({}));
        assert!(peers.ask(&name, "jamz-join", join("c", &name, "u")).get("snapshot").is_some());
    }
    peers.open("one-more", &server.url(), json!({}));
    let full = peers.ask("one-more", "jamz-join", join("c", "one-more", "u"));
    assert!(error(&full).contains("the convoy is full"), "{full}");
    for n in 0..40 {
        peers.tell("one-more", "join-music-session", json!({ "sessionId": format!("s{n}"), "userId": "u" }));
    }
    for _ in 0..16 {
        peers.next("one-more", "music-session-state");
    }
    assert_eq!(server.health()["convoys"], 17);
}
