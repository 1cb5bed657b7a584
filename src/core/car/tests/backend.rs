//! A car on today's backend: wall clocks, whole lists, no acknowledgements.

use super::*;
use crate::core::backend::{BackendAction, BackendCommand, BackendEvent, Dated};

/// The wall clock runs this far ahead of the monotonic one.
pub(super) const WALL_US: i64 = 1_760_000_000 * SECOND;

pub(super) fn connected() -> Bench {
    let mut bench = Bench::new(in_convoy());
    let unix_us = bench.now.0 + WALL_US;
    bench.give(Input::WallClock { unix_us, synchronized: true });
    bench.server(ServerEvent::Up { dialect: Dialect::Backend, challenge: None });
    bench
}

pub(super) fn dated(bench: &Bench, position_us: i64) -> Dated {
    Dated { position_us, unix_ms: Some((bench.now.0 + WALL_US) / 1_000) }
}

pub(super) fn say(bench: &mut Bench, event: BackendEvent) {
    let received = bench.now;
    bench.server(ServerEvent::Backend { event, received });
}

pub(super) fn session(bench: &mut Bench, playlist: &[Track], playing: bool, position_us: i64) {
    let event = BackendEvent::Session {
        playlist: playlist.to_vec(),
        current: playlist.first().cloned(),
        controller: Some("socket-of-the-dj".into()),
        playing,
        dated: dated(bench, position_us),
    };
    say(bench, event);
}

pub(super) fn said(bench: &Bench) -> Vec<BackendCommand> {
    let command = |c: &ServerCommand| if let ServerCommand::Backend(said) = c { Some(said.clone()) } else { None };
    bench.sent().into_iter().filter_map(command).collect()
}

pub(super) fn position_us(bench: &Bench) -> i64 {
    bench.status().now_playing.position_us
}

pub(super) fn take(bench: &mut Bench) {
    bench.command(Command::Take);
    let ours = BackendEvent::Controller { socket_id: Some("our-socket".into()), user_id: UserId::new("ann").ok() };
    say(bench, ours);
}

#[test]
fn it_joins_by_the_backends_own_event_and_plays_what_plays() {
    let mut bench = connected();
    assert!(matches!(said(&bench).first(), Some(BackendCommand::JoinSession { .. })));
    session(&mut bench, &[track("a", 100), track("b", 100)], true, 30 * SECOND);
    bench.wait(SECOND);
    assert!((position_us(&bench) - 31 * SECOND).abs() < 5_000);
    assert_eq!(bench.queue(), ["a", "b"]);
    assert_eq!(bench.plan.segments.len(), 1, "the DJ says what comes next");
}

#[test]
fn the_web_clients_controls_are_followed() {
    let mut bench = connected();
    session(&mut bench, &[track("a", 100), track("b", 100)], true, 0);
    let paused = dated(&bench, 12 * SECOND);
    let control = |action, dated| BackendEvent::Control { action, track: None, track_id: None, dated };
    say(&mut bench, control(BackendAction::Pause, paused));
    assert!(bench.plan.segments.is_empty());
    bench.wait(5 * SECOND);
    assert_eq!(position_us(&bench), 12 * SECOND);
    let played = dated(&bench, 50 * SECOND);
    say(&mut bench, control(BackendAction::Play, played));
    bench.wait(SECOND);
    assert!((position_us(&bench) - 51 * SECOND).abs() < 5_000);
    let changed = BackendEvent::TrackChanged { track: track("b", 100), autoplay: true, dated: dated(&bench, 0) };
    say(&mut bench, changed);
    assert_eq!(bench.status().now_playing.index, Some(1));
}

