//! Who comes with nothing, or with what is not his: refused in words, and at little cost.

use crate::rerun::Rerun;
use crate::{PATIENCE, Van, browser, device_of, key, reason, roadside};
use jamz::core::mesh::LanEvent;
use jamz::core::ticket::{Role, Ticket, WallTime};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

#[tokio::test]
async fn the_page_is_here_for_everyone_guarded_by_its_headers() {
    let van = Van::start().await;
    let browser = browser(1);
    for (path, kind) in [("/", "text/html; charset=utf-8"), ("/door.js", "text/javascript; charset=utf-8")] {
        let answer = browser.get(van.url(path)).send().await.unwrap();
        assert_eq!((answer.status(), answer.headers()["content-type"].to_str().unwrap()), (StatusCode::OK, kind));
        let policy = answer.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains('*'), "{policy}");
        let tag = answer.headers()["etag"].clone();
        let again = browser.get(van.url(path)).header("if-none-match", tag).send().await.unwrap();
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    }
    for (request, status) in [
        (browser.get(van.url("/../../etc/passwd")), StatusCode::NOT_FOUND),
        (browser.get(van.url("/nothing")), StatusCode::NOT_FOUND),
        (browser.delete(van.url("/")), StatusCode::METHOD_NOT_ALLOWED),
        (browser.put(van.url("/door")), StatusCode::METHOD_NOT_ALLOWED),
    ] {
        assert_eq!(request.send().await.unwrap().status(), status);
    }
}

#[tokio::test]
async fn who_comes_by_what_is_not_his_is_refused_in_words_and_the_one_beside_him_let_in() {
    let mut van = Van::start().await;
    let (_guest, joined) = van.with_guest(9, Role::Dj).await;
    let used = van.token(Role::Dj).await;
    let visit = van.knock().await;
    assert_eq!(visit.say(&van.asking(&visit, 8, ("token", json!(used)))).await.0, 200);
    assert_eq!(van.event().await, LanEvent::Guest { device: device_of(8) });
    let good = van.token(Role::Listener).await;

    let ticket: Ticket = serde_json::from_value(joined["ticket"].clone()).unwrap();
    let mut forged = Ticket { device: device_of(2), ..ticket.clone() };
    key(2).sign_ticket(&mut forged);
    let wall = WallTime::UnixS(crate::NOW_S);
    let foreign = roadside(5).ticket.vouch_guest(&key(5), &device_of(2), Role::Dj, wall).unwrap();
    let before = WallTime::UnixS(crate::NOW_S - 100_000);
    let expired = van.roadside.ticket.vouch_guest(&key(1), &device_of(2), Role::Dj, before).unwrap();
    let visit = van.knock().await;
    let asking = |pass: (&str, Value)| van.asking(&visit, 2, pass);
    let altered = |field: &str, value: Value| {
        let mut asking = asking(("token", json!(good)));
        asking["join"][field] = value;
        asking
    };
    for (join, says) in [
        (asking(("token", json!("a".repeat(22)))), "unknown here"),
        (asking(("token", json!(used))), "used by another phone"),
        (asking(("ticket", json!(forged))), "forged"),
        (asking(("ticket", json!(foreign))), "someone who is not known here"),
        (asking(("ticket", json!(ticket))), "another device's"),
        (asking(("ticket", json!(expired))), "is over"),
        (altered("convoy", json!("jura")), "another convoy"),
        (altered("proof", json!(key(2).prove_join(&van.roadside.convoy, &"0".repeat(64)))), "does not prove"),
        (altered("device", json!(device_of(3))), "does not prove"),
        (altered("challenge", json!("0".repeat(64))), "this visit is over"),
        (altered("challenge", json!("0")), "load the page again"),
    ] {
        let answer = visit.say(&join).await;
        assert!((400..404).contains(&answer.0) && reason(&answer).contains(says), "{says}: {answer:?}");
    }
    assert!(!van.door.has(&device_of(2)));
    assert_eq!(visit.say(&asking(("token", json!(good)))).await.0, 200);
    assert_eq!(van.event().await, LanEvent::Guest { device: device_of(2) }, "and of the others nothing was heard");
}

