//! A thousand drives of three to six cars with every kind of fault, in the simulator; none may break a rule.

use jamz::sim;

/// Drives of one test, which share the machine's cores.
const DRIVES: u64 = 250;
const REPLAY: &str = "cargo run --no-default-features --features sim --example rehearse";

fn rehearse(first: u64) {
    let mut failed = Vec::new();
    for seed in first..first + DRIVES {
        let report = sim::rehearse(seed, false);
        if !report.wrong.is_empty() {
            let wrong = report.wrong.join("\n  ");
            failed.push(format!("seed {seed}: {wrong}\n  look at it: {REPLAY} -- --seed {seed}"));
        }
    }
    assert!(failed.is_empty(), "{} of {DRIVES} drives failed\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn drives_1_to_250_keep_all_rules() {
    rehearse(1);
}

#[test]
fn drives_251_to_500_keep_all_rules() {
    rehearse(251);
}

#[test]
fn drives_501_to_750_keep_all_rules() {
    rehearse(501);
}

#[test]
fn drives_751_to_1000_keep_all_rules() {
    rehearse(751);
}
