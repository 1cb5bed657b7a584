//! Both languages over a real socket.io: the project's own, and today's backend's between two cars.

use crate::car::{Car, PROBE, change, join};
use crate::node::Node;
use jamz::core::backend::{BackendAction, BackendCommand, BackendEvent, Dated};
use jamz::core::id::{ConvoyId, TrackId, UserId};
use jamz::core::io::{Dialect, ServerCommand, ServerEvent};
use jamz::core::playlist::Track;
use serde_json::{Value, json};
use std::time::Duration;

fn track(id: &str) -> Track {
    serde_json::from_value(json!({"id": id, "title": id, "url": format!("https://example.org/{id}.mp3")})).unwrap()
}

fn says(command: BackendCommand) -> ServerCommand {
    ServerCommand::Backend(command)
}

/// Waits for an event of the backend; others are passed over.
async fn hears(car: &mut Car, what: &str, wanted: impl Fn(&BackendEvent) -> bool) -> BackendEvent {
    let found = car.find(what, |e| matches!(e, ServerEvent::Backend { event, .. } if wanted(event))).await;
    let ServerEvent::Backend { event, .. } = found else { unreachable!() };
    event
}

/// A car that has joined the session as this user.
async fn joined(node: &Node, user: &str) -> Car {
    let mut car = Car::at(node.url());
    assert_eq!(car.up().await, Dialect::Backend);
    let (convoy, user) = (ConvoyId::new("s").unwrap(), UserId::new(user).unwrap());
    car.link.send(says(BackendCommand::JoinSession { convoy, user }));
    car
}

#[tokio::test]
async fn the_own_dialect_joins_probes_changes_and_leaves() {
    let mut node = Node::start("scripted.js", &json!({})).await;
    let mut car = Car::at(node.url());
    assert_eq!(car.up().await, Dialect::Jamz);
    car.link.send(join());
    let ServerEvent::Joined { snapshot, members } = car.next().await else { panic!("not joined") };
    assert!(snapshot.playlist.is_empty() && members.is_empty());
    let said = node.got("jamz-join").await;
    assert_eq!(said, json!({"convoy": "convoy", "device": "car-1", "user": "ann", "name": "Ann's car", "kind": "car"}));
    car.link.send(ServerCommand::Probe { round_trip_us: Some(5), bound_us: None });
    let ServerEvent::Probed { sent, received, server_received, server_sent, lead_us } = car.next().await else {
        panic!("not probed")
    };
    assert!(received > sent && received - sent < 1_000_000 && server_sent >= server_received);
    assert_eq!(lead_us, 150_000);
    assert_eq!(node.got("jamz-probe").await, json!({"roundTripUs": 5}));
    car.link.send(ServerCommand::Change(Box::new(change(4))));
    assert!(matches!(car.next().await, ServerEvent::Acked { change, .. } if change.sequence == 4));
    assert_eq!(node.got("jamz-change").await, serde_json::to_value(change(4)).unwrap());
    car.link.send(ServerCommand::Leave);
    assert_eq!(node.got("jamz-leave").await, json!({}));
}

#[tokio::test]
async fn what_the_server_says_by_itself_arrives() {
    let mut node = Node::start("scripted.js", &json!({})).await;
    let mut car = Car::at(node.url());
    car.up().await;
    node.emit(
        "jamz-members",
        &json!([{"members": [{"device": "d", "user": "u", "name": "N", "online": true, "kind": "phone"}]}]),
    );
    assert!(matches!(car.next().await, ServerEvent::Members(members) if members.len() == 1 && members[0].user == "u"));
    let snapshot: Value = json!({"timeline": {"anchors": []}, "playlist": {"slots": {}}, "controller": "d",
        "controlled": null,
        "term": 3, "versions": {}});
    node.emit("jamz-state", &json!([{ "snapshot": snapshot }]));
    assert!(matches!(car.next().await, ServerEvent::State(snapshot) if snapshot.term.0 == 3));
    node.emit("jamz-of-tomorrow", &json!([{"x": 1}]));
    node.emit("jamz-change", &json!([change(9)]));
    assert_eq!(car.next().await, ServerEvent::Change(Box::new(change(9))));
}

