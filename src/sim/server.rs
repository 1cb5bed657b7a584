//! The server of the drive: the real authority, behind connections that are cut, openly or silently.

use super::world::{Event, WAN_US, World};
use super::{Instant, SECOND};
use crate::core::authority::{Authority, ConnectionId, Message, Newcomer, Now, Output};
use crate::core::changes::{Change, Verdict};
use crate::core::clock::MonoTime;
use crate::core::id::ConvoyId;
use crate::core::io::{Dialect, Input, ServerCommand, ServerEvent};
use crate::core::mesh::SignedSignal;
use crate::core::status::MemberKind;

/// A car's connection to the server.
#[derive(Debug, Default)]
pub(super) struct Socket {
    /// The road has no way to the server here.
    pub(super) cut: bool,
    /// Numbers the connections; none while there is no connection.
    pub(super) connection: Option<u32>,
    connections: u32,
    /// What waits in a silent connection, and which way it goes.
    stuck: Vec<Stuck>,
    round_trip_us: Option<i64>,
}

impl Socket {
    /// What waited in the connection is gone.
    pub(super) fn forget(&mut self) {
        self.stuck.clear();
    }
}

#[derive(Debug)]
enum Stuck {
    Up(ServerCommand),
    Down(ServerEvent),
}

/// What messages wait on the way to the server, on average.
pub(super) const WAN_QUEUE_US: f64 = 2_000.0;
/// TCP sends what was lost again after so long.
const RESENT_US: Instant = 200_000;
/// Both sides take a silent connection for dead after so long.
const SILENT_US: Instant = 4 * SECOND;
/// A connection that the server ended is tried again after so long.
const REDIAL_US: Instant = 2 * SECOND;
/// The server runs for so long already.
const BOOTED_US: i64 = 700 * SECOND;

impl World {
    /// The way to the server is cut; openly, or so that nobody notices at first.
    pub(super) fn cut_server(&mut self, car: usize, silently: bool) {
        let connection = self.nodes.get(car).and_then(|node| node.socket.connection);
        self.nodes_mut(car, |node| node.socket.cut = true);
        let at = if silently { self.now + SILENT_US } else { self.now };
        if let Some(connection) = connection {
            self.at(at, Event::Hung { car, connection });
        }
    }

    pub(super) fn heal_server(&mut self, car: usize) {
        let Some(node) = self.nodes.get_mut(car) else { return };
        node.socket.cut = false;
        let stuck = std::mem::take(&mut node.socket.stuck);
        for stuck in stuck {
            match stuck {
                Stuck::Up(command) => self.tell_server(car, command),
                Stuck::Down(event) => self.tell_car(car, event),
            }
        }
        if self.nodes.get(car).is_some_and(|node| node.socket.connection.is_none()) {
            let at = self.now + self.chance.between(200_000, 2_500_000);
            self.at(at, Event::Dial { car });
        }
    }

    /// A connection was silent for too long, or its end was seen.
    pub(super) fn hang_up_server(&mut self, car: usize, connection: u32) {
        let Some(node) = self.nodes.get_mut(car) else { return };
        if node.socket.connection != Some(connection) || !(node.socket.cut || node.car.is_none()) {
            return;
        }
        node.socket.connection = None;
        node.socket.stuck.clear();
        self.disturbed(|| format!("{car} has lost the server"));
        let now = self.server_now();
        if let Some(server) = &mut self.server {
            server.handle_leave(&name(car, connection), true, now);
        }
        self.drain_server();
        self.input(car, Input::Server(ServerEvent::Down { reason: "cut".into() }));
    }

    pub(super) fn dial(&mut self, car: usize) {
        let has_server = self.server.is_some();
        let Some(node) = self.nodes.get_mut(car) else { return };
        if !has_server || node.socket.cut || node.car.is_none() || node.socket.connection.is_some() {
            return;
        }
        node.socket.connections += 1;
        node.socket.connection = Some(node.socket.connections);
        self.disturbed(|| format!("{car} has the server"));
        self.tell_car(car, ServerEvent::Up { dialect: Dialect::Jamz, challenge: None });
    }

    /// The way of a car to the server takes so much longer from now on, and that back does not.
    pub fn take_detour(&mut self, car: usize, longer_us: Instant) {
        self.detours_us.insert(car, longer_us);
    }

