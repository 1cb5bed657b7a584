//! Who leads and who controls, when servers, hubs and links come and go.

use crate::road::Road;
use jamz::core::request::Command;
use jamz::core::status::ActiveSync;
use jamz::sim::{Button, Fault, Leader};

#[test]
fn with_a_server_it_leads_and_the_mesh_is_warm_with_links_to_hub_and_standby_only() {
    let mut road = Road::new(6, true);
    road.wait(20);
    assert_eq!(road.leader(&[0, 1, 2, 3, 4, 5]), Some(Leader::Server));
    assert_eq!(road.tier(0), ActiveSync::Socket);
    let links: usize = (0..6).map(|car| road.world.links(car)).sum::<usize>() / 2;
    assert!((5..=9).contains(&links), "{links} links; n - 1 to the hub, n - 2 more to the standby, no more");
}

#[test]
fn when_the_server_goes_the_djs_car_leads_within_a_second() {
    let mut road = Road::new(4, true);
    road.press(1, Button::Do(Command::Take));
    road.wait(3);
    road.cut_server(false);
    road.wait(1);
    assert_eq!(road.leader(&[0, 1, 2, 3]), Some(Leader::Car(1)));
    assert_eq!((road.controller(&[0, 1, 2, 3]), road.tier(0)), (Some(1), ActiveSync::Webrtc));
}

#[test]
fn when_the_server_falls_silent_a_control_given_at_once_reaches_all_before_anyone_has_noticed() {
    let mut road = Road::new(5, true);
    road.press(2, Button::Do(Command::Take));
    road.wait(2);
    road.cut_server(true);
    road.press(2, Button::Add);
    road.press(0, Button::Add);
    road.wait(1);
    assert_eq!(road.queues(&[0, 1, 2, 3, 4]), 2);
    road.wait(4);
    assert!(matches!(road.leader(&[0, 1, 2, 3, 4]), Some(Leader::Car(_))), "whoever notices first");
    assert_eq!(road.controller(&[0, 1, 2, 3, 4]), Some(2));
}

#[test]
fn when_the_server_is_back_it_leads_and_knows_what_was_done_without_it() {
    let mut road = Road::new(3, true);
    road.cut_server(false);
    road.wait(3);
    road.press(0, Button::Add);
    road.press(1, Button::Add);
    road.wait(1);
    road.heal_server();
    road.wait(8);
    assert_eq!(road.leader(&[0, 1, 2]), Some(Leader::Server));
    road.press(2, Button::Add);
    road.wait(1);
    assert_eq!(road.queues(&[0, 1, 2]), 3);
    assert_eq!(road.tier(1), ActiveSync::Socket);
}

#[test]
fn a_hub_that_dies_is_followed_by_the_standby_and_takes_its_place_again_by_no_means() {
    let mut road = Road::new(4, false);
    let Some(Leader::Car(hub)) = road.leader(&[0, 1, 2, 3]) else { panic!("nobody leads") };
    road.fault(Fault::Crash { car: hub });
    road.wait(3);
    let others: Vec<usize> = (0..4).filter(|car| *car != hub).collect();
    let Some(Leader::Car(heir)) = road.leader(&others) else { panic!("nobody leads") };
    assert_ne!(heir, hub);
    road.fault(Fault::Start { car: hub, reboot: false });
    road.wait(10);
    assert_eq!(road.leader(&[0, 1, 2, 3]), Some(Leader::Car(heir)), "a lone car does not unseat a convoy");
}

#[test]
fn while_the_dj_is_away_the_leader_takes_control_and_keeps_it_until_the_dj_takes_it_back() {
    let mut road = Road::new(3, false);
    road.press(0, Button::Do(Command::Take));
    road.wait(1);
    assert_eq!(road.controller(&[0, 1, 2]), Some(0));
    road.fault(Fault::Split { groups: vec![0, 1, 1] });
    road.wait(4);
    let Some(Leader::Car(leader)) = road.leader(&[1, 2]) else { panic!("nobody leads") };
    assert_eq!(road.controller(&[1, 2]), Some(leader));
    road.fault(Fault::HealLan);
    road.wait(10);
    assert_eq!(road.controller(&[0, 1, 2]), Some(leader));
    road.press(0, Button::Do(Command::Take));
    road.wait(1);
    assert_eq!(road.controller(&[0, 1, 2]), Some(0));
}

