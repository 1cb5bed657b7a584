//! What phones do that came to a car by its own link, when a server takes the convoy over.

use super::papers::{FAR, ISSUER, NEXT, change, convoy, roadside, says, ticket};
use super::*;
use crate::core::election::Term;
use crate::core::mesh::{Attempt, Beat, Claim, Echo, Hello, PeerMessage, Route, Source};
use crate::core::status::{Member, MemberKind};
use crate::core::ticket::{Credentials, Role, Ticket, WallTime};

/// Who founded the convoy.
const FOUNDER: u8 = 8;

/// A car that the founder let in, with a server out of reach, and its neighbour.
fn on_the_roadside() -> Bench {
    let mut bench = Bench::new(Start { has_server: true, ..roadside() });
    let (issuer, tickets) = (key(FOUNDER).device().clone(), vec![let_in(ME)]);
    bench.give(Input::LetIn(Box::new(Credentials { convoy: convoy(), issuer, tickets, revocations: None })));
    bench.wait(4 * SECOND);
    bench.meets_neighbour();
    bench
}

fn let_in(device: u8) -> Ticket {
    let own = Ticket::found(&key(FOUNDER), &convoy(), WallTime::default()).unwrap();
    own.vouch(&key(FOUNDER), key(device).device()).unwrap()
}

fn guest_of(host: u8) -> Ticket {
    let_in(host).vouch_guest(&key(host), key(FAR).device(), Role::Dj, WallTime::default()).unwrap()
}

/// What was brought to the server for somebody else, and by which ticket.
fn passed_on(bench: &Bench) -> Vec<(u64, Ticket)> {
    let passed_on = bench.sent().into_iter().filter_map(|command| match command {
        ServerCommand::PassOn { change, ticket } => Some((change.id.sequence, (**ticket).clone())),
        _ => None,
    });
    passed_on.collect()
}

/// The server says whom it let in.
fn server_knows(bench: &mut Bench, devices: &[u8]) {
    let tickets = devices.iter().map(|device| ticket(ISSUER, *device, Role::Dj)).collect();
    let issuer = key(ISSUER).device().clone();
    bench.server(ServerEvent::Tickets(Box::new(Credentials { convoy: convoy(), issuer, tickets, revocations: None })));
}

#[test]
fn what_a_guest_did_is_brought_to_the_server_by_the_ticket_of_his_car_once_that_has_come_to_it() {
    let mut bench = on_the_roadside();
    let guests = guest_of(NEXT);
    assert_eq!(bench.is_brought(&change(FAR, 1, Action::TakeControl), Some(guests.clone())), Verdict::Applied);
    server_knows(&mut bench, &[ME]);
    bench.join(Snapshot::default(), 0);
    bench.wait(5 * SECOND);
    assert_eq!(passed_on(&bench), [], "the server would not know whose guest that is");
    server_knows(&mut bench, &[NEXT]);
    bench.wait(5 * SECOND);
    assert_eq!(passed_on(&bench), [(1, guests)]);
    assert_eq!(bench.car.state().controller.as_ref(), Some(key(FAR).device()), "he need not come again");
}

#[test]
fn what_the_roadside_let_in_as_a_car_is_brought_by_nobody_else() {
    let mut bench = on_the_roadside();
    let take = change(FAR, 1, Action::TakeControl);
    assert_eq!(bench.is_brought(&take, Some(let_in(FAR))), Verdict::Applied);
    server_knows(&mut bench, &[ME, NEXT]);
    bench.join(Snapshot::default(), 0);
    bench.wait(5 * SECOND);
    assert_eq!(passed_on(&bench), []);
}

#[test]
fn a_guest_of_a_car_that_the_server_lets_only_listen_may_no_more_than_it() {
    let mut bench = on_the_roadside();
    let (issuer, tickets) = (key(ISSUER).device().clone(), vec![ticket(ISSUER, NEXT, Role::Listener)]);
    let told = Credentials { convoy: convoy(), issuer, tickets, revocations: None };
    bench.server(ServerEvent::Tickets(Box::new(told)));
    let verdict = bench.is_brought(&change(FAR, 1, Action::TakeControl), Some(guest_of(NEXT)));
    assert!(says(&verdict, "may let nobody in"), "{verdict:?}");
}