#[tokio::test]
async fn what_is_too_long_too_deep_or_no_message_is_refused_before_it_is_read() {
    let van = Van::start().await;
    let visit = van.knock().await;
    for (said, status) in [
        (vec![b' '; 1 << 20], 413),
        ("[".repeat(60_000).into_bytes(), 400),
        (b"{\"go\": true}".to_vec(), 400),
        (vec![0xff; 100], 400),
        (Vec::new(), 400),
    ] {
        let answer = visit.say_bytes(said).await;
        assert!(answer.0 == status && !reason(&answer).is_empty(), "{answer:?}");
    }
    let long = browser(1).get(van.url("/")).header("x", "x".repeat(100_000)).send().await;
    assert!(long.is_err() || long.unwrap().status().is_client_error());
    assert!(browser(1).get(van.url("/")).send().await.unwrap().status().is_success());
}

#[tokio::test]
async fn who_says_nothing_is_sent_away() {
    let van = Van::start().await;
    drop(van.knock().await);
    let begun = Instant::now();
    // One that never agrees on keys, one that plain HTTP is spoken on, one that asks for nothing, and one that knocks
    // and never comes.
    let mut silent = TcpStream::connect(("127.0.0.1", van.port)).unwrap();
    let mut plain = TcpStream::connect(("127.0.0.1", van.port)).unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let idle = native_tls::TlsConnector::builder().danger_accept_invalid_certs(true).build().unwrap();
    let port = van.port;
    let ended = tokio::task::spawn_blocking(move || {
        let tcp = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let mut idle = idle.connect("jamz", tcp).unwrap();
        for stream in [&silent, &plain, idle.get_ref()] {
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
        }
        idle.write_all(b"GET /icon.svg HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").unwrap();
        let mut answer = String::new();
        let all = idle.read_to_string(&mut answer);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer} {all:?}");
        let ends = [&mut silent, &mut plain].map(|stream| stream.read_to_end(&mut Vec::new()).is_ok());
        (ends, begun.elapsed())
    });
    let (_, elapsed) = ended.await.unwrap();
    assert!(elapsed < Duration::from_secs(12), "{elapsed:?}");
    let mut knocker = van.knock().await;
    assert_eq!(knocker.told().await, None);
    assert!(begun.elapsed() < PATIENCE);
}

#[tokio::test]
async fn of_those_who_knock_and_do_not_come_in_an_address_has_some_and_others_as_before() {
    let mut van = Van::start().await;
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(van.knock().await);
    }
    let one_more = browser(1).get(van.url("/door")).send().await.unwrap();
    assert_eq!(one_more.status(), StatusCode::SERVICE_UNAVAILABLE);
    let token = van.token(Role::Dj).await;
    let visit = crate::Visit::begin(browser(2), van.url("/door")).await;
    assert_eq!(visit.say(&van.asking(&visit, 2, ("token", json!(token)))).await.0, 200);
}

#[tokio::test]
async fn another_page_in_the_same_browser_can_neither_knock_nor_speak_nor_give_the_car_a_name() {
    let van = Van::start().await;
    let visit = van.knock().await;
    let own = format!("https://127.0.0.1:{}", van.port);
    let browser = browser(1);
    let foreign = [("origin", "https://evil.example"), ("origin", "null"), ("sec-fetch-site", "cross-site")];
    for (header, value) in foreign.into_iter().chain([("sec-fetch-site", "none"), ("origin", "http://127.0.0.1")]) {
        for request in [browser.get(van.url("/door")), browser.post(van.url("/door")).body("{}")] {
            let status = request.header(header, value).send().await.unwrap().status();
            assert_eq!(status, StatusCode::FORBIDDEN, "{header}: {value}");
        }
    }
    // A name that somebody else's server has told the browser for this address.
    for name in ["evil.example", "localhost", "van.local:8443"] {
        let status = browser.get(van.url("/")).header("host", name).send().await.unwrap().status();
        assert_eq!(status, StatusCode::MISDIRECTED_REQUEST, "{name}");
    }
    // A link that is opened from another page is no door.
    let opened = browser.get(van.url("/")).header("sec-fetch-site", "cross-site");
    assert_eq!(opened.send().await.unwrap().status(), StatusCode::OK);
    let answer = browser.post(van.url("/door")).header("origin", own).header("sec-fetch-site", "same-origin");
    assert_eq!(answer.body("{}").send().await.unwrap().status(), StatusCode::BAD_REQUEST, "the page's own is read");
    drop(visit);
}

