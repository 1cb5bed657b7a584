//! The music on disk: folders that are indexed in the background, found by hash and searched by words.

mod index;
mod scan;

use super::StoreError;
use super::probe::Problem;
use crate::core::clock::Monotonic;
use crate::core::id::TrackId;
use crate::core::request::{LibraryProblem, LibraryTrack};
use crate::core::status::LibraryStatus;
use index::Index;
use scan::Scanner;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// Where the music is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LibraryConfig {
    pub folders: Vec<PathBuf>,
    /// How often the folders are looked through for what is new; 0 is never, but for `jamzctl library scan`.
    pub rescan_minutes: u64,
}

impl Default for LibraryConfig {
    fn default() -> Self {
        Self { folders: Vec::new(), rescan_minutes: 15 }
    }
}

/// What is wrong with a file that ends whoever plays it.
pub(super) const CULPRIT: &str = "playing it ended the daemon twice; replace it";

/// A track that is here.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    pub track: LibraryTrack,
    pub gain_db: Option<f32>,
}

/// The index, and the thread that keeps it. Dropping it ends a running scan at the next file.
pub struct Library {
    index: Arc<Mutex<Index>>,
    wishes: Option<SyncSender<()>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Library {
    /// Opens the index in `dir`, and begins to look through the folders. `on_status` is called on the library's thread,
    /// a few times a second while it scans.
    ///
    /// # Errors
    /// When the index cannot be opened. A damaged index is begun anew; a folder that is missing is one of the problems.
    pub fn start(
        config: &LibraryConfig,
        dir: &Path,
        clock: Arc<dyn Monotonic>,
        on_status: Box<dyn Fn(LibraryStatus) + Send>,
    ) -> Result<Self, StoreError> {
        let index = Arc::new(Mutex::new(Index::open(dir)?));
        let stop = Arc::new(AtomicBool::new(false));
        let scanner = Scanner::new(config.folders.clone(), Arc::clone(&index), clock, Arc::clone(&stop), on_status);
        let every = (config.rescan_minutes > 0).then(|| Duration::from_secs(config.rescan_minutes.saturating_mul(60)));
        // One wish that waits is enough: a scan sees all there is.
        let (wishes, wished) = sync_channel(1);
        let thread = Builder::new()
            .name("library".into())
            .spawn(move || run(scanner, &wished, every))
            .map_err(|problem| StoreError::Io { path: dir.to_owned(), problem })?;
        Ok(Self { index, wishes: Some(wishes), stop, thread: Some(thread) })
    }

    /// Asks for the folders to be looked through anew; returns at once.
    pub fn scan(&self) {
        if let Some(wishes) = &self.wishes {
            // When one waits already, this one is granted by it.
            let _ = wishes.try_send(());
        }
    }

    /// Files that end whoever plays them are problems, until they are replaced.
    pub(super) fn condemn(&self, culprits: &[PathBuf]) {
        for path in culprits {
            let Ok(metadata) = std::fs::metadata(path) else { continue };
            let known = path.to_str().map(|path| (path, lock(&self.index).known(path)));
            // What is not in the library is not the library's problem.
            if let Some((path, Ok(Some(_)))) = known {
                let result = Err(Problem::Damaged(CULPRIT.into()));
                told(lock(&self.index).put(path, "", &scan::stamp(&metadata), &result));
            }
        }
    }

    /// The track of this hash, if it is here.
    #[must_use]
    pub fn get(&self, id: &TrackId) -> Option<Found> {
        told(lock(&self.index).get(id))
    }

    /// Tracks whose title, artist, album or path have all the words of `text`, in whatever order and case, or whose id
    /// begins with it (8 hex digits or more).
    #[must_use]
    pub fn search(&self, text: &str, limit: u32) -> Vec<LibraryTrack> {
        told(lock(&self.index).search(text, limit))
    }

    /// All tracks, by artist, album and path.
    #[must_use]
    pub fn all(&self, limit: u32) -> Vec<LibraryTrack> {
        self.search("", limit)
    }

    /// Files and folders that cannot be used, or only in part, each with a sentence why.
    #[must_use]
    pub fn problems(&self) -> Vec<LibraryProblem> {
        told(lock(&self.index).problems())
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.wishes = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the library's thread had died");
        }
    }
}

fn run(mut scanner: Scanner, wished: &Receiver<()>, every: Option<Duration>) {
    loop {
        scanner.scan();
        let again = match every {
            Some(every) => wished.recv_timeout(every),
            None => wished.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        if again == Err(RecvTimeoutError::Disconnected) {
            return;
        }
    }
}

fn lock(index: &Mutex<Index>) -> MutexGuard<'_, Index> {
    index.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A library that cannot be read has nothing; the scan that follows says why.
fn told<T: Default>(result: rusqlite::Result<T>) -> T {
    result.unwrap_or_else(|error| {
        tracing::error!(%error, "the library's index does not answer");
        T::default()
    })
}