#[tokio::test]
async fn a_newcomer_to_todays_backend_hears_the_whole_session() {
    let mut node = Node::start("backend.js", &json!({})).await;
    let state = json!({"playlist": [{"id": "a", "fileUrl": "https://example.org/a.mp3"}, {"id": "b"}],
        "currently_playing": {"id": "a", "title": "Ä"}, "is_playing": true, "position": 61.25});
    node.tell(&json!({"do": "session", "sessionId": "s", "set": state}));
    node.expect("session").await;
    let mut car = joined(&node, "ann").await;
    let BackendEvent::Session { playlist, current, controller, playing, dated } =
        hears(&mut car, "session", |e| matches!(e, BackendEvent::Session { .. })).await
    else {
        unreachable!()
    };
    assert_eq!((playlist.len(), current.unwrap().title.as_str(), controller, playing), (2, "Ä", None, true));
    assert!(dated.position_us == 61_250_000 && dated.unix_ms.is_some());
    assert_eq!(playlist[0].url.as_deref(), Some("https://example.org/a.mp3"));
    hears(&mut car, "playlist", |e| matches!(e, BackendEvent::Playlist { tracks } if tracks.len() == 2)).await;
}

#[tokio::test]
async fn what_a_dj_does_reaches_another_car_through_todays_backend() {
    let node = Node::start("backend.js", &json!({})).await;
    let mut listener = joined(&node, "bob").await;
    hears(&mut listener, "session", |e| matches!(e, BackendEvent::Session { .. })).await;
    let dj = joined(&node, "ann").await;
    hears(
        &mut listener,
        "ann",
        |e| matches!(e, BackendEvent::UserJoined { user_id: Some(u), .. } if u.as_str() == "ann"),
    )
    .await;
    let dated = Dated { position_us: 2_500_000, unix_ms: Some(1_700_000_000_000) };
    let control = |action, playing| says(BackendCommand::Control { action, track: Some(track("a")), playing, dated });
    dj.link.send(says(BackendCommand::TakeControl));
    hears(
        &mut listener,
        "control",
        |e| matches!(e, BackendEvent::Controller { user_id: Some(u), .. } if u.as_str() == "ann"),
    )
    .await;
    for (action, playing) in [(BackendAction::Play, true), (BackendAction::Seek, true), (BackendAction::Pause, false)] {
        dj.link.send(control(action, playing));
        let event = hears(&mut listener, "a control", |e| matches!(e, BackendEvent::Control { .. })).await;
        let BackendEvent::Control { action: heard, track: on, dated, .. } = event else { unreachable!() };
        assert_eq!((heard, on, dated.position_us), (action, Some(track_as_relayed()), 2_500_000));
    }
    dj.link.send(says(BackendCommand::TrackChange { track: track("b"), autoplay: true, dated }));
    hears(
        &mut listener,
        "track",
        |e| matches!(e, BackendEvent::TrackChanged { track, autoplay: true, .. } if track.id.as_str() == "b"),
    )
    .await;
    dj.link.send(says(BackendCommand::PositionSync { track_id: TrackId::new("b").unwrap(), dated }));
    hears(&mut listener, "position", |e| matches!(e, BackendEvent::PositionSync { dated: d, .. } if *d == dated)).await;
    dj.link.send(says(BackendCommand::Playlist { tracks: (0..2_000).map(|n| track(&n.to_string())).collect() }));
    hears(&mut listener, "playlist", |e| matches!(e, BackendEvent::Playlist { tracks } if tracks.len() == 2_000)).await;
    dj.link.send(says(BackendCommand::ReleaseControl));
    hears(&mut listener, "release", |e| matches!(e, BackendEvent::Controller { user_id: None, .. })).await;
}

/// The track as it comes back: with the backend's own field for where it is from.
fn track_as_relayed() -> Track {
    let mut relayed = track("a");
    relayed.extra.insert("source".into(), "local".into());
    relayed
}

#[tokio::test]
async fn commands_of_the_other_dialect_and_ahead_of_joining_do_nothing() {
    let mut node = Node::start("backend.js", &json!({})).await;
    let mut car = Car::at(node.url());
    car.up().await;
    car.link.send(join());
    car.link.send(ServerCommand::Change(Box::new(change(1))));
    car.link.send(says(BackendCommand::TakeControl));
    car.link.send(PROBE);
    assert!(matches!(car.next().await, ServerEvent::Alive { .. }));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(node.lines().iter().all(|line| line.get("got").is_none()));
}