#[test]
fn a_position_sync_corrects_real_drift_and_ignores_noise() {
    let mut bench = connected();
    session(&mut bench, &[track("a", 100)], true, 0);
    bench.wait(5 * SECOND);
    let sync = |bench: &mut Bench, position_us| {
        let dated = dated(bench, position_us);
        say(bench, BackendEvent::PositionSync { track_id: TrackId::new("a").ok(), dated });
    };
    sync(&mut bench, 5 * SECOND + 30_000);
    assert!((position_us(&bench) - 5 * SECOND).abs() < 5_000);
    sync(&mut bench, 5 * SECOND + 400_000);
    assert!((position_us(&bench) - 5 * SECOND - 400_000).abs() < 5_000);
}

#[test]
fn a_date_from_a_wrong_clock_counts_as_of_its_arrival() {
    let mut bench = connected();
    session(&mut bench, &[track("a", 100)], true, 0);
    let ten_years_ahead =
        Dated { position_us: 40 * SECOND, unix_ms: Some((bench.now.0 + WALL_US) / 1_000 + 315_360_000_000) };
    say(
        &mut bench,
        BackendEvent::Control { action: BackendAction::Seek, track: None, track_id: None, dated: ten_years_ahead },
    );
    bench.wait(SECOND);
    assert!((position_us(&bench) - 41 * SECOND).abs() < 5_000);
}

#[test]
fn as_dj_it_says_what_the_web_client_expects() {
    let mut bench = connected();
    session(&mut bench, &[track("a", 20), track("b", 100)], false, 0);
    let denied = bench.command(Command::Play { entry: None });
    assert!(matches!(bench.reply(denied), Some(Err(Refusal::Denied(_)))));
    take(&mut bench);
    assert!(bench.status().is_controller);
    bench.command(Command::Play { entry: None });
    bench.wait(SECOND);
    let is_play = |c: &BackendCommand| matches!(c, BackendCommand::Control { action: BackendAction::Play, .. });
    assert!(said(&bench).iter().any(is_play));
    bench.wait(16 * SECOND);
    let syncs = said(&bench).iter().filter(|c| matches!(c, BackendCommand::PositionSync { .. })).count();
    assert_eq!(syncs, 3, "every 5 s");
    bench.wait(5 * SECOND);
    let rolled = |c: &BackendCommand| match c {
        BackendCommand::TrackChange { track, autoplay, .. } => *autoplay && track.id.as_str() == "b",
        _ => false,
    };
    assert!(said(&bench).iter().any(rolled), "at the end of a track the DJ says what comes next");
    bench.command(Command::Seek { position_us: 50 * SECOND });
    bench.wait(SECOND);
    let is_seek = |c: &BackendCommand| match c {
        BackendCommand::Control { action: BackendAction::Seek, dated, .. } => dated.position_us == 50 * SECOND,
        _ => false,
    };
    assert!(said(&bench).iter().any(is_seek));
}

#[test]
fn an_addition_that_another_client_overwrote_is_merged_and_written_again() {
    let mut bench = connected();
    session(&mut bench, &[track("a", 100)], false, 0);
    bench.add(&[track("ours", 100)]);
    bench.wait(SECOND);
    say(&mut bench, BackendEvent::Playlist { tracks: vec![track("a", 100), track("theirs", 100)] });
    assert_eq!(bench.queue(), ["a", "theirs", "ours"]);
    let last = said(&bench)
        .into_iter()
        .rev()
        .find_map(|c| if let BackendCommand::Playlist { tracks } = c { Some(tracks) } else { None });
    assert_eq!(last.map(|tracks| tracks.len()), Some(3));
    bench.wait(10 * SECOND);
    say(&mut bench, BackendEvent::Playlist { tracks: vec![track("theirs", 100)] });
    assert_eq!(bench.queue(), ["theirs"], "later removals by others count");
}

#[test]
fn without_ntp_the_bound_says_so() {
    let mut bench = Bench::new(in_convoy());
    bench.give(Input::WallClock { unix_us: 5 * SECOND, synchronized: false });
    bench.server(ServerEvent::Up { dialect: Dialect::Backend, challenge: None });
    session(&mut bench, &[track("a", 100)], true, 30 * SECOND);
    bench.wait(SECOND);
    assert!(bench.status().clock.bound_us.unwrap() >= SECOND);
    assert!((position_us(&bench) - 31 * SECOND).abs() < 5_000, "positions count as of their arrival");
}

