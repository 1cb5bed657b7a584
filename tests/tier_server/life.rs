//! The life of tier 1's connection against a real socket.io server and a road that fails: what is lost is noticed, what
//! can come back does.

use crate::car::{Car, PROBE, change, join};
use crate::node::Node;
use crate::proxy::{Proxy, Road};
use jamz::core::changes::Verdict;
use jamz::core::io::{Dialect, ServerCommand, ServerEvent};
use jamz::tier::server::Config;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::time::sleep;

async fn scripted(options: Value) -> Node {
    Node::start("scripted.js", &options).await
}

#[tokio::test]
async fn a_silent_drop_is_noticed_in_two_seconds_and_the_link_comes_back() {
    let node = scripted(json!({})).await;
    let road = Proxy::to(node.port).await;
    let mut car = Car::at(road.url());
    assert_eq!(car.up().await, Dialect::Jamz);
    car.probe_for(Duration::from_millis(1_200)).await;
    road.set(Road::Silent);
    let (reason, took) = car.probe_until_down().await;
    assert!(reason.contains("silent"), "{reason}");
    assert!(took >= Duration::from_millis(900) && took < Duration::from_millis(2_500), "{took:?}");
    road.set(Road::Open);
    assert_eq!(car.up().await, Dialect::Jamz);
}

#[tokio::test]
async fn a_silent_drop_is_noticed_with_todays_backend_too() {
    let node = Node::start("backend.js", &json!({})).await;
    let road = Proxy::to(node.port).await;
    let mut car = Car::at(road.url());
    assert_eq!(car.up().await, Dialect::Backend);
    let seen = car.probe_for(Duration::from_millis(1_200)).await;
    assert!(seen.iter().any(|e| matches!(e, ServerEvent::Alive { sent, received } if received > sent)), "{seen:?}");
    road.set(Road::Silent);
    let (reason, took) = car.probe_until_down().await;
    assert!(reason.contains("silent") && took < Duration::from_millis(2_500), "{reason} {took:?}");
}

#[tokio::test]
async fn a_lost_connection_leaves_nothing_behind() {
    let node = scripted(json!({})).await;
    let road = Proxy::to(node.port).await;
    let mut car = Car::at(road.url());
    for _ in 0..3 {
        car.up().await;
        road.set(Road::Silent);
        car.probe_until_down().await;
        road.set(Road::Open);
    }
    car.up().await;
    let begun = Instant::now();
    while road.open() != 1 {
        assert!(begun.elapsed() < Duration::from_secs(5), "{} sockets are open", road.open());
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_long_message_on_a_narrow_road_is_not_taken_for_silence() {
    let mut node = scripted(json!({})).await;
    let road = Proxy::to(node.port).await;
    let mut car = Car::at(road.url());
    car.up().await;
    road.set(Road::Narrow(400_000));
    let members: Vec<Value> = (0..10_000)
        .map(|n| {
            json!({"device": format!("car-{n}"), "user": "u".repeat(100), "name": "", "online": true,
            "kind": "car"})
        })
        .collect();
    node.emit("jamz-members", &json!([{ "members": members }]));
    let seen = car.probe_for(Duration::from_secs(7)).await;
    assert!(seen.iter().any(|e| matches!(e, ServerEvent::Members(members) if members.len() == 10_000)));
}

#[tokio::test]
async fn a_server_that_is_killed_is_noticed_at_once_and_found_again() {
    let mut node = scripted(json!({})).await;
    let mut car = Car::at(node.url());
    car.up().await;
    let begun = Instant::now();
    node.kill();
    car.down().await;
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert!(car.down().await.contains("connection refused"));
    let _back = scripted(json!({"port": node.port})).await;
    car.link.retry_now();
    car.up().await;
}

#[tokio::test]
async fn a_server_that_starts_after_the_car_is_found() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let mut car = Car::at(format!("http://127.0.0.1:{port}"));
    car.down().await;
    let _node = scripted(json!({ "port": port })).await;
    assert_eq!(car.up().await, Dialect::Jamz);
}

#[tokio::test]
async fn a_graceful_close_is_noticed_without_any_probe() {
    for how in ["close", "drop"] {
        let mut node = scripted(json!({})).await;
        let mut car = Car::at(node.url());
        car.up().await;
        let begun = Instant::now();
        node.tell(&json!({"do": how}));
        let reason = car.down().await;
        assert!(reason.contains("disconnected this car") || reason.contains("closed the connection"), "{reason}");
        assert!(begun.elapsed() < Duration::from_secs(2));
    }
}

#[tokio::test]
async fn a_disconnect_by_the_server_is_told_and_the_car_comes_back() {
    let mut node = scripted(json!({})).await;
    let mut car = Car::at(node.url());
    for close in [false, true] {
        car.up().await;
        node.tell(&json!({"do": "disconnect", "close": close}));
        assert_eq!(car.down().await, "the server disconnected this car");
    }
    car.up().await;
}

#[tokio::test]
async fn a_server_that_takes_and_drops_is_not_tried_in_a_hot_loop() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut car = Car::at(format!("http://{}", listener.local_addr().unwrap()));
    let mut attempts = 0;
    let end = Instant::now() + Duration::from_secs(8);
    while let Ok(accepted) = tokio::time::timeout(end - Instant::now(), listener.accept()).await {
        drop(accepted);
        attempts += 1;
    }
    assert!((3..=7).contains(&attempts), "{attempts} attempts in 8 s");
    let reason = car.down().await;
    assert!(car.events.try_recv().is_err(), "the same reason is told once: {reason}");
}

