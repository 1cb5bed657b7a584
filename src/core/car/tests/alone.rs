//! A car in no convoy: a player like any other.

use super::*;
use crate::core::playlist::DURATION_MAX_US;

#[test]
fn a_car_that_is_in_no_convoy_is_a_player_of_its_own() {
    let mut bench = Bench::new(start());
    bench.add(&[track("a", 10), track("b", 10)]);
    let played = bench.command(Command::Play { entry: None });
    assert_eq!(bench.reach(played), Some(Reach::Convoy));
    let segments = &bench.plan.segments;
    assert_eq!(segments.len(), 2);
    assert_eq!(segments[0].ends, Some(segments[1].starts));
    assert_eq!(segments[1].starts - segments[0].starts, 10 * SECOND);
    assert_eq!(bench.status().changes.pending, 0);
}

#[test]
fn tracks_follow_each_other_and_the_end_of_the_playlist_stops() {
    let mut bench = Bench::new(start());
    bench.add(&[track("a", 10), track("b", 10)]);
    bench.command(Command::Play { entry: None });
    bench.wait(11 * SECOND);
    let playing = bench.status().now_playing;
    assert_eq!((playing.track.unwrap().title.as_str(), playing.index), ("b", Some(1)));
    bench.wait(12 * SECOND);
    assert!(!bench.status().now_playing.playing);
    assert!(bench.plan.segments.is_empty());
    bench.command(Command::Play { entry: None });
    bench.wait(SECOND);
    assert_eq!(bench.status().now_playing.index, Some(0));
}

#[test]
fn a_full_disk_refuses_the_change_and_the_music_goes_on() {
    let mut bench = Bench::new(start());
    bench.add(&[track("a", 60)]);
    bench.command(Command::Play { entry: None });
    bench.disk = false;
    let paused = bench.command(Command::Pause);
    let change = crate::core::changes::ChangeId { device: me(), sequence: 3 };
    bench.give(Input::NotStored { change, problem: "the disk is full".into() });
    assert_eq!(bench.reply(paused), Some(&Err(Refusal::Failed("the disk is full".into()))));
    assert_eq!(bench.plan.segments.len(), 1);
    bench.wait(SECOND);
    assert!(bench.status().now_playing.playing);
}

#[test]
fn after_a_reboot_the_music_resumes_where_it_was() {
    let mut bench = Bench::new(start());
    bench.add(&[track("a", 1_000)]);
    bench.command(Command::Play { entry: None });
    bench.wait(40 * SECOND);
    let position_us = bench.status().now_playing.position_us;
    let saved = Some(bench.car.saved(bench.now));
    let mut rebooted = Bench::new(Start { saved, ..start() });
    rebooted.wait(SECOND);
    let resumed_us = rebooted.status().now_playing.position_us;
    assert!((resumed_us - position_us - SECOND).abs() < 1_000, "{resumed_us} after {position_us}");
}

#[test]
fn what_was_done_since_the_state_was_kept_counts_after_a_crash() {
    let mut bench = Bench::new(start());
    bench.add(&[track("a", 1_000)]);
    bench.command(Command::Play { entry: None });
    bench.wait(2 * SECOND);
    let saved = Some(bench.car.saved(bench.now));
    let kept = bench.seen.len();
    bench.wait(14 * SECOND);
    bench.add(&[track("b", 10)]);
    bench.command(Command::Seek { position_us: 600 * SECOND });
    let stored = |output: &Output| if let Output::Store(change) = output { Some((**change).clone()) } else { None };
    let tail: Vec<Change> = bench.seen.iter().skip(kept).filter_map(stored).collect();
    assert_eq!(tail.len(), 2);
    for saved in [saved, None] {
        let whole = saved.is_some();
        let mut again = Bench::new(Start { saved, tail: tail.clone(), sequence: 4, ..start() });
        again.wait(SECOND);
        assert_eq!(again.queue(), if whole { vec!["a", "b"] } else { vec!["b"] });
        let position_us = again.status().now_playing.position_us;
        assert!((600 * SECOND..602 * SECOND).contains(&position_us), "{position_us}");
        assert_eq!(again.car.own.next_id().sequence, 5);
    }
}

#[test]
fn what_was_stored_and_not_settled_when_the_power_went_is_settled_at_the_next_start() {
    let mut bench = Bench::new(start());
    bench.add(&[track("a", 10)]);
    let stored = |output: &Output| if let Output::Store(change) = output { Some((**change).clone()) } else { None };
    let pending: Vec<Change> = bench.seen.iter().filter_map(stored).collect();
    let again = Bench::new(Start { pending, ..start() });
    assert_eq!((again.queue().len(), again.status().changes.pending), (1, 0));
    let applied = |output: &Output| matches!(output, Output::Settle { verdict: Verdict::Applied, .. });
    assert!(again.seen.iter().any(applied));
}

