//! What a convoy agrees on, whoever did what and in whatever order that is heard of.

use super::*;
use crate::core::changes::{ChangeId, Hlc};
use crate::core::id::{EntryId, TrackId};
use crate::core::order::OrderKey;
use crate::core::playlist::Track;

fn change(device: &str, sequence: u64, time_us: i64, action: Action) -> Change {
    Change {
        id: ChangeId { device: DeviceId::new(device).unwrap(), sequence },
        hlc: Hlc { time_us, count: 0 },
        term: Term(1),
        user: None,
        action,
        signature: None,
    }
}

fn add(name: &str, order: &OrderKey, seconds: i64) -> Action {
    let track = Track {
        id: TrackId::new(name).unwrap(),
        title: name.into(),
        artist: String::new(),
        album: String::new(),
        duration_us: Some(seconds * 1_000_000),
        url: None,
        extra: serde_json::Map::new(),
    };
    Action::Add { entry: EntryId::new(name).unwrap(), track, order: order.clone() }
}

fn play(name: &str, at: i64) -> Action {
    Action::Play {
        anchor: Anchor {
            entry: EntryId::new(name).ok(),
            track: TrackId::new(name).ok(),
            position_us: 0,
            at: ConvoyTime(at),
            playing: true,
        },
    }
}

#[test]
fn whoever_plays_first_leads_and_others_are_refused_until_they_take_control() {
    let mut convoy = Snapshot::default();
    assert_eq!(convoy.apply(&change("a", 1, 1, play("t", 0))), Verdict::Applied);
    assert!(matches!(convoy.apply(&change("b", 1, 2, play("t", 5))), Verdict::Refused { .. }));
    assert_eq!(convoy.apply(&change("b", 2, 3, Action::TakeControl)), Verdict::Applied);
    assert_eq!(convoy.apply(&change("b", 3, 4, play("t", 9))), Verdict::Applied);
    assert!(matches!(convoy.apply(&change("a", 2, 5, Action::ReleaseControl)), Verdict::Refused { .. }));
    assert_eq!(convoy.apply(&change("b", 4, 6, Action::ReleaseControl)), Verdict::Applied);
    assert_eq!(convoy.controller, None);
}

#[test]
fn a_repeated_change_is_applied_once() {
    let mut convoy = Snapshot::default();
    let change = change("a", 1, 1, add("t", &OrderKey::between(None, None), 3));
    assert_eq!(convoy.apply(&change), Verdict::Applied);
    assert_eq!(convoy.apply(&change), Verdict::Duplicate);
    assert_eq!(convoy.playlist.len(), 1);
}

#[test]
fn what_is_in_the_state_and_not_among_the_changes_that_it_knows_counts_when_it_comes_again() {
    let changes = [change("a", 1, 1, add("x", &OrderKey::between(None, None), 10)), change("a", 2, 2, play("x", 3))];
    let mut convoy = convoy_of(&changes);
    let before = convoy.clone();
    convoy.versions = Versions::default();
    for change in &changes {
        assert_eq!(convoy.apply(change), Verdict::Applied, "{change:?}");
    }
    assert!((convoy.timeline, convoy.playlist) == (before.timeline, before.playlist));
    assert_eq!((convoy.controller, convoy.versions), (before.controller, before.versions));
}

#[test]
fn the_next_track_begins_where_the_one_before_ends_however_late_one_looks() {
    let mut convoy = Snapshot::default();
    let first = OrderKey::between(None, None);
    let second = OrderKey::between(Some(&first), None);
    let third = OrderKey::between(Some(&second), None);
    for (n, (name, order)) in [("x", first), ("y", second), ("z", third)].into_iter().enumerate() {
        convoy.apply(&change("a", n as u64 + 1, n as i64, add(name, &order, 10)));
    }
    convoy.apply(&change("a", 9, 9, play("x", 1_000)));
    assert!(!convoy.advance(ConvoyTime(9_000_000)));
    assert!(convoy.advance(ConvoyTime(25_000_000)));
    let now = convoy.timeline.at(ConvoyTime(25_000_000)).unwrap().anchor.clone();
    assert_eq!((now.entry.unwrap().as_str(), now.at), ("z", ConvoyTime(20_001_000)));
    assert!(convoy.advance(ConvoyTime(99_000_000)));
    assert!(!convoy.timeline.at(ConvoyTime(99_000_000)).unwrap().anchor.playing);
}

