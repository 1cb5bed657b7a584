//! The state that the journal keeps: little is written when little has changed, and older journals are taken over.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

#[path = "support/changes.rs"]
mod changes;
#[path = "support/journal_files.rs"]
mod journal_files;

use changes::{add, id, saved};
use jamz::core::changes::{Change, Verdict};
use jamz::core::clock::{ConvoyTime, MonoTime, Monotonic};
use jamz::core::id::{DeviceId, UserId};
use jamz::core::io::{Input, Saved};
use jamz::core::playlist::Playlist;
use jamz::store::{Hooks, Loaded, Store, Write};
use journal_files::copied;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const WAIT_MAX: Duration = Duration::from_secs(30);
const ENTRIES: u64 = 10_000;
/// What a page of the database and its frame in the log take, in bytes.
const PAGE_BYTES: u64 = 4_096 + 24;

/// A clock on which 15 s pass between any two looks.
#[derive(Default)]
struct Leaping(AtomicI64);

impl Monotonic for Leaping {
    fn now(&self) -> MonoTime {
        MonoTime(self.0.fetch_add(15_000_000, Ordering::Relaxed))
    }
}

fn open(dir: &Path) -> (Store, Loaded, Receiver<Input>) {
    let (answers, answered) = channel();
    let answer = Box::new(move |input| drop(answers.send(input)));
    let hooks = Hooks { clock: Arc::new(Leaping::default()), unix_s: Box::new(|| 1_700_000_000), answer };
    let (store, loaded) = Store::open(dir, hooks).unwrap();
    (store, loaded, answered)
}

/// Waits until all that was sent is written.
fn flush(store: &Store) {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(store.history(1, false)).unwrap();
}

fn remember(store: &Store, saved: &Saved) {
    store.send(Write::Remember(Box::new(saved.clone()), Some("boot".into()))).unwrap();
    flush(store);
}

/// In the middle of a long playlist.
fn long() -> Saved {
    let mut saved = saved(1, 0.5);
    for sequence in 1..=ENTRIES {
        let verdict = saved.snapshot.apply(&add("car", sequence, "a title of some length, as titles are"));
        assert_eq!(verdict, Verdict::Applied);
    }
    saved
}

#[test]
fn while_music_plays_the_state_is_written_without_its_long_playlist() {
    let dir = tempfile::tempdir().unwrap();
    let (store, ..) = open(dir.path());
    let mut saved = long();
    remember(&store, &saved);
    let mut small = saved.clone();
    small.snapshot.playlist = Playlist::default();
    let bytes = serde_json::to_string(&small).unwrap().len();
    assert!(bytes < 1_000, "{bytes} bytes are written each time");
    let wal_bytes = || std::fs::metadata(dir.path().join("jamz.db-wal")).unwrap().len();
    let before = wal_bytes();
    assert!(before > ENTRIES * 100, "the playlist was written once");
    for n in 1..=20 {
        saved.at = ConvoyTime(n * 15_000_000);
        remember(&store, &saved);
        let (_store, loaded, _) = open(copied(dir.path()).path());
        assert!(loaded.saved.unwrap() == saved, "after a power cut it is the whole newest state");
    }
    // The log begins anew where it had grown long; it never grows by more.
    let grown = wal_bytes().saturating_sub(before);
    assert!(grown <= 20 * 2 * PAGE_BYTES, "{grown} bytes for 20 times the position");
    saved.snapshot.apply(&add("car", ENTRIES + 1, "one more"));
    remember(&store, &saved);
    let (_store, loaded, _) = open(copied(dir.path()).path());
    assert_eq!(loaded.saved.unwrap().snapshot.playlist.len() as u64, ENTRIES + 1);
}

#[test]
fn a_journal_of_the_second_version_is_taken_over_with_its_playlist_and_its_changes() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _, answered) = open(dir.path());
    store.send(Write::Device(DeviceId::new("car").unwrap())).unwrap();
    store.send(Write::Own(Box::new(add("car", ENTRIES + 1, "pending")))).unwrap();
    assert_eq!(answered.recv_timeout(WAIT_MAX).unwrap(), Input::Stored(id("car", ENTRIES + 1)));
    drop(store);
    let mut old = long();
    let file = dir.path().join("jamz.db");
    let db = rusqlite::Connection::open(&file).unwrap();
    db.execute("DELETE FROM state WHERE key IN ('saved', 'playlist')", []).unwrap();
    let text = serde_json::to_string(&old).unwrap();
    db.execute("INSERT INTO state VALUES ('saved', ?1)", [text]).unwrap();
    db.pragma_update(None, "user_version", 2).unwrap();
    drop(db);

    let (store, loaded, _) = open(dir.path());
    old.sequence = ENTRIES + 1;
    assert!(loaded.saved.unwrap() == old, "the state is no more what it was");
    assert_eq!(loaded.device, DeviceId::new("car").ok());
    assert_eq!(loaded.pending, [add("car", ENTRIES + 1, "pending")]);
    drop(store);
    let (_store, loaded, _) = open(dir.path());
    assert!(loaded.saved.unwrap() == old);
}

