//! The journal: one thread that makes changes and state durable, many at a time, and says so only when they are.

use super::error::{StoreError, io_sentence, sentence};
use super::loaded::{Loaded, load};
use super::queue::{Jobs, Place, Queue, queue};
use super::salvage::take_over;
use super::state::{Fingerprint, Parts};
use super::{changes, database, state};
use crate::core::changes::{Change, ChangeId, Verdict};
use crate::core::clock::{MonoTime, Monotonic};
use crate::core::id::{ConvoyId, DeviceId};
use crate::core::io::{Input, Saved};
use crate::core::request::HistoryEntry;
use rusqlite::Connection;
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;
use tokio::sync::oneshot;

const SCHEMA: database::Schema = database::Schema {
    file: "jamz.db",
    durable: true,
    migrations: &[&[changes::TABLE, state::TABLE], &[changes::KEPT], &[state::APART]],
};

/// Writes that wait for the disk; a person makes a few a second, and 20,000 at once by clearing a full playlist.
const QUEUE_MAX: usize = 24_576;
/// Writes in one transaction.
const BATCH_MAX: usize = 512;
/// Writes other than own changes that are kept for a disk that does not take them now.
const WAITING_MAX: usize = 4_096;
/// Writes between two compactions.
const COMPACT_EVERY: usize = 1_024;
/// At most so often is the state written, and so often is a failed write tried again.
const REMEMBER_US: i64 = 1_000_000;

/// What the store needs of the world around it.
pub struct Hooks {
    pub clock: Arc<dyn Monotonic>,
    /// The wall clock in seconds since 1970, for the history.
    pub unix_s: Box<dyn Fn() -> i64 + Send>,
    /// Takes `Stored` and `NotStored`, on the writer's thread; while it blocks, nothing is written.
    pub answer: Box<dyn Fn(Input) + Send>,
}

/// Something to be kept.
#[derive(Debug)]
pub enum Write {
    /// An own change: answered by `Stored` when it is durable, by `NotStored` when it is not.
    Own(Box<Change>),
    /// What an authority made of a change, for the history.
    Record { change: Box<Change>, verdict: Verdict },
    /// What became of an own change.
    Settle { change: ChangeId, verdict: Verdict },
    /// The core's state, with all that was settled and recorded before, and the boot its clock is of. Only the newest
    /// is written, about once a second, at the end, and at once when it is of another convoy.
    Remember(Box<Saved>, Option<String>),
    /// Who this device is.
    Device(DeviceId),
}

enum Job {
    Write(Write),
    History { limit: u32, pending: bool, reply: oneshot::Sender<Result<Vec<HistoryEntry>, StoreError>> },
}

/// The journal on disk. Dropping it writes what waits, and then returns.
pub struct Store {
    queue: Option<Queue<Job>>,
    /// The convoy of the state that was sent last.
    convoy: Mutex<Option<ConvoyId>>,
    thread: Option<JoinHandle<()>>,
}

impl Store {
    /// Opens or begins the journal in `dir`.
    ///
    /// # Errors
    /// When the folder cannot be written, another process has the journal open, or a newer version wrote it. A damaged
    /// database is no error: it is moved aside, `Loaded::set_aside` says where, and what it still gives is taken over.
    /// Nor is a disk that is read-only: what it holds is loaded, and own changes are `NotStored`.
    pub fn open(dir: &Path, hooks: Hooks) -> Result<(Self, Loaded), StoreError> {
        let database::Opened { connection, path, set_aside, is_read_only } = database::open(dir, &SCHEMA)?;
        let failed = |problem| StoreError::Database { path: path.clone(), problem };
        if let Some(aside) = &set_aside {
            take_over(aside, &connection, (hooks.unix_s)()).map_err(failed)?;
        }
        let mut loaded = load(&connection).map_err(failed)?;
        loaded.set_aside = set_aside;
        let (queue, jobs) = queue(QUEUE_MAX, BATCH_MAX);
        let convoy = loaded.saved.as_ref().and_then(|saved| saved.convoy.clone());
        let writer = Writer { is_read_only, ..Writer::new(connection, path.clone(), hooks, convoy.clone()) };
        let thread = Builder::new()
            .name("journal".into())
            .spawn(move || writer.run(jobs))
            .map_err(|problem| StoreError::Io { path, problem })?;
        Ok((Self { queue: Some(queue), convoy: Mutex::new(convoy), thread: Some(thread) }, loaded))
    }

