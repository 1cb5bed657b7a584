//! Phones and cars in one convoy: what each hears of the other, and when.

use super::*;
use crate::core::id::TrackId;
use crate::core::ticket::Role;

#[test]
fn a_phones_control_reaches_cars_ahead_of_time_and_in_step_with_it() {
    let mut stage = Stage::new();
    stage.join("car", Dialect::Jamz);
    stage.join("phone", Dialect::Backend);
    stage.join("other", Dialect::Backend);
    stage.add("car", "one", 300);
    stage.phone("phone", PhoneRequest::TakeControl);
    stage.sent.clear();
    let play = |seconds| PhoneRequest::Control {
        action: BackendAction::Play,
        track: Some(track("one")),
        playing: Some(true),
        dated: Some(dated(seconds)),
    };
    stage.phone("phone", play(40));
    let heard = stage.heard("car");
    let [Message::Change(change)] = heard.as_slice() else { panic!("{heard:?}") };
    let anchor = change.action.anchor().unwrap().clone();
    assert_eq!(anchor.at - stage.convoy(), stage.authority.lead_us());
    assert!(stage.phone_events("other").is_empty(), "before it takes effect");
    stage.pass(SECOND);
    assert_eq!(stage.position_us(), 41 * SECOND);
    let heard = stage.phone_events("other");
    assert!(matches!(heard.first(), Some(BackendEvent::TrackChanged { autoplay: true, .. })), "{heard:?}");
    let sender: Vec<_> = stage.phone_events("phone");
    assert!(sender.iter().all(|e| matches!(e, BackendEvent::Playlist { .. })), "{sender:?}");
}

#[test]
fn phones_hear_a_cars_controls_when_they_take_effect_and_its_position_every_five_seconds() {
    let mut stage = Stage::new();
    stage.join("car", Dialect::Jamz);
    stage.join("phone", Dialect::Backend);
    let entry = stage.add("car", "one", 300);
    stage.pass(SECOND);
    stage.sent.clear();
    let anchor = stage.anchor(&entry, 7 * SECOND, true, 500_000);
    stage.change("car", Action::Play { anchor });
    stage.pass(400_000);
    let early = stage.phone_events("phone");
    assert!(
        matches!(early.as_slice(), [BackendEvent::Controller { socket_id: Some(id), .. }] if id == "car"),
        "{early:?}"
    );
    stage.sent.clear();
    stage.pass(200_000);
    let started = stage.phone_events("phone");
    let [BackendEvent::TrackChanged { autoplay: true, dated, .. }] = started.as_slice() else { panic!("{started:?}") };
    assert_eq!(dated.position_us, 7 * SECOND + LATE_US);
    stage.sent.clear();
    stage.pass(11 * SECOND);
    let syncs = stage.phone_events("phone");
    assert!(
        matches!(syncs.as_slice(), [BackendEvent::PositionSync { .. }, BackendEvent::PositionSync { .. }]),
        "{syncs:?}"
    );
    stage.sent.clear();
    let anchor = stage.anchor(&entry, 20 * SECOND, false, 0);
    stage.change("car", Action::Pause { anchor });
    let paused = stage.phone_events("phone");
    assert!(matches!(paused.as_slice(), [BackendEvent::Control { action: BackendAction::Pause, .. }]), "{paused:?}");
}

#[test]
fn at_a_tracks_end_the_next_one_follows_for_phones_too() {
    let mut stage = Stage::new();
    stage.join("car", Dialect::Jamz);
    stage.join("phone", Dialect::Backend);
    let entry = stage.add("car", "one", 3);
    stage.add("car", "two", 3);
    let anchor = stage.anchor(&entry, 0, true, 0);
    stage.change("car", Action::Play { anchor });
    stage.sent.clear();
    stage.pass(10 * SECOND);
    let events = stage.phone_events("phone");
    assert!(events.iter().any(|e| matches!(e, BackendEvent::TrackChanged { track, .. } if track.id.as_str() == "two")));
    assert!(events.iter().any(|e| matches!(e, BackendEvent::Control { action: BackendAction::Pause, .. })));
    assert!(stage.authority.poll_timeout(stage.now.mono).is_none(), "nothing left to wake for");
}

