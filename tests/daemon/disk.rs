//! The disk is full, for a while.

use crate::daemon::Daemon;
use jamz::api::client::ClientError;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use std::time::Duration;

/// No file of the process may grow beyond so many bytes; for it that is as good as a full disk.
fn limit_files(pid: Pid, bytes: Option<u64>) {
    prlimit(Some(pid), Resource::Fsize, Rlimit { current: bytes, maximum: None }).unwrap();
}

#[tokio::test]
async fn on_a_full_disk_a_change_is_refused_and_the_music_goes_on_until_there_is_room_again() {
    let mut car = Daemon::new("");
    car.put_music("long.wav", 600);
    // Beyond the limit the kernel sends SIGXFSZ, unless it is ignored; then writing fails as on a full disk.
    car.start_after("trap '' XFSZ");
    let client = car.client().await;
    let track = car.track(&client, "long").await;
    client.queue_add(std::slice::from_ref(&track), None).await.unwrap();
    client.play(None).await.unwrap();
    car.until(&client, "audible", |status| status.audio.in_sync).await;

    limit_files(car.pid(), Some(1));
    let before_us = client.status().await.unwrap().now_playing.position_us;
    for _ in 0..3 {
        let refused = client.queue_add(std::slice::from_ref(&track), None).await.unwrap_err();
        assert!(matches!(&refused, ClientError::Failed(text) if text.contains("disk")), "{refused:?}");
        let refused = client.pause().await.unwrap_err();
        assert!(matches!(&refused, ClientError::Failed(text) if text.contains("disk")), "{refused:?}");
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let status = client.status().await.unwrap();
    assert!(status.now_playing.playing && status.audio.in_sync);
    assert!(status.now_playing.position_us - before_us > 2_500_000);
    assert_eq!((status.queue_length, status.changes.pending), (1, 0));

    limit_files(car.pid(), None);
    client.queue_add(&[track], None).await.unwrap();
    car.kill();
    car.start();
    let client = car.client().await;
    let status = client.status().await.unwrap();
    assert_eq!(status.queue_length, 2);
    assert!(status.now_playing.playing);
}
