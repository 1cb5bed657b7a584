//! A convoy that was founded on the roadside comes to a server: whose guests it knows by the cars that have come to it.

use crate::cars::convoy_time;
use crate::jamz_server::{Server, run};
use crate::node_peers::Peers;
use crate::tickets::{convoy, credentials, enter, key};
use jamz::core::changes::{Action, Change, ChangeId, Hlc};
use jamz::core::election::Term;
use jamz::core::signature::DeviceKey;
use jamz::core::ticket::{Role, Ticket, WallTime};
use serde_json::{Value, json};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const PATIENCE: Duration = Duration::from_secs(30);
const FOUNDER: u8 = 1;
const HOST: u8 = 2;
const GUEST: u8 = 3;

fn wall() -> WallTime {
    WallTime::UnixS(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs())
}

/// That of a car which the founder let in.
fn let_in(device: u8) -> Ticket {
    let own = Ticket::found(&key(FOUNDER), &convoy(), wall()).unwrap();
    own.vouch(&key(FOUNDER), key(device).device()).unwrap()
}

/// That of a guest of such a car.
fn guest_of(host: u8, guest: u8) -> Ticket {
    let_in(host).vouch_guest(&key(host), key(guest).device(), Role::Dj, wall()).unwrap()
}

/// What somebody did, and by which ticket, as another brings it.
fn brought(author: &DeviceKey, sequence: u64, action: Action, time_us: i64, ticket: Option<&Ticket>) -> Value {
    let id = ChangeId { device: author.device().clone(), sequence };
    let hlc = Hlc { time_us, count: 0 };
    let mut change = Change { id, hlc, term: Term(0), user: None, action, signature: None };
    author.sign_change(&mut change, &convoy());
    let mut brought = json!(change);
    if let Some(ticket) = ticket {
        brought["authorsTicket"] = json!(ticket);
    }
    brought
}

fn come(peers: &mut Peers, server: &Server, device: u8, user: &str, role: &str) {
    let challenge = peers.open(user, &server.url(), server.token_as(role, user, "c"));
    assert!(enter(peers, device, user, Some((device, &challenge))).get("snapshot").is_some());
}

fn rule(server: &Server, user: &str, undo: bool) {
    let state = server.state.to_str().unwrap();
    let mut arguments = vec!["revoke", "--state", state, "--user", user, "--convoy", "c", "--log", "error"];
    arguments.extend(undo.then_some("--undo"));
    assert!(run(&arguments).status.success());
}

/// Asks until the answer is as wanted.
fn until(peers: &mut Peers, mut ask: impl FnMut(&mut Peers) -> Value, wanted: impl Fn(&Value) -> bool) {
    let begun = Instant::now();
    loop {
        let answer = ask(peers);
        if wanted(&answer) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{answer}");
    }
}

fn is_refused(answer: &Value, words: &str) -> bool {
    answer["verdict"] == "refused" && answer["reason"].as_str().is_some_and(|reason| reason.contains(words))
}

