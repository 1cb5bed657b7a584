//! Whose changes count in a convoy whose issuer is known, and in one where nobody knows any.

use super::*;
use crate::core::changes::ChangeId;
use crate::core::election::Term;
use crate::core::io::Saved;
use crate::core::mesh::{Attempt, LanEvent, MeshCommand, MeshEvent, PeerMessage, Signal, SignalKind};
use crate::core::ticket::{Credentials, Revocations, Role, Ticket};

/// Who invites others.
const HOST: u8 = 7;
/// The neighbour.
pub(super) const NEXT: u8 = 2;
/// An author beyond it.
pub(super) const FAR: u8 = 3;
pub(super) const ISSUER: u8 = 9;
pub(super) const NOW_S: u64 = 1_800_000_000;
pub(super) const DAY_S: u64 = 86_400;

pub(super) fn convoy() -> ConvoyId {
    ConvoyId::new("convoy").unwrap()
}

pub(super) fn roadside() -> Start {
    let mesh = MeshSettings { enabled: true, ..MeshSettings::default() };
    Start { mesh, has_server: false, ..in_convoy() }
}

pub(super) fn ticket(issuer: u8, device: u8, role: Role) -> Ticket {
    let user = UserId::new(format!("user {device}")).unwrap();
    Ticket::issue(&key(issuer), &convoy(), (key(device).device(), &user, role), NOW_S * 1_000_000, DAY_S)
}

pub(super) fn change(author: u8, sequence: u64, action: Action) -> Change {
    let mut change = Change {
        id: ChangeId { device: key(author).device().clone(), sequence },
        hlc: Hlc { time_us: sequence as i64, count: 0 },
        term: Term(0),
        user: None,
        action,
        signature: None,
    };
    key(author).sign_change(&mut change, &convoy());
    change
}

impl Bench {
    /// What the server told before it got out of reach: its key, and this car's own ticket.
    pub(super) fn has_met_server(&mut self, role: Role) {
        let tickets = vec![ticket(ISSUER, ME, role)];
        let issuer = key(ISSUER).device().clone();
        let credentials = Credentials { convoy: convoy(), issuer, tickets, revocations: None };
        self.server(ServerEvent::Tickets(Box::new(credentials)));
    }

    pub(super) fn hears(&mut self, message: PeerMessage) {
        let (from, received) = (key(NEXT).device().clone(), self.now);
        self.give(Input::Mesh(MeshEvent::Message { from, message: Box::new(message), received }));
    }

    /// Whether the neighbour was told this list of late, and is told nothing more.
    pub(super) fn has_passed_on(&mut self, list: &Revocations) -> bool {
        std::mem::take(&mut self.seen).iter().any(|output| match output {
            Output::Mesh(MeshCommand::Send { message, .. }) => {
                **message == PeerMessage::Revoked(Box::new(list.clone()))
            }
            _ => false,
        })
    }

    pub(super) fn has_link(&self) -> bool {
        self.car.status(self.now).connection.web_rtc.contains_key(key(NEXT).device().as_str())
    }

    /// What is kept for the next start.
    pub(super) fn saved(&mut self) -> Saved {
        self.car.handle_stop(self.now);
        self.drain();
        let saved = self.seen.iter().rev().find_map(|output| match output {
            Output::Remember(saved) => Some((**saved).clone()),
            _ => None,
        });
        serde_json::from_str(&serde_json::to_string(&saved.unwrap()).unwrap()).unwrap()
    }

    pub(super) fn clock_shows(&mut self, unix_s: u64) {
        let unix_us = unix_s as i64 * SECOND;
        self.give(Input::WallClock { unix_us, synchronized: true });
    }

    pub(super) fn meets_neighbour(&mut self) {
        self.meets_neighbour_for_the(1);
    }

    pub(super) fn meets_neighbour_for_the(&mut self, time: u64) {
        let attempt = Attempt(time);
        let signal = Signal { attempt, kind: SignalKind::Offer, body: "v=0".into() };
        let signed = key(NEXT).sign_signal(me(), signal, convoy());
        self.give(Input::Lan(LanEvent::Signal(Box::new(signed))));
        self.give(Input::Mesh(MeshEvent::Up { peer: key(NEXT).device().clone(), attempt }));
    }

