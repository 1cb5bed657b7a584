//! Changes that a member passes on for another, over the mesh: who is believed, and who hears of the verdict.

use super::*;
use crate::core::signature::DeviceKey;

fn key(n: u8) -> DeviceKey {
    DeviceKey::from_secret(&[n; 32]).unwrap()
}

/// A signed change of `author`.
fn signed(author: &DeviceKey, sequence: u64, action: Action) -> Change {
    let mut change = Change {
        id: ChangeId { device: author.device().clone(), sequence },
        hlc: Hlc { time_us: sequence as i64, count: 0 },
        term: Term::default(),
        user: None,
        action,
        signature: None,
    };
    author.sign_change(&mut change, &convoy());
    change
}

fn added(author: &DeviceKey, sequence: u64) -> Change {
    let (entry, order) = (EntryId::new(format!("e{sequence}")).unwrap(), OrderKey::between(None, None));
    signed(author, sequence, Action::Add { entry, track: track("one"), order })
}

impl Stage {
    fn pass_on(&mut self, by: &str, change: &Change) -> Result<Verdict, String> {
        let verdict = self.authority.handle_change(&ConnectionId(by.into()), change.clone(), self.now);
        self.drain();
        verdict
    }
}

#[test]
fn what_another_signed_counts_whoever_brings_it_and_its_author_hears_that_it_does() {
    let mut stage = Stage::new();
    let author = key(1);
    for connection in ["a", "b", author.device().as_str()] {
        stage.join(connection, Dialect::Jamz);
    }
    stage.sent.clear();
    let change = added(&author, 1);
    assert_eq!(stage.pass_on("a", &change), Ok(Verdict::Applied));
    assert!(stage.heard("a").is_empty());
    for other in ["b", author.device().as_str()] {
        assert_eq!(stage.heard(other), [Message::Change(Box::new(change.clone()))]);
    }
    assert_eq!(stage.pass_on("b", &change), Ok(Verdict::Duplicate));
    assert_eq!(stage.pass_on(author.device().as_str(), &change), Ok(Verdict::Duplicate));
    assert_eq!(stage.recorded.len(), 1);
}

#[test]
fn what_its_author_did_not_sign_for_this_convoy_is_nobodys_word() {
    let mut stage = Stage::new();
    stage.join("a", Dialect::Jamz);
    let good = added(&key(1), 1);
    let mut elsewhere = good.clone();
    key(1).sign_change(&mut elsewhere, &ConvoyId::new("jura").unwrap());
    let mut stolen = good.clone();
    stolen.id.device = key(2).device().clone();
    let unsigned = Change { signature: None, ..good.clone() };
    for forged in [elsewhere, stolen, unsigned] {
        assert!(stage.pass_on("a", &forged).unwrap_err().contains("cannot speak for"));
    }
    assert!(stage.recorded.is_empty());
    assert_eq!(stage.pass_on("a", &good), Ok(Verdict::Applied));
}

#[test]
fn an_own_change_with_a_wrong_signature_goes_to_nobody() {
    let mut stage = Stage::new();
    let author = key(1);
    stage.join(author.device().as_str(), Dialect::Jamz);
    let good = added(&author, 1);
    let altered = Change { term: Term(3), ..good.clone() };
    assert!(stage.pass_on(author.device().as_str(), &altered).is_err());
    assert_eq!(stage.pass_on(author.device().as_str(), &good), Ok(Verdict::Applied));
}

#[test]
fn of_a_refused_change_all_hear_who_may_have_it_by_the_mesh() {
    let mut stage = Stage::new();
    let author = key(1);
    for connection in ["dj", "b", author.device().as_str()] {
        stage.join(connection, Dialect::Jamz);
    }
    stage.change("dj", Action::TakeControl);
    stage.sent.clear();
    let change = signed(&author, 1, Action::ReleaseControl);
    assert!(matches!(stage.pass_on("b", &change), Ok(Verdict::Refused { .. })));
    assert_eq!(stage.heard("b"), [Message::Refused(change.id.clone())]);
    assert_eq!(stage.heard("dj"), [Message::Refused(change.id.clone())]);
    assert!(matches!(stage.heard(author.device().as_str()).as_slice(), [Message::State(_)]));
}

#[test]
fn who_passes_on_what_makes_no_sense_is_not_blamed_for_it() {
    let mut stage = Stage::new();
    let author = key(1);
    stage.join("b", Dialect::Jamz);
    stage.join(author.device().as_str(), Dialect::Jamz);
    let mut late = Change { hlc: Hlc { time_us: i64::MAX, count: 0 }, ..added(&author, 1) };
    author.sign_change(&mut late, &convoy());
    assert!(matches!(stage.pass_on("b", &late), Ok(Verdict::Refused { .. })));
    assert!(stage.pass_on(author.device().as_str(), &late).is_err());
    let mut other = Change { user: UserId::new("mallory").ok(), ..added(&author, 2) };
    author.sign_change(&mut other, &convoy());
    assert!(matches!(stage.pass_on("b", &other), Ok(Verdict::Refused { reason }) if reason.contains("another user")));
    assert!(stage.recorded.is_empty());
}
