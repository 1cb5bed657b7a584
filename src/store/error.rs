//! What can go wrong on a disk, said so that a person knows what to do.

use rusqlite::ErrorCode;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Why something could not be kept or found.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file or folder cannot be made, opened or moved.
    #[error("{}", io_sentence(.problem, .path))]
    Io { path: PathBuf, problem: std::io::Error },
    /// SQLite says no.
    #[error("{}", sentence(.problem, .path))]
    Database { path: PathBuf, problem: rusqlite::Error },
    /// The file was written by a later version of this program.
    #[error("{} was written by a newer version ({found}, this one knows {known}): install that version, or move the \
        file away", .path.display())]
    Newer { path: PathBuf, found: i64, known: i64 },
    /// Too much waits to be written; the disk is slow or fails.
    #[error("the disk does not keep up: try again")]
    Busy,
    /// The thread that writes has ended.
    #[error("the store is closed")]
    Closed,
}

/// What SQLite's error means for a person.
pub(super) fn sentence(error: &rusqlite::Error, path: &Path) -> String {
    let folder = path.parent().unwrap_or(path).display();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => format!("the disk is full: free some space on {folder}"),
        Some(ErrorCode::ReadOnly) => format!("{folder} is read-only: make it writable"),
        Some(ErrorCode::SystemIoFailure) => format!("the disk does not take it ({error}): check {folder}"),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            format!("{} is in use by another process: stop that one", path.display())
        }
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            format!("{} cannot be opened: check its owner and mode", path.display())
        }
        _ => format!("{}: {error}", path.display()),
    }
}

/// What a file error means for a person.
pub(super) fn io_sentence(error: &std::io::Error, path: &Path) -> String {
    let folder = path.parent().unwrap_or(path).display();
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => format!("the disk is full: free some space on {folder}"),
        ErrorKind::ReadOnlyFilesystem => format!("{folder} is read-only: make it writable"),
        ErrorKind::PermissionDenied => format!("{}: permission denied: check its owner and mode", path.display()),
        _ => format!("{}: {error}", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_said_so_with_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("jamz.db");
        let db = rusqlite::Connection::open(&path).unwrap();
        db.execute_batch("PRAGMA max_page_count = 2; CREATE TABLE t (x)").unwrap();
        let error = db.execute("INSERT INTO t VALUES (zeroblob(100000))", []).unwrap_err();
        let text = StoreError::Database { path, problem: error }.to_string();
        assert_eq!(text, format!("the disk is full: free some space on {}", dir.path().display()));
        let full = std::io::Error::from(ErrorKind::StorageFull);
        assert!(io_sentence(&full, Path::new("/data/x")).contains("free some space on /data"));
    }
}
