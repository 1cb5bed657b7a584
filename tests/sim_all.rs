//! Drives of everything: two to ten cars with every fault there is, out of seeds and out of bytes; and that the rules
//! find each bug that is planted. Thousands: `make sim`.

#[path = "../fuzz/src/drives.rs"]
mod drives;

use jamz::core::planted::{Plant, plant};
use jamz::sim::{self, Keys};
use std::path::Path;

/// A planted bug is found within so many drives; `make sim` gives it a thousand.
const FOUND_MAX: u64 = 150;

/// Drives that went wrong once, and what was wrong then.
const LEARNED_FROM: [(u64, &str); 23] = [
    (1_002, "what followed a removed entry was forgotten where its removal came ahead of its being played"),
    (1_251, "music that ran out after such an entry went on for ever at others"),
    (1_105, "who had rebooted was not told that a control of his counted no more"),
    (1_567, "nor was he told of one that later ones had replaced, which did not count either"),
    (1_881, "nor who had kept another time than those that he met"),
    (2_286, "an addition that came after the list had run out without it was played by its author alone"),
    (359, "clocks that are bent to the same time were blamed for their distance to each other"),
    (2_377, "a server that had rebooted and met phones only was thought to keep the convoy's time"),
    (
        3_054,
        "a phone's control, which nobody can show to a leader that has not heard of it, counted beside that leader's",
    ),
    (412, "who had agreed with a neighbour was content with that when another led the way"),
    (1_075, "a phone's control reached those who do not hear the server only once the difference was noticed"),
    (200_275, "who had taken a server's time over by another, and then led, was blamed for the step"),
    (403_247, "what a slow server still said was not told to the neighbour that was obeyed instead of it"),
    (503_704, "a server that had moved on to an entry before it heard of its removal stayed there alone"),
    (503_448, "who was no more heard, and not told that the link was given up, held on to it for 13 s"),
    (505_242, "all stepped to the clock of one that had rebooted and had the convoy's time from nobody yet"),
    (506_596, "who came to follow just after a server's state was taken over waited for it for more than a second"),
    (604_320, "the clock was led about by answers that had been held up and came all at once"),
    (653_571, "a car had no word on its clock from when a server came back until that had answered"),
    (500_927, "who had rebooted was obeyed for the server's sake before he had its state"),
    (643_591, "who waited for a server's time led others meanwhile, and gave them none for two seconds"),
    (836_501, "a link was kept for the time that came over it, and ended in the calm when another's was better"),
    (939, "who kept the convoy's time took over that of a leader who had hardly heard of it, and was muted for it"),
];

fn wrong(report: &sim::Report) -> String {
    report.wrong.join("\n  ")
}

#[test]
fn what_went_wrong_once_does_not_again() {
    for (seed, once) in LEARNED_FROM {
        let report = sim::rehearse_all(seed, false);
        let wrong = wrong(&report);
        assert!(report.wrong.is_empty(), "seed {seed}: {once}\n  {wrong}\n  look at it: make sim SEED={seed}");
    }
}

/// Drives that are drawn out of bytes here, of so many bytes each, always the same; `make sim` draws others.
const DRAWN: u64 = 30;
const BYTES: u64 = 3_000;

#[test]
fn bytes_are_a_drive_that_keeps_all_rules() {
    for number in 1..=DRAWN {
        arbtest::arbtest(|bytes| {
            let drawn = bytes.bytes(bytes.len())?;
            let report = sim::rehearse_bytes(drawn, false);
            assert!(report.wrong.is_empty(), "{}\nthe bytes: {drawn:?}", wrong(&report));
            Ok(())
        })
        .seed(number << 32 | BYTES)
        .run();
    }
}

#[test]
fn what_fuzzers_kept_of_drives_and_what_ever_broke_one_breaks_none() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let [(target, run)] = drives::ALL;
    let files = |kind: &str| std::fs::read_dir(fuzz.join(kind).join(target)).into_iter().flatten().flatten();
    assert!(files("corpus").next().is_some(), "fuzz/corpus/{target} is empty");
    for file in files("corpus").chain(files("crashes")) {
        let bytes = std::fs::read(file.path()).unwrap();
        assert!(std::panic::catch_unwind(|| run(&bytes)).is_ok(), "{} breaks a rule", file.path().display());
    }
}

#[test]
fn the_same_bytes_give_the_same_drive() {
    let bytes: Vec<u8> = (0..=255).cycle().take(3_000).collect();
    let [first, second] = [(); 2].map(|()| sim::rehearse_bytes(&bytes, true));
    assert!(!first.log.is_empty() && first.log == second.log);
}

#[test]
fn a_drive_goes_the_same_way_with_real_keys_as_with_the_sums_that_stand_for_them() {
    for seed in [2, 3] {
        let drive = sim::schedule(&mut sim::chance_of(seed));
        let [real, sums] = [Keys::Real, Keys::Sums].map(|keys| sim::ride_with(keys, &drive, true));
        assert!(real.wrong.is_empty() && real.log == sums.log, "seed {seed}");
    }
}

#[test]
fn each_planted_bug_is_found_by_a_rule_that_is_about_it() {
    for planted in Plant::ALL {
        plant(Some(planted));
        let is_found = |seed: &u64| sim::rehearse_all(*seed, false).wrong.iter().any(|it| sim::is_about(planted, it));
        let found = (1..=FOUND_MAX).find(is_found);
        plant(None);
        assert!(found.is_some(), "{} is not found", planted.name());
    }
}
