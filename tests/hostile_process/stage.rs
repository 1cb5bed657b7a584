//! A car that has met its server, which is gone; a car of bad will beside it; and what either may say.

use crate::cars::{Car, SECRET, until_all};
use crate::jamz_server::Server;
use crate::network::Network;
use crate::rogue::{Heard, Rogue, Spoil};
use jamz::core::changes::{Action, Change, ChangeId, Hlc};
use jamz::core::clock::{ConvoyTime, Monotonic};
use jamz::core::election::Term;
use jamz::core::id::{ConvoyId, DeviceId, EntryId, TrackId, UserId};
use jamz::core::mesh::PeerMessage;
use jamz::core::order::OrderKey;
use jamz::core::playlist::Track;
use jamz::core::signature::DeviceKey;
use jamz::core::status::ActiveSync;
use jamz::core::ticket::{Credentials, Role, Ticket};
use jamz::host::{self, MonotonicClock};

pub(crate) const DAY_S: u64 = 86_400;

pub(crate) struct Stage {
    /// The car; its user has taken control.
    pub(crate) van: Car,
    pub(crate) rogue: Rogue,
    /// How far convoy time is ahead of the machine's clock.
    ahead_us: i64,
    /// The car's term.
    pub(crate) term: Term,
    /// The last change by which the car was asked whether it is through.
    marker: u64,
    _server: Server,
    _network: Network,
}

pub(crate) fn key(n: u8) -> DeviceKey {
    DeviceKey::from_secret(&[n; 32]).unwrap()
}

/// The key of the house's servers.
pub(crate) fn house() -> DeviceKey {
    key(0x5a)
}

pub(crate) fn alps() -> ConvoyId {
    ConvoyId::new("alps").unwrap()
}

pub(crate) fn now_unix_s() -> u64 {
    host::wall_clock().unix_us.unsigned_abs() / 1_000_000
}

/// A ticket for the car with this key, good from now on for a day.
pub(crate) fn ticket(device: &DeviceKey, role: Role) -> Ticket {
    ticket_by(&house(), device, role, now_unix_s())
}

pub(crate) fn ticket_by(issuer: &DeviceKey, device: &DeviceKey, role: Role, from_unix_s: u64) -> Ticket {
    let user = UserId::new(format!("user of {}", &device.device().as_str()[..8])).unwrap();
    Ticket::issue(issuer, &alps(), (device.device(), &user, role), from_unix_s * 1_000_000, DAY_S)
}

impl Stage {
    pub(crate) async fn new(spoil: Option<Spoil>) -> Self {
        let mut network = Network::new();
        let [home, road, street] = [100, 1, 66].map(|n| network.machine_at(&format!("10.9.0.{n}/24")));
        let mut server = Server::start_at(&home, "10.9.0.100");
        let van = Car::start(&road, SECRET, Some((&server, "ann"))).await;
        until_all(&[&van], "on the server", |status| status.connection.active_sync == ActiveSync::Socket).await;
        van.client.take().await.unwrap();
        let status = van.daemon.until(&van.client, "in control", |status| status.is_controller).await;
        let ahead_us = status.clock.convoy_us.unwrap() - status.taken_us;
        server.kill();
        until_all(&[&van], "alone", |status| status.connection.active_sync == ActiveSync::Offline).await;
        // Of two offers that cross, the lower id's stands.
        let own = (1..=250).map(key).min_by(|a, b| a.device().cmp(b.device())).unwrap();
        let (issuer, tickets) = (house().device().clone(), vec![ticket(&own, Role::Listener)]);
        let told = Credentials { convoy: alps(), issuer, tickets, revocations: None };
        let rogue = Rogue::start(&street, own, SECRET, told, spoil);
        Self { van, rogue, ahead_us, term: Term(0), marker: 0, _server: server, _network: network }
    }

    /// As [`Self::new`], with a link between the two, on which the car leads.
    pub(crate) async fn linked() -> Self {
        let mut stage = Self::new(None).await;
        stage.rogue.hears("a link", |heard| matches!(heard, Heard::Up).then_some(())).await;
        stage.rogue.hears("a greeting", |heard| said(heard, |m| matches!(m, PeerMessage::Hello(_)))).await;
        until_all(&[&stage.van], "followed", |status| status.connection.active_sync == ActiveSync::Webrtc).await;
        stage.is_through().await;
        let state = |heard: &Heard| match heard {
            Heard::Message(message) => {
                if let PeerMessage::State(state) = &**message {
                    Some(state.term)
                } else {
                    None
                }
            }
            _ => None,
        };
        stage.term = stage.rogue.hears("a state", state).await;
        stage
    }

    pub(crate) fn convoy_time(&self) -> ConvoyTime {
        ConvoyTime(MonotonicClock.now().0 + self.ahead_us)
    }

    /// A change of the car with this key, made now and signed.
    pub(crate) fn change(&self, author: &DeviceKey, sequence: u64, action: Action) -> Change {
        self.change_in(&alps(), author, sequence, action)
    }

    pub(crate) fn change_in(&self, convoy: &ConvoyId, author: &DeviceKey, sequence: u64, action: Action) -> Change {
        let mut change = Change {
            id: ChangeId { device: author.device().clone(), sequence },
            hlc: Hlc { time_us: self.convoy_time().0, count: 0 },
            term: self.term,
            user: None,
            action,
            signature: None,
        };
        author.sign_change(&mut change, convoy);
        change
    }

    /// Waits until the car has dealt with all that was said so far: until it refuses what a listener says last.
    pub(crate) async fn is_through(&mut self) {
        self.marker += 1;
        let marker = self.change(&self.rogue.key, self.marker, Action::TakeControl);
        self.rogue.say(told(&marker, None));
        let id = marker.id.clone();
        self.rogue
            .hears("a verdict", |heard| {
                said(heard, |m| matches!(m, PeerMessage::Verdict { change, .. } if *change == id))
            })
            .await;
    }
}

/// Whether it is a message such as this.
pub(crate) fn said(heard: &Heard, wanted: impl Fn(&PeerMessage) -> bool) -> Option<()> {
    matches!(heard, Heard::Message(message) if wanted(message)).then_some(())
}

pub(crate) fn told(change: &Change, ticket: Option<&Ticket>) -> PeerMessage {
    let ticket = ticket.cloned().map(Box::new);
    PeerMessage::Change { change: Box::new(change.clone()), track: None, ticket, hops: 0 }
}

/// The addition of a track of this title.
pub(crate) fn add(title: &str) -> Action {
    Action::Add {
        entry: EntryId::new(title).unwrap(),
        track: Track {
            id: TrackId::new(title).unwrap(),
            title: title.into(),
            artist: String::new(),
            album: String::new(),
            duration_us: None,
            url: None,
            extra: serde_json::Map::new(),
        },
        order: OrderKey::between(None, None),
    }
}

pub(crate) fn device(n: u8) -> DeviceId {
    key(n).device().clone()
}
