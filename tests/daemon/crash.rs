//! The power goes: what was acknowledged is there after it, and the music goes on.

use crate::daemon::{Daemon, PROGRAM};
use crate::faulty_disk::{self, CUT_STATUS, Fault};
use jamz::api::client::Client;
use jamz::core::changes::ChangeId;
use jamz::core::request::Addition;
use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const KILLS: u32 = 50;
const CUTS: u32 = 12;
const SECOND: i64 = 1_000_000;

/// What the car has said yes to.
#[derive(Default)]
struct Acknowledged {
    entries: Vec<ChangeId>,
    seeks: Vec<ChangeId>,
    /// Where the last seek went that was answered, and the one that may have been under way.
    position_us: i64,
    asked_us: i64,
}

async fn drive(client: Client, track: Addition, acknowledged: Arc<Mutex<Acknowledged>>) {
    for n in 1.. {
        let Ok(added) = client.queue_add(std::slice::from_ref(&track), None).await else { return };
        acknowledged.lock().unwrap().entries.extend(added.changes);
        let position_us = (n * 20 % 560) * SECOND;
        acknowledged.lock().unwrap().asked_us = position_us;
        let Ok(sought) = client.seek(position_us).await else { return };
        let mut acknowledged = acknowledged.lock().unwrap();
        acknowledged.position_us = position_us;
        acknowledged.seeks.extend(sought.changes);
    }
}

/// Some chance, the same in each run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// How a run of the daemon comes to its end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Killed,
    /// With its writes torn, and those lost that were not synced.
    PowerCut,
}

#[tokio::test]
async fn every_acknowledged_change_survives_a_kill_at_any_instant() {
    every_acknowledged_change_survives(End::Killed, KILLS).await;
}

#[tokio::test]
async fn every_acknowledged_change_survives_power_cuts_that_tear_writes_and_lose_those_not_synced() {
    every_acknowledged_change_survives(End::PowerCut, CUTS).await;
}

/// Starts the car; with a disk that loses its power after some writes, if that is to be its end.
fn start(car: &mut Daemon, end: End, chance: &mut Chance) {
    let mut program = Command::new(PROGRAM);
    if end == End::PowerCut {
        let (state, count) = (car.path("state").canonicalize().unwrap(), car.path("count"));
        program.envs(faulty_disk::variables(&state, &count, Fault::Cut, 60 + chance.below(300) as usize));
    }
    car.start_by(program);
}

async fn every_acknowledged_change_survives(end: End, rounds: u32) {
    let (mut car, client, track) = Daemon::with_music("").await;
    client.queue_add(std::slice::from_ref(&track), None).await.unwrap();
    client.play(None).await.unwrap();
    let acknowledged = Arc::new(Mutex::new(Acknowledged::default()));
    let mut client = client;
    let mut chance = Chance(0x9E37_79B9);
    for round in 0..rounds {
        if end == End::PowerCut {
            car.kill();
            start(&mut car, end, &mut chance);
            client = car.client().await;
        }
        let driver = tokio::spawn(drive(client, track.clone(), acknowledged.clone()));
        match end {
            End::Killed => {
                tokio::time::sleep(Duration::from_micros(50_000 + chance.below(400_000))).await;
                car.kill();
            }
            End::PowerCut => {}
        }
        // It drives for as long as it is answered.
        driver.await.unwrap();
        if end == End::PowerCut {
            assert_eq!(car.ended().code(), Some(CUT_STATUS), "round {round}: {}", car.log());
        }
        car.start();
        client = car.client().await;
        // The last seek may not have taken effect yet when the power went.
        tokio::time::sleep(Duration::from_millis(400)).await;
        let status = client.status().await.unwrap();
        let queue: BTreeSet<String> =
            client.queue().await.unwrap().entries.iter().map(|entry| entry.id.to_string()).collect();
        let history: BTreeSet<String> =
            client.history(1_000).await.unwrap().into_iter().map(|entry| entry.id).collect();
        let acknowledged = acknowledged.lock().unwrap();
        for id in &acknowledged.entries {
            assert!(queue.contains(&format!("{}-{}", id.device, id.sequence)), "round {round}: {id} left the queue");
        }
        let newest = acknowledged.entries.iter().chain(&acknowledged.seeks).map(|id| id.sequence).max().unwrap_or(0);
        let asked_for = acknowledged.entries.iter().chain(&acknowledged.seeks).filter(|id| id.sequence + 900 > newest);
        for id in asked_for {
            assert!(history.contains(&id.to_string()), "round {round}: {id} left the history");
        }
        let is_after = |sought_us| (sought_us..sought_us + 15 * SECOND).contains(&status.now_playing.position_us);
        assert!(status.now_playing.playing, "round {round}: it does not play on");
        assert!(
            is_after(acknowledged.position_us) || is_after(acknowledged.asked_us),
            "round {round}: at {} after a seek to {}",
            status.now_playing.position_us,
            acknowledged.position_us
        );
    }
    let acknowledged = acknowledged.lock().unwrap();
    let all: BTreeSet<&ChangeId> = acknowledged.entries.iter().chain(&acknowledged.seeks).collect();
    assert_eq!(all.len(), acknowledged.entries.len() + acknowledged.seeks.len(), "a number was used twice");
    assert!(all.len() > 50, "only {} changes were acknowledged", all.len());
    eprintln!("{} changes acknowledged over {rounds} ends", all.len());
}

