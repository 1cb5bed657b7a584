//! The playlist under edits in any order, from friends and others.

use super::*;
use crate::core::changes::Hlc;
use crate::core::election::Term;
use crate::core::id::DeviceId;

fn stamp(time_us: i64) -> Stamp {
    Stamp { term: Term(1), hlc: Hlc { time_us, count: 0 }, device: DeviceId::new("d").unwrap() }
}

fn entry(name: &str) -> EntryId {
    EntryId::new(name).unwrap()
}

fn track(name: &str) -> Track {
    Track {
        id: TrackId::new(name).unwrap(),
        title: name.into(),
        artist: String::new(),
        album: String::new(),
        duration_us: None,
        url: None,
        extra: serde_json::Map::new(),
    }
}

fn filled(names: &[&str]) -> Playlist {
    let mut playlist = Playlist::default();
    for (i, name) in names.iter().enumerate() {
        let order = playlist.place(None, None);
        assert!(playlist.add(&entry(name), &track(name), &order, &stamp(i as i64)));
    }
    playlist
}

fn names(playlist: &Playlist) -> Vec<&str> {
    playlist.ids().map(EntryId::as_str).collect()
}

#[test]
fn entries_stand_in_the_order_they_were_put() {
    let mut playlist = filled(&["a", "b", "c"]);
    let order = playlist.place(Some(1), None);
    playlist.add(&entry("x"), &track("x"), &order, &stamp(9));
    assert_eq!(names(&playlist), ["a", "x", "b", "c"]);
    let order = playlist.place(Some(0), Some(&entry("c")));
    assert!(playlist.shift(&entry("c"), &order, &stamp(10)));
    assert_eq!(names(&playlist), ["c", "a", "x", "b"]);
    let order = playlist.place(Some(3), Some(&entry("c")));
    playlist.shift(&entry("c"), &order, &stamp(11));
    assert_eq!(names(&playlist), ["a", "x", "b", "c"]);
    assert_eq!(playlist.after(Some(&entry("a"))), Some(&entry("x")));
    assert_eq!(playlist.before(&entry("a")), None);
    assert_eq!(playlist.after(None), Some(&entry("a")));
    assert_eq!(playlist.after(Some(&entry("c"))), None);
}

#[test]
fn lists_that_are_alike_have_the_same_sum_however_they_came_about() {
    let read =
        |playlist: &Playlist| -> Playlist { serde_json::from_str(&serde_json::to_string(playlist).unwrap()).unwrap() };
    let (mut playlist, empty) = (filled(&["a", "b", "c"]), Playlist::default().sum());
    let first = playlist.sum();
    assert_eq!((read(&playlist).sum(), filled(&["a", "b", "c"]).sum()), (first, first));
    assert_ne!(filled(&["a", "c", "b"]).sum(), first);
    let (last, home) = (playlist.place(None, None), playlist.order_of(&entry("a")).unwrap().clone());
    playlist.shift(&entry("a"), &last, &stamp(10));
    assert_ne!(playlist.sum(), first);
    assert_eq!(read(&playlist).sum(), playlist.sum());
    playlist.shift(&entry("a"), &home, &stamp(11));
    assert_eq!(playlist.sum(), first);
    for name in ["a", "b", "c"] {
        playlist.remove(&entry(name));
    }
    assert_eq!(playlist.sum(), empty);
}

#[test]
fn an_older_move_does_not_undo_a_newer_one() {
    let mut playlist = filled(&["a", "b"]);
    let to_front = playlist.place(Some(0), Some(&entry("b")));
    assert!(playlist.shift(&entry("b"), &to_front, &stamp(20)));
    let to_back = playlist.place(None, Some(&entry("b")));
    assert!(!playlist.shift(&entry("b"), &to_back, &stamp(19)));
    assert_eq!(names(&playlist), ["b", "a"]);
}

#[test]
fn a_removal_beats_a_move_but_not_a_new_addition_of_the_same_track() {
    let mut playlist = filled(&["a", "b"]);
    playlist.remove(&entry("a"));
    let order = playlist.place(None, None);
    assert!(!playlist.shift(&entry("a"), &order, &stamp(99)));
    assert!(!playlist.add(&entry("a"), &track("a"), &order, &stamp(99)));
    assert!(playlist.add(&entry("a2"), &track("a"), &order, &stamp(99)));
    assert_eq!(names(&playlist), ["b", "a2"]);
}

#[test]
fn a_move_or_removal_that_overtakes_the_addition_still_counts() {
    let mut late = Playlist::default();
    let first = late.place(None, None);
    let second = OrderKey::between(Some(&first), None);
    assert!(late.shift(&entry("a"), &second, &stamp(5)));
    late.remove(&entry("gone"));
    assert!(late.add(&entry("b"), &track("b"), &first, &stamp(1)));
    assert!(late.add(&entry("a"), &track("a"), &OrderKey::between(None, Some(&first)), &stamp(1)));
    assert!(!late.add(&entry("gone"), &track("gone"), &first, &stamp(1)));
    assert_eq!(names(&late), ["b", "a"]);
}

