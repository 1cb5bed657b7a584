//! Who gets a ticket, and what those may do who are only to listen.

use crate::cars::{add, change, convoy_time, join, play};
use crate::jamz_server::{Server, run};
use crate::node_peers::Peers;
use jamz::core::id::ConvoyId;
use jamz::core::signature::DeviceKey;
use jamz::core::ticket::{Credentials, Role, Standing, Tickets, WallTime};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) fn key(n: u8) -> DeviceKey {
    DeviceKey::from_secret(&[n; 32]).unwrap()
}

pub(crate) fn convoy() -> ConvoyId {
    ConvoyId::new("c").unwrap()
}

/// Joins as the car with this key and returns the server's answer; the proof is by the other key, for a challenge.
pub(crate) fn enter(peers: &mut Peers, device: u8, user: &str, proof: Option<(u8, &str)>) -> Value {
    let name = key(device).device().to_string();
    let mut join = join("c", &name, user);
    if let Some((by, challenge)) = proof {
        join["proof"] = json!(key(by).prove_join(&convoy(), challenge));
    }
    peers.ask(user, "jamz-join", join)
}

pub(crate) fn credentials(peers: &mut Peers, peer: &str) -> Credentials {
    serde_json::from_value(peers.next(peer, "jamz-tickets")).unwrap()
}

#[test]
fn a_car_that_proves_its_key_gets_a_ticket_and_nobody_joins_under_another_ones_key() {
    let server = Server::start(&[]);
    let mut peers = Peers::start();
    let ann = peers.open("ann", &server.url(), server.token_as("owner", "ann", "c"));
    let eve = peers.open("eve", &server.url(), server.token("eve", "c"));
    let proof_for_ann = key(1).prove_join(&convoy(), &ann);
    for proof in [None, Some((2, &*eve)), Some((1, "another connection's"))] {
        let answer = enter(&mut peers, 1, "eve", proof);
        assert!(answer["error"].as_str().is_some_and(|error| error.contains("`proof`")), "{answer}");
    }
    let mut replayed = join("c", key(1).device().as_str(), "eve");
    replayed["proof"] = json!(proof_for_ann);
    assert!(peers.ask("eve", "jamz-join", replayed)["error"].is_string());

    assert!(enter(&mut peers, 1, "ann", Some((1, &ann))).get("snapshot").is_some());
    let told = credentials(&mut peers, "ann");
    assert!(enter(&mut peers, 2, "eve", Some((2, &eve))).get("snapshot").is_some());
    let [ticket] = &told.tickets[..] else { panic!("{told:?}") };
    assert_eq!((ticket.user.as_str(), ticket.role), ("ann", Role::Owner));
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut tickets = Tickets::default();
    tickets.trust(&told.issuer);
    let standing = tickets.standing(ticket, key(1).device(), &convoy(), WallTime::UnixS(now_s));
    assert_eq!(standing, Standing::Valid);
    assert_eq!(credentials(&mut peers, "ann").tickets[0].user.as_str(), "eve", "the others' are shown as they come");
    assert_eq!(credentials(&mut peers, "eve").tickets.len(), 2);
    let mode = std::fs::metadata(server.state.join("ticket-key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_listener_hears_and_is_told_why_it_may_do_nothing_else() {
    let server = Server::start(&[]);
    let mut peers = Peers::start();
    for (device, role) in [("a", "dj"), ("b", "listener")] {
        peers.open(device, &server.url(), server.token_as(role, device, "c"));
        assert!(peers.ask(device, "jamz-join", join("c", device, device)).get("snapshot").is_some());
    }
    let now = convoy_time(&mut peers, "a");
    let take = |device: &str, sequence| change(device, sequence, now, json!({ "type": "take-control" }));
    for (made, says) in [
        (take("b", 1), "may not take control"),
        (add("b", 2, now, "mine"), "may not edit the playlist"),
        (play("b", 3, now, "a:2", "track-2"), "may not control playback"),
    ] {
        let answer = peers.ask("b", "jamz-change", made);
        let reason = answer["reason"].as_str().unwrap();
        assert!(answer["verdict"] == "refused" && reason.contains(says), "{answer}");
    }
    for made in [take("a", 1), add("a", 2, now, "ours"), play("a", 3, now + 9, "a:2", "track-2")] {
        assert_eq!(peers.ask("a", "jamz-change", made.clone())["verdict"], "applied");
        assert_eq!(peers.next("b", "jamz-change")["id"], made["id"]);
    }
    let refused = run(&["token", "--user", "x", "--convoy", "c", "--role", "king"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("a role is owner, dj or listener"));
}
