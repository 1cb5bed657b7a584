//! A bounded queue between a task and a thread that takes memory only for what waits in it, as std's bounded channel
//! does not. What hurries goes ahead of very many jobs that do not.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// Where a job stands among the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Behind all that came before, and ahead of all that comes after.
    Between,
    /// Somebody waits for it: ahead of all that is [`Place::Behind`], where more of that waits than is done at once.
    Ahead,
    Behind,
}

/// The end into which jobs go.
pub(super) struct Queue<T> {
    sender: Sender<(Place, T)>,
    waiting: Arc<AtomicUsize>,
    jobs_max: usize,
}

/// The end from which they come.
pub(super) struct Jobs<T> {
    receiver: Receiver<(Place, T)>,
    waiting: Arc<AtomicUsize>,
    stretches: VecDeque<Stretch<T>>,
    /// So many are done at once.
    at_once: usize,
    /// How many have come so far.
    count: u64,
}

/// What waits between two jobs that nothing overtakes.
struct Stretch<T> {
    ahead: VecDeque<(u64, T)>,
    behind: VecDeque<(u64, T)>,
}

impl<T> Stretch<T> {
    fn new() -> Self {
        Self { ahead: VecDeque::new(), behind: VecDeque::new() }
    }

    fn take(&mut self, at_once: usize) -> Option<T> {
        let came_first = match (self.ahead.front(), self.behind.front()) {
            (Some((ahead, _)), Some((behind, _))) => ahead < behind,
            (ahead, _) => ahead.is_some(),
        };
        let is_ahead = came_first || self.behind.len() > at_once;
        let job = if is_ahead { self.ahead.pop_front() } else { None };
        job.or_else(|| self.behind.pop_front()).map(|(_, job)| job)
    }
}

/// A queue of at most `jobs_max` jobs, a few more when several callers post at the same instant, of which `at_once` are
/// done together.
pub(super) fn queue<T>(jobs_max: usize, at_once: usize) -> (Queue<T>, Jobs<T>) {
    let (sender, receiver) = channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let queue = Queue { sender, waiting: waiting.clone(), jobs_max };
    (queue, Jobs { receiver, waiting, stretches: VecDeque::new(), at_once, count: 0 })
}

impl<T> Queue<T> {
    /// # Errors
    /// The job itself, when too many wait or nobody takes them any more.
    pub(super) fn post(&self, place: Place, job: T) -> Result<(), T> {
        if self.waiting.load(Ordering::Relaxed) >= self.jobs_max {
            return Err(job);
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.sender.send((place, job)).map_err(|unsent| unsent.0.1)
    }
}

impl<T> Jobs<T> {
    /// The next job; waits for it, at most for `wait` where that is given.
    ///
    /// # Errors
    /// When the time is over, or no more jobs can come.
    pub(super) fn next(&mut self, wait: Option<Duration>) -> Result<T, RecvTimeoutError> {
        if let Some(job) = self.next_waiting() {
            return Ok(job);
        }
        let (place, job) = match wait {
            None => self.receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(wait) => self.receiver.recv_timeout(wait),
        }?;
        self.put(place, job);
        self.next_waiting().ok_or(RecvTimeoutError::Timeout)
    }

    /// The next job, if one waits.
    pub(super) fn next_waiting(&mut self) -> Option<T> {
        while let Ok((place, job)) = self.receiver.try_recv() {
            self.put(place, job);
        }
        loop {
            let stretch = self.stretches.front_mut()?;
            if let Some(job) = stretch.take(self.at_once) {
                self.waiting.fetch_sub(1, Ordering::Relaxed);
                return Some(job);
            }
            self.stretches.pop_front();
        }
    }

    fn put(&mut self, place: Place, job: T) {
        if place == Place::Between || self.stretches.is_empty() {
            self.stretches.push_back(Stretch::new());
        }
        let Some(last) = self.stretches.back_mut() else { return };
        self.count += 1;
        let places = if place == Place::Behind { &mut last.behind } else { &mut last.ahead };
        places.push_back((self.count, job));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_gives_the_job_back_and_takes_more_once_there_is_room() {
        let (queue, mut jobs) = queue(2, 9);
        let post = |job| queue.post(Place::Behind, job);
        assert_eq!((post(1), post(2), post(3)), (Ok(()), Ok(()), Err(3)));
        assert_eq!((jobs.next(None), post(3)), (Ok(1), Ok(())));
        assert_eq!((jobs.next_waiting(), jobs.next_waiting(), jobs.next_waiting()), (Some(2), Some(3), None));
        assert_eq!(jobs.next(Some(Duration::ZERO)), Err(RecvTimeoutError::Timeout));
        drop(jobs);
        assert_eq!(post(4), Err(4));
    }

    #[test]
    fn what_hurries_overtakes_more_than_is_done_at_once_and_nothing_overtakes_what_stands_between() {
        use Place::{Ahead, Behind, Between};
        let (queue, mut jobs) = queue(99, 1);
        let posted =
            [(Behind, 3), (Behind, 4), (Ahead, 1), (Between, 5), (Behind, 8), (Ahead, 6), (Ahead, 7), (Ahead, 2)];
        for (place, job) in posted {
            queue.post(place, job).unwrap();
        }
        let taken: Vec<i32> = std::iter::from_fn(|| jobs.next_waiting()).collect();
        assert_eq!(taken, [1, 3, 4, 5, 8, 6, 7, 2]);
    }
}
