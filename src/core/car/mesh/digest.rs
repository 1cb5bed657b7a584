//! One number that differs when the convoy's state does, so that neighbours notice it with every beat.

use crate::core::car::Car;
use crate::core::convoy::Snapshot;
use crate::core::status::Member;
use serde::Serialize;

/// What was computed last: the playlist's part until that changes, and the whole until anything does.
#[derive(Debug, Default)]
pub(super) struct Digests {
    revision: Option<u64>,
    list: u64,
    whole: Option<u64>,
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
        let revision = Some(self.queue_revision);
        if self.mesh.digests.revision != revision {
            self.mesh.digests = Digests { revision, list: of_list(&self.state), whole: None };
        }
        if let Some(digest) = self.mesh.digests.whole {
            return digest;
        }
        let Snapshot { timeline, controller, controlled, versions, .. } = &self.state;
        let mut digest = Digest::new();
        // The entry, too: apart, each half moved on to what was next in its own list.
        let last = timeline.last().map(|last| (&last.stamp, &last.anchor.entry));
        digest.add(&(last, controller, controlled, versions));
        let digest = digest.0 ^ self.mesh.digests.list;
        self.mesh.digests.whole = Some(digest);
        digest
    }

    /// The state is another.
    pub(in crate::core::car) fn forget_digest(&mut self) {
        self.mesh.digests.whole = None;
    }
}

/// Of a list of members, in 32 bits; never zero.
pub(super) fn of_members(members: &[Member]) -> u32 {
    let mut digest = Digest::new();
    digest.add(&members);
    (digest.0 as u32) | 1
}

fn of_list(state: &Snapshot) -> u64 {
    let mut digest = Digest::new();
    for entry in state.playlist.ids() {
        digest.add(&(entry, state.playlist.order_of(entry)));
    }
    digest.0
}
