//! What a journal gives at a start.

use super::{changes, state};
use crate::core::changes::Change;
use crate::core::id::DeviceId;
use crate::core::io::Saved;
use rusqlite::Connection;
use std::path::PathBuf;

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

pub(super) fn load(db: &Connection) -> rusqlite::Result<Loaded> {
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
