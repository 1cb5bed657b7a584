//! Pacing in virtual time: what leaves a sound card with a crystal of its own, frame by frame, against what should.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise, and its support files serve several"
)]

#[path = "audio_pace/chirps.rs"]
mod chirps;
#[path = "audio_pace/delay.rs"]
mod delay;
#[path = "audio_pace/opening.rs"]
mod opening;
#[path = "support/sound.rs"]
mod sound;
#[path = "support/virtual_car.rs"]
mod virtual_car;

use jamz::audio::Frame;
use jamz::core::clock::ConvoyTime;
use jamz::core::io::Source;
use sound::{error_db, frames, sine, sweep, write_wav};
use std::path::Path;
use virtual_car::{CONVOY_US, VirtualCar, segment};

const QUIET: f32 = 1e-6;

fn wav(dir: &Path, rate_hz: u32, seconds: f64, sound: impl Fn(f64) -> Frame) -> Source {
    let count = (seconds * f64::from(rate_hz)) as usize;
    let name = format!("{rate_hz}-{count}-{}.wav", std::fs::read_dir(dir).unwrap().count());
    write_wav(&dir.join(name), rate_hz, &frames(sound, rate_hz, count))
}

/// What should be heard at each frame, if `sound` began `starts_s` seconds after the car's first frame.
fn ideal(car: &VirtualCar, range: std::ops::Range<usize>, starts_s: f64, sound: impl Fn(f64) -> Frame) -> Vec<Frame> {
    range.map(|frame| sound(car.seconds_at(frame) - starts_s)).collect()
}

fn loudest(frames: &[Frame]) -> f32 {
    frames.iter().flatten().fold(0.0, |max, sample| sample.abs().max(max))
}

#[test]
fn a_start_is_aligned_to_a_fraction_of_a_sample_whatever_the_crystal() {
    let dir = tempfile::tempdir().unwrap();
    let cosine =
        |t: f64| if t < 0.0 { [0.0; 2] } else { [(0.5 * (std::f64::consts::TAU * 500.0 * t).cos()) as f32; 2] };
    let source = wav(dir.path(), 48_000, 3.0, cosine);
    for (ppm, starts_us) in [(0.0, 500_000), (100.0, 500_007), (-100.0, 1_234_567), (37.0, 999_999)] {
        let mut car = VirtualCar::new(ppm);
        car.plan(&[segment("a", &source, starts_us, 0, None)]);
        let heard = car.render(2.0);
        let starts_s = starts_us as f64 * 1e-6;
        let first = (0..heard.len()).find(|f| car.seconds_at(*f) >= starts_s - 1e-12).unwrap();
        assert!(loudest(&heard[..first]) < QUIET, "something was heard before the start");
        assert!(heard[first][0] > 0.3, "the first frame is missing: {:?}", &heard[first - 1..first + 2]);
        let settled = first + 64..heard.len();
        let error = error_db(&heard[settled.clone()], &ideal(&car, settled, starts_s, cosine));
        println!("{ppm} ppm: {error:.1} dB");
        assert!(error < -80.0, "{ppm} ppm: {error} dB");
        assert!(car.pacer.heard().in_sync && car.pacer.heard().offset_us.unwrap().abs() < 1.0);
    }
}

/// Everything but the tone itself, against the tone, in decibels; the tone is fitted by least squares.
fn thd_n_db(heard: &[Frame], hz_per_frame: f64) -> f64 {
    let tone = |i: usize| (std::f64::consts::TAU * hz_per_frame * i as f64).sin_cos();
    let sum = |term: &dyn Fn((f64, f64), f64) -> f64| -> f64 {
        heard.iter().enumerate().map(|(i, [left, _])| term(tone(i), f64::from(*left))).sum()
    };
    let (cos_cos, sin_sin, cos_sin) = (sum(&|(_, c), _| c * c), sum(&|(s, _), _| s * s), sum(&|(s, c), _| c * s));
    let (heard_cos, heard_sin) = (sum(&|(_, c), x| x * c), sum(&|(s, _), x| x * s));
    let determinant = cos_cos * sin_sin - cos_sin * cos_sin;
    let cos_part = (heard_cos * sin_sin - heard_sin * cos_sin) / determinant;
    let sin_part = (heard_sin * cos_cos - heard_cos * cos_sin) / determinant;
    let noise = sum(&|(s, c), x| (x - cos_part * c - sin_part * s).powi(2));
    let signal = sum(&|(s, c), _| (cos_part * c + sin_part * s).powi(2));
    10.0 * (noise / signal).log10()
}

