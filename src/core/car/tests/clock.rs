//! How far a car says its clock is off, and what it makes of a server that keeps another time.

use super::*;

/// A server that was in reach, is not, and comes back with a clock that is so much further ahead; music plays or not.
fn met_again(ahead_us: i64, further_us: i64, plays: bool) -> Bench {
    let mut bench = Bench::new(in_convoy());
    bench.join(Snapshot::default(), ahead_us);
    bench.wait(2 * SECOND);
    if plays {
        bench.add(&[track("song", 600)]);
        bench.command(Command::Play { entry: None });
        bench.ack_all(&Verdict::Applied);
    }
    bench.server(ServerEvent::Down { reason: "gone".into() });
    bench.wait(20 * SECOND);
    bench.join(bench.car.state().clone(), ahead_us + further_us);
    bench
}

fn error_us(bench: &Bench, ahead_us: i64) -> i64 {
    (bench.car.convoy_time(bench.now).unwrap().0 - bench.now.0 - ahead_us).abs()
}

#[test]
fn while_a_clock_is_bent_to_the_estimate_its_bound_has_what_is_left() {
    let bench = met_again(5_000_000, 12_000, true);
    let bound_us = bench.car.clock_bound(bench.now).unwrap();
    let error_us = error_us(&bench, 5_012_000);
    assert!(error_us > 10_000 && error_us <= bound_us && bound_us < 16_000, "off by {error_us} us, says {bound_us} us");
}

#[test]
fn until_a_server_that_comes_back_has_answered_the_bound_is_what_it_was() {
    let mut bench = Bench::new(in_convoy());
    bench.join(Snapshot::default(), 5_000_000);
    bench.server(ServerEvent::Down { reason: "gone".into() });
    bench.wait(20 * SECOND);
    let before_us = bench.car.clock_bound(bench.now).unwrap();
    bench.server(ServerEvent::Up { dialect: Dialect::Jamz, challenge: None });
    let after_us = bench.car.clock_bound(bench.now).unwrap();
    assert!(before_us > 500 && (after_us - before_us).abs() < 50, "{before_us} us, then {after_us} us");
}

#[test]
fn while_nothing_plays_a_clock_is_set_at_once_to_what_is_known() {
    let bench = met_again(5_000_000, 12_000, false);
    let error_us = error_us(&bench, 5_012_000);
    assert!(error_us < 1_000, "off by {error_us} us");
}

#[test]
fn a_server_that_comes_back_with_another_time_is_not_mixed_with_what_it_was() {
    let mut bench = met_again(5_000_000, 12_000, true);
    for _ in 0..240 {
        bench.probe(5_012_000);
        bench.wait(SECOND / 2);
    }
    assert!(error_us(&bench, 5_012_000) < 200, "off by {} us", error_us(&bench, 5_012_000));
    assert!(bench.car.clock_bound(bench.now).unwrap() < 2_000);
}

#[test]
fn a_car_tells_a_server_that_has_lost_its_clock_the_time_at_which_that_hears_it() {
    let mut bench = Bench::new(in_convoy());
    bench.join(Snapshot::default(), 5_000_000);
    bench.server(ServerEvent::Down { reason: "gone".into() });
    bench.seen.clear();
    bench.server(ServerEvent::Up { dialect: Dialect::Jamz, challenge: None });
    let now = bench.car.convoy_time(bench.now).unwrap();
    let claims: Vec<i64> = bench
        .sent()
        .iter()
        .filter_map(|command| if let ServerCommand::Join { claim, .. } = command { claim.as_ref() } else { None })
        .map(|claim| claim.convoy - now)
        .collect();
    assert_eq!(claims, [500], "half of the round trip of a millisecond");
}

#[test]
fn over_a_satellite_a_control_has_a_second_to_arrive() {
    let mut bench = Bench::new(Start { satellite: true, ..in_convoy() });
    bench.join(Snapshot::default(), 0);
    assert_eq!(bench.status().lead_us, 1_000_000);
    bench.server(ServerEvent::Down { reason: "gone".into() });
    assert_eq!(bench.status().lead_us, LEAD_MIN_US);
}

#[test]
fn a_server_that_stands_still_is_not_asked_as_fast_as_one_of_which_much_is_to_be_learned() {
    let mut bench = Bench::new(in_convoy());
    bench.join(Snapshot::default(), 5_000_000);
    let mut asked_in = |wait_us| {
        bench.seen.clear();
        bench.wait(wait_us);
        bench.probes_sent()
    };
    let [at_first, _, then] = [SECOND, SECOND, 10 * SECOND].map(&mut asked_in);
    assert!(at_first > 20, "{at_first} questions in the first second");
    assert!((38..=42).contains(&then), "{then} questions in ten seconds, after the second one");
}
