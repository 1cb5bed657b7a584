//! How many links a convoy makes, what making them costs, and that it comes to rest: shown on a road that the
//! simulator imagines.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at what it did not expect")]

use jamz::core::id::ConvoyId;
use jamz::sim::{Fault, Leader, SECOND, Step, Terms, World};

/// The simulator's own bound of what a car may send in a second.
const MESSAGES_PER_SECOND: u64 = 400;
/// Cars in different air, found by each other in different order.
const SEEDS: [u64; 3] = [7, 8, 9];

fn road(cars: usize, has_server: bool, seed: u64) -> World {
    World::new(Terms { cars, has_server, seed }, ConvoyId::new("road").unwrap(), false)
}

fn start(world: &mut World, cars: std::ops::Range<usize>) {
    for car in cars {
        world.take(&Step::Fault(Fault::Start { car, reboot: false }));
    }
}

fn links(world: &World, cars: usize) -> usize {
    (0..cars).map(|car| world.links(car)).sum::<usize>() / 2
}

fn is_led_by_one(world: &World, cars: usize) -> bool {
    let leader = world.leader(0);
    matches!(leader, Leader::Car(_)) && (1..cars).all(|car| world.leader(car) == leader)
}

/// Switches so many cars on together, and looks at them for 20 s.
fn found(cars: usize, seed: u64) {
    let mut world = road(cars, false, seed);
    start(&mut world, 0..cars);
    let (mut agreed, mut most, mut loudest, mut sent) = (None, 0, 0, 0);
    for tick in 1..=400 {
        let at = tick * SECOND / 20;
        world.run_until(at);
        most = most.max(links(&world, cars));
        agreed = if is_led_by_one(&world, cars) { agreed.or(Some(at)) } else { None };
        if at % SECOND == 0 {
            let now = world.traffic().0;
            loudest = loudest.max(now - sent);
            sent = now;
        }
    }
    let left = links(&world, cars);
    let report = format!(
        "seed {seed}: {cars} cars have one leader after {agreed:?} us, {most} links at most and {left} in the end, and \
         send {loudest} messages in their loudest second"
    );
    println!("{report}");
    assert!(agreed.is_some_and(|at| at <= 5 * SECOND / 2), "{report}");
    assert!(most <= 4 * cars, "{report}");
    assert!(left <= 2 * cars, "{report}");
    assert!(loudest <= MESSAGES_PER_SECOND * cars as u64, "{report}");
}

#[test]
fn cars_that_are_switched_on_together_find_one_hub_without_a_full_mesh_and_without_a_storm() {
    for seed in SEEDS {
        for cars in [8, 16, 32] {
            found(cars, seed);
        }
    }
}

/// Links that open within ten minutes of calm.
fn unrest(mut world: World, cars: usize) -> u64 {
    world.put_on_battery(cars - 1);
    start(&mut world, 0..cars);
    world.run_until(40 * SECOND);
    let before = world.opened();
    world.run_until(640 * SECOND);
    world.opened() - before
}

#[test]
fn a_car_on_a_battery_is_linked_with_once_and_left_alone() {
    for seed in SEEDS {
        for has_server in [false, true] {
            assert_eq!(unrest(road(5, has_server, seed), 5), 0, "seed {seed}, server {has_server}");
        }
    }
}

/// Messages over links, and signals by the server, within ten minutes after five of settling.
fn cost(mut world: World, cars: std::ops::Range<usize>) -> (u64, u64) {
    start(&mut world, cars);
    world.run_until(300 * SECOND);
    let (sent, signals) = world.traffic();
    world.run_until(900 * SECOND);
    let after = world.traffic();
    (after.0 - sent, after.1 - signals)
}

#[test]
fn a_member_that_no_link_reaches_costs_the_others_next_to_nothing() {
    for (cars, has_server) in [(8, false), (8, true), (32, false)] {
        let mut world = road(cars, has_server, 7);
        world.put_behind_firewall(0);
        let (with, _) = cost(world, 0..cars);
        let (without, _) = cost(road(cars, has_server, 7), 1..cars);
        assert!(with <= without + without / 20, "{cars} cars, server {has_server}: {with} messages, not {without}");
    }
}

#[test]
fn cars_that_cannot_reach_each_other_hardly_try_over_mobile_data() {
    for cars in [5, 10, 20] {
        let mut world = road(cars, true, 7);
        for car in 0..cars {
            world.put_behind_firewall(car);
            world.take_off_network(car);
        }
        let (_, signals) = cost(world, 0..cars);
        let pairs = (cars * (cars - 1) / 2) as u64;
        assert!(signals <= 4 * pairs, "{cars} cars: {signals} signals of {pairs} pairs in ten minutes");
    }
}

#[test]
fn a_member_that_a_link_reaches_again_is_linked_with_soon_after_it_comes_back() {
    let mut world = road(3, false, 7);
    start(&mut world, 0..3);
    world.run_until(10 * SECOND);
    world.take(&Step::Fault(Fault::Split { groups: vec![0, 1, 1] }));
    world.run_until(600 * SECOND);
    assert_eq!(world.links(0), 0);
    world.take(&Step::Fault(Fault::HealLan));
    world.run_until(603 * SECOND);
    assert!(is_led_by_one(&world, 3));
}