#[test]
fn a_phones_position_is_followed_only_when_it_is_really_elsewhere() {
    let mut stage = Stage::new();
    stage.join("car", Dialect::Jamz);
    stage.join("phone", Dialect::Backend);
    stage.join("other", Dialect::Backend);
    stage.add("car", "one", 300);
    stage.phone("phone", PhoneRequest::TakeControl);
    stage.phone("phone", PhoneRequest::TrackChange { track: track("one"), autoplay: true, dated: dated(0) });
    stage.pass(10 * SECOND);
    let sync = |seconds| PhoneRequest::PositionSync { track_id: None, dated: dated(seconds) };
    let before = stage.recorded.len();
    stage.sent.clear();
    stage.phone("phone", sync(11));
    assert_eq!(stage.recorded.len(), before);
    assert!(matches!(stage.phone_events("other").as_slice(), [BackendEvent::PositionSync { .. }]));
    stage.phone("other", sync(200));
    assert_eq!(stage.recorded.len(), before, "who does not lead is not followed");
    stage.phone("phone", sync(60));
    stage.pass(SECOND);
    assert_eq!(stage.position_us(), 61 * SECOND);
}

#[test]
fn a_refused_phone_learns_who_leads() {
    let mut stage = Stage::new();
    stage.join("car", Dialect::Jamz);
    stage.join("phone", Dialect::Backend);
    stage.add("car", "one", 300);
    stage.change("car", Action::TakeControl);
    stage.sent.clear();
    stage.phone("phone", PhoneRequest::Skip { forward: true, track: None });
    let events = stage.phone_events("phone");
    let [BackendEvent::Controller { socket_id, .. }, BackendEvent::Session { .. }] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(socket_id.as_deref(), Some("car"));
    assert!(stage.authority.snapshot().timeline.is_empty());
}

#[test]
fn a_track_that_is_in_no_playlist_is_put_into_it() {
    let mut stage = Stage::new();
    stage.join("car", Dialect::Jamz);
    stage.join("phone", Dialect::Backend);
    stage.add("car", "one", 300);
    stage.add("car", "two", 300);
    stage.phone("phone", PhoneRequest::TrackChange { track: track("one"), autoplay: true, dated: dated(0) });
    stage.phone("phone", PhoneRequest::TrackChange { track: track("new"), autoplay: true, dated: dated(0) });
    assert_eq!(stage.titles(), ["one", "new", "two"]);
    stage.pass(SECOND);
    let now = stage.convoy();
    let anchor = stage.authority.snapshot().timeline.at(now).unwrap().anchor.clone();
    assert_eq!(anchor.track.as_ref().map(TrackId::as_str), Some("new"));
    assert_eq!(anchor.entry.as_ref(), stage.authority.snapshot().playlist.nth(1));
}

#[test]
fn a_phones_whole_list_does_not_undo_what_it_has_not_seen() {
    let mut stage = Stage::new();
    stage.join("car", Dialect::Jamz);
    stage.join("phone", Dialect::Backend);
    stage.add("car", "one", 300);
    stage.pass(5 * SECOND);
    stage.add("car", "two", 300);
    stage.sent.clear();
    stage.phone("phone", PhoneRequest::Playlist { tracks: vec![track("one"), track("three")] });
    assert_eq!(stage.titles().len(), 3);
    stage.pass(SECOND);
    let events = stage.phone_events("phone");
    assert!(matches!(events.as_slice(), [BackendEvent::Playlist { tracks }] if tracks.len() == 3), "{events:?}");
    stage.pass(5 * SECOND);
    stage.sent.clear();
    stage.phone("phone", PhoneRequest::Playlist { tracks: vec![track("three"), track("one")] });
    assert_eq!(stage.titles(), ["three", "one"]);
    stage.pass(SECOND);
    assert!(stage.phone_events("phone").is_empty(), "it has that list already");
}