#[test]
fn resampling_adds_less_noise_than_a_16_bit_recording_has() {
    let dir = tempfile::tempdir().unwrap();
    for (hz, noise_max_db) in [(1_000.0, -105.0), (10_000.0, -98.0), (16_000.0, -90.0)] {
        let source = wav(dir.path(), 44_100, 3.0, sine(hz, 0.9));
        let mut car = VirtualCar::new(100.0);
        car.plan(&[segment("a", &source, 100_000, 0, None)]);
        let heard = car.render(2.0);
        let noise = thd_n_db(&heard[24_000..90_000], hz * car.line.us_per_frame * 1e-6);
        println!("{hz} Hz, 44.1 to 48 kHz at +100 ppm: THD+N {noise:.1} dB");
        assert!(noise < noise_max_db, "{hz} Hz: {noise} dB");
    }
    // Down from 96 kHz: what the card cannot play must not fold back.
    let source = wav(dir.path(), 96_000, 2.0, sine(30_000.0, 0.9));
    let mut car = VirtualCar::new(0.0);
    car.plan(&[segment("b", &source, 0, 0, None)]);
    let heard = car.render(1.0);
    assert!(loudest(&heard[4_800..]) < 1e-4, "30 kHz folded back to {}", loudest(&heard[4_800..]));
}

#[test]
fn tracks_follow_each_other_as_if_they_were_one() {
    let dir = tempfile::tempdir().unwrap();
    let tone = sine(997.0, 0.8);
    let whole = wav(dir.path(), 44_100, 3.0, &tone);
    let one = wav(dir.path(), 44_100, 1.0, &tone);
    let two = wav(dir.path(), 44_100, 1.0, |t| tone(t + 1.0));
    let mut car = VirtualCar::new(60.0);
    car.plan(&[segment("whole", &whole, 300_000, 0, None)]);
    let expected = car.render(2.0);
    let mut car = VirtualCar::new(60.0);
    car.plan(&[segment("1", &one, 300_000, 0, Some(1_300_000)), segment("2", &two, 1_300_000, 0, Some(2_300_000))]);
    let heard = car.render(2.0);
    let around = 60_000..66_000;
    let error = error_db(&heard[around.clone()], &expected[around]);
    println!("the same rate: {error:.1} dB");
    assert!(error < -70.0, "{error} dB");

    // Also when the second has another rate.
    let two = wav(dir.path(), 48_000, 1.0, |t| tone(t + 1.0));
    let mut car = VirtualCar::new(60.0);
    car.plan(&[segment("1", &one, 300_000, 0, Some(1_300_000)), segment("2", &two, 1_300_000, 0, Some(2_300_000))]);
    let heard = car.render(2.0);
    let around = 60_000..66_000;
    let error = error_db(&heard[around.clone()], &expected[around]);
    println!("44.1 and 48 kHz: {error:.1} dB");
    assert!(error < -60.0, "{error} dB");
}

#[test]
fn a_pause_fades_out_at_its_instant_and_play_goes_on_at_the_right_place() {
    let dir = tempfile::tempdir().unwrap();
    let source = wav(dir.path(), 48_000, 4.0, sine(440.0, 0.5));
    let mut car = VirtualCar::new(0.0);
    car.plan(&[segment("a", &source, 100_000, 0, Some(700_000)), segment("a", &source, 1_200_000, 600_000, None)]);
    let heard = car.render(2.0);
    let at = |s: f64| (s * 48_000.0) as usize;
    assert!(loudest(&heard[at(0.695)..at(0.7)]) > 0.49, "it faded before its time");
    assert!(loudest(&heard[at(0.7)..at(0.705)]) > 0.2, "it was cut off");
    assert!(loudest(&heard[at(0.711)..at(1.2)]) < QUIET, "the pause is not silent");
    let again = at(1.215)..at(2.0);
    let error = error_db(&heard[again.clone()], &ideal(&car, again, 0.6, sine(440.0, 0.5)));
    assert!(error < -75.0, "{error} dB");
}