#[tokio::test]
async fn a_server_that_drops_whom_it_greeted_is_not_tried_in_a_hot_loop() {
    let mut node = scripted(json!({})).await;
    let road = Proxy::to(node.port).await;
    let mut car = Car::at(road.url());
    let end = Instant::now() + Duration::from_secs(8);
    while tokio::time::timeout(end - Instant::now(), car.up()).await.is_ok() {
        node.tell(&json!({"do": "disconnect", "close": true}));
    }
    assert!((3..=7).contains(&road.accepted()), "{} connections in 8 s", road.accepted());
}

#[tokio::test]
async fn connecting_has_a_time_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let begun = Instant::now();
    let mut car = Car::at(format!("http://{}", listener.local_addr().unwrap()));
    let reason = car.down().await;
    assert!(reason.contains("no answer from 127.0.0.1 within 5 s"), "{reason}");
    assert!(begun.elapsed() >= Duration::from_secs(4) && begun.elapsed() < Duration::from_secs(8));
}

#[tokio::test]
async fn a_network_that_comes_up_is_used_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut car = Car::at(format!("http://{address}"));
    let held = listener.accept().await.unwrap();
    sleep(Duration::from_secs(1)).await;
    // The first attempt hangs in a network that is gone.
    let begun = Instant::now();
    car.link.retry_now();
    let again = listener.accept().await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    drop((held, again, listener));
    assert!(!car.down().await.is_empty());
}

#[tokio::test]
async fn what_is_said_on_a_dead_path_ends_in_a_loss_that_is_told() {
    let node = scripted(json!({})).await;
    let road = Proxy::to(node.port).await;
    let mut car = Car::at(road.url());
    car.up().await;
    road.set(Road::Silent);
    car.link.send(ServerCommand::Change(Box::new(change(1))));
    let reason = car.down().await;
    assert!(reason.contains("without an answer"), "{reason}");
}

#[tokio::test]
async fn an_acknowledgement_that_never_comes_while_the_path_lives_is_told_and_ends_no_connection() {
    let node = scripted(json!({"acks": {"jamz-change": "$never"}})).await;
    let mut car = Car::at(node.url());
    car.up().await;
    car.link.send(ServerCommand::Change(Box::new(change(1))));
    let seen = car.probe_for(Duration::from_secs(6)).await;
    let failed = |e: &ServerEvent| matches!(e, ServerEvent::Failed { change, .. } if change.sequence == 1);
    assert_eq!(seen.iter().filter(|e| failed(e)).count(), 1);
    assert!(matches!(seen.last(), Some(ServerEvent::Probed { .. })), "the path itself lives");
}

