//! Cars in a session of today's backend that find each other there.

use super::backend::{connected, dated, said, say, session};
use super::*;
use crate::core::backend::{BackendAction, BackendCommand, BackendEvent};
use crate::core::status::{Member, MemberKind};
use crate::core::timeline::Anchor;

fn with_mesh() -> Bench {
    let mesh = MeshSettings { enabled: true, ..MeshSettings::default() };
    let mut bench = Bench::new(Start { mesh, ..in_convoy() });
    bench.server(ServerEvent::Up { dialect: Dialect::Backend, challenge: None });
    session(&mut bench, &[track("a", 100)], true, 0);
    bench
}

fn ben() -> Member {
    let device = key(9).device().to_string();
    Member { device, user: "ben".into(), name: "Ben's car".into(), online: true, kind: MemberKind::Car, tier: None }
}

fn asked(bench: &Bench) -> Vec<bool> {
    let ask = |command| if let BackendCommand::Present { ask, .. } = command { Some(ask) } else { None };
    said(bench).into_iter().filter_map(ask).collect()
}

#[test]
fn a_car_says_that_it_is_there_answers_who_asks_and_is_told_of_cars_that_are_gone() {
    let mut bench = with_mesh();
    assert_eq!(asked(&bench), [true]);
    say(&mut bench, BackendEvent::Present { member: ben(), ask: true });
    assert_eq!(asked(&bench), [true, false]);
    let offers = |o: &Output| matches!(o, Output::Mesh(crate::core::mesh::MeshCommand::Connect { .. }));
    assert!(bench.seen.iter().any(offers), "it is linked with");
    assert_eq!(bench.status().members.len(), 2);
    bench.wait(70 * SECOND);
    assert_eq!(asked(&bench).len(), 5, "every 20 s");
    assert_eq!(bench.status().members.len(), 1);
}

#[test]
fn a_car_without_a_mesh_says_nothing_of_itself_to_the_backends_browsers() {
    let mut bench = connected();
    session(&mut bench, &[track("a", 100)], true, 0);
    say(&mut bench, BackendEvent::Present { member: ben(), ask: true });
    assert!(asked(&bench).is_empty());
}

#[test]
fn the_backends_controller_is_known_as_the_car_it_is_whichever_is_heard_first() {
    let controller = || BackendEvent::Controller { socket_id: Some("x".into()), user_id: UserId::new("ben").ok() };
    let present = || BackendEvent::Present { member: ben(), ask: false };
    for events in [[controller(), present()], [present(), controller()]] {
        let mut bench = with_mesh();
        for event in events {
            say(&mut bench, event);
        }
        assert_eq!(bench.status().controller, Some(ben().device));
    }
}

#[test]
fn what_the_djs_car_said_exactly_is_not_moved_by_the_backends_echo_and_another_control_is_followed() {
    let mut bench = with_mesh();
    say(&mut bench, BackendEvent::Present { member: ben(), ask: false });
    let controller = BackendEvent::Controller { socket_id: Some("x".into()), user_id: UserId::new("ben").ok() };
    say(&mut bench, controller);
    bench.wait(SECOND);
    // As it comes over the mesh.
    let (entry, a) = bench.car.queue().next().map(|(entry, track)| (entry.clone(), track.clone())).unwrap();
    let at = bench.car.convoy_now(bench.now);
    let anchor = Anchor { entry: Some(entry), track: Some(a.id.clone()), position_us: 50 * SECOND, at, playing: true };
    let device = key(9).device().clone();
    let mut change = Change {
        id: crate::core::changes::ChangeId { device, sequence: 1 },
        hlc: Hlc { time_us: at.0, count: 9 },
        term: crate::core::election::Term(0),
        user: None,
        action: Action::Seek { anchor },
        signature: None,
    };
    key(9).sign_change(&mut change, &ConvoyId::new("convoy").unwrap());
    assert_eq!(bench.car.apply(&change, bench.now), Verdict::Applied);
    bench.wait(SECOND / 2);
    let echo = |bench: &Bench, position_us| BackendEvent::Control {
        action: BackendAction::Seek,
        track: Some(a.clone()),
        track_id: None,
        dated: dated(bench, position_us),
    };
    let late = echo(&bench, 50 * SECOND);
    say(&mut bench, late);
    assert_eq!(bench.status().now_playing.position_us, 50_500_000);
    let other = echo(&bench, 80 * SECOND);
    say(&mut bench, other);
    assert_eq!(bench.status().now_playing.position_us, 80 * SECOND);
}
