//! Music that is not there any more, or never was: removed entries, missing files.

use super::*;

fn entry_of(bench: &Bench, index: usize) -> EntryId {
    bench.car.queue().nth(index).unwrap().0.clone()
}

fn title(bench: &Bench) -> Option<String> {
    bench.status().now_playing.track.map(|track| track.title)
}

fn unknown(name: &str) -> Track {
    Track { duration_us: None, ..track(name, 1) }
}

fn lose(bench: &mut Bench, name: &str) {
    let track = TrackId::new(name).unwrap();
    bench.give(Input::Track(TrackEvent::Missing { track, problem: "404".into() }));
}

#[test]
fn the_removal_of_the_playing_entry_lets_it_play_to_its_end_and_then_what_followed() {
    let mut bench = Bench::new(start());
    bench.add(&[track("a", 10), track("b", 10), track("c", 10)]);
    bench.command(Command::Play { entry: None });
    bench.wait(3 * SECOND);
    let planned = bench.plan.clone();
    bench.command(Command::QueueRemove { entry: entry_of(&bench, 0) });
    assert_eq!(bench.plan, planned, "the music does not notice");
    let playing = bench.status().now_playing;
    assert_eq!((playing.playing, playing.index, title(&bench).as_deref()), (true, None, Some("a")));
    let again = bench.command(Command::QueueRemove { entry: EntryId::new(playing.entry.unwrap()).unwrap() });
    assert!(matches!(bench.reply(again), Some(Err(Refusal::Invalid(_)))), "it is in the playlist no more");
    bench.wait(8 * SECOND);
    assert_eq!(title(&bench).as_deref(), Some("b"));
}

#[test]
fn next_goes_on_from_the_place_of_the_entry_that_was_removed() {
    let mut bench = Bench::new(start());
    bench.add(&[track("a", 100), track("b", 100), track("c", 100)]);
    bench.command(Command::Play { entry: Some(entry_of(&bench, 1)) });
    bench.wait(SECOND);
    bench.command(Command::QueueRemove { entry: entry_of(&bench, 1) });
    bench.command(Command::Next);
    bench.wait(SECOND);
    assert_eq!(title(&bench).as_deref(), Some("c"));
}

#[test]
fn a_cleared_and_filled_playlist_plays_what_is_in_it_now() {
    for waits in [0, 200 * SECOND] {
        let mut bench = Bench::new(start());
        bench.add(&[track("a", 100), track("b", 100)]);
        bench.command(Command::Play { entry: None });
        bench.wait(SECOND);
        bench.command(Command::QueueClear);
        bench.wait(waits);
        bench.add(&[track("x", 100)]);
        let played = bench.command(Command::Play { entry: None });
        assert!(matches!(bench.reply(played), Some(Ok(_))));
        bench.wait(SECOND);
        assert_eq!((title(&bench).as_deref(), bench.status().now_playing.playing), (Some("x"), true));
    }
}

#[test]
fn what_is_added_to_a_cleared_playlist_follows_what_still_plays() {
    let mut bench = Bench::new(start());
    bench.add(&[track("a", 10), track("b", 10)]);
    bench.command(Command::Play { entry: None });
    bench.command(Command::Next);
    bench.wait(SECOND);
    bench.command(Command::QueueClear);
    bench.add(&[track("x", 100)]);
    bench.wait(12 * SECOND);
    assert_eq!(title(&bench).as_deref(), Some("x"));
}

#[test]
fn a_track_that_nobody_has_and_whose_length_nobody_knows_is_left_by_who_leads() {
    let mut bench = Bench::new(start());
    bench.add(&[unknown("dead"), track("b", 10), unknown("gone")]);
    lose(&mut bench, "dead");
    lose(&mut bench, "gone");
    bench.command(Command::Play { entry: None });
    bench.wait(3 * SECOND);
    assert_eq!(title(&bench).as_deref(), Some("dead"), "it may come yet");
    bench.wait(4 * SECOND);
    assert_eq!(title(&bench).as_deref(), Some("b"));
    bench.wait(11 * SECOND);
    assert_eq!(title(&bench).as_deref(), Some("gone"));
    bench.wait(60 * SECOND);
    assert!(!bench.status().now_playing.playing, "nothing follows");
    let made = bench.seen.iter().filter(|output| matches!(output, Output::Store(_))).count();
    assert_eq!(made, 3 + 1 + 2);
}

#[test]
fn a_listener_waits_for_who_leads_to_leave_a_dead_track() {
    let mut bench = Bench::new(in_convoy());
    bench.join(Snapshot::default(), 0);
    bench.add(&[unknown("dead"), track("b", 10)]);
    bench.command(Command::Play { entry: None });
    bench.ack_all(&Verdict::Applied);
    let mut snapshot = bench.car.state.clone();
    let take = Change {
        id: crate::core::changes::ChangeId { device: DeviceId::new("other").unwrap(), sequence: 1 },
        hlc: bench.car.hlc.tick(ConvoyTime(0)),
        term: crate::core::election::Term(0),
        user: None,
        action: Action::TakeControl,
        signature: None,
    };
    assert_eq!(snapshot.apply(&take), Verdict::Applied);
    bench.server(ServerEvent::State(Box::new(snapshot)));
    lose(&mut bench, "dead");
    let made = bench.changes_sent().len();
    bench.wait(60 * SECOND);
    assert_eq!((bench.changes_sent().len(), title(&bench).as_deref()), (made, Some("dead")));
    bench.command(Command::Take);
    bench.wait(7 * SECOND);
    assert_eq!(title(&bench).as_deref(), Some("b"));
}

#[test]
fn a_missing_track_whose_length_is_known_lasts_as_long_as_it_does_elsewhere() {
    let mut bench = Bench::new(start());
    bench.add(&[track("a", 100), track("b", 10)]);
    lose(&mut bench, "a");
    bench.command(Command::Play { entry: None });
    bench.wait(90 * SECOND);
    assert_eq!(title(&bench).as_deref(), Some("a"));
}

#[test]
fn the_playing_file_stays_known_while_hundreds_of_others_are_asked_for() {
    let mut bench = Bench::new(start());
    bench.add(&[track("long", 100_000)]);
    bench.command(Command::Play { entry: None });
    let started = bench.seen.len();
    for n in 0..300 {
        bench.add(&[track(&format!("t{n}"), 10)]);
        bench.command(Command::QueueMove { entry: entry_of(&bench, n + 1), index: 1 });
        assert!(bench.plan.segments[0].source.is_some(), "after {n} others");
    }
    let silenced = |output: &Output| match output {
        Output::Audio(AudioCommand::Plan(plan)) => {
            plan.segments.first().is_some_and(|first| first.track.as_str() == "long" && first.source.is_none())
        }
        _ => false,
    };
    assert!(!bench.seen.iter().skip(started).any(silenced));
}
