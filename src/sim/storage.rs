//! The server is killed, and comes back with what its storage had: its state of a while ago, and every change it had
//! decided since, as nothing that follows from a change goes out before that is durable.

use super::world::{Event, World};
use super::{Instant, SECOND};
use crate::core::authority::{Authority, Kept, Recorded};
use crate::core::io::{Input, ServerEvent};

/// The whole state is written so often, and once the convoy's clock is settled.
const KEEP_US: Instant = 30 * SECOND;

/// What the server's storage holds.
#[derive(Debug, Default)]
pub(super) struct Storage {
    kept: Option<Kept>,
    keeps_clock: bool,
    kept_at: Instant,
    since: Vec<Recorded>,
    pub(super) boot: u32,
    /// The server's monotonic clock began at this instant, beside what it showed by then.
    pub(super) booted: Instant,
}

impl Storage {
    fn boot_name(&self) -> String {
        format!("boot {}", self.boot)
    }

    pub(super) fn record(&mut self, recorded: Recorded) {
        self.since.push(recorded);
    }
}

impl World {
    /// Writes the server's whole state, when it is time for that.
    pub(super) fn keep_server(&mut self) {
        let (now, at) = (self.server_now(), self.now);
        let Some(server) = self.server.as_ref().filter(|_| self.is_harsh) else { return };
        let settles = server.seated() > 0 && !self.storage.keeps_clock;
        if !settles && at - self.storage.kept_at < KEEP_US {
            return;
        }
        self.storage.keeps_clock |= settles;
        self.storage.kept = Some(server.kept(Some(&self.storage.boot_name()), now.mono));
        self.storage.kept_at = at;
        self.storage.since.clear();
    }

    /// The server's process is killed: every connection ends, and what was on its way is gone.
    pub(super) fn kill_server(&mut self) {
        if self.server.take().is_none() {
            return;
        }
        self.phones.clear();
        self.disturbed(|| "the server is killed".into());
        for car in 0..self.nodes.len() {
            let Some(node) = self.nodes.get_mut(car) else { continue };
            let was_there = node.socket.connection.take().is_some();
            node.socket.forget();
            if was_there && node.car.is_some() {
                self.input(car, Input::Server(ServerEvent::Down { reason: "the server is gone".into() }));
            }
        }
    }

    /// The server starts again, perhaps after its machine has.
    pub(super) fn start_server(&mut self, reboot: bool) {
        if !self.has_server || self.server.is_some() {
            return;
        }
        if reboot {
            self.storage.boot += 1;
            self.storage.keeps_clock = false;
            self.storage.booted = self.now;
        }
        self.disturbed(|| format!("the server starts{}", if reboot { " after a reboot" } else { "" }));
        let now = self.server_now();
        let boot = self.storage.boot_name();
        let mut server = Authority::new(self.convoy.clone(), self.storage.kept.clone(), Some(&boot), now.mono);
        self.storage.since.iter().for_each(|recorded| server.replay(recorded, now.mono));
        self.server = Some(server);
        for car in 0..self.nodes.len() {
            let at = self.now + self.chance.between(200_000, 2_500_000);
            self.at(at, Event::Dial { car });
        }
    }
}
