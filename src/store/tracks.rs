//! Tracks to files: from the library, from the cache, or fetched; the one place that the core's `Resolve` goes to.

use super::StoreError;
use super::cache::{self, CacheConfig, Fetcher, Patience, Ports};
use super::library::{CULPRIT, Library, LibraryConfig};
use crate::core::clock::Monotonic;
use crate::core::io::{Input, Source, TrackEvent};
use crate::core::playlist::Track;
use crate::core::status::{Fetching, LibraryStatus};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

/// Tracks that wait to be looked up; the core asks for a few at a time.
const QUEUE_MAX: usize = 256;
/// Tracks without a file or an address that are looked for again when the library has changed; the newest ones.
const MISSED_MAX: usize = 64;
/// Time between two reports of progress.
const REPORT: Duration = Duration::from_millis(250);

/// Where tracks are looked for, and how hard.
#[derive(Debug, Clone, Default)]
pub struct TracksConfig {
    pub library: LibraryConfig,
    pub cache: CacheConfig,
    pub patience: Patience,
    /// Holds the library's index.
    pub state_dir: PathBuf,
    /// Holds fetched tracks.
    pub cache_dir: PathBuf,
    /// Files that end whoever plays them: they count as damaged.
    pub culprits: Vec<PathBuf>,
}

/// The library, the cache, and the task between them. Dropping it ends all that is under way.
pub struct Tracks {
    library: Arc<Library>,
    wanted: mpsc::Sender<Track>,
    tasks: [JoinHandle<()>; 2],
}

impl Tracks {
    /// Opens library and cache; to be called within a tokio runtime. Answers go to `events` as `Input::Track`, the
    /// state as
    /// `Input::Library`, at most a few times a second.
    ///
    /// # Errors
    /// When a folder cannot be written or TLS cannot be had.
    pub fn start(
        config: &TracksConfig,
        clock: &Arc<dyn Monotonic>,
        events: mpsc::Sender<Input>,
    ) -> Result<Self, StoreError> {
        let changed = Arc::new(Notify::new());
        let status = Arc::new(Mutex::new(LibraryStatus::default()));
        let shown = Arc::new(Mutex::new(Vec::new()));
        let index = Arc::new(Mutex::new(cache::Index::open(&config.cache_dir)?));
        let ports = Ports {
            events: events.clone(),
            clock: Arc::clone(clock),
            changed: Arc::clone(&changed),
            shown: Arc::clone(&shown),
        };
        let fetcher = Fetcher::new(&config.cache, config.patience.clone(), Arc::clone(&index), ports);
        let scanned = Arc::new(Notify::new());
        let (noted, rung, ended) = (Arc::clone(&status), Arc::clone(&changed), Arc::clone(&scanned));
        let on_status = Box::new(move |status: LibraryStatus| {
            if status.scanning.is_none() {
                ended.notify_one();
            }
            *noted.lock().unwrap_or_else(PoisonError::into_inner) = status;
            rung.notify_one();
        });
        let library = Library::start(&config.library, &config.state_dir, Arc::clone(clock), on_status)?;
        let library = Arc::new(library);
        library.condemn(&config.culprits);
        let (wanted, wishes) = mpsc::channel(QUEUE_MAX);
        let missed = VecDeque::new();
        let finder = Finder {
            library: Arc::clone(&library),
            index,
            fetcher,
            events: events.clone(),
            missed,
            scanned,
            culprits: config.culprits.clone(),
        };
        let tasks = [tokio::spawn(finder.run(wishes)), tokio::spawn(report(changed, status, shown, events))];
        Ok(Self { library, wanted, tasks })
    }

    /// Looks for a track's file; returns at once. The answer is a `TrackEvent`, or several while it is fetched.
    ///
    /// # Errors
    /// The answer itself, when too many are being looked for.
    pub fn resolve(&self, track: Track) -> Result<(), Box<TrackEvent>> {
        self.wanted.try_send(track).map_err(|error| {
            let track = error.into_inner().id;
            Box::new(TrackEvent::Missing { track, problem: "too many tracks are looked for at once".into() })
        })
    }

    /// The music on disk.
    #[must_use]
    pub fn library(&self) -> &Arc<Library> {
        &self.library
    }
}

