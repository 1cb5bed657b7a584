//! Cars that found each other in the backend's session go on over the mesh when the backend dies in the middle of a
//! song, and the backend has it all when it is back; a web client beside them notices nothing of their links.

use super::*;
use crate::heard::jumps;
use crate::web_client::heard;
use jamz::core::request::Addition;
use jamz::core::status::{PeerState, Status};
use std::time::{Duration, Instant};

/// The user's bound for a change of tier: a control given at the cut is applied everywhere by then.
const CONTROL_MAX: Duration = Duration::from_secs(2);
/// What the web client itself takes for being in time: it follows by the arrival of what it hears, cars by its date.
const WEB_S: f64 = 2.0;
/// How far cars may be from each other, as they say themselves, where one has nothing better than the backend's word.
const CARS_US: i64 = 150_000;
/// What the backend takes of candidates from one socket.
const CANDIDATES_MAX: usize = 50;

fn meshed(backend: &Node, user: &str) -> Car {
    Car::with_mesh(true, &backend.url(), "a-token-that-the-backend-does-not-read", user, "s", 20.0)
}

fn is_linked(status: &Status) -> bool {
    status.connection.web_rtc.values().any(|state| *state == PeerState::Connected)
}

/// Waits until it is so in all cars, and returns how long that took.
async fn until_all(cars: &mut [Car], what: &str, wanted: impl Fn(&Status) -> bool) -> Duration {
    let begun = Instant::now();
    for car in cars {
        car.until(what, &wanted).await;
    }
    begun.elapsed()
}

