//! A file as the demuxers read it, also while it is still being fetched: then a read waits for the bytes to come.

use crate::core::clock::{MonoTime, Monotonic};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use symphonia::core::io::MediaSource;

/// A file that has not grown for so long is given up.
const STALL_MAX_US: i64 = 10_000_000;
/// Opening a complete file takes longer only when something is wrong with it or with its disk.
const OPEN_MAX_US: i64 = 10_000_000;
/// How often a growing file is looked at.
const POLL: Duration = Duration::from_millis(50);

/// What the owner of a voice tells its reader.
#[derive(Debug, Default)]
pub struct Control {
    /// Nobody listens any more: give up at once.
    pub cancelled: AtomicBool,
    /// The file has all its bytes.
    pub complete: AtomicBool,
    /// The file has been understood; from then on its reader may take its time.
    pub opened: AtomicBool,
}

/// A local file, complete or growing.
pub(super) struct TrackFile {
    file: File,
    position: u64,
    /// The final length, where it is known.
    bytes_total: Option<u64>,
    control: Arc<Control>,
    clock: Arc<dyn Monotonic>,
    /// A complete file that is not understood by then is given up.
    deadline: MonoTime,
}

impl TrackFile {
    /// # Errors
    /// When the file cannot be opened, or is no regular file.
    pub(super) fn open(
        path: &str,
        bytes_total: Option<u64>,
        control: Arc<Control>,
        clock: Arc<dyn Monotonic>,
    ) -> io::Result<Self> {
        let file = File::open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "this is no regular file"));
        }
        let deadline = clock.now() + OPEN_MAX_US;
        Ok(Self { file, position: 0, bytes_total, control, clock, deadline })
    }

    fn complete(&self) -> bool {
        self.control.complete.load(Ordering::Acquire)
    }

    fn check(&self) -> io::Result<()> {
        if self.control.cancelled.load(Ordering::Acquire) {
            // Not `Interrupted`: readers would try again.
            return Err(io::Error::other("nobody listens any more"));
        }
        if !self.control.opened.load(Ordering::Acquire) && self.complete() && self.clock.now() > self.deadline {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "opening took too long"));
        }
        Ok(())
    }

    /// Whether the end that was met is the real one.
    fn at_end(&self) -> bool {
        self.complete() || self.bytes_total.is_some_and(|total| self.position >= total)
    }
}

impl Read for TrackFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut length_seen = 0;
        let mut grew_at = self.clock.now();
        loop {
            self.check()?;
            // Whether the end is the real one is asked before the read, or the last bytes could be missed.
            let at_end = self.at_end();
            let read = self.file.read(buffer)?;
            self.position += read as u64;
            if read > 0 || at_end || buffer.is_empty() {
                return Ok(read);
            }
            let length = self.file.metadata()?.len();
            let now = self.clock.now();
            if length > length_seen {
                length_seen = length;
                grew_at = now;
            } else if now - grew_at > STALL_MAX_US {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the file stopped growing before its end"));
            }
            std::thread::sleep(POLL);
        }
    }
}

impl Seek for TrackFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.check()?;
        let to = match (to, self.bytes_total) {
            (SeekFrom::End(offset), Some(total)) if !self.complete() => {
                SeekFrom::Start(total.saturating_add_signed(offset))
            }
            (to, _) => to,
        };
        self.position = self.file.seek(to)?;
        Ok(self.position)
    }
}

impl MediaSource for TrackFile {
    fn is_seekable(&self) -> bool {
        true
    }

    /// None while the file grows: demuxers would look for trailing tags and wait for the very last byte.
    fn byte_len(&self) -> Option<u64> {
        if self.complete() { self.file.metadata().ok().map(|m| m.len()) } else { None }
    }
}
