//! The journal on a real disk: durable before it is acknowledged, whole after a kill, honest when the disk is full.
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
#[path = "support/rerun.rs"]
mod rerun;

use changes::{add, change, id, saved};
use jamz::core::changes::{Action, Change, Verdict};
use jamz::core::clock::{MonoTime, Monotonic};
use jamz::core::id::{DeviceId, EntryId};
use jamz::core::io::Input;
use jamz::host::MonotonicClock;
use jamz::store::{Hooks, Loaded, Store, StoreError, Write};
use journal_files::copied;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const WAIT_MAX: Duration = Duration::from_secs(30);

fn open_with(dir: &Path, clock: Arc<dyn Monotonic>) -> (Store, Loaded, Receiver<Input>) {
    let (answers, answered) = channel();
    let answer = Box::new(move |input| drop(answers.send(input)));
    let hooks = Hooks { clock, unix_s: Box::new(|| 1_700_000_000), answer };
    let (store, loaded) = Store::open(dir, hooks).unwrap();
    (store, loaded, answered)
}

fn open(dir: &Path) -> (Store, Loaded, Receiver<Input>) {
    open_with(dir, Arc::new(MonotonicClock))
}

fn send_own(store: &Store, change: Change) {
    let mut write = Write::Own(Box::new(change));
    while let Err(refused) = store.send(write) {
        write = refused;
        std::thread::yield_now();
    }
}

fn history(store: &Store, limit: u32) -> Vec<jamz::core::request::HistoryEntry> {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(store.history(limit, false)).unwrap()
}

#[test]
fn an_own_change_is_pending_until_it_is_settled_and_survives_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let (store, loaded, answered) = open(dir.path());
    assert!(loaded.saved.is_none() && loaded.pending.is_empty() && loaded.device.is_none());
    store.send(Write::Device(DeviceId::new("car").unwrap())).unwrap();
    for sequence in 1..=3 {
        send_own(&store, add("car", sequence, "Дорога 🚗"));
        assert_eq!(answered.recv_timeout(WAIT_MAX).unwrap(), Input::Stored(id("car", sequence)));
    }
    store.send(Write::Settle { change: id("car", 2), verdict: Verdict::Applied }).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let waiting = runtime.block_on(store.history(9, true)).unwrap();
    let waiting: Vec<(&str, &str)> = waiting.iter().map(|entry| (&*entry.id, &*entry.state)).collect();
    assert_eq!(waiting, [("car:1", "pending"), ("car:3", "pending")], "the oldest first");
    drop(store);

    let (_store, loaded, _) = open(dir.path());
    assert_eq!(loaded.device, DeviceId::new("car").ok());
    assert_eq!(loaded.pending, [add("car", 1, "Дорога 🚗"), add("car", 3, "Дорога 🚗")]);
    assert_eq!(loaded.sequence, 3);
}

#[test]
fn what_a_driver_does_is_stored_ahead_of_all_that_others_did_before() {
    const OTHERS: u64 = 8_000;
    let dir = tempfile::tempdir().unwrap();
    let (store, _, answered) = open(dir.path());
    let begun = MonotonicClock.now();
    for sequence in 1..=OTHERS {
        let change = Box::new(add("other", sequence, "What nobody wants to hear"));
        store.send(Write::Record { change, verdict: Verdict::Applied }).unwrap();
    }
    send_own(&store, change("car", 1, Action::TakeControl));
    assert_eq!(answered.recv_timeout(WAIT_MAX).unwrap(), Input::Stored(id("car", 1)));
    let stored_us = MonotonicClock.now() - begun;
    drop(store);
    let all_us = MonotonicClock.now() - begun;
    assert!(stored_us < all_us / 2, "{stored_us} us, of {all_us}");
    assert_eq!(open(dir.path()).1.tail.len() as u64, OTHERS);
}

#[test]
fn a_sequence_number_is_never_used_twice_even_when_the_saved_state_is_older() {
    let dir = tempfile::tempdir().unwrap();
    let (store, ..) = open(dir.path());
    store.send(Write::Remember(Box::new(saved(4, 0.5)), Some("boot".into()))).unwrap();
    send_own(&store, add("car", 9, ""));
    store.send(Write::Settle { change: id("car", 9), verdict: Verdict::Applied }).unwrap();
    drop(store);
    let (_store, loaded, _) = open(dir.path());
    assert_eq!((loaded.sequence, loaded.saved.unwrap().sequence), (9, 9));
    assert_eq!(loaded.boot_id.as_deref(), Some("boot"));
}

