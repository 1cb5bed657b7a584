//! Tickets as the authority issues them, and what it lets each role do.

use super::*;
use crate::core::signature::DeviceKey;
use crate::core::ticket::{Guest, Revocations, Ruling, Rulings, Standing, Ticket, WallTime};

mod taken_over;

const DAY_S: i64 = 86_400;

fn key(n: u8) -> DeviceKey {
    DeviceKey::from_secret(&[n; 32]).unwrap()
}

/// A guest of the car with this key.
fn guest_of(host: u8, until_unix_s: u64) -> Guest {
    Guest { invited_by: UserId::new(format!("user {host}")).unwrap(), until_unix_s }
}

/// A change that the car with this key signed.
fn signed(author: u8, sequence: u64, action: Action) -> Change {
    let id = ChangeId { device: key(author).device().clone(), sequence };
    let hlc = Hlc { time_us: sequence as i64, count: 0 };
    let mut change = Change { id, hlc, term: Term::default(), user: None, action, signature: None };
    key(author).sign_change(&mut change, &convoy());
    change
}

impl Stage {
    /// The issuer has key 9.
    fn issuing() -> Self {
        let mut stage = Self::new();
        let now = stage.now.mono;
        stage.authority = Authority::new(convoy(), None, Some("boot"), now).issuing(Some(key(9)));
        stage
    }

    fn enter(&mut self, device: u8, role: Role, proven: bool) {
        self.comes(device, role, proven).unwrap();
    }

    fn comes(&mut self, device: u8, role: Role, proven: bool) -> Result<(), String> {
        self.comes_as(device, role, proven, None)
    }

    fn comes_as(&mut self, device: u8, role: Role, proven: bool, guest: Option<Guest>) -> Result<(), String> {
        let newcomer = Newcomer {
            connection: ConnectionId(format!("{device}")),
            device: key(device).device().clone(),
            user: UserId::new(format!("user {device}")).unwrap(),
            name: String::new(),
            kind: MemberKind::Car,
            dialect: Dialect::Jamz,
            role,
            proven,
            guest,
        };
        let result = self.authority.handle_join(newcomer, None, self.now);
        self.drain();
        result
    }

    /// What is ruled about the car with this key's user, now.
    fn rules(&mut self, device: u8, out: bool) -> bool {
        let mut rulings = Rulings::default();
        let at_unix_us = self.now.unix_ms.unsigned_abs() * 1_000;
        rulings.take(&UserId::new(format!("user {device}")).unwrap(), Ruling { at_unix_us, out });
        let is_news = self.authority.handle_rulings(&rulings, self.now);
        self.drain();
        is_news
    }

    /// The list of void tickets that a connection was told last.
    fn told_void(&self, device: u8) -> Option<Revocations> {
        self.sent.iter().rev().find_map(|(to, message)| match message {
            Message::Tickets(told) if to.contains(&format!("{device}")) => told.revocations.clone(),
            _ => None,
        })
    }

    fn brings(&mut self, by: u8, change: &Change) -> Verdict {
        let verdict = self.authority.handle_change(&ConnectionId(format!("{by}")), change.clone(), self.now).unwrap();
        self.drain();
        verdict
    }

    /// The tickets that a connection was told, since it was last asked.
    fn told(&mut self, device: u8) -> Vec<Ticket> {
        let mut told = Vec::new();
        for (to, message) in &self.sent {
            if let Message::Tickets(credentials) = message
                && to.contains(&format!("{device}"))
            {
                assert_eq!((&credentials.issuer, &credentials.convoy), (key(9).device(), &convoy()));
                told.extend(credentials.tickets.clone());
            }
        }
        told
    }
}

