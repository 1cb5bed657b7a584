//! Convoys in SQLite: their kept states and the changes recorded since, durable before anyone is told of them.

use super::limits::{CONVOY_KEPT_S, CONVOYS_KEPT_MAX};
use crate::core::authority::{Kept, Recorded};
use crate::core::id::ConvoyId;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use std::fs::{OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Why state could not be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    #[error("another jamz-server uses {0}; give each its own `state` directory")]
    InUse(PathBuf),
    #[error("{path} is damaged ({problem}); move it away to start anew, or restore a copy")]
    Damaged { path: PathBuf, problem: String },
    #[error("{0} was written by a newer jamz-server")]
    Newer(PathBuf),
    #[error("{}: {source}; check its owner and mode", path.display())]
    Private { path: PathBuf, source: std::io::Error },
    #[error("this server keeps {CONVOYS_KEPT_MAX} convoys and has no room for another")]
    Full,
    #[error("storage: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("storage: {0}")]
    Json(#[from] serde_json::Error),
}

/// Something to make durable.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Write {
    /// A decided change; numbers count up by one per convoy.
    Recorded { convoy: ConvoyId, number: i64, recorded: Box<Recorded> },
    /// A convoy's state as of all changes up to and including `through`; those up to `spent` may be forgotten.
    Kept { convoy: ConvoyId, through: i64, spent: i64, kept: Box<Kept> },
}

impl Write {
    #[must_use]
    pub fn convoy(&self) -> &ConvoyId {
        match self {
            Self::Recorded { convoy, .. } | Self::Kept { convoy, .. } => convoy,
        }
    }

    /// The change up to which the convoy is durable with this.
    #[must_use]
    pub fn through(&self) -> i64 {
        match self {
            Self::Recorded { number: through, .. } | Self::Kept { through, .. } => *through,
        }
    }
}

/// A convoy as it was kept.
#[derive(Debug)]
pub struct Stored {
    pub kept: Kept,
    /// The number of the last change that `kept` includes.
    pub through: i64,
    /// The changes recorded since, in order.
    pub recorded: Vec<Recorded>,
}

impl Stored {
    /// The number of the last change.
    #[must_use]
    pub fn last(&self) -> i64 {
        self.through + self.recorded.len() as i64
    }
}

/// The name of the state file.
pub const FILE: &str = "convoys.sqlite";

/// The state file.
pub struct Storage {
    sqlite: Connection,
}

