//! Tickets as they are shown: the good ones beside every kind of bad one.

use super::*;

const DAY_S: u64 = 86_400;
const NOW_S: u64 = 1_800_000_000;
const NOW: WallTime = WallTime::UnixS(NOW_S);

fn key(seed: u8) -> DeviceKey {
    DeviceKey::from_secret(&[seed; 32]).unwrap()
}

fn alps() -> ConvoyId {
    ConvoyId::new("alps").unwrap()
}

fn ann() -> UserId {
    UserId::new("ann").unwrap()
}

/// Ann's, for the car with key 2, by the issuer with key 1, from now on.
fn issued(issuer: u8, at_s: u64) -> Ticket {
    let (device, user) = (key(2).device().clone(), ann());
    Ticket::issue(&key(issuer), &alps(), (&device, &user, Role::Dj), at_s * 1_000_000, DAY_S)
}

/// Trusts the issuer with key 1.
fn trusting() -> Tickets {
    let mut tickets = Tickets::default();
    assert!(tickets.trust(key(1).device()) && tickets.has_issuer());
    tickets
}

fn revoked_at(at_s: u64) -> Revocations {
    Revocations::issue(&key(1), &alps(), ([(ann(), at_s * 1_000_000)].into(), [].into()), at_s * 1_000_000)
}

#[test]
fn every_kind_of_bad_ticket_is_told_from_the_good_one_beside_it() {
    let good = issued(1, NOW_S);
    let altered = |change: &dyn Fn(&mut Ticket)| {
        let mut ticket = good.clone();
        change(&mut ticket);
        ticket
    };
    let resigned = |by: u8, change: &dyn Fn(&mut Ticket)| {
        let mut ticket = altered(change);
        let issuer = ticket.issuer.clone();
        key(by).sign_ticket(&mut ticket);
        Ticket { issuer, ..ticket }
    };
    let later = |s: u64| WallTime::UnixS(NOW_S + s);
    let jura = ConvoyId::new("jura").unwrap();
    let huge = u64::MAX;
    let ahead = resigned(1, &|t| (t.not_before_unix_s, t.expires_unix_s) = (NOW_S + DAY_S, NOW_S + 2 * DAY_S));
    let table: Vec<(&str, Ticket, WallTime, Standing)> = vec![
        ("good", good.clone(), NOW, Standing::Valid),
        ("in its last second", good.clone(), later(DAY_S), Standing::Valid),
        ("within the leeway", good.clone(), WallTime::UnixS(NOW_S - 200), Standing::Valid),
        ("without a clock", good.clone(), WallTime::default(), Standing::ClockUnknown),
        ("over for sure", good.clone(), WallTime::AtLeastS(NOW_S + DAY_S + LEEWAY_S + 1), Standing::Expired),
        ("perhaps over", good.clone(), WallTime::AtLeastS(NOW_S + DAY_S + LEEWAY_S), Standing::ClockUnknown),
        ("expired", good.clone(), later(DAY_S + LEEWAY_S + 1), Standing::Expired),
        ("by a clock that it proves wrong", good.clone(), WallTime::UnixS(NOW_S - DAY_S), Standing::ClockUnknown),
        ("not valid yet", ahead.clone(), NOW, Standing::NotYet),
        ("not valid yet, without a clock", ahead.clone(), WallTime::default(), Standing::NotYet),
        ("valid at last", ahead.clone(), later(DAY_S - 60), Standing::Valid),
        ("a longer life", altered(&|t| t.expires_unix_s += DAY_S), NOW, Standing::Forged),
        ("a better role", altered(&|t| t.role = Role::Owner), NOW, Standing::Forged),
        ("another user", altered(&|t| t.user = UserId::new("ben").unwrap()), NOW, Standing::Forged),
        ("another serial", altered(&|t| t.serial += 1), NOW, Standing::Forged),
        ("another device written in", altered(&|t| t.device = key(3).device().clone()), NOW, Standing::Forged),
        ("no signature", altered(&|t| t.signature.clear()), NOW, Standing::Forged),
        ("signed again by another", resigned(3, &|_| {}), NOW, Standing::Forged),
        ("signed again by its bearer", resigned(2, &|t| t.role = Role::Owner), NOW, Standing::Forged),
        ("numbers that JSON cannot hold", resigned(1, &|t| t.expires_unix_s = huge), NOW, Standing::Forged),
        ("another issuer's", issued(4, NOW_S), NOW, Standing::UnknownIssuer),
        ("issued by its bearer", issued(2, NOW_S), NOW, Standing::UnknownIssuer),
        ("of another convoy", resigned(1, &|t| t.convoy = jura.clone()), NOW, Standing::WrongConvoy),
    ];
    for (name, ticket, wall, standing) in table {
        assert_eq!(trusting().standing(&ticket, key(2).device(), &alps(), wall), standing, "{name}");
        let is_genuine = ticket == good || ticket == ahead;
        assert_eq!(trusting().take_ticket(&ticket, &alps()), is_genuine, "{name}");
    }
    let stolen = trusting().standing(&good, key(3).device(), &alps(), NOW);
    assert_eq!(stolen, Standing::WrongDevice);
    assert_eq!(Tickets::default().standing(&good, key(2).device(), &alps(), NOW), Standing::UnknownIssuer);
}

