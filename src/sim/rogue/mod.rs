//! A member with a good key and a bad will, among honest ones: what he does, and what is to become of it.

mod behaviour;
mod judge;

pub use behaviour::Behaviour;
pub use judge::rehearse_rogue;

use super::chance::Chance;
use super::world::{Event, World};
use super::{Instant, SECOND};
use crate::core::changes::{Action, Change, ChangeId, Hlc};
use crate::core::election::Choice;
use crate::core::id::{DeviceId, EntryId, TrackId, UserId};
use crate::core::io::{Input, Notice, ServerCommand};
use crate::core::mesh::{Attempt, Beat, Claim, MeshEvent, PeerMessage, Signal, SignalKind, Source};
use crate::core::order::OrderKey;
use crate::core::playlist::Track;
use crate::core::timeline::Anchor;
use std::collections::BTreeMap;

/// Whoever hears of it has muted him by then.
const MUTED_US: Instant = 10 * SECOND;
/// What he replays seems to have come so far; nothing else has in so small a convoy.
const REPLAYED_HOPS: usize = 3;
/// What he does, he does so often.
const TICK_US: Instant = 10_000;

/// The rogue.
#[derive(Debug)]
pub(super) struct Rogue {
    car: usize,
    behaviour: Behaviour,
    chance: Chance,
    /// He behaves until then, and goes on until then.
    since: Instant,
    until: Instant,
    ticks: i64,
    sequence: u64,
    hlc: Hlc,
    /// What others did, as he heard it.
    overheard: Vec<Change>,
    /// When each of the others was first bothered, and when each muted him.
    bothered: BTreeMap<usize, Instant>,
    muted: BTreeMap<usize, Instant>,
    /// Who bore it for too long.
    bore: BTreeMap<usize, Instant>,
}

impl World {
    /// One of the cars turns rogue at `since`.
    fn turn_rogue(&mut self, car: usize, behaviour: Behaviour, seed: u64, since: Instant, until: Instant) {
        self.rogue = Some(Rogue {
            car,
            behaviour,
            chance: Chance::new(seed ^ 0x0bad_cafe),
            since,
            until,
            ticks: 0,
            sequence: 0,
            hlc: Hlc::default(),
            overheard: Vec::new(),
            bothered: BTreeMap::new(),
            muted: BTreeMap::new(),
            bore: BTreeMap::new(),
        });
        self.at(since, Event::Mischief);
    }

    pub(super) fn do_mischief(&mut self) {
        let Some(mut rogue) = self.rogue.take() else { return };
        if self.now < rogue.until {
            rogue.act(self);
            rogue.ticks += 1;
            self.at(self.now + TICK_US, Event::Mischief);
        }
        self.rogue = Some(rogue);
    }

    /// A beat of the rogue, as he would have it.
    pub(super) fn falsify(&mut self, car: usize, beat: &mut Beat) {
        let Some(mut rogue) = self.rogue.take_if(|rogue| rogue.car == car) else { return };
        if (rogue.since..rogue.until).contains(&self.now) {
            rogue.falsify(self, beat);
        }
        self.rogue = Some(rogue);
    }

    /// A message arrives at one who has not muted its sender, or it would not.
    pub(super) fn note_mischief(&mut self, from: usize, to: usize, message: &PeerMessage) {
        let Some(mut rogue) = self.rogue.take() else { return };
        if let (true, PeerMessage::Change { change, .. }) = (to == rogue.car, message)
            && rogue.overheard.len() < 64
        {
            rogue.overheard.push((**change).clone());
        }
        if from == rogue.car && (rogue.since..rogue.until).contains(&self.now) && rogue.is_mischief(self, to, message) {
            let since = *rogue.bothered.entry(to).or_insert(self.now);
            if self.now - since > MUTED_US {
                rogue.bore.entry(to).or_insert(self.now);
            }
        }
        self.rogue = Some(rogue);
    }

    pub(super) fn is_rogue(&self, car: usize) -> bool {
        self.rogue.as_ref().is_some_and(|rogue| rogue.car == car)
    }

