//! Servers that speak nonsense, refuse, or are something else: a clear word for the driver, and never a crash.

use crate::car::{Car, change, join};
use crate::node::Node;
use jamz::core::io::{ServerCommand, ServerEvent};
use jamz::tier::server::{Config, ServerLink};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

async fn scripted(options: Value) -> Node {
    Node::start("scripted.js", &options).await
}

/// The link is up and carries both ways.
async fn lives(car: &mut Car, node: &mut Node) {
    node.emit("jamz-change", &json!([change(77)]));
    let event = car.next().await;
    assert_eq!(event, ServerEvent::Change(Box::new(change(77))), "nothing else may have come");
    car.link.send(ServerCommand::Change(Box::new(change(1))));
    assert!(matches!(car.next().await, ServerEvent::Acked { .. }));
}

#[tokio::test]
async fn an_event_without_an_argument_harms_nothing() {
    let mut node = scripted(json!({})).await;
    let mut car = Car::at(node.url());
    car.up().await;
    for event in ["noargs", "jamz-members", "jamz-change", "jamz-state", "hello", "message", "error", "connect"] {
        node.tell(&json!({"do": "raw", "text": format!("2[\"{event}\"]")}));
    }
    lives(&mut car, &mut node).await;
}

#[tokio::test]
async fn binary_events_are_passed_over() {
    let mut node = scripted(json!({})).await;
    let mut car = Car::at(node.url());
    car.up().await;
    node.tell(&json!({"do": "binary", "event": "jamz-change"}));
    lives(&mut car, &mut node).await;
}

#[tokio::test]
async fn an_attachment_that_is_announced_and_never_sent_is_a_loss_and_no_crash() {
    let mut node = scripted(json!({})).await;
    let mut car = Car::at(node.url());
    car.up().await;
    node.tell(&json!({"do": "binary-cut"}));
    assert!(car.down().await.contains("closed the connection"));
    car.up().await;
    lives(&mut car, &mut node).await;
}

#[tokio::test]
async fn packets_that_make_no_sense_are_passed_over() {
    let mut node = scripted(json!({})).await;
    let mut car = Car::at(node.url());
    car.up().await;
    let deep = format!("2[\"jamz-change\",{}", "[".repeat(100_000));
    let wide = format!("2[\"jamz-members\",{{\"members\":[{}1]}}]", "1,".repeat(200_000));
    for text in [
        "",
        "x",
        "2",
        "2[",
        "2[]",
        "2[5]",
        "3",
        "3[]",
        "399[]",
        "2/elsewhere,[\"jamz-change\",1]",
        "61-[]",
        &deep,
        &wide,
    ] {
        node.tell(&json!({"do": "raw", "text": text}));
    }
    for payload in [json!(null), json!(1), json!([]), json!({}), json!({"id": {"device": "", "sequence": -1}})] {
        node.emit("jamz-change", &json!([payload]));
        node.emit("jamz-state", &json!([payload]));
    }
    lives(&mut car, &mut node).await;
}

#[tokio::test]
async fn a_server_that_asks_for_an_acknowledgement_gets_one() {
    let mut node = scripted(json!({})).await;
    let mut car = Car::at(node.url());
    car.up().await;
    node.tell(&json!({"do": "ask", "event": "jamz-change", "args": [change(5)]}));
    assert_eq!(car.next().await, ServerEvent::Change(Box::new(change(5))));
    assert!(node.expect("acked").await["acked"].is_array());
}

#[tokio::test]
async fn answers_that_make_no_sense_are_told_to_the_core() {
    let acks = json!({"jamz-join": {"members": 5}, "jamz-change": {"id": {"device": "other", "sequence": 1},
        "verdict": "applied"}});
    let node = scripted(json!({ "acks": acks })).await;
    let mut car = Car::at(node.url());
    car.up().await;
    car.link.send(join());
    let ServerEvent::Rejected { reason } = car.next().await else { panic!("not rejected") };
    assert!(reason.contains("the answer to joining"), "{reason}");
    car.link.send(ServerCommand::Change(Box::new(change(1))));
    let ServerEvent::Failed { change, reason } = car.next().await else { panic!("not told") };
    assert!(change.sequence == 1 && reason.contains("is about other:1"), "{reason}");
}