#[test]
fn of_two_tickets_of_a_device_the_newer_is_kept_in_whatever_order_they_come() {
    let (old, new) = (issued(1, NOW_S), issued(1, NOW_S + 60));
    let mut tickets = trusting();
    assert!(tickets.take_ticket(&new, &alps()) && !tickets.take_ticket(&old, &alps()));
    assert!(!tickets.take_ticket(&new, &alps()));
    assert_eq!(tickets.of(key(2).device()), Some(&new));
}

#[test]
fn a_user_who_is_revoked_is_out_until_the_issuer_admits_him_again() {
    let (before, after) = (issued(1, NOW_S), issued(1, NOW_S + 20));
    let mut tickets = trusting();
    let standing =
        |tickets: &Tickets, ticket: &Ticket| tickets.standing(ticket, key(2).device(), &alps(), WallTime::default());
    assert!(tickets.take_revocations(&revoked_at(NOW_S + 10), &alps()));
    assert_eq!(standing(&tickets, &before), Standing::Revoked);
    assert!(standing(&tickets, &after).admits());

    // The newest list counts, and only one that its issuer made, for this convoy.
    assert!(!tickets.take_revocations(&revoked_at(NOW_S + 5), &alps()));
    let mut altered = revoked_at(NOW_S + 30);
    altered.users.clear();
    let elsewhere = Revocations::issue(&key(1), &ConvoyId::new("jura").unwrap(), Default::default(), 1 << 52);
    let by_another = Revocations::issue(&key(2), &alps(), Default::default(), 1 << 52);
    for list in [altered, elsewhere, by_another] {
        assert!(!tickets.take_revocations(&list, &alps()), "{list:?}");
    }
    assert_eq!(standing(&tickets, &before), Standing::Revoked);
    let pardon = Revocations::issue(&key(1), &alps(), Default::default(), (NOW_S + 40) * 1_000_000);
    assert!(tickets.take_revocations(&pardon, &alps()));
    assert!(standing(&tickets, &before).admits());
}

#[test]
fn a_clock_that_is_proved_wrong_denies_nothing_and_what_is_proved_over_is_over_without_a_clock() {
    let mut tickets = trusting();
    let at_1970 = WallTime::UnixS(40);
    let (old, new) = (issued(1, NOW_S), issued(1, NOW_S + 2 * DAY_S));
    assert!(tickets.take_ticket(&new, &alps()));
    let standing = |ticket: &Ticket, wall| tickets.standing(ticket, key(2).device(), &alps(), wall);
    assert_eq!(standing(&new, at_1970), Standing::ClockUnknown);
    assert_eq!(standing(&old, at_1970), Standing::Expired);
    assert_eq!(standing(&old, WallTime::default()), Standing::Expired);
}

#[test]
fn what_was_written_and_read_again_is_still_good_and_a_list_has_an_end() {
    let mut tickets = trusting();
    let many = (0..100).map(|n| (UserId::new(format!("user {n}")).unwrap(), n)).collect();
    let list = Revocations::issue(&key(1), &alps(), (many, [].into()), NOW_S * 1_000_000);
    assert_eq!((list.users.len(), list.users.values().min()), (REVOKED_MAX, Some(&68)));
    assert!(tickets.take_ticket(&issued(1, NOW_S), &alps()) && tickets.take_revocations(&list, &alps()));
    let read: Tickets = serde_json::from_str(&serde_json::to_string(&tickets).unwrap()).unwrap();
    assert_eq!(read, tickets);
    let ticket = read.of(key(2).device()).unwrap();
    assert_eq!(trusting().standing(ticket, key(2).device(), &alps(), NOW), Standing::Valid);
}

/// Of the convoy that the car with key 1 founded: its own, and those of the cars with the keys that follow, each let in
/// by the one before.
fn let_in(keys: &[u8]) -> Vec<Ticket> {
    let mut chain = vec![Ticket::found(&key(1), &alps(), NOW).unwrap()];
    for (by, device) in [1].iter().chain(keys).zip(keys) {
        chain.extend(chain.last().and_then(|last| last.vouch(&key(*by), key(*device).device())));
    }
    chain
}