#[test]
fn what_the_kept_state_lacks_comes_back_in_order_whoever_made_it() {
    let dir = tempfile::tempdir().unwrap();
    let (store, ..) = open_with(dir.path(), Arc::new(Still));
    let remember = |n| store.send(Write::Remember(Box::new(saved(n, 0.5)), None)).unwrap();
    let settle = |n| store.send(Write::Settle { change: id("car", n), verdict: Verdict::Applied }).unwrap();
    let record = |n, verdict| store.send(Write::Record { change: Box::new(add("van", n, "")), verdict }).unwrap();
    send_own(&store, add("car", 1, ""));
    send_own(&store, add("car", 2, ""));
    settle(1);
    record(1, Verdict::Applied);
    remember(2);
    // The state above is written; the one below waits for its time, which does not come.
    history(&store, 1);
    record(2, Verdict::Applied);
    settle(2);
    remember(3);
    record(3, Verdict::Applied);
    record(4, Verdict::Refused { reason: "no".into() });
    send_own(&store, add("car", 3, ""));
    assert_eq!(history(&store, 9).len(), 7);
    let copy = copied(dir.path());
    drop(store);

    let (_store, loaded, _) = open(copy.path());
    assert_eq!(loaded.saved.unwrap().sequence, 3);
    assert_eq!(loaded.tail, [add("car", 2, ""), add("van", 2, ""), add("van", 3, "")]);
    assert_eq!(loaded.pending, [add("car", 3, "")]);

    let (_store, loaded, _) = open(dir.path());
    assert_eq!(loaded.tail, [add("van", 3, "")], "the last state was written at the end");
}

#[test]
fn a_state_of_another_convoy_is_written_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let (store, ..) = open_with(dir.path(), Arc::new(Still));
    store.send(Write::Remember(Box::new(saved(1, 0.5)), None)).unwrap();
    history(&store, 1);
    let mut left = saved(2, 0.5);
    left.convoy = None;
    store.send(Write::Remember(Box::new(left), None)).unwrap();
    history(&store, 1);
    let (_store, loaded, _) = open(copied(dir.path()).path());
    assert_eq!(loaded.saved.unwrap().convoy, None);
}

#[test]
fn the_history_tells_what_became_of_each_change_and_of_which_track() {
    let dir = tempfile::tempdir().unwrap();
    let (store, ..) = open(dir.path());
    send_own(&store, add("car", 1, "Song"));
    store.send(Write::Settle { change: id("car", 1), verdict: Verdict::Applied }).unwrap();
    store.send(Write::Settle { change: id("car", 1), verdict: Verdict::Duplicate }).unwrap();
    let remove = change("van", 5, Action::Remove { entry: EntryId::new("car:1").unwrap() });
    let verdict = Verdict::Refused { reason: "no right".into() };
    store.send(Write::Record { change: Box::new(remove), verdict }).unwrap();
    send_own(&store, change("car", 2, Action::TakeControl));
    let entries = history(&store, 10);
    let told: Vec<_> = entries.iter().map(|e| (e.id.as_str(), e.state.as_str(), e.subject.as_deref())).collect();
    assert_eq!(
        told,
        [("car:2", "pending", None), ("van:5", "refused", Some("Song")), ("car:1", "applied", Some("Song"))]
    );
    assert_eq!(entries[1].reason.as_deref(), Some("no right"));
    assert_eq!(entries[1].recorded_unix_s, 1_700_000_000);
    assert_eq!(history(&store, 1).len(), 1);
}

#[test]
fn the_history_is_bounded_and_forgets_nothing_that_is_pending() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _, answered) = open(dir.path());
    for sequence in 1..=5 {
        send_own(&store, add("car", sequence, ""));
    }
    for sequence in 6..=26_500 {
        let record = || Write::Record { change: Box::new(add("van", sequence, "")), verdict: Verdict::Applied };
        while store.send(record()).is_err() {
            std::thread::yield_now();
        }
    }
    assert_eq!(answered.iter().take(5).count(), 5);
    while store.send(Write::Remember(Box::new(saved(5, 0.5)), None)).is_err() {
        std::thread::yield_now();
    }
    drop(store);
    let (store, loaded, _) = open(dir.path());
    assert_eq!((loaded.pending.len(), loaded.tail.len()), (5, 0));
    send_own(&store, add("car", 30_000, ""));
    let mut tries = (0..200).map(|_| history(&store, u32::MAX));
    let kept = tries.find(|kept| kept.len() < 24_590).expect("the history is cut");
    assert_eq!(kept.iter().filter(|entry| entry.state == "pending").count(), 6);
    assert!(kept.len() >= 24_576, "{}", kept.len());
}

