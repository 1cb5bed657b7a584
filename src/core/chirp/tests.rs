//! Trains are found in whatever a microphone makes of them.

use super::*;

const RATE_HZ: f64 = 48_000.0;
/// What the sub-sample search has to reach.
const ERROR_US_MAX: f64 = 20.0;

/// A recording of so many seconds, in which the train begins `at_us` after its first sample.
fn recording(sweep: Sweep, rate_hz: f64, seconds: f64, at_us: f64) -> Vec<f32> {
    let samples = 0..(seconds * rate_hz) as usize;
    samples.map(|n| sweep.train(n as f64 * 1e6 / rate_hz - at_us)).collect()
}

fn mixed(mut one: Vec<f32>, other: &[f32], gain: f32) -> Vec<f32> {
    one.iter_mut().zip(other).for_each(|(one, other)| *one += gain * other);
    one
}

/// White noise from -1 to 1 that is the same each time.
fn noise(count: usize) -> Vec<f32> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn at_us(samples: &[f32], rate_hz: f64, sweep: Sweep) -> f64 {
    let trains = find(samples, rate_hz, sweep).unwrap();
    assert_eq!(trains.len(), 1, "{trains:?}");
    trains[0].at_us
}

fn assert_found(samples: &[f32], wanted_us: f64) {
    let error_us = at_us(samples, RATE_HZ, Sweep::Falling) - wanted_us;
    assert!(error_us.abs() < ERROR_US_MAX, "{error_us} us off");
}

#[test]
fn a_train_is_found_between_samples_at_every_usual_rate() {
    for rate_hz in [16_000.0, 22_050.0, 44_100.0, 48_000.0, 96_000.0] {
        for part in 0..8 {
            let wanted_us = 312_345.0 + f64::from(part) / 8.0 * 1e6 / rate_hz;
            for sweep in [Sweep::Rising, Sweep::Falling] {
                let error_us = at_us(&recording(sweep, rate_hz, 3.0, wanted_us), rate_hz, sweep) - wanted_us;
                assert!(error_us.abs() < 3.0, "{sweep:?} at {rate_hz} Hz: {error_us} us off");
            }
        }
    }
}

#[test]
fn neither_loudness_nor_polarity_matters() {
    for gain in [1.0, -1.0, 0.01, -1.9] {
        let samples = recording(Sweep::Falling, RATE_HZ, 3.0, 456_789.5);
        assert_found(&samples.iter().map(|sample| gain * sample).collect::<Vec<_>>(), 456_789.5);
    }
}

#[test]
fn a_train_is_found_in_noise_that_is_louder() {
    let clean = recording(Sweep::Falling, RATE_HZ, 4.0, 1_234_567.8);
    // The chirps' effective value is 0.33 of this noise's: -9.6 dB.
    let samples = mixed(clean.iter().map(|sample| 0.35 * sample).collect(), &noise(clean.len()), 0.6);
    assert_found(&samples, 1_234_567.8);
}

#[test]
fn what_comes_first_is_taken_though_its_echo_is_as_loud() {
    for (echo_us, gain) in [(1_300.0, 0.9), (7_000.0, -1.2), (25_000.0, 0.8), (55_000.0, 0.6)] {
        let wanted_us = 400_000.3;
        let echo = recording(Sweep::Falling, RATE_HZ, 3.0, wanted_us + echo_us);
        let both = mixed(recording(Sweep::Falling, RATE_HZ, 3.0, wanted_us), &echo, gain);
        assert_found(&both.iter().map(|sample| 0.5 * sample).collect::<Vec<_>>(), wanted_us);
    }
}

#[test]
fn a_sample_rate_that_is_known_to_be_off_is_borne() {
    for ppm in [-100.0, 100.0] {
        let true_hz = RATE_HZ * (1.0 + ppm * 1e-6);
        let samples = recording(Sweep::Falling, true_hz, 3.0, 900_000.0);
        assert!((at_us(&samples, true_hz, Sweep::Falling) - 900_000.0).abs() < 3.0, "{ppm} ppm");
    }
}

#[test]
fn one_sweep_is_never_taken_for_the_other() {
    let samples = recording(Sweep::Falling, RATE_HZ, 3.0, 400_000.0);
    assert_eq!(find(&samples, RATE_HZ, Sweep::Rising), Err(FindError::Unheard(Sweep::Rising)));
    let both = mixed(recording(Sweep::Rising, RATE_HZ, 3.0, 437_000.25), &samples, 0.12);
    assert!((at_us(&both, RATE_HZ, Sweep::Rising) - 437_000.25).abs() < ERROR_US_MAX);
    assert!((at_us(&both, RATE_HZ, Sweep::Falling) - 400_000.0).abs() < ERROR_US_MAX);
}

