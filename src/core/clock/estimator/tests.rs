//! Exchanges over links of all kinds, in time that is made up.

use super::*;

/// A small generator of repeatable noise (Knuth's MMIX constants), uniform in 0..1.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
    fn exponential(&mut self, mean_us: f64) -> f64 {
        -mean_us * (1.0 - self.next()).ln()
    }
}

fn truth(mono_us: i64, ppm: f64) -> i64 {
    5_000_000_000 + mono_us + (mono_us as f64 * ppm * 1e-6) as i64
}

/// Probes twice a second over a link with the given least delay and mean queueing each way; returns the worst error
/// after the first 20 s.
fn worst_error_us(seconds: i64, least_us: f64, queue_us: f64, ppm: f64) -> (i64, i64) {
    let mut noise = Noise(42);
    let mut estimator = Estimator::default();
    let (mut worst, mut breaches) = (0, 0);
    for n in 0..seconds * 2 {
        let sent = n * 500_000;
        let arrived = sent + (least_us + noise.exponential(queue_us)) as i64;
        let received = arrived + (least_us + noise.exponential(queue_us)) as i64;
        let at_reference = ConvoyTime(truth(arrived, ppm));
        assert!(estimator.handle_probe(&Probe {
            sent: MonoTime(sent),
            received: MonoTime(received),
            reference_received: at_reference,
            reference_sent: at_reference,
        }));
        let error = (estimator.estimate().unwrap().map.convoy(MonoTime(received)).0 - truth(received, ppm)).abs();
        breaches += i64::from(error > estimator.bound_us(MonoTime(received)).unwrap());
        if n > 40 {
            worst = worst.max(error);
        }
    }
    (worst, breaches)
}

#[test]
fn on_a_lan_the_estimate_stays_within_a_fraction_of_a_millisecond() {
    let (worst, breaches) = worst_error_us(300, 100.0, 80.0, 40.0);
    assert!(worst < 200, "worst error {worst} us");
    assert_eq!(breaches, 0);
}

#[test]
fn on_busy_wifi_queueing_is_filtered_out() {
    let (worst, breaches) = worst_error_us(300, 800.0, 1_500.0, -60.0);
    assert!(worst < 1_000, "worst error {worst} us");
    assert_eq!(breaches, 0);
}

#[test]
fn the_bound_holds_from_the_first_exchange_on_however_bad_the_crystals_and_the_queues_are() {
    for (queue_us, ppm) in [(80.0, 400.0), (2_000.0, -400.0), (2_000.0, 100.0), (8_000.0, 0.0)] {
        let (_, breaches) = worst_error_us(120, 1_500.0, queue_us, ppm);
        assert_eq!(breaches, 0, "queues of {queue_us} us, {ppm} ppm");
    }
}

#[test]
fn an_impossible_exchange_is_ignored() {
    let mut estimator = Estimator::default();
    let backwards = Probe {
        sent: MonoTime(10),
        received: MonoTime(5),
        reference_received: ConvoyTime(0),
        reference_sent: ConvoyTime(0),
    };
    assert!(!estimator.handle_probe(&backwards));
    assert_eq!(estimator.estimate(), None);
}

#[test]
fn a_reference_that_steps_is_followed_after_a_few_exchanges() {
    let mut estimator = Estimator::default();
    let probe = |n: i64, step: i64| Probe {
        sent: MonoTime(n * 500_000),
        received: MonoTime(n * 500_000 + 400),
        reference_received: ConvoyTime(n * 500_000 + 200 + step),
        reference_sent: ConvoyTime(n * 500_000 + 200 + step),
    };
    for n in 0..60 {
        estimator.handle_probe(&probe(n, 0));
    }
    for n in 60..80 {
        estimator.handle_probe(&probe(n, 1_000_000));
    }
    let error = estimator.estimate().unwrap().map.convoy(MonoTime(40_000_000)).0 - 41_000_000;
    assert!(error.abs() < 200, "error {error} us");
}

/// Probes four times a second over busy Wi-Fi, against a clock and a way that change as they are told to: microseconds
/// of each by the second.
fn drive(
    estimator: &mut Estimator,
    seconds: std::ops::Range<i64>,
    offset_us: impl Fn(f64) -> f64,
    longer_us: impl Fn(f64) -> f64,
) -> f64 {
    drive_at(estimator, 250_000, seconds, offset_us, longer_us)
}

/// The same at another pace.
fn drive_at(
    estimator: &mut Estimator,
    pace_us: i64,
    seconds: std::ops::Range<i64>,
    offset_us: impl Fn(f64) -> f64,
    longer_us: impl Fn(f64) -> f64,
) -> f64 {
    let mut noise = Noise(seconds.start as u64 + 7);
    let mut worst_us = 0.0_f64;
    for n in seconds.start * 1_000_000 / pace_us..seconds.end * 1_000_000 / pace_us {
        let sent = n * pace_us;
        let at_s = sent as f64 / 1e6;
        let arrived = sent + (800.0 + longer_us(at_s) + noise.exponential(1_500.0)) as i64;
        let received = arrived + (800.0 + noise.exponential(1_500.0)) as i64;
        let reference = ConvoyTime(arrived + offset_us(arrived as f64 / 1e6).round() as i64);
        let (sent, received) = (MonoTime(sent), MonoTime(received));
        let probe = Probe { sent, received, reference_received: reference, reference_sent: reference };
        assert!(estimator.handle_probe(&probe));
        let Estimate { map, bound_us } = estimator.estimate_at(received).unwrap();
        let error_us = (map.convoy(received).0 - received.0) as f64 - offset_us(received.0 as f64 / 1e6);
        assert!(error_us.abs() <= bound_us as f64, "off by {error_us} us, says {bound_us} us, at {at_s} s");
        worst_us = worst_us.max(error_us.abs());
    }
    worst_us
}