#[tokio::test]
async fn a_refusal_is_told_in_the_servers_words() {
    let node = scripted(json!({"acks": {"jamz-join": {"error": "this convoy is full"}}})).await;
    let mut car = Car::at(node.url());
    car.up().await;
    car.link.send(join());
    assert_eq!(car.next().await, ServerEvent::Rejected { reason: "this convoy is full".into() });
}

#[tokio::test]
async fn a_change_that_is_refused_and_one_that_is_to_be_sent_again_are_told_apart() {
    let refused = ServerEvent::Refused { change: change(1).id, reason: "too long".into() };
    let failed = ServerEvent::Failed { change: change(1).id, reason: "too long".into() };
    for (answer, told) in
        [(json!({"error": "too long"}), refused), (json!({"error": "too long", "retry": true}), failed)]
    {
        let node = scripted(json!({"acks": {"jamz-change": answer}})).await;
        let mut car = Car::at(node.url());
        car.up().await;
        car.link.send(ServerCommand::Change(Box::new(change(1))));
        assert_eq!(car.next().await, told);
    }
}

#[tokio::test]
async fn a_message_that_the_server_would_not_take_is_not_sent() {
    let node = scripted(json!({})).await;
    let mut car = Car::at(node.url());
    car.up().await;
    let mut long = change(1);
    long.signature = Some("x".repeat(1_100_000));
    car.link.send(ServerCommand::Change(Box::new(long)));
    let ServerEvent::Refused { change, reason } = car.next().await else { panic!("not refused") };
    assert!(change.sequence == 1 && reason.contains("the server takes 1000000"), "{reason}");
    car.link.send(join());
    assert!(matches!(car.next().await, ServerEvent::Joined { .. }), "the connection is still the same");
}

#[tokio::test]
async fn a_message_beyond_all_bounds_ends_the_connection_with_a_word() {
    let mut node = scripted(json!({})).await;
    let mut car = Car::at(node.url());
    car.up().await;
    node.tell(&json!({"do": "raw", "text": "x".repeat(17 << 20)}));
    let reason = car.down().await;
    assert!(reason.contains("bytes; at most"), "{reason}");
    car.up().await;
}

#[tokio::test]
async fn a_server_without_a_hello_or_with_a_strange_one_is_named() {
    for (hello, words) in [
        (json!(null), "no hello within 2 s"),
        (json!({"ok": false}), "its hello is"),
        (json!("welcome"), "its hello is \"welcome\""),
        (json!({"ok": true, "jamz": {"version": 9}}), "version 9"),
    ] {
        let node = scripted(json!({ "hello": hello })).await;
        let reason = Car::at(node.url()).down().await;
        assert!(reason.contains(words), "{reason}");
    }
}

#[tokio::test]
async fn something_else_at_the_address_is_named() {
    for (answer, words) in [
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", "answers HTTP 404"),
        ("SSH-2.0-OpenSSH_9.2\r\n", "this is no TrafficJamz server"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut car = Car::at(format!("http://{}", listener.local_addr().unwrap()));
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = [0; 1_024];
        let _ = socket.read(&mut request).await.unwrap();
        socket.write_all(answer.as_bytes()).await.unwrap();
        let reason = car.down().await;
        assert!(reason.contains(words), "{reason}");
    }
}

#[tokio::test]
async fn nobody_at_the_address_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let reason = Car::at(url).down().await;
    assert!(reason.starts_with("connection refused: no server runs at 127.0.0.1, port "), "{reason}");
    let reason = Car::at("http://no-such-host.invalid").down().await;
    assert!(reason.starts_with("the name no-such-host.invalid is not found"), "{reason}");
}

