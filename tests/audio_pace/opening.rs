//! Files that take their time to open, as on a busy machine.

use crate::sound::sine;
use crate::virtual_car::{VirtualCar, segment};
use crate::{QUIET, loudest, wav};
use jamz::audio::decode::{Fed, Feed, InlineLibrary, Library};
use jamz::audio::pace::Pacer;
use jamz::core::io::{Growing, Source};
use jamz::host::MonotonicClock;
use std::sync::Arc;

/// Opens files as slowly as a busy machine: nothing is known of a file for its first blocks.
struct SlowLibrary {
    inside: InlineLibrary,
    polls: u32,
}

struct SlowFeed {
    inside: Box<dyn Feed>,
    pending: u32,
}

impl Library for SlowLibrary {
    fn open(&self, source: &Source, position_us: i64) -> Box<dyn Feed> {
        Box::new(SlowFeed { inside: self.inside.open(source, position_us), pending: self.polls })
    }
}

impl Feed for SlowFeed {
    fn poll(&mut self) -> Fed {
        if self.pending > 0 {
            self.pending -= 1;
            return Fed::Pending;
        }
        self.inside.poll()
    }

    fn completed(&self) {
        self.inside.completed();
    }
}

fn slow_car(polls: u32) -> VirtualCar {
    let mut car = VirtualCar::new(0.0);
    let inside = InlineLibrary { clock: Arc::new(MonotonicClock) };
    car.pacer = Pacer::new(Box::new(SlowLibrary { inside, polls }), 48_000, 0);
    car.pacer.set_clock(Some(car.map));
    car
}

#[test]
fn a_seek_that_is_heard_of_late_leaves_no_hole_while_its_place_is_opened() {
    let dir = tempfile::tempdir().unwrap();
    let source = wav(dir.path(), 48_000, 10.0, |t| if t < 0.0 { [0.0; 2] } else { [0.5; 2] });
    let mut car = slow_car(20);
    car.plan(&[segment("a", &source, 0, 0, None)]);
    car.render(1.0);
    car.plan(&[segment("a", &source, 900_000, 5_000_000, None)]);
    let heard = car.render(0.5);
    let quietest = heard.iter().map(|frame| frame[0]).fold(1.0, f32::min);
    assert!(quietest > 0.45, "it falls to {quietest}");
    let offset_us = car.pacer.heard().offset_us.unwrap();
    assert!(offset_us.abs() < 100.0 && car.pacer.heard().in_sync, "{offset_us}");
    car.plan(&[]);
    assert!(loudest(&car.render(0.1)[600..]) < QUIET, "a pause that is heard of late is none");
}

#[test]
fn a_seek_whose_place_is_not_open_in_time_leaves_no_hole() {
    let dir = tempfile::tempdir().unwrap();
    let source = wav(dir.path(), 48_000, 10.0, |t| if t < 0.0 { [0.0; 2] } else { [0.5; 2] });
    let mut car = slow_car(20);
    car.plan(&[segment("a", &source, 0, 0, None)]);
    car.render(1.0);
    let seek = segment("a", &source, 1_030_000, 5_000_000, None);
    car.plan(&[segment("a", &source, 0, 0, Some(1_030_000)), seek.clone()]);
    let mut heard = car.render(0.05);
    car.plan(&[seek]);
    heard.extend(car.render(0.5));
    let quietest = heard.iter().map(|frame| frame[0]).fold(1.0, f32::min);
    assert!(quietest > 0.45, "it falls to {quietest}");
    let offset_us = car.pacer.heard().offset_us.unwrap();
    assert!(offset_us.abs() < 100.0 && car.pacer.heard().in_sync, "{offset_us}");
}

#[test]
fn what_is_over_does_not_go_on_for_a_file_that_does_not_open() {
    let dir = tempfile::tempdir().unwrap();
    let source = wav(dir.path(), 48_000, 10.0, |t| if t < 0.0 { [0.0; 2] } else { [0.5; 2] });
    let mut car = slow_car(300);
    car.plan(&[segment("a", &source, 0, 0, None)]);
    assert!(loudest(&car.render(3.0)) > 0.4);
    car.plan(&[segment("b", &source, 2_900_000, 0, None)]);
    car.render(0.2);
    assert!(!car.pacer.heard().in_sync, "what is heard is not what should be");
    assert!(loudest(&car.render(0.6)[24_000..]) < QUIET);
}

#[test]
fn a_file_that_is_complete_and_elsewhere_before_it_could_be_opened_is_opened_there() {
    let dir = tempfile::tempdir().unwrap();
    let complete = wav(dir.path(), 48_000, 5.0, sine(440.0, 0.5));
    let part = Source { path: format!("{}.part", complete.path), growing: Some(Growing { bytes_total: None }) };
    let mut car = slow_car(20);
    car.plan(&[segment("t", &part, 0, 0, None)]);
    car.render(0.05);
    car.plan(&[segment("t", &complete, 0, 0, None)]);
    car.render(1.0);
    assert!(loudest(&car.render(1.0)) > 0.4);
}
