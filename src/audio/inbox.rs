//! Commands on their way to the pacer's thread. Each kind replaces the one before it, so there is room for one of each
//! and nothing can overflow.

use crate::core::clock::ClockMap;
use crate::core::io::{AudioCommand, Plan};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What has come since the last look.
#[derive(Debug, Default)]
pub(super) struct News {
    pub plan: Option<Plan>,
    /// The clock as it is now, when it has changed.
    pub clock_changed: bool,
    pub clock: Option<ClockMap>,
    pub volume: Option<f64>,
    pub stop: bool,
}

#[derive(Debug, Default)]
pub(super) struct Inbox {
    news: Mutex<News>,
    arrived: Condvar,
}

impl Inbox {
    pub(super) fn send(&self, command: AudioCommand) {
        let mut news = self.lock();
        match command {
            AudioCommand::Plan(plan) => news.plan = Some(plan),
            AudioCommand::Clock(map) => (news.clock_changed, news.clock) = (true, map),
            AudioCommand::Volume(volume) => news.volume = Some(volume),
        }
        self.arrived.notify_one();
    }

    pub(super) fn stop(&self) {
        self.lock().stop = true;
        self.arrived.notify_one();
    }

    /// Waits for news, but not longer than `timeout`.
    pub(super) fn wait(&self, timeout: Duration) -> News {
        let news = self.lock();
        let idle = |n: &mut News| n.plan.is_none() && !n.clock_changed && n.volume.is_none() && !n.stop;
        let (mut news, _) =
            self.arrived.wait_timeout_while(news, timeout, idle).unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut news)
    }

    fn lock(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