#[test]
fn a_playlist_of_the_shortest_tracks_does_not_hang() {
    let mut convoy = Snapshot::default();
    let mut order = OrderKey::between(None, None);
    for n in 0..50 {
        let mut shortest = add(&format!("t{n}"), &order, 0);
        if let Action::Add { track, .. } = &mut shortest {
            track.duration_us = Some(1);
        }
        convoy.apply(&change("a", n + 1, n as i64, shortest));
        order = OrderKey::between(Some(&order), None);
    }
    convoy.apply(&change("a", 99, 99, play("t0", 0)));
    assert!(convoy.advance(ConvoyTime(60)));
    assert!(!convoy.timeline.at(ConvoyTime(60)).unwrap().anchor.playing);
}

fn seek(position_us: i64, at: i64) -> Action {
    let Action::Play { anchor } = play("t", at) else { unreachable!() };
    Action::Seek { anchor: Anchor { position_us, ..anchor } }
}

fn convoy_of(changes: &[Change]) -> Snapshot {
    let mut convoy = Snapshot::default();
    for change in changes {
        let _ = convoy.apply(change);
    }
    convoy
}

fn position_us(convoy: &Snapshot, time: i64) -> i64 {
    convoy.timeline.at(ConvoyTime(time)).unwrap().anchor.position_us
}

#[test]
fn a_control_made_before_control_was_taken_counts_though_it_is_heard_of_after_that() {
    let led = [change("a", 1, 1, Action::TakeControl), change("a", 2, 2, play("t", 10))];
    let mut convoy = convoy_of(&led);
    assert_eq!(convoy.apply(&change("b", 1, 30, Action::TakeControl)), Verdict::Applied);
    assert_eq!(convoy.apply(&change("a", 3, 20, seek(7, 40))), Verdict::Applied);
    assert_eq!((position_us(&convoy, 50), convoy.controller), (7, DeviceId::new("b").ok()));
}

#[test]
fn control_taken_earlier_than_is_heard_of_takes_back_what_others_did_after_it() {
    let mut convoy = convoy_of(&[
        change("a", 1, 1, Action::TakeControl),
        change("a", 2, 2, seek(1, 10)),
        change("a", 3, 20, seek(2, 25)),
        change("a", 4, 30, seek(3, 24)),
    ]);
    assert_eq!(position_us(&convoy, 50), 3);
    assert_eq!(convoy.apply(&change("b", 1, 28, Action::TakeControl)), Verdict::Applied);
    assert_eq!(position_us(&convoy, 50), 2, "what it had replaced counts again");
    assert!(matches!(convoy.apply(&change("a", 5, 31, seek(4, 60))), Verdict::Refused { .. }));
}

#[test]
fn who_played_alone_while_nobody_led_does_not_lead_for_that_when_he_is_back() {
    let mut convoy = convoy_of(&[change("a", 1, 5, seek(1, 10)), change("a", 2, 20, seek(2, 25))]);
    let _ = convoy.apply(&change("b", 1, 3, seek(9, 8)));
    assert_eq!((position_us(&convoy, 50), convoy.controller), (2, DeviceId::new("a").ok()));
}

#[test]
fn who_released_control_and_then_played_leads_in_whatever_order_that_is_heard_of() {
    let led = change("a", 1, 1, Action::TakeControl);
    let (released, played) = (change("a", 2, 7, Action::ReleaseControl), change("a", 3, 8, seek(3, 20)));
    let in_order = convoy_of(&[led.clone(), released.clone(), played.clone()]);
    let late = convoy_of(&[led, played, released]);
    assert_eq!(in_order.controller, DeviceId::new("a").ok());
    assert_eq!((&late.controller, &late.controlled), (&in_order.controller, &in_order.controlled));
    assert_eq!(late.timeline, in_order.timeline);
}