fn refusal(verdict: &Verdict) -> &str {
    match verdict {
        Verdict::Refused { reason } => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_proves_its_key_gets_a_ticket_that_all_others_are_shown_and_who_does_not_gets_none() {
    let mut stage = Stage::issuing();
    stage.enter(1, Role::Dj, true);
    stage.enter(2, Role::Listener, true);
    stage.enter(3, Role::Dj, false);
    let of = |tickets: &[Ticket]| tickets.iter().map(|ticket| (ticket.device.clone(), ticket.role)).collect::<Vec<_>>();
    let (first, second) = ((key(1).device().clone(), Role::Dj), (key(2).device().clone(), Role::Listener));
    assert_eq!(of(&stage.told(1)), [first.clone(), second.clone()]);
    let mut both = [first, second];
    both.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!((of(&stage.told(2)), of(&stage.told(3))), (both.to_vec(), both.to_vec()));

    let ticket = stage.told(1).remove(0);
    let wall = WallTime::UnixS(stage.now.unix_ms.unsigned_abs() / 1_000);
    let mut book = Tickets::default();
    book.trust(key(9).device());
    assert_eq!(book.standing(&ticket, key(1).device(), &convoy(), wall), Standing::Valid);
}

#[test]
fn a_guests_ticket_ends_with_his_link_and_is_not_renewed() {
    let mut stage = Stage::issuing();
    let until = stage.now.unix_ms.unsigned_abs() / 1_000 + 86_400;
    stage.comes_as(1, Role::Dj, true, Some(guest_of(2, until))).unwrap();
    let [ticket] = &stage.told(1)[..] else { panic!("one ticket") };
    assert_eq!(ticket.expires_unix_s, until);
    for hours in [1, 22, 2, 48] {
        stage.now.unix_ms += hours * 3_600_000;
        assert!(!stage.authority.handle_renewal(stage.now), "after {hours} hours more");
    }
}

#[test]
fn who_is_put_out_takes_his_guests_along_who_are_there_and_who_come_later_and_nobody_elses() {
    let mut stage = Stage::issuing();
    let until = stage.now.unix_ms.unsigned_abs() / 1_000 + 86_400;
    stage.enter(1, Role::Dj, true);
    stage.enter(2, Role::Dj, true);
    stage.comes_as(3, Role::Dj, true, Some(guest_of(2, until))).unwrap();
    stage.comes_as(4, Role::Dj, true, Some(guest_of(1, until))).unwrap();
    let tickets = [stage.told(1), stage.told(3), stage.told(4)].concat();
    stage.now.unix_ms += 1_000;
    assert!(stage.rules(2, true));
    assert_eq!(stage.authority.seated(), 2, "the host and his guest are let go");
    assert!(stage.comes_as(3, Role::Dj, true, Some(guest_of(2, until))).unwrap_err().contains("user 2 was put out"));
    assert!(stage.comes_as(5, Role::Dj, true, Some(guest_of(2, until))).is_err(), "a link that he gave before");
    stage.comes_as(6, Role::Dj, true, Some(guest_of(1, until))).unwrap();
    assert!(refusal(&stage.brings(1, &signed(3, 1, Action::TakeControl))).contains("revoked"));

    // Whoever has their tickets, and hears that the host's are void, knows it of theirs.
    let mut book = Tickets::default();
    book.trust(key(9).device());
    for ticket in &tickets {
        book.take_ticket(ticket, &convoy());
    }
    assert!(book.take_revocations(&stage.told_void(1).unwrap(), &convoy()));
    let out: Vec<bool> = (1..=4).map(|n| book.is_put_out(key(n).device())).collect();
    assert_eq!(out, [false, true, true, false]);

    stage.now.unix_ms += 1_000;
    assert!(stage.rules(2, false));
    stage.comes_as(3, Role::Dj, true, Some(guest_of(2, until))).unwrap();
    assert_eq!(stage.brings(3, &signed(3, 2, Action::TakeControl)), Verdict::Applied);
}

#[test]
fn a_ticket_is_renewed_while_its_bearer_is_there_and_survives_a_restart() {
    let mut stage = Stage::issuing();
    stage.enter(1, Role::Dj, true);
    stage.enter(2, Role::Dj, true);
    assert!(!stage.authority.handle_renewal(stage.now));
    stage.authority.handle_leave(&ConnectionId("2".into()), true, stage.now);
    stage.now.unix_ms += 16 * DAY_S * 1_000;
    stage.sent.clear();
    assert!(stage.authority.handle_renewal(stage.now));
    stage.drain();
    let renewed = stage.told(1);
    assert_eq!(renewed.iter().map(|ticket| &ticket.device).collect::<Vec<_>>(), [key(1).device()]);
    assert!(!stage.authority.handle_renewal(stage.now), "once is enough");

    let kept = stage.authority.kept(None, stage.now.mono);
    let kept: Kept = serde_json::from_str(&serde_json::to_string(&kept).unwrap()).unwrap();
    stage.authority = Authority::new(convoy(), Some(kept), None, stage.now.mono).issuing(Some(key(9)));
    stage.sent.clear();
    stage.enter(1, Role::Dj, true);
    assert!(stage.told(1).contains(&renewed[0]) && stage.told(1).len() == 2);
    // Another role is another ticket.
    stage.enter(1, Role::Listener, true);
    assert_eq!(stage.told(1).last().unwrap().role, Role::Listener);
}

#[test]
fn what_a_role_forbids_does_not_count_whoever_brings_it() {
    let mut stage = Stage::issuing();
    stage.enter(1, Role::Dj, true);
    stage.enter(2, Role::Listener, true);
    let (entry, order) = (EntryId::new("e").unwrap(), OrderKey::between(None, None));
    let add = Action::Add { entry, track: track("one"), order };
    let anchor = Anchor::empty(stage.authority.clock().convoy(stage.now.mono));
    for (sequence, action, says) in [
        (1, Action::TakeControl, "may not take control"),
        (2, add.clone(), "may not edit the playlist"),
        (3, Action::Play { anchor }, "may not control playback"),
    ] {
        let verdict = stage.brings(2, &signed(2, sequence, action));
        assert!(refusal(&verdict).contains(says) && refusal(&verdict).contains("--role dj"), "{verdict:?}");
    }
    assert_eq!(stage.brings(1, &signed(1, 1, add.clone())), Verdict::Applied);
    assert_eq!(stage.recorded.len(), 4, "the history has what was refused, too");

    // Gone, or by another, he is still a listener.
    stage.authority.handle_leave(&ConnectionId("2".into()), true, stage.now);
    let late = signed(2, 9, Action::TakeControl);
    assert!(refusal(&stage.brings(1, &late)).contains("may not take control"));
    // Nor does a key that nobody knows help him, whoever brings what it has signed, unless it has a ticket.
    stage.enter(2, Role::Listener, true);
    let unknown = signed(5, 1, Action::TakeControl);
    for by in [1, 2] {
        assert!(refusal(&stage.brings(by, &unknown)).contains("no ticket"));
    }
    let ticket = |issuer: u8| {
        let (device, user) = (key(5).device().clone(), UserId::new("user 5").unwrap());
        let now_unix_us = stage.now.unix_ms.unsigned_abs() * 1_000;
        Ticket::issue(&key(issuer), &convoy(), (&device, &user, Role::Dj), now_unix_us, 86_400)
    };
    let (forged, good) = (ticket(5), ticket(9));
    assert!(!stage.authority.handle_ticket(&forged) && stage.authority.handle_ticket(&good));
    assert_eq!(stage.brings(1, &signed(5, 2, Action::TakeControl)), Verdict::Applied);
}

#[test]
fn who_is_put_out_is_let_go_and_what_he_did_before_stays_and_nothing_that_he_does_after_counts() {
    let mut stage = Stage::issuing();
    stage.enter(1, Role::Dj, true);
    stage.enter(2, Role::Dj, true);
    let add = |sequence, name: &str| {
        let (entry, order) = (EntryId::new(name).unwrap(), OrderKey::between(None, None));
        signed(2, sequence, Action::Add { entry, track: track(name), order })
    };
    assert_eq!(stage.brings(2, &add(1, "before")), Verdict::Applied);
    stage.now.unix_ms += 1_000;
    assert!(stage.rules(2, true));
    assert!(!stage.rules(2, true), "once is enough");
    let void: Vec<String> = stage.told_void(1).unwrap().users.into_keys().map(String::from).collect();
    assert_eq!((void, stage.told_void(2)), (vec!["user 2".to_owned()], stage.told_void(1)), "he is told, too");
    assert_eq!(stage.authority.seated(), 1);
    assert!(stage.comes(2, Role::Dj, true).unwrap_err().contains("put out"));
    assert!(refusal(&stage.brings(1, &add(2, "after"))).contains("revoked"));
    assert_eq!(stage.authority.snapshot().playlist.len(), 1);

    // Whoever has his ticket finds that it is void; and a later start knows it.
    let mut book = Tickets::default();
    book.trust(key(9).device());
    assert!(
        book.take_ticket(&stage.told(1)[1], &convoy())
            && book.take_revocations(&stage.told_void(1).unwrap(), &convoy())
    );
    assert!(book.is_put_out(key(2).device()) && !book.is_put_out(key(1).device()));
    let kept = stage.authority.kept(None, stage.now.mono);
    let kept: Kept = serde_json::from_str(&serde_json::to_string(&kept).unwrap()).unwrap();
    stage.authority = Authority::new(convoy(), Some(kept), None, stage.now.mono).issuing(Some(key(9)));
    assert!(stage.comes(2, Role::Dj, true).unwrap_err().contains("put out"));

    stage.enter(1, Role::Dj, true);
    stage.now.unix_ms += 1_000;
    assert!(stage.rules(2, false));
    assert!(book.take_revocations(&stage.told_void(1).unwrap(), &convoy()) && !book.is_put_out(key(2).device()));
    stage.enter(2, Role::Dj, true);
    assert_eq!(stage.brings(2, &add(3, "again")), Verdict::Applied);
}
