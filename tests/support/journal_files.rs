//! A journal's files as a power cut leaves them.

use std::path::Path;

/// The journal as a power cut would leave it now.
pub(crate) fn copied(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in ["jamz.db", "jamz.db-wal"] {
        std::fs::copy(dir.join(file), copy.path().join(file)).unwrap();
    }
    copy
}
