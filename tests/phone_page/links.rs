//! Links that are good and links that are not, and what of them is seen by whom.

use crate::browser::{Browser, ELSEWHERE};
use crate::jamz_server::Server;
use crate::{CONVOY, Road, ctl};
use jamz::core::status::ActiveSync;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

const SECRET: &str = "a secret of at least thirty-two bytes";

fn token(secret: &str, expires: u64) -> String {
    let claims = json!({ "sub": "ben", "aud": "jamz", "exp": expires, "convoy": [CONVOY] });
    encode(&Header::default(), &claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_no_good_says_so_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, SECRET).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let server = Server::start(&["--jwt-secret-file", file.to_str().unwrap()]);
    let mut browser = Browser::start().await;
    let expired = format!("#t={}", token(SECRET, 1_000));
    let foreign = format!("#t={}", token("another secret of thirty-two bytes!!", 4_000_000_000));
    let other = format!("#t={}&c=elsewhere", token(SECRET, 4_000_000_000));
    for (n, (fragment, is_link, says)) in [
        ("", false, "You need a link"),
        ("#t=garbage", false, "This link is broken"),
        (expired.get(..40).unwrap(), false, "This link is broken"),
        (&expired, true, "This link has expired"),
        (&foreign, true, "This link does not work"),
        (&other, true, "This link does not work"),
    ]
    .into_iter()
    .enumerate()
    {
        let page = format!("page{n}");
        browser.open(&page, &format!("{}/{fragment}", server.url())).await;
        if is_link {
            browser.fill(&page, "Your name, as the others will see it", "Ben").await;
            browser.press(&page, "Join").await;
        }
        browser.read(&page, says).await;
        browser.read(&page, "jamzctl invite").await;
        let tree = browser.tree(&page).await;
        assert!(tree.iter().any(|node| node["role"] == "alert"), "it is read out: {tree:#?}");
        browser.picture(&page, &format!("link-{n}")).await;
        browser.close(&page).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_link_that_jamzctl_shows_in_the_car_lets_a_phone_in_and_its_token_is_in_no_log() {
    let mut road = Road::start().await;
    let invited = ctl::run(&road.van.bus(), &["--json", "invite"]).await.json();
    let link = invited["link"].as_str().unwrap().to_owned();
    assert!(link.starts_with(&format!("{}/#t=", road.server.url())), "{link}");
    road.browser.open("guest", &link).await;
    road.enter("guest").await;
    road.browser.press("guest", "Take control").await;
    road.browser.read("guest", "You control the music.").await;
    road.van.until("the guest leads", |status| !status.is_controller && status.controller.is_some()).await;
    let log = std::fs::read_to_string(road.van.log()).unwrap();
    let token = link.split_once("#t=").unwrap().1;
    assert!(log.contains("ready") && !log.contains(token), "{log}");

    let listeners = ctl::run(&road.van.bus(), &["--json", "invite", "--listener"]).await.json();
    road.browser.open("lea", listeners["link"].as_str().unwrap()).await;
    road.enter("lea").await;
    road.browser.press("lea", "Take control").await;
    road.browser.read("lea", "Your link is for listening.").await;
    road.server.kill();
    road.van.until("the server is gone", |status| status.connection.active_sync != ActiveSync::Socket).await;
    let refused = ctl::run(&road.van.bus(), &["invite"]).await;
    assert!(refused.code == 1 && refused.err.contains("out of reach"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_of_a_server_that_is_open_to_everyone_names_the_convoy_alone() {
    let server = Server::start(&["--open"]);
    let mut browser = Browser::start().await;
    browser.open("ann", &format!("{}/#c=K%C3%BCste%20%E9%81%93%E8%B7%AF", server.url())).await;
    browser.fill("ann", "Your name, as the others will see it", "Ann").await;
    browser.press("ann", "Join").await;
    browser.read("ann", "Connected to the server").await;
    browser.read("ann", CONVOY).await;
    browser.press("ann", "Take control").await;
    browser.read("ann", "You control the music.").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_of_a_link_is_in_no_address_that_anyone_else_sees() {
    let mut road = Road::start().await;
    road.join("dj", "ben").await;
    let asked = road.browser.noted("ben").await["asked"].clone();
    let addresses: Vec<&str> = asked.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(addresses.len() > 5 && addresses.iter().any(|address| address.starts_with("ws://")), "{addresses:?}");
    // A browser sends nothing of what stands behind the `#`.
    let sent = addresses.iter().map(|address| address.split('#').next().unwrap());
    let leaks: Vec<&str> = sent.filter(|address| address.contains("eyJ")).collect();
    assert!(leaks.is_empty(), "{leaks:?}");
    assert_eq!(road.browser.address("ben").await, format!("{}/", road.server.url()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_did_not_come_by_https_shows_everything_and_says_why_it_controls_nothing() {
    let mut road = Road::start().await;
    let port = road.server.address.rsplit(':').next().unwrap().to_owned();
    let link = road.link("dj", "ben").replace(&road.server.url(), &format!("http://{ELSEWHERE}:{port}"));
    road.browser.open("ben", &link).await;
    road.enter("ben").await;
    for words in ["One", "You can watch, and control nothing.", "https"] {
        road.browser.read("ben", words).await;
    }
    road.browser.press("ben", "Take control").await;
    road.browser.read("ben", "This phone only shows: it cannot sign here.").await;
    road.browser.picture("ben", "no-https").await;
    assert!(road.van.status().await.is_controller);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_call_themselves_is_text_and_never_code() {
    let mut road = Road::start().await;
    let evil = "<img src=x onerror=document.title='!'>";
    road.join("dj", "sam").await;
    let link = road.link("dj", "eve");
    road.browser.open("eve", &link).await;
    road.browser.fill("eve", "Your name, as the others will see it", evil).await;
    road.browser.press("eve", "Join").await;
    road.browser.read("eve", "Connected to the server").await;
    road.browser.press("eve", "Take control").await;
    road.browser.read("sam", &format!("{evil} controls the music.")).await;
    let found = road.browser.run("sam", "() => [document.images.length, document.title]", Value::Null).await;
    assert_eq!(found, json!([0, format!("{CONVOY} – TrafficJamz")]));
}

#[test]
fn the_page_is_guarded_by_its_headers_and_sent_only_when_it_is_new() {
    let server = Server::start(&[]);
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/page.js", "text/javascript; charset=utf-8"),
        ("/page.css", "text/css; charset=utf-8"),
        ("/vendor/socket.io.esm.min.js", "text/javascript; charset=utf-8"),
        ("/icon.svg", "image/svg+xml"),
    ] {
        let response = server.request("GET", path);
        let head = response.split_once("\r\n\r\n").unwrap().0;
        let value = |name: &str| {
            let line = head.lines().find(|line| line.to_lowercase().starts_with(&format!("{name}: ")));
            line.map(|line| line.split_once(": ").unwrap().1).unwrap_or_default().to_owned()
        };
        assert_eq!(value("content-type"), kind, "{head}");
        let policy = value("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
        assert_eq!(value("x-content-type-options"), "nosniff");
        assert_eq!(value("access-control-allow-origin"), "", "no other page may read this one");
        let known = format!("{path} HTTP/1.1\r\nIf-None-Match: {}\r\nX: ", value("etag"));
        let again = server.request("GET", &known);
        assert!(again.starts_with("HTTP/1.1 304") && again.ends_with("\r\n\r\n"), "{again}");
    }
    assert!(!server.request("GET", "/metrics").contains("access-control-allow-origin"));
}

#[test]
fn the_client_that_is_kept_here_is_the_published_one() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let published = crate::node::folder().join("node_modules/socket.io-client/dist/socket.io.esm.min.js");
    let kept = root.join("web/vendor/socket.io.esm.min.js");
    assert!(std::fs::read(published).unwrap() == std::fs::read(kept).unwrap());
}