#[test]
fn what_says_nothing_is_refused_for_what_it_is() {
    let refusal = |samples: &[f32], rate_hz: f64| find(samples, rate_hz, Sweep::Falling).unwrap_err();
    let good = recording(Sweep::Falling, RATE_HZ, 3.0, 400_000.0);
    assert_eq!(refusal(&vec![0.0; 150_000], RATE_HZ), FindError::TooQuiet);
    assert_eq!(refusal(&good.iter().map(|s| s * 1e-3).collect::<Vec<_>>(), RATE_HZ), FindError::TooQuiet);
    assert_eq!(
        refusal(&good.iter().map(|s| (s * 40.0).clamp(-1.0, 1.0)).collect::<Vec<_>>(), RATE_HZ),
        FindError::Clipped
    );
    assert_eq!(refusal(&good[..80_000], RATE_HZ), FindError::TooShort);
    assert_eq!(refusal(&vec![0.1; 16_000 * 181], 16_000.0), FindError::TooLong);
    assert_eq!(refusal(&good, 8_000.0), FindError::Rate(8_000.0));
    assert_eq!(refusal(&noise(480_000), RATE_HZ), FindError::Unheard(Sweep::Falling));
    assert_eq!(refusal(&vec![f32::NAN; 150_000], RATE_HZ), FindError::TooQuiet);
    // The last chirp is cut off.
    let cut: Vec<f32> = good.iter().enumerate().map(|(n, s)| if n < 85_000 { *s } else { 0.0 }).collect();
    assert_eq!(refusal(&cut, RATE_HZ), FindError::Unheard(Sweep::Falling));
    // The sound stood still for 5 ms amid the train.
    let mut torn = good.clone();
    torn.splice(70_000..70_000, vec![0.0; 240]);
    assert!(matches!(refusal(&torn, RATE_HZ), FindError::Uneven { spread_us: 4_900..=5_100 }));
}

/// What a telephone with a crystal off by `ppm` records of two cars that chirp three times, the measured one from so
/// many periods later on.
fn two_cars(ppm: f64, delay_us: f64, later: u32) -> (Vec<Train>, Vec<Train>) {
    let true_hz = 44_100.0 * (1.0 + ppm * 1e-6);
    let trains = |sweep: Sweep, at_us: f64| {
        let parts = (0..3).map(|n| recording(sweep, true_hz, 17.0, at_us + f64::from(n) * PERIOD_US as f64));
        parts.reduce(|one, other| mixed(one, &other, 1.0)).unwrap()
    };
    let measured_us = 1_000_000.0 + (0.5 + f64::from(later)) * PERIOD_US as f64 + delay_us;
    let samples = mixed(trains(Sweep::Rising, 1_000_000.0), &trains(Sweep::Falling, measured_us), 0.4);
    let found = |sweep| find(&samples, 44_100.0, sweep).unwrap();
    (found(Sweep::Rising), found(Sweep::Falling))
}

#[test]
fn two_cars_are_compared_though_the_recorders_crystal_is_off() {
    for (ppm, delay_us) in [(100.0, 183_456.7), (-100.0, -42_000.2), (100.0, 0.4), (0.0, 1_400_000.0)] {
        let (reference, measured) = two_cars(ppm, delay_us, 0);
        assert_eq!((reference.len(), measured.len()), (3, 3));
        let error_us = difference_us(&reference, &measured).unwrap() - delay_us;
        assert!(error_us.abs() < ERROR_US_MAX, "{ppm} ppm, {delay_us} us: {error_us} us off");
    }
}

#[test]
fn two_cars_are_compared_where_both_chirped_and_nowhere_else() {
    let (reference, measured) = two_cars(50.0, 20_000.0, 1);
    let difference = difference_us(&reference, &measured).unwrap();
    assert!((difference - 20_000.0).abs() < ERROR_US_MAX, "{difference} us");
    assert_eq!(difference_us(&reference[..2], &measured[1..]), Err(CompareError::Apart));
    assert_eq!(difference_us(&reference[..1], &measured), Err(CompareError::Apart));
    let (reference, mut measured) = two_cars(50.0, 20_000.0, 0);
    measured[1].at_us += 3_000.0;
    assert!(matches!(difference_us(&reference, &measured), Err(CompareError::Uneven { .. })));
}
