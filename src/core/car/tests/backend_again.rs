//! A car that comes back to today's backend: who knows better, and what has to be told.

use super::backend::*;
use super::*;
use crate::core::backend::{BackendCommand, BackendEvent};
use crate::core::status::ActiveSync;

/// The link breaks, and a while later the backend greets again.
fn rejoin(bench: &mut Bench, playlist: &[Track], current: Option<Track>, controller: Option<&str>) {
    bench.server(ServerEvent::Down { reason: "tunnel".into() });
    bench.wait(3 * SECOND);
    bench.seen.clear();
    bench.server(ServerEvent::Up { dialect: Dialect::Backend, challenge: None });
    let playing = current.is_some();
    let dated = dated(bench, 0);
    let controller = controller.map(str::to_owned);
    say(bench, BackendEvent::Session { playlist: playlist.to_vec(), current, controller, playing, dated });
}

#[test]
fn a_dj_who_was_away_leads_on_where_he_is() {
    let mut bench = leading();
    rejoin(&mut bench, &[track("a", 100), track("b", 100)], Some(track("a", 100)), Some("our-socket"));
    assert!((position_us(&bench) - 13 * SECOND).abs() < 200_000, "the backend's stale place does not count");
    assert!(bench.status().is_controller);
    assert_eq!((taken(&bench), changes_of_track(&bench)), (1, 0), "the others play on undisturbed");
    assert!(said(&bench).iter().any(|c| matches!(c, BackendCommand::PositionSync { .. })));
    let user_id = UserId::new("ann").ok();
    say(&mut bench, BackendEvent::Controller { socket_id: Some("our-socket".into()), user_id: user_id.clone() });
    say(&mut bench, BackendEvent::Controller { socket_id: Some("our-new-socket".into()), user_id });
    assert!(bench.status().is_controller);
    bench.wait(90 * SECOND);
    assert_eq!((bench.status().now_playing.index, changes_of_track(&bench)), (Some(1), 1));
}

#[test]
fn a_dj_who_led_others_over_links_meanwhile_is_heeded_when_the_backend_is_back() {
    let mut bench = leading();
    bench.server(ServerEvent::Down { reason: "tunnel".into() });
    // As after leading a component of the mesh.
    bench.car.state.term = crate::core::election::Term(3);
    let sought = bench.command(Command::Seek { position_us: 40 * SECOND });
    assert_eq!(bench.reach(sought), Some(Reach::Local));
    rejoin(&mut bench, &[track("a", 100), track("b", 100)], Some(track("a", 100)), Some("our-socket"));
    let back = bench.command(Command::Seek { position_us: 20 * SECOND });
    bench.wait(SECOND);
    assert!(bench.reach(back).is_some(), "{:?}", bench.reply(back));
    assert!((position_us(&bench) - 21 * SECOND).abs() < 300_000, "{}", position_us(&bench));
}

#[test]
fn a_dj_who_was_replaced_while_away_follows() {
    let mut bench = leading();
    rejoin(&mut bench, &[track("a", 100), track("b", 100)], Some(track("b", 100)), Some("another"));
    assert!(!bench.status().is_controller);
    assert_eq!((bench.status().now_playing.index, taken(&bench)), (Some(1), 0));
}

#[test]
fn a_backend_that_lost_everything_is_told_it_again() {
    let mut bench = leading();
    rejoin(&mut bench, &[], None, None);
    assert_eq!(lists(&bench), [["a", "b"]]);
    assert_eq!((taken(&bench), changes_of_track(&bench)), (1, 1));
    assert!((position_us(&bench) - 13 * SECOND).abs() < 200_000);
    assert!(!bench.plan.segments.is_empty(), "the music never stopped");
}

#[test]
fn a_listener_plays_on_when_the_backend_lost_everything() {
    let mut bench = connected();
    session(&mut bench, &[track("a", 10), track("b", 100)], true, 0);
    rejoin(&mut bench, &[], None, None);
    assert!(!bench.plan.segments.is_empty());
    assert_eq!((lists(&bench), taken(&bench)), (vec![vec!["a".to_owned(), "b".to_owned()]], 0));
    bench.wait(10 * SECOND);
    assert_eq!(bench.status().now_playing.index, Some(1), "nobody leads, and the list goes on");
}

#[test]
fn a_dj_knows_itself_again_after_a_restart() {
    let mut bench = leading();
    bench.wait(2 * SECOND);
    let saved = bench.seen.iter().rev().find_map(|o| if let Output::Remember(s) = o { Some(s.clone()) } else { None });
    let mut again = Bench::new(Start { saved: saved.map(|s| *s), same_boot: true, ..in_convoy() });
    again.now = bench.now;
    again.give(Input::WallClock { unix_us: again.now.0 + WALL_US, synchronized: true });
    rejoin(&mut again, &[track("a", 100), track("b", 100)], Some(track("a", 100)), Some("our-socket"));
    assert!(again.status().is_controller);
    assert!((position_us(&again) - 15 * SECOND).abs() < 200_000);
}

#[test]
fn what_a_dj_did_alone_counts_and_what_a_listener_did_alone_does_not() {
    for (leads, controller) in [(true, "our-socket"), (false, "another")] {
        let mut bench = leading();
        bench.server(ServerEvent::Down { reason: "tunnel".into() });
        bench.command(Command::Seek { position_us: 80 * SECOND });
        rejoin(&mut bench, &[track("a", 100), track("b", 100)], Some(track("a", 100)), Some(controller));
        let wanted = if leads { 83 } else { 0 };
        assert!((position_us(&bench) - wanted * SECOND).abs() < 500_000, "{leads}");
        let superseded =
            bench.seen.iter().any(|o| matches!(o, Output::Settle { verdict: Verdict::Superseded { .. }, .. }));
        assert_eq!((superseded, bench.status().changes.pending), (!leads, 0));
    }
}