#[test]
fn a_seek_stays_within_the_track() {
    let mut bench = Bench::new(start());
    bench.add(&[track("a", 100)]);
    bench.command(Command::Play { entry: None });
    bench.wait(SECOND);
    let beyond = bench.command(Command::Seek { position_us: 101 * SECOND });
    assert!(matches!(bench.reply(beyond), Some(Err(Refusal::Invalid(text))) if text.contains("1:40")));
    bench.command(Command::SeekBy { offset_us: -50 * SECOND });
    bench.wait(SECOND);
    assert!(bench.status().now_playing.position_us < SECOND);
    bench.command(Command::Seek { position_us: 90 * SECOND });
    bench.wait(SECOND);
    let position_us = bench.status().now_playing.position_us;
    assert!((90 * SECOND..92 * SECOND).contains(&position_us), "{position_us}");
}

#[test]
fn next_and_previous_do_what_every_player_does() {
    let mut bench = Bench::new(start());
    bench.add(&[track("a", 100), track("b", 100)]);
    bench.command(Command::Play { entry: None });
    bench.command(Command::Next);
    bench.wait(5 * SECOND);
    assert_eq!(bench.status().now_playing.index, Some(1));
    bench.command(Command::Previous);
    bench.wait(SECOND);
    let playing = bench.status().now_playing;
    assert!(playing.index == Some(1) && playing.position_us < SECOND);
    bench.command(Command::Previous);
    bench.wait(SECOND);
    assert_eq!(bench.status().now_playing.index, Some(0));
    bench.command(Command::Next);
    bench.wait(SECOND);
    let last = bench.command(Command::Next);
    assert!(matches!(bench.reply(last), Some(Err(Refusal::Invalid(_)))));
}

#[test]
fn pause_and_play_keep_the_place_to_the_microsecond() {
    let mut bench = Bench::new(start());
    bench.add(&[track("a", 100)]);
    bench.command(Command::Play { entry: None });
    bench.wait(7 * SECOND);
    bench.command(Command::Toggle);
    bench.wait(SECOND);
    let paused_us = bench.status().now_playing.position_us;
    bench.wait(60 * SECOND);
    assert_eq!(bench.status().now_playing.position_us, paused_us);
    bench.command(Command::Toggle);
    assert_eq!(bench.plan.segments[0].position_us, paused_us);
}

#[test]
fn additions_go_where_they_are_put_in_the_order_given() {
    let mut bench = Bench::new(start());
    bench.add(&[track("a", 1), track("b", 1)]);
    let tracks = ["x", "y"].map(|name| Addition::Known(Box::new(track(name, 1)))).into();
    bench.command(Command::QueueAdd { tracks, index: Some(1) });
    assert_eq!(bench.queue(), ["a", "x", "y", "b"]);
    let entry = bench.car.queue().next().unwrap().0.clone();
    bench.command(Command::QueueMove { entry: entry.clone(), index: 2 });
    assert_eq!(bench.queue(), ["x", "y", "a", "b"]);
    bench.command(Command::QueueRemove { entry });
    assert_eq!(bench.queue(), ["x", "y", "b"]);
    let unknown = bench.command(Command::QueueRemove { entry: EntryId::new("nobody").unwrap() });
    assert!(matches!(bench.reply(unknown), Some(Err(Refusal::Invalid(_)))));
    bench.command(Command::QueueClear);
    assert!(bench.queue().is_empty());
}

#[test]
fn too_much_or_nonsense_is_refused_with_a_word_on_what_to_do() {
    let mut bench = Bench::new(start());
    for command in [
        Command::Play { entry: None },
        Command::Next,
        Command::Previous,
        Command::Seek { position_us: 5 },
        Command::Volume { level: f64::NAN },
        Command::Leave,
        Command::QueueAdd { tracks: vec![Addition::Url("ftp://x/y".into())], index: None },
        Command::QueueAdd { tracks: vec![Addition::Url("http://x".into()); 1_001], index: None },
    ] {
        let request = bench.command(command.clone());
        assert!(matches!(bench.reply(request), Some(Err(Refusal::Invalid(_)))), "{command:?}");
    }
    let long = format!("https://example.org/{}.mp3", "é".repeat(1_000));
    let added = bench.command(Command::QueueAdd { tracks: vec![Addition::Url(long)], index: None });
    assert!(matches!(bench.reply(added), Some(Ok(_))));
}

#[test]
fn a_track_that_is_missing_here_is_silence_in_time_and_said_so() {
    let mut bench = Bench::new(start());
    bench.add(&[track("a", 10), track("b", 10)]);
    let missing = TrackEvent::Missing { track: TrackId::new("a").unwrap(), problem: "gone".into() };
    bench.give(Input::Track(missing));
    bench.command(Command::Play { entry: None });
    assert_eq!(bench.plan.segments[0].source, None);
    assert!(bench.plan.segments[1].source.is_some());
    bench.wait(SECOND);
    assert_eq!(skipped(&bench), ["a"]);
}

