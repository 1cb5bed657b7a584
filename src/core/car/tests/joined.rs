//! A car in a convoy, over a server; and what it does when the server is not there.

use super::*;
use crate::core::status::ActiveSync;

#[test]
fn a_control_is_durable_before_it_counts_or_leaves_the_car() {
    let mut bench = Bench::new(in_convoy());
    bench.join(Snapshot::default(), 0);
    bench.disk = false;
    let added = bench.add(&[track("a", 10)]);
    assert!(bench.queue().is_empty() && bench.changes_sent().is_empty());
    let id = bench.car.own.next_id();
    let first = crate::core::changes::ChangeId { sequence: id.sequence - 1, ..id };
    bench.give(Input::Stored(first));
    assert_eq!(bench.queue(), ["a"]);
    assert_eq!(bench.changes_sent().len(), 1);
    assert_eq!(bench.reply(added), None);
    bench.ack_all(&Verdict::Applied);
    assert_eq!(bench.reach(added), Some(Reach::Convoy));
}

#[test]
fn what_the_server_did_not_acknowledge_is_sent_again_after_the_link_returns() {
    let mut bench = Bench::new(in_convoy());
    bench.join(Snapshot::default(), 7 * SECOND);
    let added = bench.add(&[track("a", 10)]);
    bench.server(ServerEvent::Down { reason: "cut".into() });
    bench.wait(3 * SECOND);
    assert_eq!(bench.reach(added), Some(Reach::Local));
    assert_eq!(bench.status().changes.pending, 1);
    bench.join(Snapshot::default(), 7 * SECOND);
    assert_eq!(bench.changes_sent().len(), 2);
    assert_eq!(bench.queue(), ["a"]);
    bench.ack_all(&Verdict::Applied);
    assert_eq!(bench.status().changes.pending, 0);
}

#[test]
fn a_listener_is_denied_and_told_who_leads() {
    let mut bench = Bench::new(in_convoy());
    bench.join(led_by("other"), 0);
    let played = bench.command(Command::Pause);
    assert_eq!(bench.reach(played), Some(Reach::Convoy), "nothing plays, so nothing is to be paused");
    bench.add(&[track("a", 10)]);
    bench.ack_all(&Verdict::Applied);
    let played = bench.command(Command::Play { entry: None });
    assert!(matches!(bench.reply(played), Some(Err(Refusal::Denied(text))) if text.contains("other")));
    bench.command(Command::Take);
    bench.ack_all(&Verdict::Applied);
    let played = bench.command(Command::Play { entry: None });
    bench.ack_all(&Verdict::Applied);
    assert_eq!(bench.reach(played), Some(Reach::Convoy));
    assert!(bench.status().is_controller);
}

#[test]
fn what_a_listener_plays_alone_is_superseded_on_return_and_shown() {
    let mut bench = Bench::new(in_convoy());
    let mut snapshot = led_by("other");
    bench.join(snapshot.clone(), 0);
    bench.add(&[track("a", 100)]);
    bench.ack_all(&Verdict::Applied);
    for change in bench.changes_sent() {
        snapshot.apply(change);
    }
    bench.server(ServerEvent::Down { reason: "tunnel".into() });
    let played = bench.command(Command::Play { entry: None });
    assert_eq!(bench.reach(played), Some(Reach::Local));
    assert_eq!(bench.plan.segments.len(), 1);
    bench.join(snapshot, 0);
    assert!(bench.plan.segments.is_empty());
    assert!(bench.seen.iter().any(|output| matches!(output, Output::Notice(Notice::Superseded { .. }))));
    assert_eq!(bench.status().changes.pending, 0);
}

#[test]
fn what_the_server_overrules_is_undone_by_its_whole_state() {
    let mut bench = Bench::new(in_convoy());
    bench.join(Snapshot::default(), 0);
    let added = bench.add(&[track("a", 10)]);
    let before = bench.sent().len();
    bench.ack_all(&Verdict::Refused { reason: "the playlist is full".into() });
    assert!(matches!(bench.reply(added), Some(Err(Refusal::Denied(_)))));
    let asked = bench.sent().into_iter().skip(before).any(|command| matches!(command, ServerCommand::Join { .. }));
    assert!(asked);
    bench.server(ServerEvent::Joined { snapshot: Box::default(), members: Vec::new() });
    assert!(bench.queue().is_empty());
}