#[tokio::test]
async fn however_many_knock_who_knocks_last_may_come_in() {
    let mut van = Van::start().await;
    let mut held = Vec::new();
    for address in 1..=8 {
        for _ in 0..4 {
            held.push(crate::Visit::begin(browser(address), van.url("/door")).await);
        }
    }
    let token = van.token(Role::Dj).await;
    let visit = crate::Visit::begin(browser(9), van.url("/door")).await;
    assert_eq!(visit.say(&van.asking(&visit, 2, ("token", json!(token)))).await.0, 200);
    assert_eq!(van.event().await, LanEvent::Guest { device: device_of(2) });
    assert_eq!(held[0].told().await, None, "the oldest has made room");
}

#[tokio::test]
async fn an_address_holds_some_connections_and_leaves_the_others_room() {
    let van = Van::start().await;
    let port = van.port;
    // Each asks for something again and again, and so stays.
    let held = tokio::task::spawn_blocking(move || {
        let connector = native_tls::TlsConnector::builder().danger_accept_invalid_certs(true).build().unwrap();
        let open = (0..32).map(|_| {
            let tcp = TcpStream::connect(("127.0.0.1", port)).ok()?;
            tcp.set_read_timeout(Some(PATIENCE)).ok()?;
            let mut stream = connector.connect("jamz", tcp).ok()?;
            stream.write_all(b"GET /nothing HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").ok()?;
            stream.read_exact(&mut [0; 8]).ok()?;
            Some(stream)
        });
        open.collect::<Vec<_>>()
    });
    let held = held.await.unwrap();
    assert_eq!(held.iter().flatten().count(), 24);
    assert!(browser(2).get(van.url("/")).send().await.unwrap().status().is_success());
    drop(held);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(browser(1).get(van.url("/")).send().await.unwrap().status().is_success(), "once they are gone");
}

/// Resident memory of this process, in kilobytes.
fn memory_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_flood_of_connections_costs_little_and_keeps_nobody_else_out() {
    let mut flooded = Rerun::start("strangers::child_that_is_flooded", "", &[]);
    let mut said = String::new();
    flooded.stdout().read_to_string(&mut said).unwrap();
    assert!(flooded.0.wait().unwrap().success(), "{said}");
}

/// In a process of its own, so that nobody else's memory is weighed.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "another test runs it"]
async fn child_that_is_flooded() {
    const CONNECTIONS: usize = 3_000;
    let mut van = Van::start().await;
    let (_guest, _) = van.with_guest(9, Role::Dj).await;
    let (port, before) = (van.port, memory_kb());
    let flood = tokio::task::spawn_blocking(move || {
        let mut open = Vec::new();
        for n in 0..CONNECTIONS {
            let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { continue };
            let _ = stream.write_all(&[0x16; 512]);
            open.push(stream);
            // As many at once as a process may have open.
            if n % 500 == 499 {
                open.clear();
            }
        }
    });
    let token = van.token(Role::Dj).await;
    let begun = Instant::now();
    let visit = crate::Visit::begin(browser(2), van.url("/door")).await;
    assert_eq!(visit.say(&van.asking(&visit, 2, ("token", json!(token)))).await.0, 200);
    let took = begun.elapsed();
    flood.await.unwrap();
    let grown_kb = memory_kb().saturating_sub(before);
    eprintln!("{CONNECTIONS} connections: {grown_kb} kB more, and a phone let in meanwhile after {took:?}");
    assert!(grown_kb < 16_384 && took < PATIENCE);
    assert!(van.door.has(&device_of(9)), "who was here stays");
}
