//! Chirps leave the card when they were told to, whatever its crystal, its delay and its rate of frames.

use crate::virtual_car::{MONO_US, VirtualCar};
use jamz::core::chirp::{Sweep, find};
use jamz::core::clock::MonoTime;

#[test]
fn chirps_leave_the_card_at_their_instant_whatever_its_crystal_and_delay() {
    for (ppm, delay_us) in [(0.0, 0), (120.0, 180_000), (-120.0, -40_000)] {
        let mut car = VirtualCar::new(ppm);
        car.pacer.delay_us = delay_us;
        car.pacer.chirps.begin(MonoTime(MONO_US + 600_007), Sweep::Falling);
        let samples: Vec<f32> = car.render(3.0).iter().map(|[left, _]| *left).collect();
        let found = find(&samples, 1e6 / car.line.us_per_frame, Sweep::Falling).unwrap();
        assert_eq!(found.len(), 1);
        assert!((found[0].at_us - 600_007.0).abs() < 2.0, "{ppm} ppm, {delay_us} us: {} us", found[0].at_us);
    }
}

#[test]
fn chirps_are_as_loud_as_music_and_end() {
    let mut car = VirtualCar::new(0.0);
    car.pacer.set_volume(0.5);
    car.pacer.chirps.begin(MonoTime(MONO_US + 100_000), Sweep::Rising);
    let loudest = car.render(2.0).iter().flatten().fold(0.0_f32, |most, sample| most.max(sample.abs()));
    assert!((loudest - 0.5 * 0.125).abs() < 0.01, "{loudest}");
    assert!(car.render(3.0).iter().flatten().all(|sample| *sample == 0.0));
}