const VERSION: i64 = 1;
const SCHEMA: &str = "
    CREATE TABLE convoy (
        id TEXT PRIMARY KEY,
        kept TEXT NOT NULL,
        through INTEGER NOT NULL,
        touched_unix_s INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE change (
        convoy TEXT NOT NULL,
        number INTEGER NOT NULL,
        recorded TEXT NOT NULL,
        PRIMARY KEY (convoy, number)
    ) STRICT, WITHOUT ROWID;
    PRAGMA user_version = 1;";

impl Storage {
    /// Opens or creates the state file in `directory`.
    ///
    /// # Errors
    /// [`StorageError`], which says what to do.
    pub fn open(directory: &Path) -> Result<Self, StorageError> {
        let path = directory.join(FILE);
        make_private(&path).map_err(|source| StorageError::Private { path: path.clone(), source })?;
        let sqlite = Connection::open(&path)?;
        Self::prepare(&sqlite).map_err(|error| match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
                StorageError::InUse(path.clone())
            }
            Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
                StorageError::Damaged { path: path.clone(), problem: error.to_string() }
            }
            _ => error.into(),
        })?;
        let health: String = sqlite.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if health != "ok" {
            return Err(StorageError::Damaged { path, problem: health });
        }
        match sqlite.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))? {
            0 => sqlite.execute_batch(SCHEMA)?,
            VERSION => {}
            _ => return Err(StorageError::Newer(path)),
        }
        Ok(Self { sqlite })
    }

    fn prepare(sqlite: &Connection) -> rusqlite::Result<()> {
        sqlite.busy_timeout(std::time::Duration::from_secs(2))?;
        sqlite.execute_batch(
            "PRAGMA locking_mode = EXCLUSIVE;
             PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             BEGIN EXCLUSIVE; COMMIT;",
        )
    }

    /// # Errors
    /// [`StorageError`] when it cannot be read.
    pub fn load(&self, convoy: &ConvoyId) -> Result<Option<Stored>, StorageError> {
        let row: Option<(String, i64)> = self
            .sqlite
            .prepare_cached("SELECT kept, through FROM convoy WHERE id = ?1")?
            .query_row([convoy.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((kept, through)) = row else { return Ok(None) };
        let recorded = self.since(convoy, through)?;
        Ok(Some(Stored { kept: serde_json::from_str(&kept)?, through, recorded }))
    }

    /// The changes after number `after`, in order.
    ///
    /// # Errors
    /// [`StorageError`] when they cannot be read.
    pub fn since(&self, convoy: &ConvoyId, after: i64) -> Result<Vec<Recorded>, StorageError> {
        let mut select = self
            .sqlite
            .prepare_cached("SELECT recorded FROM change WHERE convoy = ?1 AND number > ?2 ORDER BY number")?;
        let rows = select.query_map(params![convoy.as_str(), after], |row| row.get::<_, String>(0))?;
        rows.map(|row| Ok(serde_json::from_str(&row?)?)).collect()
    }

    /// Replaces all that is known of a convoy.
    ///
    /// # Errors
    /// [`StorageError`]: nothing was written.
    pub fn replace(&mut self, convoy: &ConvoyId, stored: &Stored, now_unix_s: i64) -> Result<(), StorageError> {
        let kept = Box::new(stored.kept.clone());
        let kept = Write::Kept { convoy: convoy.clone(), through: stored.through, spent: i64::MAX, kept };
        let numbered = (stored.through + 1..).zip(&stored.recorded);
        let changes = numbered.map(|(number, recorded)| Write::Recorded {
            convoy: convoy.clone(),
            number,
            recorded: Box::new(recorded.clone()),
        });
        let writes: Vec<Write> = std::iter::once(kept).chain(changes).collect();
        self.commit(&writes, now_unix_s)
    }

    /// Makes all of this durable, or none of it.
    ///
    /// # Errors
    /// [`StorageError`]: nothing was written.
    pub fn commit(&mut self, writes: &[Write], now_unix_s: i64) -> Result<(), StorageError> {
        let transaction = self.sqlite.transaction()?;
        for write in writes {
            match write {
                Write::Recorded { convoy, number, recorded } => {
                    transaction
                        .prepare_cached("INSERT INTO change (convoy, number, recorded) VALUES (?1, ?2, ?3)")?
                        .execute(params![convoy.as_str(), number, serde_json::to_string(recorded)?])?;
                }
                Write::Kept { convoy, through, spent, kept } => {
                    transaction
                        .prepare_cached(
                            "INSERT INTO convoy (id, kept, through, touched_unix_s) VALUES (?1, ?2, ?3, ?4)
                             ON CONFLICT (id) DO UPDATE SET kept = ?2, through = ?3, touched_unix_s = ?4",
                        )?
                        .execute(params![convoy.as_str(), serde_json::to_string(kept)?, through, now_unix_s])?;
                    transaction
                        .prepare_cached("DELETE FROM change WHERE convoy = ?1 AND number <= ?2")?
                        .execute(params![convoy.as_str(), spent])?;
                }
            }
        }
        transaction.commit()?;
        Ok(())
    }

    /// Makes sure that another convoy can be kept, if need be by letting go of one that nobody has joined for long.
    ///
    /// # Errors
    /// [`StorageError::Full`] when all are in use.
    pub fn make_room(&mut self, now_unix_s: i64) -> Result<(), StorageError> {
        let count: i64 = self.sqlite.query_row("SELECT count(*) FROM convoy", [], |row| row.get(0))?;
        if count < CONVOYS_KEPT_MAX {
            return Ok(());
        }
        let oldest: Option<String> = self
            .sqlite
            .query_row(
                "SELECT id FROM convoy WHERE touched_unix_s < ?1 ORDER BY touched_unix_s LIMIT 1",
                [now_unix_s - CONVOY_KEPT_S],
                |row| row.get(0),
            )
            .optional()?;
        let oldest = oldest.ok_or(StorageError::Full)?;
        let transaction = self.sqlite.transaction()?;
        transaction.execute("DELETE FROM change WHERE convoy = ?1", [&oldest])?;
        transaction.execute("DELETE FROM convoy WHERE id = ?1", [&oldest])?;
        transaction.commit()?;
        Ok(())
    }
}

/// Names and playlists are for the server alone; SQLite gives its side files the mode of the main one.
fn make_private(path: &Path) -> std::io::Result<()> {
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::authority::Authority;
    use crate::core::changes::{Action, Change, ChangeId, Hlc, Verdict};
    use crate::core::clock::{ConvoyTime, MonoTime};
    use crate::core::election::Term;
    use crate::core::id::DeviceId;

    fn recorded(sequence: u64) -> Recorded {
        let id = ChangeId { device: DeviceId::new("d").unwrap(), sequence };
        let hlc = Hlc { time_us: sequence as i64, count: 0 };
        let change = Change { id, hlc, term: Term(0), user: None, action: Action::TakeControl, signature: None };
        Recorded { change, verdict: Verdict::Applied, at: ConvoyTime(sequence as i64) }
    }

    fn write(number: u32) -> Write {
        let convoy = ConvoyId::new("Конвой 🚗").unwrap();
        Write::Recorded { convoy, number: number.into(), recorded: Box::new(recorded(number.into())) }
    }

    fn kept(through: i64) -> Write {
        let convoy = ConvoyId::new("Конвой 🚗").unwrap();
        let authority = Authority::new(convoy.clone(), None, Some("boot"), MonoTime(5));
        let kept = authority.kept(Some("boot"), MonoTime(5));
        Write::Kept { convoy, through, spent: through - 2_000, kept: Box::new(kept) }
    }

    #[test]
    fn what_was_committed_is_there_after_reopening_and_the_log_stays_bounded() {
        let directory = tempfile::tempdir().unwrap();
        let convoy = ConvoyId::new("Конвой 🚗").unwrap();
        let mut storage = Storage::open(directory.path()).unwrap();
        assert!(storage.load(&convoy).unwrap().is_none());
        storage.commit(&[kept(0), write(1), write(2)], 1).unwrap();
        drop(storage);
        let mut storage = Storage::open(directory.path()).unwrap();
        let stored = storage.load(&convoy).unwrap().unwrap();
        assert_eq!((stored.last(), stored.recorded), (2, vec![recorded(1), recorded(2)]));
        let many: Vec<Write> = (3..5_000).map(write).collect();
        storage.commit(&many, 2).unwrap();
        storage.commit(&[kept(4_999)], 3).unwrap();
        assert_eq!(storage.load(&convoy).unwrap().unwrap().recorded, vec![]);
        let left: i64 = storage.sqlite.query_row("SELECT count(*) FROM change", [], |row| row.get(0)).unwrap();
        assert_eq!(left, 2_000);
    }

    #[test]
    fn a_convoy_can_be_replaced_whole() {
        let directory = tempfile::tempdir().unwrap();
        let convoy = ConvoyId::new("Конвой 🚗").unwrap();
        let mut storage = Storage::open(directory.path()).unwrap();
        storage.commit(&[kept(0), write(1), write(2), write(9)], 1).unwrap();
        let mut stored = storage.load(&convoy).unwrap().unwrap();
        (stored.through, stored.recorded) = (5, vec![recorded(6)]);
        storage.replace(&convoy, &stored, 2).unwrap();
        let read = storage.load(&convoy).unwrap().unwrap();
        assert_eq!((read.last(), read.recorded), (6, vec![recorded(6)]));
        assert_eq!(storage.since(&convoy, 0).unwrap(), vec![recorded(6)]);
    }

    #[test]
    fn a_failed_commit_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let mut storage = Storage::open(directory.path()).unwrap();
        storage.commit(&[kept(0), write(1)], 1).unwrap();
        assert!(storage.commit(&[write(2), write(1)], 1).is_err());
        let stored = storage.load(&ConvoyId::new("Конвой 🚗").unwrap()).unwrap().unwrap();
        assert_eq!(stored.last(), 1);
    }

    #[test]
    fn the_database_is_its_owners_alone_whatever_the_directory_lets_through() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("convoys.sqlite");
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let mut storage = Storage::open(directory.path()).unwrap();
        storage.commit(&[kept(0), write(1)], 1).unwrap();
        for file in std::fs::read_dir(directory.path()).unwrap() {
            let file = file.unwrap();
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", file.path());
        }
    }

    #[test]
    fn a_second_server_or_a_damaged_file_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let first = Storage::open(directory.path()).unwrap();
        assert!(matches!(Storage::open(directory.path()), Err(StorageError::InUse(_))));
        drop(first);
        std::fs::write(
            directory.path().join("convoys.sqlite"),
            "this is no database, but long enough to be read as one",
        )
        .unwrap();
        assert!(matches!(Storage::open(directory.path()), Err(StorageError::Damaged { .. })));
    }
}