#[tokio::test]
async fn a_certificate_is_trusted_only_when_its_authority_is() {
    let tls = crate::node::folder().join("tls");
    let node = scripted(json!({"tls": {"key": tls.join("server.key"), "cert": tls.join("server.pem")}})).await;
    let url = format!("https://localhost:{}", node.port);
    let reason = Car::at(&url).down().await;
    assert!(
        reason.starts_with("TLS: the certificate of localhost is not trusted") && reason.contains("ca_file"),
        "{reason}"
    );
    let config = Config { url: Some(url), ca_file: Some(tls.join("ca.pem")), ..Config::default() };
    let mut car = Car::new(config);
    car.up().await;
    car.link.send(join());
    assert!(matches!(car.next().await, ServerEvent::Joined { .. }));
    let plain = scripted(json!({})).await;
    let reason = Car::at(format!("https://localhost:{}", plain.port)).down().await;
    assert!(reason.contains("is it http:// there?"), "{reason}");
}

#[tokio::test]
async fn a_configuration_that_cannot_work_is_refused_at_the_start() {
    let start = |config: Config| {
        let (events, _) = tokio::sync::mpsc::channel(1);
        ServerLink::start(config, Arc::new(jamz::host::MonotonicClock), events).unwrap_err().to_string()
    };
    assert!(start(Config::default()).contains("set `url`"));
    assert!(start(Config { url: Some("ftp://x".into()), ..Config::default() }).contains("only https://"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, "no certificate").unwrap();
    let config = Config { url: Some("https://x".into()), ca_file: Some(path), ..Config::default() };
    assert!(start(config).contains("holds no certificate"));
}

#[tokio::test]
async fn damage_never_ends_the_connection() {
    let mut node = scripted(json!({})).await;
    let mut car = Car::at(node.url());
    car.up().await;
    let whole = [
        r#"2["jamz-members",{"members":[{"device":"a","user":"é"}]}]"#,
        r#"217["jamz-state",{"snapshot":{"term":3}}]"#,
        r#"317[{"received":1,"sent":2,"leadUs":3}]"#,
        r#"2["né","{}",[[1]],null]"#,
    ];
    let mut random = 1_u64;
    for round in 0..4_000 {
        let mut bytes = whole[round % whole.len()].as_bytes().to_vec();
        for _ in 0..3 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // Not the first byte: with it a server may well say that it ends the connection.
            let at = 1 + (random >> 33) as usize % (bytes.len() - 1).max(1);
            match random >> 62 {
                0 if at < bytes.len() => bytes[at] = (random >> 40) as u8,
                1 => bytes.truncate(at.max(2)),
                _ => bytes.insert(at.min(bytes.len()), b"[]{}\",:0129"[(random >> 20) as usize % 11]),
            }
        }
        node.tell(&json!({"do": "raw", "text": String::from_utf8_lossy(&bytes)}));
    }
    node.emit("jamz-change", &json!([change(77)]));
    let heard =
        car.find("the whole one", |event| !matches!(event, ServerEvent::Members(_) | ServerEvent::State(_))).await;
    assert_eq!(heard, ServerEvent::Change(Box::new(change(77))));
}

#[tokio::test]
async fn attachments_that_never_come_and_attachments_of_nothing_harm_nothing() {
    let mut node = scripted(json!({})).await;
    let mut car = Car::at(node.url());
    car.up().await;
    for text in
        ["61-[]", "51-[\"jamz-change\",{\"_placeholder\":true,\"num\":9}]", "5255-0[]", "6-", "5999-[\"x\"]", "50-[]"]
    {
        node.tell(&json!({"do": "raw", "text": text}));
        node.tell(&json!({"do": "binary", "event": "jamz-state"}));
        node.tell(&json!({"do": "raw-binary", "bytes": 9}));
    }
    lives(&mut car, &mut node).await;
}
