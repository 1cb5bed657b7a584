//! SQLite files: how each is opened, checked, brought to its schema, and set aside when it is damaged.

use super::error::StoreError;
use super::read_only;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A database file and how it grows from version to version.
pub(super) struct Schema {
    pub file: &'static str,
    /// Whether a commit must survive a power cut (`synchronous=FULL`), or can be made again.
    pub durable: bool,
    /// The n-th brings version n to n + 1, by so many pieces of SQL.
    pub migrations: &'static [&'static [&'static str]],
}

/// An open database.
pub(super) struct Opened {
    pub connection: Connection,
    pub path: PathBuf,
    /// Where the damaged one before it went, if there was one.
    pub set_aside: Option<PathBuf>,
    /// The disk takes no writes: this is what was on it, in memory.
    pub is_read_only: bool,
}

/// How long to wait for another process that is just ending.
pub(super) const BUSY_MAX: Duration = Duration::from_secs(2);
/// Damaged files that are kept; with more, the disk itself needs a look.
const SET_ASIDE_MAX: u32 = 100;

/// Opens `schema.file` in `dir`, making both if need be. One process at a time has it open. A damaged file is moved
/// aside, never deleted, and a fresh one is begun. Of a disk that takes no writes a copy in memory is opened.
pub(super) fn open(dir: &Path, schema: &Schema) -> Result<Opened, StoreError> {
    let path = dir.join(schema.file);
    match make_private(dir, &path) {
        Ok(()) => {}
        Err(problem) if problem.kind() == ErrorKind::ReadOnlyFilesystem => {
            tracing::error!(file = %path.display(), "the disk is read-only: this is kept in memory alone");
            let connection = open_copy(&path, schema).map_err(|trouble| trouble.into_error(&path))?;
            return Ok(Opened { connection, path, set_aside: None, is_read_only: true });
        }
        Err(problem) => return Err(StoreError::Io { path, problem }),
    }
    match open_sound(&path, schema) {
        Ok(connection) => Ok(Opened { connection, path, set_aside: None, is_read_only: false }),
        Err(Trouble::Damaged(problem)) => {
            let aside = set_aside(&path)?;
            tracing::error!(file = %path.display(), aside = %aside.display(), problem, "a damaged database was set \
                aside");
            make_private(dir, &path).map_err(|problem| StoreError::Io { path: path.clone(), problem })?;
            let connection = open_sound(&path, schema).map_err(|trouble| trouble.into_error(&path))?;
            Ok(Opened { connection, path, set_aside: Some(aside), is_read_only: false })
        }
        Err(trouble) => Err(trouble.into_error(&path)),
    }
}

enum Trouble {
    Damaged(String),
    Newer { found: i64, known: i64 },
    Other(rusqlite::Error),
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged(error.to_string()),
            _ => Self::Other(error),
        }
    }
}

impl Trouble {
    fn into_error(self, path: &Path) -> StoreError {
        let path = path.to_owned();
        match self {
            Self::Damaged(problem) => {
                StoreError::Io { path, problem: std::io::Error::new(ErrorKind::InvalidData, problem) }
            }
            Self::Newer { found, known } => StoreError::Newer { path, found, known },
            Self::Other(problem) => StoreError::Database { path, problem },
        }
    }
}

/// Makes the folder and the file readable for their owner alone; SQLite gives its side files the mode of the main one.
fn make_private(dir: &Path, path: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    Ok(())
}

fn open_sound(path: &Path, schema: &Schema) -> Result<Connection, Trouble> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_MAX)?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", if schema.durable { "FULL" } else { "NORMAL" })?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", -1_024)?;
    connection.pragma_update(None, "journal_size_limit", 4 << 20)?;
    let verdict: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Err(Trouble::Damaged(verdict));
    }
    migrate(&mut connection, schema)?;
    Ok(connection)
}

fn open_copy(path: &Path, schema: &Schema) -> Result<Connection, Trouble> {
    let mut connection = read_only::open(path)?;
    migrate(&mut connection, schema)?;
    Ok(connection)
}

/// All steps at once, or none.
fn migrate(connection: &mut Connection, schema: &Schema) -> Result<(), Trouble> {
    let known = schema.migrations.len() as i64;
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let found: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > known {
        return Err(Trouble::Newer { found, known });
    }
    for sql in schema.migrations.iter().skip(usize::try_from(found).unwrap_or(0)).copied().flatten() {
        transaction.execute_batch(sql)?;
    }
    transaction.pragma_update(None, "user_version", known)?;
    Ok(transaction.commit()?)
}

/// Moves a damaged database and its side files to the first free name.
fn set_aside(path: &Path) -> Result<PathBuf, StoreError> {
    let renamed = |suffix: &str, n: u32| PathBuf::from(format!("{}.damaged-{n}{suffix}", path.display()));
    let failed = |problem| StoreError::Io { path: path.to_owned(), problem };
    let free = (1..=SET_ASIDE_MAX).find(|n| !renamed("", *n).exists());
    let n = free.ok_or_else(|| failed(std::io::Error::other("it was damaged too often: check the disk")))?;
    for suffix in ["-wal", "-shm", ""] {
        let from = PathBuf::from(format!("{}{suffix}", path.display()));
        match fs::rename(&from, renamed(suffix, n)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
    }
    Ok(renamed("", n))
}