    pub(super) fn perform_server(&mut self, car: usize, command: ServerCommand) {
        let Some(node) = self.nodes.get_mut(car).filter(|node| node.socket.connection.is_some()) else { return };
        if node.socket.cut {
            node.socket.stuck.push(Stuck::Up(command));
        } else {
            self.tell_server(car, command);
        }
    }

    pub(super) fn tell_server(&mut self, car: usize, command: ServerCommand) {
        let connection = self.nodes.get(car).and_then(|node| node.socket.connection);
        let (Some(connection), sent) = (connection, self.mono(car)) else { return };
        let at = self.wan_at((car, usize::MAX));
        self.at(at, Event::AtServer { car, connection, command: Box::new(command), sent });
    }

    fn tell_car(&mut self, car: usize, event: ServerEvent) {
        let Some(node) = self.nodes.get_mut(car).filter(|node| node.socket.connection.is_some()) else { return };
        if node.socket.cut {
            node.socket.stuck.push(Stuck::Down(event));
            return;
        }
        let connection = node.socket.connection.unwrap_or_default();
        let at = self.wan_at((usize::MAX, car));
        self.at(at, Event::FromServer { car, connection, event: Box::new(event) });
    }

    /// TCP keeps the order.
    fn wan_at(&mut self, way: (usize, usize)) -> Instant {
        let at = match &self.wan {
            None => self.now + self.wan_us + self.chance.queueing(WAN_QUEUE_US),
            Some(air) => {
                let mut at = self.now + self.wan_us - WAN_US;
                while air.loses(at, &mut self.chance) {
                    at += RESENT_US;
                }
                at + air.delay_us(at, &mut self.chance)
            }
        };
        let at = at + self.detours_us.get(&way.0).copied().unwrap_or_default();
        let last = self.in_order.entry(way).or_default();
        *last = at.max(*last);
        *last
    }

    pub(super) fn hear_from_server(&mut self, car: usize, connection: u32, event: ServerEvent) {
        let Some(node) = self.nodes.get_mut(car).filter(|node| node.socket.connection == Some(connection)) else {
            return;
        };
        if node.socket.cut {
            node.socket.stuck.push(Stuck::Down(event));
            return;
        }
        let received = node.crystal.mono(self.now);
        let event = match event {
            ServerEvent::Probed { sent, server_received, server_sent, lead_us, .. } => {
                node.socket.round_trip_us = Some(received - sent);
                ServerEvent::Probed { sent, received, server_received, server_sent, lead_us }
            }
            other => other,
        };
        if matches!(event, ServerEvent::Joined { .. }) {
            self.disturbed(|| format!("{car} has joined"));
        }
        self.input(car, Input::Server(event));
    }

    pub(super) fn at_server(&mut self, car: usize, connection: u32, command: ServerCommand, sent: MonoTime) {
        let now = self.server_now();
        let Some(node) = self.nodes.get(car).filter(|node| node.socket.connection == Some(connection)) else { return };
        let (round_trip_us, role) = (node.socket.round_trip_us, node.role);
        let Some(server) = &mut self.server else { return };
        let id = name(car, connection);
        server.note_ask(&id, now);
        match command {
            ServerCommand::Join { device, user, name, claim, .. } => {
                let (connection, kind, dialect) = (id, MemberKind::Car, Dialect::Jamz);
                let newcomer =
                    Newcomer { connection, device, user, name, kind, dialect, role, proven: true, guest: None };
                let event = match server.handle_join(newcomer, claim, now) {
                    Ok(()) => {
                        ServerEvent::Joined { snapshot: Box::new(server.snapshot().clone()), members: server.members() }
                    }
                    Err(reason) => ServerEvent::Rejected { reason },
                };
                self.tell_car(car, event);
            }
            ServerCommand::Leave => server.handle_leave(&id, false, now),
            ServerCommand::Probe { .. } => {
                if let Some(us) = round_trip_us {
                    server.handle_round_trip(&id, us, now.mono);
                }
                let at = server.clock().convoy(now.mono);
                let lead_us = server.lead_us();
                let event = ServerEvent::Probed { sent, received: sent, server_received: at, server_sent: at, lead_us };
                self.tell_car(car, event);
            }
            ServerCommand::Change(change) => self.change_at_server(car, &id, *change, now),
            ServerCommand::PassOn { change, ticket } => {
                server.handle_ticket(&ticket);
                self.change_at_server(car, &id, *change, now);
            }
            ServerCommand::Signal(signed) => self.signal_at_server(car, &id, signed, now),
            ServerCommand::Invite { .. } | ServerCommand::Backend(_) => {}
        }
        self.drain_server();
    }

