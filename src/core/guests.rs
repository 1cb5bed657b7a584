//! Guests of a car: the links that it gave for phones, and who comes by them.
//!
//! A link is good for a day and for the first device that comes by it. That one is told a ticket, and comes by it from
//! then on.

use super::clock::MonoTime;
use super::id::{ConvoyId, DeviceId};
use super::roadside::Roadside;
use super::signature::{DeviceKey, check_join};
use super::ticket::{Guest, Role, Standing, Ticket, Tickets, WallTime};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::collections::VecDeque;

/// Links that are good at once; of more, the latest.
const LINKS_MAX: usize = 64;
/// 128 bits cannot be guessed.
const TOKEN_BYTES: usize = 16;
/// Longest token that is looked at.
pub const TOKEN_CHARS_MAX: usize = 64;

/// What is kept of a link. It shows itself to nobody.
struct Link {
    token: String,
    role: Role,
    until: MonoTime,
    /// What was given to whoever came by it first, whose it is from then on.
    given: Option<Ticket>,
}

/// The links that are good, oldest first.
#[derive(Default)]
pub struct Guests {
    links: VecDeque<Link>,
}

/// By what somebody comes.
#[derive(Clone, PartialEq, Eq)]
pub enum Pass {
    Token(String),
    /// What an earlier visit brought.
    Ticket(Box<Ticket>),
}

/// Who comes.
#[derive(Clone, PartialEq, Eq)]
pub struct Caller {
    pub convoy: ConvoyId,
    pub device: DeviceId,
    /// The device's answer to the challenge.
    pub proof: String,
    pub pass: Pass,
}

/// Who receives: its key, and what it keeps of the convoy.
#[derive(Clone, Copy)]
pub struct Host<'a> {
    pub key: &'a DeviceKey,
    pub roadside: &'a Roadside,
    pub wall: WallTime,
}

/// Why somebody is not let in, in words for him.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotIn {
    #[error("the link is for another convoy")]
    Convoy,
    #[error("this phone does not prove that it is the one that it says")]
    Proof,
    #[error("this link is unknown here, or has expired: a link is good for a day, and until the car is switched off")]
    Link,
    #[error("this link was used by another phone; each phone needs a link of its own")]
    Taken,
    #[error("{0}")]
    Ticket(Standing),
    #[error("your time in this convoy is over: a link is good for a day")]
    Over,
    #[error("this car may let nobody in")]
    Host,
}

impl Guests {
    /// A new link's token, out of fresh chance.
    pub fn invite(&mut self, role: Role, chance: &[u8], now: MonoTime) -> String {
        self.links.retain(|link| now < link.until);
        while self.links.len() >= LINKS_MAX {
            self.links.pop_front();
        }
        let token = URL_SAFE_NO_PAD.encode(chance.get(..TOKEN_BYTES).unwrap_or(chance));
        let until = now + Guest::VALID_S as i64 * 1_000_000;
        self.links.push_back(Link { token: token.clone(), role, until, given: None });
        token
    }

    /// The ticket of somebody who comes, and who answered this challenge.
    ///
    /// # Errors
    /// Why he is not let in.
    pub fn admit(&mut self, caller: &Caller, challenge: &str, host: Host, now: MonoTime) -> Result<Ticket, NotIn> {
        let Caller { convoy, device, proof, pass } = caller;
        if *convoy != host.roadside.convoy {
            return Err(NotIn::Convoy);
        }
        // Before a link becomes anyone's.
        check_join(device, convoy, challenge, Some(proof)).map_err(|_| NotIn::Proof)?;
        match pass {
            Pass::Ticket(ticket) => known(ticket, device, host),
            Pass::Token(token) => self.by_link(token, device, host, now),
        }
    }