/// A clock that stands.
struct Still;
impl Monotonic for Still {
    fn now(&self) -> MonoTime {
        MonoTime(5)
    }
}

#[test]
fn of_many_states_the_newest_is_kept_and_few_are_written() {
    let dir = tempfile::tempdir().unwrap();
    let (store, ..) = open_with(dir.path(), Arc::new(Still));
    for n in 1..=1_000_u32 {
        let write = || Write::Remember(Box::new(saved(u64::from(n), f64::from(n))), None);
        while store.send(write()).is_err() {
            std::thread::yield_now();
        }
    }
    let wal_bytes = std::fs::metadata(dir.path().join("jamz.db-wal")).unwrap().len();
    drop(store);
    let (_store, loaded, _) = open(dir.path());
    assert_eq!(loaded.saved.unwrap().volume.to_bits(), 1_000_f64.to_bits());
    assert!(wal_bytes < 300_000, "{wal_bytes} bytes were written for states that nobody will read");
}

#[test]
fn the_journal_is_readable_for_its_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("new/state");
    let (store, _, answered) = open(&state);
    send_own(&store, add("car", 1, ""));
    answered.recv_timeout(WAIT_MAX).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&state), 0o700);
    for file in std::fs::read_dir(&state).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }
}

#[test]
fn a_second_process_on_the_same_journal_is_refused_with_a_word_why() {
    let dir = tempfile::tempdir().unwrap();
    let _first = open(dir.path());
    let hooks = Hooks { clock: Arc::new(MonotonicClock), unix_s: Box::new(|| 0), answer: Box::new(|_| {}) };
    let error = Store::open(dir.path(), hooks).err().unwrap().to_string();
    assert!(error.contains("in use by another process"), "{error}");
}

#[test]
fn a_journal_of_a_newer_version_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let file = dir.path().join("jamz.db");
    rusqlite::Connection::open(&file).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let hooks = Hooks { clock: Arc::new(MonotonicClock), unix_s: Box::new(|| 0), answer: Box::new(|_| {}) };
    assert!(matches!(Store::open(dir.path(), hooks), Err(StoreError::Newer { found: 99, .. })));
    assert!(file.exists());
}

/// The file with rubbish in its middle, as a worn SD card leaves it.
fn overwritten(file: &Path) -> Vec<u8> {
    let mut bytes = std::fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8_192].fill(0xA5);
    bytes
}

#[test]
fn a_damaged_journal_is_moved_aside_and_a_fresh_one_begun() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _, answered) = open(dir.path());
    store.send(Write::Device(DeviceId::new("car").unwrap())).unwrap();
    for sequence in 1..=500 {
        send_own(&store, add("car", sequence, "some title"));
    }
    assert_eq!(answered.iter().take(500).count(), 500);
    drop(store);
    let file = dir.path().join("jamz.db");
    for (round, damage) in [b"this is no database".to_vec(), overwritten(&file)].into_iter().enumerate() {
        std::fs::write(&file, &damage).unwrap();
        let (store, loaded, answered) = open(dir.path());
        let aside = loaded.set_aside.expect("the damage was not noticed");
        assert!(std::fs::read(&aside).unwrap() == damage, "round {round}: what was damaged is no more as it was");
        if round == 1 {
            assert_eq!(loaded.device, DeviceId::new("car").ok(), "it could still be read");
            assert!(loaded.pending.len() > 50 && loaded.pending.len() < 500, "{}", loaded.pending.len());
            assert_eq!(loaded.sequence, 500);
        }
        send_own(&store, add("car", 501, ""));
        assert_eq!(answered.recv_timeout(WAIT_MAX).unwrap(), Input::Stored(id("car", 501)));
    }
    assert!(dir.path().join("jamz.db.damaged-2").exists());
}

const DIR: &str = "JAMZ_TEST_DIR";
const FIRST: &str = "JAMZ_TEST_FIRST";

