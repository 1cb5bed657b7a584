//! A member with a good key and a bad will is muted within ten seconds, whatever he does, and the others play on in
//! time with each other; in the simulator, ten drives of each kind. A hundred of each:
//! `cargo run --profile demo --no-default-features --features sim --example rehearse -- --rogue all --seeds 100`.

use jamz::sim::{self, Behaviour, SECOND};

const DRIVES: u64 = 10;
const REPLAY: &str = "cargo run --no-default-features --features sim --example rehearse";

fn is_muted(behaviour: Behaviour) {
    is_muted_in(DRIVES, behaviour);
}

fn is_muted_in(drives: u64, behaviour: Behaviour) {
    let mut failed = Vec::new();
    let mut longest_us = None;
    for seed in 1..=drives {
        let report = sim::rehearse_rogue(behaviour, seed, false);
        longest_us = longest_us.max(report.muted_us);
        if !report.wrong.is_empty() {
            let (wrong, name) = (report.wrong.join("\n  "), behaviour.name());
            failed.push(format!("seed {seed}\n  {wrong}\n  look at it: {REPLAY} -- --rogue {name} --seed {seed}"));
        }
    }
    assert!(failed.is_empty(), "{}: {} drives failed\n{}", behaviour.name(), failed.len(), failed.join("\n"));
    assert!(longest_us.is_some_and(|us| us <= 10 * SECOND), "{}: muted after {longest_us:?}", behaviour.name());
}

#[test]
fn who_floods_with_valid_changes_is_muted() {
    is_muted(Behaviour::ChangeFlood);
}

#[test]
fn a_dj_who_seeks_without_end_is_muted_and_loses_control() {
    is_muted(Behaviour::SeekStorm);
}

#[test]
fn who_takes_control_over_and_over_is_muted() {
    is_muted(Behaviour::TakeStorm);
}

#[test]
fn who_claims_to_lead_as_somebody_else_is_muted() {
    is_muted(Behaviour::FalseRank);
}

#[test]
fn who_claims_false_terms_is_muted() {
    is_muted(Behaviour::FalseTerm);
}

#[test]
fn a_hub_whose_clock_steps_is_muted_and_drags_nobody_away() {
    is_muted(Behaviour::FalseClock);
}

#[test]
fn who_fills_the_playlist_with_endless_titles_is_muted() {
    is_muted(Behaviour::HugePlaylist);
}

#[test]
#[ignore = "it takes three minutes of a processor where it is optimised"]
fn who_fills_the_playlist_is_muted_in_each_of_a_hundred_drives() {
    is_muted_in(100, Behaviour::HugePlaylist);
}

#[test]
fn who_repeats_what_others_did_without_end_is_muted() {
    is_muted(Behaviour::Replay);
}

#[test]
fn who_asks_for_the_state_without_end_is_muted() {
    is_muted(Behaviour::StateStorm);
}

#[test]
fn who_signals_without_end_is_muted() {
    is_muted(Behaviour::SignalStorm);
}

#[test]
fn who_says_goodbye_and_comes_back_without_end_is_muted() {
    is_muted(Behaviour::Flapping);
}

#[test]
fn the_same_seed_gives_the_same_drive() {
    for behaviour in [Behaviour::ChangeFlood, Behaviour::FalseClock] {
        let [first, second] = [(); 2].map(|()| sim::rehearse_rogue(behaviour, 3, true));
        assert_eq!(first.log, second.log, "{}", behaviour.name());
    }
}