#[test]
fn a_car_is_silent_until_it_knows_the_convoys_time_and_commands_wait_for_it() {
    let mut bench = Bench::new(in_convoy());
    assert_eq!(bench.clock, None);
    bench.server(ServerEvent::Up { dialect: Dialect::Jamz, challenge: None });
    bench.server(ServerEvent::Joined { snapshot: Box::default(), members: Vec::new() });
    bench.add(&[track("a", 10)]);
    assert!(bench.changes_sent().is_empty() && bench.clock.is_none());
    for _ in 0..PROBES_ENOUGH {
        bench.probe(50 * SECOND);
        bench.wait(40_000);
    }
    let error = bench.clock.unwrap().convoy(bench.now) - ConvoyTime(bench.now.0 + 50 * SECOND);
    assert!(error.abs() < 1_000, "{error} us");
    assert_eq!(bench.changes_sent().len(), 1);
}

#[test]
fn a_server_that_never_answers_does_not_keep_a_car_silent() {
    let mut bench = Bench::new(in_convoy());
    bench.add(&[track("a", 10)]);
    bench.command(Command::Play { entry: None });
    bench.wait(AWAIT_US + 1);
    assert!(bench.clock.is_some());
    assert_eq!(bench.plan.segments.len(), 1);
}

#[test]
fn after_a_crash_the_car_plays_on_in_time_before_it_has_any_link() {
    let mut bench = Bench::new(in_convoy());
    bench.join(Snapshot::default(), 9 * SECOND);
    bench.add(&[track("a", 1_000)]);
    bench.command(Command::Play { entry: None });
    bench.wait(20 * SECOND);
    let saved = bench
        .seen
        .iter()
        .rev()
        .find_map(|o| if let Output::Remember(saved) = o { Some((**saved).clone()) } else { None })
        .unwrap();
    let position_us = bench.status().now_playing.position_us;
    let again = Start { saved: Some(saved), same_boot: true, ..in_convoy() };
    let mut restarted = Bench::new(again);
    restarted.now = bench.now;
    restarted.give(Input::Wake);
    assert!((restarted.status().now_playing.position_us - position_us).abs() < 1_000);
    assert!(restarted.clock.is_some());
    let id = restarted.car.own.next_id();
    assert!(id.sequence > 2, "sequence numbers are never used twice");
}

#[test]
fn leaving_takes_the_music_and_the_playlist_of_the_convoy_away() {
    let mut bench = Bench::new(in_convoy());
    bench.join(Snapshot::default(), 0);
    bench.add(&[track("a", 100)]);
    bench.command(Command::Play { entry: None });
    bench.command(Command::Leave);
    assert!(bench.plan.segments.is_empty() && bench.queue().is_empty());
    assert!(bench.sent().contains(&&ServerCommand::Leave));
    assert_eq!(bench.status().convoy, None);
}

#[test]
fn a_car_that_left_is_a_player_of_its_own_though_the_server_is_there() {
    let mut bench = Bench::new(in_convoy());
    bench.join(Snapshot::default(), 9 * SECOND);
    bench.command(Command::Leave);
    assert!(bench.status().connection.reason.contains("no convoy"));
    let before = bench.changes_sent().len();
    let added = bench.add(&[track("a", 100)]);
    assert_eq!(bench.reach(added), Some(Reach::Convoy));
    assert_eq!((bench.changes_sent().len(), bench.status().changes.pending), (before, 0));
    // What was on its way when we left is of no concern any more.
    bench.server(ServerEvent::Joined { snapshot: Box::new(led_by("other")), members: Vec::new() });
    assert_eq!(bench.queue(), ["a"]);
    assert_eq!(bench.status().controller, None);
}

#[test]
fn what_the_convoy_had_not_acknowledged_stays_behind_when_it_is_left_and_is_kept_in_the_history() {
    let mut bench = Bench::new(in_convoy());
    bench.join(Snapshot::default(), 0);
    bench.server(ServerEvent::Down { reason: "cut".into() });
    bench.add(&[track("a", 100)]);
    assert_eq!(bench.status().changes.pending, 1);
    bench.command(Command::Join { convoy: ConvoyId::new("another").unwrap() });
    let left = |output: &Output| matches!(output, Output::Settle { verdict: Verdict::Superseded { .. }, .. });
    assert!(bench.seen.iter().any(left));
    let before = bench.changes_sent().len();
    bench.join(Snapshot::default(), 0);
    assert_eq!(bench.changes_sent().len(), before);
    assert!(bench.queue().is_empty());
}

#[test]
fn a_convoy_joined_after_another_is_timed_by_its_own_clock() {
    let mut bench = Bench::new(in_convoy());
    bench.join(Snapshot::default(), 9 * SECOND);
    bench.command(Command::Join { convoy: ConvoyId::new("another").unwrap() });
    assert_eq!(bench.clock, None, "silent until its time is known");
    bench.join(Snapshot::default(), 70 * SECOND);
    let error = bench.clock.unwrap().convoy(bench.now) - ConvoyTime(bench.now.0 + 70 * SECOND);
    assert!(error.abs() < 1_000, "{error} us");
}

