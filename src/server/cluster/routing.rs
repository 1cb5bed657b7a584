//! The switchboard among several: where each question goes, and what happens when instances or Redis come and go.

use super::{InstanceId, Message, Place};
use crate::core::authority::ConnectionId;
use crate::core::clock::Probe;
use crate::core::id::ConvoyId;
use crate::server::convoys::{ConvoyAsk, Effect, Ticket};
use crate::server::metrics::RedisState;
use crate::server::rooms::Room;
use crate::server::storage::{Stored, Write};
use crate::server::switchboard::Switchboard;
use crate::wire::server::jamz::Failure;
use serde_json::{Value, json};
use std::borrow::Cow;

/// An instance that is not heard for so long is gone.
const SILENCE_US: i64 = 4_000_000;
/// Questions that wait for a convoy's place.
const WAITING_MAX: usize = 4_096;

impl Switchboard {
    /// Passes a question on to where the convoy is decided.
    pub(in crate::server) fn ask(
        &mut self,
        convoy: &ConvoyId,
        from: &ConnectionId,
        ask: ConvoyAsk,
        ticket: Option<Ticket>,
    ) {
        let now = self.now();
        let Some(cluster) = &mut self.cluster else { return self.convoys.ask(convoy, from, ask, ticket, now) };
        match cluster.places.get_mut(convoy) {
            Some(Place::Here) => self.convoys.ask(convoy, from, ask, ticket, now),
            Some(Place::There(holder)) => {
                let (convoy, connection) = (convoy.clone(), from.clone());
                cluster.link.send(Some(holder), Message::Ask { convoy, connection, ask, ticket });
            }
            Some(Place::Asking(waiting)) if waiting.len() < WAITING_MAX => waiting.push((from.clone(), ask, ticket)),
            Some(Place::Asking(_)) => {
                if let Some(ticket) = ticket {
                    let failure = Failure::passing("the convoy is being taken over; try again");
                    self.acknowledge(from, ticket, &json!(failure));
                }
            }
            None if cluster.up => {
                cluster.places.insert(convoy.clone(), Place::Asking(vec![(from.clone(), ask, ticket)]));
                cluster.link.claim(convoy.clone(), self.inbox.clone());
            }
            None => {
                cluster.places.insert(convoy.clone(), Place::Here);
                self.convoys.ask(convoy, from, ask, ticket, now);
            }
        }
    }

    /// Redis has said who holds a convoy, and what is known of it.
    pub(in crate::server) fn placed(&mut self, convoy: &ConvoyId, holder: Option<InstanceId>, stored: Option<Stored>) {
        let now = self.now();
        let Some(cluster) = &mut self.cluster else { return };
        let former = cluster.places.remove(convoy);
        let here = holder.as_ref().is_none_or(|holder| *holder == cluster.me);
        if here {
            cluster.places.insert(convoy.clone(), Place::Here);
            let offset_us = cluster
                .clocks
                .remove(convoy)
                .and_then(|clock| clock.estimate())
                .map(|estimate| estimate.map.convoy(now.mono).0 - now.mono.0);
            cluster.copied.remove(convoy);
            if holder.is_some() {
                self.convoys.adopt(convoy, stored, now);
            }
            if matches!(former, Some(Place::There(_))) {
                tracing::info!("a convoy is taken over");
                self.convoys.inherit(convoy, offset_us, now);
            }
            if let Some(changes) = cluster.reunions.remove(convoy) {
                self.convoys.reunite(convoy, &changes, now);
            }
            self.convoys.keep(convoy, now);
        } else if let Some(holder) = holder {
            let alone = self.convoys.surrender(convoy, now);
            if !alone.is_empty() {
                cluster.reunions.entry(convoy.clone()).or_default().extend(alone);
            }
            if let Some(changes) = cluster.reunions.get(convoy) {
                let message = Message::Reunion { convoy: convoy.clone(), changes: changes.clone() };
                cluster.link.send(Some(&holder), message);
            } else if let Some(stored) = stored
                && self.convoys.replace(convoy, &stored, now)
            {
                cluster.copied.insert(convoy.clone(), stored.last());
            }
            cluster.places.insert(convoy.clone(), Place::There(holder));
        }
        // A first question brings its own join with it; otherwise all come to the new place.
        match former {
            Some(Place::Asking(waiting)) => {
                for (from, ask, ticket) in waiting {
                    self.ask(convoy, &from, ask, ticket);
                }
            }
            Some(Place::Here) if here => {}
            Some(Place::There(before)) if self.is_there(convoy, &before) => {}
            _ => self.rejoin(convoy),
        }
        self.show_clock(convoy);
    }

