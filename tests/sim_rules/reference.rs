//! From whom a car has the server's time: over a crooked way it is wrong by half of what one direction takes longer.

use crate::road::Road;
use jamz::sim::Fault;

const CARS: usize = 3;
const LONGER_US: i64 = 40_000;

/// Three cars that hear those of their own group; one has a way to the server that takes longer there than back.
fn crooked(groups: [usize; CARS], car: usize) -> Road {
    let mut road = Road::asleep(CARS, true);
    road.world.take_detour(car, LONGER_US);
    road.fault(Fault::Split { groups: groups.to_vec() });
    for car in 0..CARS {
        road.fault(Fault::Start { car, reboot: false });
    }
    road
}

fn time_us(road: &Road, car: usize) -> i64 {
    road.world.status(car).unwrap().clock.convoy_us.unwrap()
}

/// Convoy time as each has it, less that of the first, in microseconds.
fn offsets_us(road: &Road) -> Vec<i64> {
    let times: Vec<i64> = (0..CARS).map(|car| time_us(road, car)).collect();
    times.iter().map(|time| time - times[0]).collect()
}

fn bound_us(road: &Road, car: usize) -> i64 {
    road.world.status(car).unwrap().clock.bound_us.unwrap()
}

/// Through how many cars each has its time.
fn steps(road: &Road) -> Vec<usize> {
    (0..CARS).map(|car| road.world.status(car).unwrap().clock.through.len()).collect()
}

#[test]
fn who_has_neighbours_with_a_better_way_to_the_server_has_its_time_from_them() {
    for car in 0..CARS {
        let mut road = crooked([0; CARS], car);
        road.wait(10);
        for second in 10..130 {
            road.wait(1);
            let (off_us, steps) = (offsets_us(&road), steps(&road));
            let is_near = off_us.iter().all(|off_us| off_us.abs() < 1_500);
            assert!(is_near, "car {car} has the detour, at {second} s cars are off the first by {off_us:?} us");
            assert!(steps[car] > 0 && bound_us(&road, car) < LONGER_US / 2, "car {car}, {second} s: {steps:?}");
        }
    }
}

#[test]
fn who_has_none_is_off_by_half_of_the_detour_and_says_that_it_may_be() {
    for car in 0..CARS {
        let mut road = crooked([0, 1, 2], car);
        road.wait(30);
        let other = (car + 1) % CARS;
        let off_us = offsets_us(&road);
        let apart_us = (off_us[car] - off_us[other]).abs();
        assert!((apart_us - LONGER_US / 2).abs() < 2_000, "{off_us:?}");
        assert!(apart_us <= bound_us(&road, car) + bound_us(&road, other), "{off_us:?}");
        assert_eq!(steps(&road), [0; CARS]);
    }
}

#[test]
fn who_had_its_time_from_neighbours_that_are_gone_goes_on_by_what_it_had_from_them() {
    let mut road = crooked([0; CARS], 2);
    road.wait(20);
    assert!(steps(&road)[2] > 0);
    for car in 0..2 {
        road.fault(Fault::CutServer { car, silently: false });
    }
    road.wait(4);
    assert_eq!(steps(&road), [0; CARS], "without a server nobody is asked for its time");
    for car in 0..2 {
        road.fault(Fault::HealServer { car });
    }
    road.wait(10);
    assert!(offsets_us(&road).iter().all(|off_us| off_us.abs() < 1_500), "{:?}", offsets_us(&road));
    let before_us = time_us(&road, 2) - road.now;
    road.fault(Fault::Split { groups: vec![0, 0, 1] });
    road.wait(60);
    assert_eq!(steps(&road)[2], 0);
    let (off_us, bound_us) = (time_us(&road, 2) - road.now - before_us, bound_us(&road, 2));
    assert!(off_us.abs() < 1_000, "its clock has moved by {off_us} us");
    assert!((1_000..LONGER_US / 2).contains(&bound_us), "it says {bound_us} us");
}

#[test]
fn questions_for_the_time_hurry_nobody() {
    for car in 0..CARS {
        let mut road = crooked([0; CARS], car);
        road.wait(30);
        let before = road.world.traffic().0;
        road.wait(60);
        let messages = road.world.traffic().0 - before;
        // Twice a second with answers over the link that is followed, and every 5 s from each side over the others.
        let expected = 60 * 4 + 2 * 2 * (60 / 5 * 2);
        assert!(messages < expected * 5 / 4, "car {car}: {messages} messages, where {expected} are expected");
    }
}
