//! The journal: one thread that makes changes and state durable, many at a time, and says so only when they are.

use super::error::{StoreError, sentence};
use super::queue::{Jobs, Queue, queue};
use super::state::{Fingerprint, Parts};
use super::{changes, database, state};
use crate::core::changes::{Change, ChangeId, Verdict};
use crate::core::clock::{MonoTime, Monotonic};
use crate::core::id::{ConvoyId, DeviceId};
use crate::core::io::{Input, Saved};
use crate::core::request::HistoryEntry;
use rusqlite::{Connection, OpenFlags};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
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

/// What an earlier run left.
#[derive(Debug, Default)]
pub struct Loaded {
    pub device: Option<DeviceId>,
    pub saved: Option<Saved>,
    /// Changes of anyone that count, newer than `saved`, in the order they came. Some of them `saved` may know.
    pub tail: Vec<Change>,
    /// The changes of late that count, of anyone, in the order they came: other members may lack them.
    pub recent: Vec<Change>,
    /// Own changes that no authority has acknowledged, in the order they were made. `saved` may or may not know them.
    pub pending: Vec<Change>,
    /// The last sequence number that an own change ever had; `saved` may be older.
    pub sequence: u64,
    /// The boot in which `saved.clock` was good.
    pub boot_id: Option<String>,
    /// Where a damaged database was moved, if one was found.
    pub set_aside: Option<PathBuf>,
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
    History { limit: u32, reply: oneshot::Sender<Result<Vec<HistoryEntry>, StoreError>> },
}

/// The journal on disk. Dropping it writes what waits, and then returns.
pub struct Store {
    queue: Option<Queue<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Store {
    /// Opens or begins the journal in `dir`.
    ///
    /// # Errors
    /// When the folder cannot be written, another process has the journal open, or a newer version wrote it. A damaged
    /// database is no error: it is moved aside, `Loaded::set_aside` says where, and what it still gives is taken over.
    pub fn open(dir: &Path, hooks: Hooks) -> Result<(Self, Loaded), StoreError> {
        let database::Opened { connection, path, set_aside } = database::open(dir, &SCHEMA)?;
        let failed = |problem| StoreError::Database { path: path.clone(), problem };
        if let Some(aside) = &set_aside {
            salvage(aside, &connection, (hooks.unix_s)()).map_err(failed)?;
        }
        let mut loaded = load(&connection).map_err(failed)?;
        loaded.set_aside = set_aside;
        let (queue, jobs) = queue(QUEUE_MAX);
        let convoy = loaded.saved.as_ref().and_then(|saved| saved.convoy.clone());
        let writer = Writer::new(connection, path.clone(), hooks, convoy);
        let thread = Builder::new()
            .name("journal".into())
            .spawn(move || writer.run(&jobs))
            .map_err(|problem| StoreError::Io { path, problem })?;
        Ok((Self { queue: Some(queue), thread: Some(thread) }, loaded))
    }

    /// Hands a write to the writer's thread; never blocks.
    ///
    /// # Errors
    /// The write itself, when too many wait: the disk does not keep up.
    pub fn send(&self, write: Write) -> Result<(), Write> {
        match self.post(Job::Write(write)) {
            Err(Job::Write(write)) => Err(write),
            _ => Ok(()),
        }
    }

    /// The newest changes, the newest first, those just sent included.
    ///
    /// # Errors
    /// When the disk does not give them.
    pub async fn history(&self, limit: u32) -> Result<Vec<HistoryEntry>, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.post(Job::History { limit, reply }).map_err(|_| StoreError::Busy)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    fn post(&self, job: Job) -> Result<(), Job> {
        match &self.queue {
            None => Err(job),
            Some(queue) => queue.post(job),
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

/// Takes over from a damaged journal what it still gives: who this is, and what no authority has yet.
fn salvage(damaged: &Path, db: &Connection, unix_s: i64) -> rusqlite::Result<()> {
    let Ok(old) = Connection::open_with_flags(damaged, OpenFlags::SQLITE_OPEN_READ_ONLY) else { return Ok(()) };
    let transaction = db.unchecked_transaction()?;
    if let Ok(Some(device)) = state::device(&old) {
        state::set_device(&transaction, &device)?;
    }
    let pending = changes::salvage(&old);
    for change in &pending {
        changes::insert_own(&transaction, change, unix_s)?;
    }
    let newest = pending.iter().map(|change| change.id.sequence).max();
    state::raise_sequence(&transaction, state::sequence(&old).unwrap_or(0).max(newest.unwrap_or(0)))?;
    tracing::warn!(changes = pending.len(), "what the damaged journal still gave was taken over");
    transaction.commit()
}

fn load(db: &Connection) -> rusqlite::Result<Loaded> {
    let mut saved = state::saved(db)?;
    let sequence = state::sequence(db)?.max(saved.as_ref().map_or(0, |saved| saved.sequence));
    if let Some(saved) = &mut saved {
        saved.sequence = sequence;
    }
    Ok(Loaded {
        device: state::device(db)?,
        saved,
        tail: changes::tail(db)?,
        recent: changes::recent(db)?,
        pending: changes::pending(db)?,
        sequence,
        boot_id: state::boot_id(db)?,
        set_aside: None,
    })
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
        Self { db, path, hooks, memory: None, playlist: None, convoy, since: Vec::new(), tried: None, waiting, writes }
    }

    fn run(mut self, jobs: &Jobs<Job>) {
        let mut open = true;
        while open {
            let mut batch = Vec::new();
            let mut questions = Vec::new();
            open = self.gather(jobs, &mut batch, &mut questions);
            self.commit(batch, !open);
            for (limit, reply) in questions {
                let history = changes::history(&self.db, limit);
                // Whoever asked may have gone.
                let _ =
                    reply.send(history.map_err(|problem| StoreError::Database { path: self.path.clone(), problem }));
            }
        }
    }

    /// Waits for the first job and takes all that are there; false when no more will come.
    fn gather(&self, jobs: &Jobs<Job>, batch: &mut Vec<Write>, questions: &mut Vec<Question>) -> bool {
        let mut job = match jobs.next(self.wait_max()) {
            Ok(job) => Some(job),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return false,
        };
        while let Some(taken) = job {
            match taken {
                Job::Write(write) => batch.push(write),
                Job::History { limit, reply } => questions.push((limit, reply)),
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
        state::raise_sequence(&transaction, sequence)?;
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

type Question = (u32, oneshot::Sender<Result<Vec<HistoryEntry>, StoreError>>);