#[test]
fn a_night_of_controls_is_remembered_in_bounds_and_who_leads_is_not_forgotten() {
    let mut convoy = convoy_of(&[change("a", 1, 1_000, Action::TakeControl)]);
    for n in 2..2_000 {
        let time = 1_000 * i64::try_from(n).unwrap();
        assert_eq!(convoy.apply(&change("a", n, time, seek(1, time))), Verdict::Applied);
        convoy.advance(ConvoyTime(time));
    }
    assert!(serde_json::to_string(&convoy).unwrap().len() < 20_000);
    assert!(matches!(convoy.apply(&change("b", 1, 1_500, Action::TakeControl)), Verdict::Superseded { .. }));
    assert!(matches!(convoy.apply(&change("b", 2, 1_999_500, seek(5, 1_999_500))), Verdict::Refused { .. }));
    assert_eq!((convoy.controller.as_ref().map(DeviceId::as_str), position_us(&convoy, 3_000_000)), (Some("a"), 1));
}

#[test]
fn a_state_of_before_deeds_were_kept_goes_on() {
    let mut convoy = convoy_of(&[change("a", 1, 10, Action::TakeControl), change("a", 2, 20, seek(1, 25))]);
    let mut text = serde_json::to_value(&convoy).unwrap();
    text.as_object_mut().unwrap().remove("deeds");
    convoy = serde_json::from_value(text).unwrap();
    assert!(matches!(convoy.apply(&change("b", 1, 30, seek(2, 35))), Verdict::Refused { .. }));
    assert!(matches!(convoy.apply(&change("b", 2, 5, Action::TakeControl)), Verdict::Superseded { .. }));
    assert_eq!(convoy.apply(&change("b", 3, 40, Action::TakeControl)), Verdict::Applied);
    assert_eq!(convoy.apply(&change("a", 3, 35, seek(3, 45))), Verdict::Applied);
    assert_eq!((position_us(&convoy, 50), convoy.controller.as_ref().map(DeviceId::as_str)), (3, Some("b")));
}

/// A fixed sequence of numbers that look random.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}

/// What three cars did after one of them took control, each in its own order.
fn evening(dice: &mut Dice) -> Vec<Vec<Change>> {
    let mut cars = vec![Vec::new(); 3];
    for time in 1..28 {
        let car = dice.below(3);
        let sequence = cars[car].len() as u64 + 1;
        let at = time * 10 + i64::try_from(dice.below(40)).unwrap();
        let action = if dice.below(4) == 0 { Action::TakeControl } else { seek(time, at) };
        cars[car].push(change(["a", "b", "c"][car], 100 + sequence, time * 10, action));
    }
    cars
}

#[test]
fn changes_with_control_taken_among_them_give_the_same_state_in_whatever_order_authors_are_heard() {
    let mut dice = Dice(11);
    let mut taken_back = 0;
    for _ in 0..300 {
        let cars = evening(&mut dice);
        let start = [change("a", 1, 0, Action::TakeControl), change("a", 2, 1, seek(0, 5))];
        let mut by_time: Vec<Change> = cars.iter().flatten().cloned().collect();
        by_time.sort_by_key(Change::stamp);
        let mut expected = convoy_of(&start);
        for change in &by_time {
            let _ = expected.apply(change);
        }
        for _ in 0..20 {
            let mut rest: Vec<_> = cars.iter().map(|car| car.iter()).collect();
            let mut convoy = convoy_of(&start);
            while !rest.is_empty() {
                let car = dice.below(rest.len());
                match rest[car].next() {
                    Some(change) => {
                        let counted = convoy.apply(change) == Verdict::Applied;
                        let counts_in_time = expected.versions.knows(&change.id);
                        taken_back += u64::from(counted && !counts_in_time);
                    }
                    None => drop(rest.remove(car)),
                }
            }
            assert_eq!(convoy.timeline, expected.timeline);
            assert_eq!(
                (convoy.controller, convoy.controlled),
                (expected.controller.clone(), expected.controlled.clone())
            );
        }
    }
    assert!(taken_back > 1_000, "{taken_back}: the orders must differ");
}

