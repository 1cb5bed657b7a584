//! What a phone shows, and what it does.

use crate::Road;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_joins_by_a_link_sees_what_plays_and_who_is_there_and_controls_the_car() {
    let mut road = Road::start().await;
    road.join("dj", "ben").await;
    for words in ["One", "Two", "Three", "ann's car controls the music.", "ben's phone (you)"] {
        road.browser.read("ben", words).await;
    }
    let member = |status: &jamz::core::status::Status| {
        status.members.iter().any(|member| member.name == "ben's phone" && member.online)
    };
    road.van.until("the car sees the phone", member).await;
    road.browser.press("ben", "Pause").await;
    road.browser.read("ben", "ann's car controls. Take control first.").await;
    assert!(road.van.status().await.now_playing.playing, "who does not lead changes nothing");

    road.browser.press("ben", "Take control").await;
    road.browser.read("ben", "You control the music.").await;
    road.van.until("the phone leads", |status| !status.is_controller && status.controller.is_some()).await;
    road.browser.press("ben", "Pause").await;
    road.browser.see("ben", "button", "Play").await;
    road.van.until("it stands", |status| !status.now_playing.playing).await;
    road.browser.press("ben", "Next").await;
    road.van.until("the next song", |status| status.now_playing.index == Some(1)).await;
    road.browser.press("ben", "Play").await;
    road.van.until("it plays", |status| status.now_playing.playing && status.audio.in_sync).await;
    road.browser.press("ben", "Previous").await;
    road.van.until("the song before", |status| status.now_playing.index == Some(0)).await;
    let seek = "() => { const p = document.getElementById('position'); p.value = 90;
        p.dispatchEvent(new Event('input')); }";
    road.browser.run("ben", seek, json!(null)).await;
    let sought = |status: &jamz::core::status::Status| status.now_playing.position_us > 89_000_000;
    road.van.until("it sought", sought).await;

    road.browser.press("ben", "Edit the playlist").await;
    road.browser.press("ben", "Down One").await;
    road.van.until("it moved", |status| status.now_playing.index == Some(1)).await;
    road.browser.press("ben", "Up Three").await;
    road.browser.press("ben", "Remove Two").await;
    road.van.until("it is gone", |status| status.queue_length == 2).await;
    let queue = road.van.client().await.queue().await.unwrap();
    let titles: Vec<_> = queue.entries.iter().map(|entry| entry.track.title.as_str()).collect();
    assert_eq!(titles, ["Three", "One"]);

    road.browser.press("ben", "Release control").await;
    road.van.until("nobody leads", |status| status.controller.is_none()).await;
    road.van.client().await.take().await.unwrap();
    road.browser.read("ben", "ann's car controls the music.").await;
    road.van.client().await.pause().await.unwrap();
    road.browser.see("ben", "button", "Play").await;
    assert_eq!(road.browser.noted("ben").await["complaints"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_came_by_a_listeners_link_sees_everything_and_controls_nothing() {
    let mut road = Road::start().await;
    road.join("listener", "lea").await;
    road.browser.read("lea", "One").await;
    let controller = road.van.status().await.controller;
    for button in ["Take control", "Pause", "Next", "One 3:20"] {
        road.browser.press("lea", button).await;
        road.browser.read("lea", "Your link is for listening.").await;
    }
    // Nor does the server believe a page that someone has altered.
    let altered = "async () => { const { DeviceKey, Kept } = await import('/keys.js');
        const { io } = await import('/vendor/socket.io.esm.min.js');
        const kept = await Kept.open(); const { token, convoy } = await kept.get('invitation');
        const key = await DeviceKey.open(kept, 'lea');
        const socket = io({ auth: { token }, transports: ['websocket'], forceNew: true });
        const hello = await new Promise((resolve) => socket.on('hello', resolve));
        const proof = await key.proveJoin(convoy, hello.jamz.challenge);
        await socket.emitWithAck('jamz-join', { convoy, device: key.device, user: 'lea', kind: 'phone', proof });
        const change = { id: { device: key.device, sequence: 1 }, hlc: { time_us: 1, count: 0 }, term: 0,
          user: 'lea', action: { type: 'take-control' } };
        return socket.emitWithAck('jamz-change', await key.signChange(change, convoy)); }";
    let answer = road.browser.run("lea", altered, json!(null)).await;
    assert_eq!(answer["verdict"], "refused", "{answer}");
    assert!(answer["reason"].as_str().unwrap().contains("may not take control"), "{answer}");
    let status = road.van.status().await;
    assert!(status.now_playing.playing && status.controller == controller);
    road.browser.read("lea", "open in another tab").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_and_a_restart_of_the_server_lose_neither_the_phone_nor_its_control() {
    let mut road = Road::start().await;
    road.join("dj", "ben").await;
    road.browser.press("ben", "Take control").await;
    road.browser.read("ben", "You control the music.").await;
    let device = road.van.until("the phone leads", |s| !s.is_controller && s.controller.is_some()).await.controller;
    road.browser.reload("ben").await;
    road.browser.read("ben", "Connected to the server").await;
    road.browser.press("ben", "Pause").await;
    road.browser.see("ben", "button", "Play").await;
    let stands = road.van.until("it stands", |status| !status.now_playing.playing).await;
    assert_eq!(stands.controller, device, "it is the same phone as before");

    road.server.kill();
    road.browser.read("ben", "Trying again.").await;
    road.browser.press("ben", "Play").await;
    road.browser.read("ben", "Not connected.").await;
    road.server.restart();
    road.browser.read("ben", "Connected to the server").await;
    road.browser.press("ben", "Play").await;
    road.browser.see("ben", "button", "Pause").await;
    road.van.until("it plays", |status| status.now_playing.playing).await;
}