    /// The neighbour brings a change; what this car makes of it, as it tells him.
    pub(super) fn is_brought(&mut self, change: &Change, ticket: Option<Ticket>) -> Verdict {
        let (change, ticket) = (Box::new(change.clone()), ticket.map(Box::new));
        let id = change.id.clone();
        let message = Box::new(PeerMessage::Change { change, track: None, ticket, hops: 1 });
        let (from, received) = (key(NEXT).device().clone(), self.now);
        self.give(Input::Mesh(MeshEvent::Message { from, message, received }));
        let told = self.seen.iter().rev().find_map(|output| match output {
            Output::Mesh(MeshCommand::Send { message, .. }) => match &**message {
                PeerMessage::Verdict { change, verdict } if *change == id => Some(verdict.clone()),
                _ => None,
            },
            _ => None,
        });
        told.unwrap()
    }

    /// The changes of an author that are in the history.
    fn recorded(&self, author: u8) -> Vec<u64> {
        let recorded = self.seen.iter().filter_map(|output| match output {
            Output::Record { change, .. } if change.id.device == *key(author).device() => Some(change.id.sequence),
            _ => None,
        });
        recorded.collect()
    }
}

/// That the tickets of the users of these devices so far are void.
pub(super) fn void(issuer: u8, devices: &[u8], at_s: u64) -> Revocations {
    let users = devices.iter().map(|device| ticket(ISSUER, *device, Role::Dj)).map(|t| (t.user, t.serial)).collect();
    Revocations::issue(&key(issuer), &convoy(), (users, [].into()), at_s * 1_000_000)
}

pub(super) fn says(verdict: &Verdict, words: &str) -> bool {
    matches!(verdict, Verdict::Refused { reason } if reason.contains(words))
}

#[test]
fn where_an_issuer_is_known_only_those_count_who_show_a_good_ticket_and_whose_role_allows_it() {
    let mut bench = Bench::new(roadside());
    bench.has_met_server(Role::Dj);
    bench.clock_shows(NOW_S + 60);
    bench.meets_neighbour();
    let mut altered = ticket(ISSUER, FAR, Role::Listener);
    altered.role = Role::Owner;
    let stolen = ticket(ISSUER, NEXT, Role::Dj);
    let take = |sequence| change(FAR, sequence, Action::TakeControl);
    for (sequence, ticket, words) in [
        (1, None, "no ticket"),
        (2, Some(ticket(FAR, FAR, Role::Dj)), "no ticket"),
        (3, Some(altered), "no ticket"),
        (4, Some(stolen), "no ticket"),
        (5, Some(ticket(ISSUER, FAR, Role::Listener)), "a listener may not take control"),
    ] {
        let verdict = bench.is_brought(&take(sequence), ticket);
        assert!(says(&verdict, words), "{sequence}: {verdict:?}");
        assert_eq!(bench.car.state().controller, None);
    }
    assert_eq!(bench.recorded(FAR), [5], "of whom nobody knows nothing is kept");
    let mut promoted = ticket(ISSUER, FAR, Role::Dj);
    promoted.serial += 1;
    key(ISSUER).sign_ticket(&mut promoted);
    assert_eq!(bench.is_brought(&take(6), Some(promoted)), Verdict::Applied);
    assert_eq!(bench.car.state().controller.as_ref(), Some(key(FAR).device()));

    // Its time is over, by a clock that somebody vouches for.
    bench.clock_shows(NOW_S + 3 * DAY_S);
    assert!(says(&bench.is_brought(&take(7), None), "expired"));
}

#[test]
fn where_nobody_knows_an_issuer_all_goes_on_as_without_tickets() {
    let mut bench = Bench::new(roadside());
    bench.meets_neighbour();
    let forged = ticket(FAR, FAR, Role::Listener);
    assert_eq!(bench.is_brought(&change(FAR, 1, Action::TakeControl), Some(forged)), Verdict::Applied);
}

