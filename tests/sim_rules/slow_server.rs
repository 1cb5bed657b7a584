//! A server that is slow, or just back.

use crate::road::Road;
use jamz::core::request::Command;
use jamz::core::status::ActiveSync;
use jamz::sim::{Button, Fault, Leader, SECOND};

#[test]
fn a_dj_who_is_reached_by_a_slow_server_only_stays_the_dj() {
    let mut road = Road::apart(&[0, 1, 1], true);
    road.press(0, Button::Do(Command::Take));
    road.wait(2);
    for one_way_us in [200_000, 450_000] {
        road.fault(Fault::SlowServer { one_way_us });
        road.wait(6);
        assert_eq!(road.controller(&[0, 1, 2]), Some(0), "while an answer takes {} us", 2 * one_way_us);
        road.fault(Fault::SlowServer { one_way_us: 12_000 });
        road.wait(10);
        assert_eq!((road.controller(&[0, 1, 2]), road.leader(&[0, 1, 2])), (Some(0), Some(Leader::Server)));
    }
}

#[test]
fn a_car_whose_server_is_back_is_not_in_mesh_mode_for_the_members_that_it_names() {
    let mut road = Road::apart(&[0, 1], true);
    road.fault(Fault::CutServer { car: 0, silently: false });
    road.wait(4);
    assert_eq!(road.tier(0), ActiveSync::Offline);
    road.fault(Fault::HealServer { car: 0 });
    let mut seen = Vec::new();
    for _ in 0..120 {
        road.wait_us(SECOND / 20);
        seen.push(road.tier(0));
    }
    seen.dedup();
    assert_eq!(seen, [ActiveSync::Offline, ActiveSync::Socket]);
}