pub(super) fn lists(bench: &Bench) -> Vec<Vec<String>> {
    let list = |c| if let BackendCommand::Playlist { tracks } = c { Some(tracks) } else { None };
    let names = |tracks: Vec<Track>| tracks.into_iter().map(|track| track.title).collect();
    said(bench).into_iter().filter_map(list).map(names).collect()
}

pub(super) fn taken(bench: &Bench) -> usize {
    said(bench).iter().filter(|c| matches!(c, BackendCommand::TakeControl)).count()
}

pub(super) fn changes_of_track(bench: &Bench) -> usize {
    said(bench).iter().filter(|c| matches!(c, BackendCommand::TrackChange { .. })).count()
}

/// As DJ, 10 s into the first of two tracks.
pub(super) fn leading() -> Bench {
    let mut bench = connected();
    session(&mut bench, &[track("a", 100), track("b", 100)], false, 0);
    take(&mut bench);
    bench.command(Command::Play { entry: None });
    bench.wait(10 * SECOND);
    bench
}

#[test]
fn the_backend_hears_of_a_control_when_it_takes_effect() {
    let mut bench = leading();
    bench.seen.clear();
    bench.command(Command::Seek { position_us: 50 * SECOND });
    assert!(said(&bench).is_empty());
    bench.wait(SECOND);
    let seek = |c: &BackendCommand| {
        if let BackendCommand::Control { dated, .. } = c { Some(dated.position_us) } else { None }
    };
    assert_eq!(said(&bench).iter().find_map(seek), Some(50 * SECOND));
    assert_eq!(bench.status().changes.pending, 0);
}

#[test]
fn a_burst_of_additions_goes_out_as_one_list() {
    let mut bench = connected();
    session(&mut bench, &[], false, 0);
    let names: Vec<String> = (0..100).map(|n| format!("t{n}")).collect();
    let tracks: Vec<Track> = names.iter().map(|name| track(name, 10)).collect();
    bench.add(&tracks);
    bench.wait(SECOND);
    assert_eq!(lists(&bench), [names]);
}

#[test]
fn who_plays_while_nobody_leads_takes_control() {
    let mut bench = connected();
    session(&mut bench, &[track("a", 100)], false, 0);
    say(&mut bench, BackendEvent::Controller { socket_id: None, user_id: None });
    bench.command(Command::Play { entry: None });
    bench.wait(SECOND);
    assert_eq!(taken(&bench), 1);
    assert!(bench.status().is_controller);
}

#[test]
fn who_leads_does_not_follow() {
    let mut bench = leading();
    let dated = dated(&bench, 70 * SECOND);
    let seek = BackendEvent::Control { action: BackendAction::Seek, track: None, track_id: None, dated };
    say(&mut bench, seek);
    say(&mut bench, BackendEvent::PositionSync { track_id: TrackId::new("a").ok(), dated });
    say(&mut bench, BackendEvent::TrackChanged { track: track("b", 100), autoplay: true, dated });
    assert!((position_us(&bench) - 10 * SECOND).abs() < 200_000);
}

#[test]
fn what_plays_is_found_again_in_a_rewritten_list() {
    let mut bench = connected();
    session(&mut bench, &[], false, 0);
    bench.add(&[track("ours", 20)]);
    bench.wait(SECOND);
    take(&mut bench);
    bench.command(Command::Play { entry: None });
    bench.wait(SECOND);
    let ours = Track { duration_us: None, ..track("ours", 20) };
    say(&mut bench, BackendEvent::Playlist { tracks: vec![track("first", 9), ours, track("last", 9)] });
    assert_eq!(bench.status().now_playing.index, Some(1));
    bench.wait(25 * SECOND);
    assert_eq!(bench.status().now_playing.index, Some(2), "its length is still known, and the next one follows");
}