#[test]
fn the_ticket_goes_on_with_the_change_and_issuer_and_tickets_survive_a_restart() {
    let mut bench = Bench::new(roadside());
    bench.has_met_server(Role::Dj);
    let own = |bench: &Bench| {
        let told = bench.seen.iter().filter_map(|output| match output {
            Output::Mesh(MeshCommand::Send { message, .. }) => Some(&**message),
            _ => None,
        });
        let shown = told.filter_map(|message| match message {
            PeerMessage::Hello(hello) => hello.ticket.clone(),
            PeerMessage::Change { ticket, .. } => ticket.clone(),
            _ => None,
        });
        shown.map(|ticket| *ticket).collect::<Vec<_>>()
    };
    bench.meets_neighbour();
    bench.command(Command::Take);
    assert_eq!(own(&bench), vec![ticket(ISSUER, ME, Role::Dj); 2], "in the greeting, and with the change");

    let saved = bench.saved();
    let mut again = Bench::new(Start { saved: Some(saved), ..roadside() });
    again.meets_neighbour();
    assert_eq!(own(&again), [ticket(ISSUER, ME, Role::Dj)]);
    let listener = Some(ticket(ISSUER, FAR, Role::Listener));
    assert!(says(&again.is_brought(&change(FAR, 1, Action::TakeControl), listener), "a listener"));
}

#[test]
fn a_listener_is_told_at_once_and_a_car_that_joins_answers_the_challenge() {
    let mut bench = Bench::new(in_convoy());
    bench.server(ServerEvent::Up { dialect: Dialect::Jamz, challenge: Some("once".into()) });
    let proof = bench.sent().into_iter().find_map(|command| match command {
        ServerCommand::Join { proof, .. } => proof.clone(),
        _ => None,
    });
    let checked = crate::core::signature::check_join(&me(), &convoy(), "once", proof.as_deref());
    assert_eq!(checked, Ok(()));
    bench.join(Snapshot::default(), 0);
    bench.has_met_server(Role::Listener);
    let (take, add) = (bench.command(Command::Take), bench.add(&[track("one", 60)]));
    for request in [take, add] {
        let Some(Err(Refusal::Denied(reason))) = bench.reply(request) else { panic!("{:?}", bench.reply(request)) };
        assert!(reason.contains("a listener may not"), "{reason}");
    }
    // Another convoy has another issuer.
    bench.command(Command::Leave);
    let add = bench.add(&[track("two", 60)]);
    assert!(bench.reply(add).is_some_and(Result::is_ok), "{:?}", bench.reply(add));
}

#[test]
fn who_is_put_out_while_the_server_is_gone_is_refused_as_soon_as_a_neighbour_has_the_list_and_what_he_did_stays() {
    let mut bench = Bench::new(roadside());
    bench.has_met_server(Role::Dj);
    bench.clock_shows(NOW_S + 60);
    bench.meets_neighbour();
    let far = Some(ticket(ISSUER, FAR, Role::Dj));
    assert_eq!(bench.is_brought(&change(FAR, 1, Action::TakeControl), far), Verdict::Applied);
    let forged = void(NEXT, &[FAR], NOW_S + 30);
    let mut altered = void(ISSUER, &[], NOW_S + 30);
    altered.users = void(ISSUER, &[FAR], NOW_S + 30).users;
    for bad in [forged, altered] {
        bench.hears(PeerMessage::Revoked(Box::new(bad.clone())));
        assert!(!bench.has_passed_on(&bad));
    }
    assert_eq!(bench.is_brought(&change(FAR, 2, Action::ReleaseControl), None), Verdict::Applied);
    assert_eq!(bench.is_brought(&change(FAR, 3, Action::TakeControl), None), Verdict::Applied);

    let list = void(ISSUER, &[FAR], NOW_S + 30);
    bench.hears(PeerMessage::Revoked(Box::new(list.clone())));
    assert!(bench.has_passed_on(&list));
    assert!(says(&bench.is_brought(&change(FAR, 4, Action::ReleaseControl), None), "revoked"));
    assert_eq!(bench.car.state().controller.as_ref(), Some(key(FAR).device()), "what he did before stays");
    bench.hears(PeerMessage::Revoked(Box::new(list.clone())));
    assert!(!bench.has_passed_on(&list), "an old list is no news");

    // A later start knows it, and tells whom it meets; only a newer list lets him in again.
    let mut again = Bench::new(Start { saved: Some(bench.saved()), ..roadside() });
    again.meets_neighbour();
    assert!(again.has_passed_on(&list));
    again.hears(PeerMessage::Revoked(Box::new(void(ISSUER, &[], NOW_S + 20))));
    assert!(says(&again.is_brought(&change(FAR, 5, Action::ReleaseControl), None), "revoked"));
    again.hears(PeerMessage::Revoked(Box::new(void(ISSUER, &[], NOW_S + 40))));
    assert_eq!(again.is_brought(&change(FAR, 6, Action::ReleaseControl), None), Verdict::Applied);
}

