//! The library's index in SQLite: which file holds which track, and what was wrong with the others.

use super::Found;
use crate::core::id::TrackId;
use crate::core::request::{LibraryProblem, LibraryTrack};
use crate::store::probe::{Probed, Problem};
use crate::store::{StoreError, database};
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};
use std::fmt::Write;
use std::path::Path;

/// `present` is whether the last scan saw the file: what has vanished keeps its row, for a music stick that is plugged
/// in again.
/// `attempts` counts readings that never ended, because the program did.
const SCHEMA: database::Schema = database::Schema {
    file: "library.db",
    durable: false,
    migrations: &[&["
        CREATE TABLE tracks (
            id TEXT PRIMARY KEY,
            title TEXT NOT NULL,
            artist TEXT NOT NULL,
            album TEXT NOT NULL,
            duration_us INTEGER NOT NULL,
            gain_db REAL,
            damage TEXT
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE files (
            row INTEGER PRIMARY KEY,
            path TEXT NOT NULL UNIQUE,
            bytes INTEGER NOT NULL,
            modified_ns INTEGER NOT NULL,
            track TEXT REFERENCES tracks (id),
            problem TEXT,
            present INTEGER NOT NULL,
            attempts INTEGER NOT NULL,
            words TEXT NOT NULL
        ) STRICT;
        CREATE INDEX files_track ON files (track);
    "]],
};

/// Rows of vanished files that are kept.
const VANISHED_MAX: i64 = 50_000;
/// Words of a search that count.
const WORDS_MAX: usize = 16;
/// So many hex digits may be the beginning of an id.
const ID_PREFIX_MIN: usize = 8;
/// Problems that are listed.
const PROBLEMS_MAX: u32 = 10_000;
const COLUMNS: &str = "tracks.id, title, artist, album, duration_us, min(path), gain_db";

/// A file as it lay on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    pub bytes: i64,
    pub modified_ns: i64,
}

/// A file that the index knows.
pub(super) struct Known {
    pub row: i64,
    pub stamp: Stamp,
    pub attempts: u32,
}

pub(super) struct Index {
    db: Connection,
    /// What is wrong with the folders themselves, by the last scan.
    pub folder_problems: Vec<LibraryProblem>,
}

impl Index {
    pub(super) fn open(dir: &Path) -> Result<Self, StoreError> {
        let database::Opened { connection, path, .. } = database::open(dir, &SCHEMA)?;
        connection
            .execute_batch("CREATE TEMP TABLE seen (row INTEGER PRIMARY KEY) STRICT")
            .map_err(|problem| StoreError::Database { path, problem })?;
        Ok(Self { db: connection, folder_problems: Vec::new() })
    }

    pub(super) fn get(&self, id: &TrackId) -> rusqlite::Result<Option<Found>> {
        let sql =
            format!("SELECT {COLUMNS} FROM files JOIN tracks ON track = id WHERE present AND id = ?1 GROUP BY id");
        self.db.prepare_cached(&sql)?.query_row([id.as_str()], found).optional()
    }

    pub(super) fn search(&self, text: &str, limit: u32) -> rusqlite::Result<Vec<LibraryTrack>> {
        let text = text.to_lowercase();
        let is_id = text.len() >= ID_PREFIX_MIN && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let mut values: Vec<String> = text.split_whitespace().take(WORDS_MAX).map(str::to_owned).collect();
        let mut wanted = String::new();
        for n in 1..=values.len() {
            let _ = write!(wanted, " AND instr(words, ?{n}) > 0");
        }
        if is_id {
            // 'g' comes after all hex digits.
            wanted = " AND (instr(words, ?1) > 0 OR (track >= ?1 AND track < ?1 || 'g'))".into();
        }
        values.push(limit.to_string());
        let sql = format!(
            "SELECT {COLUMNS} FROM files JOIN tracks ON track = id WHERE present{wanted}
             GROUP BY id ORDER BY artist, album, min(path) LIMIT CAST(?{} AS INTEGER)",
            values.len()
        );
        let mut statement = self.db.prepare_cached(&sql)?;
        statement.query_map(params_from_iter(values), |row| found(row).map(|found| found.track))?.collect()
    }

    pub(super) fn problems(&self) -> rusqlite::Result<Vec<LibraryProblem>> {
        let mut statement = self.db.prepare_cached(
            "SELECT path, problem FROM files WHERE present AND problem IS NOT NULL ORDER BY path LIMIT ?1",
        )?;
        let of_files = statement
            .query_map([PROBLEMS_MAX], |row| Ok(LibraryProblem { path: row.get(0)?, problem: row.get(1)? }))?;
        self.folder_problems.iter().cloned().map(Ok).chain(of_files).collect()
    }

    /// Tracks and problems, by number.
    pub(super) fn counts(&self) -> rusqlite::Result<(u64, u64)> {
        let (tracks, problems): (i64, i64) = self
            .db
            .prepare_cached("SELECT count(DISTINCT track), count(problem) FROM files WHERE present")?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok((tracks.unsigned_abs(), problems.unsigned_abs() + self.folder_problems.len() as u64))
    }

    pub(super) fn known(&self, path: &str) -> rusqlite::Result<Option<Known>> {
        self.db
            .prepare_cached("SELECT row, bytes, modified_ns, attempts FROM files WHERE path = ?1")?
            .query_row([path], |row| {
                let stamp = Stamp { bytes: row.get(1)?, modified_ns: row.get(2)? };
                Ok(Known { row: row.get(0)?, stamp, attempts: row.get(3)? })
            })
            .optional()
    }

    /// A scan begins, and has seen nothing.
    pub(super) fn begin_scan(&self) -> rusqlite::Result<()> {
        self.db.execute_batch("DELETE FROM temp.seen")
    }

    pub(super) fn see(&self, row: i64) -> rusqlite::Result<()> {
        self.db.prepare_cached("INSERT OR IGNORE INTO temp.seen VALUES (?1)")?.execute([row])?;
        Ok(())
    }

    /// Notes that a file is about to be read, in case the program does not survive it.
    pub(super) fn begin_reading(&self, path: &str) -> rusqlite::Result<()> {
        self.db
            .prepare_cached(
                "INSERT INTO files (path, bytes, modified_ns, present, attempts, words) VALUES (?1, -1, 0, 0, 1, '')
                 ON CONFLICT (path) DO UPDATE SET attempts = attempts + 1",
            )?
            .execute([path])?;
        Ok(())
    }

    /// The reading ended, without a result that is worth keeping.
    pub(super) fn forget_reading(&self, path: &str) -> rusqlite::Result<()> {
        self.db.prepare_cached("UPDATE files SET attempts = 0 WHERE path = ?1")?.execute([path])?;
        Ok(())
    }

    /// What is known of a track whose file was read before, wherever it was.
    pub(super) fn track(&self, id: &TrackId) -> rusqlite::Result<Option<Probed>> {
        self.db
            .prepare_cached("SELECT title, artist, album, duration_us, gain_db, damage FROM tracks WHERE id = ?1")?
            .query_row([id.as_str()], |row| {
                Ok(Probed {
                    title: row.get(0)?,
                    artist: row.get(1)?,
                    album: row.get(2)?,
                    duration_us: row.get(3)?,
                    gain_db: row.get(4)?,
                    damage: row.get(5)?,
                })
            })
            .optional()
    }

    /// Keeps what came of reading a file. `place` is its path within the music folder, which is searched, too.
    pub(super) fn put(
        &mut self,
        path: &str,
        place: &str,
        stamp: &Stamp,
        result: &Result<(TrackId, Probed), Problem>,
    ) -> rusqlite::Result<()> {
        let transaction = self.db.transaction()?;
        let (track, problem, words) = match result {
            Ok((id, probed)) => {
                put_track(&transaction, id, probed)?;
                let words = [&probed.title, &probed.artist, &probed.album, place].join("\n").to_lowercase();
                (Some(id.as_str()), probed.damage.as_ref().map(|damage| format!("damaged: {damage}")), words)
            }
            Err(problem) => (None, Some(problem.to_string()), String::new()),
        };
        let row: i64 = transaction
            .prepare_cached(
                "INSERT INTO files (path, bytes, modified_ns, track, problem, present, attempts, words)
                 VALUES (?1, ?2, ?3, ?4, ?5, 1, 0, ?6)
                 ON CONFLICT (path) DO UPDATE SET bytes = excluded.bytes, modified_ns = excluded.modified_ns,
                    track = excluded.track, problem = excluded.problem, present = 1, attempts = 0,
                    words = excluded.words
                 RETURNING row",
            )?
            .query_row(params![path, stamp.bytes, stamp.modified_ns, track, problem, words], |row| row.get(0))?;
        transaction.commit()?;
        self.see(row)
    }

    /// The scan saw all there is: the rest has vanished, what is seen again is back.
    pub(super) fn end_scan(&mut self) -> rusqlite::Result<()> {
        let transaction = self.db.transaction()?;
        transaction.execute("UPDATE files SET present = 0 WHERE present AND row NOT IN temp.seen", [])?;
        transaction.execute("UPDATE files SET present = 1 WHERE NOT present AND row IN temp.seen", [])?;
        transaction.execute(
            "DELETE FROM files WHERE NOT present AND row NOT IN
                (SELECT row FROM files WHERE NOT present ORDER BY row DESC LIMIT ?1)",
            [VANISHED_MAX],
        )?;
        transaction
            .execute("DELETE FROM tracks WHERE id NOT IN (SELECT track FROM files WHERE track IS NOT NULL)", [])?;
        transaction.commit()
    }
}

fn put_track(db: &Connection, id: &TrackId, probed: &Probed) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO tracks VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?.execute(params![
        id.as_str(),
        probed.title,
        probed.artist,
        probed.album,
        probed.duration_us,
        probed.gain_db,
        probed.damage,
    ])?;
    Ok(())
}

/// A track without a title goes by its file's name.
fn found(row: &Row<'_>) -> rusqlite::Result<Found> {
    let id: String = row.get(0)?;
    let id = TrackId::new(id).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let path: String = row.get(5)?;
    let mut title: String = row.get(1)?;
    if title.is_empty() {
        title = Path::new(&path).file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    }
    let track = LibraryTrack { id, title, artist: row.get(2)?, album: row.get(3)?, duration_us: row.get(4)?, path };
    Ok(Found { track, gain_db: row.get(6)? })
}