fn skipped(bench: &Bench) -> Vec<&str> {
    let mut tracks = Vec::new();
    for output in &bench.seen {
        if let Output::Notice(Notice::TrackSkipped { track, .. }) = output {
            tracks.push(track.as_str());
        }
    }
    tracks
}

#[test]
fn a_track_that_is_missing_is_said_to_be_skipped_when_its_turn_comes_and_once() {
    let mut bench = Bench::new(start());
    bench.add(&[track("a", 10), track("b", 10), track("c", 10)]);
    bench.command(Command::Play { entry: None });
    let missing = || TrackEvent::Missing { track: TrackId::new("b").unwrap(), problem: "gone".into() };
    bench.give(Input::Track(missing()));
    bench.wait(5 * SECOND);
    assert!(skipped(&bench).is_empty(), "it is only looked ahead at");
    bench.wait(7 * SECOND);
    bench.give(Input::Track(missing()));
    bench.command(Command::Seek { position_us: SECOND });
    bench.wait(SECOND);
    assert_eq!(skipped(&bench), ["b"]);
    bench.command(Command::Previous);
    bench.command(Command::Previous);
    bench.wait(SECOND);
    bench.command(Command::Next);
    bench.wait(SECOND);
    assert_eq!(skipped(&bench), ["b", "b"], "and again when it is its turn again");
}

#[test]
fn a_track_that_was_missing_is_asked_for_again_when_the_car_is_back_online() {
    let mut bench = Bench::new(in_convoy());
    bench.join(Snapshot::default(), 0);
    bench.add(&[track("a", 100)]);
    bench.command(Command::Play { entry: None });
    bench.ack_all(&Verdict::Applied);
    bench.server(ServerEvent::Down { reason: "tunnel".into() });
    bench.give(Input::Track(TrackEvent::Missing { track: TrackId::new("a").unwrap(), problem: "no network".into() }));
    let asked = |bench: &Bench| bench.seen.iter().filter(|output| matches!(output, Output::Resolve(_))).count();
    let (before, snapshot) = (asked(&bench), bench.car.state.clone());
    bench.join(snapshot, 0);
    bench.wait(5 * SECOND);
    assert_eq!(asked(&bench), before + 1);
}

#[test]
fn a_position_read_during_a_controls_lead_is_that_of_the_timeline_still_in_force() {
    let mut bench = Bench::new(start());
    bench.add(&[track("a", 100)]);
    // Between the snapshots that are taken when something happens, readers run the last one on.
    let read = |bench: &Bench, us| bench.status().at(bench.now + us).now_playing.position_us;
    bench.command(Command::Play { entry: None });
    let lead_us = bench.status().lead_us;
    assert_eq!((read(&bench, lead_us - 1), read(&bench, lead_us + 5)), (0, 5), "the first start");
    bench.wait(10 * SECOND);
    bench.command(Command::Pause);
    let paused_us = read(&bench, lead_us);
    assert_eq!((read(&bench, lead_us - 50), read(&bench, SECOND)), (paused_us - 50, paused_us), "a pause");
    bench.wait(SECOND);
    bench.command(Command::Play { entry: None });
    assert_eq!((read(&bench, lead_us - 1), read(&bench, lead_us + 7)), (paused_us, paused_us + 7), "going on");
    bench.wait(SECOND);
    let before_us = read(&bench, 0);
    bench.command(Command::Seek { position_us: 50 * SECOND });
    assert_eq!(
        (read(&bench, lead_us - 1), read(&bench, lead_us + 9)),
        (before_us + lead_us - 1, 50 * SECOND + 9),
        "a seek"
    );
}

#[test]
fn next_in_an_empty_playlist_says_that_it_is_empty_and_what_to_do() {
    let mut bench = Bench::new(start());
    let next = bench.command(Command::Next);
    let said = |text: &str| text.contains("empty") && text.contains("jamzctl queue add");
    assert!(matches!(bench.reply(next), Some(Err(Refusal::Invalid(text))) if said(text)));
}

#[test]
fn a_track_of_absurd_length_plays_as_one_of_unknown_length() {
    for duration_us in [i64::MIN, -1, 0, DURATION_MAX_US + 1, i64::MAX] {
        let mut bench = Bench::new(start());
        bench.add(&[Track { duration_us: Some(duration_us), ..track("a", 1) }, track("b", 10)]);
        bench.command(Command::Play { entry: None });
        bench.wait(60 * SECOND);
        let playing = bench.status().now_playing;
        assert_eq!((playing.playing, playing.index), (true, Some(0)), "{duration_us}");
        assert!((59 * SECOND..=60 * SECOND).contains(&playing.position_us), "{duration_us}");
    }
}