    pub(super) fn take_notice(&mut self, car: usize, notice: &Notice) {
        self.note(|_| Some(format!("{car} says {notice:?}")));
        let Notice::Muted { member, reason } = notice else { return };
        let device = DeviceId::new(&**member).ok();
        let number = device.and_then(|device| self.number_of(&device));
        match &mut self.rogue {
            Some(rogue) if number == Some(rogue.car) => drop(rogue.muted.entry(car).or_insert(self.now)),
            // What he makes of others is his affair.
            Some(rogue) if rogue.car == car => {}
            _ => self.mutes.push((car, format!("{number:?}: {reason}"))),
        }
    }
}

impl Rogue {
    fn act(&mut self, world: &mut World) {
        match self.behaviour {
            Behaviour::ChangeFlood => {
                for _ in 0..3 {
                    let action = match self.chance.below(4) {
                        0 => Some(Action::TakeControl),
                        1 => self.addition(world, 8),
                        _ => self.seek(world),
                    };
                    self.tell_change(world, action);
                }
            }
            Behaviour::SeekStorm if self.ticks % 2 == 0 => {
                let seek = self.seek(world);
                self.tell_change(world, seek);
            }
            Behaviour::TakeStorm if self.ticks % 5 == 0 => self.tell_change(world, Some(Action::TakeControl)),
            Behaviour::HugePlaylist => {
                for _ in 0..4 {
                    let addition = self.addition(world, 4_000);
                    self.tell_change(world, addition);
                }
            }
            Behaviour::Replay => {
                for change in self.overheard.iter().cycle().take(if self.overheard.is_empty() { 0 } else { 40 }) {
                    let change = Box::new(change.clone());
                    self.tell(world, &PeerMessage::Change { change, track: None, ticket: None, hops: REPLAYED_HOPS });
                }
            }
            Behaviour::StateStorm => {
                let wanted = self.overheard.iter().map(|change| change.id.clone()).collect();
                self.tell(world, &PeerMessage::Versions(crate::core::changes::Versions::default()));
                self.tell(world, &PeerMessage::Want(wanted));
            }
            Behaviour::SignalStorm => {
                for _ in 0..4 {
                    self.tell_signal(world);
                }
            }
            Behaviour::Flapping if self.ticks % 20 == 0 => {
                self.tell(world, &PeerMessage::Goodbye);
                self.hang_up(world);
            }
            _ => {}
        }
    }

    fn falsify(&mut self, world: &World, beat: &mut Beat) {
        let Some(node) = world.nodes.get(self.car) else { return };
        let Some(core) = &node.car else { return };
        let term = core.state().term;
        let claim = Claim {
            term,
            established: true,
            timed: true,
            dj: true,
            mains: true,
            user: node.user().clone(),
            device: node.device().clone(),
        };
        let claim = match self.behaviour {
            Behaviour::FalseRank => UserId::new("zzzz").ok().map(|user| Claim { user, ..claim }),
            Behaviour::FalseTerm if self.since % 2 == 0 => {
                Some(Claim { term: crate::core::election::Term::MAX, ..claim })
            }
            Behaviour::FalseTerm => {
                self.sequence += 1;
                Some(Claim { term: crate::core::election::Term(term.0 + self.sequence), ..claim })
            }
            Behaviour::FalseClock => {
                if let Some((map, _)) = &mut beat.clock {
                    map.convoy0 = map.convoy0 + (1 + (world.now - self.since) / SECOND) * self.step_us();
                }
                None
            }
            _ => None,
        };
        if let Some(claim) = claim {
            beat.route.source = Source::Member(claim);
            beat.route.path = vec![node.device().clone()];
            beat.route.count = u64::MAX / 4 + world.now.unsigned_abs();
        }
    }

    /// By so much his clock steps, again and again.
    fn step_us(&self) -> i64 {
        if self.since % 2 == 0 { 10 * SECOND } else { -400_000 }
    }

    /// Whether a message bothers `to`.
    fn is_mischief(&self, world: &World, to: usize, message: &PeerMessage) -> bool {
        let device = world.nodes.get(self.car).map(super::node::Node::device);
        match (self.behaviour, message) {
            (Behaviour::FalseRank | Behaviour::FalseTerm, PeerMessage::Beat(_))
            | (Behaviour::Replay, PeerMessage::Change { hops: REPLAYED_HOPS, .. })
            | (Behaviour::StateStorm, PeerMessage::Versions(_) | PeerMessage::Want(_))
            | (Behaviour::SignalStorm, PeerMessage::Signal { .. })
            | (Behaviour::Flapping, PeerMessage::Goodbye) => true,
            // Who does not follow him has no use for his clock.
            (Behaviour::FalseClock, PeerMessage::Beat(_)) => {
                let obeys = world.nodes.get(to).and_then(|node| node.car.as_ref()).map(crate::core::car::Car::obeys);
                matches!((obeys, device), (Some(Choice::Follow(followed)), Some(device)) if followed == *device)
            }
            (_, PeerMessage::Change { change, .. }) => Some(&change.id.device) == device,
            _ => false,
        }
    }

