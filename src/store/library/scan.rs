//! The scan: every file of the music folders is looked at; only new and changed ones are read.

use super::index::{Index, Known, Stamp};
use super::lock;
use crate::core::clock::{MonoTime, Monotonic};
use crate::core::id::TrackId;
use crate::core::request::LibraryProblem;
use crate::core::status::LibraryStatus;
use crate::store::probe::{self, Probed, Problem, guarded};
use std::cell::RefCell;
use std::collections::HashSet;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use walkdir::{DirEntry, WalkDir};

const EXTENSIONS: [&str; 9] = ["mp3", "m4a", "aac", "mp4", "flac", "ogg", "oga", "opus", "wav"];
/// Music files that are looked at; a library is smaller by far.
const FILES_MAX: u64 = 200_000;
/// Folders within folders; a link that leads into itself is found sooner.
const DEPTH_MAX: usize = 64;
/// A larger file is no piece of music.
const FILE_BYTES_MAX: u64 = 4 << 30;
/// A file that was being read when the program ended, so many times in a row, is read no more.
const ATTEMPTS_MAX: u32 = 3;
/// Problems of folders that are kept.
const FOLDER_PROBLEMS_MAX: usize = 1_000;
/// Time between two reports of progress.
const REPORT_US: i64 = 250_000;

pub(super) struct Scanner {
    folders: Vec<PathBuf>,
    index: Arc<Mutex<Index>>,
    clock: Arc<dyn Monotonic>,
    stop: Arc<AtomicBool>,
    on_status: Box<dyn Fn(LibraryStatus) + Send>,
    reported: Option<MonoTime>,
    /// Of folders and of names, found by the scan that runs.
    problems: Vec<LibraryProblem>,
    /// Device and inode of the files that the running scan has looked at: one that links name twice is one file.
    looked_at: HashSet<(u64, u64)>,
}

/// Why a scan ended early.
enum Halt {
    Stopped,
    Index(rusqlite::Error),
}

impl From<rusqlite::Error> for Halt {
    fn from(error: rusqlite::Error) -> Self {
        Self::Index(error)
    }
}

impl Scanner {
    pub(super) fn new(
        folders: Vec<PathBuf>,
        index: Arc<Mutex<Index>>,
        clock: Arc<dyn Monotonic>,
        stop: Arc<AtomicBool>,
        on_status: Box<dyn Fn(LibraryStatus) + Send>,
    ) -> Self {
        Self { folders, index, clock, stop, on_status, reported: None, problems: Vec::new(), looked_at: HashSet::new() }
    }

    /// Looks through all folders once.
    pub(super) fn scan(&mut self) {
        self.report(Some((0, 0)), true);
        match self.look_through() {
            Ok(()) | Err(Halt::Stopped) => {}
            Err(Halt::Index(error)) => {
                let problem = format!("the index cannot be written: {error}");
                tracing::error!(problem);
                self.complain(Path::new("library.db"), problem);
            }
        }
        self.looked_at = HashSet::new();
        lock(&self.index).folder_problems = std::mem::take(&mut self.problems);
        self.report(None, true);
    }

    fn look_through(&mut self) -> Result<(), Halt> {
        lock(&self.index).begin_scan()?;
        let folders = self.folders.clone();
        let found: u64 =
            folders.iter().map(|folder| music(folder, |_| ()).take(FILES_MAX as usize).flatten().count() as u64).sum();
        let mut looked_at = 0;
        for folder in &folders {
            if let Err(error) = std::fs::read_dir(folder) {
                let what_to_do = "make it, plug it in, or correct `folders` in the configuration";
                self.complain(folder, format!("the music folder cannot be read ({error}): {what_to_do}"));
                continue;
            }
            let left_out = RefCell::new(Vec::new());
            for entry in music(folder, |link| left_out.borrow_mut().push(link.to_owned())) {
                if self.stop.load(Ordering::Relaxed) {
                    return Err(Halt::Stopped);
                }
                match entry {
                    Ok(entry) if looked_at < FILES_MAX => {
                        self.look_at(folder, &entry)?;
                        looked_at += 1;
                        self.report(Some((looked_at, found.max(looked_at))), false);
                    }
                    Ok(_) => {
                        self.complain(
                            folder,
                            format!("it has more than {FILES_MAX} music files; the rest is left out"),
                        );
                        break;
                    }
                    Err(error) => self.complain_of_walk(folder, &error),
                }
            }
            for link in left_out.into_inner() {
                self.complain(&link, "it leads out of the music folder: name what it leads to in `folders`".into());
            }
        }
        Ok(lock(&self.index).end_scan()?)
    }

