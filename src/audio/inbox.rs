//! Commands on their way to the pacer's thread. Each kind replaces the one before it, so there is room for one of each
//! and nothing can overflow.

use crate::core::chirp::Sweep;
use crate::core::clock::{ClockMap, MonoTime};
use crate::core::io::{AudioCommand, Plan};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What has come since the last look.
#[derive(Debug, Default)]
pub(super) struct News {
    pub plan: Option<Plan>,
    /// The clock as it is now, when it has changed.
    pub clock_changed: bool,
    pub clock: Option<ClockMap>,
    pub volume: Option<f64>,
    pub delay_us: Option<i64>,
    pub chirp: Option<(MonoTime, Sweep)>,
    pub stop: bool,
}

#[derive(Debug, Default)]
pub(super) struct Inbox {
    news: Mutex<News>,
}

impl Inbox {
    pub(super) fn send(&self, command: AudioCommand) {
        let mut news = self.lock();
        match command {
            AudioCommand::Plan(plan) => news.plan = Some(plan),
            AudioCommand::Clock(map) => (news.clock_changed, news.clock) = (true, map),
            AudioCommand::Volume(volume) => news.volume = Some(volume),
            AudioCommand::Delay { delay_us } => news.delay_us = Some(delay_us),
            AudioCommand::Chirp { at, sweep } => news.chirp = Some((at, sweep)),
        }
    }

    pub(super) fn stop(&self) {
        self.lock().stop = true;
    }

    /// What there is; never waits.
    pub(super) fn take(&self) -> News {
        std::mem::take(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
