//! Guests of cars of a convoy that was founded on the roadside, at the authority that takes it over.

use super::*;

/// That of a guest of the car with key 1, which founded the convoy.
fn guests(stage: &Stage) -> Ticket {
    let wall = WallTime::UnixS(stage.now.unix_ms.unsigned_abs() / 1_000);
    let own = Ticket::found(&key(1), &convoy(), wall).unwrap();
    own.vouch_guest(&key(1), key(3).device(), Role::Dj, wall).unwrap()
}

#[test]
fn a_cars_guest_counts_once_his_host_has_come_and_all_are_shown_his_ticket_until_one_of_them_is_put_out() {
    let mut stage = Stage::issuing();
    let guests = guests(&stage);
    stage.enter(2, Role::Dj, true);
    assert!(!stage.authority.handle_ticket(&guests));
    assert!(refusal(&stage.brings(2, &signed(3, 1, Action::TakeControl))).contains("no ticket"));
    stage.enter(1, Role::Dj, false);
    assert!(!stage.authority.handle_ticket(&guests), "a host that does not prove its key");
    stage.enter(1, Role::Dj, true);
    assert!(stage.authority.handle_ticket(&guests) && !stage.authority.handle_ticket(&guests));
    stage.drain();
    assert!(stage.told(2).contains(&guests) && stage.told(1).contains(&guests));
    assert_eq!(stage.brings(2, &signed(3, 2, Action::TakeControl)), Verdict::Applied);

    stage.now.unix_ms += 1_000;
    assert!(stage.rules(1, true));
    let list = stage.told_void(2).unwrap();
    assert_eq!(list.devices, [key(1).device().clone()].into(), "the founder's tickets name no users");
    assert!(refusal(&stage.brings(2, &signed(3, 3, Action::ReleaseControl))).contains("revoked"));
    // A car that knows the founder hears of it by the list.
    let mut book = Tickets::default();
    book.trust(&guests.issuer);
    book.trust(key(9).device());
    assert!(book.take_ticket(&guests, &convoy()) && book.take_revocations(&list, &convoy()));
    assert!(book.is_put_out(key(3).device()));

    stage.now.unix_ms += 1_000;
    assert!(stage.rules(1, false) && stage.told_void(2).unwrap().devices.is_empty());
    assert_eq!(stage.brings(2, &signed(3, 4, Action::ReleaseControl)), Verdict::Applied);
}