#[test]
#[ignore = "the process that the next test kills"]
fn child_that_stores_without_end() {
    let dir = std::env::var(DIR).unwrap();
    let first: u64 = std::env::var(FIRST).unwrap().parse().unwrap();
    let (store, _, answered) = open(Path::new(&dir));
    let printer = std::thread::spawn(move || {
        for answer in answered {
            let Input::Stored(id) = answer else { panic!("{answer:?}") };
            println!("stored {}", id.sequence);
        }
    });
    for sequence in first.. {
        send_own(&store, add("car", sequence, "a title of some length, so that pages fill"));
        let _ = store.send(Write::Remember(Box::new(saved(sequence, 0.5)), None));
        if sequence % 8 == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    printer.join().unwrap();
}

#[test]
fn every_acknowledged_change_survives_a_kill_at_any_instant() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = 0_u64;
    let mut seed = 0x9E37_79B9_u64;
    for round in 0..110 {
        let first = (acknowledged + 1).to_string();
        let variables = [(DIR, dir.path().to_str().unwrap()), (FIRST, &first)];
        let mut child = rerun::Rerun::start("child_that_stores_without_end", "", &variables);
        let lines = BufReader::new(child.stdout()).lines().map_while(Result::ok);
        let mut stored = lines.filter_map(|line| line.split("stored ").nth(1)?.trim().parse::<u64>().ok());
        acknowledged = stored.next().expect("the child stored nothing");
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        std::thread::sleep(Duration::from_micros(seed >> 33 & 0x7FFF));
        child.0.kill().unwrap();
        acknowledged = stored.max().unwrap_or(0).max(acknowledged);
        child.0.wait().unwrap();

        let (store, loaded, _) = open(dir.path());
        assert!(loaded.set_aside.is_none(), "round {round}: damaged");
        assert!(loaded.sequence >= acknowledged, "round {round}: {} < {acknowledged}", loaded.sequence);
        let kept: std::collections::BTreeSet<u64> = loaded.pending.iter().map(|change| change.id.sequence).collect();
        let lost: Vec<u64> = (1..=acknowledged).filter(|sequence| !kept.contains(sequence)).collect();
        assert!(lost.is_empty(), "round {round}: lost {lost:?}");
        acknowledged = loaded.sequence;
        drop(store);
    }
    let db = rusqlite::Connection::open(dir.path().join("jamz.db")).unwrap();
    let verdict: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
}

#[test]
#[ignore = "the process that the next test starves"]
fn child_that_may_not_write_much() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let dir = std::env::var(DIR).unwrap();
    let (store, _, answered) = open(Path::new(&dir));
    let mut sequence = 0;
    let problem = loop {
        sequence += 1;
        send_own(&store, add("car", sequence, &"long ".repeat(100)));
        store.send(Write::Record { change: Box::new(add("van", sequence, "")), verdict: Verdict::Applied }).unwrap();
        match answered.recv_timeout(WAIT_MAX).unwrap() {
            Input::Stored(_) => assert!(sequence < 10_000, "the limit does not hold"),
            Input::NotStored { change, problem } => {
                assert_eq!(change, id("car", sequence));
                break problem;
            }
            other => panic!("{other:?}"),
        }
    };
    println!("problem: {problem}");
    let hard = getrlimit(Resource::Fsize).maximum;
    setrlimit(Resource::Fsize, rustix::process::Rlimit { current: hard, maximum: hard }).unwrap();
    send_own(&store, add("car", sequence + 1, ""));
    assert_eq!(answered.recv_timeout(WAIT_MAX).unwrap(), Input::Stored(id("car", sequence + 1)));
    let recorded = history(&store, u32::MAX);
    assert!((1..=sequence).all(|n| recorded.iter().any(|entry| entry.id == format!("van:{n}"))), "a record was lost");
    assert!(!recorded.iter().any(|entry| entry.id == format!("car:{sequence}")));
    println!("recovered");
}

#[test]
fn a_disk_that_takes_no_more_is_said_so_and_writing_goes_on_when_it_takes_some_again() {
    let dir = tempfile::tempdir().unwrap();
    let shell = "trap '' XFSZ; ulimit -S -f 400";
    let variables = [(DIR, dir.path().to_str().unwrap())];
    let mut child = rerun::Rerun::start("child_that_may_not_write_much", shell, &variables);
    let output = std::io::read_to_string(child.stdout()).unwrap();
    assert!(child.0.wait().unwrap().success(), "{output}");
    assert!(output.contains("problem: the disk does not take it") && output.contains("recovered"), "{output}");
}