#[test]
fn control_passes_between_willing_people_and_the_hub_stays_where_it_is() {
    let mut road = Road::new(3, false);
    let leader = road.leader(&[0, 1, 2]);
    for car in [0, 1, 2] {
        road.press(car, Button::Do(Command::Take));
        road.wait(1);
        assert_eq!(road.controller(&[0, 1, 2]), Some(car));
        assert_eq!(road.leader(&[0, 1, 2]), leader);
    }
    road.press(2, Button::Do(Command::Release));
    road.wait(1);
    assert_eq!(road.controller(&[0, 1, 2]), None);
}

#[test]
fn a_component_that_splits_has_two_leaders_and_one_again_when_it_is_whole_with_what_both_added() {
    let mut road = Road::new(5, false);
    road.fault(Fault::Split { groups: vec![0, 0, 1, 1, 1] });
    road.wait(4);
    assert!(matches!(road.leader(&[0, 1]), Some(Leader::Car(0 | 1))));
    assert!(matches!(road.leader(&[2, 3, 4]), Some(Leader::Car(2..=4))));
    road.press(0, Button::Add);
    road.press(3, Button::Add);
    road.wait(1);
    road.fault(Fault::HealLan);
    road.wait(10);
    assert!(matches!(road.leader(&[0, 1, 2, 3, 4]), Some(Leader::Car(_))));
    assert_eq!(road.queues(&[0, 1, 2, 3, 4]), 2);
}

#[test]
fn a_hub_that_does_not_hear_a_member_loses_it_and_the_member_is_relayed() {
    let mut road = Road::new(3, false);
    let Some(Leader::Car(hub)) = road.leader(&[0, 1, 2]) else { panic!("nobody leads") };
    let member = (hub + 1) % 3;
    road.fault(Fault::Deafen { from: member, to: hub });
    road.wait(6);
    assert_eq!(road.leader(&[0, 1, 2]), Some(Leader::Car(hub)));
    road.press(member, Button::Add);
    road.wait(1);
    assert_eq!(road.queues(&[0, 1, 2]), 1);
}

#[test]
fn a_change_outlives_its_author() {
    let mut road = Road::new(3, true);
    road.cut_server(false);
    road.wait(2);
    road.press(0, Button::Add);
    road.wait(1);
    road.fault(Fault::Crash { car: 0 });
    for car in [1, 2] {
        road.fault(Fault::HealServer { car });
    }
    road.wait(8);
    assert_eq!(road.leader(&[1, 2]), Some(Leader::Server));
    assert_eq!(road.queues(&[1, 2]), 1);
}

#[test]
fn a_car_that_is_alone_is_offline_and_counts_its_own() {
    let mut road = Road::new(2, true);
    road.cut_server(false);
    road.fault(Fault::Split { groups: vec![0, 1] });
    road.wait(4);
    assert_eq!((road.tier(0), road.world.leader(0)), (ActiveSync::Offline, Leader::Car(0)));
    road.press(0, Button::Add);
    road.wait(1);
    assert_eq!(road.world.titles(0).len(), 1);
    road.fault(Fault::HealLan);
    road.wait(10);
    assert_eq!((road.queues(&[0, 1]), road.tier(0)), (1, ActiveSync::Webrtc));
}

#[test]
fn one_car_with_the_server_is_the_way_to_it_for_all() {
    let mut road = Road::new(4, true);
    for car in 0..3 {
        road.fault(Fault::CutServer { car, silently: false });
    }
    road.wait(2);
    assert_eq!(road.leader(&[0, 1, 2, 3]), Some(Leader::Server));
    assert_eq!((road.tier(0), road.tier(3)), (ActiveSync::Webrtc, ActiveSync::Socket));
    road.press(0, Button::Add);
    road.wait(1);
    assert_eq!(road.queues(&[0, 1, 2, 3]), 1);
}

#[test]
fn two_convoys_founded_alone_become_one_in_the_leaders_time() {
    let mut road = Road::new(4, false);
    road.fault(Fault::Split { groups: vec![0, 0, 1, 1] });
    road.wait(3);
    for car in 0..4 {
        road.fault(Fault::Crash { car });
        road.fault(Fault::Start { car, reboot: true });
    }
    road.wait(6);
    road.press(0, Button::Add);
    road.press(2, Button::Add);
    road.wait(1);
    road.fault(Fault::HealLan);
    road.wait(12);
    assert_eq!(road.queues(&[0, 1, 2, 3]), 2);
    let times: Vec<i64> = (0..4).map(|car| road.world.status(car).unwrap().clock.convoy_us.unwrap()).collect();
    let apart_us = times.iter().max().unwrap() - times.iter().min().unwrap();
    assert!(apart_us < 20_000, "{times:?}");
}
