//! The real `jamzd` on the real `jamz-server`: cars and today's web client in one convoy.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(clippy::disallowed_methods, reason = "a test measures what a driver would: real time")]

#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/bus.rs"]
mod bus;
#[path = "support/heard.rs"]
mod heard;
#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/http.rs"]
mod http;
#[allow(dead_code, unreachable_pub, reason = "each test uses its part of the support")]
#[path = "support/jamz_server.rs"]
mod jamz_server;
#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/jamzd_car.rs"]
mod jamzd_car;
#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/tier_node.rs"]
mod node;
#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/tunes.rs"]
mod tunes;
#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/web_client.rs"]
mod web_client;

use heard::jumps;
use http::Site;
use jamz::core::request::Addition;
use jamz::core::status::{ActiveSync, PeerState, SocketState, Status};
use jamz_server::Server;
use jamzd_car::Car;
use serde_json::json;
use std::time::{Duration, Instant};
use web_client::Web;

/// How far a car may be from the web client, which plays from when it hears of it: with a whole convoy on one machine,
/// late.
const TOGETHER_S: f64 = 0.75;
/// How far cars may be from each other, as they say themselves.
const CARS_US: i64 = 20_000;

fn token(server: &Server, user: &str) -> String {
    server.token(user, "c")["token"].as_str().unwrap().to_owned()
}

fn car(meshes: bool, server: &Server, user: &str, ppm: f64) -> Car {
    Car::with_mesh(meshes, &server.url(), &token(server, user), user, "c", ppm)
}

async fn linked(car: &mut Car) {
    let is_linked = |status: &Status| status.connection.web_rtc.values().any(|state| *state == PeerState::Connected);
    car.until("it is linked with the other car", is_linked).await;
}

async fn joined(car: &mut Car) {
    let ready = |status: &Status| status.connection.active_sync == ActiveSync::Socket && status.clock.synced;
    car.until("it is in the convoy and knows its time", ready).await;
}

