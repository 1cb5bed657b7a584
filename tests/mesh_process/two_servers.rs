//! Two servers of one house that cannot reach each other, each with a half of the convoy: the halves meet on the road.

use crate::cars::{Car, SECRET, given, led_by_one_of, until_agreed, until_all};
use crate::jamz_server::Server;
use crate::network::{Network, is_possible};
use jamz::core::status::{ActiveSync, Status};

/// A network with a server and two cars on it.
async fn half(network: &mut Network, server: &str, cars: [(&str, &str); 2]) -> (Server, [Car; 2]) {
    let machine = network.machine_at(&format!("{server}/24"));
    let server = Server::start_at(&machine, server);
    let [one, other] = cars.map(|(address, user)| (network.machine_at(&format!("{address}/24")), user));
    let one = Car::start(&one.0, SECRET, Some((&server, one.1)));
    let other = Car::start(&other.0, SECRET, Some((&server, other.1)));
    let (one, other) = tokio::join!(one, other);
    (server, [one, other])
}

/// Both cars add a track, and the first one plays.
async fn play(cars: &[Car; 2]) {
    let [one, other] = cars;
    until_all(&[one, other], "in the convoy", |status| status.connection.active_sync == ActiveSync::Socket).await;
    one.add().await;
    other.add().await;
    one.client.take().await.unwrap();
    one.client.play(None).await.unwrap();
    until_agreed(&[one, other], "a half by itself").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn halves_that_were_on_two_servers_become_one_convoy_with_one_dj_and_all_that_was_added() {
    if !is_possible() {
        return;
    }
    let (mut here, mut there) = (Network::new(), Network::new());
    let ((mut first, ours), (mut second, theirs)) = tokio::join!(
        half(&mut here, "10.9.0.100", [("10.9.0.1", "ann"), ("10.9.0.2", "ben")]),
        half(&mut there, "10.9.0.200", [("10.9.0.11", "cat"), ("10.9.0.12", "dan")]),
    );
    tokio::join!(play(&ours), play(&theirs));
    let all = [&ours[0], &ours[1], &theirs[0], &theirs[1]];
    let mut entries = 4;
    let has = |entries: usize| move |status: &Status| status.queue_length == entries;

    // They meet while each half still has its server.
    here.join(&there);
    until_all(&all, "have what the others added", has(entries)).await;
    until_agreed(&all, "one convoy on two servers").await;

    // One server dies, then the other, and each time everyone adds a track.
    for server in [&mut first, &mut second] {
        server.kill();
        let dj = led_by_one_of(&all).await;
        given("pause", dj.client.pause(), &all, |status| !status.now_playing.playing).await;
        for car in all {
            car.add().await;
        }
        entries += all.len();
        until_all(&all, "have what was added", has(entries)).await;
        let dj = led_by_one_of(&all).await;
        given("play", dj.client.play(None), &all, |status| status.now_playing.playing).await;
        until_agreed(&all, "with a server less").await;
    }
    first.restart();
    second.restart();
    until_all(&all, "back on the servers", |status| status.connection.active_sync == ActiveSync::Socket).await;
    until_agreed(&all, "with both servers again").await;
    assert!(all[0].status().await.queue_length == entries);
    led_by_one_of(&all).await;
}
