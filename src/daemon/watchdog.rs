//! systemd's notifications: ready, status, and the watchdog, fed only while the loop and the audio path both make progress.

use sd_notify::NotifyState;
use std::time::Duration;

/// Tells systemd how the daemon fares; does nothing where there is no systemd.
#[derive(Debug)]
pub(super) struct Watchdog {
    period: Option<Duration>,
    last_beat: Option<u64>,
}

impl Watchdog {
    #[must_use]
    pub(super) fn new() -> Self {
        Self { period: sd_notify::watchdog_enabled(), last_beat: None }
    }

    /// How often to call `feed`: twice in the time that systemd allows.
    #[must_use]
    pub(super) fn period(&self) -> Duration {
        self.period.map_or(Duration::from_secs(5), |period| period / 2)
    }

    /// Feeds the watchdog if the audio path has moved since the last time. The loop shows its own life by calling.
    pub(super) fn feed(&mut self, audio_beat: u64) {
        let alive = self.last_beat.is_none_or(|last| last != audio_beat);
        self.last_beat = Some(audio_beat);
        if alive {
            notify(&[NotifyState::Watchdog]);
        } else {
            tracing::error!(audio_beat, "the audio path stands still; the watchdog is not fed");
        }
    }

    pub(super) fn ready(&self, status: &str) {
        notify(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    pub(super) fn stopping(&self) {
        notify(&[NotifyState::Stopping]);
    }
}

impl Default for Watchdog {
    fn default() -> Self {
        Self::new()
    }
}

fn notify(states: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd could not be told");
    }
}
