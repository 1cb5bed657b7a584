//! The authority in whole: cars and phones in one convoy, restarts, and who hears what when.

use super::*;
use crate::core::backend::{BackendAction, BackendEvent, Dated};
use crate::core::changes::ChangeId;
use crate::core::election::Term;
use crate::core::id::{DeviceId, EntryId, UserId};
use crate::core::order::OrderKey;
use crate::core::playlist::Track;
use crate::core::status::MemberKind;
use crate::core::ticket::Role;
use crate::core::timeline::Anchor;

mod conduct;
mod passed_on;
mod phones;
mod tickets;

const SECOND: i64 = 1_000_000;
const LATE_US: i64 = 1_700;

/// An authority with virtual time, that collects what it puts out.
struct Stage {
    authority: Authority,
    now: Now,
    recorded: Vec<Recorded>,
    sent: Vec<(Vec<String>, Message)>,
    sequence: u64,
}

impl Stage {
    fn new() -> Self {
        let now = Now { mono: MonoTime(10 * SECOND), unix_ms: 1_700_000_000_000 };
        let authority = Authority::new(convoy(), None, Some("boot"), now.mono);
        Self { authority, now, recorded: vec![], sent: vec![], sequence: 0 }
    }

    fn drain(&mut self) {
        while let Some(output) = self.authority.poll_output() {
            match output {
                Output::Record(recorded) => self.recorded.push(*recorded),
                Output::Send { to, message } => self.sent.push((to.into_iter().map(|id| id.0).collect(), message)),
                Output::Dismiss { connection, .. } => self.sent.push((vec![connection.0], Message::Members(vec![]))),
            }
        }
    }

    /// Lets time pass, waking whenever the authority wants it, and always a little late, as machines do.
    fn pass(&mut self, us: i64) {
        let end = self.now.mono + us;
        while let Some(at) = self.authority.poll_timeout(self.now.mono).filter(|at| *at + LATE_US <= end) {
            let step_us = (at - self.now.mono).max(0) + LATE_US;
            self.now = Now { mono: self.now.mono + step_us, unix_ms: self.now.unix_ms + step_us / 1_000 };
            self.authority.handle_wake(self.now);
            self.drain();
        }
        let rest_us = end - self.now.mono;
        self.now = Now { mono: end, unix_ms: self.now.unix_ms + rest_us / 1_000 };
    }

    fn join(&mut self, connection: &str, dialect: Dialect) {
        let user = UserId::new(format!("user-{connection}")).unwrap();
        let device = match dialect {
            Dialect::Jamz => DeviceId::new(connection).unwrap(),
            Dialect::Backend => device_of(&user).unwrap(),
        };
        let kind = if dialect == Dialect::Jamz { MemberKind::Car } else { MemberKind::Phone };
        let connection = ConnectionId(connection.into());
        let (name, role, proven) = (String::new(), Role::Dj, false);
        let newcomer = Newcomer { connection, device, user, name, kind, dialect, role, proven, guest: None };
        self.authority.handle_join(newcomer, None, self.now).unwrap();
        self.drain();
    }

    fn change(&mut self, device: &str, action: Action) -> Verdict {
        self.change_of(device, action, 0)
    }

    /// A change that was made so long ago.
    fn change_of(&mut self, device: &str, action: Action, ago_us: i64) -> Verdict {
        self.sequence += 1;
        let hlc = Hlc { time_us: self.convoy().0 - ago_us, count: 0 };
        let id = ChangeId { device: DeviceId::new(device).unwrap(), sequence: self.sequence };
        let change = Change { id, hlc, term: Term::default(), user: None, action, signature: None };
        let verdict = self.authority.handle_change(&ConnectionId(device.into()), change, self.now).unwrap();
        self.drain();
        verdict
    }

    fn phone(&mut self, connection: &str, request: PhoneRequest) {
        self.authority.handle_phone(&ConnectionId(connection.into()), request, self.now);
        self.drain();
    }

    fn convoy(&self) -> ConvoyTime {
        self.authority.clock().convoy(self.now.mono)
    }

    fn add(&mut self, device: &str, name: &str, seconds: i64) -> EntryId {
        let entry = EntryId::new(name).unwrap();
        let order = self.authority.snapshot().playlist.place(None, None);
        let track = Track { duration_us: Some(seconds * SECOND), ..track(name) };
        assert_eq!(self.change(device, Action::Add { entry: entry.clone(), track, order }), Verdict::Applied);
        entry
    }

