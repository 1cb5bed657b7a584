//! Links for phones: who may give them, what they are good for, and for how long.

use crate::cars::join;
use crate::jamz_server::Server;
use crate::node_peers::Peers;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jamz::core::id::ConvoyId;
use jamz::core::signature::DeviceKey;
use jamz::core::ticket::{Credentials, Role};
use serde_json::{Value, json};

fn claims(token: &Value) -> Value {
    let payload = token.as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

fn invite(peers: &mut Peers, peer: &str, role: Option<&str>) -> Value {
    peers.ask(peer, "jamz-invite", json!({ "convoy": "c", "role": role }))
}

#[test]
fn a_guest_comes_in_by_the_token_of_his_host_for_a_day_and_gets_a_ticket_no_longer_than_that() {
    let server = Server::start(&[]);
    let mut peers = Peers::start();
    peers.open("ann", &server.url(), server.token_as("owner", "ann", "c"));
    let invited = invite(&mut peers, "ann", None);
    let said = claims(&invited["token"]);
    assert_eq!((&invited["role"], &said["role"], &said["guest_of"]), (&json!("dj"), &json!("dj"), &json!("ann")));
    assert_eq!(said["convoy"], json!(["c"]));
    assert_eq!(invited["expiresUnixS"], said["exp"]);
    assert_eq!(said["exp"].as_u64().unwrap() - said["iat"].as_u64().unwrap(), 86_400);
    let user = said["sub"].as_str().unwrap().to_owned();
    assert_ne!(claims(&invite(&mut peers, "ann", None)["token"])["sub"], json!(user), "each is somebody else");

    let challenge = peers.open("guest", &server.url(), json!({ "token": invited["token"] }));
    let key = DeviceKey::from_secret(&[3; 32]).unwrap();
    let mut wish = join("c", key.device().as_str(), &user);
    wish["proof"] = json!(key.prove_join(&ConvoyId::new("c").unwrap(), &challenge));
    assert!(peers.ask("guest", "jamz-join", wish).get("snapshot").is_some());
    let told: Credentials = serde_json::from_value(peers.next("guest", "jamz-tickets")).unwrap();
    let [ticket] = &told.tickets[..] else { panic!("{told:?}") };
    assert_eq!((ticket.role, ticket.user.as_str()), (Role::Dj, user.as_str()));
    assert!(ticket.expires_unix_s.abs_diff(said["exp"].as_u64().unwrap()) <= 1, "{ticket:?}");

    for (event, wish) in [("jamz-token", json!({})), ("jamz-invite", json!({ "convoy": "c" }))] {
        let answer = peers.ask("guest", event, wish);
        assert!(answer["error"].as_str().is_some_and(|error| error.contains("ask whoever invited you")), "{answer}");
    }
    peers.open("astray", &server.url(), json!({ "token": invited["token"] }));
    assert!(peers.ask("astray", "jamz-join", join("other", "x", &user))["error"].is_string());
}

#[test]
fn nobody_gives_away_what_he_has_not() {
    let server = Server::start(&[]);
    let mut peers = Peers::start();
    peers.open("lea", &server.url(), server.token_as("listener", "lea", "c"));
    peers.open("dan", &server.url(), server.token_as("dj", "dan", "c"));
    assert_eq!(claims(&invite(&mut peers, "lea", None)["token"])["role"], "listener");
    assert_eq!(claims(&invite(&mut peers, "dan", Some("listener"))["token"])["role"], "listener");
    for (peer, role) in [("lea", "dj"), ("lea", "owner"), ("dan", "owner"), ("dan", "king")] {
        let answer = invite(&mut peers, peer, Some(role));
        assert!(answer["error"].is_string() && answer.get("token").is_none(), "{peer}, {role}: {answer}");
    }
    let elsewhere = peers.ask("dan", "jamz-invite", json!({ "convoy": "elsewhere" }));
    assert!(elsewhere["error"].as_str().unwrap().contains("does not allow elsewhere"), "{elsewhere}");
}

#[test]
fn a_server_without_tokens_invites_without_one() {
    let server = Server::start(&["--open"]);
    let mut peers = Peers::start();
    peers.open("ann", &server.url(), json!({}));
    assert_eq!(invite(&mut peers, "ann", None), json!({ "role": "dj" }));
}
