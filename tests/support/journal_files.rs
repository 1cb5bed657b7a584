//! A journal's files as bad luck leaves them.

use std::path::Path;

/// The journal as a power cut would leave it now.
pub(crate) fn copied(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in ["jamz.db", "jamz.db-wal"] {
        std::fs::copy(dir.join(file), copy.path().join(file)).unwrap();
    }
    copy
}

/// The file with rubbish in its middle, as a worn SD card leaves it.
pub(crate) fn overwritten(file: &Path) -> Vec<u8> {
    let mut bytes = std::fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8_192].fill(0xA5);
    bytes
}
