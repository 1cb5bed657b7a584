//! Edits that neighbours bring wait for all else, are counted once, and nobody's wait for another's.

use super::muted::{RELAY, ROGUE, device, removal, seek};
use super::*;
use crate::core::changes::ChangeId;
use crate::core::election::Choice;
use crate::core::mesh::{MeshCommand, PeerMessage};

const OTHER: u8 = 5;

fn knows(bench: &Bench, n: u64) -> bool {
    bench.car.state().versions.knows(&ChangeId { device: device(ROGUE), sequence: n })
}

#[test]
fn a_control_does_not_wait_for_edits_that_came_before_it() {
    let mut bench = Bench::linked(&[ROGUE]);
    for n in 1..=100 {
        bench.brings(ROGUE, removal(&bench, n), 0);
    }
    bench.brings(ROGUE, seek(&bench, 101), 0);
    assert!(knows(&bench, 101) && !knows(&bench, 1));
    bench.give(Input::Wake);
    assert!(knows(&bench, 1) && !knows(&bench, 2), "one by one, so that whatever comes meanwhile goes before the rest");
    bench.wait(0);
    assert!((1..=101).all(|n| knows(&bench, n)));
}

#[test]
fn who_edits_without_end_is_muted_before_all_of_it_is_taken_in_and_the_rest_is_forgotten() {
    let mut bench = Bench::linked(&[ROGUE, RELAY]);
    bench.brings(RELAY, Change { user: UserId::new("eve").ok(), ..removal(&bench, 1) }, 1);
    for n in 2..=6_000 {
        bench.brings(ROGUE, removal(&bench, n), 0);
        bench.now = bench.now + 50;
    }
    assert!(bench.car.mutes(&device(ROGUE), bench.now) && !bench.car.mutes(&device(RELAY), bench.now));
    bench.wait(0);
    assert_eq!(bench.car.state().versions, Snapshot::default().versions, "nothing of it was taken in");
}

#[test]
fn edits_of_others_that_a_neighbour_brings_count_for_their_author_only_when_they_are_his() {
    let mut bench = Bench::linked(&[RELAY]);
    for n in 1..=6_000 {
        bench.brings(RELAY, Change { user: UserId::new("eve").ok(), ..removal(&bench, n) }, 1);
    }
    bench.wait(0);
    assert!(bench.car.mutes(&device(RELAY), bench.now) && !bench.car.mutes(&device(ROGUE), bench.now));
}

#[test]
fn however_many_edits_one_neighbour_brings_anothers_is_the_next_but_one() {
    let mut bench = Bench::linked(&[RELAY, OTHER]);
    for n in 1..=5_000 {
        bench.brings(RELAY, removal(&bench, n), 1);
    }
    bench.brings(OTHER, removal(&bench, 6_000), 1);
    bench.give(Input::Wake);
    bench.give(Input::Wake);
    assert!(knows(&bench, 6_000) && knows(&bench, 1) && !knows(&bench, 2));
    bench.wait(0);
    assert!(!knows(&bench, 5_000), "what did not fit in is asked for later");
    assert!(!bench.car.mutes(&device(RELAY), bench.now) && !bench.car.mutes(&device(ROGUE), bench.now));
}

#[test]
fn what_is_known_or_not_heard_takes_nobodys_place() {
    let mut bench = Bench::linked(&[RELAY, OTHER]);
    bench.brings(OTHER, removal(&bench, 1), 1);
    bench.give(Input::Wake);
    for _ in 0..4_000 {
        bench.brings(RELAY, removal(&bench, 1), 1);
    }
    assert!(bench.car.mutes(&device(RELAY), bench.now), "the same over and over");
    let mut bench = Bench::linked(&[ROGUE, RELAY]);
    for n in 1..=110 {
        bench.brings(ROGUE, seek(&bench, n), 0);
    }
    assert!(bench.car.mutes(&device(ROGUE), bench.now));
    let idle = bench.car.poll_timeout();
    bench.brings(RELAY, removal(&bench, 200), 1);
    assert_eq!(bench.car.poll_timeout(), idle, "nothing waits");
}

#[test]
fn an_edit_that_comes_again_while_it_waits_is_counted_once() {
    // Of 5,000 that he may make at once.
    let mut bench = Bench::linked(&[ROGUE]);
    for n in (1..=2_600).chain(1..=2_600) {
        bench.brings(ROGUE, removal(&bench, n), 0);
    }
    bench.wait(0);
    assert!(!bench.car.mutes(&device(ROGUE), bench.now) && knows(&bench, 2_600));
    let mut bench = Bench::linked(&[ROGUE, RELAY]);
    for n in 1..=2_000 {
        bench.brings(RELAY, removal(&bench, n), 1);
        bench.brings(ROGUE, removal(&bench, n), 0);
    }
    for n in 2_001..=4_900 {
        bench.wait(0);
        bench.brings(ROGUE, removal(&bench, n), 0);
    }
    assert!(!bench.car.mutes(&device(ROGUE), bench.now) && knows(&bench, 4_899));
}

#[test]
fn a_neighbour_whose_edits_never_cease_does_not_keep_a_car_from_comparing_notes() {
    let mut bench = Bench::linked(&[ROGUE, RELAY]);
    bench.leads(30, 0);
    assert_eq!(bench.car.obeys(), Choice::Follow(device(ROGUE)));
    bench.seen.clear();
    let compares = |bench: &Bench| {
        let is_comparison = |output: &&Output| {
            matches!(output, Output::Mesh(MeshCommand::Send { message, .. })
                if matches!(**message, PeerMessage::Versions(_)))
        };
        bench.seen.iter().filter(is_comparison).count()
    };
    for n in 1..=50 {
        bench.now = bench.now + 100_000;
        bench.brings(RELAY, removal(&bench, n), 1);
        bench.beats(n % 2 == 0, 0);
    }
    assert!(compares(&bench) >= 3, "{}", compares(&bench));
}
