//! What is in the cache, under which names, and what has to go when room is needed.

use crate::core::id::TrackId;
use crate::core::playlist::Track;
use crate::store::probe::Probed;
use crate::store::{StoreError, database};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// `used` counts up: the file with the lowest was asked for longest ago.
const SCHEMA: database::Schema = database::Schema {
    file: "cache.db",
    durable: false,
    migrations: &[&["
        CREATE TABLE files (
            hash TEXT PRIMARY KEY,
            file TEXT NOT NULL,
            bytes INTEGER NOT NULL,
            duration_us INTEGER NOT NULL,
            gain_db REAL,
            used INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE names (
            name TEXT PRIMARY KEY,
            hash TEXT NOT NULL REFERENCES files (hash) ON DELETE CASCADE
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX names_hash ON names (hash);
        CREATE TABLE parts (
            url TEXT PRIMARY KEY,
            file TEXT NOT NULL,
            validator TEXT,
            bytes_total INTEGER,
            used INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
    "]],
};

/// A track that is in the cache.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::store) struct Kept {
    pub hash: String,
    pub path: PathBuf,
    pub duration_us: i64,
    pub gain_db: Option<f32>,
}

/// A file that is half here, as an earlier run left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Begun {
    pub path: PathBuf,
    /// What the server calls this version of the file.
    pub validator: Option<String>,
    pub bytes_total: Option<u64>,
}

pub(in crate::store) struct Index {
    db: Connection,
    dir: PathBuf,
}

impl Index {
    /// Opens the cache in `dir`, and tidies up what no longer fits together. A damaged index costs the cache's content.
    pub(in crate::store) fn open(dir: &Path) -> Result<Self, StoreError> {
        let database::Opened { connection, path, .. } = database::open(dir, &SCHEMA)?;
        let index = Self { db: connection, dir: dir.to_owned() };
        let tidied = index.db.pragma_update(None, "foreign_keys", true).and_then(|()| index.tidy());
        tidied.map_err(|problem| StoreError::Database { path, problem })?;
        Ok(index)
    }

    /// The file of a track, by its hash or by what it was asked for as.
    pub(in crate::store) fn get(&self, track: &Track) -> rusqlite::Result<Option<Kept>> {
        let [id, url] = names(track);
        let found = self
            .db
            .prepare_cached(
                "SELECT files.hash, file, duration_us, gain_db FROM files LEFT JOIN names ON names.hash = files.hash
                 WHERE files.hash = ?1 OR name = ?2 OR name = ?3 LIMIT 1",
            )?
            .query_row(params![track.id.as_str(), id, url], |row| {
                let path = self.dir.join(row.get::<_, String>(1)?);
                Ok(Kept { hash: row.get(0)?, path, duration_us: row.get(2)?, gain_db: row.get(3)? })
            })
            .optional()?;
        match found {
            Some(kept) if kept.path.is_file() => {
                self.db
                    .prepare_cached("UPDATE files SET used = ?2 WHERE hash = ?1")?
                    .execute(params![kept.hash, self.next_use()?])?;
                self.name(track, &kept.hash)?;
                Ok(Some(kept))
            }
            Some(kept) => self.forget(&kept.hash).map(|()| None),
            None => Ok(None),
        }
    }

    /// Takes in a file that is complete: from now on it has its final name.
    pub(super) fn keep(
        &self,
        track: &Track,
        hash: &TrackId,
        part: &Path,
        extension: &str,
        probed: &Probed,
    ) -> Result<Kept, StoreError> {
        let file = format!("{hash}.{extension}");
        let path = self.dir.join(&file);
        let moved = fs::rename(part, &path).and_then(|()| fs::metadata(&path));
        let bytes = moved.map_err(|problem| StoreError::Io { path: path.clone(), problem })?.len();
        let kept = || -> rusqlite::Result<()> {
            self.db.execute(
                "INSERT INTO files VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (hash) DO UPDATE SET
                    file = excluded.file, bytes = excluded.bytes, used = excluded.used",
                params![hash.as_str(), file, bytes.cast_signed(), probed.duration_us, probed.gain_db, self.next_use()?],
            )?;
            self.name(track, hash.as_str())?;
            self.db.execute("DELETE FROM parts WHERE url = ?1", [track.url.as_deref().unwrap_or_default()])?;
            Ok(())
        };
        kept().map_err(|problem| StoreError::Database { path: self.dir.join(SCHEMA.file), problem })?;
        Ok(Kept { hash: hash.to_string(), path, duration_us: probed.duration_us, gain_db: probed.gain_db })
    }

    /// Where this address is fetched to, and what of it is there.
    pub(super) fn begun(&self, url: &str) -> rusqlite::Result<Begun> {
        let file = format!("{}.part", blake3::hash(url.as_bytes()).to_hex());
        self.db.execute("INSERT OR IGNORE INTO parts VALUES (?1, ?2, NULL, NULL, 0)", [url, &file])?;
        self.db.execute("UPDATE parts SET used = ?2 WHERE url = ?1", params![url, self.next_use()?])?;
        self.db.query_row("SELECT file, validator, bytes_total FROM parts WHERE url = ?1", [url], |row| {
            let bytes_total: Option<i64> = row.get(2)?;
            Ok(Begun {
                path: self.dir.join(row.get::<_, String>(0)?),
                validator: row.get(1)?,
                bytes_total: bytes_total.map(i64::unsigned_abs),
            })
        })
    }

    /// Notes which version of the file is being fetched, so that another run can go on with it.
    pub(super) fn note(&self, url: &str, validator: Option<&str>, bytes_total: Option<u64>) -> rusqlite::Result<()> {
        self.db
            .prepare_cached("UPDATE parts SET validator = ?2, bytes_total = ?3 WHERE url = ?1")?
            .execute(params![url, validator, bytes_total.map(u64::cast_signed)])?;
        Ok(())
    }

    /// Forgets a file that was being fetched, and deletes what is there of it.
    pub(super) fn abandon(&self, url: &str) -> rusqlite::Result<()> {
        let file: Option<String> =
            self.db.query_row("DELETE FROM parts WHERE url = ?1 RETURNING file", [url], |row| row.get(0)).optional()?;
        if let Some(file) = file {
            remove(&self.dir.join(file));
        }
        Ok(())
    }

    /// Makes room until all files together take at most `bytes_max`: what was begun longest ago goes first, then what
    /// was used longest ago. What is in `spared`, by hash or by address, stays. Gives the bytes that are left.
    pub(super) fn evict(&self, bytes_max: u64, spared: &BTreeSet<String>) -> rusqlite::Result<u64> {
        let mut bytes = 0;
        let mut candidates = Vec::new();
        let mut parts = self.db.prepare_cached("SELECT url, file FROM parts ORDER BY used")?;
        for part in parts.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))? {
            let (url, file) = part?;
            let length = fs::metadata(self.dir.join(file)).map_or(0, |metadata| metadata.len());
            bytes += length;
            candidates.push((true, url, length));
        }
        let mut files = self.db.prepare_cached("SELECT hash, bytes FROM files ORDER BY used")?;
        for file in files.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))? {
            let (hash, length) = file?;
            bytes += length.unsigned_abs();
            candidates.push((false, hash, length.unsigned_abs()));
        }
        for (is_part, name, length) in candidates {
            if bytes <= bytes_max {
                break;
            }
            if !spared.contains(&name) {
                if is_part {
                    self.abandon(&name)?;
                } else {
                    self.forget(&name)?;
                }
                bytes -= length;
            }
        }
        Ok(bytes)
    }

    fn forget(&self, hash: &str) -> rusqlite::Result<()> {
        let file: Option<String> = self
            .db
            .query_row("DELETE FROM files WHERE hash = ?1 RETURNING file", [hash], |row| row.get(0))
            .optional()?;
        if let Some(file) = file {
            remove(&self.dir.join(file));
        }
        Ok(())
    }

    fn name(&self, track: &Track, hash: &str) -> rusqlite::Result<()> {
        for name in names(track).iter().flatten() {
            self.db.prepare_cached("INSERT OR REPLACE INTO names VALUES (?1, ?2)")?.execute([name, hash])?;
        }
        Ok(())
    }

    fn next_use(&self) -> rusqlite::Result<i64> {
        self.db
            .prepare_cached(
                "SELECT max(ifnull((SELECT max(used) FROM files), 0), ifnull((SELECT max(used) FROM parts), 0)) + 1",
            )?
            .query_row([], |row| row.get(0))
    }

    /// Rows without a file go, and files of ours without a row.
    fn tidy(&self) -> rusqlite::Result<()> {
        let mut known = BTreeSet::new();
        let mut rows = self.db.prepare("SELECT file, hash FROM files")?;
        for row in rows.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))? {
            let (file, hash) = row?;
            if self.dir.join(&file).is_file() {
                known.insert(file);
            } else {
                self.forget(&hash)?;
            }
        }
        let mut parts = self.db.prepare("SELECT file FROM parts")?;
        for file in parts.query_map([], |row| row.get::<_, String>(0))? {
            known.insert(file?);
        }
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if is_ours(&name) && !known.contains(&name) {
                remove(&entry.path());
            }
        }
        Ok(())
    }
}

/// What a track is asked for as: by its id, and by its address.
fn names(track: &Track) -> [Option<String>; 2] {
    [Some(format!("id:{}", track.id)), track.url.as_ref().map(|url| format!("url:{url}"))]
}

/// 64 hexadecimal digits and an extension: nobody else names a file so.
fn is_ours(name: &str) -> bool {
    name.split_once('.').is_some_and(|(hash, _)| hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!(%error, file = %path.display(), "a cached file was not removed");
        }
        _ => {}
    }
}
