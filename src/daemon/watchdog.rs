//! systemd's notifications: ready, status, and the watchdog, fed only while the loop and the audio path both make
//! progress.

use sd_notify::NotifyState;
use std::time::Duration;

/// Tells systemd how the daemon fares; does nothing where there is no systemd.
#[derive(Debug)]
pub(super) struct Watchdog {
    period: Option<Duration>,
    last_beat: Option<u64>,
}

impl Watchdog {
    pub(super) fn new() -> Self {
        Self { period: sd_notify::watchdog_enabled(), last_beat: None }
    }

    /// How often to call `feed`: twice in the time that systemd allows.
    pub(super) fn period(&self) -> Duration {
        self.period.map_or(Duration::from_secs(5), |period| period / 2)
    }

    /// Feeds the watchdog if the audio path has moved since the last time. The loop shows its own life by calling.
    pub(super) fn feed(&mut self, audio_beat: u64) {
        if self.has_moved(audio_beat) {
            notify(&[NotifyState::Watchdog]);
        } else {
            tracing::error!(audio_beat, "the audio path stands still; the watchdog is not fed");
        }
    }

    fn has_moved(&mut self, audio_beat: u64) -> bool {
        self.last_beat.replace(audio_beat) != Some(audio_beat)
    }
}

/// The daemon is up; `status` is shown by `systemctl status`.
pub(super) fn ready(status: &str) {
    notify(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The daemon ends, as it was told to.
pub(super) fn stopping() {
    notify(&[NotifyState::Stopping]);
}

fn notify(states: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd could not be told");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audio_path_that_stands_is_noticed_and_one_that_moves_again_too() {
        let mut watchdog = Watchdog { period: None, last_beat: None };
        let fed = [1, 2, 2, 2, 3, u64::MAX, 0].map(|beat| watchdog.has_moved(beat));
        assert_eq!(fed, [true, true, false, false, true, true, true]);
    }
}
