//! Whoever does too much is muted at the server as on the mesh, and the others are told of nothing that he does then.

use super::*;

impl Stage {
    /// As many seeks of a car as fit into so many seconds at this rate; how many counted.
    fn seeks(&mut self, car: &str, per_second: i64, seconds: i64) -> usize {
        let mut counted = 0;
        for n in 0..per_second * seconds {
            self.pass(SECOND / per_second);
            self.sequence += 1;
            let id = ChangeId { device: DeviceId::new(car).unwrap(), sequence: self.sequence };
            let hlc = Hlc { time_us: self.convoy().0, count: 0 };
            let anchor = Anchor { position_us: n * 1_000, ..Anchor::empty(self.convoy() + 200_000) };
            let action = Action::Seek { anchor };
            let change = Change { id, hlc, term: Term::default(), user: None, action, signature: None };
            let verdict = self.authority.handle_change(&ConnectionId(car.into()), change, self.now);
            counted += usize::from(verdict == Ok(Verdict::Applied));
        }
        self.drain();
        counted
    }
}

#[test]
fn a_storm_of_seeks_is_muted_within_ten_seconds_and_others_take_control() {
    let mut stage = Stage::new();
    stage.join("rogue", Dialect::Jamz);
    stage.join("b", Dialect::Jamz);
    assert_eq!(stage.change("rogue", Action::TakeControl), Verdict::Applied);
    let counted = stage.seeks("rogue", 50, 10);
    assert!((100..200).contains(&counted), "{counted}");
    stage.sent.clear();
    assert_eq!(stage.seeks("rogue", 50, 2), 0);
    assert!(stage.heard("b").is_empty() && stage.heard("rogue").is_empty(), "nobody pays for it");
    assert_eq!(stage.change("b", Action::TakeControl), Verdict::Applied);
    assert_eq!(stage.seeks("b", 5, 10), 50, "who presses a button five times a second is no rogue");
}

#[test]
fn who_joins_over_and_over_is_not_answered_with_the_whole_state_each_time() {
    let mut stage = Stage::new();
    let newcomer = |stage: &Stage| {
        let (user, device) = (UserId::new("eve").unwrap(), DeviceId::new("rogue").unwrap());
        let (connection, kind, dialect) = (ConnectionId("rogue".into()), MemberKind::Car, Dialect::Jamz);
        let name = stage.sequence.to_string();
        Newcomer { connection, device, user, name, kind, dialect, role: Role::Dj, proven: false, guest: None }
    };
    let refusal = (0..100).find_map(|_| stage.authority.handle_join(newcomer(&stage), None, stage.now).err());
    assert!(refusal.is_some_and(|reason| reason.contains("joins too often")));
    stage.pass(31 * SECOND);
    assert_eq!(stage.authority.handle_join(newcomer(&stage), None, stage.now), Ok(()));
}

#[test]
fn however_much_of_one_is_refused_he_is_given_the_whole_state_once_a_second() {
    let mut stage = Stage::new();
    stage.join("a", Dialect::Jamz);
    stage.join("b", Dialect::Jamz);
    let entry = stage.add("a", "one", 100);
    assert_eq!(stage.change("a", Action::TakeControl), Verdict::Applied);
    stage.sent.clear();
    for _ in 0..50 {
        let anchor = stage.anchor(&entry, 0, true, 0);
        let verdict = stage.change("b", Action::Play { anchor });
        assert!(matches!(verdict, Verdict::Refused { .. }), "{verdict:?}");
    }
    let states = |stage: &mut Stage| stage.heard("b").iter().filter(|m| matches!(m, Message::State(_))).count();
    assert_eq!(states(&mut stage), 1, "at once, so that he knows");
    stage.pass(5 * SECOND);
    assert_eq!(states(&mut stage), 2, "and as it stands after the last of it");
}

#[test]
fn who_floods_over_one_connection_after_another_is_muted_whichever_he_comes_by() {
    let mut stage = Stage::new();
    let (rogue, line) = (DeviceId::new("rogue").unwrap(), ConnectionId("rogue".into()));
    for _ in 0..3 {
        stage.join("rogue", Dialect::Jamz);
        for _ in 0..450 {
            stage.authority.note_ask(&line, stage.now);
        }
        stage.authority.handle_leave(&line, false, stage.now);
        stage.pass(SECOND / 4);
    }
    let refusal = stage.authority.hears(&rogue, Matter::Joins, stage.now);
    assert!(refusal.is_err_and(|reason| reason.contains("over one connection after another")));
}

#[test]
fn who_claims_to_be_another_mutes_nobody_but_himself() {
    let mut stage = Stage::new();
    stage.join("a", Dialect::Jamz);
    let newcomer = |connection: &str| {
        let (user, device) = (UserId::new("eve").unwrap(), DeviceId::new("a").unwrap());
        let (connection, kind, dialect) = (ConnectionId(connection.into()), MemberKind::Car, Dialect::Jamz);
        let name = "eve".into();
        Newcomer { connection, device, user, name, kind, dialect, role: Role::Dj, proven: false, guest: None }
    };
    for n in 0..200 {
        let refusal = stage.authority.handle_join(newcomer(&n.to_string()), None, stage.now);
        assert!(refusal.is_err_and(|reason| reason.contains("in use by")));
    }
    assert_eq!(stage.change("a", Action::TakeControl), Verdict::Applied);
}

#[test]
fn signals_without_end_are_passed_on_to_nobody() {
    let mut stage = Stage::new();
    stage.join("a", Dialect::Jamz);
    stage.join("b", Dialect::Jamz);
    let (from, to) = (ConnectionId("a".into()), DeviceId::new("b").unwrap());
    let passed = (0..1_000).filter(|_| stage.authority.handle_signal(&from, Some(&to), stage.now).is_ok()).count();
    assert_eq!(passed, 300);
    assert!(stage.authority.handle_signal(&from, Some(&to), stage.now).unwrap_err().contains("too many signals"));
}
