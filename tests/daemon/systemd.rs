//! What systemd is told, and how the daemon ends.

use crate::daemon::{Daemon, PROGRAM};
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

/// A daemon under a systemd that listens, with a watchdog of half a second.
fn supervised() -> (Daemon, UnixDatagram) {
    let mut car = Daemon::new("");
    car.put_music("long.wav", 600);
    let socket = UnixDatagram::bind(car.path("notify")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut command = Command::new(PROGRAM);
    command.env("NOTIFY_SOCKET", car.path("notify")).env("WATCHDOG_USEC", "500000").env_remove("WATCHDOG_PID");
    car.start_by(command);
    (car, socket)
}

fn told(socket: &UnixDatagram) -> String {
    let mut buffer = [0; 4_096];
    let length = socket.recv(&mut buffer).expect("nothing is told");
    String::from_utf8(buffer[..length].to_vec()).unwrap()
}

#[tokio::test]
async fn systemd_hears_that_it_is_ready_alive_and_stopping_and_the_end_is_quick() {
    let (mut car, socket) = supervised();
    let mut first = told(&socket);
    while first.contains("WATCHDOG=1") {
        first = told(&socket);
    }
    assert!(first.contains("READY=1"), "{first}");
    let client = car.client().await;
    let track = car.track(&client, "long").await;
    client.queue_add(&[track], None).await.unwrap();
    client.play(None).await.unwrap();
    client.set_volume(0.2).await.unwrap();
    for _ in 0..6 {
        assert!(told(&socket).contains("WATCHDOG=1"));
    }
    let (status, after) = car.terminate();
    assert!(status.success() && after < Duration::from_secs(2), "{status} after {after:?}");
    while !told(&socket).contains("STOPPING=1") {}

    car.start();
    let client = car.client().await;
    let status = client.status().await.unwrap();
    assert!(status.now_playing.playing && (status.volume - 0.2).abs() < 1e-9, "the state was not kept");
}