#[test]
fn a_seek_crosses_over_at_its_instant() {
    let dir = tempfile::tempdir().unwrap();
    let source = wav(dir.path(), 44_100, 1.2, sweep_long);
    let mut car = VirtualCar::new(-40.0);
    car.plan(&[segment("a", &source, 100_000, 0, None)]);
    car.render(0.3);
    car.plan(&[segment("a", &source, 100_000, 0, Some(500_000)), segment("a", &source, 500_000, 800_000, None)]);
    let heard = car.render(0.5);
    let at = |s: f64| (s * 48_000.0) as usize;
    let shifted = |range: std::ops::Range<usize>| range.start - at(0.3)..range.end - at(0.3);
    for (range, starts_s) in [(at(0.3)..at(0.499), 0.1), (at(0.512)..at(0.7), -0.3)] {
        let error = error_db(&heard[shifted(range.clone())], &ideal(&car, range, starts_s, sweep_long));
        assert!(error < -70.0, "{error} dB");
    }
    let middle = &heard[shifted(at(0.5)..at(0.51))];
    assert!(loudest(middle) < 0.95, "the two were added without a fade");
}

/// A sweep of 1.2 s.
fn sweep_long(t: f64) -> Frame {
    sweep(t / 2.0)
}

#[test]
fn a_late_joiner_fades_in_at_the_right_place() {
    let dir = tempfile::tempdir().unwrap();
    let source = wav(dir.path(), 44_100, 30.0, sine(660.0, 0.5));
    let mut car = VirtualCar::new(20.0);
    car.render(0.5);
    car.plan(&[segment("a", &source, -20_000_000, 1_000_000, None)]);
    let heard = car.render(0.5);
    assert!(loudest(&heard[..2]) < 0.01, "it began with a click");
    let settled = 2_400..24_000;
    let expected = ideal(&car, 26_400..48_000, -21.0, sine(660.0, 0.5));
    let error = error_db(&heard[settled], &expected);
    assert!(error < -70.0, "{error} dB");
}

#[test]
fn a_plan_that_says_the_same_again_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let source = wav(dir.path(), 44_100, 10.0, sine(440.0, 0.5));
    let play = |again: bool| {
        let mut car = VirtualCar::new(-80.0);
        car.plan(&[segment("a", &source, 50_000, 0, None)]);
        let mut heard = car.render(1.0);
        if again {
            car.plan(&[segment("a", &source, 700_000, 650_000, Some(9_000_000))]);
        }
        heard.extend(car.render(1.0));
        heard
    };
    assert!(play(false) == play(true));
}

#[test]
fn what_the_resampler_adds_is_told_with_the_cards_own_rate_error_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let source = wav(dir.path(), 48_000, 60.0, sine(440.0, 0.5));
    let mut car = VirtualCar::new(40.0);
    car.plan(&[segment("a", &source, 0, 0, None)]);
    car.render(30.0);
    let heard = car.pacer.heard().clone();
    assert!((heard.correction_ppm + 40.0).abs() < 5.0, "a fast card is given less music a frame: {heard:?}");
}

#[test]
fn a_small_error_is_worked_off_gently_and_a_large_one_jumped() {
    let dir = tempfile::tempdir().unwrap();
    let source = wav(dir.path(), 48_000, 60.0, sine(440.0, 0.5));
    let mut car = VirtualCar::new(0.0);
    car.plan(&[segment("a", &source, 0, 0, None)]);
    car.render(1.0);
    car.line.at_us += 5_000.0;
    car.render(0.1);
    let heard = car.pacer.heard().clone();
    assert!((heard.correction_ppm - 500.0).abs() < 1e-6, "{heard:?}");
    assert!(heard.offset_us.unwrap() < -4_800.0, "{heard:?}");
    car.render(20.0);
    let heard = car.pacer.heard().clone();
    assert!(heard.in_sync && heard.offset_us.unwrap().abs() < 5.0 && heard.realigns == 0, "{heard:?}");

    car.line.at_us += 60_000.0;
    let sounds = car.render(0.5);
    let heard = car.pacer.heard().clone();
    assert!(heard.in_sync && heard.offset_us.unwrap().abs() < 1.0 && heard.realigns == 1, "{heard:?}");
    assert!(sounds.windows(480).all(|w| loudest(w) > 0.1), "there was a hole");
}

