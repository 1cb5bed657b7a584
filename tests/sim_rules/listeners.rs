//! Who may only listen, and who was put out: nothing that they do counts anywhere, by whatever way they say it.

use crate::road::Road;
use jamz::core::request::Command;
use jamz::core::ticket::Role;
use jamz::sim::{Button, Fault, Leader, rehearse_listeners};

/// Drives of three to six cars with every kind of fault.
const DRIVES: u64 = 60;

/// Cars with tickets; those named may only listen.
fn ticketed(cars: usize, listeners: &[usize]) -> Road {
    let mut road = Road::asleep(cars, true);
    road.world.issue_tickets();
    for car in listeners {
        road.world.seat(*car, Role::Listener);
    }
    for car in 0..cars {
        road.fault(Fault::Start { car, reboot: false });
    }
    road.wait(8);
    road
}

#[test]
fn a_listeners_control_counts_nowhere_whatever_happens_on_the_road() {
    let mut failed = Vec::new();
    for seed in 0..DRIVES {
        let report = rehearse_listeners(seed, false);
        if !report.wrong.is_empty() {
            failed.push(format!("seed {seed}\n  {}", report.wrong.join("\n  ")));
        }
    }
    assert!(failed.is_empty(), "{} of {DRIVES} drives failed\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn a_listener_who_defies_his_role_is_heeded_neither_by_the_server_nor_without_one_and_a_dj_beside_him_is() {
    let mut road = ticketed(4, &[3]);
    for has_server in [true, false] {
        if !has_server {
            road.cut_server(false);
            road.wait(4);
        }
        road.press(1, Button::Do(Command::Take));
        road.wait(1);
        for _ in 0..10 {
            road.world.defy(3);
            road.press(3, Button::Do(Command::Take));
            road.press(3, Button::Add);
            road.wait(1);
        }
        assert_eq!((road.controller(&[0, 1, 2]), road.queues(&[0, 1, 2])), (Some(1), 0), "server: {has_server}");
    }
    road.press(1, Button::Add);
    road.wait(1);
    assert_eq!(road.queues(&[0, 1, 2, 3]), 1);
}

#[test]
fn who_was_put_out_before_the_server_went_finds_no_link_and_no_ear_and_what_he_did_before_stays() {
    let mut road = ticketed(4, &[]);
    road.press(3, Button::Add);
    road.press(3, Button::Do(Command::Take));
    road.wait(1);
    assert_eq!((road.controller(&[0, 1, 2]), road.queues(&[0, 1, 2])), (Some(3), 1));
    // Of the others only one hears of it before the server is gone for all.
    for car in [0, 1, 3] {
        road.fault(Fault::CutServer { car, silently: false });
    }
    road.wait(1);
    road.world.put_out(3);
    road.wait(1);
    road.cut_server(false);
    road.wait(10);
    assert_eq!(road.world.links(3), 0);
    assert!(matches!(road.leader(&[0, 1, 2]), Some(Leader::Car(0..=2))));
    for _ in 0..5 {
        road.press(3, Button::Add);
        road.world.defy(3);
        road.wait(1);
    }
    road.press(0, Button::Do(Command::Take));
    road.wait(1);
    assert_eq!((road.controller(&[0, 1, 2]), road.queues(&[0, 1, 2])), (Some(0), 1));
    road.heal_server();
    road.wait(15);
    assert_eq!((road.controller(&[0, 1, 2]), road.queues(&[0, 1, 2])), (Some(0), 1));
}
