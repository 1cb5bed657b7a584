//! Tells the API what the core knows: at once after a request, else at a pace that readers can follow.

use crate::api::{Queue, QueueEntry};
use crate::core::car::Car;
use crate::core::clock::MonoTime;
use crate::core::status::Status;
use std::sync::Arc;
use tokio::sync::watch;

/// Snapshots are no more frequent than this, unless someone waits for an answer.
const PACE_US: i64 = 100_000;

/// The newest status and playlist, for those who read them.
#[derive(Debug)]
pub(super) struct Publisher {
    status: watch::Sender<Arc<Status>>,
    queue: watch::Sender<Arc<Queue>>,
    last: MonoTime,
    due: bool,
}

impl Publisher {
    pub(super) fn new(car: &Car, now: MonoTime) -> Self {
        let status = Arc::new(car.status(now));
        let queue = Arc::new(queue_of(car, status.queue_revision));
        Self { status: watch::channel(status).0, queue: watch::channel(queue).0, last: now, due: false }
    }

    pub(super) fn status(&self) -> watch::Receiver<Arc<Status>> {
        self.status.subscribe()
    }

    pub(super) fn queue(&self) -> watch::Receiver<Arc<Queue>> {
        self.queue.subscribe()
    }

    /// Something happened: publish now if that is due, later otherwise.
    pub(super) fn touch(&mut self, car: &Car, now: MonoTime) {
        self.due = true;
        if now - self.last >= PACE_US {
            self.publish(car, now);
        }
    }

    pub(super) fn publish(&mut self, car: &Car, now: MonoTime) {
        let status = Arc::new(car.status(now));
        if status.queue_revision != self.queue.borrow().revision {
            self.queue.send_replace(Arc::new(queue_of(car, status.queue_revision)));
        }
        self.status.send_replace(status);
        self.last = now;
        self.due = false;
    }

    /// When what happened last is to be published.
    pub(super) fn poll_timeout(&self) -> Option<MonoTime> {
        self.due.then_some(self.last + PACE_US)
    }
}

fn queue_of(car: &Car, revision: u64) -> Queue {
    let entries = car.queue().map(|(id, track)| QueueEntry { id: id.clone(), track: track.clone() }).collect();
    Queue { revision, entries }
}
