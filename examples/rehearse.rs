//! Rehearses drives in the simulator: `rehearse -- --seed 17` prints one with its log, `rehearse -- --seeds 1000` many;
//! with `--listeners`, every second car may only listen, and tries to do more.
//!
//! With a rogue among the members: `rehearse -- --rogue seek-storm --seed 17`; `rehearse -- --rogue all --seeds 100`.

use jamz::sim::{self, Behaviour, Report};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;

/// Drives begin here, unless another seed is given.
const FIRST: u64 = 1;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let text = |name: &str| {
        let at = args.iter().position(|arg| arg == name)?;
        args.get(at + 1)
    };
    let number = |name: &str| -> Option<u64> { text(name)?.parse().ok() };
    let casts: Vec<Cast> = match text("--rogue").map(String::as_str) {
        None if args.iter().any(|arg| arg == "--listeners") => vec![Cast::Listeners],
        None => vec![Cast::Willing],
        Some("all") => Behaviour::ALL.map(Cast::Rogue).to_vec(),
        Some(name) => {
            let Some(behaviour) = Behaviour::named(name) else {
                let names = Behaviour::ALL.map(Behaviour::name).join(", ");
                eprintln!("no rogue is called `{name}`; there are {names}, and all");
                return ExitCode::from(2);
            };
            vec![Cast::Rogue(behaviour)]
        }
    };
    match (number("--seed"), number("--seeds")) {
        (Some(seed), None) => {
            casts.into_iter().map(|cast| one(cast, seed)).max_by_key(|code| *code != ExitCode::SUCCESS)
        }
        (first, Some(count)) => casts
            .into_iter()
            .map(|cast| many(cast, first.unwrap_or(FIRST), count))
            .max_by_key(|code| *code != ExitCode::SUCCESS),
        (None, None) => {
            eprintln!("say which drive: --seed N, or how many: --seeds COUNT [--seed FIRST]");
            None
        }
    }
    .unwrap_or(ExitCode::from(2))
}

/// Who drives.
#[derive(Clone, Copy)]
enum Cast {
    Willing,
    /// Every second one may only listen.
    Listeners,
    Rogue(Behaviour),
}

fn drive(cast: Cast, seed: u64, logs: bool) -> Report {
    match cast {
        Cast::Willing => sim::rehearse(seed, logs),
        Cast::Listeners => sim::rehearse_listeners(seed, logs),
        Cast::Rogue(behaviour) => sim::rehearse_rogue(behaviour, seed, logs),
    }
}

fn one(cast: Cast, seed: u64) -> ExitCode {
    let report = drive(cast, seed, true);
    for line in &report.log {
        println!("{line}");
    }
    tell(seed, &report)
}

fn many(cast: Cast, first: u64, count: u64) -> ExitCode {
    let mut failed = 0_u64;
    let mut driven_us = 0;
    let mut muted_us = None;
    let (next, end) = (AtomicU64::new(first), first + count);
    let (sender, reports) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            let (next, sender) = (&next, sender.clone());
            scope.spawn(move || {
                let seeds = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < end);
                for seed in std::iter::from_fn(seeds) {
                    let _ = sender.send((seed, drive(cast, seed, false)));
                }
            });
        }
        drop(sender);
        for (seed, report) in reports {
            driven_us += report.driven_us;
            muted_us = muted_us.max(report.muted_us);
            if !report.wrong.is_empty() {
                failed += 1;
                let _ = tell(seed, &report);
            }
        }
    });
    let what = if let Cast::Rogue(behaviour) = cast { format!("{}: ", behaviour.name()) } else { String::new() };
    let muted = muted_us.map_or_else(String::new, |us| format!("; muted after {:.2} s at most", us as f64 / 1e6));
    println!("{what}{failed} of {count} drives failed, in {} s of the road's time{muted}", driven_us / sim::SECOND);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn tell(seed: u64, report: &Report) -> ExitCode {
    println!("seed {seed}: {} messages, {} s driven", report.messages, report.driven_us / sim::SECOND);
    for wrong in &report.wrong {
        println!("seed {seed}: {wrong}");
    }
    if report.wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
