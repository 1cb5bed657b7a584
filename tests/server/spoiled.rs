//! What must not count at the server, of joins and of changes, and what is good beside it. For tokens: `tokens.rs`.

use crate::cars::convoy_time;
use crate::jamz_server::Server;
use crate::node_peers::Peers;
use crate::tickets::{convoy, enter, key};
use jamz::core::changes::{Action, Change, ChangeId, Hlc};
use jamz::core::clock::ConvoyTime;
use jamz::core::election::Term;
use jamz::core::id::ConvoyId;
use jamz::core::timeline::Anchor;
use serde_json::{Value, json};

/// A signed change of the car with this key.
fn signed(author: u8, sequence: u64, term: u64, time_us: i64, action: Action) -> Change {
    let id = ChangeId { device: key(author).device().clone(), sequence };
    let hlc = Hlc { time_us, count: 0 };
    let mut change = Change { id, hlc, term: Term(term), user: None, action, signature: None };
    key(author).sign_change(&mut change, &convoy());
    change
}

fn seek(position_s: i64, at_us: i64) -> Action {
    let at = ConvoyTime(at_us);
    Action::Seek { anchor: Anchor { position_us: position_s * 1_000_000, ..Anchor::empty(at) } }
}

#[test]
fn of_all_joins_that_are_spoiled_none_is_let_in_and_the_good_one_is() {
    let server = Server::start(&[]);
    let mut peers = Peers::start();
    let old = peers.open("old", &server.url(), server.token("ann", "c"));
    let challenge = peers.open("ann", &server.url(), server.token("ann", "c"));
    let elsewhere = ConvoyId::new("elsewhere").unwrap();
    let base = |proof: Option<String>| {
        let mut join = json!({ "convoy": "c", "device": key(1).device().as_str(), "user": "ann" });
        join["proof"] = json!(proof);
        join
    };
    let with = |field: &str, value: Value| {
        let mut join = base(Some(key(1).prove_join(&convoy(), &challenge)));
        join[field] = value;
        join
    };
    for (name, join) in [
        ("forged", with("proof", json!("A".repeat(88)))),
        ("without a proof (alg none)", base(None)),
        ("with an empty proof", with("proof", json!(""))),
        ("proved with a wrong key", base(Some(key(2).prove_join(&convoy(), &challenge)))),
        ("proved for another convoy", base(Some(key(1).prove_join(&elsewhere, &challenge)))),
        ("proved for another connection (replayed)", base(Some(key(1).prove_join(&convoy(), &old)))),
        ("with a proof that is something else (wrong audience)", {
            with("proof", json!(signed(1, 1, 0, 1, Action::TakeControl).signature))
        }),
        ("another device, with this one's proof", with("device", json!(key(2).device().as_str()))),
        ("another user than the token's", with("user", json!("eve"))),
        ("a convoy that the token does not open", with("convoy", json!("elsewhere"))),
    ] {
        let answer = peers.ask("ann", "jamz-join", join);
        assert!(answer["error"].is_string(), "{name}: {answer}");
    }
    let joined = peers.ask("ann", "jamz-join", with("user", json!("ann")));
    assert!(joined.get("snapshot").is_some(), "{joined}");
}

/// Who brings which change, one after the other.
fn good_changes(now: i64) -> Vec<(&'static str, Change)> {
    vec![
        ("ben", signed(2, 1, 0, now + 1, Action::TakeControl)),
        ("ben", signed(2, 2, 0, now + 2, seek(20, now))),
        ("ann", signed(1, 1, 3, now + 3, Action::TakeControl)),
        // One passes on what another said.
        ("cat", signed(1, 2, 3, now + 40, seek(40, now + 40))),
        ("cat", signed(4, 1, 0, now + 4, Action::TakeControl)),
        ("ann", signed(1, 3, 4, now + 50, Action::TakeControl)),
        ("ann", signed(1, 4, 4, now + 60, seek(60, now + 60))),
    ]
}

