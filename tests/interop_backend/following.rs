//! The web client leads, and the car follows.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_car_follows_a_web_client_whose_wall_clock_is_ten_years_ahead() {
    let (mut backend, site) = backend().await;
    let tracks =
        json!([tunes::track(&site, "one", 60), tunes::track(&site, "two", 60), tunes::track(&site, "three", 60)]);
    let mut web = Web::open(&backend.url(), "", "web-user", "s", TEN_YEARS_MS).await;
    web.tell(&json!({ "do": "writePlaylist", "playlist": tracks }));
    web.take_control().await;
    web.tell(&json!({ "do": "loadAndPlay", "id": "one" }));
    web.until("it plays", |state| state["playing"] == true).await;

    // The backend tells a newcomer of the track once more, for older clients and as if it stood.
    let mut car = car(&backend);
    let status = car.until("it plays", |status| status.now_playing.playing && status.audio.in_sync).await;
    assert_eq!(status.connection.socket_io, SocketState::Connected);
    assert_eq!(status.connection.active_sync, ActiveSync::Socket);
    assert_eq!(status.connection.dialect.as_deref(), Some("backend"));
    assert!(!status.is_controller);
    assert_eq!(backend.got("join-music-session").await["sessionId"], "s");
    web.until_together("joined while it plays", &mut car, TOGETHER_S).await;
    assert!(site.hits("one.wav") >= 1 && car.cached() >= 1, "its file was fetched over HTTP and kept");

    web.tell(&json!({ "do": "seekTo", "position": 30.5 }));
    web.until_together("after a seek", &mut car, TOGETHER_S).await;
    web.click("pause");
    web.until_together("paused", &mut car, TOGETHER_S).await;
    web.tell(&json!({ "do": "seekTo", "position": 12.0 }));
    web.until_together("sought while it stands", &mut car, TOGETHER_S).await;
    web.click("play");
    web.until_together("played on", &mut car, TOGETHER_S).await;
    web.click("playNext");
    web.until_together("the next track", &mut car, TOGETHER_S).await;
    web.tell(&json!({ "do": "loadAndPlay", "id": "three" }));
    web.until_together("a chosen track", &mut car, TOGETHER_S).await;
    web.click("playPrevious");
    web.until_together("the one before", &mut car, TOGETHER_S).await;
    assert_eq!(car.status().await.now_playing.index, Some(1));

    let refused = car.client().await.pause().await.unwrap_err();
    assert!(refused.to_string().contains("take"), "{refused}");
    web.until_together("undisturbed by a listener", &mut car, TOGETHER_S).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn control_passes_both_ways() {
    let (backend, site) = backend().await;
    let mut web = Web::open(&backend.url(), "", "web-user", "s", 0).await;
    web.tell(&json!({ "do": "writePlaylist", "playlist": [tunes::track(&site, "one", 60)] }));
    web.take_control().await;
    web.tell(&json!({ "do": "loadAndPlay", "id": "one" }));
    let mut car = car(&backend);
    car.until("it plays", |status| status.now_playing.playing && status.audio.in_sync).await;
    web.until_together("the web client leads", &mut car, TOGETHER_S).await;

    car.client().await.take().await.unwrap();
    web.until("it hears that the car leads", |state| state["isController"] == false).await;
    car.client().await.seek(40_000_000).await.unwrap();
    web.until("it follows the car", |state| state["position"].as_f64().unwrap() > 40.0).await;
    web.until_together("the car leads", &mut car, TOGETHER_S).await;

    web.take_control().await;
    car.until("it hears that the web client leads", |status| !status.is_controller).await;
    web.tell(&json!({ "do": "seekTo", "position": 5.0 }));
    car.until("it follows the web client", |status| status.now_playing.position_us < 20_000_000).await;
    web.until_together("the web client leads again", &mut car, TOGETHER_S).await;
    web.click("releaseControl");
    car.until("nobody leads", |status| status.controller.is_none()).await;
    assert!(car.status().await.now_playing.playing);
    car.client().await.take().await.unwrap();
    car.client().await.release().await.unwrap();
    web.until("nobody leads", |state| {
        web_client::heard(state, "music-controller-changed").filter(|data| data["controllerId"].is_null()).count() == 2
    })
    .await;
}
