//! Chirps are played when they can be told from music, from each other, and from those of another car.

use super::*;
use crate::core::chirp::{PERIOD_US, Part, Sweep, TRAIN_US};

fn bench(start: Start) -> Bench {
    let mut bench = Bench::new(start);
    bench.give(Input::Audio(sound(0)));
    bench
}

fn sound(delay_us: i64) -> AudioStatus {
    AudioStatus { output: "virtual".into(), rate_hz: Some(48_000), delay_us, ..AudioStatus::default() }
}

/// When a train leaves the card, as it is answered; and what the audio path was told, which has to be the same.
fn chirp(bench: &mut Bench, part: Part) -> Result<(MonoTime, Sweep), Refusal> {
    bench.seen.clear();
    bench.command(Command::Chirp { part });
    let answered = bench.seen.iter().find_map(|output| match output {
        Output::Chirping { result, .. } => Some(result.clone()),
        _ => None,
    });
    let told = bench.seen.iter().find_map(|output| match output {
        Output::Audio(AudioCommand::Chirp { at, sweep }) => Some((*at, *sweep)),
        _ => None,
    });
    assert_eq!(told.map(|(at, _)| at), answered.clone().unwrap().ok());
    answered.unwrap().map(|_| told.unwrap())
}

fn refusal(bench: &mut Bench, part: Part) -> String {
    chirp(bench, part).unwrap_err().to_string()
}

#[test]
fn chirps_wait_for_each_other_and_for_a_pause() {
    let mut bench = bench(start());
    let (at, _) = chirp(&mut bench, Part::Alone).unwrap();
    assert!(at - bench.now >= 500_000, "the card has rendered some time ahead");
    bench.wait(at + TRAIN_US - bench.now - 1);
    assert!(refusal(&mut bench, Part::Alone).contains("already"));
    bench.wait(1);
    chirp(&mut bench, Part::Alone).unwrap();
    bench.wait(5 * SECOND);
    bench.add(&[track("a", 100)]);
    bench.command(Command::Play { entry: None });
    assert!(refusal(&mut bench, Part::Alone).contains("jamzctl pause"));
    bench.command(Command::Pause);
    bench.wait(SECOND);
    chirp(&mut bench, Part::Alone).unwrap();
}

#[test]
fn without_a_card_or_a_convoy_it_is_said_what_is_missing() {
    let mut mute = Bench::new(start());
    mute.give(Input::Audio(AudioStatus { problem: Some("it is in use".into()), ..AudioStatus::default() }));
    assert!(refusal(&mut mute, Part::Alone).contains("it is in use"));
    let mut alone = bench(start());
    assert!(refusal(&mut alone, Part::Reference).contains("in no convoy"));
    assert!(refusal(&mut alone, Part::Measured).contains("in no convoy"));
}

#[test]
fn two_cars_chirp_half_a_period_apart_and_only_the_reference_counts_its_delay() {
    let ahead_us = 70 * SECOND + 123_456;
    for delay_us in [0, 250_000, -30_000] {
        for (part, sweep, phase_us, early_us) in
            [(Part::Reference, Sweep::Rising, 0, delay_us), (Part::Measured, Sweep::Falling, PERIOD_US / 2, 0)]
        {
            let mut bench = bench(in_convoy());
            bench.join(Snapshot::default(), ahead_us);
            bench.give(Input::Audio(sound(delay_us)));
            let (at, sounded) = chirp(&mut bench, part).unwrap();
            assert_eq!(sounded, sweep);
            assert!(at - bench.now >= 500_000 && at - bench.now <= PERIOD_US + 1_000_000);
            let heard = bench.clock.unwrap().convoy(at + early_us);
            let off_us = (heard.0 - phase_us + PERIOD_US / 2).rem_euclid(PERIOD_US) - PERIOD_US / 2;
            assert!(off_us.abs() <= 1, "{part:?} with {delay_us} us: {off_us} us off");
        }
    }
}