    /// Hands a write to the writer's thread; never blocks.
    ///
    /// # Errors
    /// The write itself, when too many wait: the disk does not keep up.
    pub fn send(&self, write: Write) -> Result<(), Write> {
        let place = self.place_of(&write);
        match self.post(place, Job::Write(write)) {
            Err(Job::Write(write)) => Err(write),
            _ => Ok(()),
        }
    }

    /// The newest changes, the newest first, those just sent included; or, if `pending`, the own changes that no
    /// authority has yet, the oldest first.
    ///
    /// # Errors
    /// When the disk does not give them.
    pub async fn history(&self, limit: u32, pending: bool) -> Result<Vec<HistoryEntry>, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.post(Place::Between, Job::History { limit, pending, reply }).map_err(|_| StoreError::Busy)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// A driver waits for what he did to be stored, and it waits for nothing that others did; but it is of the convoy
    /// and of the device that were written before.
    fn place_of(&self, write: &Write) -> Place {
        match write {
            Write::Own(_) => Place::Ahead,
            Write::Record { .. } | Write::Settle { .. } => Place::Behind,
            Write::Device(_) => Place::Between,
            Write::Remember(saved, _) => {
                let mut convoy = self.convoy.lock().unwrap_or_else(PoisonError::into_inner);
                let is_another = *convoy != saved.convoy;
                convoy.clone_from(&saved.convoy);
                if is_another { Place::Between } else { Place::Behind }
            }
        }
    }

    fn post(&self, place: Place, job: Job) -> Result<(), Job> {
        match &self.queue {
            None => Err(job),
            Some(queue) => queue.post(place, job),
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the journal's thread had died");
        }
    }
}

/// The state that waits to be written, and the changes that it includes and the one before did not.
struct Memory {
    parts: Parts,
    boot_id: Option<String>,
    covered: Vec<ChangeId>,
}

struct Writer {
    db: Connection,
    path: PathBuf,
    /// Nothing here outlives the process.
    is_read_only: bool,
    hooks: Hooks,
    memory: Option<Memory>,
    /// The playlist on disk, once this run has written one.
    playlist: Option<Fingerprint>,
    /// The convoy of the newest state.
    convoy: Option<ConvoyId>,
    /// Changes that count since the newest state.
    since: Vec<ChangeId>,
    /// When it was last written, or when the disk last refused.
    tried: Option<MonoTime>,
    /// What the next transaction holds, in order; after one that failed, all of it but the own changes.
    waiting: VecDeque<Write>,
    /// Since the last compaction.
    writes: usize,
}

impl Writer {
    fn new(db: Connection, path: PathBuf, hooks: Hooks, convoy: Option<ConvoyId>) -> Self {
        // The first start compacts, too: the last run may have been short.
        let writes = COMPACT_EVERY;
        let waiting = VecDeque::new();
        let (since, is_read_only) = (Vec::new(), false);
        Self {
            db,
            path,
            is_read_only,
            hooks,
            memory: None,
            playlist: None,
            convoy,
            since,
            tried: None,
            waiting,
            writes,
        }
    }

    fn run(mut self, mut jobs: Jobs<Job>) {
        let mut open = true;
        while open {
            let mut batch = Vec::new();
            let mut questions = Vec::new();
            open = self.gather(&mut jobs, &mut batch, &mut questions);
            self.commit(batch, !open);
            for (limit, pending, reply) in questions {
                let history = changes::history(&self.db, limit, pending);
                // Whoever asked may have gone.
                let _ =
                    reply.send(history.map_err(|problem| StoreError::Database { path: self.path.clone(), problem }));
            }
        }
    }

    /// Waits for the first job and takes all that are there; false when no more will come.
    fn gather(&self, jobs: &mut Jobs<Job>, batch: &mut Vec<Write>, questions: &mut Vec<Question>) -> bool {
        let mut job = match jobs.next(self.wait_max()) {
            Ok(job) => Some(job),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return false,
        };
        while let Some(taken) = job {
            match taken {
                Job::Write(write) => batch.push(write),
                Job::History { limit, pending, reply } => questions.push((limit, pending, reply)),
            }
            job = if batch.len() < BATCH_MAX { jobs.next_waiting() } else { None };
        }
        true
    }

    /// How long the thread may sleep; none when nothing waits for its time.
    fn wait_max(&self) -> Option<Duration> {
        if self.memory.is_none() && self.waiting.is_empty() {
            return None;
        }
        let elapsed = self.tried.map_or(REMEMBER_US, |last| self.hooks.clock.now() - last);
        Some(Duration::from_micros((REMEMBER_US - elapsed).clamp(1_000, REMEMBER_US).unsigned_abs()))
    }

