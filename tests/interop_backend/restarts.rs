//! The backend or the car goes away in the middle of the music, and comes back.

use super::*;
use crate::heard::jumps;
use std::time::Instant;

/// The car leads the web client; 60 s of music, begun a moment ago.
async fn led_by_car(backend: &Node, site: &Site) -> (Web, Car) {
    let mut web = Web::open(&backend.url(), "", "web-user", "s", 0).await;
    web.tell(
        &json!({ "do": "writePlaylist", "playlist": [tunes::track(site, "one", 60), tunes::track(site, "two", 60)] }),
    );
    let mut car = car(backend);
    car.until("it has the list", |status| status.queue_length == 2).await;
    car.client().await.take().await.unwrap();
    car.client().await.play(None).await.unwrap();
    web.until("it plays", |state| state["playing"] == true).await;
    web.until_together("at first", &mut car, TOGETHER_S).await;
    (web, car)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_lost_everything_is_told_it_again_by_the_dj_whose_music_never_stopped() {
    let (mut backend, site) = backend().await;
    let (mut web, mut car) = led_by_car(&backend, &site).await;
    let (begun, before) = (Instant::now(), car.status().await);
    let port = backend.port;
    backend.kill();
    let status = car.until("it is alone", |status| status.connection.socket_io == SocketState::Disconnected).await;
    assert_eq!(status.connection.active_sync, ActiveSync::Offline);
    assert!(status.now_playing.playing && status.audio.in_sync);
    let mut backend = Node::start("backend.js", &json!({ "port": port })).await;
    joined(&mut car).await;
    let status = car.status().await;
    let run_us = (status.now_playing.position_us - before.now_playing.position_us) as f64;
    assert!((run_us / 1e6 - begun.elapsed().as_secs_f64()).abs() < 0.3, "the music ran on: {run_us} µs");
    assert_eq!(jumps(&before.audio, &status.audio), 0);
    assert!(status.is_controller && status.audio.in_sync);
    let begun = Instant::now();
    loop {
        let state = session(&mut backend).await;
        if ids(&state["playlist"]) == ["one", "two"] && state["currently_playing"]["albumArt"] == "art of one" {
            assert_eq!((&state["is_playing"], &state["controller_user"]), (&json!(true), &json!("driver")));
            break;
        }
        assert!(begun.elapsed().as_secs() < 20, "{state}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let state = web.until("it is back", |state| state["connected"] == true).await;
    // Who comes to today's backend while music plays stands until the next control.
    if state["playing"] == true {
        web.until_together("after the restart", &mut car, 2.0).await;
    }
    car.client().await.seek(20_000_000).await.unwrap();
    web.until_together("after a seek", &mut car, TOGETHER_S).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dj_whose_power_was_cut_is_back_in_its_place_by_itself() {
    let (backend, site) = backend().await;
    let (mut web, mut car) = led_by_car(&backend, &site).await;
    // What is kept of a state is kept within a second or two.
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    car.kill();
    car.switch_on();
    let status = car.until("it plays", |status| status.now_playing.playing && status.audio.in_sync).await;
    assert_eq!(status.queue_length, 2);
    joined(&mut car).await;
    web.until_together("in time", &mut car, TOGETHER_S).await;
    assert!(car.status().await.is_controller);
    car.client().await.seek(45_000_000).await.unwrap();
    web.until("it is still led by the car", |state| state["position"].as_f64().unwrap() > 45.0).await;
    web.until_together("after a seek", &mut car, TOGETHER_S).await;
}