    fn change_at_server(&mut self, car: usize, id: &ConnectionId, change: Change, now: Now) {
        let Some(server) = &mut self.server else { return };
        let change_id = change.id.clone();
        self.known = Some(change_id.clone()).filter(|id| server.snapshot().versions.knows(id));
        let decided = server.handle_change(id, change, now);
        let verdict = decided.unwrap_or_else(|reason| Verdict::Refused { reason });
        self.tell_car(car, ServerEvent::Acked { change: change_id, verdict });
    }

    fn signal_at_server(&mut self, from: usize, id: &ConnectionId, signed: Box<SignedSignal>, now: Now) {
        self.signals += 1;
        let heard = self.server.as_mut().map(|server| server.handle_signal(id, Some(&signed.to), now));
        if !matches!(heard, Some(Ok(_))) {
            return;
        }
        if let Some(to) = self.number_of(&signed.to).filter(|to| *to != from) {
            self.tell_car(to, ServerEvent::Signal(signed));
        }
    }

    pub(super) fn drain_server(&mut self) {
        self.keep_server();
        let (mut sends, mut dismissed) = (Vec::new(), Vec::new());
        if let Some(server) = &mut self.server {
            while let Some(output) = server.poll_output() {
                match output {
                    Output::Send { to, message } => sends.push((to, message)),
                    Output::Dismiss { connection, .. } => dismissed.push(connection),
                    Output::Record(recorded) => {
                        if self.known.as_ref() == Some(&recorded.change.id) {
                            self.twice.push((usize::MAX, recorded.change.id.clone()));
                        }
                        self.storage.record(*recorded);
                    }
                }
            }
        }
        for (to, message) in sends {
            for car in to.iter().filter_map(|id| self.seated(id)).collect::<Vec<_>>() {
                let event = match &message {
                    Message::Change(change) => ServerEvent::Change(change.clone()),
                    Message::Refused(change) => {
                        let reason = "the server refused it".to_owned();
                        ServerEvent::Refused { change: change.clone(), reason }
                    }
                    Message::Members(members) => ServerEvent::Members(members.clone()),
                    Message::State(snapshot) => ServerEvent::State(snapshot.clone()),
                    Message::Tickets(credentials) => ServerEvent::Tickets(credentials.clone()),
                    Message::Phone(_) => continue,
                };
                self.tell_car(car, event);
            }
        }
        for car in dismissed.iter().filter_map(|id| self.seated(id)).collect::<Vec<_>>() {
            let connection = self.nodes.get(car).and_then(|node| node.socket.connection).unwrap_or_default();
            self.at(self.now + self.wan_us, Event::Dismissed { car, connection });
        }
    }

    /// The server has ended a connection; the car tries another.
    pub(super) fn dismissed(&mut self, car: usize, connection: u32) {
        let Some(node) = self.nodes.get_mut(car).filter(|node| node.socket.connection == Some(connection)) else {
            return;
        };
        node.socket.connection = None;
        self.disturbed(|| format!("the server has let {car} go"));
        self.input(car, Input::Server(ServerEvent::Down { reason: "the server ended the connection".into() }));
        self.at(self.now + REDIAL_US, Event::Dial { car });
    }

    fn seated(&self, id: &ConnectionId) -> Option<usize> {
        self.nodes.iter().enumerate().find_map(|(car, node)| {
            (node.socket.connection.map(|connection| name(car, connection)).as_ref() == Some(id)).then_some(car)
        })
    }

    pub(super) fn server_now(&self) -> Now {
        let since = self.storage.booted;
        Now { mono: MonoTime(if since == 0 { BOOTED_US } else { 0 } + self.now - since), unix_ms: self.now / 1_000 }
    }

    pub(super) fn found_server(&mut self, convoy: ConvoyId) {
        self.convoy = convoy;
        self.server = Some(Authority::new(self.convoy.clone(), None, None, self.server_now().mono));
    }
}

fn name(car: usize, connection: u32) -> ConnectionId {
    ConnectionId(format!("{car}.{connection}"))
}