    /// Redis has come or gone.
    pub(in crate::server) fn linked(&mut self, up: bool) {
        let Some(cluster) = &mut self.cluster else { return };
        cluster.up = up;
        self.metrics.set_redis(if up { RedisState::Connected } else { RedisState::Disconnected });
        if up {
            tracing::info!("Redis is here: convoys are shared");
            cluster.link.send(None, Message::Beat { fresh: true });
            let here: Vec<ConvoyId> = cluster.places.keys().cloned().collect();
            for convoy in here {
                cluster.link.claim(convoy, self.inbox.clone());
            }
            self.say_rooms();
            return;
        }
        tracing::warn!("Redis is away: each instance goes on with its own clients");
        for instance in std::mem::take(&mut cluster.heard).into_keys() {
            self.lost(&instance);
        }
        let elsewhere = self.cluster.iter().flat_map(|cluster| &cluster.places);
        let elsewhere = elsewhere.filter(|(_, place)| !matches!(place, Place::Here)).map(|(convoy, _)| convoy.clone());
        for convoy in elsewhere.collect::<Vec<_>>() {
            self.placed(&convoy, None, None);
        }
    }

    /// Another instance has said something.
    pub(in crate::server) fn remote(&mut self, from: InstanceId, message: Message) {
        let now = self.now();
        let Some(cluster) = self.cluster.as_mut().filter(|cluster| cluster.up) else { return };
        cluster.heard.insert(from.clone(), now.mono);
        match message {
            Message::Beat { fresh } => {
                if fresh {
                    self.lost(&from);
                    self.say_rooms();
                }
            }
            Message::Ask { convoy, connection, ask, ticket } => {
                cluster.homes.insert(connection.clone(), from);
                if matches!(cluster.places.get(&convoy), Some(Place::Here)) {
                    self.convoys.ask(&convoy, &connection, ask, ticket, now);
                }
            }
            Message::Effects(effects) => self.perform(effects),
            Message::Wrote(writes) => self.copy(&from, writes),
            Message::Reunion { convoy, changes } => {
                if matches!(cluster.places.get(&convoy), Some(Place::Here)) {
                    self.convoys.reunite(&convoy, &changes, now);
                    cluster.reunited.push((from, convoy));
                }
            }
            Message::Reunited { convoy } => {
                if cluster.reunions.remove(&convoy).is_some() {
                    cluster.link.claim(convoy, self.inbox.clone());
                }
            }
            Message::Gone(connection) => self.lost_connection(&connection),
            Message::Clock { convoy, sent } => {
                if let Some(clock) = self.convoys.clock(&convoy) {
                    cluster.link.send(Some(&from), Message::Clocked { convoy, sent, at: clock.convoy(now.mono) });
                }
            }
            Message::Clocked { convoy, sent, at } => {
                if let Some(clock) = cluster.clocks.get_mut(&convoy) {
                    let (reference_received, reference_sent) = (at, at);
                    clock.handle_probe(&Probe { sent, received: now.mono, reference_received, reference_sent });
                }
            }
            Message::Present { room, connection, participant } => {
                cluster.homes.insert(connection.clone(), from);
                self.rooms.join(room, &connection, participant);
            }
            Message::Absent { room, connection } => {
                self.rooms.leave(&room, &connection);
            }
        }
    }