#[test]
fn a_guest_of_who_is_put_out_is_refused_and_loses_his_link_and_cannot_leave_his_host_out_of_his_ticket() {
    let mut bench = Bench::new(roadside());
    bench.has_met_server(Role::Dj);
    bench.clock_shows(NOW_S + 60);
    let guest = |device: u8| {
        let mut ticket = ticket(ISSUER, device, Role::Dj);
        ticket.guest_of = Some(UserId::new(format!("user {HOST}")).unwrap());
        key(ISSUER).sign_ticket(&mut ticket);
        ticket
    };
    let credentials = |tickets: Vec<Ticket>| {
        let issuer = key(ISSUER).device().clone();
        Input::Server(ServerEvent::Tickets(Box::new(Credentials {
            convoy: convoy(),
            issuer,
            tickets,
            revocations: None,
        })))
    };
    bench.give(credentials(vec![guest(NEXT)]));
    bench.meets_neighbour();
    let far = guest(FAR);
    assert_eq!(bench.is_brought(&change(FAR, 1, Action::TakeControl), Some(far.clone())), Verdict::Applied);
    assert!(bench.has_link());
    bench.give(Input::Server(ServerEvent::Tickets(Box::new(Credentials {
        convoy: convoy(),
        issuer: key(ISSUER).device().clone(),
        tickets: vec![],
        revocations: Some(void(ISSUER, &[HOST], NOW_S + 30)),
    }))));
    assert!(!bench.has_link(), "the neighbour is a guest of his");
    let mut tickets = bench.saved().tickets;
    assert!(tickets.is_put_out(key(FAR).device()));
    let mut homeless = Ticket { guest_of: None, serial: far.serial + 1, ..far };
    assert!(!tickets.take_ticket(&homeless, &convoy()), "the issuer signed whose guest he is");
    key(FAR).sign_ticket(&mut homeless);
    assert!(!tickets.take_ticket(&homeless, &convoy()));
}

#[test]
fn with_who_is_put_out_no_link_is_kept_and_none_made_and_he_is_told_why() {
    let mut bench = Bench::new(roadside());
    bench.has_met_server(Role::Dj);
    bench.server(ServerEvent::Tickets(Box::new(Credentials {
        convoy: convoy(),
        issuer: key(ISSUER).device().clone(),
        tickets: vec![ticket(ISSUER, NEXT, Role::Dj)],
        revocations: None,
    })));
    bench.meets_neighbour();
    assert!(bench.has_link());
    let list = void(ISSUER, &[NEXT], NOW_S + 30);
    bench.server(ServerEvent::Tickets(Box::new(Credentials {
        convoy: convoy(),
        issuer: key(ISSUER).device().clone(),
        tickets: vec![],
        revocations: Some(list.clone()),
    })));
    assert!(bench.has_passed_on(&list) && !bench.has_link());
    bench.meets_neighbour_for_the(2);
    assert!(!bench.has_link());

    // He himself knows, too, and his buttons say so.
    let mut his = Bench::new(roadside());
    his.has_met_server(Role::Dj);
    his.meets_neighbour();
    his.hears(PeerMessage::Revoked(Box::new(void(ISSUER, &[ME], NOW_S + 30))));
    let take = his.command(Command::Take);
    let Some(Err(Refusal::Denied(reason))) = his.reply(take) else { panic!("{:?}", his.reply(take)) };
    assert!(reason.contains("revoked") && reason.contains("let its user in again"), "{reason}");
}
