//! Cars that may only listen, and try to do more: they press buttons as others do, and say what their core would not.

use super::world::World;
use crate::core::changes::{Action, Change, ChangeId, Hlc};
use crate::core::clock::ConvoyTime;
use crate::core::id::{DeviceId, EntryId, TrackId};
use crate::core::io::ServerCommand;
use crate::core::mesh::PeerMessage;
use crate::core::order::OrderKey;
use crate::core::playlist::Track;
use crate::core::signature::DeviceKey;
use crate::core::ticket::{Role, Ruling, Rulings};
use crate::core::timeline::Anchor;

/// The server's key for tickets.
const ISSUER: [u8; 32] = [0x15; 32];
/// Numbers of changes that no core has made.
const BEYOND: u64 = 1_000;

impl World {
    /// The server issues tickets from now on.
    pub fn issue_tickets(&mut self) {
        let issuer = DeviceKey::from_secret(&ISSUER).ok();
        self.server = self.server.take().map(|server| server.issuing(issuer));
    }

    /// The server takes a car in as this, from the next time on.
    pub fn seat(&mut self, car: usize, role: Role) {
        self.nodes_mut(car, |node| node.role = role);
    }

    /// The server's people put a car's user out.
    pub fn put_out(&mut self, car: usize) {
        let now = self.server_now();
        let Some(user) = self.nodes.get(car).map(|node| node.user().clone()) else { return };
        let mut rulings = Rulings::default();
        rulings.take(&user, Ruling { at_unix_us: now.unix_ms.unsigned_abs() * 1_000, out: true });
        if let Some(server) = &mut self.server {
            server.handle_rulings(&rulings, now);
        }
        self.drain_server();
    }

    /// A car whose people are not content with what their core does says a change of their own to everyone it has a
    /// link with, and to the server.
    pub fn defy(&mut self, car: usize) {
        let number = BEYOND + self.defied;
        self.defied += 1;
        let Some(node) = self.nodes.get(car) else { return };
        let Some(at) = node.car.as_ref().and_then(|core| core.convoy_time(node.crystal.mono(self.now))) else { return };
        let Some(action) = defiance(number, at) else { return };
        let mut change = Change {
            id: ChangeId { device: node.device().clone(), sequence: number },
            hlc: Hlc { time_us: at.0, count: 0 },
            term: node.car.as_ref().map(|core| core.state().term).unwrap_or_default(),
            user: None,
            action,
            signature: None,
        };
        node.key().sign_change(&mut change, &self.convoy);
        let up: Vec<usize> = node.ends.iter().filter(|(_, end)| end.up).map(|(peer, _)| *peer).collect();
        let message = PeerMessage::Change { change: Box::new(change.clone()), track: None, ticket: None, hops: 0 };
        for peer in up {
            self.send(car, peer, &message);
        }
        self.perform_server(car, ServerCommand::Change(Box::new(change)));
    }

    pub(super) fn listens(&self, device: &DeviceId) -> bool {
        let role = self.number_of(device).and_then(|car| self.nodes.get(car)).map(|node| node.role);
        role == Some(Role::Listener)
    }

    /// What of a listener's doing counts for someone who is none.
    pub(super) fn heeded(&self) -> Option<String> {
        self.nodes.iter().enumerate().filter(|(_, node)| !self.listens(node.device())).find_map(|(car, node)| {
            let state = node.car.as_ref()?.state();
            let controller = state.controller.as_ref().filter(|device| self.listens(device));
            let anchors = || state.timeline.from(ConvoyTime(i64::MIN)).map(|stamped| &stamped.stamp.device);
            let anchor = || anchors().find(|device| self.listens(device));
            let entry = || state.playlist.ids().find(|entry| entry.as_str().starts_with(DEFIED));
            controller
                .map(|device| format!("for {car} the listener {} controls", self.named(Some(device))))
                .or_else(|| anchor().map(|device| format!("{car} plays what {} wants", self.named(Some(device)))))
                .or_else(|| entry().map(|_| format!("{car} has what a listener added")))
        })
    }
}

/// What begins the names of entries that a listener has added.
const DEFIED: &str = "defied-";

/// Something that only a DJ may do, another each time.
fn defiance(number: u64, at: ConvoyTime) -> Option<Action> {
    let (entry, track) = (EntryId::new(format!("{DEFIED}{number}")).ok()?, TrackId::new("defiance").ok()?);
    let anchor = Anchor { track: Some(track.clone()), playing: true, ..Anchor::empty(at) };
    Some(match number % 5 {
        0 => Action::TakeControl,
        1 => Action::Play { anchor },
        2 => Action::Seek { anchor },
        3 => Action::Pause { anchor },
        _ => Action::Add {
            entry,
            track: Track {
                id: track,
                title: "Defiance".into(),
                artist: String::new(),
                album: String::new(),
                duration_us: None,
                url: None,
                extra: serde_json::Map::new(),
            },
            order: OrderKey::between(None, None),
        },
    })
}
