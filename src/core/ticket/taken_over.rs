//! A convoy that was founded on the roadside, and that a server has taken over: whom the server knows, and whom it puts
//! out.

use super::*;

const NOW_S: u64 = 1_800_000_000;
const NOW_US: u64 = NOW_S * 1_000_000;
const DAY_S: u64 = 86_400;
const NOW: WallTime = WallTime::UnixS(NOW_S);
/// Keys: of the founder, of a car that it let in, of that one's guest, and of the server.
const FOUNDER: u8 = 1;
const HOST: u8 = 2;
const GUEST: u8 = 3;
const SERVER: u8 = 9;

fn key(seed: u8) -> DeviceKey {
    DeviceKey::from_secret(&[seed; 32]).unwrap()
}

fn alps() -> ConvoyId {
    ConvoyId::new("alps").unwrap()
}

fn user(seed: u8) -> UserId {
    UserId::new(format!("user {seed}")).unwrap()
}

/// The server's, for a car with a token of this role.
fn served(device: u8, role: Role) -> Ticket {
    Ticket::issue(&key(SERVER), &alps(), (key(device).device(), &user(device), role), NOW_US, 30 * DAY_S)
}

/// That of the car that the founder let in.
fn hosts() -> Ticket {
    hosts_by(FOUNDER)
}

fn hosts_by(founder: u8) -> Ticket {
    let own = Ticket::found(&key(founder), &alps(), NOW).unwrap();
    own.vouch(&key(founder), key(HOST).device()).unwrap()
}

fn guests() -> Ticket {
    hosts().vouch_guest(&key(HOST), key(GUEST).device(), Role::Dj, NOW).unwrap()
}

/// What the server knows: itself, and the cars that have come to it.
fn server(cars: &[Ticket]) -> Tickets {
    let mut book = Tickets::default();
    book.trust(key(SERVER).device());
    for ticket in cars {
        assert!(book.take_ticket(ticket, &alps()));
    }
    book
}

/// A car of before, to which the server has said who it is, and whom it let in.
fn car(cars: &[Ticket]) -> Tickets {
    let mut book = Tickets::default();
    book.trust(key(FOUNDER).device());
    assert!(book.take_ticket(&hosts(), &alps()) && book.take_ticket(&guests(), &alps()));
    book.trust(key(SERVER).device());
    for ticket in cars {
        assert!(book.take_ticket(ticket, &alps()));
    }
    book
}

fn standing(book: &Tickets, ticket: &Ticket) -> Standing {
    book.standing(ticket, &ticket.device, &alps(), NOW)
}

fn put_out(users: &[u8], devices: &[u8]) -> Revocations {
    let users = users.iter().map(|n| (user(*n), NOW_US + 5)).collect();
    let devices = devices.iter().map(|n| key(*n).device().clone()).collect();
    Revocations::issue(&key(SERVER), &alps(), (users, devices), NOW_US + 5)
}

#[test]
fn a_server_knows_the_guest_of_a_car_that_has_come_to_it_and_nobody_else_by_any_founders_word() {
    let mut book = server(&[served(HOST, Role::Dj)]);
    let of_stranger = Ticket::found(&key(5), &alps(), NOW).unwrap();
    let signed = |by: u8, change: &dyn Fn(&mut Ticket)| {
        let mut ticket = guests();
        change(&mut ticket);
        let issuer = ticket.issuer.clone();
        key(by).sign_ticket(&mut ticket);
        Ticket { issuer, ..ticket }
    };
    for (name, ticket, is) in [
        (
            "of a car that has not come",
            of_stranger.vouch_guest(&key(5), key(GUEST).device(), Role::Dj, NOW).unwrap(),
            Standing::UnknownIssuer,
        ),
        (
            "of the founder, who has not come",
            Ticket::found(&key(FOUNDER), &alps(), NOW)
                .unwrap()
                .vouch_guest(&key(FOUNDER), key(GUEST).device(), Role::Dj, NOW)
                .unwrap(),
            Standing::UnknownIssuer,
        ),
        ("the host's own of before", hosts(), Standing::UnknownIssuer),
        (
            "of a car that it lets in itself",
            hosts().vouch(&key(HOST), key(4).device()).unwrap(),
            Standing::UnknownIssuer,
        ),
        ("by the guest's own key", signed(GUEST, &|_| ()), Standing::Forged),
        ("by another's key", signed(5, &|_| ()), Standing::Forged),
        (
            "with a longer life",
            signed(HOST, &|t| t.expires_unix_s = t.voucher.as_ref().unwrap().expires_unix_s + 1),
            Standing::Forged,
        ),
        ("as the owner", signed(HOST, &|t| t.role = Role::Owner), Standing::Forged),
        ("of another convoy", signed(HOST, &|t| t.convoy = ConvoyId::new("jura").unwrap()), Standing::WrongConvoy),
        (
            "with a word of the founder's that he did not say",
            signed(HOST, &|t| t.voucher.as_mut().unwrap().serial += 1),
            Standing::Forged,
        ),
    ] {
        assert_eq!(standing(&book, &ticket), is, "{name}");
        assert!(!book.take_ticket(&ticket, &alps()), "{name}");
    }
    assert_eq!(standing(&book, &guests()), Standing::Valid);
    assert!(book.take_ticket(&guests(), &alps()) && !book.take_ticket(&guests(), &alps()));
    assert_eq!(book.standing(&guests(), key(4).device(), &alps(), NOW), Standing::WrongDevice);
    let tomorrow = WallTime::UnixS(NOW_S + DAY_S + LEEWAY_S + 1);
    assert_eq!(book.standing(&guests(), key(GUEST).device(), &alps(), tomorrow), Standing::Expired);
}

