//! One number that differs when the convoy's state does, so that neighbours notice it with every beat.

use crate::core::car::Car;
use crate::core::convoy::Snapshot;
use crate::core::id::fingerprint;
use crate::core::status::Member;
use serde::Serialize;

/// What was computed last, and at which revision of the playlist; none when anything else has changed since.
#[derive(Debug, Default)]
pub(super) struct Digests(Option<(u64, u64)>);

impl Car {
    /// As it was worked out last; none when something has changed since.
    pub(super) fn last_digest(&self) -> Option<u64> {
        self.mesh.digests.0.filter(|(revision, _)| *revision == self.queue_revision).map(|(_, digest)| digest)
    }

    /// Of what the convoy agrees on, and of nothing that each learns for itself (lengths of tracks, what is over).
    pub(in crate::core::car) fn digest(&mut self) -> u64 {
        if let Some(digest) = self.last_digest() {
            return digest;
        }
        let Snapshot { timeline, controller, controlled, versions, playlist, .. } = &self.state;
        // The entry, too: apart, each half moved on to what was next in its own list.
        let last = timeline.last().map(|last| (&last.stamp, &last.anchor.entry));
        let digest = sum_of(&(last, controller, controlled, versions, playlist.sum()));
        self.mesh.digests.0 = Some((self.queue_revision, digest));
        digest
    }

    /// The state is another.
    pub(in crate::core::car) fn forget_digest(&mut self) {
        self.mesh.digests.0 = None;
    }
}

/// Of a list of members, in 32 bits; never zero.
pub(super) fn of_members(members: &[Member]) -> u32 {
    (sum_of(&members) as u32) | 1
}

fn sum_of(thing: &impl Serialize) -> u64 {
    // Text keys and finite numbers only: nothing can fail.
    fingerprint(&serde_json::to_string(thing).unwrap_or_default())
}
