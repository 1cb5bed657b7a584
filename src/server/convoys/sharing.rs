//! Convoys that pass between instances: taken over, given up, copied, and reunited after a separation.

use super::{Convoys, Hosted};
use crate::core::authority::{ConnectionId, Now};
use crate::core::changes::{Change, Verdict};
use crate::core::id::ConvoyId;
use crate::server::storage::{Stored, Write};

impl Convoys {
    /// This instance decides the convoy from now on; `stored` is what Redis has of it. What was decided here while
    /// Redis was away is decided again on top of that.
    pub fn adopt(&mut self, convoy: &ConvoyId, stored: Option<Stored>, now: Now) {
        let Some(stored) = stored else { return };
        self.commit(now);
        let known = match self.hosted.get(convoy) {
            Some(hosted) => hosted.shared,
            None => self.storage.load(convoy).ok().flatten().map_or(0, |stored| stored.last()),
        };
        if stored.last() < known || (stored.last() == known && self.hosted.contains_key(convoy)) {
            return;
        }
        let changes = self.unshared(convoy);
        if let Err(error) = self.storage.replace(convoy, &stored, now.unix_ms / 1_000) {
            tracing::error!(%error, "a convoy that is shared could not be stored");
            return;
        }
        if let (Ok(Some((authority, last, kept))), Some(hosted)) =
            (self.load(convoy, now.mono), self.hosted.get_mut(convoy))
        {
            hosted.authority.restore(authority, now);
            (hosted.last, hosted.kept, hosted.shared) = (last, kept, last);
            self.reunite(convoy, &changes, now);
        }
    }

    /// Goes on with the clock of the instance that decided before.
    pub fn inherit(&mut self, convoy: &ConvoyId, offset_us: Option<i64>, now: Now) {
        if let Err(error) = self.host(convoy, now) {
            tracing::error!(%error, "a convoy could not be taken over");
        }
        if let (Some(hosted), Some(offset_us)) = (self.hosted.get_mut(convoy), offset_us) {
            hosted.authority.inherit_clock(offset_us);
        }
        self.drain(convoy);
    }

    /// Another instance decides the convoy from now on; gives out what that one cannot know yet.
    pub fn surrender(&mut self, convoy: &ConvoyId, now: Now) -> Vec<Change> {
        self.commit(now);
        let changes = self.unshared(convoy);
        self.hosted.remove(convoy);
        changes
    }

    /// Begins to copy a convoy that another instance decides; false when that fails.
    pub fn replace(&mut self, convoy: &ConvoyId, stored: &Stored, now: Now) -> bool {
        let result = self.storage.replace(convoy, stored, now.unix_ms / 1_000);
        result.inspect_err(|error| tracing::warn!(%error, "a convoy of another instance could not be copied")).is_ok()
    }

    /// Takes in what another instance decided during a separation.
    pub fn reunite(&mut self, convoy: &ConvoyId, changes: &[Change], now: Now) {
        if let Some(hosted) = self.hosted.get_mut(convoy) {
            hosted.authority.handle_reunion(changes, now);
        }
        self.drain(convoy);
    }

    /// Notes what other instances have now.
    pub fn shared(&mut self, writes: &[Write]) {
        for write in writes {
            if let Some(hosted) = self.hosted.get_mut(write.convoy()) {
                hosted.shared = hosted.shared.max(write.through());
            }
        }
    }

    /// Shares convoys whole that could not be shared in part.
    pub fn share_again(&mut self, now: Now) {
        let behind = self.hosted.iter().filter(|(_, hosted)| hosted.shared < hosted.last);
        for convoy in behind.map(|(convoy, _)| convoy.clone()).collect::<Vec<_>>() {
            self.keep(&convoy, now);
        }
    }

    /// Copies what the holder of convoys made durable; false when that fails.
    pub fn copy(&mut self, writes: &[Write], now: Now) -> bool {
        let result = self.storage.commit(writes, now.unix_ms / 1_000);
        result.inspect_err(|error| tracing::warn!(%error, "a convoy of another instance could not be copied")).is_ok()
    }

    /// A connection of another instance is gone.
    pub fn lost(&mut self, connection: &ConnectionId, now: Now) {
        let seated = |hosted: &&mut Hosted| hosted.authority.seat(connection).is_some();
        let mut left = Vec::new();
        for (convoy, hosted) in self.hosted.iter_mut().filter(|(_, hosted)| seated(hosted)) {
            hosted.leave(connection, true, now);
            left.push(convoy.clone());
        }
        for convoy in left {
            self.drain(&convoy);
        }
    }

    fn unshared(&self, convoy: &ConvoyId) -> Vec<Change> {
        let Some(hosted) = self.hosted.get(convoy) else { return vec![] };
        let recorded = self.storage.since(convoy, hosted.shared).unwrap_or_else(|error| {
            tracing::error!(%error, "what was decided alone cannot be read");
            vec![]
        });
        let counted = recorded.into_iter().filter(|r| !matches!(r.verdict, Verdict::Refused { .. }));
        counted.map(|recorded| recorded.change).collect()
    }
}
