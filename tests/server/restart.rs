//! The server ends in every way: nothing that it acknowledged is lost, and convoy time goes on.

use crate::cars::{add, convoy_time, join, play, two_cars};
use crate::jamz_server::{Server, run};
use crate::node_peers::Peers;
use serde_json::{Value, json};
use std::time::Duration;

/// Changes whose acknowledgement nobody waits for.
const TOLD: u64 = 60;

fn titles(joined: &Value) -> Vec<String> {
    let slots = joined["snapshot"]["playlist"]["slots"].as_object().unwrap();
    slots.values().map(|slot| slot["track"]["title"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_was_acknowledged_survives_being_killed_and_time_goes_on() {
    let mut server = Server::start(&[]);
    let mut peers = Peers::start();
    two_cars(&server, &mut peers);
    let began = convoy_time(&mut peers, "a");
    for n in 1..=40 {
        let ack = peers.ask("a", "jamz-change", add("a", n, began, &format!("title {n}")));
        assert_eq!(ack["verdict"], "applied");
    }
    assert_eq!(peers.ask("a", "jamz-change", play("a", 41, began, "a:1", "track-1"))["verdict"], "applied");
    let before = convoy_time(&mut peers, "a");
    server.kill();
    peers.next("a", "disconnect");
    server.restart();
    peers.open("a", &server.url(), server.token("ann", "c"));
    let joined = peers.ask("a", "jamz-join", join("c", "a", "ann"));
    assert_eq!(titles(&joined).len(), 40);
    assert_eq!(joined["snapshot"]["controller"], "a");
    assert_eq!(joined["snapshot"]["timeline"]["anchors"][0]["anchor"]["at"], began);
    let after = convoy_time(&mut peers, "a");
    assert!((before..before + 60_000_000).contains(&after), "{before} then {after}");
    assert_eq!(peers.ask("a", "jamz-change", add("a", 40, began, "title 40"))["verdict"], "duplicate");
}

#[test]
fn it_is_killed_at_any_instant_amid_changes_and_loses_none_that_it_acknowledged() {
    const KILLS: u64 = 40;
    let mut server = Server::start(&[]);
    let mut peers = Peers::start();
    let (mut kept, mut under_way) = (0, 0);
    for round in 0..KILLS {
        peers.open("a", &server.url(), server.token("ann", "c"));
        let joined = peers.ask("a", "jamz-join", join("c", "a", "ann"));
        let found = titles(&joined).len() as u64;
        assert!((kept..=kept + TOLD).contains(&found), "round {round}: {found} of {kept}");
        under_way += u64::from(found > kept && found < kept + TOLD);
        kept = found;
        for _ in 0..10 {
            assert_eq!(peers.ask("a", "jamz-change", add("a", kept + 1, 1, "x"))["verdict"], "applied");
            kept += 1;
        }
        for n in 1..=TOLD {
            peers.tell("a", "jamz-change", add("a", kept + n, 1, "x"));
        }
        std::thread::sleep(Duration::from_micros(round * 7_919 % 5_000));
        server.kill();
        server.restart();
    }
    eprintln!("{kept} changes kept over {KILLS} kills, {under_way} of them amid changes");
    assert!(under_way > 0, "no kill came amid changes");
}

#[test]
fn it_ends_well_when_asked_to_and_remembers_who_was_there() {
    let mut server = Server::start(&[]);
    let mut peers = Peers::start();
    two_cars(&server, &mut peers);
    peers.ask("a", "jamz-change", add("a", 1, 1, "one"));
    assert!(server.terminate());
    server.restart();
    peers.open("a", &server.url(), server.token("ann", "c"));
    let joined = peers.ask("a", "jamz-join", join("c", "a", "ann"));
    assert_eq!(titles(&joined), ["one"]);
    let members: Vec<_> = joined["members"].as_array().unwrap().iter().map(|m| (&m["device"], &m["online"])).collect();
    assert_eq!(members, [(&json!("a"), &json!(true)), (&json!("b"), &json!(false))]);
}

#[test]
fn a_second_server_on_the_same_state_is_told_so() {
    let server = Server::start(&[]);
    let state = server.state.to_str().unwrap();
    let second = run(&["--state", state, "--listen", "127.0.0.1:0"]);
    assert!(!second.status.success());
    let says = String::from_utf8(second.stderr).unwrap();
    assert!(says.contains("another jamz-server uses"), "{says}");
}

#[test]
fn when_the_disk_is_full_nothing_is_claimed_and_nothing_is_lost() {
    let mut server = Server::start(&[]);
    let mut peers = Peers::start();
    two_cars(&server, &mut peers);
    assert_eq!(peers.ask("a", "jamz-change", add("a", 1, 1, "kept"))["verdict"], "applied");
    server.terminate();
    // A limit on the size of files is a full disk to SQLite.
    server.limit_files_and_restart(64);
    peers.open("a", &server.url(), server.token("ann", "c"));
    assert!(peers.ask("a", "jamz-join", join("c", "a", "ann")).get("snapshot").is_some());
    let mut refused = None;
    for n in 2..400 {
        let ack = peers.ask("a", "jamz-change", add("a", n, 1, &"x".repeat(1_000)));
        if let Some(error) = ack.get("error") {
            refused = Some((n, error.as_str().unwrap().to_owned()));
            break;
        }
    }
    let (n, error) = refused.expect("the disk never filled up");
    assert!(error.contains("could not be stored"), "{error}");
    assert_eq!(server.get("/healthz").0, 503);
    let state = peers.next("a", "jamz-state");
    assert_eq!(state["snapshot"]["playlist"]["slots"].as_object().unwrap().len() as u64, n - 1);
    server.kill();
    server.restart();
    peers.open("a", &server.url(), server.token("ann", "c"));
    let joined = peers.ask("a", "jamz-join", join("c", "a", "ann"));
    assert_eq!(titles(&joined).len() as u64, n - 1);
    assert_eq!(peers.ask("a", "jamz-change", add("a", n, 1, "again"))["verdict"], "applied");
}
