//! Links of a phone with cars: what goes on when the server is gone.

use crate::Road;
use jamz::core::status::{PeerState, Status};

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_is_linked_with_a_car_shows_and_controls_when_the_server_is_killed() {
    let mut road = Road::start_with(true).await;
    road.join("dj", "ben").await;
    let linked = |status: &Status| status.connection.web_rtc.values().any(|state| *state == PeerState::Connected);
    road.van.until("it is linked with the phone", linked).await;
    road.browser.read("ben", "car, on the server, by a direct link").await;
    road.server.kill();
    road.browser.read("ben", "Without the server, linked with ann's car").await;
    road.browser.read("ben", "car, on the mesh, by a direct link").await;
    road.browser.read("ben", "ben's phone (you)\nphone, on the mesh").await;
    road.browser.press("ben", "Take control").await;
    road.browser.read("ben", "You control the music.").await;
    road.van.until("the phone leads", |status| !status.is_controller && status.controller.is_some()).await;
    road.browser.press("ben", "Pause").await;
    road.van.until("it stands", |status| !status.now_playing.playing).await;
    road.browser.press("ben", "Next").await;
    road.van.until("the next song", |status| status.now_playing.index == Some(1)).await;
    road.van.client().await.take().await.unwrap();
    road.browser.read("ben", "ann's car controls the music.").await;
    road.van.client().await.next().await.unwrap();
    road.browser.read("ben", "Now: Three").await;

    road.server.restart();
    road.browser.read("ben", "Connected to the server").await;
    road.browser.press("ben", "Take control").await;
    road.van.until("the phone leads", |status| !status.is_controller && status.controller.is_some()).await;
    road.browser.press("ben", "Play").await;
    road.van.until("it plays", |status| status.now_playing.playing).await;
}
