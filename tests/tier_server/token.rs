//! How tier 1 shows who the car is: tokens from a file, logins, refreshes, and what the driver is told when they fail.

use crate::car::{Car, join};
use crate::node::Node;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jamz::core::io::{Dialect, ServerEvent};
use jamz::tier::server::Config;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;

fn jwt(claims: &Value) -> String {
    format!("eyJhbGciOiJIUzI1NiJ9.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

/// A folder with a token, and with credentials when there is a password.
fn secrets(url: &str, token: Option<&str>, password: Option<&str>) -> (TempDir, Config) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    if let Some(token) = token {
        fs::write(path("token"), token).unwrap();
    }
    if let Some(password) = password {
        fs::write(path("credentials"), format!("ann@example.org\n{password}\n")).unwrap();
        fs::set_permissions(path("credentials"), fs::Permissions::from_mode(0o600)).unwrap();
    }
    let config = Config {
        url: Some(url.into()),
        token_file: Some(path("token")),
        credentials_file: password.map(|_| path("credentials")),
        ..Config::default()
    };
    (folder, config)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn the_token_is_shown_in_the_handshake() {
    let mut node = Node::start("scripted.js", &json!({"tokens": ["good"]})).await;
    let (_folder, config) = secrets(&node.url(), Some("good\n"), None);
    let mut car = Car::new(config);
    for _ in 0..2 {
        car.up().await;
        assert_eq!(node.expect("connected").await["auth"], json!({"token": "good"}));
        node.tell(&json!({"do": "disconnect"}));
    }
}

/// What is logged, on whatever level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_secret_is_ever_logged_or_told() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_writer(move || writer.clone()).with_env_filter("jamz=trace").finish();
    // For every test of this program: the more is logged, the better.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let login = json!({"password": "pass-secret", "token": "fresh-secret"});
    let options = json!({"tokens": ["fresh-secret"], "refusal": "no good: stale-secret", "login": login,
        "acks": {"jamz-token": "raw-secret"}});
    let mut node = Node::start("scripted.js", &options).await;
    let (folder, config) = secrets(&node.url(), Some("stale-secret"), None);
    let reason = Car::new(config.clone()).down().await;
    assert!(!reason.contains("secret"), "{reason}");
    fs::write(folder.path().join("credentials"), "ann@example.org\npass-secret\n").unwrap();
    fs::set_permissions(folder.path().join("credentials"), fs::Permissions::from_mode(0o600)).unwrap();
    Car::new(Config { credentials_file: Some(folder.path().join("credentials")), ..config }).up().await;
    let due = jwt(&json!({"iat": 0, "exp": 5}));
    node.tell(&json!({"do": "set", "options": {"tokens": null}}));
    let (_folder, config) = secrets(&node.url(), Some(&due), None);
    let mut car = Car::new(config);
    car.up().await;
    node.got("jamz-token").await;
    car.probe_for(Duration::from_millis(700)).await;
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("connected to the server") && log.contains("does not refresh the token"), "{log}");
    assert!(!log.contains("secret") && !log.contains("ann@example.org"), "{log}");
}

#[tokio::test]
async fn a_refused_token_fails_fast_and_a_changed_file_is_used() {
    let node = Node::start("scripted.js", &json!({"tokens": ["good"]})).await;
    let (folder, config) = secrets(&node.url(), Some("bad"), None);
    let begun = Instant::now();
    let mut car = Car::new(config);
    let reason = car.down().await;
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(
        reason.starts_with("the server refuses the token (it says \"invalid token\"); put a fresh one into "),
        "{reason}"
    );
    assert!(!reason.contains("bad"));
    fs::write(folder.path().join("token"), "good").unwrap();
    car.link.retry_now();
    car.up().await;
}

#[tokio::test]
async fn a_car_that_is_not_taken_in_shows_another_token_as_soon_as_there_is_one() {
    let refusal = json!({"error": "the token is for c1"});
    let mut node = Node::start("scripted.js", &json!({"acks": {"jamz-join": refusal}})).await;
    let (folder, config) = secrets(&node.url(), Some("for-c1"), None);
    let mut car = Car::new(config);
    car.up().await;
    for _ in 0..2 {
        car.link.send(join());
        let told = car.find("rejected", |event| matches!(event, ServerEvent::Rejected { .. })).await;
        assert_eq!(told, ServerEvent::Rejected { reason: "the token is for c1".into() });
    }
    assert_eq!(node.expect("connected").await["auth"], json!({"token": "for-c1"}));
    fs::write(folder.path().join("token"), "for-c2").unwrap();
    car.link.send(join());
    assert!(car.down().await.contains("another token"));
    car.up().await;
    assert_eq!(node.expect("connected").await["auth"], json!({"token": "for-c2"}));
}

