//! The queue of fetches: two at once, the first asked for first; one that fails steps aside and comes back later.

use super::fetch::{Fetch, Means, Progress, Ready, Setback};
use super::{CacheConfig, Index, Kept, Patience};
use crate::core::clock::{MonoTime, Monotonic};
use crate::core::id::TrackId;
use crate::core::io::{Input, Source, TrackEvent};
use crate::core::playlist::Track;
use crate::core::status::Fetching;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Notify, mpsc};
use tokio::task::{JoinError, JoinSet};

/// Fetches at once.
const RUNNING_MAX: usize = 2;
/// Tracks that wait for their turn or their next try.
const WAITING_MAX: usize = 256;
/// What was asked for within this time is not evicted: it may be playing.
const SPARED_US: i64 = 15 * 60 * 1_000_000;
/// Room that is made on a full disk before it is tried again.
const FREED_BYTES: u64 = 64 << 20;

/// What the fetcher is connected to.
pub(in crate::store) struct Ports {
    pub events: mpsc::Sender<Input>,
    pub clock: Arc<dyn Monotonic>,
    /// Rung when there is progress to show.
    pub changed: Arc<Notify>,
    /// Where the progress is shown.
    pub shown: Arc<Mutex<Vec<Fetching>>>,
}

/// A track on its way, or waiting to be.
struct Job {
    fetch: Fetch,
    /// In a row, without a byte more than `bytes`.
    tries: u32,
    bytes: u64,
    /// Ends a wait for the next try.
    wake: Arc<Notify>,
}

/// What a job leaves behind for those who ask for it again.
struct Known {
    progress: Arc<Progress>,
    name: String,
    url: String,
    wake: Arc<Notify>,
    ready: Arc<Ready>,
    /// Why it counts as missing, while it is still being tried.
    problem: Option<String>,
    running: bool,
}

/// Where a job has come to.
pub(in crate::store) struct Stepped(Result<Step, JoinError>);

enum Step {
    Attempted(Job, Result<Kept, Setback>),
    Rested(Job),
}

/// Owned by one task, which hands it tracks, waits for steps, and has each taken.
pub(in crate::store) struct Fetcher {
    means: Arc<Means>,
    ports: Ports,
    patience: Patience,
    size_bytes_max: u64,
    queue: VecDeque<Job>,
    steps: JoinSet<Step>,
    running: usize,
    known: BTreeMap<TrackId, Known>,
    /// When each hash was last asked for.
    used: BTreeMap<String, MonoTime>,
}

impl Fetcher {
    pub(in crate::store) fn new(
        config: &CacheConfig,
        patience: Patience,
        index: Arc<Mutex<Index>>,
        ports: Ports,
    ) -> Self {
        let means = Means::new(patience.clone(), index, config.file_bytes_max());
        let fetcher = Self {
            means: Arc::new(means),
            ports,
            patience,
            size_bytes_max: config.size_bytes_max(),
            queue: VecDeque::new(),
            steps: JoinSet::new(),
            running: 0,
            known: BTreeMap::new(),
            used: BTreeMap::new(),
        };
        fetcher.evict(fetcher.size_bytes_max);
        fetcher
    }

    /// A cached file was asked for: it stays for a while.
    pub(in crate::store) fn spare(&mut self, hash: &str) {
        let now = self.ports.clock.now();
        self.used.retain(|_, at| now - *at < SPARED_US);
        self.used.insert(hash.to_owned(), now);
    }

    /// Takes a track into the queue; one that is there already is hurried up.
    pub(in crate::store) async fn fetch(&mut self, track: Track) {
        if let Some(known) = self.known.get(&track.id) {
            known.wake.notify_one();
            if let Some(ready) = known.ready.get() {
                self.tell(ready).await;
            } else if let Some(problem) = &known.problem {
                self.miss(&track, problem).await;
            }
            return;
        }
        let url = match track.url.clone() {
            Some(url) if is_web(&url) => url,
            Some(_) => return self.miss(&track, "its address is no web address").await,
            None => return self.miss(&track, "it is not in the library, and has no address to fetch it from").await,
        };
        if self.known.len() >= WAITING_MAX {
            return self.miss(&track, "too many tracks wait to be fetched").await;
        }
        let (progress, wake, ready) = (Arc::<Progress>::default(), Arc::<Notify>::default(), Arc::<Ready>::default());
        let name = if track.title.is_empty() { track.id.to_string() } else { track.title.clone() };
        let known = Known {
            progress: Arc::clone(&progress),
            name,
            url: url.clone(),
            wake: Arc::clone(&wake),
            ready: Arc::clone(&ready),
            problem: None,
            running: false,
        };
        self.known.insert(track.id.clone(), known);
        let fetch = Fetch { track, url, progress, ready, events: self.ports.events.clone() };
        self.queue.push_back(Job { fetch, tries: 0, bytes: 0, wake });
        self.start();
    }

    /// Waits until a job has come to a step; for ever while there is none. Losing the wait loses nothing.
    pub(in crate::store) async fn stepped(&mut self) -> Stepped {
        match self.steps.join_next().await {
            Some(step) => Stepped(step),
            None => std::future::pending().await,
        }
    }