#[test]
fn a_guest_of_a_car_that_has_come_is_known_by_the_chain_of_its_ticket_and_by_nobodys_word() {
    let mut server = Server::start(&[]);
    let mut peers = Peers::start();
    come(&mut peers, &server, HOST, "ben", "dj");
    come(&mut peers, &server, 5, "eve", "listener");
    come(&mut peers, &server, 6, "cat", "dj");
    let now = convoy_time(&mut peers, "ben");
    let mut sequence = 0;
    let mut take = |peers: &mut Peers, by: &str, author: u8, ticket: Option<&Ticket>| {
        sequence += 1;
        let change = brought(&key(author), sequence, Action::TakeControl, now + sequence as i64, ticket);
        peers.ask(by, "jamz-change", change)
    };
    let good = guest_of(HOST, GUEST);
    let with = |by: u8, alter: &dyn Fn(&mut Ticket)| {
        let mut ticket = good.clone();
        alter(&mut ticket);
        let issuer = ticket.issuer.clone();
        key(by).sign_ticket(&mut ticket);
        Ticket { issuer, ..ticket }
    };
    let for_role = |role| let_in(HOST).vouch_guest(&key(HOST), key(GUEST).device(), role, wall()).unwrap();
    let yesterday = WallTime::UnixS(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() - 90_000);
    let old = let_in(HOST).vouch_guest(&key(HOST), key(GUEST).device(), Role::Dj, yesterday).unwrap();
    for (name, ticket, words) in [
        ("none", None, "no ticket"),
        ("signed by the guest", Some(with(GUEST, &|_| ())), "no ticket"),
        ("signed by who brings it", Some(with(6, &|_| ())), "no ticket"),
        ("of a listener's car", Some(guest_of(5, GUEST)), "no ticket"),
        ("of a car that has not come", Some(guest_of(7, GUEST)), "no ticket"),
        ("no guest's: a car that he let in", let_in(HOST).vouch(&key(HOST), key(GUEST).device()), "no ticket"),
        ("another guest's", Some(guest_of(HOST, 8)), "no ticket"),
        ("to listen by", Some(for_role(Role::Listener)), "may not take control"),
        ("of long ago", Some(old), "expired"),
    ] {
        let answer = take(&mut peers, "cat", GUEST, ticket.as_ref());
        assert!(is_refused(&answer, words), "{name}: {answer}");
    }
    assert_eq!(take(&mut peers, "cat", GUEST, Some(&good))["verdict"], "applied", "whoever brings it");
    loop {
        // The others are told by which ticket, as they pass it on.
        if credentials(&mut peers, "eve").tickets == [good.clone()] {
            break;
        }
    }
    assert!(take(&mut peers, "cat", GUEST, None)["verdict"] == "applied", "his ticket is known now");

    assert!(server.terminate());
    server.restart();
    come(&mut peers, &server, 6, "cat", "dj");
    assert_eq!(take(&mut peers, "cat", GUEST, None)["verdict"], "applied", "and after a restart");
}

#[test]
fn a_cars_guest_is_put_out_with_his_host_and_alone_and_comes_back_by_no_ticket_of_the_roadside() {
    let server = Server::start(&[]);
    let mut peers = Peers::start();
    come(&mut peers, &server, HOST, "ben", "dj");
    come(&mut peers, &server, 6, "cat", "dj");
    let now = convoy_time(&mut peers, "cat");
    let mut sequence = 0;
    let mut take = |peers: &mut Peers, author: u8, ticket: &Ticket| {
        sequence += 1;
        // No faster than a person would.
        std::thread::sleep(Duration::from_millis(600));
        let change = brought(&key(author), sequence, Action::TakeControl, now + sequence as i64, Some(ticket));
        peers.ask("cat", "jamz-change", change)
    };
    let (first, second) = (guest_of(HOST, GUEST), guest_of(HOST, 4));
    for (guest, ticket) in [(GUEST, &first), (4, &second)] {
        assert_eq!(take(&mut peers, guest, ticket)["verdict"], "applied");
    }
    rule(&server, key(GUEST).device().as_str(), false);
    until(&mut peers, |peers| take(peers, GUEST, &first), |answer| is_refused(answer, "revoked"));
    assert_eq!(take(&mut peers, 4, &second)["verdict"], "applied", "the other stays");

    rule(&server, "ben", false);
    until(&mut peers, |peers| take(peers, 4, &second), |answer| is_refused(answer, "revoked"));
    let later = guest_of(HOST, 8);
    assert!(is_refused(&take(&mut peers, 8, &later), "revoked"), "whom he invites from now on");
    assert!(is_refused(&take(&mut peers, HOST, &let_in(HOST)), "revoked"), "he himself, by the founder's word");

    rule(&server, "ben", true);
    until(&mut peers, |peers| take(peers, 4, &second), |answer| answer["verdict"] == "applied");
    assert!(is_refused(&take(&mut peers, GUEST, &first), "revoked"));
}
