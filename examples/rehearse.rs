//! Rehearses drives in the simulator: `rehearse -- --seed 17` prints one with its log, `rehearse -- --seeds 1000` many.

use jamz::sim;
use std::process::ExitCode;

/// Drives begin here, unless another seed is given.
const FIRST: u64 = 1;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str| -> Option<u64> {
        let at = args.iter().position(|arg| arg == name)?;
        args.get(at + 1)?.parse().ok()
    };
    match (number("--seed"), number("--seeds")) {
        (Some(seed), None) => one(seed),
        (first, Some(count)) => many(first.unwrap_or(FIRST), count),
        (None, None) => {
            eprintln!("say which drive: --seed N, or how many: --seeds COUNT [--seed FIRST]");
            ExitCode::from(2)
        }
    }
}

fn one(seed: u64) -> ExitCode {
    let report = sim::rehearse(seed, true);
    for line in &report.log {
        println!("{line}");
    }
    tell(seed, &report)
}

fn many(first: u64, count: u64) -> ExitCode {
    let mut failed = 0_u64;
    let mut driven_us = 0;
    for seed in first..first + count {
        let report = sim::rehearse(seed, false);
        driven_us += report.driven_us;
        if !report.wrong.is_empty() {
            failed += 1;
            let _ = tell(seed, &report);
        }
    }
    println!("{failed} of {count} drives failed, in {} s of the road's time", driven_us / sim::SECOND);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn tell(seed: u64, report: &sim::Report) -> ExitCode {
    println!("seed {seed}: {} messages, {} s driven", report.messages, report.driven_us / sim::SECOND);
    for wrong in &report.wrong {
        println!("seed {seed}: {wrong}");
    }
    if report.wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