    fn look_at(&mut self, folder: &Path, entry: &DirEntry) -> Result<(), Halt> {
        let Some(path) = entry.path().to_str() else {
            self.complain(entry.path(), "its name is no UTF-8 text: rename it".into());
            return Ok(());
        };
        // It may have vanished since the walk saw it.
        let Ok(metadata) = std::fs::metadata(path) else { return Ok(()) };
        if !self.looked_at.insert((metadata.dev(), metadata.ino())) {
            return Ok(());
        }
        let stamp = stamp(&metadata);
        let known = lock(&self.index).known(path)?;
        if let Some(known) = known.as_ref().filter(|known| known.stamp == stamp) {
            lock(&self.index).see(known.row)?;
            return Ok(());
        }
        lock(&self.index).begin_reading(path)?;
        let result = self.read(entry.path(), &metadata, known.as_ref())?;
        let unchanged = std::fs::metadata(path).is_ok_and(|now| self::stamp(&now) == stamp);
        let index = &mut *lock(&self.index);
        match &result {
            // Nothing to see yet: a file that is still being copied is read by the next scan.
            Err(Problem::Changed) => index.forget_reading(path)?,
            _ if !unchanged => index.forget_reading(path)?,
            // What is at fault may be mended without a trace in the file, so that it is tried by every scan.
            Err(Problem::Denied | Problem::Unreadable(_)) => {
                index.put(path, "", &Stamp { bytes: -1, modified_ns: 0 }, &result)?;
            }
            _ => {
                let place = entry.path().strip_prefix(folder).unwrap_or(entry.path());
                index.put(path, &place.to_string_lossy(), &stamp, &result)?;
            }
        }
        Ok(())
    }

    /// Hash, tags and length of a file; those of a track that is known by its hash need no second reading.
    fn read(
        &self,
        path: &Path,
        metadata: &Metadata,
        known: Option<&Known>,
    ) -> Result<Result<(TrackId, Probed), Problem>, Halt> {
        if known.is_some_and(|known| known.attempts >= ATTEMPTS_MAX) {
            return Ok(Err(Problem::Damaged("reading it ended the daemon; replace it".into())));
        }
        match metadata.len() {
            0 => return Ok(Err(Problem::Damaged("it is empty".into()))),
            FILE_BYTES_MAX.. => return Ok(Err(Problem::Unsupported("it is larger than 4 GiB".into()))),
            _ => {}
        }
        let hashed = path.to_owned();
        let id = match guarded(&self.stop, move |watch| probe::hash(&hashed, watch)) {
            Ok(id) => id,
            Err(problem) => return Ok(Err(problem)),
        };
        if let Some(probed) = lock(&self.index).track(&id)? {
            return Ok(Ok((id, probed)));
        }
        let probed = path.to_owned();
        Ok(guarded(&self.stop, move |watch| probe::probe(&probed, watch)).map(|probed| (id, probed)))
    }

    fn complain_of_walk(&mut self, folder: &Path, error: &walkdir::Error) {
        if error.loop_ancestor().is_some() {
            tracing::debug!(%error, "a link leads back to where it lies");
            return;
        }
        let problem = match error.io_error() {
            Some(error) => Problem::from(std::io::Error::from(error.kind())).to_string(),
            None => error.to_string(),
        };
        self.complain(error.path().unwrap_or(folder), problem);
    }

    fn complain(&mut self, path: &Path, problem: String) {
        let path = path.to_string_lossy().into_owned();
        if self.problems.len() < FOLDER_PROBLEMS_MAX && !self.problems.iter().any(|known| known.path == path) {
            self.problems.push(LibraryProblem { path, problem });
        }
    }

    fn report(&mut self, scanning: Option<(u64, u64)>, at_once: bool) {
        let now = self.clock.now();
        if !at_once && self.reported.is_some_and(|last| now - last < REPORT_US) {
            return;
        }
        self.reported = Some(now);
        let (tracks, problems) = super::told(lock(&self.index).counts());
        (self.on_status)(LibraryStatus { tracks, problems, scanning, fetching: Vec::new() });
    }
}

/// The music files below a folder, links followed, hidden ones left out; a folder elsewhere that a link leads to is
/// left out and told, or a single link could bring in the whole machine.
fn music(folder: &Path, left_out: impl Fn(&Path)) -> impl Iterator<Item = walkdir::Result<DirEntry>> {
    let home = std::fs::canonicalize(folder);
    let leads_out = move |entry: &DirEntry| {
        entry.depth() > 0
            && entry.path_is_symlink()
            && entry.file_type().is_dir()
            && !matches!((&home, std::fs::canonicalize(entry.path())), (Ok(home), Ok(to)) if to.starts_with(home))
    };
    WalkDir::new(folder)
        .follow_links(true)
        .max_depth(DEPTH_MAX)
        .max_open(8)
        .into_iter()
        .filter_entry(move |entry| {
            let is_hidden = entry.depth() > 0 && entry.file_name().to_string_lossy().starts_with('.');
            let is_elsewhere = !is_hidden && leads_out(entry);
            if is_elsewhere {
                left_out(entry.path());
            }
            !is_hidden && !is_elsewhere
        })
        .filter(|entry| match entry {
            Ok(entry) => entry.file_type().is_file() && is_music(entry.path()),
            // The folder itself is looked at apart from what is in it.
            Err(error) => error.depth() > 0,
        })
}

fn is_music(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(extension))
}

pub(super) fn stamp(metadata: &Metadata) -> Stamp {
    Stamp {
        bytes: metadata.len().cast_signed(),
        modified_ns: metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec()),
    }
}