#[test]
fn who_was_let_in_on_the_roadside_is_known_by_the_founders_word_through_those_who_let_him_in() {
    let tickets = let_in(&[2, 3, 4, 5, 6, 7]);
    assert_eq!(tickets.len(), 5, "those who are too far from the founder let nobody in");
    let mut known = trusting();
    for (ticket, number) in tickets.iter().zip(1..) {
        let standing = |tickets: &Tickets| tickets.standing(ticket, key(number).device(), &alps(), NOW);
        assert_eq!(standing(&known), Standing::Valid);
        assert!(known.take_ticket(ticket, &alps()));
        assert_eq!(standing(&Tickets::default()), Standing::UnknownIssuer);
    }
    let read: Ticket = serde_json::from_str(&serde_json::to_string(&tickets[4]).unwrap()).unwrap();
    assert_eq!(known.standing(&read, key(5).device(), &alps(), NOW), Standing::Valid);
}

#[test]
fn nobody_lets_himself_in_nor_makes_more_of_his_ticket() {
    let tickets = let_in(&[2, 3]);
    let good = &tickets[2];
    // As key `by` would sign it, with this changed.
    let made = |by: u8, change: &dyn Fn(&mut Ticket)| {
        let mut ticket = good.clone();
        change(&mut ticket);
        let issuer = ticket.issuer.clone();
        key(by).sign_ticket(&mut ticket);
        Ticket { issuer, ..ticket }
    };
    let servers = Ticket::issue(&key(1), &alps(), (key(2).device(), &ann(), Role::Dj), NOW_S * 1_000_000, DAY_S);
    let listeners = {
        let mut ticket = tickets[1].clone();
        ticket.role = Role::Listener;
        key(1).sign_ticket(&mut ticket);
        ticket
    };
    let table: Vec<(&str, Ticket)> = vec![
        ("by its bearer", made(3, &|_| ())),
        ("by its bearer, as his own voucher", made(3, &|t| t.issuer = key(3).device().clone())),
        ("for another, by its bearer", made(3, &|t| t.device = key(4).device().clone())),
        ("as the owner", made(2, &|t| t.role = Role::Owner)),
        ("for longer", made(2, &|t| t.expires_unix_s += 1)),
        ("from before", made(2, &|t| t.not_before_unix_s -= 1)),
        ("of another convoy within", made(2, &|t| t.voucher.as_mut().unwrap().convoy = ConvoyId::new("jura").unwrap())),
        ("by one whom a server let in", made(2, &|t| t.voucher = Some(Box::new(servers.clone())))),
        ("by a listener", made(2, &|t| t.voucher = Some(Box::new(listeners.clone())))),
        ("with an altered voucher", made(2, &|t| t.voucher.as_mut().unwrap().serial += 1)),
    ];
    for (name, ticket) in table {
        assert!(!trusting().standing(&ticket, &ticket.device.clone(), &alps(), NOW).admits(), "{name}");
        assert!(!trusting().take_ticket(&ticket, &alps()), "{name}");
    }
    assert!(trusting().take_ticket(good, &alps()));
    assert_eq!(tickets[1].vouch(&key(3), key(4).device()), None, "with another's ticket");
}

#[test]
fn who_is_put_out_takes_those_along_whom_he_let_in_until_another_lets_them_in() {
    let [founder, second, third] = let_in(&[2, 3]).try_into().unwrap();
    let mut tickets = trusting();
    assert!(tickets.take_ticket(&third, &alps()));
    let list =
        Revocations::issue(&key(1), &alps(), ([(second.user.clone(), second.serial)].into(), [].into()), second.serial);
    assert!(tickets.take_revocations(&list, &alps()));
    assert_eq!(tickets.standing(&third, key(3).device(), &alps(), NOW), Standing::Revoked);
    let again = founder.vouch(&key(1), key(3).device()).unwrap();
    assert!(tickets.take_ticket(&again, &alps()));
    assert_eq!(tickets.standing(&again, key(3).device(), &alps(), NOW), Standing::Valid);
}

#[test]
fn a_founder_without_a_clock_gives_tickets_that_are_good_at_any_time() {
    let own = Ticket::found(&key(1), &alps(), WallTime::default()).unwrap();
    let ticket = own.vouch(&key(1), key(2).device()).unwrap();
    for wall in [WallTime::UnixS(0), NOW, WallTime::UnixS(NOW_S * 2)] {
        assert_eq!(trusting().standing(&ticket, key(2).device(), &alps(), wall), Standing::Valid);
    }
}