    /// Every second: signs of life, leases, and clocks.
    pub(in crate::server) fn beat(&mut self) {
        let now = self.now();
        let Some(cluster) = self.cluster.as_mut().filter(|cluster| cluster.up) else { return };
        cluster.link.send(None, Message::Beat { fresh: false });
        let silent = cluster.heard.iter().filter(|(_, at)| now.mono - **at > SILENCE_US);
        let silent: Vec<InstanceId> = silent.map(|(instance, _)| instance.clone()).collect();
        self.convoys.share_again(now);
        let (lines, convoys) = (&self.lines, &self.convoys);
        cluster.places.retain(|convoy, place| match place {
            Place::Here => convoys.clock(convoy).is_some(),
            Place::There(_) => {
                lines.values().any(|line| line.newcomer(convoy).is_some()) || cluster.reunions.contains_key(convoy)
            }
            Place::Asking(_) => true,
        });
        let mut expected = Vec::new();
        for (convoy, place) in &cluster.places {
            match place {
                Place::Here => expected.push((convoy.clone(), cluster.me.clone())),
                Place::There(holder) => {
                    expected.push((convoy.clone(), holder.clone()));
                    cluster.clocks.entry(convoy.clone()).or_default();
                    let message = Message::Clock { convoy: convoy.clone(), sent: now.mono };
                    cluster.link.send(Some(holder), message);
                    if let Some(changes) = cluster.reunions.get(convoy) {
                        let message = Message::Reunion { convoy: convoy.clone(), changes: changes.clone() };
                        cluster.link.send(Some(holder), message);
                    }
                }
                Place::Asking(_) => {}
            }
        }
        let places = &cluster.places;
        cluster.clocks.retain(|convoy, _| places.contains_key(convoy));
        cluster.copied.retain(|convoy, _| places.contains_key(convoy));
        cluster.link.renew(expected, self.inbox.clone());
        for instance in silent {
            self.lost(&instance);
        }
    }

    /// Lets the others have what is durable here, then marks it as shared.
    pub(in crate::server) async fn share(&mut self, writes: Vec<Write>) {
        let Some(cluster) = self.cluster.as_mut().filter(|cluster| cluster.up && !writes.is_empty()) else { return };
        match cluster.link.share(&writes).await {
            Ok(()) => {
                self.convoys.shared(&writes);
                cluster.link.send(None, Message::Wrote(writes));
            }
            Err(error) => tracing::warn!(%error, "a change is durable here but not shared yet"),
        }
    }

    /// Keeps an effect for a client of another instance; one that is nowhere any more needs nothing.
    pub(in crate::server) fn forward(&mut self, to: &ConnectionId, effect: Effect) {
        let Some(cluster) = &mut self.cluster else { return };
        if let Some(home) = cluster.homes.get(to) {
            cluster.outgoing.entry(home.clone()).or_default().push(effect);
        }
    }

    /// Emits to clients of other instances.
    pub(in crate::server) fn emit_elsewhere(&mut self, to: Vec<ConnectionId>, event: &str, payload: &Value) {
        let Some(cluster) = &mut self.cluster else { return };
        let mut by_home = std::collections::BTreeMap::<&InstanceId, Vec<ConnectionId>>::new();
        for connection in to {
            if let Some(home) = cluster.homes.get(&connection) {
                by_home.entry(home).or_default().push(connection);
            }
        }
        for (home, to) in by_home {
            let effect = Effect::Emit { to, event: Cow::Owned(event.to_owned()), payload: payload.clone() };
            cluster.outgoing.entry(home.clone()).or_default().push(effect);
        }
    }

    /// Sends what has gathered for clients of other instances.
    pub(in crate::server) fn flush(&mut self) {
        let Some(cluster) = &mut self.cluster else { return };
        for (home, effects) in std::mem::take(&mut cluster.outgoing) {
            cluster.link.send(Some(&home), Message::Effects(effects));
        }
        for (home, convoy) in std::mem::take(&mut cluster.reunited) {
            cluster.link.send(Some(&home), Message::Reunited { convoy });
        }
    }

    /// Tells the other instances that someone here is in a room.
    pub(in crate::server) fn say_present(&self, room: &Room, connection: &ConnectionId, participant: Option<&Value>) {
        if let Some(cluster) = self.cluster.as_ref().filter(|cluster| cluster.up) {
            let (room, connection, participant) = (room.clone(), connection.clone(), participant.cloned());
            cluster.link.send(None, Message::Present { room, connection, participant });
        }
    }