#[test]
fn when_the_convoys_time_is_put_right_the_music_goes_along_at_once_under_a_fade() {
    let dir = tempfile::tempdir().unwrap();
    let source = wav(dir.path(), 48_000, 60.0, sine(440.0, 0.5));
    let mut car = VirtualCar::new(0.0);
    car.plan(&[segment("a", &source, 0, 0, None)]);
    car.render(1.0);
    for (realigns, us) in [(1, CONVOY_US + 20_000), (2, CONVOY_US)] {
        car.map.convoy0 = ConvoyTime(us);
        car.pacer.set_clock(Some(car.map));
        let sounds = car.render(0.5);
        let heard = car.pacer.heard().clone();
        assert!(heard.in_sync && heard.offset_us.unwrap().abs() < 1.0 && heard.realigns == realigns, "{heard:?}");
        assert!(sounds.windows(480).all(|w| loudest(w) > 0.1), "there was a hole");
    }
}

#[test]
fn a_jump_of_the_card_itself_is_made_good_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let source = wav(dir.path(), 48_000, 60.0, sine(440.0, 0.5));
    let mut car = VirtualCar::new(0.0);
    car.plan(&[segment("a", &source, 0, 0, None)]);
    car.render(1.0);
    car.line.at_us += 12_000.0;
    car.line.epoch = 1;
    car.render(0.1);
    let heard = car.pacer.heard().clone();
    assert!(heard.in_sync && heard.offset_us.unwrap().abs() < 1.0 && heard.realigns == 1, "{heard:?}");
}

#[test]
fn without_a_clock_or_a_card_there_is_silence_and_afterwards_the_right_place() {
    let dir = tempfile::tempdir().unwrap();
    let source = wav(dir.path(), 48_000, 20.0, sine(440.0, 0.5));
    let mut car = VirtualCar::new(0.0);
    car.pacer.set_clock(None);
    car.plan(&[segment("a", &source, 0, 0, None)]);
    assert!(loudest(&car.render(0.5)) < QUIET);
    assert_eq!(car.pacer.heard().offset_us, None);
    car.pacer.set_clock(Some(car.map));
    assert!(loudest(&car.render(0.5)) > 0.4);
    car.pacer.set_clock(None);
    assert!(loudest(&car.render(0.5)[480..]) < QUIET);
    car.pacer.set_clock(Some(car.map));
    car.render(0.1);
    assert!(car.pacer.heard().in_sync);
}

#[test]
fn a_missing_or_hostile_track_is_silence_in_time_and_the_next_one_plays() {
    let dir = tempfile::tempdir().unwrap();
    let text = dir.path().join("text.flac");
    std::fs::write(&text, "no music").unwrap();
    let next = wav(dir.path(), 48_000, 5.0, sine(440.0, 0.5));
    let mut car = VirtualCar::new(0.0);
    car.plan(&[
        segment("hostile", &sound::source(&text), 0, 0, Some(500_000)),
        jamz::core::io::Segment { source: None, ..segment("missing", &next, 500_000, 0, Some(1_000_000)) },
        segment("next", &next, 1_000_000, 0, None),
    ]);
    assert!(loudest(&car.render(0.4)) < QUIET);
    let problem = car.pacer.heard().problem.clone().unwrap();
    assert!(problem.contains("cannot play this track"), "{problem}");
    assert!(loudest(&car.render(0.6)) < QUIET);
    let heard = car.render(1.0);
    let error = error_db(&heard[64..], &ideal(&car, 48_064..96_000, 1.0, sine(440.0, 0.5)));
    assert!(error < -80.0, "{error} dB");
    assert_eq!(car.pacer.heard().problem, None);
}

#[test]
fn volume_moves_without_a_step_and_gain_cannot_clip() {
    let dir = tempfile::tempdir().unwrap();
    let source = wav(dir.path(), 48_000, 20.0, |t| if t < 0.0 { [0.0; 2] } else { [0.9; 2] });
    let mut car = VirtualCar::new(0.0);
    let mut loud = segment("a", &source, 0, 0, None);
    loud.gain_db = Some(9.0);
    car.plan(std::slice::from_ref(&loud));
    let heard = car.render(0.5);
    assert!(loudest(&heard) <= 1.0 && heard[20_000][0] > 0.95);
    loud.gain_db = Some(-6.0);
    car.plan(&[loud]);
    car.render(0.1);
    car.pacer.set_volume(0.5);
    let heard = car.render(0.2);
    let step = heard.windows(2).map(|w| (w[0][0] - w[1][0]).abs()).fold(0.0, f32::max);
    assert!(step < 0.001, "a step of {step}");
    assert!((heard[9_000][0] - 0.9 * 0.501_187 * 0.125).abs() < 0.001, "{:?}", heard[9_000]);
    car.pacer.set_volume(0.0);
    assert!(loudest(&car.render(0.2)[4_800..]) < QUIET);
}