#[test]
fn a_removal_that_crosses_someone_elses_list_is_not_lost() {
    let mut bench = connected();
    session(&mut bench, &[track("a", 100), track("b", 100)], false, 0);
    let entry = bench.car.queue().next().map(|(entry, _)| entry.clone()).unwrap();
    bench.command(Command::QueueRemove { entry });
    say(&mut bench, BackendEvent::Playlist { tracks: vec![track("a", 100), track("b", 100), track("c", 100)] });
    bench.wait(SECOND);
    assert_eq!(bench.queue(), ["b", "c"]);
    assert_eq!(lists(&bench), [["b", "c"]]);
}

#[test]
fn a_control_about_an_unknown_track_does_not_move_another() {
    let mut bench = connected();
    session(&mut bench, &[track("a", 100)], true, 0);
    let dated = dated(&bench, 50 * SECOND);
    let track_id = TrackId::new("unknown").ok();
    say(&mut bench, BackendEvent::Control { action: BackendAction::Seek, track: None, track_id, dated });
    assert!(position_us(&bench) < SECOND);
}

#[test]
fn a_sync_for_another_track_of_the_list_changes_to_it() {
    let mut bench = connected();
    session(&mut bench, &[track("a", 100), track("b", 100)], true, 0);
    let dated = dated(&bench, 5 * SECOND);
    say(&mut bench, BackendEvent::PositionSync { track_id: TrackId::new("b").ok(), dated });
    assert_eq!(bench.status().now_playing.index, Some(1));
}

#[test]
fn a_wall_clock_that_is_set_does_not_move_the_music() {
    let mut bench = Bench::new(in_convoy());
    bench.give(Input::WallClock { unix_us: 5 * SECOND, synchronized: false });
    bench.server(ServerEvent::Up { dialect: Dialect::Backend, challenge: None });
    session(&mut bench, &[track("a", 100)], true, 30 * SECOND);
    for (unix_us, synchronized) in [(WALL_US / 2, false), (WALL_US, true), (WALL_US + 40 * SECOND, true)] {
        bench.give(Input::WallClock { unix_us, synchronized });
        assert!((position_us(&bench) - 30 * SECOND).abs() < 5_000, "{unix_us}");
    }
}

#[test]
fn a_session_that_was_left_says_nothing_any_more() {
    let mut bench = connected();
    session(&mut bench, &[track("a", 100)], true, 0);
    bench.command(Command::Leave);
    assert!(said(&bench).iter().any(|c| matches!(c, BackendCommand::LeaveSession { .. })));
    say(&mut bench, BackendEvent::Playlist { tracks: vec![track("b", 100)] });
    assert_eq!(bench.queue(), [""; 0]);
    bench.command(Command::Join { convoy: ConvoyId::new("other").unwrap() });
    say(&mut bench, BackendEvent::Playlist { tracks: vec![track("b", 100)] });
    assert_eq!(bench.queue(), [""; 0]);
    session(&mut bench, &[track("c", 100)], true, 0);
    assert_eq!(bench.queue(), ["c"]);
}

#[test]
fn a_track_that_the_others_have_not_loaded_is_changed_to_rather_than_played() {
    let mut bench = connected();
    session(&mut bench, &[], false, 0);
    bench.add(&[track("ours", 20)]);
    take(&mut bench);
    bench.command(Command::Play { entry: None });
    bench.wait(SECOND);
    assert_eq!(changes_of_track(&bench), 1);
    bench.command(Command::Pause);
    bench.wait(SECOND);
    bench.command(Command::Play { entry: None });
    bench.wait(SECOND);
    let is_play = |c: &BackendCommand| matches!(c, BackendCommand::Control { action: BackendAction::Play, .. });
    assert!(said(&bench).iter().any(is_play));
    assert_eq!(changes_of_track(&bench), 1);
}
