//! Who is let in, and what the others are told.

use crate::jamz_server::{Server, run};
use crate::node_peers::Peers;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

const SECRET: &str = "a secret of at least thirty-two bytes";
const FAR: u64 = 4_000_000_000;
/// An Ed25519 key made for these tests alone.
const PRIVATE_PEM: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIOdxY6nKdBhg82COE0rh617+3IoSznKGOnsLuQYyOsnI
-----END PRIVATE KEY-----
";
const PUBLIC_PEM: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAZ3J9LOrYYgb8mgBcgcN8RGbB3yxprjbmuxhUzhBKNr0=
-----END PUBLIC KEY-----
";

fn claims() -> Value {
    json!({ "sub": "ann", "aud": "jamz", "exp": FAR, "convoy": "one" })
}

fn hs256(claims: &Value, secret: &str) -> Value {
    let key = EncodingKey::from_secret(secret.as_bytes());
    json!({ "token": encode(&Header::new(Algorithm::HS256), claims, &key).unwrap() })
}

fn with(key: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[key] = value;
    claims
}

fn without(key: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(key);
    claims
}

#[test]
fn only_a_good_token_opens_the_door_and_each_other_is_told_why() {
    let directory = tempfile::tempdir().unwrap();
    let secret_file = directory.path().join("secret");
    std::fs::write(&secret_file, format!("{SECRET}\n")).unwrap();
    std::fs::set_permissions(&secret_file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let server = Server::start(&["--jwt-secret-file", secret_file.to_str().unwrap()]);
    let mut peers = Peers::start();
    let unsigned = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiJhbm4iLCJhdWQiOiJqYW16IiwiZXhwIjo0MDAwMDAwMDAwfQ.";
    let hs512 =
        encode(&Header::new(Algorithm::HS512), &claims(), &EncodingKey::from_secret(SECRET.as_bytes())).unwrap();
    let eddsa =
        encode(&Header::new(Algorithm::EdDSA), &claims(), &EncodingKey::from_ed_pem(PRIVATE_PEM.as_bytes()).unwrap());
    for (auth, says) in [
        (json!({}), "no token"),
        (json!({ "token": 7 }), "no token"),
        (json!([]), "no token"),
        (json!({ "token": "garbage" }), "no token (JWT)"),
        (json!({ "token": "" }), "no token (JWT)"),
        (json!({ "token": "a.b.c" }), "no token (JWT)"),
        (json!({ "token": "x".repeat(20_000) }), "longer than"),
        (json!({ "token": unsigned }), "takes tokens signed with HS256"),
        (json!({ "token": hs512 }), "takes tokens signed with HS256"),
        (json!({ "token": eddsa.unwrap() }), "takes tokens signed with HS256"),
        (hs256(&claims(), "another secret of thirty-two bytes!!"), "not signed with this server's key"),
        (hs256(&with("exp", json!(1_000)), SECRET), "expired: ask for a new one"),
        (hs256(&with("nbf", json!(FAR - 1_000)), SECRET), "not valid yet"),
        (hs256(&with("aud", json!("elsewhere")), SECRET), "another service"),
        (hs256(&without("aud"), SECRET), "lacks `aud`"),
        (hs256(&without("exp"), SECRET), "lacks `exp`"),
        (hs256(&without("sub"), SECRET), "lacks `sub`"),
        (hs256(&with("sub", json!("")), SECRET), "must not be empty"),
    ] {
        let reason = peers.refused(&server.url(), auth.clone());
        assert!(reason.contains(says), "{auth}: {reason}");
    }
    peers.open("ann", &server.url(), hs256(&claims(), SECRET));
    assert!(server.get("/metrics").1.contains("jamz_handshakes_refused_total 18"));
}

#[test]
fn a_public_key_takes_its_own_signatures_and_is_no_secret() {
    let directory = tempfile::tempdir().unwrap();
    let key_file = directory.path().join("public.pem");
    std::fs::write(&key_file, PUBLIC_PEM).unwrap();
    let server = Server::start(&["--jwt-public-key-file", key_file.to_str().unwrap()]);
    let mut peers = Peers::start();
    let key = EncodingKey::from_ed_pem(PRIVATE_PEM.as_bytes()).unwrap();
    let token = encode(&Header::new(Algorithm::EdDSA), &claims(), &key).unwrap();
    peers.open("ann", &server.url(), json!({ "token": token }));
    let confused = peers.refused(&server.url(), hs256(&claims(), PUBLIC_PEM));
    assert!(confused.contains("takes tokens signed with EdDSA"), "{confused}");
    let denied = peers.ask("ann", "jamz-token", json!({}));
    assert!(denied["error"].as_str().unwrap().contains("issues no tokens"), "{denied}");
}

#[test]
fn a_token_opens_its_own_convoys_for_its_own_user_and_can_be_renewed() {
    let server = Server::start(&[]);
    let mut peers = Peers::start();
    let auth = server.token("ann", "one");
    peers.open("ann", &server.url(), auth.clone());
    let join = |convoy: &str, user: &str| json!({ "convoy": convoy, "device": "car-a", "user": user });
    let other = peers.ask("ann", "jamz-join", join("two", "ann"));
    assert!(other["error"].as_str().unwrap().contains("does not allow two"), "{other}");
    let other = peers.ask("ann", "jamz-join", join("one", "bob"));
    assert!(other["error"].as_str().unwrap().contains("cannot be used as bob"), "{other}");
    assert!(peers.ask("ann", "jamz-join", join("one", "ann")).get("snapshot").is_some());
    // A token of a later second expires later.
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    let fresh = peers.ask("ann", "jamz-token", json!({}));
    assert_ne!(fresh["token"], auth["token"]);
    peers.open("again", &server.url(), json!({ "token": fresh["token"] }));
    assert!(peers.ask("again", "jamz-join", join("one", "ann")).get("snapshot").is_some());
}

#[test]
fn a_token_says_when_it_was_made_and_is_renewed_for_no_longer_than_it_was_made_for() {
    let server = Server::start(&[]);
    let state = server.state.to_str().unwrap();
    let made = run(&["token", "--state", state, "--user", "guest", "--convoy", "one", "--days", "1"]);
    let token = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    let life = |token: &str| {
        let claims = jsonwebtoken::dangerous::insecure_decode::<Value>(token).unwrap().claims;
        (claims["iat"].as_u64().unwrap(), claims["exp"].as_u64().unwrap())
    };
    let (issued, ends) = life(&token);
    assert_eq!(ends - issued, 86_400);
    let mut peers = Peers::start();
    peers.open("guest", &server.url(), json!({ "token": token }));
    let fresh = peers.ask("guest", "jamz-token", json!({}));
    let (renewed, renewed_ends) = life(fresh["token"].as_str().unwrap());
    assert!(renewed >= issued && renewed_ends - renewed == 86_400, "{issued} {renewed} {renewed_ends}");
}

#[test]
fn a_token_that_names_no_convoy_is_refused_unless_the_server_is_told_to_take_it() {
    let directory = tempfile::tempdir().unwrap();
    let secret_file = directory.path().join("secret");
    std::fs::write(&secret_file, SECRET).unwrap();
    std::fs::set_permissions(&secret_file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let flags = ["--jwt-secret-file", secret_file.to_str().unwrap()];
    let mut peers = Peers::start();
    let strict = Server::start(&flags);
    let reason = peers.refused(&strict.url(), hs256(&without("convoy"), SECRET));
    assert!(reason.contains("lacks `convoy`"), "{reason}");
    let told = Server::start(&[&flags[..], &["--tokens-without-convoy"]].concat());
    peers.open("phone", &told.url(), hs256(&without("convoy"), SECRET));
    peers.tell("phone", "join-music-session", json!({ "sessionId": "any", "groupId": "g", "userId": "ann" }));
    assert_eq!(peers.next("phone", "music-session-state")["is_playing"], false);
}

#[test]
fn a_token_is_never_made_with_a_secret_that_no_server_knows() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("elsewhere");
    let refused = run(&["token", "--state", state.to_str().unwrap(), "--user", "ann", "--convoy", "one"]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && refused.stdout.is_empty(), "{said}");
    assert!(said.contains("elsewhere/jwt-secret") && said.contains("--state"), "{said}");
    assert!(!state.exists(), "nothing is made");
}

#[test]
fn a_log_that_is_no_terminal_has_no_colours() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    std::fs::create_dir(&state).unwrap();
    std::fs::write(state.join("jwt-secret"), SECRET).unwrap();
    std::fs::set_permissions(state.join("jwt-secret"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let made = run(&["token", "--state", state.to_str().unwrap(), "--user", "ann", "--convoy", "one"]);
    let said = String::from_utf8(made.stderr).unwrap();
    assert!(said.contains("can read the secret") && !said.contains('\u{1b}'), "{said:?}");
}

#[test]
fn without_a_key_a_secret_is_made_and_without_tokens_only_on_demand() {
    let server = Server::start(&[]);
    assert!(server.state.join("jwt-secret").exists());
    let mut peers = Peers::start();
    assert!(peers.refused(&server.url(), json!({})).contains("jamz-server token"));
    let open = Server::start(&["--open"]);
    peers.open("anyone", &open.url(), json!({}));
    let joined = peers.ask("anyone", "jamz-join", json!({ "convoy": "c", "device": "d", "user": "u" }));
    assert!(joined.get("snapshot").is_some(), "{joined}");
}

#[test]
fn phones_without_a_token_are_let_in_as_phones_only() {
    let server = Server::start(&["--phones-without-token"]);
    let mut peers = Peers::start();
    peers.open("phone", &server.url(), json!({}));
    peers.tell("phone", "join-music-session", json!({ "sessionId": "s", "groupId": "g", "userId": "u" }));
    assert_eq!(peers.next("phone", "music-session-state")["is_playing"], false);
    let denied = peers.ask("phone", "jamz-join", json!({ "convoy": "s", "device": "d", "user": "u" }));
    assert!(denied["error"].as_str().unwrap().contains("no token"), "{denied}");
}

#[test]
fn a_wrong_configuration_is_refused_in_words() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let file = directory.path().join("c.toml");
    let short = directory.path().join("short");
    std::fs::write(&short, "hunter2").unwrap();
    let in_vain = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let output = run(&["--config", file.to_str().unwrap(), "--state", state.to_str().unwrap()]);
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(in_vain("listne = \"x\"").contains("unknown field `listne`"));
    assert!(in_vain("listen = \"nowhere\"").contains("`listen` nowhere"));
    assert!(in_vain("open = true\njwt_secret_file = \"x\"").contains("remove `open`, or the keys"));
    assert!(in_vain("jwt_secret_file = \"/nowhere/x\"").contains("/nowhere/x"));
    assert!(in_vain(&format!("jwt_secret_file = {short:?}")).contains("needs at least 32"));
    let good = run(&["--check-config", "--config", concat!(env!("CARGO_MANIFEST_DIR"), "/config/jamz-server.toml")]);
    assert!(good.status.success());
}