impl Drop for Tracks {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Looks tracks up, one after the other, and fetches those that are not here.
struct Finder {
    library: Arc<Library>,
    index: Arc<Mutex<cache::Index>>,
    fetcher: Fetcher,
    events: mpsc::Sender<Input>,
    /// Tracks that were nowhere when they were asked for, and have no address.
    missed: VecDeque<Track>,
    /// Rung at the end of each scan of the library.
    scanned: Arc<Notify>,
    culprits: Vec<PathBuf>,
}

/// Where a track was found.
enum Place {
    Library(TrackEvent),
    Cache(cache::Kept),
    Nowhere,
}

impl Finder {
    async fn run(mut self, mut wishes: mpsc::Receiver<Track>) {
        let mut look = tokio::time::interval(REPORT);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                wish = wishes.recv() => match wish {
                    Some(track) => self.find(track).await,
                    None => return,
                },
                step = self.fetcher.stepped() => self.fetcher.take(step).await,
                () = self.scanned.notified() => self.find_missed().await,
                _ = look.tick(), if self.fetcher.is_busy() => self.fetcher.show(),
            }
        }
    }

    async fn find(&mut self, track: Track) {
        if let Some(event) = self.look_up(&track).await {
            return self.tell(event).await;
        }
        if track.url.is_none() {
            self.missed.retain(|missed| missed.id != track.id);
            self.missed.push_back(track.clone());
            self.missed.drain(..self.missed.len().saturating_sub(MISSED_MAX));
        }
        self.fetcher.fetch(track).await;
    }

    /// A scan may have found what was asked for before: on a first start, or on a music stick that was just plugged in.
    async fn find_missed(&mut self) {
        for track in std::mem::take(&mut self.missed) {
            match self.look_up(&track).await {
                Some(event) => self.tell(event).await,
                None => self.missed.push_back(track),
            }
        }
    }

    async fn look_up(&mut self, track: &Track) -> Option<TrackEvent> {
        let (library, index, wanted) = (Arc::clone(&self.library), Arc::clone(&self.index), track.clone());
        match tokio::task::spawn_blocking(move || look_up(&library, &index, &wanted)).await {
            Ok(Place::Library(event)) => Some(event),
            Ok(Place::Cache(kept)) if self.culprits.contains(&kept.path) => {
                Some(TrackEvent::Missing { track: track.id.clone(), problem: CULPRIT.into() })
            }
            Ok(Place::Cache(kept)) => {
                self.fetcher.spare(&kept.hash);
                Some(cache::ready(track, &kept))
            }
            Ok(Place::Nowhere) | Err(_) => None,
        }
    }

    async fn tell(&self, event: TrackEvent) {
        // The core is gone only when all is.
        let _ = self.events.send(Input::Track(event)).await;
    }
}

fn look_up(library: &Library, index: &Mutex<cache::Index>, track: &Track) -> Place {
    if let Some(found) = library.get(&track.id).filter(|found| Path::new(&found.track.path).is_file()) {
        return Place::Library(TrackEvent::Ready {
            track: track.id.clone(),
            source: Source { path: found.track.path, growing: None },
            duration_us: found.track.duration_us,
            gain_db: found.gain_db,
        });
    }
    match index.lock().unwrap_or_else(PoisonError::into_inner).get(track) {
        Ok(Some(kept)) => Place::Cache(kept),
        Ok(None) => Place::Nowhere,
        Err(error) => {
            tracing::warn!(%error, "the cache's index does not answer");
            Place::Nowhere
        }
    }
}

/// Tells the core of the library's and the cache's state, when it changed, but not too often.
async fn report(
    changed: Arc<Notify>,
    status: Arc<Mutex<LibraryStatus>>,
    shown: Arc<Mutex<Vec<Fetching>>>,
    events: mpsc::Sender<Input>,
) {
    let mut told = LibraryStatus::default();
    loop {
        changed.notified().await;
        let mut status = status.lock().unwrap_or_else(PoisonError::into_inner).clone();
        status.fetching.clone_from(&shown.lock().unwrap_or_else(PoisonError::into_inner));
        if status != told {
            told = status.clone();
            if events.send(Input::Library(status)).await.is_err() {
                return;
            }
        }
        tokio::time::sleep(REPORT).await;
    }
}
