//! A disk that takes no writes, as a worn SD card becomes: what is on it is read into memory, and the music goes on.

use super::database::BUSY_MAX;
use rusqlite::backup::Backup;
use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Of a database, copied at a time.
const PAGES: i32 = 4_096;

/// The database at `path` as it was last committed, in memory; an empty one where there is none. What is written into
/// it ends with the process.
pub(super) fn open(path: &Path) -> rusqlite::Result<Connection> {
    let mut memory = Connection::open_in_memory()?;
    if path.exists() {
        // SQLite reads the log that a power cut left behind only where it may write beside it.
        let copy = Copy::make(path).map_err(|error| cannot_open(path, &error))?;
        let disk = Connection::open_with_flags(&copy.file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        disk.busy_timeout(BUSY_MAX)?;
        Backup::new(&disk, &mut memory)?.run_to_completion(PAGES, Duration::ZERO, None)?;
    }
    Ok(memory)
}

fn cannot_open(path: &Path, error: &io::Error) -> rusqlite::Error {
    let code = ffi::Error { code: ErrorCode::CannotOpen, extended_code: ffi::SQLITE_CANTOPEN };
    rusqlite::Error::SqliteFailure(code, Some(format!("{} cannot be copied into memory: {error}", path.display())))
}

/// A database and its log, where files live in memory; gone when dropped.
struct Copy {
    folder: PathBuf,
    file: PathBuf,
}

impl Copy {
    fn make(path: &Path) -> io::Result<Self> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
        let mut last = io::Error::from(io::ErrorKind::ReadOnlyFilesystem);
        for place in places() {
            let folder = place.join(format!("jamz-copy-{}-{name}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&folder) {
                Ok(()) => {
                    let copy = Self { file: folder.join(&*name), folder };
                    fs::copy(path, &copy.file)?;
                    let log = format!("{}-wal", path.display());
                    if Path::new(&log).exists() {
                        fs::copy(log, format!("{}-wal", copy.file.display()))?;
                    }
                    return Ok(copy);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            tracing::warn!(%error, folder = %self.folder.display(), "a copy in memory was not removed");
        }
    }
}

/// Where a disk that is read-only does not matter, the best first.
fn places() -> impl Iterator<Item = PathBuf> {
    let named = ["RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"].into_iter().filter_map(std::env::var_os).map(PathBuf::from);
    named.chain(["/dev/shm".into(), std::env::temp_dir()])
}
