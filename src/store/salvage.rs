//! A damaged journal: what it still gives is taken over into a fresh one.

use super::{changes, state};
use rusqlite::{Connection, OpenFlags};
use std::path::Path;

/// Takes over what the journal at `damaged` still gives: who this is, and what no authority has yet.
pub(super) fn take_over(damaged: &Path, db: &Connection, unix_s: i64) -> rusqlite::Result<()> {
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
