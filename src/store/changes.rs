//! The change log: what this device did, until and after an authority had it, and what others did, for the history.

use crate::core::changes::{Action, CHANGES_KEPT_MAX, Change, ChangeId, Verdict};
use crate::core::id::EntryId;
use crate::core::request::HistoryEntry;
use rusqlite::{Connection, OptionalExtension, Row, params};

/// Settled changes that are kept, the newest; unsettled ones are kept whatever their number. At a start the core is
/// handed all of them that count.
pub(super) const HISTORY_MAX: i64 = CHANGES_KEPT_MAX as i64;

/// Version 1. `entry` names the playlist entry, so that a removal can be shown with its title.
pub(super) const TABLE: &str = "
    CREATE TABLE changes (
        row INTEGER PRIMARY KEY,
        device TEXT NOT NULL,
        sequence INTEGER NOT NULL,
        own INTEGER NOT NULL,
        state TEXT NOT NULL,
        reason TEXT,
        action TEXT NOT NULL,
        entry TEXT,
        subject TEXT,
        recorded_unix_s INTEGER NOT NULL,
        body TEXT NOT NULL,
        UNIQUE (device, sequence)
    ) STRICT;
    CREATE INDEX changes_pending ON changes (row) WHERE own AND state = 'pending';
    CREATE INDEX changes_added ON changes (entry) WHERE action = 'add';
";

/// Version 2: whether the state that is kept includes the change, when it counts. Of older ones that is taken for
/// granted, as the version before wrote its state at its end.
pub(super) const KEPT: &str = "
    ALTER TABLE changes ADD COLUMN kept INTEGER NOT NULL DEFAULT 1;
    CREATE INDEX changes_tail ON changes (row) WHERE NOT kept AND state = 'applied';
";

const PENDING: &str = "pending";

/// Takes in a change of this device that no authority has yet. A second time, nothing happens.
pub(super) fn insert_own(db: &Connection, change: &Change, unix_s: i64) -> rusqlite::Result<()> {
    insert(db, change, true, PENDING, None, unix_s)?;
    Ok(())
}

/// Takes in what an authority made of a change, whoever made it.
pub(super) fn record(db: &Connection, change: &Change, verdict: &Verdict, unix_s: i64) -> rusqlite::Result<()> {
    if let Some((state, reason)) = told(verdict)
        && !insert(db, change, false, state, reason, unix_s)?
    {
        settle(db, &change.id, verdict)?;
    }
    Ok(())
}

/// Writes down what became of a change that is in the log.
pub(super) fn settle(db: &Connection, id: &ChangeId, verdict: &Verdict) -> rusqlite::Result<()> {
    let place = params![id.device.as_str(), id.sequence.cast_signed()];
    if let Some((state, reason)) = told(verdict) {
        db.prepare_cached("UPDATE changes SET state = ?3, reason = ?4 WHERE device = ?1 AND sequence = ?2")?
            .execute(params![id.device.as_str(), id.sequence.cast_signed(), state, reason])?;
    } else {
        // The authority had it before: it counts, unless more is known.
        db.prepare_cached(
            "UPDATE changes SET state = 'applied' WHERE device = ?1 AND sequence = ?2 AND state = 'pending'",
        )?
        .execute(place)?;
    }
    Ok(())
}

/// Notes that the state which is kept includes these changes.
pub(super) fn cover(db: &Connection, ids: &[ChangeId]) -> rusqlite::Result<()> {
    let mut statement = db.prepare_cached("UPDATE changes SET kept = 1 WHERE device = ?1 AND sequence = ?2")?;
    for id in ids {
        statement.execute(params![id.device.as_str(), id.sequence.cast_signed()])?;
    }
    Ok(())
}

/// This device's changes that no authority has acknowledged, in the order they were made.
pub(super) fn pending(db: &Connection) -> rusqlite::Result<Vec<Change>> {
    bodies(db, "SELECT body FROM changes WHERE own AND state = 'pending' ORDER BY row")
}

/// Changes of anyone that count and that the kept state may lack, in the order they came.
pub(super) fn tail(db: &Connection) -> rusqlite::Result<Vec<Change>> {
    bodies(db, "SELECT body FROM changes WHERE NOT kept AND state = 'applied' ORDER BY row")
}

/// The changes of late that count, in the order they came.
pub(super) fn recent(db: &Connection) -> rusqlite::Result<Vec<Change>> {
    let newest = format!("SELECT row, body FROM changes WHERE state = 'applied' ORDER BY row DESC LIMIT {HISTORY_MAX}");
    bodies(db, &format!("SELECT body FROM ({newest}) ORDER BY row"))
}

