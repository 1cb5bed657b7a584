//! One car on the road: its core, its crystal, its disk, and the ends of its links.

use super::Instant;
use super::chance::Chance;
use super::disk::Disk;
use super::links::End;
use super::server::Socket;
use super::wall::Wall;
use crate::core::car::{Car, Identity, Start};
use crate::core::changes::ChangeId;
use crate::core::clock::MonoTime;
use crate::core::id::{ConvoyId, DeviceId, UserId};
use crate::core::io::RequestId;
use crate::core::mesh::MeshSettings;
use crate::core::signature::DeviceKey;
use crate::core::ticket::Role;
use std::collections::{BTreeMap, BTreeSet};

/// How a car's own clock runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crystal {
    zero: i64,
    rate: f64,
}

impl Crystal {
    pub(super) fn draw(worst_ppm: i64, chance: &mut Chance) -> Self {
        Self { zero: chance.between(0, 4_000_000_000), rate: chance.between(-worst_ppm, worst_ppm) as f64 * 1e-6 }
    }

    pub(super) fn mono(&self, at: Instant) -> MonoTime {
        MonoTime(self.zero + at + (at as f64 * self.rate) as i64)
    }

    /// The first instant at which the crystal shows `mono`.
    pub(super) fn instant(&self, mono: MonoTime) -> Instant {
        let mut at = ((mono.0.saturating_sub(self.zero)) as f64 / (1.0 + self.rate)) as i64 - 1;
        while self.mono(at) < mono && at < i64::MAX / 2 {
            at += 1;
        }
        at
    }
}

/// A car.
#[derive(Debug)]
pub(super) struct Node {
    identity: Identity,
    pub(super) crystal: Crystal,
    /// None while it is switched off.
    pub(super) car: Option<Car>,
    /// Counts the starts, so that what was meant for an earlier run is told apart.
    pub(super) life: u32,
    pub(super) disk: Disk,
    pub(super) ends: BTreeMap<usize, End>,
    pub(super) found: BTreeSet<usize>,
    pub(super) announces: bool,
    /// It runs on a battery; its firewall lets no link through; it is on no network with others.
    pub(super) battery: bool,
    pub(super) firewalled: bool,
    pub(super) roams: bool,
    /// Links that have opened at its end.
    pub(super) opened: u64,
    pub(super) socket: Socket,
    /// When the next wake is due; an earlier one that was planned is void.
    pub(super) wake: Option<Instant>,
    pub(super) requests: u64,
    /// As what the server takes it in.
    pub(super) role: Role,
    pub(super) acknowledged: BTreeSet<ChangeId>,
    pub(super) wall: Wall,
    pub(super) waiting: BTreeSet<RequestId>,
}

impl Node {
    pub(super) fn new(number: usize, chance: &mut Chance) -> Option<Self> {
        // Device ids are as good as random, so that their order is another one than that of the users.
        let secret: Vec<u8> = std::iter::repeat_with(|| (chance.draw() & 0xff) as u8).take(32).collect();
        let key = DeviceKey::from_secret(secret.first_chunk()?).ok()?;
        let user = UserId::new(format!("user-{number}")).ok()?;
        Some(Self {
            identity: Identity { key, user, name: format!("car {number}"), version: "sim".into() },
            crystal: Crystal::draw(100, chance),
            car: None,
            life: 0,
            disk: Disk::default(),
            ends: BTreeMap::new(),
            found: BTreeSet::new(),
            announces: false,
            battery: false,
            firewalled: false,
            roams: false,
            opened: 0,
            socket: Socket::default(),
            wake: None,
            requests: 0,
            role: Role::Dj,
            acknowledged: BTreeSet::new(),
            wall: Wall::default(),
            waiting: BTreeSet::new(),
        })
    }

    pub(super) fn key(&self) -> &DeviceKey {
        &self.identity.key
    }

    /// Whether anyone may hear what it says.
    pub(super) fn reaches_anyone(&self) -> bool {
        self.socket.connection.is_some() || self.ends.values().any(|end| end.up)
    }

    pub(super) fn user(&self) -> &UserId {
        &self.identity.user
    }

    pub(super) fn device(&self) -> &DeviceId {
        self.identity.device()
    }

    /// Switches the car on, with what its disk has; a reboot makes its clock begin anew.
    pub(super) fn start(&mut self, convoy: ConvoyId, has_server: bool, reboot: bool, at: Instant) {
        self.life += 1;
        if reboot {
            self.crystal.zero = -at;
            self.disk.boot += 1;
        }
        let start = Start {
            identity: self.identity.clone(),
            convoy: Some(convoy),
            has_server,
            satellite: false,
            mesh: MeshSettings { enabled: true, idle_us: 10_000_000, battery: self.battery, ..MeshSettings::default() },
            saved: self.disk.saved.clone(),
            tail: self.disk.tail(),
            pending: self.disk.pending(),
            recent: self.disk.recent(),
            sequence: self.disk.sequence,
            same_boot: self.disk.same_boot(),
        };
        self.car = Some(Car::new(start, self.crystal.mono(at)));
    }

    /// The power goes.
    pub(super) fn stop(&mut self) {
        self.car = None;
        self.life += 1;
        self.ends.clear();
        self.found.clear();
        self.announces = false;
        self.wake = None;
        self.waiting.clear();
    }
}