    fn anchor(&self, entry: &EntryId, position_us: i64, playing: bool, in_us: i64) -> Anchor {
        let track = self.authority.snapshot().playlist.track(entry).map(|t| t.id.clone());
        Anchor { entry: Some(entry.clone()), track, position_us, at: self.convoy() + in_us, playing }
    }

    /// What a connection was told since the last look.
    fn heard(&mut self, connection: &str) -> Vec<Message> {
        self.sent.iter().filter(|(to, _)| to.iter().any(|id| id == connection)).map(|(_, m)| m.clone()).collect()
    }

    fn phone_events(&mut self, connection: &str) -> Vec<BackendEvent> {
        let heard = self.heard(connection);
        heard.into_iter().filter_map(|m| if let Message::Phone(news) = m { Some(news.event) } else { None }).collect()
    }

    fn titles(&self) -> Vec<String> {
        self.authority.snapshot().playlist.entries().map(|(_, t)| t.id.to_string()).collect()
    }

    fn position_us(&self) -> i64 {
        let at = self.convoy();
        self.authority.snapshot().timeline.at(at).unwrap().anchor.position_us(at)
    }
}

fn convoy() -> ConvoyId {
    ConvoyId::new("alps").unwrap()
}

fn track(name: &str) -> Track {
    serde_json::from_value(serde_json::json!({ "id": name, "title": name })).unwrap()
}

fn dated(seconds: i64) -> Dated {
    Dated { position_us: seconds * SECOND, unix_ms: None }
}

#[test]
fn a_change_goes_to_the_other_cars_once_and_is_recorded_before() {
    let mut stage = Stage::new();
    stage.join("a", Dialect::Jamz);
    stage.join("b", Dialect::Jamz);
    stage.sent.clear();
    stage.add("a", "one", 100);
    assert_eq!(stage.recorded.len(), 1);
    assert!(stage.heard("a").is_empty());
    assert!(matches!(stage.heard("b").as_slice(), [Message::Change(_)]));
    let again = stage.recorded[0].change.clone();
    let verdict = stage.authority.handle_change(&ConnectionId("a".into()), again, stage.now);
    assert_eq!(verdict, Ok(Verdict::Duplicate));
    assert!(stage.authority.poll_output().is_none());
}

#[test]
fn who_does_not_lead_is_refused_and_told_what_is_so() {
    let mut stage = Stage::new();
    stage.join("a", Dialect::Jamz);
    stage.join("b", Dialect::Jamz);
    let entry = stage.add("a", "one", 100);
    stage.change("a", Action::TakeControl);
    stage.sent.clear();
    let anchor = stage.anchor(&entry, 0, true, 0);
    assert!(matches!(stage.change("b", Action::Play { anchor }), Verdict::Refused { .. }));
    assert!(matches!(stage.heard("b").as_slice(), [Message::State(_)]));
    assert!(stage.heard("a").is_empty());
}

#[test]
fn nobody_speaks_for_another_or_from_outside_time() {
    let mut stage = Stage::new();
    stage.join("a", Dialect::Jamz);
    let change = |device: &str, sequence, time_us| Change {
        id: ChangeId { device: DeviceId::new(device).unwrap(), sequence },
        hlc: Hlc { time_us, count: 0 },
        term: Term::default(),
        user: None,
        action: Action::TakeControl,
        signature: None,
    };
    let a = ConnectionId("a".into());
    for (bad, says) in [
        (change("b", 1, 0), "cannot speak for b"),
        (change("a", 0, 0), "counts from 1"),
        (change("a", u64::MAX, 0), "counts from 1"),
        (change("a", 1, i64::MAX), "ahead of the convoy"),
        (Change { term: Term(u64::MAX), ..change("a", 1, 0) }, "cannot be"),
        (Change { user: UserId::new("x").ok(), ..change("a", 1, 0) }, "another user"),
    ] {
        let refusal = stage.authority.handle_change(&a, bad, stage.now).unwrap_err();
        assert!(refusal.contains(says), "{refusal}");
    }
    let nobody = stage.authority.handle_change(&ConnectionId("x".into()), change("a", 1, 0), stage.now);
    assert!(nobody.unwrap_err().contains("jamz-join"));
}