#[test]
fn a_guest_may_nothing_where_the_server_lets_his_host_in_as_a_listener_or_as_somebodys_guest() {
    let mut visiting = served(HOST, Role::Dj);
    visiting.guest_of = Some(user(7));
    key(SERVER).sign_ticket(&mut visiting);
    for host in [served(HOST, Role::Listener), visiting] {
        assert!(!server(std::slice::from_ref(&host)).take_ticket(&guests(), &alps()));
        assert_eq!(standing(&car(&[host]), &guests()), Standing::HostMayNot);
    }
    let short = Ticket::issue(&key(SERVER), &alps(), (key(HOST).device(), &user(HOST), Role::Dj), NOW_US, 60);
    let later = WallTime::UnixS(NOW_S + 60 + LEEWAY_S + 1);
    let book = server(&[short]);
    assert_eq!(book.standing(&guests(), key(GUEST).device(), &alps(), later), Standing::Expired, "no longer than him");
}

#[test]
fn who_is_put_out_by_the_server_does_not_come_back_by_the_founders_word_nor_do_his_guests() {
    for book in [server(&[served(HOST, Role::Dj)]), car(&[served(HOST, Role::Dj)])] {
        let mut book = book;
        book.take_ticket(&guests(), &alps());
        assert!(book.take_revocations(&put_out(&[HOST], &[HOST]), &alps()));
        assert!(book.is_put_out(key(HOST).device()) && book.is_put_out(key(GUEST).device()));
        let later = WallTime::UnixS(NOW_S + 60);
        let again = hosts().vouch_guest(&key(HOST), key(4).device(), Role::Dj, later).unwrap();
        let as_a_car = hosts().vouch(&key(HOST), key(5).device()).unwrap();
        for ticket in [hosts(), guests(), again, as_a_car] {
            assert!(!standing(&book, &ticket).admits(), "{ticket:?}");
            book.take_ticket(&ticket, &alps());
            assert_ne!(book.of(&ticket.device).map(|held| standing(&book, held).admits()), Some(true));
        }
        assert!(
            book.take_revocations(&Revocations::issue(&key(SERVER), &alps(), Default::default(), NOW_US + 9), &alps())
        );
        assert_eq!(standing(&book, &guests()), Standing::Valid, "let in again");
    }
    // Who never met the server's ticket for him knows it by the list alone.
    let mut book = car(&[]);
    assert!(book.take_revocations(&put_out(&[HOST], &[HOST]), &alps()));
    assert!(book.is_put_out(key(HOST).device()) && book.is_put_out(key(GUEST).device()));
}

#[test]
fn a_guest_is_put_out_by_his_devices_name_and_his_host_stays() {
    let mut book = server(&[served(HOST, Role::Dj)]);
    assert!(book.take_ticket(&guests(), &alps()));
    let users = [(guests().user, guests().serial)].into();
    let list = Revocations::issue(&key(SERVER), &alps(), (users, [].into()), NOW_US + 5);
    assert!(book.take_revocations(&list, &alps()));
    assert_eq!(
        (standing(&book, &guests()), standing(&book, &served(HOST, Role::Dj))),
        (Standing::Revoked, Standing::Valid)
    );
}

#[test]
fn no_member_makes_less_of_what_the_server_said_nor_sets_its_clock_nor_crowds_others_out() {
    // He founds what he likes, for the same convoy, dated as he likes.
    let mut own = Ticket::found(&key(HOST), &alps(), NOW).unwrap();
    (own.serial, own.expires_unix_s) = (EXACT_MAX, EXACT_MAX);
    key(HOST).sign_ticket(&mut own);
    let made = |device: u8, role: Role| {
        let mut ticket = own.vouch_guest(&key(HOST), key(device).device(), role, WallTime::default()).unwrap();
        ticket.serial = EXACT_MAX;
        key(HOST).sign_ticket(&mut ticket);
        ticket
    };
    let mut book = server(&[served(HOST, Role::Dj), served(5, Role::Dj)]);
    assert!(!book.take_ticket(&made(5, Role::Listener), &alps()), "a car that the server let in is his guest");
    assert!(book.take_ticket(&made(GUEST, Role::Dj), &alps()), "his guest all the same");
    assert_eq!(book.passed_unix_us(), NOW_US);
    assert_eq!(standing(&book, &served(5, Role::Dj)), Standing::Valid);
    for n in 0..=TICKETS_MAX {
        let mut seed = [0; 32];
        seed[..2].copy_from_slice(&(n as u16).to_le_bytes());
        let guest = DeviceKey::from_secret(&seed).unwrap();
        let mut ticket = made(6, Role::Dj);
        ticket.device = guest.device().clone();
        key(HOST).sign_ticket(&mut ticket);
        book.take_ticket(&ticket, &alps());
    }
    assert_eq!(book.held().count(), TICKETS_MAX);
    assert!(book.of(key(5).device()).is_some() && book.of(key(HOST).device()).is_some());
}
