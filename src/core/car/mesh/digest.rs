//! One number that differs when the convoy's state does, so that neighbours notice it with every beat.

use crate::core::car::Car;
use crate::core::convoy::Snapshot;
use serde::Serialize;

/// The playlist's part, kept until it changes.
#[derive(Debug, Default)]
pub(super) struct ListDigest {
    revision: Option<u64>,
    digest: u64,
}

/// FNV-1a, 64 bits.
struct Digest(u64);

impl Digest {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn add(&mut self, thing: &impl Serialize) {
        // Text keys and finite numbers only: nothing can fail.
        for byte in serde_json::to_vec(thing).unwrap_or_default() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

impl Car {
    /// Of what the convoy agrees on, and of nothing that each learns for itself (lengths of tracks, what is over).
    pub(in crate::core::car) fn digest(&mut self) -> u64 {
        if self.mesh.list_digest.revision != Some(self.queue_revision) {
            self.mesh.list_digest = ListDigest { revision: Some(self.queue_revision), digest: of_list(&self.state) };
        }
        let Snapshot { timeline, controller, controlled, versions, .. } = &self.state;
        let mut digest = Digest::new();
        digest.add(&(timeline.last().map(|last| &last.stamp), controller, controlled, versions));
        digest.0 ^ self.mesh.list_digest.digest
    }
}

fn of_list(state: &Snapshot) -> u64 {
    let mut digest = Digest::new();
    for entry in state.playlist.ids() {
        digest.add(&(entry, state.playlist.order_of(entry)));
    }
    digest.0
}
