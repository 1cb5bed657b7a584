//! A convoy that never had a server: cars that share a secret and a network, and nothing else.

use crate::cars::{Car, SECRET, given, led_by_one_of, meshed, until_agreed, until_all};
use crate::heard::jumps;
use crate::network::{Network, is_possible};
use jamz::core::status::{ActiveSync, Status};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn a_convoy_without_a_server_plays_together_and_survives_a_change_of_address() {
    if !is_possible() {
        return;
    }
    let mut network = Network::new();
    let machines = [1, 2, 3].map(|n| network.machine_at(&format!("169.254.7.{n}/16")));
    let [van, truck, bus] = [&machines[0], &machines[1], &machines[2]].map(|machine| Car::start(machine, SECRET, None));
    let (van, truck, bus) = tokio::join!(van, truck, bus);
    let all = [&van, &truck, &bus];
    until_all(&all, "found each other", meshed(2)).await;

    van.add().await;
    van.client.take().await.unwrap();
    given("play", van.client.play(None), &all, |status| status.now_playing.playing).await;
    until_agreed(&all, "played").await;
    given("pause", van.client.pause(), &all, |status| !status.now_playing.playing).await;
    let refused = truck.client.play(None).await.unwrap_err().to_string();
    assert!(refused.contains("jamzctl take"), "{refused}");
    let own = truck.status().await.device;
    let led = |status: &Status| status.controller.as_ref() == Some(&own);
    given("take", truck.client.take(), &all, led).await;
    given("play", truck.client.play(None), &all, |status| status.now_playing.playing).await;
    let sought = |status: &Status| status.now_playing.position_us >= 300_000_000;
    given("seek", truck.client.seek(300_000_000), &all, sought).await;
    let before = until_agreed(&all, "steered by another").await;

    // The DJ's car gets another address, and somebody adds a track before anyone has noticed.
    let machine = &machines[1];
    let changed = Instant::now();
    network.ip(&format!("-n {machine} addr del 169.254.7.2/16 dev eth0"));
    network.ip(&format!("-n {machine} addr replace 169.254.99.9/16 dev eth0"));
    bus.add().await;
    until_all(&all, "the new track", |status| status.queue_length == 2).await;
    until_all(&all, "together again", meshed(2)).await;
    eprintln!("a new address: all linked again after {} ms", changed.elapsed().as_millis());
    for (before, after) in before.iter().zip(&until_agreed(&all, "with another address").await) {
        assert_eq!(jumps(&before.audio, &after.audio), 0, "nobody heard it");
    }
    // Those who did not reach the DJ have made one of their own meanwhile.
    let dj = led_by_one_of(&all).await;
    given("pause", dj.client.pause(), &all, |status| !status.now_playing.playing).await;
    given("play", dj.client.play(None), &all, |status| status.now_playing.playing).await;
    a_stranger_is_not_let_in_and_says_why(&mut network, &all).await;
}

async fn a_stranger_is_not_let_in_and_says_why(network: &mut Network, members: &[&Car]) {
    let machine = network.machine_at("169.254.7.4/16");
    let stranger = Car::start(&machine, "what the convoy does not share", None).await;
    let told = |status: &Status| status.connection.reason.contains("secret_file");
    let status = stranger.daemon.until(&stranger.client, "told why it is alone", told).await;
    assert_eq!(status.connection.active_sync, ActiveSync::Offline);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let status = stranger.status().await;
    assert!(status.connection.web_rtc.is_empty() && status.queue_length == 0, "{status:#?}");
    for member in members {
        assert!(meshed(2)(&member.status().await), "the stranger is no member");
    }
    assert!(stranger.daemon.log().contains("another secret"), "{}", stranger.daemon.log());
}
