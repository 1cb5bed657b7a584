//! What a car keeps for its next start, and when it has it written.

use super::Car;
use crate::core::clock::MonoTime;
use crate::core::io::Output;

/// State is kept so long after it changed, at the latest,
const REMEMBER_SOON_US: i64 = 1_000_000;
/// and so often while music plays, so that it resumes near where it was.
const REMEMBER_PLAYING_US: i64 = 15_000_000;

impl Car {
    pub(super) fn remember_timeout(&self) -> Option<MonoTime> {
        let changed = self.dirty_since.map(|since| since + REMEMBER_SOON_US);
        let playing = self.is_playing_planned().then_some(self.remembered + REMEMBER_PLAYING_US);
        changed.into_iter().chain(playing).min()
    }

    /// Marks the state as worth keeping.
    pub(super) fn touch(&mut self, now: MonoTime) {
        self.forget_digest();
        self.dirty_since.get_or_insert(now);
    }

    pub(super) fn remember_when_due(&mut self, now: MonoTime) {
        let changed = self.dirty_since.is_some_and(|since| now - since >= REMEMBER_SOON_US);
        let playing = self.is_playing_planned() && now - self.remembered >= REMEMBER_PLAYING_US;
        if changed || playing {
            self.remember(now);
        }
    }

    pub(super) fn remember(&mut self, now: MonoTime) {
        self.outputs.push_back(Output::Remember(Box::new(self.saved(now))));
        self.dirty_since = None;
        self.remembered = now;
    }
}
