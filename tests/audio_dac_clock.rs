//! When frames reach the converter, learned from cards that are coarse, noisy, wrong, and that stop and start.
#![allow(unreachable_pub, reason = "support files serve several tests")]

use jamz::audio::pace::{DacClock, Observation};

const RATE_HZ: f64 = 48_000.0;

/// A card: its crystal's error, its pointer's grain, the noise of its thread.
struct FakeCard {
    ppm: f64,
    grain: u64,
    period: u64,
    /// When its first frame was heard.
    start_us: f64,
    random: u64,
}

impl FakeCard {
    fn new(ppm: f64, grain: u64, period: u64) -> Self {
        Self { ppm, grain, period, start_us: 3e6, random: 0x9e37_79b9_7f4a_7c15 }
    }

    fn true_us(&self, frame: u64) -> f64 {
        self.start_us + frame as f64 * 1e6 / (RATE_HZ * (1.0 + self.ppm * 1e-6))
    }

    fn chance(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Lets `clock` see the card asking for the period that begins at `frame`, in good time.
    fn observe(&mut self, clock: &mut DacClock, epoch: u32, frame: u64, buffers: u32) {
        let wake_us = 20.0 + 80.0 * self.chance().powi(2);
        let held_up_us = if self.chance() < 0.02 { 8_000.0 * self.chance() } else { 0.0 };
        let asked_us = self.true_us(frame) - 2.0 * self.period as f64 * 1e6 / RATE_HZ + wake_us;
        let hw = ((asked_us - self.start_us) * 1e-6 * RATE_HZ * (1.0 + self.ppm * 1e-6)).max(0.0) as u64;
        let delay = frame - (hw - hw % self.grain).min(frame);
        let at_us = asked_us + held_up_us + delay as f64 * 1e6 / RATE_HZ;
        clock.observe(Observation { epoch, buffers, frame, at_us: at_us as i64 });
    }

    /// The clock's error, in microseconds, at a frame.
    fn error_us(&self, clock: &DacClock, frame: u64) -> f64 {
        clock.line().unwrap().at_us(frame) - self.true_us(frame)
    }

    fn run(&mut self, clock: &mut DacClock, epoch: u32, frames: std::ops::Range<u64>) -> f64 {
        let mut worst = 0.0_f64;
        for (buffers, frame) in frames.clone().step_by(self.period as usize).enumerate() {
            self.observe(clock, epoch, frame, buffers as u32);
            if frame > frames.start + 10 * 48_000 {
                worst = worst.max(self.error_us(clock, frame + 4_000).abs());
            }
        }
        worst
    }
}

#[test]
fn a_precise_card_is_known_to_some_microseconds_over_all_crystals() {
    for ppm in [-200.0, -35.0, 0.0, 40.0, 200.0] {
        for period in [480, 960, 1_024] {
            let mut card = FakeCard::new(ppm, 1, period);
            let mut clock = DacClock::new(48_000, 0.0);
            let worst = card.run(&mut clock, 0, 0..60 * 48_000);
            println!("{ppm} ppm, periods of {period}: {worst:.0} us, rate {:.2} ppm", -clock.rate() * 1e6);
            assert!(worst < 80.0, "{ppm} ppm, periods of {period}: {worst} us");
            assert!((clock.rate() * 1e6 + ppm).abs() < 2.0, "{ppm}: {}", clock.rate() * 1e6);
        }
    }
}

#[test]
fn a_pointer_that_moves_every_ten_milliseconds_is_seen_through() {
    for (ppm, period) in [(40.0, 1_024), (-90.0, 256), (15.0, 700)] {
        let mut card = FakeCard::new(ppm, 480, period);
        let mut clock = DacClock::new(48_000, 0.0);
        let worst = card.run(&mut clock, 0, 0..90 * 48_000);
        println!("{ppm} ppm, periods of {period}: {worst:.0} us");
        assert!(worst < 700.0, "{ppm} ppm, periods of {period}: {worst} us");
    }
}

#[test]
fn a_new_card_is_believed_within_a_quarter_of_a_second() {
    let mut card = FakeCard::new(60.0, 1, 960);
    let mut clock = DacClock::new(48_000, 0.0);
    assert_eq!(clock.line(), None);
    card.run(&mut clock, 0, 0..12_000);
    assert!(card.error_us(&clock, 16_000).abs() < 100.0);
}

#[test]
fn after_a_restart_the_rate_is_remembered_and_the_place_learned_anew() {
    let mut card = FakeCard::new(120.0, 1, 960);
    let mut clock = DacClock::new(48_000, 0.0);
    card.run(&mut clock, 0, 0..40 * 48_000);
    let before = clock.line().unwrap();
    card.start_us += 23_456.0;
    let again = 40 * 48_000;
    card.run(&mut clock, 1, again..again + 5 * 960);
    assert_ne!(clock.line().unwrap().epoch, before.epoch);
    assert!(card.error_us(&clock, again + 8_000).abs() < 150.0);
    assert!((clock.rate() * 1e6 + 120.0).abs() < 2.0);
}

#[test]
fn a_card_that_jumps_without_a_word_is_found_out() {
    for jump_us in [15_000.0, -15_000.0] {
        let mut card = FakeCard::new(-20.0, 1, 960);
        let mut clock = DacClock::new(48_000, 0.0);
        card.run(&mut clock, 0, 0..20 * 48_000);
        let before = clock.line().unwrap();
        card.start_us += jump_us;
        for frame in (20 * 48_000..23 * 48_000).step_by(960) {
            card.observe(&mut clock, 0, frame, 1_000);
        }
        assert_ne!(clock.line().unwrap().epoch, before.epoch);
        assert!(card.error_us(&clock, 24 * 48_000).abs() < 150.0);
    }
}

#[test]
fn one_impossible_report_is_ignored() {
    let mut card = FakeCard::new(10.0, 1, 960);
    let mut clock = DacClock::new(48_000, 0.0);
    card.run(&mut clock, 0, 0..20 * 48_000);
    let at_us = card.true_us(960_000) as i64 - 40_000;
    clock.observe(Observation { epoch: 0, buffers: 1_000, frame: 960_000, at_us });
    card.observe(&mut clock, 0, 960_960, 1_001);
    for frame in (961_920..980_000).step_by(960) {
        card.observe(&mut clock, 0, frame, 1_002);
    }
    assert!(card.error_us(&clock, 990_000).abs() < 100.0);
}
