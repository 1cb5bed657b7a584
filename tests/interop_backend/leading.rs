//! The car leads, and says what the web client expects.

use super::*;
use crate::web_client::heard;
use jamz::core::request::Addition;
use std::time::{SystemTime, UNIX_EPOCH};

fn close(value: &Value, wanted_s: f64) -> bool {
    (value.as_f64().unwrap() - wanted_s).abs() < 1.0
}

/// Whether a time in milliseconds since 1970 is of this minute.
fn is_now(value: &Value) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    (value.as_f64().unwrap() / 1_000.0 - now).abs() < 60.0
}

#[tokio::test(flavor = "multi_thread")]
async fn the_web_client_follows_a_car_by_events_it_knows() {
    let (mut backend, site) = backend().await;
    let mut web = Web::open(&backend.url(), "", "web-user", "s", 0).await;
    let mut car = car(&backend);
    joined(&mut car).await;
    let short = tunes::put(&site, "short", 7);
    let tracks = [tunes::put(&site, "long", 60), short.clone(), tunes::put(&site, "last", 60)].map(Addition::Url);
    car.client().await.queue_add(&tracks, None).await.unwrap();
    let state = web.until("it has the list", |state| state["playlist"].as_array().unwrap().len() == 3).await;
    assert_eq!(state["playlist"][1]["fileUrl"], json!(short));
    assert_eq!(
        (&state["playlist"][1]["title"], &state["playlist"][1]["source"]),
        (&json!("short.wav"), &json!("local"))
    );
    car.client().await.take().await.unwrap();
    car.client().await.play(None).await.unwrap();
    web.until("it plays", |state| state["playing"] == true).await;
    web.until_together("played", &mut car, TOGETHER_S).await;
    assert_eq!(backend.got("music-take-control").await["userId"], "driver");
    let change = backend.got("music-track-change").await;
    assert_eq!((&change["sessionId"], &change["autoPlay"]), (&json!("s"), &json!(true)));

    let first = backend.got("music-position-sync").await;
    let second = backend.got("music-position-sync").await;
    assert!(is_now(&first["timestamp"]) && first["trackId"].is_string(), "{first}");
    let apart = |field: &str| second[field].as_f64().unwrap() - first[field].as_f64().unwrap();
    assert!((apart("position") - 5.0).abs() < 0.5 && (apart("timestamp") - 5_000.0).abs() < 500.0, "{first} {second}");

    car.client().await.seek(33_000_000).await.unwrap();
    web.until("it sought", |state| heard(state, "music-seek").count() == 1).await;
    let seek = backend.got("music-control").await;
    assert_eq!((&seek["action"], &seek["isPlaying"]), (&json!("seek"), &json!(true)));
    assert!(close(&seek["position"], 33.0) && is_now(&seek["timestamp"]), "{seek}");
    assert_eq!((&seek["trackId"], &seek["track"]["title"]), (&seek["track"]["id"], &json!("long.wav")));
    web.until_together("sought", &mut car, TOGETHER_S).await;
    car.client().await.pause().await.unwrap();
    web.until("it stands", |state| state["playing"] == false).await;
    web.until_together("paused", &mut car, TOGETHER_S).await;
    car.client().await.play(None).await.unwrap();
    web.until("it plays on", |state| state["playing"] == true).await;
    web.until_together("played on", &mut car, TOGETHER_S).await;
    car.client().await.next().await.unwrap();
    let next = web.until("the next track", |state| state["track"] == short.as_str()).await;
    assert_eq!(heard(&next, "music-track-change").next_back().unwrap()["track"]["fileUrl"], json!(short));
    web.until_together("the next track", &mut car, TOGETHER_S).await;

    // It runs out, and the DJ says what comes then.
    let state = web.until("the track after it", |state| state["track"].as_str().unwrap().ends_with("last.wav")).await;
    let change = heard(&state, "music-track-change").next_back().unwrap();
    assert_eq!(change["autoPlay"], true);
    assert!(close(&change["position"], 0.0), "{change}");
    web.until_together("rolled on", &mut car, TOGETHER_S).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_lists_lose_nothing_of_the_cars_and_keep_what_only_the_web_client_knows() {
    let (mut backend, site) = backend().await;
    let mut web = Web::open(&backend.url(), "", "web-user", "s", 0).await;
    let mut car = car(&backend);
    joined(&mut car).await;
    let (one, two) = (tunes::track(&site, "one", 60), tunes::track(&site, "two", 60));
    web.tell(&json!({ "do": "writePlaylist", "playlist": [one.clone()] }));
    car.until("it has the list", |status| status.queue_length == 1).await;
    // The browser writes its list without having seen the car's.
    let added = [Addition::Url(tunes::put(&site, "ours", 60))];
    let client = car.client().await.clone();
    let (done, ()) = tokio::join!(client.queue_add(&added, None), async {
        web.tell(&json!({ "do": "writePlaylist", "playlist": [one.clone(), two.clone()] }));
    });
    done.unwrap();
    // Of the two that were added at once, either may come first.
    let is_ours = |id: &str| id.ends_with("ours.wav");
    let both = |list: &Value| {
        let ids = ids(list);
        ids.len() == 3 && ids[0] == "one" && ids.contains(&"two") && ids.iter().any(|id| is_ours(id))
    };
    let state = web.until("it has both", |state| both(&state["playlist"])).await;
    car.until("it has both", |status| status.queue_length == 3).await;
    assert!(both(&session(&mut backend).await["playlist"]));
    assert_eq!(state["playlist"][0], one, "as the web client wrote it");
    let entries = car.client().await.queue().await.unwrap().entries;
    let ours = entries.iter().find(|entry| is_ours(entry.track.id.as_str())).unwrap();
    car.client().await.queue_move(&ours.id, 0).await.unwrap();
    car.client().await.queue_remove(&entries[0].id).await.unwrap();
    let state = web
        .until("it has the order", |state| {
            let ids = ids(&state["playlist"]);
            ids.len() == 2 && is_ours(ids[0]) && ids[1] == "two"
        })
        .await;
    assert_eq!(state["playlist"][1], two);
}