#[tokio::test]
async fn what_is_said_while_down_is_dropped_and_not_said_later() {
    let mut node = scripted(json!({})).await;
    let mut car = Car::at(node.url());
    car.up().await;
    node.kill();
    car.down().await;
    car.link.send(ServerCommand::Change(Box::new(change(1))));
    let mut back = scripted(json!({"port": node.port})).await;
    car.link.retry_now();
    car.up().await;
    car.link.send(ServerCommand::Change(Box::new(change(2))));
    assert_eq!(back.got("jamz-change").await["id"]["sequence"], 2);
}

#[tokio::test]
async fn more_than_the_link_carries_begins_the_connection_anew() {
    let node = scripted(json!({})).await;
    let road = Proxy::to(node.port).await;
    let mut car = Car::at(road.url());
    car.up().await;
    road.set(Road::Silent);
    for sequence in 0..5_000 {
        car.link.send(ServerCommand::Change(Box::new(change(sequence))));
    }
    let reason = car.down().await;
    assert!(reason.contains("more was said than the link carries"), "{reason}");
    road.set(Road::Open);
    car.up().await;
}

#[tokio::test]
async fn a_burst_of_changes_gets_each_its_own_answer() {
    let node = scripted(json!({"acks": {"jamz-probe": {"$delay": 300}}})).await;
    let mut car = Car::at(node.url());
    car.up().await;
    car.link.send(PROBE);
    for sequence in 1..=900 {
        car.link.send(ServerCommand::Change(Box::new(change(sequence))));
    }
    let mut sequence = 0;
    let mut probed = 0;
    while sequence + probed < 901 {
        match car.next().await {
            ServerEvent::Probed { .. } => probed += 1,
            event => {
                sequence += 1;
                assert_eq!(event, ServerEvent::Acked { change: change(sequence).id, verdict: Verdict::Applied });
            }
        }
    }
    assert_eq!((sequence, probed), (900, 1));
}

#[tokio::test]
async fn a_slow_core_delays_events_and_not_the_heartbeat() {
    let mut node = scripted(json!({"pingInterval": 400, "pingTimeout": 400})).await;
    let config = Config { url: Some(node.url()), ..Config::default() };
    let mut car = Car::with_room(config, 1);
    car.up().await;
    for sequence in 1..=60 {
        node.emit("jamz-change", &json!([change(sequence)]));
    }
    sleep(Duration::from_secs(4)).await;
    for sequence in 1..=60 {
        assert_eq!(car.next().await, ServerEvent::Change(Box::new(change(sequence))));
    }
}

#[tokio::test]
async fn no_probe_is_sent_that_was_not_commanded_and_leaving_is_polite() {
    let mut node = scripted(json!({})).await;
    let mut car = Car::at(node.url());
    car.up().await;
    car.link.send(join());
    assert!(matches!(car.next().await, ServerEvent::Joined { .. }));
    sleep(Duration::from_millis(1_500)).await;
    car.link.close().await;
    let said = node.find("goodbye", |line| line.get("disconnected").is_some()).await;
    assert_eq!(said["why"], "client namespace disconnect");
    assert!(node.lines().iter().all(|line| line["got"] != "jamz-probe"));
}

#[tokio::test]
async fn a_server_that_only_talks_and_never_answers_is_left() {
    let mut node = scripted(json!({"acks": {"jamz-probe": "$never"}})).await;
    let mut car = Car::at(node.url());
    car.up().await;
    for sequence in 0..20 {
        node.emit("jamz-change", &json!([change(sequence)]));
    }
    let (reason, took) = car.probe_until_down().await;
    assert!(reason.contains("silent") && took < Duration::from_millis(2_500), "{reason} {took:?}");
}
