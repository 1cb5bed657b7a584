//! `make sim`: thousands of drives with every fault there is, on all processors, or in `--jobs`; then the same with
//! bugs that are planted, each of which has to be found. `sim -- --schedules 2000`; `sim -- --seed 17` prints one
//! drive, and with `--plant NAME` one with a bug.

mod campaign;

use campaign::{Campaign, FIRST};
use jamz::core::planted::{Plant, plant};
use jamz::sim;
use std::process::ExitCode;

const USAGE: &str =
    "say how many drives: --schedules COUNT [--first SEED] [--jobs N] [--plants 0], or which: --seed N [--plant NAME]";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let text = |name: &str| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1)).cloned();
    let number = |name: &str| -> Option<u64> { text(name)?.parse().ok() };
    if let Some(name) = text("--plant") {
        let Some(planted) = Plant::ALL.into_iter().find(|planted| planted.name() == name) else {
            eprintln!("no bug is called `{name}`; there are {}", Plant::ALL.map(Plant::name).join(", "));
            return ExitCode::from(2);
        };
        plant(Some(planted));
    }
    match (number("--seed"), number("--schedules")) {
        (Some(seed), _) => one(seed),
        (None, Some(schedules)) => {
            let first = number("--first").unwrap_or(FIRST);
            let processors = || std::thread::available_parallelism().map_or(1, usize::from);
            let jobs = number("--jobs").filter(|jobs| *jobs > 0).map_or_else(processors, |jobs| jobs as usize);
            Campaign { first, schedules, plants: number("--plants") != Some(0), jobs }.run()
        }
        (None, None) => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// One drive with its log.
fn one(seed: u64) -> ExitCode {
    let drive = sim::schedule(&mut sim::chance_of(seed));
    println!("seed {seed}: {} cars, server: {}, {:?}", drive.terms.cars, drive.terms.has_server, drive.conditions);
    let report = sim::ride(&drive, true);
    for line in &report.log {
        println!("{line}");
    }
    println!(
        "seed {seed}: {} faults, {} messages, {} s",
        report.faults,
        report.messages,
        report.driven_us / sim::SECOND
    );
    for wrong in &report.wrong {
        println!("seed {seed}: {wrong}");
    }
    if report.wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
