//! A car that ends and comes back, in a convoy over a real server; and a server that does.

use crate::daemon::{Daemon, PATIENCE};
use crate::jamz_server::Server;
use jamz::api::client::{Client, Event, Events};
use jamz::core::status::{ActiveSync, PeerState, Status};
use std::time::{Duration, Instant};

/// Between two cars, as their APIs tell it.
const APART_US_MAX: i64 = 50_000;

/// A car that has nothing but the server, and links with others if it `meshes`.
async fn member(meshes: bool, server: &Server, user: &str) -> (Daemon, Client) {
    let token = server.token(user, "alps");
    let mut car = Daemon::new("");
    let settings = format!(
        "[car]\nname = \"{user}'s car\"\n[convoy]\nid = \"alps\"\n[mesh]\nenabled = {meshes}\n\
         [server]\nurl = {:?}\ntoken_file = \"{}\"\n",
        server.url(),
        car.path("token").display()
    );
    std::fs::write(car.path("jamzd.toml.d/test.toml"), settings).unwrap();
    std::fs::write(car.path("token"), token["token"].as_str().unwrap()).unwrap();
    car.put_music("long.wav", 600);
    car.start();
    let client = car.client().await;
    (car, client)
}

fn is_in(status: &Status) -> bool {
    status.connection.active_sync == ActiveSync::Socket && status.clock.synced && status.audio.in_sync
}

/// How far apart two cars are now, by what they say of themselves.
async fn apart_us(one: &Client, other: &Client) -> i64 {
    let (one, other) = (one.status().await.unwrap(), other.status().await.unwrap());
    let origin_us = |status: &Status| status.now_playing.position_us - status.taken_us;
    assert!(one.now_playing.playing && other.now_playing.playing);
    origin_us(&one) - origin_us(&other)
}

/// Waits until a car that was just started plays in time again, and returns how long that took.
async fn back(car: &Daemon, since: Instant) -> (Client, Duration) {
    let client = car.client().await;
    car.until(&client, "audible", |status| status.audio.in_sync && status.now_playing.playing).await;
    let after = since.elapsed();
    car.until(&client, "in the convoy", is_in).await;
    (client, after)
}

/// Waits until a notice of this kind comes over the bus.
async fn hear(events: &mut Events, wanted: &str) {
    let heard = async {
        while let Some(event) = events.next().await {
            if matches!(&event, Event::Notice { kind, .. } if kind == wanted) {
                return;
            }
        }
        panic!("the bus is gone");
    };
    tokio::time::timeout(PATIENCE, heard).await.unwrap_or_else(|_| panic!("no notice of {wanted}"));
}

#[tokio::test]
async fn a_car_that_ends_in_any_way_comes_back_into_its_convoy_in_time() {
    let server = Server::start(&[]);
    let (mut van, mut ann) = member(false, &server, "ann").await;
    let (mut truck, mut ben) = member(false, &server, "ben").await;
    let track = van.track(&ann, "long").await;
    ann.queue_add(&[track], None).await.unwrap();
    ann.play(None).await.unwrap();
    van.until(&ann, "playing in time", is_in).await;
    truck.until(&ben, "playing in time", is_in).await;
    for way in ["killed", "terminated", "DJ killed"] {
        let ended = if way == "DJ killed" { &mut van } else { &mut truck };
        if way == "terminated" {
            assert!(ended.terminate().0.success());
        } else {
            ended.kill();
        }
        let began = Instant::now();
        ended.start();
        let (client, after) = back(ended, began).await;
        eprintln!("{way}: plays in time after {} ms", after.as_millis());
        assert!(after < Duration::from_secs(3) + PATIENCE / 10, "{way}: plays in time after {after:?}");
        if way == "DJ killed" {
            ann = client;
        } else {
            ben = client;
        }
        let apart_us = apart_us(&ann, &ben).await;
        assert!(apart_us.abs() < APART_US_MAX, "{way}: {apart_us} us apart");
        assert!(ann.status().await.unwrap().is_controller, "{way}");
    }
    ann.pause().await.unwrap();
    truck.until(&ben, "paused", |status| !status.now_playing.playing).await;
}

#[tokio::test]
async fn the_music_goes_on_without_the_server_and_what_was_done_meanwhile_reaches_it_later() {
    goes_on_without_the_server(false).await;
}

#[tokio::test]
async fn over_the_mesh_the_others_know_at_once_what_was_done_without_the_server() {
    goes_on_without_the_server(true).await;
}

async fn goes_on_without_the_server(meshes: bool) {
    let mut server = Server::start(&[]);
    let (van, ann) = member(meshes, &server, "ann").await;
    let (truck, ben) = member(meshes, &server, "ben").await;
    let track = van.track(&ann, "long").await;
    ann.queue_add(std::slice::from_ref(&track), None).await.unwrap();
    ann.play(None).await.unwrap();
    van.until(&ann, "playing in time", is_in).await;
    truck.until(&ben, "playing in time", is_in).await;
    if meshes {
        let is_linked = |status: &Status| status.connection.web_rtc.values().any(|s| *s == PeerState::Connected);
        van.until(&ann, "linked", is_linked).await;
        truck.until(&ben, "linked", is_linked).await;
    }
    let mut told = ann.subscribe().await.unwrap();
    let before_us = ann.status().await.unwrap().now_playing.position_us;
    server.kill();
    for (car, client) in [(&van, &ann), (&truck, &ben)] {
        let tier = if meshes { ActiveSync::Webrtc } else { ActiveSync::Offline };
        let status = car.until(client, "down a tier", |status| status.connection.active_sync == tier).await;
        assert!(status.now_playing.playing && !status.connection.reason.is_empty());
    }
    hear(&mut told, if meshes { "mesh-mode" } else { "offline-mode" }).await;
    ben.queue_add(&[track], None).await.unwrap();
    if meshes {
        van.until(&ann, "told by the other car", |status| status.queue_length == 2).await;
    } else {
        assert_eq!(ben.status().await.unwrap().changes.pending, 1);
    }
    let apart = apart_us(&ann, &ben).await;
    assert!(apart.abs() < APART_US_MAX, "{apart} us apart without a server");
    server.restart();
    van.until(&ann, "back, and told", |status| is_in(status) && status.queue_length == 2).await;
    hear(&mut told, "back-online").await;
    truck.until(&ben, "back", |status| is_in(status) && status.changes.pending == 0).await;
    let apart = apart_us(&ann, &ben).await;
    assert!(apart.abs() < APART_US_MAX, "{apart} us apart");
    assert!(ann.status().await.unwrap().now_playing.position_us > before_us);
}
