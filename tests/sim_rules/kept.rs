//! Nothing that anyone did is lost: alone for days, thousands of changes, buttons pressed twice.

use crate::road::Road;
use jamz::core::request::Command;
use jamz::sim::{Button, Fault};

const DAY: i64 = 24 * 3_600;

/// A car was alone for longer than a day, and then a second one is switched on.
fn after_a_day_alone(has_server: bool) -> Road {
    let mut road = Road::asleep(2, has_server);
    road.cut_server(false);
    road.fault(Fault::Start { car: 0, reboot: false });
    road.wait(DAY + 7_200);
    road.press(0, Button::Add);
    road.wait(1);
    road.fault(Fault::Start { car: 1, reboot: false });
    road
}

#[test]
fn a_car_that_was_alone_for_more_than_a_day_is_heard_in_a_younger_convoy() {
    let mut road = after_a_day_alone(false);
    road.wait(20);
    assert_eq!(road.queues(&[0, 1]), 1);
    road.press(0, Button::Add);
    road.press(0, Button::Do(Command::Take));
    road.wait(5);
    assert_eq!((road.queues(&[0, 1]), road.controller(&[0, 1])), (2, Some(0)));
    road.press(1, Button::Do(Command::Take));
    road.wait(5);
    assert_eq!(road.controller(&[0, 1]), Some(1));
}

#[test]
fn a_car_that_was_alone_for_more_than_a_day_is_heard_by_the_server() {
    let mut road = after_a_day_alone(true);
    road.heal_server();
    road.wait(20);
    assert_eq!((road.queues(&[0, 1]), road.pending(0)), (1, 0));
    road.press(0, Button::Add);
    road.wait(5);
    assert_eq!((road.queues(&[0, 1]), road.pending(0)), (2, 0));
}

/// Adds 5,000 tracks in a convoy of two without the server.
fn five_thousand_offline() -> Road {
    let mut road = Road::new(2, true);
    road.cut_server(false);
    road.wait(4);
    for _ in 0..250 {
        for _ in 0..20 {
            road.press(0, Button::Add);
        }
        road.wait_us(30_000);
    }
    road.wait(10);
    assert_eq!((road.queues(&[0, 1]), road.pending(0)), (5_000, 0));
    road
}

#[test]
fn thousands_of_additions_made_without_the_server_are_there_when_it_is_back() {
    let mut road = five_thousand_offline();
    road.heal_server();
    road.wait(40);
    assert_eq!(road.queues(&[0, 1]), 5_000);
}

#[test]
fn thousands_of_additions_made_without_the_server_outlive_the_cars_too() {
    let mut road = five_thousand_offline();
    for car in 0..2 {
        road.fault(Fault::Crash { car });
    }
    road.heal_server();
    road.fault(Fault::Start { car: 0, reboot: true });
    road.wait(40);
    road.fault(Fault::Crash { car: 0 });
    road.fault(Fault::Start { car: 1, reboot: true });
    road.wait(5);
    // The server has them from the one, and the other has them from the server.
    assert_eq!(road.queues(&[1]), 5_000);
}

#[test]
fn a_button_pressed_twice_leaves_all_with_the_same_versions() {
    let mut road = Road::new(3, true);
    road.press(0, Button::Add);
    road.press(0, Button::Add);
    road.wait(2);
    road.press(0, Button::RemoveFirst);
    road.press(0, Button::RemoveFirst);
    road.wait(2);
    let known = |car: usize| road.world.status(car).unwrap().changes.applied;
    assert_eq!((known(0), known(1), known(2)), (4, 4, 4));
    assert_eq!(road.queues(&[0, 1, 2]), 1);
}