/// What the neighbour says of whom it follows: a server of its own, or itself.
fn beat(bench: &Bench, source: Source) -> PeerMessage {
    let now = bench.now;
    PeerMessage::Beat(Box::new(Beat {
        ask: false,
        sent: now,
        echo: Some(Echo { sent: now - 1_000, received: now - 500 }),
        clock: Some((ClockMap { mono0: now, convoy0: ConvoyTime(now.0), rate: 0.0 }, 10)),
        clock_through: Vec::new(),
        route: Route { source, path: vec![key(NEXT).device().clone()], count: now.0.unsigned_abs() },
        digest: 5,
        members: 0,
        wanted: true,
    }))
}

/// Whether the car follows a neighbour that shows this ticket, as one with a server or as one that leads.
fn is_followed(shown: Option<Ticket>, has_server: bool) -> bool {
    let mut bench = on_the_roadside();
    bench.hears(PeerMessage::Hello(hello(shown)));
    let (device, user) = (key(NEXT).device().clone(), UserId::new("zoe").unwrap());
    let claim = Claim { term: Term(9), established: true, timed: true, dj: false, mains: true, user, device };
    for _ in 0..20 {
        let source = if has_server { Source::Server { term: Term(9) } } else { Source::Member(claim.clone()) };
        let said = beat(&bench, source);
        bench.hears(said);
        bench.wait(100_000);
    }
    bench.car.obeys() == Choice::Follow(key(NEXT).device().clone())
}

fn hello(ticket: Option<Ticket>) -> Hello {
    let user = UserId::new("zoe").unwrap();
    let ticket = ticket.map(Box::new);
    Hello { user, name: "Zoe".into(), kind: MemberKind::Car, battery: false, attempt: Attempt(1), ticket, unix_s: None }
}

#[test]
fn a_guest_is_followed_nowhere_nor_is_he_who_hides_that_he_is_one() {
    let guests = let_in(ME).vouch_guest(&key(ME), key(NEXT).device(), Role::Dj, WallTime::default()).unwrap();
    for has_server in [true, false] {
        assert!(is_followed(Some(let_in(NEXT)), has_server), "as a car is, that was let in");
        assert!(!is_followed(Some(guests.clone()), has_server));
        assert!(!is_followed(None, has_server));
    }
}

#[test]
fn a_guest_speaks_for_himself_and_in_his_own_name() {
    let mut bench = on_the_roadside();
    let guests = let_in(ME).vouch_guest(&key(ME), key(NEXT).device(), Role::Dj, WallTime::default()).unwrap();
    bench.hears(PeerMessage::Hello(hello(Some(guests.clone()))));
    let member = |device: u8, user: &str| Member {
        device: key(device).device().to_string(),
        user: user.into(),
        name: "Ann's van".into(),
        online: true,
        kind: MemberKind::Car,
        tier: None,
    };
    bench.hears(PeerMessage::Members(vec![member(FAR, "ann"), member(NEXT, "ann")]));
    let members = bench.status().members;
    let shown = |device: u8| members.iter().find(|member| member.device == key(device).device().as_str());
    assert_eq!(shown(FAR), None, "whom he says that he has with him");
    let himself = shown(NEXT).unwrap();
    assert_eq!((himself.user.as_str(), himself.kind), (guests.user.as_str(), MemberKind::Phone));

    let mut named = change(NEXT, 1, Action::TakeControl);
    named.user = Some(UserId::new("ann").unwrap());
    key(NEXT).sign_change(&mut named, &convoy());
    assert!(says(&bench.is_brought(&named, Some(guests.clone())), "names another user"));
    let mut own = change(NEXT, 2, Action::TakeControl);
    own.user = Some(guests.user.clone());
    key(NEXT).sign_change(&mut own, &convoy());
    assert_eq!(bench.is_brought(&own, Some(guests)), Verdict::Applied);
}
