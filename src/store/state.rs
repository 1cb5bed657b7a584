//! Single facts that survive a restart: who this device is, how far its own count went, and the core's last state.

use crate::core::id::DeviceId;
use crate::core::io::Saved;
use crate::core::playlist::Playlist;
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use std::hash::{DefaultHasher, Hash, Hasher};

pub(super) const TABLE: &str = "CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;";

/// Version 3: the playlist by itself. A state that cannot be read stays as it is, for the reader to say so.
pub(super) const APART: &str = r#"
    INSERT INTO state
        SELECT 'playlist', json_extract(value, '$.snapshot.playlist') FROM state
        WHERE key = 'saved' AND CASE WHEN json_valid(value) THEN json_type(value, '$.snapshot.playlist') = 'object' END;
    UPDATE state SET value = json_replace(value, '$.snapshot.playlist', json('{"slots":{}}'))
        WHERE key = 'saved' AND json_valid(value);
"#;

const DEVICE: &str = "device";
/// The core's state but for the playlist, which is long and seldom changes.
const SAVED: &str = "saved";
const PLAYLIST: &str = "playlist";
const BOOT_ID: &str = "boot_id";
const SEQUENCE: &str = "sequence";

pub(super) fn set_device(db: &Connection, device: &DeviceId) -> rusqlite::Result<()> {
    set(db, DEVICE, device.as_str())
}

pub(super) fn device(db: &Connection) -> rusqlite::Result<Option<DeviceId>> {
    Ok(get(db, DEVICE)?.and_then(|text| DeviceId::new(text).ok()))
}

/// The core's state in the two parts that are written apart.
pub(super) struct Parts {
    saved: Saved,
    playlist: Playlist,
}

/// Which playlist is on disk; equal ones have equal fingerprints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fingerprint(u64);

impl Parts {
    pub(super) fn of(mut saved: Saved) -> Self {
        let playlist = std::mem::take(&mut saved.snapshot.playlist);
        Self { saved, playlist }
    }
}

/// Keeps the core's state, and in which boot its clock was good. The playlist is written when it is another than the
/// one `on_disk`; returns which is there then.
pub(super) fn remember(
    db: &Connection,
    parts: &Parts,
    boot_id: Option<&str>,
    on_disk: Option<Fingerprint>,
) -> rusqlite::Result<Fingerprint> {
    set(db, SAVED, &text(&parts.saved)?)?;
    set(db, BOOT_ID, boot_id.unwrap_or_default())?;
    let playlist = text(&parts.playlist)?;
    let mut hasher = DefaultHasher::new();
    playlist.hash(&mut hasher);
    let fingerprint = Fingerprint(hasher.finish());
    if on_disk != Some(fingerprint) {
        set(db, PLAYLIST, &playlist)?;
    }
    Ok(fingerprint)
}

fn text(part: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(part).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

pub(super) fn saved(db: &Connection) -> rusqlite::Result<Option<Saved>> {
    let Some(saved) = get(db, SAVED)? else { return Ok(None) };
    let playlist = get(db, PLAYLIST)?;
    let unreadable =
        |error: &serde_json::Error| tracing::error!(%error, "the kept state cannot be read; beginning anew");
    Ok(joined(&saved, playlist.as_deref()).inspect_err(unreadable).ok())
}

fn joined(saved: &str, playlist: Option<&str>) -> Result<Saved, serde_json::Error> {
    let mut saved: Saved = serde_json::from_str(saved)?;
    if let Some(playlist) = playlist {
        saved.snapshot.playlist = serde_json::from_str(playlist)?;
    }
    Ok(saved)
}

pub(super) fn boot_id(db: &Connection) -> rusqlite::Result<Option<String>> {
    Ok(get(db, BOOT_ID)?.filter(|text| !text.is_empty()))
}

/// Notes that an own change had this number, so that it is never used again, even when the change is long forgotten.
pub(super) fn raise_sequence(db: &Connection, sequence: u64) -> rusqlite::Result<()> {
    if sequence > self::sequence(db)? { set(db, SEQUENCE, &sequence.to_string()) } else { Ok(()) }
}

pub(super) fn sequence(db: &Connection) -> rusqlite::Result<u64> {
    Ok(get(db, SEQUENCE)?.and_then(|text| text.parse().ok()).unwrap_or(0))
}

fn set(db: &Connection, key: &str, value: &str) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT INTO state VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value")?
        .execute(params![key, value])?;
    Ok(())
}

fn get(db: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    db.prepare_cached("SELECT value FROM state WHERE key = ?1")?.query_row([key], |row| row.get(0)).optional()
}
