//! What a person may do with his own hands is borne, and what only a program does is not.

use super::*;
use crate::core::changes::{ChangeId, Hlc};
use crate::core::election::Term;
use crate::core::timeline::Anchor;

const SECOND: i64 = 1_000_000;

fn member(name: &str) -> DeviceId {
    DeviceId::new(name).unwrap()
}

fn change(sequence: u64, at_us: i64, action: Action) -> Change {
    let id = ChangeId { device: member("rogue"), sequence };
    Change { id, hlc: Hlc { time_us: at_us, count: 0 }, term: Term(0), user: None, action, signature: None }
}

fn next(at_us: i64) -> Action {
    let anchor = Anchor { entry: None, track: None, position_us: 0, at: ConvoyTime(at_us), playing: true };
    Action::ChangeTrack { anchor }
}

/// Whether he is heard all the time who does this so many times in a second, for so many seconds.
fn is_heard(per_second: i64, seconds: i64, action: impl Fn(i64) -> Action) -> bool {
    let mut conduct = Conduct::default();
    (0..per_second * seconds).all(|n| {
        let at_us = n * SECOND / per_second;
        conduct.count_change(&change(n as u64 + 1, at_us, action(at_us)), ConvoyTime(at_us), MonoTime(at_us))
    })
}

#[test]
fn who_presses_next_five_times_a_second_is_heard_and_a_storm_of_seeks_is_not() {
    assert!(is_heard(5, 600, next));
    assert!(is_heard(15, 10, next), "a slider that is dragged");
    assert!(!is_heard(25, 10, next));
}

#[test]
fn who_fights_for_control_by_hand_is_heard_and_a_storm_is_not() {
    assert!(is_heard(2, 600, |_| Action::TakeControl));
    assert!(!is_heard(10, 10, |_| Action::TakeControl));
}

#[test]
fn who_comes_back_with_all_that_he_did_alone_is_heard() {
    let mut conduct = Conduct::default();
    let now = MonoTime(86_400 * SECOND);
    let all = (1..=900).all(|n| {
        let at_us = n * 40 * SECOND;
        conduct.count_change(&change(n as u64, at_us, next(at_us)), ConvoyTime(now.0), now)
    });
    assert!(all);
}

#[test]
fn who_dates_a_storm_back_is_muted_as_soon_as_one_of_now() {
    let is_borne = |per_second: i64, seconds: i64, dated_s: i64| {
        let mut conduct = Conduct::default();
        (1..=per_second * seconds).all(|n| {
            let now_us = 3_600 * SECOND + n * SECOND / per_second;
            // As close behind each other as nobody would find strange, or all of a moment ago.
            let at_us = if dated_s > 60 { n * SECOND / 5 } else { now_us - dated_s * SECOND };
            conduct.count_change(&change(n as u64, at_us, next(at_us)), ConvoyTime(now_us), MonoTime(now_us))
        })
    };
    for dated_s in [6, 3_600] {
        for per_second in [25, 50, 100, 1_000] {
            assert!(!is_borne(per_second, 10, dated_s), "{per_second} a second, {dated_s} s ago");
        }
        assert!(is_borne(5, 600, dated_s), "by hand, over a road that holds things up");
        assert!(is_borne(250, 4, dated_s), "all that somebody did alone, as fast as it goes to a server");
    }
}

#[test]
fn a_whole_library_may_be_added_and_one_of_endless_titles_not() {
    let track = |title: String| Track {
        id: crate::core::id::TrackId::new("t").unwrap(),
        title,
        artist: String::new(),
        album: String::new(),
        duration_us: None,
        url: None,
        extra: serde_json::Map::new(),
    };
    let add = |bytes: usize| {
        let entry = crate::core::id::EntryId::new("e").unwrap();
        Action::Add { entry, track: track("x".repeat(bytes)), order: crate::core::order::OrderKey::between(None, None) }
    };
    assert!(is_heard(1_000, 20, |_| add(400)));
    assert!(!is_heard(1_000, 10, |_| add(4_000)));
    assert!(!is_heard(10_000, 1, |_| add(400)));
}

#[test]
fn each_mute_is_twice_as_long_as_the_one_before_until_he_was_good_for_long() {
    let (rogue, mut conduct, mut now) = (member("rogue"), Conduct::default(), MonoTime(0));
    let mut mute = |now: &mut MonoTime| {
        conduct.accuse(&rogue, Offence::FalseClock, *now);
        assert_eq!(conduct.take_news(), std::slice::from_ref(&rogue));
        conduct.accuse(&rogue, Offence::FalseTerm, *now + 1);
        assert!(conduct.take_news().is_empty(), "he is muted already");
        let until = conduct.mute_of(&rogue, *now).unwrap().until;
        assert!(conduct.is_muted(&rogue, until + -1) && !conduct.is_muted(&rogue, until));
        let length_s = (until - *now) / SECOND;
        *now = until;
        length_s
    };
    let lengths: Vec<i64> = (0..9).map(|_| mute(&mut now)).collect();
    assert_eq!(lengths, [30, 60, 120, 240, 480, 960, 1_920, 3_840, 3_840]);
    now = now + FORGIVEN_US;
    assert_eq!(mute(&mut now), 30);
}

#[test]
fn one_members_conduct_is_not_anothers_and_memory_has_an_end() {
    let mut conduct = Conduct::default();
    conduct.accuse(&member("rogue"), Offence::FalseRank, MonoTime(0));
    for n in 0..5 * MEMBERS_MAX {
        assert!(conduct.count(&member(&format!("m{n}")), Matter::Messages, 1, MonoTime(n as i64)));
    }
    assert!(conduct.is_muted(&member("rogue"), MonoTime(1)), "who is muted is not forgotten for others");
    assert!(conduct.records.len() <= MEMBERS_MAX);
}
