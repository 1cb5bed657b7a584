//! A playlist as long as they may be: it stays as quick as a short one, in memory and on disk.

use crate::daemon::{Daemon, memory_kb};
use crate::jamz_server::Server;
use jamz::api::client::Client;
use jamz::core::status::{ActiveSync, Status};
use std::process::Command;
use std::time::{Duration, Instant};

const ENTRIES: usize = 10_000;
/// Generous: these daemons are built without optimisation, on a machine that does other things.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// At 250 changes a second, and three times that.
const TELL_MAX: Duration = Duration::from_mins(2);

#[tokio::test]
async fn ten_thousand_entries_are_added_controlled_and_survive() {
    let (mut car, client, track) = Daemon::with_music("").await;
    client.queue_add(std::slice::from_ref(&track), None).await.unwrap();
    client.play(None).await.unwrap();
    let lean_kb = memory_kb(car.pid(), "VmRSS:");
    let begun = Instant::now();
    client.queue_add(&vec![track; ENTRIES - 1], None).await.unwrap();
    let added = begun.elapsed();
    let mut slowest = Duration::ZERO;
    for n in 0..20 {
        let asked = Instant::now();
        client.seek(n * 1_000_000).await.unwrap();
        slowest = slowest.max(asked.elapsed());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let status = client.status().await.unwrap();
    let full_kb = memory_kb(car.pid(), "VmRSS:");
    eprintln!(
        "{ENTRIES} entries in {} ms; slowest seek {} ms; {} kB more memory; underruns {}; database {} kB",
        added.as_millis(),
        slowest.as_millis(),
        full_kb.saturating_sub(lean_kb),
        status.audio.underruns,
        std::fs::metadata(car.path("state/jamz.db")).unwrap().len() / 1_000,
    );
    assert_eq!(status.queue_length, ENTRIES);
    assert!(slowest < ANSWER_MAX, "a control takes {slowest:?}");
    assert!(full_kb - lean_kb.min(full_kb) < 100_000, "{lean_kb} kB became {full_kb} kB");
    assert!(status.now_playing.playing && status.audio.in_sync);

    car.kill();
    car.start();
    let client = car.client().await;
    assert_eq!(client.queue().await.unwrap().entries.len(), ENTRIES);
    let begun = Instant::now();
    let (cleared, slowest) = tokio::join!(client.queue_clear(), slowest_answer(&client, 10));
    cleared.unwrap();
    eprintln!("cleared in {} ms; slowest answer meanwhile {} ms", begun.elapsed().as_millis(), slowest.as_millis());
    assert!(slowest < ANSWER_MAX, "while it is cleared an answer takes {slowest:?}");
    assert_eq!(client.status().await.unwrap().queue_length, 0);
}

/// The longest that the core took to answer, of so many times.
async fn slowest_answer(client: &Client, answers: u32) -> Duration {
    let mut slowest = Duration::ZERO;
    for _ in 0..answers {
        let asked = Instant::now();
        client.duck(false).await.unwrap();
        slowest = slowest.max(asked.elapsed());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    slowest
}

#[tokio::test]
async fn ten_thousand_entries_are_cleared_with_a_quick_answer_and_the_server_keeps_the_car() {
    let server = Server::start(&[]);
    let mut car = Daemon::new("");
    let file = car.path("token");
    let settings =
        format!("[convoy]\nid = \"alps\"\n[server]\nurl = \"{}\"\ntoken_file = \"{}\"\n", server.url(), file.display());
    std::fs::write(car.path("jamzd.toml.d/test.toml"), settings).unwrap();
    std::fs::write(&file, server.token("ann", "alps")["token"].as_str().unwrap()).unwrap();
    car.put_music("long.wav", 600);
    car.start();
    let client = car.client().await;
    let track = car.track(&client, "long").await;
    car.until(&client, "in the convoy", |status| status.connection.active_sync == ActiveSync::Socket).await;
    client.queue_add(&vec![track; ENTRIES], None).await.unwrap();
    let begun = Instant::now();
    let all_told = |status: &Status| status.changes.pending == 0;
    while !all_told(&client.status().await.unwrap()) {
        assert!(begun.elapsed() < TELL_MAX, "{:?}", client.status().await.unwrap().changes);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let begun = Instant::now();
    let ctl = Command::new(env!("CARGO_BIN_EXE_jamzctl"))
        .args(["--bus", &car.bus.address(), "queue", "clear"])
        .output()
        .unwrap();
    eprintln!("answered after {} ms", begun.elapsed().as_millis());
    assert_eq!(ctl.status.code(), Some(75), "{}", String::from_utf8_lossy(&ctl.stderr));
    let status = client.status().await.unwrap();
    assert_eq!(status.queue_length, 0);
    assert!(status.changes.pending > 0 && status.lead_us < 1_000_000, "{} us", status.lead_us);
    while !all_told(&client.status().await.unwrap()) {
        assert!(begun.elapsed() < TELL_MAX, "{:?}", client.status().await.unwrap().changes);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    eprintln!("all told after {} ms", begun.elapsed().as_millis());
    let log = car.log();
    assert!(!log.contains("nonsense") && !log.contains("no connection"), "{log}");
}
