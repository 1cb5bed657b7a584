//! What people do with their hands is never taken for a rogue's doing.

use crate::road::Road;
use jamz::core::request::Command;
use jamz::sim::{Button, SECOND};

#[test]
fn an_impatient_dj_is_honest() {
    for has_server in [false, true] {
        let mut road = Road::new(4, has_server);
        for _ in 0..30 {
            road.press(1, Button::Add);
        }
        road.press(1, Button::Do(Command::Take));
        for n in 0..50 {
            let button = if n % 10 == 9 { Command::Previous } else { Command::Next };
            road.press(1, Button::Do(button));
            road.wait_us(SECOND / 5);
        }
        road.wait(2);
        assert_eq!(road.controller(&[0, 1, 2, 3]), Some(1));
        for car in 0..4 {
            let reason = road.world.status(car).unwrap().connection.reason;
            assert!(!reason.contains("muted"), "{car}: {reason}");
        }
    }
}