#[tokio::test]
async fn an_expired_token_is_called_so() {
    let node = Node::start("scripted.js", &json!({"tokens": [], "refusal": "jwt expired"})).await;
    let (_folder, config) = secrets(&node.url(), Some(&jwt(&json!({"exp": 5}))), None);
    let reason = Car::new(config).down().await;
    assert!(reason.starts_with("the token has expired; put a fresh one into "), "{reason}");
}

#[tokio::test]
async fn a_token_that_is_missing_is_called_so_where_one_is_wanted() {
    let node = Node::start("scripted.js", &json!({"tokens": [], "refusal": "unauthorized"})).await;
    let (_folder, config) = secrets(&node.url(), None, None);
    let reason = Car::new(config).down().await;
    assert!(reason.contains("the server wants a token") && reason.contains("cannot be read"), "{reason}");
    let open = Node::start("scripted.js", &json!({})).await;
    let (_folder, config) = secrets(&open.url(), None, None);
    Car::new(config).up().await;
}

#[tokio::test]
async fn a_refused_token_is_changed_for_a_fresh_one_by_logging_in() {
    let login = json!({"password": "pass word", "token": "fresh"});
    let mut node = Node::start("scripted.js", &json!({"tokens": ["fresh"], "login": login})).await;
    let (folder, config) = secrets(&node.url(), Some("stale"), Some("pass word"));
    let begun = Instant::now();
    let mut car = Car::new(config);
    car.up().await;
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(node.expect("login").await["login"], "ann@example.org");
    let path = folder.path().join("token");
    assert_eq!((fs::read_to_string(&path).unwrap().as_str(), mode(&path)), ("fresh\n", 0o600));
}

#[tokio::test]
async fn a_wrong_password_is_called_so_and_is_not_tried_in_a_hot_loop() {
    let login = json!({"password": "right", "token": "fresh"});
    let mut node = Node::start("scripted.js", &json!({"tokens": ["fresh"], "login": login})).await;
    let (_folder, config) = secrets(&node.url(), None, Some("wrong"));
    let mut car = Car::new(config);
    let reason = car.down().await;
    assert!(reason.contains("refuses the e-mail address and password in"), "{reason}");
    tokio::time::sleep(Duration::from_secs(5)).await;
    let logins = node.lines().iter().filter(|line| line.get("login").is_some()).count();
    assert!((2..=6).contains(&logins), "{logins} logins in 5 s");
}

#[tokio::test]
async fn todays_backend_gives_a_token_for_a_login() {
    let mut node = Node::start("backend.js", &json!({})).await;
    let (_folder, config) = secrets(&node.url(), None, Some("convoy"));
    let mut car = Car::new(config.clone());
    assert_eq!(car.up().await, Dialect::Backend);
    assert!(node.expect("connected").await["auth"]["token"].is_string());
    assert_eq!(config.user_id().unwrap().as_str(), "ann@example.org");
}

#[tokio::test]
async fn a_token_in_its_last_third_is_refreshed_while_up() {
    // By the server's own clock: whatever this machine's wall clock says is of no account.
    let now = std::process::Command::new("date").arg("+%s").output().unwrap();
    let now: i64 = String::from_utf8(now.stdout).unwrap().trim().parse().unwrap();
    let fresh = jwt(&json!({"iat": now, "exp": now + 3_000}));
    let mut node = Node::start("scripted.js", &json!({"acks": {"jamz-token": {"token": fresh}}})).await;
    let old = jwt(&json!({"iat": now - 2_500, "exp": now + 500}));
    let (folder, config) = secrets(&node.url(), Some(&old), None);
    let mut car = Car::new(config);
    car.up().await;
    node.got("jamz-token").await;
    let path = folder.path().join("token");
    let begun = Instant::now();
    while fs::read_to_string(&path).unwrap().trim() != fresh {
        assert!(begun.elapsed() < Duration::from_secs(5), "the fresh token was not written");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(mode(&path), 0o600);
    car.probe_for(Duration::from_secs(2)).await;
    assert!(node.lines().iter().all(|line| line["got"] != "jamz-token"), "one refresh is enough");
}

#[tokio::test]
async fn a_token_with_much_life_left_is_left_alone_and_an_endless_one_too() {
    for claims in [json!({"exp": 4_102_444_800_i64, "iat": 0}), json!({})] {
        let mut node = Node::start("scripted.js", &json!({})).await;
        let (_folder, config) = secrets(&node.url(), Some(&jwt(&claims)), None);
        let mut car = Car::new(config);
        car.up().await;
        car.probe_for(Duration::from_secs(2)).await;
        assert!(node.lines().iter().all(|line| line["got"] != "jamz-token"));
    }
}
