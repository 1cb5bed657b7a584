//! Single facts that survive a restart: who this device is, how far its own count went, and the core's last state.

use crate::core::id::DeviceId;
use crate::core::io::Saved;
use rusqlite::{Connection, OptionalExtension, params};

pub(super) const TABLE: &str = "CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;";

const DEVICE: &str = "device";
const SAVED: &str = "saved";
const BOOT_ID: &str = "boot_id";
const SEQUENCE: &str = "sequence";

/// Notes who this device is. Another than before begins its own count.
pub(super) fn set_device(db: &Connection, device: &DeviceId) -> rusqlite::Result<()> {
    if self::device(db)?.is_some_and(|before| before != *device) {
        set(db, SEQUENCE, "0")?;
    }
    set(db, DEVICE, device.as_str())
}

pub(super) fn device(db: &Connection) -> rusqlite::Result<Option<DeviceId>> {
    Ok(get(db, DEVICE)?.and_then(|text| DeviceId::new(text).ok()))
}

/// Keeps the core's state, and in which boot its clock was good.
pub(super) fn remember(db: &Connection, saved: &Saved, boot_id: Option<&str>) -> rusqlite::Result<()> {
    let text = serde_json::to_string(saved).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    set(db, SAVED, &text)?;
    set(db, BOOT_ID, boot_id.unwrap_or_default())
}

pub(super) fn saved(db: &Connection) -> rusqlite::Result<Option<Saved>> {
    let parsed = get(db, SAVED)?.map(|text| serde_json::from_str(&text));
    Ok(parsed.transpose().unwrap_or_else(|error| {
        tracing::error!(%error, "the kept state cannot be read; beginning anew");
        None
    }))
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