/// Waits until two cars play the same at the same moment of convoy time.
async fn until_in_step(what: &str, one: &mut Car, other: &mut Car) {
    let begun = Instant::now();
    loop {
        let (a, b) = (one.status().await, other.status().await);
        let start = |s: &Status| s.clock.convoy_us.unwrap() - s.now_playing.position_us;
        let playing = a.now_playing.playing && b.now_playing.playing && a.audio.in_sync && b.audio.in_sync;
        let same = a.now_playing.entry.is_some() && a.now_playing.entry == b.now_playing.entry;
        if playing && same && (start(&a) - start(&b)).abs() < CARS_US {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "not in step: {what}\n{a:#?}\n{b:#?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_and_two_cars_share_one_convoy() {
    share_one_convoy(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_and_two_cars_that_are_linked_share_one_convoy() {
    share_one_convoy(true).await;
}

async fn share_one_convoy(meshes: bool) {
    let (server, site) = (Server::start(&[]), Site::start().await);
    let mut web = Web::open(&server.url(), &token(&server, "web-user"), "web-user", "c", 0).await;
    let (mut van, mut truck) = (car(meshes, &server, "ann", 40.0), car(meshes, &server, "ben", -35.0));
    joined(&mut van).await;
    joined(&mut truck).await;
    if meshes {
        linked(&mut van).await;
        linked(&mut truck).await;
    }
    web.tell(
        &json!({ "do": "writePlaylist", "playlist": [tunes::track(&site, "one", 60), tunes::track(&site, "two", 60)] }),
    );
    web.take_control().await;
    web.tell(&json!({ "do": "loadAndPlay", "id": "one" }));
    until_in_step("the phone plays", &mut van, &mut truck).await;
    web.until_together("the phone plays", &mut van, TOGETHER_S).await;
    web.tell(&json!({ "do": "seekTo", "position": 30.0 }));
    van.until("it sought", |status| status.now_playing.position_us > 29_000_000).await;
    web.until_together("the phone seeks", &mut truck, TOGETHER_S).await;
    until_in_step("the phone seeks", &mut van, &mut truck).await;
    assert!(van.client().await.pause().await.unwrap_err().to_string().contains("take"));

    van.client().await.take().await.unwrap();
    web.until("the van leads", |state| state["isController"] == false).await;
    van.client().await.next().await.unwrap();
    web.until("the next track", |state| state["track"] == "two" && state["playing"] == true).await;
    until_in_step("the van goes on to the next", &mut van, &mut truck).await;
    web.until_together("the van goes on to the next", &mut van, TOGETHER_S).await;
    truck.client().await.queue_add(&[Addition::Url(tunes::put(&site, "three", 60))], None).await.unwrap();
    let state = web.until("the truck's track", |state| state["playlist"].as_array().unwrap().len() == 3).await;
    assert_eq!(state["playlist"][0]["albumArt"], "art of one");
    van.client().await.pause().await.unwrap();
    web.until("it stands", |state| state["playing"] == false).await;
    truck.until("it stands", |status| !status.now_playing.playing).await;
    web.until_together("paused", &mut truck, TOGETHER_S).await;
    web.take_control().await;
    van.until("the phone leads", |status| !status.is_controller).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_the_server_and_a_power_cut_of_a_car_do_not_part_the_cars() {
    do_not_part_the_cars(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_the_server_and_a_power_cut_of_a_car_do_not_part_cars_that_are_linked() {
    do_not_part_the_cars(true).await;
}

async fn do_not_part_the_cars(meshes: bool) {
    let (mut server, site) = (Server::start(&[]), Site::start().await);
    let (mut van, mut truck) = (car(meshes, &server, "ann", 40.0), car(meshes, &server, "ben", -35.0));
    joined(&mut van).await;
    joined(&mut truck).await;
    if meshes {
        linked(&mut van).await;
        linked(&mut truck).await;
    }
    let tracks = [tunes::put(&site, "one", 90), tunes::put(&site, "two", 90)].map(Addition::Url);
    van.client().await.queue_add(&tracks, None).await.unwrap();
    van.client().await.take().await.unwrap();
    van.client().await.play(None).await.unwrap();
    until_in_step("played", &mut van, &mut truck).await;

    let before = [van.status().await, truck.status().await];
    server.kill();
    for car in [&mut van, &mut truck] {
        let without = if meshes { ActiveSync::Webrtc } else { ActiveSync::Offline };
        let is_so = |status: &Status| {
            let Status { connection, .. } = status;
            connection.socket_io == SocketState::Disconnected && connection.active_sync == without
        };
        let status = car.until("it is without the server", is_so).await;
        assert!(status.now_playing.playing && status.audio.in_sync);
    }
    server.restart();
    joined(&mut van).await;
    joined(&mut truck).await;
    until_in_step("after the restart of the server", &mut van, &mut truck).await;
    for (car, before) in [&mut van, &mut truck].into_iter().zip(&before) {
        let after = car.status().await;
        assert_eq!(jumps(&before.audio, &after.audio), 0);
    }
    van.client().await.next().await.unwrap();
    let entry = van.until("the next track", |status| status.now_playing.index == Some(1)).await.now_playing.entry;
    truck.until("the next track", |status| status.now_playing.entry == entry).await;
    until_in_step("the next track", &mut van, &mut truck).await;

    tokio::time::sleep(Duration::from_secs(2)).await;
    van.kill();
    van.switch_on();
    van.until("it plays", |status| status.now_playing.playing && status.audio.in_sync).await;
    joined(&mut van).await;
    until_in_step("after a power cut", &mut van, &mut truck).await;
    let status = van.status().await;
    assert!(status.is_controller && status.now_playing.entry == entry);
    van.client().await.seek(60_000_000).await.unwrap();
    truck.until("it sought", |status| status.now_playing.position_us >= 60_000_000).await;
    until_in_step("after a seek", &mut van, &mut truck).await;
}
