//! The disk is full for a while, or takes no writes at all.

use crate::daemon::{Daemon, PROGRAM};
use jamz::api::client::ClientError;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use std::process::Command;
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

/// Only root may make a mount namespace.
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[tokio::test]
async fn on_a_disk_that_is_read_only_from_the_start_the_music_of_before_plays_and_changes_are_refused() {
    if !is_root() {
        eprintln!("skipped: only root may mount a folder read-only");
        return;
    }
    let (mut car, client, track) = Daemon::with_music("").await;
    client.queue_add(std::slice::from_ref(&track), None).await.unwrap();
    client.play(None).await.unwrap();
    client.queue_add(std::slice::from_ref(&track), None).await.unwrap();
    // What was said last is in SQLite's log alone.
    car.kill();
    let folder = car.path("").canonicalize().unwrap();
    let mounts = ["state", "cache", "music"].map(|name| folder.join(name)).into_iter().filter(|path| path.exists());
    let mount = |path: std::path::PathBuf| {
        format!("mount --bind {0} {0} && mount -o remount,bind,ro {0} || exit 99", path.display())
    };
    let mounts = mounts.map(mount).collect::<Vec<_>>().join("\n");
    let mut shell = Command::new("unshare");
    shell.args(["--mount", "sh", "-c"]).arg(format!("{mounts}\nexec \"$0\" \"$@\"")).arg(PROGRAM);
    car.start_by(shell);

    let client = car.client().await;
    let status = car.until(&client, "audible", |status| status.audio.in_sync).await;
    assert!(status.now_playing.playing);
    assert_eq!(status.queue_length, 2, "what was acknowledged before is there");
    let before_us = status.now_playing.position_us;
    let refused = client.queue_add(std::slice::from_ref(&track), None).await.unwrap_err();
    assert!(
        matches!(&refused, ClientError::Failed(text) if text.contains("is read-only: make it writable")),
        "{refused:?}"
    );
    assert_eq!(client.history(10).await.unwrap().len(), 3);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let status = client.status().await.unwrap();
    assert!(status.now_playing.position_us > before_us + 1_500_000 && status.audio.in_sync);

    car.kill();
    car.start();
    let client = car.client().await;
    client.queue_add(&[track], None).await.unwrap();
    assert_eq!(client.status().await.unwrap().queue_length, 3);
}