fn bodies(db: &Connection, sql: &str) -> rusqlite::Result<Vec<Change>> {
    let mut statement = db.prepare(sql)?;
    let bodies = statement.query_map([], |row| row.get::<_, String>(0))?;
    let mut changes = Vec::new();
    for body in bodies {
        match serde_json::from_str(&body?) {
            Ok(change) => changes.push(change),
            Err(error) => tracing::error!(%error, "a kept change cannot be read and stays in the log"),
        }
    }
    Ok(changes)
}

/// As many of the unacknowledged changes as a damaged log still gives.
pub(super) fn salvage(db: &Connection) -> Vec<Change> {
    let Ok(mut statement) =
        db.prepare("SELECT body FROM changes NOT INDEXED WHERE own AND state = 'pending' ORDER BY row")
    else {
        return Vec::new();
    };
    let bodies = statement.query_map([], |row| row.get::<_, String>(0));
    let bodies = bodies.into_iter().flatten().map_while(Result::ok);
    bodies.filter_map(|body| serde_json::from_str(&body).ok()).collect()
}

/// The newest changes, the newest first.
pub(super) fn history(db: &Connection, limit: u32, pending: bool) -> rusqlite::Result<Vec<HistoryEntry>> {
    let rows = if pending { "WHERE own AND state = 'pending' ORDER BY row" } else { "ORDER BY row DESC" };
    db.prepare_cached(&format!("SELECT state, reason, subject, recorded_unix_s, body FROM changes {rows} LIMIT ?1"))?
        .query_map([limit], |row| Ok(entry(row)?.ok()))?
        .filter_map(Result::transpose)
        .collect()
}

/// Forgets the oldest settled changes beyond [`HISTORY_MAX`], but for those that only the log has.
pub(super) fn compact(db: &Connection) -> rusqlite::Result<usize> {
    db.prepare_cached(
        "DELETE FROM changes WHERE row <= (SELECT max(row) FROM changes) - ?1
            AND NOT (own AND state = 'pending') AND NOT (NOT kept AND state = 'applied')",
    )?
    .execute([HISTORY_MAX])
}

/// State and reason as the history shows them; none when the verdict says nothing new.
fn told(verdict: &Verdict) -> Option<(&'static str, Option<&str>)> {
    match verdict {
        Verdict::Applied => Some(("applied", None)),
        Verdict::Duplicate => None,
        Verdict::Superseded { reason } => Some(("superseded", Some(reason))),
        Verdict::Refused { reason } => Some(("refused", Some(reason))),
    }
}

/// False when the change was in the log.
fn insert(
    db: &Connection,
    change: &Change,
    own: bool,
    state: &str,
    reason: Option<&str>,
    unix_s: i64,
) -> rusqlite::Result<bool> {
    let body = serde_json::to_string(change).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let inserted = db
        .prepare_cached(
            "INSERT INTO changes
                (device, sequence, own, state, reason, action, entry, subject, recorded_unix_s, body, kept)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            change.id.device.as_str(),
            change.id.sequence.cast_signed(),
            own,
            state,
            reason,
            change.action.name(),
            entry_of(&change.action).map(EntryId::as_str),
            subject(db, &change.action)?,
            unix_s,
            body,
        ])?;
    Ok(inserted > 0)
}

fn entry_of(action: &Action) -> Option<&EntryId> {
    match action {
        Action::Add { entry, .. } | Action::Remove { entry } | Action::Move { entry, .. } => Some(entry),
        _ => action.anchor().and_then(|anchor| anchor.entry.as_ref()),
    }
}

/// The title that the entry was added with; else whatever names the track.
fn subject(db: &Connection, action: &Action) -> rusqlite::Result<Option<String>> {
    if let Action::Add { track, .. } = action {
        return Ok(Some(if track.title.is_empty() { track.id.to_string() } else { track.title.clone() }));
    }
    let Some(entry) = entry_of(action) else {
        return Ok(action.anchor().and_then(|anchor| anchor.track.as_ref()).map(ToString::to_string));
    };
    let added = db
        .prepare_cached("SELECT subject FROM changes WHERE entry = ?1 AND action = 'add' LIMIT 1")?
        .query_row([entry.as_str()], |row| row.get(0))
        .optional()?;
    let track = action.anchor().and_then(|anchor| anchor.track.as_ref());
    Ok(added.or_else(|| track.map(ToString::to_string)).or_else(|| Some(entry.to_string())))
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Result<HistoryEntry, serde_json::Error>> {
    let body: String = row.get(4)?;
    let (state, reason, subject, recorded_unix_s) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
    Ok(serde_json::from_str::<Change>(&body).map(|change| HistoryEntry {
        id: change.id.to_string(),
        device: change.id.device.to_string(),
        user: change.user.as_ref().map(ToString::to_string),
        action: change.action.name().to_owned(),
        subject,
        convoy_time_us: change.hlc.time_us,
        recorded_unix_s,
        state,
        reason,
    }))
}
