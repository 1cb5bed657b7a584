//! A car that does not know what time it is, and tickets that end.

use super::papers::*;
use super::*;
use crate::core::mesh::{Attempt, Hello, LanEvent, MeshCommand, MeshEvent, PeerMessage, Signal, SignalKind};
use crate::core::status::MemberKind;
use crate::core::ticket::{Credentials, Role, Ticket};

const DAY_US: i64 = DAY_S as i64 * SECOND;

/// Another neighbour.
const SIDE: u8 = 5;

impl Bench {
    /// Knows an issuer, and the neighbour, whose ticket is good for a day.
    fn before_a_clock() -> Self {
        let mut bench = Self::new(roadside());
        bench.has_met_server(Role::Dj);
        bench.meets_neighbour();
        bench
    }

    /// A car greets, and says that it is so late; its ticket is good for much longer than others.
    fn is_greeted(&mut self, by: u8, unix_s: Option<u64>, has_ticket: bool) {
        let user = UserId::new(format!("user {by}")).unwrap();
        let own = key(by);
        let bearer = (own.device(), &user, Role::Dj);
        let ticket = Ticket::issue(&key(ISSUER), &convoy(), bearer, NOW_S * 1_000_000, 90 * DAY_S);
        let hello = Hello {
            user,
            name: String::new(),
            kind: MemberKind::Car,
            battery: false,
            attempt: Attempt(1),
            ticket: has_ticket.then(|| Box::new(ticket)),
            unix_s,
        };
        let (from, received) = (key(by).device().clone(), self.now);
        self.give(Input::Mesh(MeshEvent::Message { from, message: Box::new(PeerMessage::Hello(hello)), received }));
    }

    fn meets(&mut self, by: u8) {
        let signal = Signal { attempt: Attempt(1), kind: SignalKind::Offer, body: "v=0".into() };
        let signed = key(by).sign_signal(me(), signal, convoy());
        self.give(Input::Lan(LanEvent::Signal(Box::new(signed))));
        self.give(Input::Mesh(MeshEvent::Up { peer: key(by).device().clone(), attempt: Attempt(1) }));
    }

    /// Whether what an author does counts whose ticket is good for a day from `NOW_S` on.
    fn admits(&mut self, sequence: u64) -> bool {
        let ticket = Some(ticket(ISSUER, FAR, Role::Dj));
        let verdict = self.is_brought(&change(FAR, sequence, Action::TakeControl), ticket);
        assert!(verdict == Verdict::Applied || says(&verdict, "expired"), "{verdict:?}");
        verdict == Verdict::Applied
    }
}

#[test]
fn a_car_at_1970_denies_nobody_for_his_tickets_time_whether_or_not_it_takes_that_for_the_time() {
    for synchronized in [false, true] {
        let mut bench = Bench::before_a_clock();
        bench.give(Input::WallClock { unix_us: 40 * SECOND, synchronized });
        assert!(bench.admits(1));
    }
}

#[test]
fn without_any_clock_a_ticket_is_over_when_so_much_time_has_passed_also_over_restarts() {
    let mut bench = Bench::before_a_clock();
    bench.now = bench.now + DAY_US / 2;
    assert!(bench.admits(1));
    let mut again = Bench::new(Start { saved: Some(bench.saved()), ..roadside() });
    again.meets_neighbour();
    again.now = again.now + DAY_US / 4;
    assert!(again.admits(2));
    again.now = again.now + DAY_US / 2;
    again.meets_neighbour_for_the(2);
    assert!(!again.admits(3));
}

#[test]
fn a_car_without_a_clock_believes_a_neighbour_with_a_good_ticket_for_as_long_as_he_is_there() {
    let later = Some(NOW_S + 2 * DAY_S);
    let mut bench = Bench::before_a_clock();
    bench.is_greeted(NEXT, later, false);
    assert!(bench.admits(1), "whoever has no ticket is not believed");
    bench.is_greeted(NEXT, later, true);
    assert!(!bench.admits(2));
    bench.give(Input::Mesh(MeshEvent::Down {
        peer: key(NEXT).device().clone(),
        attempt: Attempt(1),
        reason: "gone".into(),
    }));
    bench.meets_neighbour_for_the(2);
    assert!(bench.admits(3), "it is not known any more");
    bench.is_greeted(NEXT, Some(NOW_S + DAY_S / 2), true);
    assert!(bench.admits(4));
    bench.now = bench.now + DAY_US;
    assert!(!bench.admits(5), "what was told goes on");
}

#[test]
fn one_neighbour_who_lies_about_the_time_neither_makes_others_tickets_expire_nor_keeps_his_own_alive() {
    let mut bench = Bench::before_a_clock();
    bench.meets(SIDE);
    bench.is_greeted(NEXT, Some(NOW_S + 900 * DAY_S), true);
    bench.is_greeted(SIDE, Some(NOW_S + 60), true);
    assert!(bench.admits(1), "the earlier counts");
    bench.is_greeted(SIDE, Some(NOW_S - 900 * DAY_S), true);
    bench.is_greeted(NEXT, Some(NOW_S + 2 * DAY_S), true);
    assert!(!bench.admits(2), "but not one that is past for sure");
}

#[test]
fn a_clock_that_is_vouched_for_goes_before_all_and_neighbours_hear_when_it_comes() {
    let mut bench = Bench::before_a_clock();
    bench.is_greeted(NEXT, Some(NOW_S + 2 * DAY_S), true);
    let told = |bench: &mut Bench| {
        let seen = std::mem::take(&mut bench.seen);
        let sent = seen.iter().filter_map(|output| match output {
            Output::Mesh(MeshCommand::Send { message, .. }) => Some(&**message),
            _ => None,
        });
        sent.filter_map(|m| if let PeerMessage::Hello(hello) = m { Some(hello.unix_s) } else { None })
            .collect::<Vec<_>>()
    };
    assert_eq!(told(&mut bench), [None]);
    bench.clock_shows(NOW_S + 900 * DAY_S);
    assert_eq!(told(&mut bench), [Some(NOW_S + 900 * DAY_S)]);
    assert!(!bench.admits(1));
    bench.clock_shows(NOW_S + 60);
    assert_eq!(told(&mut bench), []);
    assert!(bench.admits(2), "what it showed by mistake denies nobody for ever");
    bench.server(ServerEvent::Tickets(Box::new(Credentials {
        convoy: convoy(),
        issuer: key(ISSUER).device().clone(),
        tickets: vec![],
        revocations: Some(void(ISSUER, &[], NOW_S + 3 * DAY_S)),
    })));
    assert!(!bench.admits(3), "an issuer's number proves that it is later");
}
