//! The journal on a disk that goes wrong: at every single operation on its files, by an error, for want of room, and
//! by a power cut that tears one write and loses others that were not synced.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

#[path = "support/changes.rs"]
mod changes;
#[path = "support/faulty_disk.rs"]
mod faulty_disk;
#[path = "support/rerun.rs"]
mod rerun;

use changes::{add, saved};
use faulty_disk::{CUT_STATUS, Fault};
use jamz::core::changes::Verdict;
use jamz::core::id::DeviceId;
use jamz::core::io::Input;
use jamz::host::MonotonicClock;
use jamz::store::{Hooks, Loaded, Store, StoreError, Write};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const WAIT_MAX: Duration = Duration::from_secs(30);
const DIR: &str = "JAMZ_TEST_DIR";
/// Changes that a child makes, one after the other.
const CHANGES: u64 = 6;
/// Journals of the first version have these, the last of which is pending.
const OLD: u64 = 3;

fn open(dir: &Path) -> Result<(Store, Loaded, Receiver<Input>), StoreError> {
    let (answers, answered) = channel();
    let answer = Box::new(move |input| drop(answers.send(input)));
    let hooks = Hooks { clock: Arc::new(MonotonicClock), unix_s: Box::new(|| 1_700_000_000), answer };
    let (store, loaded) = Store::open(dir, hooks)?;
    Ok((store, loaded, answered))
}

#[test]
#[ignore = "the process whose disk goes wrong"]
fn child_that_keeps_a_journal() {
    let dir = std::env::var(DIR).unwrap();
    let (store, loaded, answered) = match open(Path::new(&dir)) {
        Ok(opened) => opened,
        Err(error) => return println!("\nnot opened: {error}"),
    };
    assert!(loaded.set_aside.is_none(), "a sound journal was taken for damaged");
    println!("\nopened");
    for sequence in loaded.sequence + 1..=loaded.sequence + CHANGES {
        let other = add("van", sequence, "by another");
        store.send(Write::Own(Box::new(add("car", sequence, &"long ".repeat(300))))).unwrap();
        store.send(Write::Record { change: Box::new(other), verdict: Verdict::Applied }).unwrap();
        store.send(Write::Remember(Box::new(saved(sequence, 0.5)), None)).unwrap();
        match answered.recv_timeout(WAIT_MAX).unwrap() {
            Input::Stored(id) => println!("stored {}", id.sequence),
            Input::NotStored { change, problem } => println!("refused {}: {problem}", change.sequence),
            other => panic!("{other:?}"),
        }
    }
}

/// What a child said, and how many operations it made on its disk.
struct Told {
    said: String,
    status: Option<i32>,
    operations: usize,
}

impl Told {
    fn sequences(&self, word: &str) -> BTreeSet<u64> {
        let lines = self.said.lines().filter_map(|line| line.strip_prefix(word));
        lines.map(|rest| rest.trim().split(':').next().unwrap().parse().unwrap()).collect()
    }
}

fn run(dir: &Path, fault: Fault, at: usize) -> Told {
    let count = dir.with_extension("count");
    let faults = faulty_disk::variables(dir, &count, fault, at);
    let mut variables: Vec<(&str, &str)> = faults.iter().map(|(name, value)| (*name, value.as_str())).collect();
    variables.push((DIR, dir.to_str().unwrap()));
    let mut child = rerun::Rerun::start("child_that_keeps_a_journal", "", &variables);
    let said = std::io::read_to_string(child.stdout()).unwrap();
    let status = child.0.wait().unwrap().code();
    let operations = std::fs::read_to_string(&count).unwrap().parse().unwrap();
    Told { said, status, operations }
}