#[tokio::test]
async fn a_reboot_resumes_the_music_where_it_was() {
    let (mut car, client, track) = Daemon::with_music("").await;
    client.queue_add(&[track], None).await.unwrap();
    client.play(None).await.unwrap();
    client.seek(300 * SECOND).await.unwrap();
    client.set_volume(0.3).await.unwrap();
    client.set_output_delay("", 7_000).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let before_us = client.status().await.unwrap().now_playing.position_us;
    car.kill();
    let db = rusqlite::Connection::open(car.path("state/jamz.db")).unwrap();
    db.execute("UPDATE state SET value = 'another boot' WHERE key = 'boot_id'", []).unwrap();
    drop(db);
    car.start();
    let client = car.client().await;
    let status = car.until(&client, "audible", |status| status.audio.in_sync).await;
    let moved_us = status.now_playing.position_us - before_us;
    assert!(status.now_playing.playing && moved_us.abs() < 15 * SECOND, "it moved by {moved_us} us");
    assert!((status.volume - 0.3).abs() < 1e-9);
    assert_eq!(status.audio.delay_us, 7_000);
    assert_eq!(status.queue_length, 1);
}

#[tokio::test]
async fn a_file_that_ended_the_daemon_twice_is_a_problem_until_it_is_replaced_and_the_rest_plays() {
    let (mut car, client, track) = Daemon::with_music("").await;
    car.put_music("deadly.wav", 5);
    client.library_scan().await.unwrap();
    car.until(&client, "indexed", |status| status.library.tracks == 2).await;
    let deadly = car.track(&client, "deadly").await;
    client.queue_add(&[deadly, track], None).await.unwrap();
    car.kill();
    // As a decoder that panics leaves it behind.
    let path = car.path("music/deadly.wav");
    let metadata = std::fs::metadata(&path).unwrap();
    let line = format!("{} {}.{:09} {}\n", metadata.len(), metadata.mtime(), metadata.mtime_nsec(), path.display());
    std::fs::write(car.path("state/crashes"), line.repeat(2)).unwrap();
    car.start();
    let client = car.client().await;
    let problems = client.library_problems().await.unwrap();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].path.ends_with("deadly.wav") && problems[0].problem.contains("ended the daemon"));
    client.play(None).await.unwrap();
    car.until(&client, "at the next one", |status| status.now_playing.index == Some(1) && status.audio.in_sync).await;
    car.put_music("deadly.wav", 6);
    client.library_scan().await.unwrap();
    car.until(&client, "well", |status| status.library.problems == 0 && status.library.tracks == 2).await;
}