#[test]
fn a_guest_may_no_more_than_was_said_for_a_day_and_lets_nobody_in() {
    let [founder, member] = let_in(&[2]).try_into().unwrap();
    let [dj, listener] =
        [Role::Dj, Role::Listener].map(|role| member.vouch_guest(&key(2), key(3).device(), role, NOW).unwrap());
    assert_eq!((dj.role, listener.role), (Role::Dj, Role::Listener));
    let owned = founder.vouch_guest(&key(1), key(3).device(), Role::Owner, NOW).unwrap();
    assert_eq!(owned.role, Role::Dj, "nobody is a guest and the owner");
    let later = |s: u64| WallTime::UnixS(NOW_S + s);
    for ticket in [&dj, &listener, &owned] {
        let standing = |wall| trusting().standing(ticket, key(3).device(), &alps(), wall);
        assert_eq!((standing(NOW), standing(later(DAY_S))), (Standing::Valid, Standing::Valid));
        assert_eq!(standing(later(DAY_S + 301)), Standing::Expired);
        assert_eq!(standing(WallTime::default()), Standing::ClockUnknown, "a car at 1970 does not deny it");
        assert_eq!((ticket.may_vouch(), ticket.vouch(&key(3), key(4).device())), (false, None));
    }
    // He lets somebody in all the same, as himself or as if he were no guest.
    let brought = |guest: Ticket| {
        let mut ticket = Ticket { device: key(4).device().clone(), voucher: Some(Box::new(guest)), ..member.clone() };
        ticket.expires_unix_s = dj.expires_unix_s;
        key(3).sign_ticket(&mut ticket);
        trusting().standing(&ticket, key(4).device(), &alps(), NOW)
    };
    assert_eq!(brought(dj.clone()), Standing::Forged);
    assert_eq!(brought(Ticket { guest: false, ..dj.clone() }), Standing::Forged);
    let mut longer = Ticket { guest: false, expires_unix_s: member.expires_unix_s, ..dj.clone() };
    key(3).sign_ticket(&mut longer);
    assert!(!trusting().standing(&longer, key(3).device(), &alps(), NOW).admits());
    let again = member.vouch_guest(&key(2), key(3).device(), Role::Dj, later(5)).unwrap();
    let mut tickets = trusting();
    assert!(tickets.take_ticket(&listener, &alps()) && tickets.take_ticket(&again, &alps()), "the later word counts");
    let read: Ticket = serde_json::from_str(&serde_json::to_string(&again).unwrap()).unwrap();
    assert_eq!(read, again);
}

#[test]
fn a_guest_ends_with_his_host_where_the_time_is_not_known() {
    let own = Ticket::found(&key(1), &alps(), NOW).unwrap();
    let guest = own.vouch_guest(&key(1), key(2).device(), Role::Dj, WallTime::default()).unwrap();
    assert_eq!(guest.expires_unix_s, own.expires_unix_s);
    let short = {
        let mut own = own.clone();
        own.expires_unix_s = NOW_S + 60;
        key(1).sign_ticket(&mut own);
        own
    };
    let guest = short.vouch_guest(&key(1), key(2).device(), Role::Dj, NOW).unwrap();
    assert_eq!(guest.expires_unix_s, short.expires_unix_s, "no longer than his host");
}

#[test]
fn no_member_makes_another_less_than_he_is() {
    let [founder, second, third] = let_in(&[2, 3]).try_into().unwrap();
    let less = |role| {
        let later = WallTime::UnixS(NOW_S + 60);
        [(&founder, 1), (&second, 2)].map(|(by, key_of)| by.vouch_guest(&key(key_of), key(3).device(), role, later))
    };
    let mut tickets = trusting();
    for ticket in [&founder, &second, &third] {
        assert!(tickets.take_ticket(ticket, &alps()));
    }
    for ticket in [less(Role::Listener), less(Role::Dj)].into_iter().flatten() {
        assert!(!tickets.take_ticket(&ticket.unwrap(), &alps()));
    }
    assert_eq!(tickets.of(key(3).device()), Some(&third));
    let of_founder = second.vouch_guest(&key(2), key(1).device(), Role::Listener, NOW).unwrap();
    assert!(!tickets.take_ticket(&of_founder, &alps()));
    // Who was let in as a listener, and then by somebody else as more, is more.
    let [listener, dj] = [Role::Listener, Role::Dj].map(|role| second.vouch_guest(&key(2), key(4).device(), role, NOW));
    assert!(tickets.take_ticket(&listener.unwrap(), &alps()) && tickets.take_ticket(&dj.unwrap(), &alps()));
    // What an issuer says himself, a server that took the convoy over, counts by its time.
    let served = Ticket::issue(&key(9), &alps(), (key(3).device(), &ann(), Role::Listener), (NOW_S + 9) * 1_000_000, 9);
    assert!(tickets.trust(key(9).device()) && tickets.take_ticket(&served, &alps()));
}