#[test]
fn absurd_lengths_are_unknown_ones_wherever_they_come_from() {
    for said in ["0", "-5", "604800000001", "9223372036854775807", "18446744073709551615", "1e300", "-1e300"] {
        let read: Track = serde_json::from_str(&format!(r#"{{"id": "a", "duration_us": {said}}}"#)).unwrap();
        let mut playlist = Playlist::default();
        playlist.add(&entry("a"), &read, &playlist.place(None, None), &stamp(1));
        assert_eq!(playlist.track(&entry("a")).unwrap().duration_us, None, "{said}");
        assert!(!playlist.learn_duration(&read.id, read.duration_us.unwrap()), "{said}");
        let mut text = serde_json::to_value(filled(&["a"])).unwrap();
        text["slots"]["a"]["track"]["duration_us"] = serde_json::from_str(said).unwrap();
        let whole: Playlist = serde_json::from_value(text).unwrap();
        assert_eq!(whole.track(&entry("a")).unwrap().duration_us, None, "{said}");
    }
    let week: Track = serde_json::from_str(r#"{"id": "a", "duration_us": 604800000000}"#).unwrap();
    assert_eq!(week.bounded().duration_us, Some(DURATION_MAX_US));
    assert!(serde_json::from_str::<Track>(r#"{"id": "a", "duration_us": "long"}"#).is_err());
}

#[test]
fn it_survives_being_written_and_read() {
    let playlist = filled(&["a", "b", "c"]);
    let text = serde_json::to_string(&playlist).unwrap();
    let read: Playlist = serde_json::from_str(&text).unwrap();
    assert_eq!(read, playlist);
}

#[test]
fn ten_thousand_entries_are_ordinary() {
    let mut playlist = Playlist::default();
    for i in 0..10_000 {
        let order = playlist.place(None, None);
        playlist.add(&entry(&format!("e{i}")), &track("t"), &order, &stamp(i));
    }
    assert_eq!(playlist.len(), 10_000);
    assert_eq!(playlist.after(Some(&entry("e4999"))), Some(&entry("e5000")));
}

#[test]
fn moves_of_entries_that_never_come_are_bounded_and_forgotten_oldest_first() {
    let mut playlist = filled(&["a", "b"]);
    let order = playlist.place(None, None);
    for n in 0..5_000 {
        assert!(playlist.shift(&entry(&format!("ghost{n}")), &order, &stamp(100 + n)));
    }
    assert!(!playlist.shift(&entry("late"), &order, &stamp(1)));
    assert_eq!((playlist.len(), playlist.slots.len(), playlist.awaited.len()), (2, 2 + AWAITED_MAX, AWAITED_MAX));
    playlist.add(&entry("ghost4999"), &track("x"), &playlist.place(Some(0), None), &stamp(1));
    assert_eq!(names(&playlist), ["a", "b", "ghost4999"], "a move lately made still counts");
    playlist.remove(&entry("ghost4998"));
    assert_eq!(playlist.awaited.len(), AWAITED_MAX - 2);
    let text = serde_json::to_string(&playlist).unwrap();
    assert_eq!(serde_json::from_str::<Playlist>(&text).unwrap(), playlist);
}

#[test]
fn removals_of_entries_that_never_come_are_bounded() {
    let mut playlist = filled(&["a"]);
    for n in 0..REMOVED_MAX + 50 {
        playlist.remove(&entry(&format!("ghost{n}")));
    }
    assert_eq!((playlist.len(), playlist.slots.len()), (1, 1 + REMOVED_MAX));
}

#[test]
fn what_is_removed_keeps_its_place_while_it_is_named() {
    let mut playlist = filled(&["a", "b", "c"]);
    playlist.remove(&entry("b"));
    let text = serde_json::to_string(&playlist).unwrap();
    assert_eq!(serde_json::from_str::<Playlist>(&text).unwrap(), playlist);
    playlist.forget_removed(|id| *id == entry("b"));
    assert!(!playlist.contains(&entry("b")) && playlist.track(&entry("b")).is_some());
    assert_eq!(
        (playlist.after(Some(&entry("b"))), playlist.before(&entry("b"))),
        (Some(&entry("c")), Some(&entry("a")))
    );
    playlist.remove(&entry("a"));
    playlist.remove(&entry("c"));
    playlist.add(&entry("d"), &track("d"), &playlist.place(None, None), &stamp(9));
    assert_eq!(playlist.after(Some(&entry("b"))), Some(&entry("d")));
    playlist.forget_removed(|_| false);
    assert_eq!((playlist.track(&entry("b")), names(&playlist)), (None, vec!["d"]));
    assert_eq!(playlist.after(Some(&entry("b"))), Some(&entry("d")));
}
