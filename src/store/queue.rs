//! A bounded queue between a task and a thread that takes memory only for what waits in it, as std's bounded channel
//! does not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// The end into which jobs go.
pub(super) struct Queue<T> {
    sender: Sender<T>,
    waiting: Arc<AtomicUsize>,
    jobs_max: usize,
}

/// The end from which they come.
pub(super) struct Jobs<T> {
    receiver: Receiver<T>,
    waiting: Arc<AtomicUsize>,
}

/// A queue of at most `jobs_max` jobs, a few more when several callers post at the same instant.
pub(super) fn queue<T>(jobs_max: usize) -> (Queue<T>, Jobs<T>) {
    let (sender, receiver) = channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    (Queue { sender, waiting: waiting.clone(), jobs_max }, Jobs { receiver, waiting })
}

impl<T> Queue<T> {
    /// # Errors
    /// The job itself, when too many wait or nobody takes them any more.
    pub(super) fn post(&self, job: T) -> Result<(), T> {
        if self.waiting.load(Ordering::Relaxed) >= self.jobs_max {
            return Err(job);
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.sender.send(job).map_err(|unsent| unsent.0)
    }
}

impl<T> Jobs<T> {
    /// The next job; waits for it, at most for `wait` where that is given.
    ///
    /// # Errors
    /// When the time is over, or no more jobs can come.
    pub(super) fn next(&self, wait: Option<Duration>) -> Result<T, RecvTimeoutError> {
        let job = match wait {
            None => self.receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(wait) => self.receiver.recv_timeout(wait),
        };
        job.inspect(|_| self.taken())
    }

    /// The next job, if one waits.
    pub(super) fn next_waiting(&self) -> Option<T> {
        self.receiver.try_recv().ok().inspect(|_| self.taken())
    }

    fn taken(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_gives_the_job_back_and_takes_more_once_there_is_room() {
        let (queue, jobs) = queue(2);
        assert_eq!((queue.post(1), queue.post(2), queue.post(3)), (Ok(()), Ok(()), Err(3)));
        assert_eq!((jobs.next(None), queue.post(3)), (Ok(1), Ok(())));
        assert_eq!((jobs.next_waiting(), jobs.next_waiting(), jobs.next_waiting()), (Some(2), Some(3), None));
        assert_eq!(jobs.next(Some(Duration::ZERO)), Err(RecvTimeoutError::Timeout));
        drop(jobs);
        assert_eq!(queue.post(4), Err(4));
    }
}