#[test]
fn a_way_that_takes_longer_in_one_direction_from_now_on_does_not_move_convoy_time() {
    let mut estimator = Estimator::default();
    let offset_us = |at_s: f64| 5e6 + 30.0 * at_s;
    let longer_us = |at_s: f64| if at_s >= 200.0 { 8_000.0 } else { 0.0 };
    drive(&mut estimator, 0..120, offset_us, longer_us);
    let worst_us = drive(&mut estimator, 120..600, offset_us, longer_us);
    assert!(worst_us < 250.0, "off by {worst_us} us, where the middle of the exchange is off by 4,000");
}

#[test]
fn who_is_asked_less_from_now_on_has_no_longer_way_for_that() {
    let mut estimator = Estimator::default();
    let offset_us = |at_s: f64| 5e6 + 30.0 * at_s;
    drive_at(&mut estimator, 50_000, 0..120, offset_us, |_| 0.0);
    for minute in 2..10 {
        let seconds = minute * 60..(minute + 1) * 60;
        let worst_us = drive_at(&mut estimator, 2_000_000, seconds.clone(), offset_us, |_| 0.0);
        let bound_us = estimator.bound_us(MonoTime(seconds.end * 1_000_000)).unwrap();
        assert!(worst_us < 50.0, "off by {worst_us} us in minute {minute}");
        assert!(bound_us < 1_300, "{bound_us} us after minute {minute}");
    }
}

#[test]
fn a_crystal_that_warms_is_followed() {
    let mut estimator = Estimator::default();
    // 5 ppm within ten minutes.
    let offset_us = |at_s: f64| 5e6 - 30.0 * at_s + 5.0 / 600.0 * (at_s - 60.0).max(0.0).powi(2) / 2.0;
    drive(&mut estimator, 0..120, offset_us, |_| 0.0);
    let worst_us = drive(&mut estimator, 120..500, offset_us, |_| 0.0);
    assert!(worst_us < 120.0, "off by {worst_us} us");
}

#[test]
fn what_was_learned_in_ten_minutes_is_good_for_an_hour() {
    let mut estimator = Estimator::default();
    drive(&mut estimator, 0..600, |at_s| 5e6 + 37.0 * at_s, |_| 0.0);
    let later = MonoTime(4_200_000_000);
    let Estimate { map, bound_us } = estimator.estimate_at(later).unwrap();
    let error_us = (map.convoy(later).0 - later.0) as f64 - (5e6 + 37.0 * 4_200.0);
    assert!(error_us.abs() < 1_000.0, "off by {error_us} us");
    assert!((10_000..30_000).contains(&bound_us), "crystals wander: {bound_us} us");
}

#[test]
fn what_contradicts_the_estimate_is_in_the_bound_at_once_and_is_asked_after_fast() {
    let mut estimator = Estimator::default();
    drive(&mut estimator, 0..60, |_| 5e6, |_| 0.0);
    let at = MonoTime(60_000_000);
    let reference = ConvoyTime(at.0 + 5_050_000);
    let pace_us = estimator.pace_us();
    estimator.handle_probe(&Probe {
        sent: at - 2_000,
        received: at,
        reference_received: reference,
        reference_sent: reference,
    });
    assert!(estimator.bound_us(at).unwrap() > 48_000);
    assert!(estimator.pace_us() < pace_us);
}

#[test]
fn where_delays_differ_much_is_asked_in_the_first_minutes() {
    let mut estimator = Estimator::default();
    drive(&mut estimator, 0..4, |_| 5e6, |_| 0.0);
    assert_eq!(estimator.pace_us(), PROBE_LEARN_FAST_US);
    drive(&mut estimator, 4..30, |_| 5e6, |_| 0.0);
    assert_eq!(estimator.pace_us(), PROBE_LEARN_US);
    drive(&mut estimator, 30..190, |_| 5e6, |_| 0.0);
    assert_eq!(estimator.pace_us(), PROBE_US);
    let mut on_a_cable = Estimator::default();
    for n in 0..40 {
        let [sent, at, received] = [0, 100, 200].map(|us| n * 250_000 + us);
        let at = ConvoyTime(at);
        let (sent, received) = (MonoTime(sent), MonoTime(received));
        on_a_cable.handle_probe(&Probe { sent, received, reference_received: at, reference_sent: at });
    }
    assert_eq!(on_a_cable.pace_us(), PROBE_US);
}

#[test]
fn the_bound_grows_while_there_is_no_news() {
    let mut estimator = Estimator::default();
    for n in 0..60 {
        let at = ConvoyTime(n * 500_000 + 100);
        estimator.handle_probe(&Probe {
            sent: MonoTime(n * 500_000),
            received: MonoTime(n * 500_000 + 200),
            reference_received: at,
            reference_sent: at,
        });
    }
    let soon = estimator.bound_us(MonoTime(30_000_000)).unwrap();
    let later = estimator.bound_us(MonoTime(3_630_000_000)).unwrap();
    assert!(soon < 1_000 && later > soon + 10_000, "{soon} then {later}");
}