    /// Takes a step in, and starts what can be started then.
    pub(in crate::store) async fn take(&mut self, Stepped(step): Stepped) {
        match step {
            Err(error) => {
                self.running = self.running.saturating_sub(1);
                tracing::error!(%error, "a fetch ended unexpectedly");
            }
            Ok(Step::Rested(job)) => self.queue.push_back(job),
            Ok(Step::Attempted(job, result)) => {
                self.running -= 1;
                self.conclude(job, result).await;
            }
        }
        self.start();
    }

    fn start(&mut self) {
        while self.running < RUNNING_MAX
            && let Some(job) = self.queue.pop_front()
        {
            self.running += 1;
            self.set_running(&job.fetch.track.id, true);
            let means = Arc::clone(&self.means);
            self.steps.spawn(async move {
                let result = job.fetch.attempt(&means).await;
                Step::Attempted(job, result)
            });
        }
        self.show();
    }

    async fn conclude(&mut self, job: Job, result: Result<Kept, Setback>) {
        let track = job.fetch.track.clone();
        self.set_running(&track.id, false);
        match result {
            Ok(kept) => {
                self.known.remove(&track.id);
                self.spare(&kept.hash);
                self.evict(self.size_bytes_max);
                self.tell(ready(&track, &kept)).await;
            }
            Err(Setback::Never(problem)) => {
                self.known.remove(&track.id);
                job.fetch.discard(&self.means);
                self.miss(&track, &problem).await;
            }
            Err(Setback::DiskFull(problem)) => {
                let now = self.evict(u64::MAX);
                self.evict(now.saturating_sub(FREED_BYTES));
                self.retry(job, &problem).await;
            }
            Err(Setback::Later(problem)) => self.retry(job, &problem).await,
            Err(Setback::Changed) => {
                job.fetch.ready.replace(None);
                self.retry(job, "the file changes on the server while it is fetched").await;
            }
        }
    }

    /// Steps aside for a while; after some tries the track counts as missing, and after many it is given up.
    async fn retry(&mut self, mut job: Job, problem: &str) {
        let bytes = job.fetch.progress.bytes.load(Ordering::Relaxed);
        if bytes > job.bytes {
            (job.tries, job.bytes) = (0, bytes);
        }
        job.tries += 1;
        tracing::debug!(problem, bytes, tries = job.tries, "a fetch broke off");
        if job.tries >= self.patience.tries
            && let Some(known) = self.known.get_mut(&job.fetch.track.id)
            && known.problem.replace(problem.to_owned()).is_none()
        {
            self.miss(&job.fetch.track, problem).await;
        }
        if job.tries >= self.patience.tries_max {
            self.known.remove(&job.fetch.track.id);
            return;
        }
        let doublings = (job.tries - 1).min(16);
        let rest = self.patience.retry.saturating_mul(1 << doublings).min(self.patience.retry_max);
        self.steps.spawn(async move {
            let _ = tokio::time::timeout(rest, job.wake.notified()).await;
            Step::Rested(job)
        });
    }

    /// Brings the cache within its bounds, or within `bytes_max`; gives what it takes now.
    fn evict(&self, bytes_max: u64) -> u64 {
        let now = self.ports.clock.now();
        let recent = self.used.iter().filter(|(_, at)| now - **at < SPARED_US).map(|(hash, _)| hash.clone());
        let spared: BTreeSet<String> = recent.chain(self.known.values().map(|known| known.url.clone())).collect();
        self.means.index().evict(bytes_max, &spared).unwrap_or_else(|error| {
            tracing::warn!(%error, "the cache makes no room");
            0
        })
    }

    fn set_running(&mut self, id: &TrackId, running: bool) {
        if let Some(known) = self.known.get_mut(id) {
            known.running = running;
        }
    }

    /// Whether anything is on its way.
    pub(in crate::store) fn is_busy(&self) -> bool {
        self.running > 0
    }

    /// Shows what is on its way.
    pub(in crate::store) fn show(&self) {
        let fetching = self.known.values().filter(|known| known.running).map(|known| Fetching {
            track: known.name.clone(),
            bytes: known.progress.bytes.load(Ordering::Relaxed),
            bytes_total: Some(known.progress.bytes_total.load(Ordering::Relaxed)).filter(|total| *total > 0),
        });
        *self.ports.shown.lock().unwrap_or_else(PoisonError::into_inner) = fetching.collect();
        self.ports.changed.notify_one();
    }

    async fn miss(&self, track: &Track, problem: &str) {
        self.tell(TrackEvent::Missing { track: track.id.clone(), problem: problem.to_owned() }).await;
    }

    async fn tell(&self, event: TrackEvent) {
        // The core is gone only when all is.
        let _ = self.ports.events.send(Input::Track(event)).await;
    }
}

/// The news that a cached file is complete.
pub(in crate::store) fn ready(track: &Track, kept: &Kept) -> TrackEvent {
    TrackEvent::Ready {
        track: track.id.clone(),
        source: Source { path: kept.path.to_string_lossy().into_owned(), growing: None },
        duration_us: Some(kept.duration_us),
        gain_db: kept.gain_db,
    }
}

fn is_web(url: &str) -> bool {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    matches!(scheme.as_deref(), Some("http" | "https"))
}