    fn by_link(&mut self, token: &str, device: &DeviceId, host: Host, now: MonoTime) -> Result<Ticket, NotIn> {
        let mut good = self.links.iter_mut().filter(|link| now < link.until);
        let link = good.find(|link| is_same(&link.token, token)).ok_or(NotIn::Link)?;
        if let Some(given) = &link.given {
            // The same, as it would otherwise begin its day anew with each visit.
            return if given.device == *device { Ok(given.clone()) } else { Err(NotIn::Taken) };
        }
        let own = &host.roadside.ticket;
        let ticket = own.vouch_guest(host.key, device, link.role, host.wall).ok_or(NotIn::Host)?;
        link.given = Some(ticket.clone());
        Ok(ticket)
    }
}

fn known(ticket: &Ticket, device: &DeviceId, host: Host) -> Result<Ticket, NotIn> {
    let mut tickets = Tickets::default();
    tickets.trust(&host.roadside.founder);
    match tickets.standing(ticket, device, &host.roadside.convoy, host.wall) {
        standing if standing.admits() => Ok(ticket.clone()),
        Standing::Expired => Err(NotIn::Over),
        standing => Err(NotIn::Ticket(standing)),
    }
}

/// Takes the same time wherever they differ.
fn is_same(token: &str, said: &str) -> bool {
    let differs = token.bytes().zip(said.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b));
    token.len() == said.len() && differs == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::id::ConvoyName;

    const NOW: MonoTime = MonoTime(5_000_000);
    const DAY_US: i64 = 86_400_000_000;
    const WALL: WallTime = WallTime::UnixS(1_800_000_000);

    fn key(seed: u8) -> DeviceKey {
        DeviceKey::from_secret(&[seed; 32]).unwrap()
    }

    fn roadside(founder: u8, chance: u8) -> Roadside {
        let name = ConvoyName::new("alps").unwrap();
        Roadside::found(name, &key(founder), WALL, ([chance; 32], [2; 32])).unwrap()
    }

    /// The van, key 1, and the links that it gave.
    struct Van {
        key: DeviceKey,
        roadside: Roadside,
        guests: Guests,
    }

    impl Van {
        fn new() -> Self {
            Self { key: key(1), roadside: roadside(1, 1), guests: Guests::default() }
        }

        fn caller(&self, device: u8, pass: Pass) -> Caller {
            let key = key(device);
            let proof = key.prove_join(&self.roadside.convoy, "challenge");
            Caller { convoy: self.roadside.convoy.clone(), device: key.device().clone(), proof, pass }
        }

        fn admit(&mut self, caller: &Caller, now: MonoTime) -> Result<Ticket, NotIn> {
            let host = Host { key: &self.key, roadside: &self.roadside, wall: WALL };
            self.guests.admit(caller, "challenge", host, now)
        }

        fn comes(&mut self, device: u8, pass: Pass, now: MonoTime) -> Result<Ticket, NotIn> {
            let caller = self.caller(device, pass);
            self.admit(&caller, now)
        }
    }

    fn by(token: &str) -> Pass {
        Pass::Token(token.into())
    }

    #[test]
    fn a_link_is_the_first_devices_that_comes_by_it_for_a_day() {
        let mut van = Van::new();
        let token = van.guests.invite(Role::Listener, &[7; 32], NOW);
        assert!(token.len() * 6 >= 128, "{token}");
        let ticket = van.comes(2, by(&token), NOW).unwrap();
        assert_eq!((&ticket.device, ticket.role, ticket.guest), (key(2).device(), Role::Listener, true));
        assert_eq!(van.comes(3, by(&token), NOW), Err(NotIn::Taken));
        let (again, later) = (van.caller(2, by(&token)), WallTime::UnixS(1_800_080_000));
        let host = Host { key: &van.key, roadside: &van.roadside, wall: later };
        let told = van.guests.admit(&again, "challenge", host, NOW + (DAY_US - 1));
        assert_eq!(told, Ok(ticket.clone()), "a page that forgot its ticket comes again, for no longer");
        assert_eq!(van.comes(2, by(&token), NOW + DAY_US), Err(NotIn::Link));
        assert!(van.comes(2, Pass::Ticket(Box::new(ticket)), NOW + DAY_US).is_ok(), "its ticket is good by the clock");
    }

    #[test]
    fn who_comes_with_anything_else_is_told_why_not_and_takes_no_link_from_anyone() {
        let mut van = Van::new();
        let token = van.guests.invite(Role::Dj, &[7; 32], NOW);
        let good = van.caller(2, by(&token));
        let elsewhere = roadside(1, 9);
        let altered = |change: &dyn Fn(&mut Caller)| {
            let mut caller = good.clone();
            change(&mut caller);
            caller
        };
        let cut = token.get(1..).unwrap().to_owned();
        for (caller, why) in [
            (altered(&|caller| caller.pass = by("another")), NotIn::Link),
            (altered(&|caller| caller.pass = by("")), NotIn::Link),
            (altered(&|caller| caller.pass = by(&cut)), NotIn::Link),
            (altered(&|caller| caller.pass = by(&format!("{token}x"))), NotIn::Link),
            (altered(&|caller| caller.convoy = elsewhere.convoy.clone()), NotIn::Convoy),
            (altered(&|caller| caller.device = key(3).device().clone()), NotIn::Proof),
            (altered(&|caller| caller.device = DeviceId::new("page:1").unwrap()), NotIn::Proof),
            (altered(&|caller| caller.proof = key(2).prove_join(&caller.convoy, "of yesterday")), NotIn::Proof),
            (altered(&|caller| caller.proof = String::new()), NotIn::Proof),
        ] {
            assert_eq!(van.admit(&caller, NOW), Err(why));
        }
        assert!(van.admit(&good, NOW).is_ok());
    }

    #[test]
    fn of_tickets_those_count_that_go_back_to_the_founder() {
        let mut van = Van::new();
        let token = van.guests.invite(Role::Dj, &[7; 32], NOW);
        let good = van.comes(2, by(&token), NOW).unwrap();
        let others = roadside(5, 1);
        let mut forged = Ticket { role: Role::Owner, ..good.clone() };
        key(2).sign_ticket(&mut forged);
        let foreign = others.ticket.vouch_guest(&key(5), key(2).device(), Role::Dj, WALL).unwrap();
        let old = van.roadside.ticket.vouch_guest(&key(1), key(2).device(), Role::Dj, WallTime::UnixS(1_799_000_000));
        let elsewhere = roadside(1, 9).ticket.vouch_guest(&key(1), key(2).device(), Role::Dj, WALL).unwrap();
        let altered = Ticket { expires_unix_s: good.expires_unix_s + 1, ..good.clone() };
        for (ticket, device, why) in [
            (forged, 2, Standing::Forged),
            (foreign, 2, Standing::UnknownIssuer),
            (altered, 2, Standing::Forged),
            (elsewhere, 2, Standing::WrongConvoy),
            (good.clone(), 3, Standing::WrongDevice),
        ] {
            let came = van.comes(device, Pass::Ticket(Box::new(ticket)), NOW);
            assert_eq!(came, Err(NotIn::Ticket(why)));
        }
        assert_eq!(van.comes(2, Pass::Ticket(Box::new(old.unwrap())), NOW), Err(NotIn::Over));
        assert_eq!(van.comes(2, Pass::Ticket(Box::new(good.clone())), NOW), Ok(good));
    }

    #[test]
    fn of_very_many_links_the_latest_are_good() {
        let mut van = Van::new();
        let tokens: Vec<String> = (0..100).map(|n| van.guests.invite(Role::Dj, &[n; 32], NOW)).collect();
        assert_eq!(van.comes(2, by(&tokens[0]), NOW), Err(NotIn::Link));
        assert!(van.comes(2, by(&tokens[99]), NOW).is_ok());
        assert_eq!(van.guests.links.len(), LINKS_MAX);
    }
}
