//! Who is put out of a convoy with `jamz-server revoke`: what he holds is void, and he is told so.

use crate::cars::add;
use crate::jamz_server::{Server, run};
use crate::node_peers::Peers;
use crate::tickets::{convoy, credentials, enter, key};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jamz::core::changes::Change;
use jamz::core::ticket::{Credentials, Standing, Tickets, WallTime};
use serde_json::{Value, json};
use std::process::Output;
use std::time::{Duration, Instant};

/// A running server does what was noted within this.
const ACTS_WITHIN: Duration = Duration::from_secs(30);

fn revoke(server: &Server, user: &str, undo: bool) -> Output {
    let state = server.state.to_str().unwrap();
    let mut arguments = vec!["revoke", "--state", state, "--user", user, "--convoy", "c", "--log", "error"];
    arguments.extend(undo.then_some("--undo"));
    run(&arguments)
}

#[track_caller]
fn revoked(server: &Server, user: &str, undo: bool) -> Instant {
    let output = revoke(server, user, undo);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Instant::now()
}

/// Connects and joins as the car with this key.
fn come(peers: &mut Peers, server: &Server, device: u8, user: &str) -> Value {
    let challenge = peers.open(user, &server.url(), server.token(user, "c"));
    enter(peers, device, user, Some((device, &challenge)))
}

/// An addition that the car with this key has signed.
fn added(device: u8, sequence: u64, time_us: i64) -> Value {
    let name = key(device).device().to_string();
    let mut change: Change = serde_json::from_value(add(&name, sequence, time_us, "a track")).unwrap();
    key(device).sign_change(&mut change, &convoy());
    json!(change)
}

/// The next list of void tickets that a peer is told.
fn told(peers: &mut Peers, peer: &str) -> Credentials {
    loop {
        let told = credentials(peers, peer);
        if told.revocations.is_some() {
            return told;
        }
    }
}

#[test]
fn who_is_put_out_is_let_go_with_the_reason_and_kept_out_and_his_ticket_is_void_and_all_that_until_he_is_let_in_again()
{
    let mut server = Server::start(&[]);
    let mut peers = Peers::start();
    assert!(come(&mut peers, &server, 1, "ann").get("snapshot").is_some());
    assert!(come(&mut peers, &server, 2, "eve").get("snapshot").is_some());
    let now = crate::cars::convoy_time(&mut peers, "ann");
    assert_eq!(peers.ask("eve", "jamz-change", added(2, 1, now))["verdict"], "applied");
    let tickets = credentials(&mut peers, "eve").tickets;

    let noted = revoked(&server, "eve", false);
    let reason = peers.next("eve", "jamz-error")["error"].as_str().unwrap().to_owned();
    assert!(reason.contains("eve was put out of this convoy"), "{reason}");
    assert!(noted.elapsed() < ACTS_WITHIN);
    peers.next("eve", "disconnect");
    let list = told(&mut peers, "ann");
    let mut book = Tickets::default();
    book.trust(&list.issuer);
    assert!(book.take_revocations(&list.revocations.unwrap(), &convoy()));
    for ticket in &tickets {
        let standing = book.standing(ticket, &ticket.device, &convoy(), WallTime::default());
        assert_eq!(standing == Standing::Revoked, ticket.user.as_str() == "eve", "{standing}");
    }
    assert!(tickets.iter().any(|ticket| ticket.user.as_str() == "eve"));

    for restarted in [false, true] {
        if restarted {
            server.kill();
            server.restart();
            assert!(come(&mut peers, &server, 1, "ann").get("snapshot").is_some());
        }
        let answer = come(&mut peers, &server, 2, "eve");
        assert!(answer["error"].as_str().is_some_and(|error| error.contains("put out")), "{answer}");
        // What he does reaches the server by others, too.
        let passed_on = peers.ask("ann", "jamz-change", added(2, 2 + u64::from(restarted), now));
        assert!(passed_on["reason"].as_str().is_some_and(|reason| reason.contains("revoked")), "{passed_on}");
    }

    revoked(&server, "eve", true);
    while !told(&mut peers, "ann").revocations.unwrap().users.is_empty() {}
    let joined = come(&mut peers, &server, 2, "eve");
    let slots = joined["snapshot"]["playlist"]["slots"].as_object();
    assert_eq!(slots.map(serde_json::Map::len), Some(1), "what he did before stays: {joined}");
    assert_eq!(peers.ask("eve", "jamz-change", added(2, 9, now))["verdict"], "applied");
}