#[test]
fn a_state_of_the_second_version_that_cannot_be_read_keeps_no_journal_from_opening() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _, answered) = open(dir.path());
    store.send(Write::Own(Box::new(add("car", 1, "pending")))).unwrap();
    answered.recv_timeout(WAIT_MAX).unwrap();
    drop(store);
    let db = rusqlite::Connection::open(dir.path().join("jamz.db")).unwrap();
    db.execute("INSERT OR REPLACE INTO state VALUES ('saved', '{half a st')", []).unwrap();
    db.pragma_update(None, "user_version", 2).unwrap();
    drop(db);
    let (_store, loaded, _) = open(dir.path());
    assert!(loaded.saved.is_none());
    assert_eq!(loaded.pending, [add("car", 1, "pending")]);
}

#[test]
fn a_journal_of_the_first_version_is_taken_over() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let file = dir.path().join("jamz.db");
    let db = rusqlite::Connection::open(&file).unwrap();
    db.execute_batch("DROP INDEX changes_tail; ALTER TABLE changes DROP COLUMN kept; PRAGMA user_version = 1").unwrap();
    let insert = "INSERT INTO changes (device, sequence, own, state, action, recorded_unix_s, body)
                  VALUES ('car', ?1, 1, ?2, 'add', 0, ?3)";
    for (sequence, state) in [(1, "applied"), (2, "pending")] {
        let body = serde_json::to_string(&add("car", sequence, "old")).unwrap();
        db.execute(insert, rusqlite::params![sequence as i64, state, body]).unwrap();
    }
    drop(db);
    let (store, loaded, answered) = open(dir.path());
    assert_eq!((loaded.tail, loaded.pending), (Vec::new(), vec![add("car", 2, "old")]));
    store.send(Write::Own(Box::new(add("car", 3, "")))).unwrap();
    assert_eq!(answered.recv_timeout(WAIT_MAX).unwrap(), Input::Stored(id("car", 3)));
    drop(store);
    let version: i64 =
        rusqlite::Connection::open(&file).unwrap().query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!(version, 3);
}

/// As the journal keeps it: half of them this car's, each with a signature, a user and a title of some length.
fn signed(day: u64, n: u64) -> Change {
    let mut change =
        add(if n.is_multiple_of(2) { "car" } else { "van" }, day * DAY + n, "A title of an ordinary length, live");
    change.user = UserId::new("a-user-of-twenty-letters").ok();
    change.signature = Some("s".repeat(88));
    change
}

const DAYS: u64 = 365;
/// What a few people do on a day's drive.
const DAY: u64 = 100;

#[test]
fn a_year_of_drives_fits_into_tens_of_megabytes() {
    let dir = tempfile::tempdir().unwrap();
    let (store, ..) = open(dir.path());
    let send = |mut write: Write| {
        while let Err(refused) = store.send(write) {
            write = refused;
            std::thread::yield_now();
        }
    };
    let state = long();
    for day in 0..DAYS {
        for n in 1..=DAY {
            let change = signed(day, n);
            if n.is_multiple_of(2) {
                let id = change.id.clone();
                send(Write::Own(Box::new(change)));
                send(Write::Settle { change: id, verdict: Verdict::Applied });
            } else {
                send(Write::Record { change: Box::new(change), verdict: Verdict::Applied });
            }
        }
        send(Write::Remember(Box::new(state.clone()), Some("boot".into())));
    }
    drop(store);
    let files = std::fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().metadata().unwrap().len());
    let megabytes = files.sum::<u64>() as f64 / 1e6;
    let (_store, loaded, _) = open(dir.path());
    eprintln!("{} changes and {ENTRIES} entries in {megabytes:.1} MB", DAYS * DAY);
    assert_eq!((loaded.sequence, loaded.pending.len()), (DAYS * DAY, 0));
    assert!(megabytes < 50.0, "{megabytes:.1} MB");
}