    /// Tells them that someone here has left it.
    pub(in crate::server) fn say_absent(&self, room: &Room, connection: &ConnectionId) {
        if let Some(cluster) = self.cluster.as_ref().filter(|cluster| cluster.up) {
            let (room, connection) = (room.clone(), connection.clone());
            cluster.link.send(None, Message::Absent { room, connection });
        }
    }

    fn say_rooms(&self) {
        for (room, connection, participant) in self.rooms.all() {
            if self.lines.contains_key(connection) {
                self.say_present(room, connection, participant.as_ref());
            }
        }
    }

    /// An instance is gone, and its clients with it; they come back by another.
    fn lost(&mut self, instance: &InstanceId) {
        let Some(cluster) = &mut self.cluster else { return };
        cluster.heard.remove(instance);
        cluster.outgoing.remove(instance);
        let gone = cluster.homes.iter().filter(|(_, home)| *home == instance);
        for connection in gone.map(|(connection, _)| connection.clone()).collect::<Vec<_>>() {
            self.lost_connection(&connection);
        }
    }

    fn lost_connection(&mut self, connection: &ConnectionId) {
        let now = self.now();
        self.convoys.lost(connection, now);
        self.phone_gone(connection);
        if let Some(cluster) = &mut self.cluster {
            cluster.homes.remove(connection);
        }
    }

    /// Tells the other instances that a client here has closed its connection.
    pub(in crate::server) fn say_gone(&self, connection: &ConnectionId) {
        if let Some(cluster) = self.cluster.as_ref().filter(|cluster| cluster.up) {
            cluster.link.send(None, Message::Gone(connection.clone()));
        }
    }

    /// Copies what the holder of a convoy made durable.
    fn copy(&mut self, from: &InstanceId, writes: Vec<Write>) {
        let now = self.now();
        let Some(cluster) = &mut self.cluster else { return };
        let mut followed = Vec::new();
        for write in writes {
            let convoy = write.convoy();
            if cluster.reunions.contains_key(convoy) {
                continue;
            }
            if !matches!(cluster.places.get(convoy), Some(Place::There(holder)) if holder == from) {
                continue;
            }
            let last = cluster.copied.get(convoy).copied();
            match &write {
                Write::Recorded { number, .. } if last.is_some_and(|last| *number <= last) => continue,
                Write::Recorded { number, .. } if last != Some(number - 1) => {
                    cluster.copied.remove(convoy);
                    cluster.link.claim(convoy.clone(), self.inbox.clone());
                    continue;
                }
                Write::Recorded { number, .. } => cluster.copied.insert(convoy.clone(), *number),
                Write::Kept { through, .. } => cluster.copied.insert(convoy.clone(), *through),
            };
            followed.push(write);
        }
        if !self.convoys.copy(&followed, now)
            && let Some(cluster) = &mut self.cluster
        {
            cluster.copied.clear();
        }
    }

    fn is_there(&self, convoy: &ConvoyId, holder: &InstanceId) -> bool {
        let place = self.cluster.as_ref().and_then(|cluster| cluster.places.get(convoy));
        matches!(place, Some(Place::There(now)) if now == holder)
    }

    /// Brings all clients here into a convoy again, wherever it is decided now.
    fn rejoin(&mut self, convoy: &ConvoyId) {
        let seats = self.lines.iter().filter_map(|(id, line)| line.newcomer(convoy).map(|n| (id.clone(), n.clone())));
        for (connection, newcomer) in seats.collect::<Vec<_>>() {
            let newcomer = Box::new(newcomer);
            self.ask(convoy, &connection, ConvoyAsk::Join { newcomer, claim: None }, None);
        }
    }

    /// Lets the convoy's clients read its clock where they are, if it is decided here.
    fn show_clock(&self, convoy: &ConvoyId) {
        let clock = self.convoys.clock(convoy);
        for line in self.lines.values().filter(|line| line.native.as_ref().is_some_and(|(own, _)| own == convoy)) {
            line.clock.set(clock.clone());
        }
    }
}