/// The disk is well again: nothing that was acknowledged is missing, no number is free again, and the file is sound.
/// What was refused may be there: where a sync fails, what it was to secure may have reached the disk all the same.
fn check(dir: &Path, before: u64, told: &Told, what: &str) {
    let (store, loaded, _) = open(dir).unwrap_or_else(|error| panic!("{what}: {error}\n{}", told.said));
    assert!(loaded.set_aside.is_none(), "{what}: taken for damaged\n{}", told.said);
    let kept: BTreeSet<u64> = loaded.pending.iter().map(|change| change.id.sequence).collect();
    let stored = told.sequences("stored ");
    assert!(stored.is_subset(&kept), "{what}: stored {stored:?}, kept {kept:?}\n{}", told.said);
    let last = kept.last().copied().unwrap_or(before);
    assert!(loaded.sequence >= last, "{what}: {} after {last}: a number would be used twice", loaded.sequence);
    if before > 0 {
        assert!(kept.contains(&before), "{what}: what an older version had is gone\n{}", told.said);
        assert_eq!(loaded.device, DeviceId::new("car").ok(), "{what}");
    }
    drop(store);
    let db = rusqlite::Connection::open(dir.join("jamz.db")).unwrap();
    let verdict: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok", "{what}");
}

/// Spoils every operation of a child's, one after the other, beginning each time with what `prepare` puts there.
fn spoil_each(fault: Fault, before: u64, prepare: impl Fn(&Path)) {
    let fresh = || {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().canonicalize().unwrap().join("state");
        prepare(&dir);
        (folder, dir)
    };
    let (_folder, dir) = fresh();
    let sound = run(&dir, fault, 0);
    assert_eq!((sound.status, sound.sequences("stored ").len()), (Some(0), CHANGES as usize), "{}", sound.said);
    let mut harmed = 0;
    for at in 1..=sound.operations {
        let (_folder, dir) = fresh();
        let told = run(&dir, fault, at);
        if told.operations < at {
            // It wrote its last state together with its last change this time.
            assert_eq!(told.status, Some(0), "{}", told.said);
            continue;
        }
        let what = format!("{fault:?} at operation {at} of {}", sound.operations);
        let wanted = if fault == Fault::Cut { CUT_STATUS } else { 0 };
        assert_eq!(told.status, Some(wanted), "{what}\n{}", told.said);
        harmed += usize::from(told.sequences("stored ").len() < CHANGES as usize);
        check(&dir, before, &told, &what);
    }
    eprintln!("{fault:?}: {} operations, of which {harmed} kept something from being stored", sound.operations);
    assert!(sound.operations > 20 && harmed > 5, "the disk's faults do not reach the journal");
}

/// A journal of the first version.
fn older(dir: &Path) {
    let (store, _, answered) = open(dir).unwrap();
    store.send(Write::Device(DeviceId::new("car").unwrap())).unwrap();
    for sequence in 1..=OLD {
        store.send(Write::Own(Box::new(add("car", sequence, "old")))).unwrap();
        assert!(matches!(answered.recv_timeout(WAIT_MAX), Ok(Input::Stored(_))));
    }
    drop(store);
    let db = rusqlite::Connection::open(dir.join("jamz.db")).unwrap();
    db.execute_batch("DROP INDEX changes_tail; ALTER TABLE changes DROP COLUMN kept; PRAGMA user_version = 1").unwrap();
}

#[test]
fn a_power_cut_at_any_write_loses_nothing_that_was_acknowledged() {
    spoil_each(Fault::Cut, 0, |_| {});
}

#[test]
fn an_error_of_the_disk_at_any_write_refuses_what_it_hits_and_harms_nothing_else() {
    spoil_each(Fault::Io { more: 0 }, 0, |_| {});
}

#[test]
fn a_disk_that_is_full_for_a_while_from_any_write_on_takes_all_again_later() {
    spoil_each(Fault::Full { more: 6 }, 0, |_| {});
}

#[test]
fn a_journal_of_an_older_version_is_whole_wherever_the_power_goes_while_it_is_taken_over() {
    spoil_each(Fault::Cut, OLD, older);
}

#[test]
fn a_journal_of_an_older_version_is_whole_wherever_the_disk_fails_while_it_is_taken_over() {
    spoil_each(Fault::Io { more: 0 }, OLD, older);
}
