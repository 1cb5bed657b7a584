//! What is the car's own: loudness, and the delays of its outputs.

use super::*;

fn plays_on(bench: &mut Bench, output: &str) {
    bench.give(Input::Audio(AudioStatus { output: output.into(), ..AudioStatus::default() }));
}

fn delay(output: &str, delay_us: i64) -> Command {
    Command::OutputDelay { output: output.into(), delay_us }
}

/// What the audio path was told last since it was last asked.
fn told(bench: &mut Bench) -> Option<i64> {
    let seen = std::mem::take(&mut bench.seen);
    seen.into_iter().rev().find_map(|output| match output {
        Output::Audio(AudioCommand::Delay { delay_us }) => Some(delay_us),
        _ => None,
    })
}

#[test]
fn a_delay_is_remembered_by_the_output_and_told_when_that_is_in_use() {
    let mut bench = Bench::new(start());
    plays_on(&mut bench, "alsa:usb");
    assert_eq!(told(&mut bench), None, "the configuration counts until something is set");
    bench.command(delay("", 12_345));
    assert_eq!(told(&mut bench), Some(12_345));
    bench.command(delay("alsa:bluetooth", -180_000));
    assert_eq!(told(&mut bench), Some(12_345), "another output changes nothing here");
    bench.wait(2 * SECOND);
    let kept = bench.car.saved(bench.now);

    let mut bench = Bench::new(Start { saved: Some(kept), ..start() });
    plays_on(&mut bench, "alsa:bluetooth");
    assert_eq!(told(&mut bench), Some(-180_000));
    plays_on(&mut bench, "alsa:bluetooth");
    assert_eq!(told(&mut bench), None, "it is told once");
    plays_on(&mut bench, "alsa:usb");
    assert_eq!(told(&mut bench), Some(12_345));
}

#[test]
fn delays_that_cannot_be_are_refused_and_remembered_from_no_disk() {
    let mut bench = Bench::new(start());
    plays_on(&mut bench, "virtual");
    for command in [delay("", 2_000_001), delay("", i64::MIN), delay(&"x".repeat(300), 5)] {
        let answered = bench.command(command);
        assert!(matches!(bench.reply(answered), Some(Err(Refusal::Invalid(_)))));
    }
    for n in 0..32 {
        bench.command(delay(&format!("alsa:{n}"), n));
    }
    let answered = bench.command(delay("one more", 1));
    assert!(matches!(bench.reply(answered), Some(Err(Refusal::Invalid(text))) if text.contains("32 outputs")));
    let mut kept = bench.car.saved(bench.now);
    kept.delays_us.insert("virtual".into(), i64::MAX);
    let mut bench = Bench::new(Start { saved: Some(kept), ..start() });
    plays_on(&mut bench, "virtual");
    assert_eq!(told(&mut bench), None);
}
