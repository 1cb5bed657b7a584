//! Music and names that are not what they claim to be, through the whole daemon.

use crate::daemon::{Daemon, unknown};
use jamz::api::client::ClientError;
use jamz::core::id::ConvoyId;
use jamz::core::request::Addition;
use std::path::Path;
use std::process::Command;

fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/library/hostile").join(name)
}

#[tokio::test]
async fn files_that_are_no_music_are_listed_with_a_reason_and_the_rest_plays() {
    let (car, client, track) = {
        let mut car = Daemon::new("");
        car.put_music("long.wav", 60);
        for name in ["33-bytes.mp3", "text.flac", "huge-length.wav", "empty.mp3"] {
            std::fs::copy(fixture(name), car.path("music").join(name)).unwrap();
        }
        car.start();
        let client = car.client().await;
        let track = car.track(&client, "long").await;
        (car, client, track)
    };
    let problems = client.library_problems().await.unwrap();
    for name in ["33-bytes.mp3", "text.flac", "empty.mp3"] {
        let named: Vec<_> = problems.iter().filter(|problem| problem.path.ends_with(name)).collect();
        assert_eq!(named.len(), 1, "{name}: {problems:?}");
        assert!(!named[0].problem.is_empty());
    }
    for track in client.library_search("", 9).await.unwrap() {
        assert!(track.duration_us.is_some_and(|us| us < 3_600_000_000), "{track:?}");
    }
    client.queue_add(&[track], None).await.unwrap();
    client.play(None).await.unwrap();
    car.until(&client, "audible", |status| status.audio.in_sync).await;
    let log = car.log();
    assert!(!log.contains("ERROR symphonia") && !log.contains("WARN symphonia"), "which file they mean nobody knows");
}

#[tokio::test]
async fn a_missing_music_folder_is_a_problem_that_names_it_and_the_daemon_runs() {
    let mut car = Daemon::new("[library]\nfolders = [\"/nonexistent/music\"]\n");
    car.start();
    let client = car.client().await;
    car.until(&client, "scanned", |status| status.library.problems == 1).await;
    let problems = client.library_problems().await.unwrap();
    assert!(problems[0].path == "/nonexistent/music" && problems[0].problem.contains("plug it in"), "{problems:?}");
}

#[tokio::test]
async fn a_seek_beyond_the_end_and_tracks_that_are_not_there_are_refused_with_a_word() {
    let (_car, client, track) = Daemon::with_music("").await;
    client.queue_add(&[track], None).await.unwrap();
    client.play(None).await.unwrap();
    for position_us in [600_000_001, i64::MAX] {
        let refused = client.seek(position_us).await.unwrap_err();
        assert!(
            matches!(&refused, ClientError::Invalid(text) if text.contains("beyond the track's end")),
            "{refused:?}"
        );
    }
    assert!(matches!(client.seek(-1).await.unwrap_err(), ClientError::Invalid(_)));
    client.seek_by(i64::MAX).await.unwrap();
    client.seek_by(i64::MIN).await.unwrap();
    let refused = client.queue_add(&[unknown()], None).await.unwrap_err();
    assert!(matches!(&refused, ClientError::Invalid(text) if text.contains("library search")), "{refused:?}");
    assert_eq!(client.status().await.unwrap().queue_length, 1);
}

#[tokio::test]
async fn a_secret_in_a_tracks_address_is_not_in_the_log() {
    let (car, client, _) = Daemon::with_music("").await;
    let address = "http://127.0.0.1:9/gone.mp3?token=SECRETTOKEN".to_owned();
    client.queue_add(&[Addition::Url(address)], None).await.unwrap();
    client.play(None).await.unwrap();
    let begun = std::time::Instant::now();
    while !car.log().contains("track-skipped") {
        assert!(begun.elapsed() < crate::daemon::PATIENCE, "{}", car.log());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(!car.log().contains("SECRETTOKEN"), "{}", car.log());
}

#[tokio::test]
async fn names_in_any_script_and_of_any_length_are_kept_or_refused_with_their_bound() {
    let script = "Дорога 道路 الطريق दूर 🚗";
    let car_name = format!("{script} ").repeat(200);
    let mut car = Daemon::new(&format!("[car]\nname = \"{car_name}\"\n"));
    let long = "ж".repeat(70);
    car.put_music(&format!("{script} {long}.wav"), 10);
    car.start();
    let client = car.client().await;
    let track = car.track(&client, "道路").await;
    client.queue_add(&[track], None).await.unwrap();
    let queue = client.queue().await.unwrap();
    assert_eq!(queue.entries[0].track.title, format!("{script} {long}"));
    client.join(&ConvoyId::new(script).unwrap()).await.unwrap();
    assert_eq!(client.status().await.unwrap().convoy.as_deref(), Some(script));
    let address = format!("http://127.0.0.1:9/{}.mp3", "道".repeat(1_000));
    client.queue_add(&[Addition::Url(address)], None).await.unwrap();
    let too_long = format!("http://127.0.0.1:9/{}.mp3", "x".repeat(5_000));
    let refused = client.queue_add(&[Addition::Url(too_long)], None).await.unwrap_err();
    assert!(matches!(&refused, ClientError::Invalid(text) if text.contains("4096")), "{refused:?}");

    let ctl = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jamzctl"));
        command.args(["--bus", &car.bus.address()]).args(arguments).output().unwrap()
    };
    let refused = ctl(&["join", &"к".repeat(65)]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("130 bytes long; at most 128"), "{said}");
    assert!(ctl(&["status"]).status.success());
    car.terminate();
    car.start();
    let status = car.client().await.status().await.unwrap();
    assert_eq!(status.convoy.as_deref(), Some(script));
}