    fn tell(&self, world: &mut World, message: &PeerMessage) {
        let ends = world.nodes.get(self.car).map(|node| node.ends.clone()).unwrap_or_default();
        for (peer, end) in ends.into_iter().filter(|(_, end)| end.up) {
            world.carry(self.car, peer, end.attempt, Box::new(message.clone()));
        }
    }

    /// He takes his own links for ended, and so makes new ones at once.
    fn hang_up(&self, world: &mut World) {
        let ends = world.nodes.get(self.car).map(|node| node.ends.clone()).unwrap_or_default();
        for (peer, end) in ends.into_iter().filter(|(_, end)| end.up) {
            world.nodes_mut(self.car, |node| node.ends.remove(&peer));
            if let Some(peer) = world.device_of(peer) {
                let event = MeshEvent::Down { peer, attempt: end.attempt, reason: "he hung up".into() };
                world.input_at(world.now + TICK_US, self.car, Input::Mesh(event));
            }
        }
    }

    /// Over every way that he has.
    fn tell_change(&mut self, world: &mut World, action: Option<Action>) {
        let Some(change) = action.and_then(|action| self.change(world, action)) else { return };
        let change = Box::new(change);
        world.tell_server(self.car, ServerCommand::Change(change.clone()));
        self.tell(world, &PeerMessage::Change { change, track: None, ticket: None, hops: 0 });
    }

    fn change(&mut self, world: &World, action: Action) -> Option<Change> {
        let node = world.nodes.get(self.car)?;
        let core = node.car.as_ref().filter(|_| node.reaches_anyone())?;
        let device = node.device().clone();
        self.sequence = (self.sequence + 1).max(core.state().versions.next(&device));
        self.hlc = self.hlc.tick(core.convoy_time(world.mono(self.car))?);
        let (id, term) = (ChangeId { device, sequence: self.sequence }, core.state().term);
        let mut change = Change { id, hlc: self.hlc, term, user: Some(node.user().clone()), action, signature: None };
        node.key().sign_change(&mut change, &world.convoy);
        Some(change)
    }

    fn seek(&mut self, world: &World) -> Option<Action> {
        let core = world.nodes.get(self.car)?.car.as_ref()?;
        let entry = core.state().playlist.nth(0).cloned();
        let track = entry.as_ref().and_then(|entry| core.state().playlist.track(entry)).map(|track| track.id.clone());
        let at = core.convoy_time(world.mono(self.car))? + 200_000;
        let position_us = self.chance.between(0, 60 * SECOND);
        Some(Action::Seek { anchor: Anchor { entry, track, position_us, at, playing: true } })
    }

    fn addition(&mut self, world: &World, bytes: usize) -> Option<Action> {
        let device = world.nodes.get(self.car)?.device().as_str().to_owned();
        let number = self.chance.draw();
        let text = "x".repeat(bytes);
        let track = Track {
            id: TrackId::new(format!("rogue-{number}")).ok()?,
            title: text.clone(),
            artist: text.clone(),
            album: text.clone(),
            duration_us: Some(100 * SECOND),
            url: Some(text),
            extra: serde_json::Map::new(),
        };
        let entry = EntryId::new(format!("{device}-{number}")).ok()?;
        Some(Action::Add { entry, track, order: OrderKey::between(None, None) })
    }

    fn tell_signal(&mut self, world: &mut World) {
        let to = self.chance.below(world.nodes.len());
        let (Some(node), Some(to)) = (world.nodes.get(self.car), world.device_of(to)) else { return };
        let attempt = Attempt(self.chance.draw() >> 12);
        let signal = Signal { attempt, kind: SignalKind::IceCandidate, body: "nowhere".into() };
        let signal = Box::new(node.key().sign_signal(to, signal, world.convoy.clone()));
        self.tell(world, &PeerMessage::Signal { signal, hops: 0 });
    }
}