    /// One transaction for the whole batch, then the answers.
    fn commit(&mut self, batch: Vec<Write>, last: bool) {
        let mut moved = false;
        for write in batch {
            match write {
                Write::Remember(saved, boot_id) => moved |= self.remember(*saved, boot_id),
                Write::Own(change) if self.is_read_only => {
                    let problem = io_sentence(&ErrorKind::ReadOnlyFilesystem.into(), &self.path);
                    (self.hooks.answer)(Input::NotStored { change: change.id, problem });
                }
                other => {
                    self.since.extend(counts(&other).cloned());
                    self.waiting.push_back(other);
                }
            }
        }
        let now = self.hooks.clock.now();
        let due = last || moved || self.tried.is_none_or(|at| now - at >= REMEMBER_US);
        let memory = self.memory.take_if(|_| due);
        if memory.is_none() && self.waiting.is_empty() {
            return;
        }
        let result = self.write(memory.as_ref());
        if due || result.is_err() {
            self.tried = Some(now);
        }
        match result {
            Ok(()) => self.confirm(),
            Err(error) => {
                self.memory = memory.or(self.memory.take());
                self.refuse(&error);
            }
        }
    }

    /// Takes the newest state in; true when it is of another convoy than the one before.
    fn remember(&mut self, saved: Saved, boot_id: Option<String>) -> bool {
        let moved = saved.convoy != self.convoy;
        self.convoy.clone_from(&saved.convoy);
        let mut covered = self.memory.take().map(|memory| memory.covered).unwrap_or_default();
        covered.append(&mut self.since);
        self.memory = Some(Memory { parts: Parts::of(saved), boot_id, covered });
        moved
    }

    fn write(&mut self, memory: Option<&Memory>) -> rusqlite::Result<()> {
        let unix_s = (self.hooks.unix_s)();
        let transaction = self.db.transaction()?;
        let mut sequence = 0;
        for write in &self.waiting {
            match write {
                Write::Own(change) => {
                    changes::insert_own(&transaction, change, unix_s)?;
                    sequence = sequence.max(change.id.sequence);
                }
                Write::Record { change, verdict } => changes::record(&transaction, change, verdict, unix_s)?,
                Write::Settle { change, verdict } => changes::settle(&transaction, change, verdict)?,
                Write::Device(device) => state::set_device(&transaction, device)?,
                Write::Remember(..) => {}
            }
        }
        if sequence > 0 {
            state::raise_sequence(&transaction, sequence)?;
        }
        let mut playlist = self.playlist;
        if let Some(Memory { parts, boot_id, covered }) = memory {
            playlist = Some(state::remember(&transaction, parts, boot_id.as_deref(), playlist)?);
            changes::cover(&transaction, covered)?;
        }
        transaction.commit()?;
        self.playlist = playlist;
        Ok(())
    }

    /// All that waited is durable.
    fn confirm(&mut self) {
        self.writes += self.waiting.len();
        for write in std::mem::take(&mut self.waiting) {
            if let Write::Own(change) = write {
                (self.hooks.answer)(Input::Stored(change.id));
            }
        }
        if self.writes >= COMPACT_EVERY {
            self.writes = 0;
            self.compact();
        }
    }

    /// Nothing that waited is durable: tells the authors of changes so, and keeps the rest for later.
    fn refuse(&mut self, error: &rusqlite::Error) {
        let problem = sentence(error, &self.path);
        tracing::error!(problem, writes = self.waiting.len(), "not stored");
        for write in std::mem::take(&mut self.waiting) {
            match write {
                Write::Own(change) => {
                    (self.hooks.answer)(Input::NotStored { change: change.id, problem: problem.clone() });
                }
                other => self.waiting.push_back(other),
            }
        }
        while self.waiting.len() > WAITING_MAX {
            self.waiting.pop_front();
        }
    }

    /// Old history makes room now and then; when that fails it is tried again later.
    fn compact(&mut self) {
        match changes::compact(&self.db) {
            Ok(0) => {}
            Ok(forgotten) => tracing::debug!(forgotten, "old changes left the history"),
            Err(error) => tracing::warn!(problem = sentence(&error, &self.path), "the history was not shortened"),
        }
    }
}

/// The change that counts from this write on, if it says so of one.
fn counts(write: &Write) -> Option<&ChangeId> {
    match write {
        Write::Settle { change, verdict: Verdict::Applied | Verdict::Duplicate } => Some(change),
        Write::Record { change, verdict: Verdict::Applied } => Some(&change.id),
        _ => None,
    }
}

type Question = (u32, bool, oneshot::Sender<Result<Vec<HistoryEntry>, StoreError>>);
