//! Whose controls count, when two act at nearly the same time or when someone means harm.

use super::*;
use crate::core::changes::ChangeId;
use crate::core::election::Term;
use crate::core::timeline::Anchor;

fn by(device: &str, sequence: u64, time: ConvoyTime, action: Action) -> Change {
    Change {
        id: ChangeId { device: DeviceId::new(device).unwrap(), sequence },
        hlc: Hlc { time_us: time.0, count: 0 },
        term: Term(0),
        user: None,
        action,
        signature: None,
    }
}

fn anchor(position_us: i64, at: ConvoyTime) -> Anchor {
    Anchor { entry: EntryId::new("e").ok(), track: TrackId::new("a").ok(), position_us, at, playing: true }
}

/// Led by another car, which plays a track from now on.
fn playing(bench: &Bench) -> Snapshot {
    let mut snapshot = led_by("other");
    let order = snapshot.playlist.place(None, None);
    let now = ConvoyTime(bench.now.0);
    let add = Action::Add { entry: EntryId::new("e").unwrap(), track: track("a", 1_000), order };
    assert_eq!(snapshot.apply(&by("other", 2, ConvoyTime(2), add)), Verdict::Applied);
    assert_eq!(snapshot.apply(&by("other", 3, now, Action::Play { anchor: anchor(0, now) })), Verdict::Applied);
    snapshot
}

#[test]
fn the_djs_last_control_counts_in_the_car_that_takes_control_at_the_same_moment() {
    let mut bench = Bench::new(in_convoy());
    bench.join(playing(&bench), 0);
    bench.wait(SECOND);
    let now = ConvoyTime(bench.now.0);
    bench.command(Command::Take);
    let seek = Action::Seek { anchor: anchor(25 * SECOND, now + 100_000) };
    bench.server(ServerEvent::Change(Box::new(by("other", 4, now - 50_000, seek))));
    bench.wait(SECOND);
    let position_us = bench.status().now_playing.position_us;
    assert!((position_us - 25 * SECOND - 900_000).abs() < 10_000, "{position_us}");
    assert!(bench.status().is_controller);
}

#[test]
fn the_whole_state_is_asked_for_when_a_change_counts_for_the_server_and_cannot_be_taken_in_here() {
    let mut bench = Bench::new(in_convoy());
    bench.join(playing(&bench), 0);
    let now = ConvoyTime(bench.now.0);
    let asked = |bench: &Bench| bench.sent().iter().filter(|c| matches!(c, ServerCommand::Join { .. })).count();
    let before = asked(&bench);
    let seek = Action::Seek { anchor: anchor(25 * SECOND, now) };
    bench.server(ServerEvent::Change(Box::new(by("stranger", 1, now, seek))));
    assert_eq!(asked(&bench), before + 1);
}

#[test]
fn a_control_dated_hours_ahead_blocks_nobody() {
    let hours = 23 * 3_600 * SECOND;
    let mut bench = Bench::new(in_convoy());
    let mut snapshot = playing(&bench);
    let far = anchor(0, ConvoyTime(bench.now.0 + hours));
    let pause = Action::Pause { anchor: Anchor { playing: false, ..far } };
    assert_eq!(snapshot.apply(&by("other", 4, ConvoyTime(bench.now.0 + 1), pause)), Verdict::Applied);
    bench.join(snapshot, 0);
    bench.command(Command::Take);
    bench.command(Command::Seek { position_us: 50 * SECOND });
    bench.wait(SECOND);
    let position_us = bench.status().now_playing.position_us;
    assert!((50 * SECOND..52 * SECOND).contains(&position_us), "{position_us}");
    bench.command(Command::Pause);
    bench.wait(SECOND);
    assert!(!bench.status().now_playing.playing);
}

#[test]
fn a_control_dated_hours_ahead_is_not_taken_in() {
    let mut bench = Bench::new(in_convoy());
    bench.join(playing(&bench), 0);
    let now = ConvoyTime(bench.now.0);
    let seek = Action::Seek { anchor: anchor(0, now + 3_600 * SECOND) };
    bench.server(ServerEvent::Change(Box::new(by("other", 4, now, seek))));
    let refused = |output: &Output| matches!(output, Output::Record { verdict: Verdict::Refused { .. }, .. });
    assert!(bench.seen.iter().any(refused));
    assert_eq!(bench.plan.segments.len(), 1);
}

#[test]
fn control_that_was_taken_in_a_tunnel_does_not_undo_what_the_convoy_heard_since() {
    let mut bench = Bench::new(in_convoy());
    let mut theirs = playing(&bench);
    bench.join(theirs.clone(), 0);
    bench.wait(SECOND);
    bench.server(ServerEvent::Down { reason: "a tunnel".into() });
    bench.command(Command::Take);
    bench.wait(20 * SECOND);
    let now = ConvoyTime(bench.now.0);
    let seek = Action::Seek { anchor: anchor(500 * SECOND, now) };
    assert_eq!(theirs.apply(&by("other", 4, now, seek)), Verdict::Applied);
    bench.server(ServerEvent::Up { dialect: Dialect::Jamz, challenge: None });
    bench.join(theirs, 0);
    bench.wait(SECOND);
    assert_eq!(bench.status().controller.as_deref(), Some("other"));
    assert!(bench.status().now_playing.position_us >= 500 * SECOND);
    assert_eq!(bench.status().changes.pending, 0);
}