#[test]
fn a_guest_of_who_is_put_out_is_let_go_with_him_and_kept_out_and_his_ticket_is_void_in_every_car() {
    let server = Server::start(&[]);
    let mut peers = Peers::start();
    assert!(come(&mut peers, &server, 1, "ann").get("snapshot").is_some());
    assert!(come(&mut peers, &server, 2, "eve").get("snapshot").is_some());
    let links = [(); 2].map(|()| peers.ask("eve", "jamz-invite", json!({ "convoy": "c" }))["token"].clone());
    let visit = |peers: &mut Peers, device: u8, token: &Value| {
        let payload = token.as_str().unwrap().split('.').nth(1).unwrap();
        let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
        let user = claims["sub"].as_str().unwrap().to_owned();
        let challenge = peers.open(&user, &server.url(), json!({ "token": token }));
        (enter(peers, device, &user, Some((device, &challenge))), user)
    };
    let (joined, guest) = visit(&mut peers, 3, &links[0]);
    assert!(joined.get("snapshot").is_some(), "{joined}");

    revoked(&server, "eve", false);
    for peer in ["eve", &guest] {
        let reason = peers.next(peer, "jamz-error")["error"].as_str().unwrap().to_owned();
        assert!(reason.contains("eve was put out of this convoy"), "{peer}: {reason}");
        peers.next(peer, "disconnect");
    }
    let mut book = Tickets::default();
    let list = loop {
        let told = credentials(&mut peers, "ann");
        book.trust(&told.issuer);
        for ticket in &told.tickets {
            book.take_ticket(ticket, &convoy());
        }
        if let Some(list) = told.revocations {
            break list;
        }
    };
    assert!(book.take_revocations(&list, &convoy()));
    assert!(book.is_put_out(key(3).device()) && !book.is_put_out(key(1).device()), "{book:?}");
    for link in &links {
        let (answer, _) = visit(&mut peers, 4, link);
        assert!(answer["error"].as_str().is_some_and(|error| error.contains("eve was put out")), "{answer}");
    }
}

#[test]
fn who_is_put_out_while_no_server_runs_does_not_get_in_when_it_does_and_a_wrong_directory_is_named() {
    let mut server = Server::start(&[]);
    let mut peers = Peers::start();
    assert!(server.terminate());
    revoked(&server, "eve", false);
    server.restart();
    let answer = come(&mut peers, &server, 2, "eve");
    assert!(answer["error"].as_str().is_some_and(|error| error.contains("put out")), "{answer}");
    assert!(come(&mut peers, &server, 1, "ann").get("snapshot").is_some());

    let wrong = run(&["revoke", "--state", "/nonexistent", "--user", "eve", "--convoy", "c"]);
    assert!(!wrong.status.success() && String::from_utf8_lossy(&wrong.stderr).contains("--state"));
    let open = run(&["revoke", "--open", "--user", "eve", "--convoy", "c"]);
    assert!(!open.status.success() && String::from_utf8_lossy(&open.stderr).contains("nobody can be put out"));
}

#[test]
fn a_phone_that_is_put_out_is_let_go_and_does_not_come_back() {
    let server = Server::start(&[]);
    let mut peers = Peers::start();
    peers.open("phone", &server.url(), server.token("eve", "c"));
    let who = json!({ "sessionId": "c", "groupId": "g", "userId": "eve", "display_name": "Eve" });
    peers.tell("phone", "join-music-session", who.clone());
    peers.next("phone", "music-session-state");
    revoked(&server, "eve", false);
    assert!(peers.next("phone", "jamz-error")["error"].as_str().unwrap().contains("put out"));
    peers.next("phone", "disconnect");
    for event in ["join-music-session", "join-audio-session"] {
        peers.open("phone", &server.url(), server.token("eve", "c"));
        peers.tell("phone", event, who.clone());
        assert!(peers.next("phone", "jamz-error")["error"].as_str().unwrap().contains("put out"), "{event}");
    }
}