#[test]
fn a_long_list_reaches_cars_as_one_state() {
    let mut stage = Stage::new();
    stage.join("car", Dialect::Jamz);
    stage.join("phone", Dialect::Backend);
    stage.sent.clear();
    let tracks = (0..10_000).map(|n| track(&format!("t{n}"))).collect();
    stage.phone("phone", PhoneRequest::Playlist { tracks });
    let heard = stage.heard("car");
    let [Message::State(state)] = heard.as_slice() else { panic!("{} messages", heard.len()) };
    assert_eq!(state.playlist, stage.authority.snapshot().playlist);
    assert_eq!(stage.recorded.len(), 10_000);
}

#[test]
fn control_of_a_phone_that_is_gone_is_released_after_a_while_and_kept_over_a_reconnection() {
    let mut stage = Stage::new();
    stage.join("car", Dialect::Jamz);
    stage.join("phone", Dialect::Backend);
    stage.phone("phone", PhoneRequest::TakeControl);
    stage.authority.handle_leave(&ConnectionId("phone".into()), true, stage.now);
    stage.pass(30 * SECOND);
    let user = UserId::new("user-phone").unwrap();
    let newcomer = Newcomer {
        connection: ConnectionId("again".into()),
        device: device_of(&user).unwrap(),
        user,
        name: String::new(),
        kind: MemberKind::Phone,
        dialect: Dialect::Backend,
        role: Role::Dj,
        proven: false,
        guest: None,
    };
    stage.authority.handle_join(newcomer, None, stage.now).unwrap();
    stage.drain();
    let events = stage.phone_events("again");
    assert!(matches!(&events[0], BackendEvent::Session { controller: Some(id), .. } if id == "again"), "{events:?}");
    stage.authority.handle_leave(&ConnectionId("again".into()), true, stage.now);
    stage.pass(61 * SECOND);
    assert_eq!(stage.authority.snapshot().controller, None);
}

#[test]
fn phones_of_any_user_have_a_device_id_of_their_own() {
    let long = |end: &str| UserId::new(format!("{}{end}", "用".repeat(40))).unwrap();
    let (first, second) = (device_of(&long("a")).unwrap(), device_of(&long("b")).unwrap());
    assert_ne!(first, second);
    assert!(phone::is_phone(&first));
    assert_eq!(device_of(&UserId::new("bob").unwrap()).unwrap().as_str(), "phone:bob");
}

#[test]
fn what_could_not_be_stored_is_taken_back_everywhere() {
    let mut stage = Stage::new();
    stage.join("car", Dialect::Jamz);
    stage.join("phone", Dialect::Backend);
    let kept = stage.authority.kept(Some("boot"), stage.now.mono);
    stage.add("car", "one", 300);
    stage.sent.clear();
    let stored = Authority::new(convoy(), Some(kept), Some("boot"), stage.now.mono);
    stage.authority.restore(stored, stage.now);
    stage.drain();
    assert!(stage.authority.snapshot().playlist.is_empty());
    assert!(stage.heard("car").iter().any(|m| matches!(m, Message::State(_))));
    assert!(stage.phone_events("phone").iter().any(|e| matches!(e, BackendEvent::Session { .. })));
}

#[test]
fn an_entry_put_between_others_by_a_car_stands_there_for_phones() {
    let mut stage = Stage::new();
    stage.join("car", Dialect::Jamz);
    stage.join("phone", Dialect::Backend);
    stage.add("car", "one", 1);
    stage.add("car", "two", 1);
    let playlist = &stage.authority.snapshot().playlist;
    let key = |index| playlist.nth(index).and_then(|id| playlist.order_of(id)).cloned();
    let order = OrderKey::between(key(0).as_ref(), key(1).as_ref());
    stage.change("car", Action::Add { entry: EntryId::new("mid").unwrap(), track: track("mid"), order });
    stage.sent.clear();
    stage.pass(SECOND);
    let events = stage.phone_events("phone");
    let [BackendEvent::Playlist { tracks }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(tracks.iter().map(|t| t.id.as_str()).collect::<Vec<_>>(), ["one", "mid", "two"]);
}
