//! A playlist as long as they may be: it stays as quick as a short one, in memory and on disk.

use crate::daemon::{Daemon, memory_kb};
use std::time::{Duration, Instant};

const ENTRIES: usize = 10_000;
/// Generous: these daemons are built without optimisation, on a machine that does other things.
const ANSWER_MAX: Duration = Duration::from_secs(2);

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
    client.queue_clear().await.unwrap();
    assert_eq!(client.status().await.unwrap().queue_length, 0);
}