#[test]
fn a_replayed_log_gives_the_same_state_even_across_a_track_end() {
    let mut stage = Stage::new();
    stage.join("a", Dialect::Jamz);
    let first = stage.add("a", "one", 10);
    stage.add("a", "two", 100);
    let anchor = stage.anchor(&first, 0, true, SECOND);
    stage.change("a", Action::Play { anchor });
    let kept = stage.authority.kept(Some("boot"), stage.now.mono);
    stage.pass(20 * SECOND);
    let before = stage.recorded.len();
    stage.add("a", "three", 100);
    let second = stage.authority.snapshot().playlist.nth(1).cloned().unwrap();
    let anchor = stage.anchor(&second, 3 * SECOND, false, 0);
    stage.change("a", Action::Pause { anchor });
    let mut anew = Authority::new(convoy(), Some(kept), Some("boot"), stage.now.mono);
    for recorded in &stage.recorded[before..] {
        anew.replay(recorded, stage.now.mono);
    }
    anew.handle_wake(stage.now);
    assert_eq!(anew.snapshot(), stage.authority.snapshot());
    assert_eq!(anew.clock().convoy(MonoTime(7)), stage.authority.clock().convoy(MonoTime(7)));
}

#[test]
fn all_are_told_what_plays_where_an_edit_comes_after_what_it_would_have_changed() {
    for ago_us in [0, 3 * SECOND] {
        let mut stage = Stage::new();
        for car in ["ann", "bob"] {
            stage.join(car, Dialect::Jamz);
        }
        let first = stage.add("ann", "first", 10);
        let second = stage.add("ann", "second", 60);
        stage.add("ann", "third", 60);
        let anchor = stage.anchor(&first, 0, true, 0);
        assert_eq!(stage.change("ann", Action::Play { anchor }), Verdict::Applied);
        stage.pass(12 * SECOND);
        stage.sent.clear();
        assert_eq!(stage.change_of("bob", Action::Remove { entry: second.clone() }, ago_us), Verdict::Applied);
        for car in ["ann", "bob"] {
            let states: Vec<Option<EntryId>> = stage
                .heard(car)
                .into_iter()
                .filter_map(|message| if let Message::State(state) = message { Some(state) } else { None })
                .map(|state| state.timeline.last().and_then(|last| last.anchor.entry.clone()))
                .collect();
            let expected = if ago_us == 0 { vec![] } else { vec![Some(second.clone())] };
            assert_eq!(states, expected, "{car}, {ago_us} us ago");
        }
    }
}

#[test]
fn two_authorities_that_decided_apart_agree_after_a_reunion() {
    let mut here = Stage::new();
    here.join("a", Dialect::Jamz);
    here.add("a", "one", 100);
    let mut there = Stage::new();
    there.join("b", Dialect::Jamz);
    there.add("b", "two", 100);
    let decided: Vec<Change> = there.recorded.iter().map(|recorded| recorded.change.clone()).collect();
    here.sent.clear();
    here.authority.handle_reunion(&decided, here.now);
    here.drain();
    assert_eq!(here.titles(), ["one", "two"]);
    assert!(matches!(here.heard("a").as_slice(), [Message::State(state)] if state.playlist.len() == 2));
    here.authority.handle_reunion(&decided, here.now);
    here.drain();
    assert_eq!((here.titles().len(), here.recorded.len()), (2, 2));
}

#[test]
fn a_control_that_would_take_effect_hours_from_now_is_refused_whoever_leads() {
    let mut stage = Stage::new();
    stage.join("a", Dialect::Jamz);
    let entry = stage.add("a", "one", 100);
    stage.change("a", Action::TakeControl);
    let mut control = |in_us| {
        let anchor = stage.anchor(&entry, 0, false, in_us);
        stage.sequence += 1;
        let change = Change {
            id: ChangeId { device: DeviceId::new("a").unwrap(), sequence: stage.sequence },
            hlc: Hlc { time_us: stage.convoy().0, count: 7 },
            term: Term::default(),
            user: None,
            action: Action::Pause { anchor },
            signature: None,
        };
        stage.authority.handle_change(&ConnectionId("a".into()), change, stage.now)
    };
    assert!(control(23 * 3_600 * SECOND).unwrap_err().contains("too far"));
    assert!(control(4 * SECOND).is_err());
    assert_eq!(control(2 * SECOND), Ok(Verdict::Applied));
}