#[test]
fn what_was_done_alone_goes_out_when_the_backend_returns() {
    let mut bench = connected();
    session(&mut bench, &[track("a", 100)], false, 0);
    bench.server(ServerEvent::Down { reason: "tunnel".into() });
    bench.add(&[track("ours", 100)]);
    bench.server(ServerEvent::Up { dialect: Dialect::Backend, challenge: None });
    session(&mut bench, &[track("a", 100), track("theirs", 100)], false, 0);
    assert_eq!(bench.queue(), ["a", "ours", "theirs"], "the place that was meant is kept");
    let last = said(&bench)
        .into_iter()
        .rev()
        .find_map(|c| if let BackendCommand::Playlist { tracks } = c { Some(tracks) } else { None });
    assert_eq!(last.map(|tracks| tracks.len()), Some(3));
    assert_eq!(bench.status().changes.pending, 0);
}

#[test]
fn the_greetings_list_that_comes_again_for_older_clients_undoes_nothing() {
    let old = || vec![track("a", 100)];
    for (greeted, wanted) in [(vec![], vec!["a", "b", "ours"]), (old(), vec!["a", "ours"])] {
        let mut bench = leading();
        bench.server(ServerEvent::Down { reason: "tunnel".into() });
        bench.add(&[track("ours", 100)]);
        rejoin(&mut bench, &greeted, None, None);
        say(&mut bench, BackendEvent::Playlist { tracks: greeted });
        assert_eq!(bench.queue(), wanted);
        assert_eq!(lists(&bench), [wanted]);
        say(&mut bench, BackendEvent::Playlist { tracks: old() });
        assert_eq!(bench.queue(), ["a"], "later lists count");
    }
}

/// The path to the server answers.
fn alive(bench: &mut Bench) {
    let (sent, received) = (bench.now - 20_000, bench.now);
    bench.server(ServerEvent::Alive { sent, received });
}

fn is_online(bench: &Bench) -> bool {
    bench.status().connection.active_sync == ActiveSync::Socket
}

#[test]
fn a_backend_that_lives_and_never_greets_is_joined_all_the_same() {
    let mut bench = connected();
    assert!(bench.probes_sent() > 0, "it is asked whether it lives");
    bench.wait(4 * SECOND);
    assert!(!is_online(&bench), "nothing says that it lives");
    alive(&mut bench);
    bench.wait(SECOND);
    assert!(is_online(&bench));
    let added = bench.add(&[track("ours", 100)]);
    bench.wait(SECOND);
    assert_eq!((bench.reach(added), lists(&bench)), (Some(Reach::Convoy), vec![vec!["ours".to_owned()]]));
}

#[test]
fn a_backend_without_a_greeting_is_not_overwritten_with_a_list_that_nobody_edited() {
    let mut bench = connected();
    session(&mut bench, &[track("a", 100)], true, 0);
    bench.server(ServerEvent::Down { reason: "tunnel".into() });
    bench.seen.clear();
    bench.server(ServerEvent::Up { dialect: Dialect::Backend, challenge: None });
    alive(&mut bench);
    bench.wait(6 * SECOND);
    assert!(is_online(&bench) && lists(&bench).is_empty());
    assert_eq!(bench.queue(), ["a"]);
    assert!(bench.status().now_playing.playing, "the music never stopped");
}

#[test]
fn what_an_older_backend_says_instead_of_a_greeting_counts() {
    let mut bench = connected();
    bench.server(ServerEvent::Down { reason: "tunnel".into() });
    bench.add(&[track("ours", 100)]);
    bench.server(ServerEvent::Up { dialect: Dialect::Backend, challenge: None });
    alive(&mut bench);
    say(&mut bench, BackendEvent::Playlist { tracks: vec![track("a", 100)] });
    say(&mut bench, BackendEvent::Controller { socket_id: Some("another".into()), user_id: None });
    let dated = dated(&bench, 30 * SECOND);
    say(&mut bench, BackendEvent::TrackChanged { track: track("a", 100), autoplay: true, dated });
    bench.wait(4 * SECOND);
    assert_eq!(bench.status().controller.as_deref(), Some("another"));
    assert!((position_us(&bench) - 34 * SECOND).abs() < 5_000);
    let mut queue = bench.queue();
    queue.sort();
    assert_eq!((queue, bench.status().changes.pending), (vec!["a".to_owned(), "ours".to_owned()], 0));
    assert_eq!(lists(&bench).len(), 1, "the merged list is written");
}

#[test]
fn edits_of_a_list_that_is_too_long_for_the_backend_are_told_to_their_author_and_lose_no_link() {
    let mut bench = connected();
    session(&mut bench, &[track("a", 100)], false, 0);
    bench.add(&[track("ours", 100)]);
    bench.wait(SECOND);
    bench.server(ServerEvent::TooLong {
        reason: "`playlist-update` has 2000000 bytes; the server takes 1000000".into(),
    });
    let told = |output: &&Output| match output {
        Output::Settle { verdict: Verdict::Superseded { reason }, .. } => reason.contains("remove some"),
        _ => false,
    };
    assert_eq!(bench.seen.iter().filter(told).count(), 1);
    assert!(bench.seen.iter().any(|output| matches!(output, Output::Notice(Notice::Superseded { .. }))));
    assert!(is_online(&bench));
    assert_eq!(bench.queue(), ["a", "ours"]);
}