/// Waits until all cars play (or stand) at the same place, and the web client where they do.
async fn until_in_step(what: &str, web: &mut Web, cars: &mut [Car]) {
    let begun = Instant::now();
    loop {
        let mut all = Vec::new();
        for car in &mut *cars {
            all.push(car.status().await);
        }
        let same = |a: &Status, b: &Status| {
            let (one, other) = (&a.now_playing, &b.now_playing);
            let ran_us = if one.playing { b.taken_us - a.taken_us } else { 0 };
            let apart_us = other.position_us - one.position_us - ran_us;
            (&one.track, one.playing) == (&other.track, other.playing) && apart_us.abs() < CARS_US
        };
        if all.windows(2).all(|pair| same(&pair[0], &pair[1])) {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "not in step: {what}\n{all:#?}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    for car in cars {
        web.until_together(what, car, WEB_S).await;
    }
}

/// Waits until all cars have these tracks in this order and nothing to tell, and the backend has them.
async fn until_listed(backend: &mut Node, cars: &mut [Car], count: usize) {
    let begun = Instant::now();
    loop {
        let known = session(backend).await;
        let wanted: Vec<String> = ids(&known["playlist"]).into_iter().map(str::to_owned).collect();
        let mut lists = Vec::new();
        let mut pending = 0;
        for car in &mut *cars {
            let entries = car.client().await.queue().await.unwrap().entries;
            lists.push(entries.iter().map(|entry| entry.track.id.to_string()).collect::<Vec<_>>());
            pending += car.status().await.changes.pending;
        }
        if pending == 0 && wanted.len() == count && lists.iter().all(|list| *list == wanted) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{count} wanted; {pending} pending; {known:#}\n{lists:#?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Of what the backend told since it was last asked: whether it dropped candidates, and how many one car said.
fn candidates(backend: &mut Node) -> usize {
    let lines = backend.lines();
    assert!(lines.iter().all(|line| line.get("dropped").is_none()), "the backend dropped candidates");
    let mut by_socket = std::collections::BTreeMap::new();
    for line in lines.iter().filter(|line| line["got"] == "webrtc-candidate") {
        *by_socket.entry(line["socket"].to_string()).or_insert(0) += 1;
    }
    by_socket.into_values().max().unwrap_or(0)
}

async fn add(car: &mut Car, url: &str) {
    car.client().await.queue_add(&[Addition::Url(url.to_owned())], None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn cars_go_on_over_the_mesh_without_the_backend_and_it_has_everything_when_it_is_back() {
    let (mut backend, site) = backend().await;
    let mut web = Web::open(&backend.url(), "", "web-user", "s", 0).await;
    let one = tunes::track(&site, "one", 300);
    web.tell(&json!({ "do": "writePlaylist", "playlist": [one] }));
    let mut cars = ["ann", "ben", "cat"].map(|user| meshed(&backend, user));
    until_all(&mut cars, "in the session", |status| status.queue_length == 1).await;
    let linked = until_all(&mut cars, "linked by signals over the backend", is_linked).await;
    let said = candidates(&mut backend);
    eprintln!("linked after {} ms, by {said} candidates of one car", linked.as_millis());
    assert!(said > 0 && said <= CANDIDATES_MAX, "{said} candidates from one car");
    add(&mut cars[2], &tunes::put(&site, "two", 300)).await;
    until_listed(&mut backend, &mut cars, 2).await;
    cars[0].client().await.take().await.unwrap();
    cars[0].client().await.play(None).await.unwrap();
    until_all(&mut cars, "played", |status| status.now_playing.playing && status.audio.in_sync).await;
    until_in_step("played", &mut web, &mut cars).await;
    let leader = cars[0].status().await.device;
    until_all(&mut cars, "know which car leads", |status| status.controller.as_ref() == Some(&leader)).await;
    until_all(&mut cars, "linked", is_linked).await;
    let state = web.state().await;
    assert!(heard(&state, "webrtc-offer").count() > 0 && state["applied"] == json!([]), "{state:#}");

    let mut entries = 2;
    for remembers in [true, false] {
        backend = without_it(backend, remembers, &mut cars, &site, entries).await;
        entries += cars.len();
        until_listed(&mut backend, &mut cars, entries).await;
        until_all(&mut cars, "still led by the same", |status| status.controller.as_ref() == Some(&leader)).await;
        let has_all =
            |state: &Value| state["connected"] == true && state["playlist"].as_array().unwrap().len() == entries;
        let state = web.until("it has the list", has_all).await;
        assert_eq!(state["applied"], json!([]), "no browser takes a car's signal for a call");
        cars[0].client().await.seek(30_000_000).await.unwrap();
        until_all(&mut cars, "sought", |status| status.now_playing.position_us < 100_000_000).await;
        until_in_step("after its return", &mut web, &mut cars).await;
    }
    // Control passes to the browser and back, and all follow.
    web.take_control().await;
    cars[0].until("the browser leads", |status| !status.is_controller).await;
    web.tell(&json!({ "do": "seekTo", "position": 200.0 }));
    until_in_step("led by the browser", &mut web, &mut cars).await;
    cars[1].client().await.take().await.unwrap();
    cars[1].client().await.pause().await.unwrap();
    until_in_step("paused by another car", &mut web, &mut cars).await;
}

/// Kills the backend in the middle of the song, has the DJ steer at that very moment and everyone add a track, and
/// starts it again, with what it knew or nothing.
async fn without_it(mut backend: Node, remembers: bool, cars: &mut [Car], site: &Site, entries: usize) -> Node {
    let leader = cars[0].status().await.device;
    let before = cars[1].status().await.audio;
    let (port, kept) = (backend.port, session(&mut backend).await);
    backend.kill();
    let (client, cut) = (cars[0].client().await.clone(), Instant::now());
    let (sought, ()) = tokio::join!(client.seek(120_000_000), async {
        until_all(cars, "sought", |status| status.now_playing.position_us >= 120_000_000).await;
    });
    sought.unwrap();
    eprintln!("a control given at the cut: everywhere after {} ms", cut.elapsed().as_millis());
    assert!(cut.elapsed() < CONTROL_MAX, "{:?}", cut.elapsed());
    for (n, car) in cars.iter_mut().enumerate() {
        add(car, &tunes::put(site, &format!("{n}-{remembers}"), 60)).await;
    }
    let all_there = |status: &Status| {
        let led = status.controller.as_ref() == Some(&leader);
        led && status.queue_length == entries + 3 && status.connection.active_sync == ActiveSync::Webrtc
    };
    until_all(cars, "have all that was added, and the same DJ", all_there).await;
    let after = cars[1].status().await.audio;
    assert!(after.in_sync && jumps(&before, &after) <= 1, "it jumped but where it was sought: {before:?} {after:?}");

    let sessions = if remembers { json!({ "s": kept }) } else { json!({}) };
    let again = Node::start("backend.js", &json!({ "port": port, "sessions": sessions })).await;
    let back = |status: &Status| status.connection.active_sync == ActiveSync::Socket && status.now_playing.playing;
    until_all(cars, "back", back).await;
    again
}
