//! Many drives on all processors, and what is said of them while they go and in the end.

use jamz::core::planted::{Plant, plant};
use jamz::sim::{self, Report};
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Drives begin here, unless another seed is given.
pub(crate) const FIRST: u64 = 1;
/// Every so-many-th drive is driven twice, and has to go the same way.
const TWICE: u64 = 50;
/// A planted bug is found within so many drives.
const FOUND_MAX: u64 = 1_000;
/// What goes to a pipe says how far it is so often.
const PARTS: u64 = 20;

/// What is to be driven.
pub(crate) struct Campaign {
    pub(crate) first: u64,
    pub(crate) schedules: u64,
    pub(crate) plants: bool,
    /// Drives at the same time.
    pub(crate) jobs: usize,
}

#[derive(Default)]
struct Tally {
    driven: u64,
    driven_us: i64,
    faults: u64,
    violations: u64,
    determinism_checked: u64,
}

impl Campaign {
    #[allow(clippy::disallowed_methods, reason = "how fast it is, is measured by the clock of this machine")]
    pub(crate) fn run(&self) -> ExitCode {
        let started = Instant::now();
        let tally = self.drive_all();
        let seconds = started.elapsed().as_secs_f64();
        let speed = tally.driven_us as f64 / 1e6 / seconds;
        println!("{} drives in {seconds:.0} s, {speed:.0} times as fast as the road", tally.driven);
        let found = if self.plants { self.find_all() } else { Vec::new() };
        let planted_found = found.iter().filter(|found| found.is_some()).count();
        let ok = tally.violations == 0 && tally.driven == self.schedules && planted_found == found.len();
        println!(
            "{}",
            serde_json::json!({
                "schedules": tally.driven,
                "sim_hours": (tally.driven_us as f64 / 3.6e9 * 100.0).round() / 100.0,
                "faults": tally.faults,
                "violations": tally.violations,
                "determinism_checked": tally.determinism_checked,
                "planted": found.len(),
                "planted_found": planted_found,
                "ok": ok,
            })
        );
        if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn drive_all(&self) -> Tally {
        let (next, tally) = (AtomicU64::new(0), Mutex::new(Tally::default()));
        self.on_all_processors(|| {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= self.schedules {
                    return;
                }
                let seed = self.first + number;
                let is_twice = number.is_multiple_of(TWICE);
                let report = sim::rehearse_all(seed, is_twice);
                let mut wrong = report.wrong.clone();
                if is_twice && sim::rehearse_all(seed, true).log != report.log {
                    wrong.push("the same seed does not give the same drive".into());
                }
                let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
                tally.take(&report, is_twice);
                tally.violations += u64::from(!wrong.is_empty());
                if !wrong.is_empty() {
                    clear_line();
                    for wrong in &wrong {
                        println!("seed {seed}: {wrong}");
                    }
                    println!("seed {seed}: look at it with `make sim SEED={seed}`");
                }
                tell_progress(&tally, self.schedules);
            }
        });
        clear_line();
        tally.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// After how many drives each planted bug was found, if it was.
    fn find_all(&self) -> Vec<Option<u64>> {
        let (next, found) = (AtomicU64::new(0), Mutex::new(Vec::new()));
        self.on_all_processors(|| {
            while let Some(planted) = Plant::ALL.get(next.fetch_add(1, Ordering::Relaxed) as usize).copied() {
                let by = (1..=FOUND_MAX).find_map(|count| Some((count, shown_in(planted, FIRST + count - 1)?)));
                let name = planted.name();
                match &by {
                    Some((count, wrong)) => println!("planted {name}: found after {count} schedules, {wrong}"),
                    None => println!("planted {name}: NOT FOUND in {FOUND_MAX} schedules"),
                }
                found.lock().unwrap_or_else(PoisonError::into_inner).push(by.map(|(count, _)| count));
            }
        });
        found.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn on_all_processors(&self, work: impl Fn() + Sync) {
        std::thread::scope(|scope| {
            for _ in 0..self.jobs {
                scope.spawn(&work);
            }
        });
    }
}

impl Tally {
    fn take(&mut self, report: &Report, is_twice: bool) {
        self.driven += 1;
        self.driven_us += report.driven_us;
        self.faults += report.faults;
        self.determinism_checked += u64::from(is_twice);
    }
}

/// What goes wrong on a drive with the bug planted that is about it, if nothing does without it.
fn shown_in(planted: Plant, seed: u64) -> Option<String> {
    let wrong = |planted| {
        plant(planted);
        let report = sim::rehearse_all(seed, false);
        plant(None);
        report.wrong
    };
    let shown = wrong(Some(planted)).into_iter().find(|wrong| sim::is_about(planted, wrong));
    shown.filter(|_| wrong(None).is_empty())
}

fn tell_progress(tally: &Tally, all: u64) {
    let words = format!("{} of {all} drives, {} faults, {} violations", tally.driven, tally.faults, tally.violations);
    if std::io::stderr().is_terminal() {
        eprint!("\r{words}");
        let _ = std::io::stderr().flush();
    } else if tally.driven.is_multiple_of((all / PARTS).max(1)) {
        println!("{words}");
    }
}

fn clear_line() {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
}
