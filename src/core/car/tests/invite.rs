//! Who is given a link for a phone, and who is told why not.

use super::papers::{convoy, roadside};
use super::*;
use crate::core::mesh::{LanCommand, LanEvent};
use crate::core::request::{Doorstep, Invitation};
use crate::core::ticket::{Credentials, Revocations, Role, Ticket, WallTime};

fn invite() -> Command {
    Command::Invite { role: Some(Role::Listener) }
}

impl Bench {
    fn last_invited(&self) -> Option<&Result<Invitation, Refusal>> {
        self.seen.iter().rev().find_map(|output| match output {
            Output::Invited { result, .. } => Some(result),
            _ => None,
        })
    }

    fn asked_server(&self) -> Option<RequestId> {
        self.seen.iter().rev().find_map(|output| match output {
            Output::Server(ServerCommand::Invite { request, convoy, role: Some(Role::Listener) }) => {
                (convoy.as_str() == "convoy").then_some(*request)
            }
            _ => None,
        })
    }
}

fn joined() -> Bench {
    let mut bench = Bench::new(in_convoy());
    bench.join(Snapshot::default(), 0);
    bench
}

fn refusal(bench: &Bench) -> String {
    bench.last_invited().unwrap().as_ref().unwrap_err().to_string()
}

#[test]
fn the_server_gives_the_link_that_a_driver_asks_for() {
    let mut bench = joined();
    bench.command(invite());
    assert!(bench.last_invited().is_none(), "the server is asked first");
    let request = bench.asked_server().unwrap();
    let convoy = ConvoyId::new("convoy").unwrap();
    let given = Invitation { convoy, token: Some("t".into()), expires_unix_s: Some(5), role: Role::Listener, at: None };
    bench.server(ServerEvent::Invited { request, result: Ok(given.clone()) });
    assert_eq!(bench.last_invited(), Some(&Ok(given.clone())));
    assert!(!format!("{given:?}").contains("\"t\""), "no log shows the token");
    bench.command(invite());
    let request = bench.asked_server().unwrap();
    bench.server(ServerEvent::Invited { request, result: Err("you are a guest".into()) });
    assert!(refusal(&bench).contains("you are a guest"));
}

#[test]
fn whoever_waits_for_a_link_of_a_server_that_is_lost_or_was_never_there_is_told() {
    let mut bench = joined();
    bench.command(invite());
    let request = bench.asked_server().unwrap();
    bench.server(ServerEvent::Down { reason: "a tunnel".into() });
    assert!(refusal(&bench).contains("try again"));
    let before = bench.seen.len();
    bench.server(ServerEvent::Invited { request, result: Err("late".into()) });
    assert!(!bench.seen[before..].iter().any(|output| matches!(output, Output::Invited { .. })), "told once");
    bench.command(invite());
    assert!(refusal(&bench).contains("out of reach"));
    let mut alone = Bench::new(start());
    alone.command(invite());
    assert!(refusal(&alone).contains("jamzctl join"));
}

/// A car in the convoy that it was let into on the roadside, by this ticket; and whom its founder put out.
fn let_in(ticket: impl FnOnce(&Ticket) -> Ticket, revocations: Option<Revocations>) -> Bench {
    let mut bench = Bench::new(roadside());
    let first = Ticket::found(&key(9), &convoy(), WallTime::default()).unwrap();
    let (issuer, tickets) = (first.issuer.clone(), vec![ticket(&first)]);
    bench.give(Input::LetIn(Box::new(Credentials { convoy: convoy(), issuer, tickets, revocations })));
    bench
}

fn as_member(first: &Ticket) -> Ticket {
    first.vouch(&key(9), &me()).unwrap()
}

impl Bench {
    fn own_links(&self) -> Vec<Role> {
        let own = self.seen.iter().filter_map(|output| match output {
            Output::Lan(LanCommand::Invite { role, .. }) => Some(*role),
            _ => None,
        });
        own.collect()
    }
}

#[test]
fn where_no_server_is_there_a_car_of_the_roadside_gives_a_link_of_its_own() {
    let mut bench = let_in(as_member, None);
    let request = bench.command(invite());
    bench.command(Command::Invite { role: None });
    assert_eq!((bench.own_links(), bench.last_invited()), (vec![Role::Listener, Role::Dj], None));
    let at = Some(Doorstep { origins: vec!["https://169.254.1.1:8443".into()], certificate: "ab".into() });
    let (token, role) = (Some("t".into()), Role::Listener);
    let given = Invitation { convoy: convoy(), token, expires_unix_s: None, role, at };
    bench.give(Input::Lan(LanEvent::Invited { request, result: Ok(given.clone()) }));
    assert_eq!(bench.last_invited(), Some(&Ok(given)));
    // With the server in reach, it is the server's.
    bench.join(Snapshot::default(), 0);
    bench.command(invite());
    assert!(bench.asked_server().is_some());
    assert_eq!(bench.own_links().len(), 2);
}

#[test]
fn a_car_that_may_let_nobody_in_says_why_and_gives_no_link() {
    let listener = |first: &Ticket| first.vouch_guest(&key(9), &me(), Role::Listener, WallTime::default()).unwrap();
    let far = |first: &Ticket| {
        let chain = [(9, 1), (1, 2), (2, 3), (3, ME)];
        chain.iter().fold(first.clone(), |ticket, (by, to)| ticket.vouch(&key(*by), key(*to).device()).unwrap())
    };
    let user = UserId::new(me().as_str()).unwrap();
    let list = Revocations::issue(&key(9), &convoy(), ([(user, 5)].into(), [].into()), 5);
    let refused = vec![
        (let_in(listener, None), "only listen"),
        (let_in(far, None), "too many cars"),
        (let_in(as_member, Some(list)), "good no more"),
        (Bench::new(roadside()), "out of reach"),
    ];
    for (mut bench, says) in refused {
        bench.command(invite());
        assert!(refusal(&bench).contains(says), "{says}: {}", refusal(&bench));
        assert_eq!(bench.own_links(), [], "{says}");
    }
}
