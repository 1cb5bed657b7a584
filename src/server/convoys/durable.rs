//! What was decided is made durable before anyone is told, or taken back.

use super::{CHANGES_PER_KEPT, Convoys, Effect};
use crate::core::authority::Now;
use crate::core::id::ConvoyId;
use crate::server::storage::{StorageError, Write};
use crate::wire::server::jamz::Failure;
use serde_json::json;
use std::collections::BTreeSet;

impl Convoys {
    /// Makes all that was decided durable, and gives out what may be told now and what is to be shared first. When it
    /// fails, nothing of it has happened.
    pub fn settle(&mut self, now: Now) -> (Vec<Effect>, Vec<Write>) {
        for convoy in std::mem::take(&mut self.touched) {
            if self.hosted.get(&convoy).is_some_and(|hosted| hosted.last - hosted.kept >= CHANGES_PER_KEPT) {
                self.keep(&convoy, now);
            }
        }
        self.commit(now);
        let effects = std::mem::take(&mut self.effects).into_iter().map(|(_, effect)| effect).collect();
        (effects, std::mem::take(&mut self.committed))
    }

    pub(super) fn commit(&mut self, now: Now) {
        let writes = std::mem::take(&mut self.writes);
        if !writes.is_empty() {
            let begun = self.metrics.begin();
            let result = tokio::task::block_in_place(|| self.storage.commit(&writes, now.unix_ms / 1_000));
            self.metrics.committed(begun, result.as_ref().err().map(ToString::to_string));
            if let Err(error) = result {
                tracing::error!(%error, "could not store changes; they are taken back");
                self.take_back(&writes, &error, now);
            } else if self.shares {
                self.committed.extend(writes);
            }
        }
    }

    /// Undoes what could not be stored: back to the state on disk, and every question of these convoys fails.
    fn take_back(&mut self, writes: &[Write], error: &StorageError, now: Now) {
        let failed: BTreeSet<ConvoyId> = writes.iter().map(Write::convoy).cloned().collect();
        for (convoy, effect) in &mut self.effects {
            if let Effect::Ack { payload, .. } = effect
                && failed.contains(convoy)
            {
                *payload = json!(Failure::passing(format!("not done, as it could not be stored: {error}; try again")));
            }
        }
        self.effects.retain(|(convoy, effect)| !failed.contains(convoy) || matches!(effect, Effect::Ack { .. }));
        for convoy in failed {
            let loaded = self.load(&convoy, now.mono);
            if let (Ok(Some((authority, last, kept))), Some(hosted)) = (loaded, self.hosted.get_mut(&convoy)) {
                hosted.authority.restore(authority, now);
                (hosted.last, hosted.kept) = (last, kept);
            } else if let Some(hosted) = self.hosted.remove(&convoy) {
                let reason = format!("the convoy's state cannot be read: {error}");
                for connection in hosted.authority.connections() {
                    self.effects.push((convoy.clone(), Effect::Dismiss { connection, reason: reason.clone() }));
                }
            }
            self.drain(&convoy);
        }
        self.writes.clear();
    }
}
