//! The demo's programs end with the demo, however it ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

#[allow(dead_code, reason = "a test uses its part of it")]
#[path = "../examples/demo/process.rs"]
#[expect(unreachable_pub, reason = "it is the demo's")]
mod process;
#[path = "support/rerun.rs"]
mod rerun;

use jamz::core::clock::Monotonic;
use jamz::host::MonotonicClock;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Duration;

const DIR: &str = "JAMZ_TEST_DIR";
const WAIT_US_MAX: i64 = 20_000_000;

fn sleeper(dir: &Path) -> process::Process {
    let mut command = tokio::process::Command::new("sh");
    command.args(["-c", "echo $$ >pid; exec sleep 1000"]).current_dir(dir);
    process::Process::start("sleep", &command, &dir.join("log")).unwrap()
}

/// The process that the program in `dir` has become, once it has.
fn started(dir: &Path) -> String {
    let begun = MonotonicClock.now();
    loop {
        let pid = std::fs::read_to_string(dir.join("pid")).unwrap_or_default().trim().to_owned();
        if !pid.is_empty() {
            return pid;
        }
        assert!(MonotonicClock.now() - begun < WAIT_US_MAX, "{}", std::fs::read_to_string(dir.join("log")).unwrap());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether it runs: one that is dead and not yet buried does not.
fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.trim_start().starts_with('Z'))
}

fn await_end(pid: &str) {
    let begun = MonotonicClock.now();
    while is_alive(pid) {
        assert!(MonotonicClock.now() - begun < WAIT_US_MAX, "{pid} lives on");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[tokio::test]
#[ignore = "the process that the next test kills"]
async fn demo_that_is_killed() {
    let dir = std::env::var(DIR).unwrap();
    let mut process = sleeper(Path::new(&dir));
    let pid = started(Path::new(&dir));
    assert_eq!(process.id().map(|id| id.to_string()), Some(pid.clone()));
    println!("\nchild {pid}");
    std::thread::sleep(Duration::from_secs(1_000));
    process.check_alive().unwrap();
}

#[test]
fn the_programs_of_a_demo_that_is_killed_end_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut demo = rerun::Rerun::start("demo_that_is_killed", "", &[(DIR, dir.path().to_str().unwrap())]);
    let mut lines = BufReader::new(demo.stdout()).lines().map_while(Result::ok);
    let child = lines.find_map(|line| line.strip_prefix("child ").map(str::to_owned)).expect("no child");
    assert!(is_alive(&child));
    demo.0.kill().unwrap();
    await_end(&child);
}

#[tokio::test]
async fn a_program_is_killed_or_stopped_itself_and_not_only_what_started_it() {
    for kill in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let process = sleeper(dir.path());
        let pid = started(dir.path());
        if kill {
            process.kill().await.unwrap();
        } else {
            process.stop().await.unwrap();
        }
        assert!(!is_alive(&pid));
    }
}