#[test]
fn a_start_in_another_convoy_keeps_volume_and_count_and_nothing_of_the_old_ones_music() {
    let mut bench = Bench::new(in_convoy());
    bench.join(Snapshot::default(), 0);
    bench.command(Command::Volume { level: 0.25 });
    bench.server(ServerEvent::Down { reason: "cut".into() });
    bench.add(&[track("a", 100)]);
    let saved = Some(bench.car.saved(bench.now));
    let pending = bench.car.own.stored_changes();
    let convoy = ConvoyId::new("another").ok();
    let mut moved = Bench::new(Start { convoy, saved, pending, sequence: 1, ..in_convoy() });
    assert!(moved.queue().is_empty());
    assert_eq!((moved.status().changes.pending, moved.status().volume.to_bits()), (0, 0.25_f64.to_bits()));
    assert_eq!(moved.car.own.next_id().sequence, 2);
}

#[test]
fn a_change_that_the_server_refuses_is_final_and_the_link_is_not_lost() {
    let mut bench = Bench::new(in_convoy());
    bench.join(Snapshot::default(), 0);
    let added = bench.add(&[track("a", 10)]);
    let change = bench.changes_sent()[0].id.clone();
    bench.server(ServerEvent::Refused { change: change.clone(), reason: "the track's title is too long".into() });
    assert!(matches!(bench.reply(added), Some(Err(Refusal::Denied(text))) if text.contains("too long")));
    let settled =
        Output::Settle { change, verdict: Verdict::Refused { reason: "the track's title is too long".into() } };
    assert!(bench.seen.contains(&settled), "the history has it");
    assert!(bench.seen.iter().any(|output| matches!(output, Output::Notice(Notice::Superseded { .. }))));
    bench.server(ServerEvent::Joined { snapshot: Box::default(), members: Vec::new() });
    let went = |output: &Output| matches!(output, Output::Notice(Notice::OfflineMode { .. }));
    bench.wait(SECOND);
    assert!(!bench.seen.iter().any(went), "the link is not lost");
    bench.wait(300 * SECOND);
    assert_eq!((bench.changes_sent().len(), bench.status().changes.pending), (1, 0), "it is never sent again");
    assert!(bench.queue().is_empty());
}

#[test]
fn a_change_that_the_server_cannot_take_now_is_sent_again_ever_more_seldom_and_the_link_is_not_lost() {
    let mut bench = Bench::new(in_convoy());
    bench.join(Snapshot::default(), 0);
    let added = bench.add(&[track("a", 10)]);
    let change = bench.changes_sent()[0].id.clone();
    let fail = |bench: &mut Bench| {
        bench.server(ServerEvent::Failed { change: change.clone(), reason: "the server's disk is full".into() });
    };
    fail(&mut bench);
    assert_eq!(bench.changes_sent().len(), 1, "not at once");
    bench.wait(SECOND);
    assert_eq!(bench.changes_sent().len(), 2, "on the same connection");
    assert_eq!(bench.status().connection.active_sync, ActiveSync::Socket);
    for _ in 0..100 {
        fail(&mut bench);
        bench.wait(10 * SECOND);
    }
    let sent = bench.changes_sent().len();
    assert!((15..40).contains(&sent), "{sent} times in 1,000 s");
    bench.wait(60 * SECOND);
    bench.server(ServerEvent::Acked { change, verdict: Verdict::Applied });
    assert_eq!((bench.status().changes.pending, bench.reach(added)), (0, Some(Reach::Local)));
    assert_eq!(bench.queue(), ["a"]);
}

#[test]
fn a_server_that_has_forgotten_this_car_is_asked_again_to_take_it_in() {
    let mut bench = Bench::new(in_convoy());
    bench.join(Snapshot::default(), 0);
    bench.add(&[track("a", 10)]);
    let change = bench.changes_sent()[0].id.clone();
    let asked = |bench: &Bench| bench.sent().iter().filter(|c| matches!(c, ServerCommand::Join { .. })).count();
    for _ in 0..2 {
        bench.server(ServerEvent::Failed { change: change.clone(), reason: "join the convoy first".into() });
        bench.wait(2 * SECOND);
    }
    assert_eq!(asked(&bench), 2);
    let before = bench.probes_sent();
    bench.server(ServerEvent::Rejected { reason: "the convoy is full".into() });
    assert_eq!(bench.status().connection.reason, "the convoy is full");
    bench.wait(REJOIN_US);
    assert_eq!(asked(&bench), 3, "and again, as it may have room now");
    let probes = bench.probes_sent() - before;
    assert!(probes < 50, "{probes} questions for the time in ten seconds");
}