#[test]
fn the_playing_entry_is_removed_and_the_music_goes_on_to_its_end_and_then_to_what_followed() {
    let mut convoy = Snapshot::default();
    let mut order = OrderKey::between(None, None);
    for (n, name) in ["x", "y", "z"].into_iter().enumerate() {
        convoy.apply(&change("a", n as u64 + 1, n as i64, add(name, &order, 10)));
        order = OrderKey::between(Some(&order), None);
    }
    convoy.apply(&change("a", 9, 9, play("y", 1_000)));
    let remove = |name| Action::Remove { entry: EntryId::new(name).unwrap() };
    assert_eq!(convoy.apply(&change("b", 1, 10, remove("y"))), Verdict::Applied);
    assert_eq!(convoy.playlist.len(), 2);
    let newcomer: Snapshot = serde_json::from_value(serde_json::to_value(&convoy).unwrap()).unwrap();
    for mut convoy in [convoy, newcomer] {
        assert!(!convoy.advance(ConvoyTime(9_000_000)));
        assert!(convoy.advance(ConvoyTime(11_000_000)));
        let current = convoy.timeline.at(ConvoyTime(11_000_000)).unwrap().anchor.clone();
        assert_eq!((current.entry.unwrap().as_str(), current.at), ("z", ConvoyTime(10_001_000)));
        assert_eq!(convoy.playlist.track(&EntryId::new("y").unwrap()), None, "nothing names it any more");
    }
}

/// All orders in which five changes can come.
fn orders() -> Vec<Vec<usize>> {
    let mut orders: Vec<Vec<usize>> = vec![vec![]];
    for number in 0..5 {
        let longer = |order: &Vec<usize>| {
            let order = order.clone();
            (0..=order.len()).map(move |at| [&order[..at], &[number], &order[at..]].concat())
        };
        orders = orders.iter().flat_map(longer).collect();
    }
    orders
}

#[test]
fn what_follows_an_entry_that_was_removed_and_played_at_once_is_the_same_in_whatever_order_that_is_heard_of() {
    let first = OrderKey::between(None, None);
    let second = OrderKey::between(Some(&first), None);
    let third = OrderKey::between(Some(&second), None);
    let removed = EntryId::new("a").unwrap();
    let changes = [
        change("x", 1, 1, add("a", &first, 10)),
        change("y", 1, 2, add("b", &second, 10)),
        change("z", 1, 3, Action::Remove { entry: removed.clone() }),
        change("v", 1, 4, Action::Move { entry: removed, order: third }),
        change("w", 1, 5, play("a", 0)),
    ];
    for order in orders() {
        let mut convoy = Snapshot::default();
        for number in &order {
            let _ = convoy.apply(&changes[*number]);
            convoy.advance(ConvoyTime(1));
        }
        let text = serde_json::to_string(&convoy).unwrap();
        for mut convoy in [convoy, serde_json::from_str(&text).unwrap()] {
            convoy.advance(ConvoyTime(10_000_001));
            let anchor = &convoy.timeline.last().unwrap().anchor;
            assert_eq!((anchor.playing, anchor.position_us), (false, 10_000_000), "{order:?}");
            assert_eq!(convoy.playlist.ids().map(EntryId::as_str).collect::<Vec<_>>(), ["b"], "{order:?}");
        }
    }
}

#[test]
fn what_was_added_before_the_playlist_ran_out_is_played_though_it_is_heard_of_after_that() {
    let first = OrderKey::between(None, None);
    let late = OrderKey::between(Some(&first), None);
    let mut convoy = convoy_of(&[change("a", 1, 1, add("t", &first, 10)), change("a", 2, 2, play("t", 0))]);
    let ran_out = ConvoyTime(12_000_000);
    for (added_us, entry, at) in [(9_000_000, "u", 10_000_000), (11_000_000, "t", 10_000_000)] {
        let mut convoy = convoy.clone();
        convoy.advance(ran_out);
        assert!(!convoy.timeline.last().unwrap().anchor.playing);
        let _ = convoy.apply(&change("b", 1, added_us, add("u", &late, 10)));
        convoy.advance(ran_out);
        let anchor = &convoy.timeline.last().unwrap().anchor;
        let is_played = entry == "u";
        assert_eq!((anchor.entry.as_ref().map(EntryId::as_str), anchor.playing), (Some(entry), is_played));
        assert_eq!(anchor.at, ConvoyTime(at));
    }
    // Who has stopped the music meanwhile is not overruled.
    convoy.advance(ran_out);
    let pause = Anchor { playing: false, ..convoy.timeline.last().unwrap().anchor.clone() };
    let _ = convoy.apply(&change("a", 3, 11_000_000, Action::Pause { anchor: pause }));
    let _ = convoy.apply(&change("b", 1, 9_000_000, add("u", &late, 10)));
    convoy.advance(ran_out);
    assert!(!convoy.timeline.last().unwrap().anchor.playing);
}