/// What is wrong with which change, and who brings it.
fn spoiled_changes(now: i64) -> Vec<(&'static str, &'static str, Change)> {
    let later = |by: u8, n: u64| signed(by, n, 5, now + 100, seek(99, now + 100));
    let with = |mut change: Change, alter: &dyn Fn(&mut Change)| {
        alter(&mut change);
        change
    };
    let elsewhere = ConvoyId::new("elsewhere").unwrap();
    vec![
        ("forged", "ben", with(later(1, 10), &|c| c.hlc.count = 7)),
        ("not signed (alg none), by another", "ben", with(later(1, 11), &|c| c.signature = None)),
        (
            "signed with a wrong key",
            "ben",
            with(later(1, 12), &|c| {
                c.signature = with(c.clone(), &|c| key(9).sign_change(c, &convoy())).signature;
            }),
        ),
        ("signed again by who passes it on", "ben", with(later(1, 13), &|c| key(2).sign_change(c, &convoy()))),
        ("for another convoy", "ann", with(later(1, 14), &|c| key(1).sign_change(c, &elsewhere))),
        (
            "signed for something else (wrong audience)",
            "ann",
            with(later(1, 15), &|c| {
                c.signature = Some(key(1).prove_join(&convoy(), "challenge"));
            }),
        ),
        (
            "in another user's name",
            "ann",
            with(later(1, 16), &|c| {
                c.user = jamz::core::id::UserId::new("ben").ok();
                key(1).sign_change(c, &convoy());
            }),
        ),
        ("by a wrong author: one who does not lead", "ben", later(2, 10)),
        ("by a wrong author, brought by who leads", "ann", later(2, 11)),
        ("by a wrong role", "eve", later(3, 10)),
        ("by a wrong role: control", "eve", signed(3, 11, 9, now + 100, Action::TakeControl)),
        ("by a wrong role, brought by a DJ", "ann", signed(3, 12, 9, now + 100, Action::TakeControl)),
        ("from a term that is over", "ben", signed(2, 12, 0, now + 100, seek(99, now + 100))),
        ("control from a term that is over", "ben", signed(2, 13, 0, now + 100, Action::TakeControl)),
        (
            "from a time that nobody has",
            "ann",
            with(later(1, 18), &|c| {
                c.hlc.time_us = 1 << 53;
                key(1).sign_change(c, &convoy());
            }),
        ),
    ]
}

#[test]
fn of_all_changes_that_are_spoiled_none_counts_and_all_that_are_good_do() {
    let server = Server::start(&[]);
    let mut peers = Peers::start();
    for (user, device, role) in [("ann", 1, "dj"), ("ben", 2, "dj"), ("eve", 3, "listener"), ("cat", 4, "owner")] {
        let challenge = peers.open(user, &server.url(), server.token_as(role, user, "c"));
        assert!(enter(&mut peers, device, user, Some((device, &challenge))).get("snapshot").is_some());
    }
    let now = convoy_time(&mut peers, "ann");
    let mut good = 0;
    for (by, change) in good_changes(now) {
        let answer = peers.ask(by, "jamz-change", json!(change));
        good += usize::from(answer["verdict"] == "applied");
        assert!(answer["verdict"] == "applied" || change.id.device == *key(4).device(), "{answer}");
    }
    let holds = |peers: &mut Peers| {
        let challenge = peers.open("look", &server.url(), server.token("look", "c"));
        let mut joined = enter(peers, 9, "look", Some((9, &challenge)));
        let anchors = joined["snapshot"]["timeline"]["anchors"].as_array().unwrap().clone();
        peers.close("look");
        (joined["snapshot"]["controller"].take(), anchors.last().unwrap().clone())
    };
    let before = holds(&mut peers);
    assert_eq!(before.0, json!(key(1).device().as_str()));
    assert_eq!(before.1["anchor"]["position_us"], 60_000_000);

    let rows = spoiled_changes(now);
    for (name, by, change) in &rows {
        let answer = peers.ask(by, "jamz-change", json!(change));
        assert_ne!(answer["verdict"], "applied", "{name}: {answer}");
    }
    // What was good in its time, and comes late (reordered): it is taken in, and what is newer goes on to count.
    let late = signed(1, 17, 4, now + 55, seek(99, now + 55));
    assert_eq!(peers.ask("ann", "jamz-change", json!(late))["verdict"], "applied");
    // All that was ever good, again.
    for _ in 0..20 {
        for (by, change) in [
            ("ann", signed(1, 4, 4, now + 60, seek(60, now + 60))),
            ("ben", signed(2, 1, 0, now + 1, Action::TakeControl)),
        ] {
            assert_eq!(peers.ask(by, "jamz-change", json!(change))["verdict"], "duplicate");
        }
    }
    eprintln!("{} spoiled and 40 replayed: 0 accepted; {good} good: all accepted", rows.len());
    assert_eq!(holds(&mut peers), before);
}
