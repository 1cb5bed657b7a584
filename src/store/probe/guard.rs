//! The guard around a file's reader: a thread of its own that may be left behind, a bound on what it reads, and so on
//! what it keeps.

use super::Problem;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;
use symphonia::core::io::MediaSource;

/// How often a reader is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// One that has taken no byte for so many looks (20 s) hangs.
const LOOKS_MAX: u32 = 200;
/// Readers left behind; with more, the disk hangs rather than a file.
const LEFT_BEHIND_MAX: usize = 4;
/// Bytes read until a file is open, which is what is kept in memory: index and tags.
const OPENING_BYTES_MAX: u64 = 64 << 20;
/// Times that a file may be read over before it is called a circle, and a bit for small ones.
const READ_OVER_MAX: u64 = 4;
const READ_OVER_BYTES: u64 = 16 << 20;

static LEFT_BEHIND: AtomicUsize = AtomicUsize::new(0);

/// How far a reader has come, and whether it should stop.
#[derive(Debug, Default)]
pub(in crate::store) struct Watch {
    bytes: AtomicU64,
    bytes_max: AtomicU64,
    file_bytes: AtomicU64,
    exhausted: AtomicBool,
    stopped: AtomicBool,
}

impl Watch {
    /// Notes progress; an error when the reader has been left behind.
    pub(in crate::store) fn progress(&self, bytes: u64) -> io::Result<()> {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if self.stopped.load(Ordering::Relaxed) { Err(io::Error::other("given up")) } else { Ok(()) }
    }

    /// From here on samples are read, which are not kept.
    pub(super) fn opened(&self) {
        self.allow(
            self.file_bytes.load(Ordering::Relaxed).saturating_mul(READ_OVER_MAX).saturating_add(READ_OVER_BYTES),
        );
    }

    /// Whether the reader wanted more than the file can give.
    pub(super) fn exhausted(&self) -> bool {
        self.exhausted.load(Ordering::Relaxed)
    }

    fn allow(&self, more: u64) {
        self.bytes_max.store(self.bytes.load(Ordering::Relaxed).saturating_add(more), Ordering::Relaxed);
    }

    fn spend(&self, bytes: u64) -> io::Result<()> {
        if self.bytes.load(Ordering::Relaxed) >= self.bytes_max.load(Ordering::Relaxed) {
            self.exhausted.store(true, Ordering::Relaxed);
            return Err(io::Error::other("read over and over"));
        }
        self.progress(bytes)
    }
}

/// Runs `task` in a thread of its own; when it stops reading, or `stop` is set, it is left behind. A panic in it is a
/// problem of the file where panics unwind; where they end the program, the index has counted the attempt before.
pub(in crate::store) fn guarded<T: Send + 'static>(
    stop: &AtomicBool,
    task: impl FnOnce(&Arc<Watch>) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    guarded_for(LOOKS_MAX, stop, task)
}

fn guarded_for<T: Send + 'static>(
    looks_max: u32,
    stop: &AtomicBool,
    task: impl FnOnce(&Arc<Watch>) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    if LEFT_BEHIND.load(Ordering::Relaxed) >= LEFT_BEHIND_MAX {
        return Err(Problem::Unreadable("too many files hang: check the disk, and restart".into()));
    }
    let watch = Arc::new(Watch::default());
    let watched = Arc::clone(&watch);
    let (done, result) = sync_channel(1);
    // Set by whichever of the two ends first; the other one then knows.
    let over = Arc::new(AtomicBool::new(false));
    let was_over = Arc::clone(&over);
    let work = move || {
        // Nobody listens any more when it was left behind.
        let _ = done.send(task(&watched));
        if was_over.swap(true, Ordering::AcqRel) {
            LEFT_BEHIND.fetch_sub(1, Ordering::Relaxed);
        }
    };
    std::thread::Builder::new().name("probe".into()).spawn(work).map_err(Problem::from)?;
    let (mut bytes, mut looks) = (0, 0);
    loop {
        match result.recv_timeout(LOOK) {
            Ok(result) => return result,
            Err(RecvTimeoutError::Disconnected) => return Err(Problem::Damaged("its reader failed".into())),
            Err(RecvTimeoutError::Timeout) => {}
        }
        let now = watch.bytes.load(Ordering::Relaxed);
        looks = if now == bytes { looks + 1 } else { 0 };
        bytes = now;
        let stopped = stop.load(Ordering::Relaxed);
        if stopped || looks >= looks_max {
            LEFT_BEHIND.fetch_add(1, Ordering::Relaxed);
            if over.swap(true, Ordering::AcqRel) {
                LEFT_BEHIND.fetch_sub(1, Ordering::Relaxed);
            }
            watch.stopped.store(true, Ordering::Relaxed);
            return Err(if stopped { Problem::Changed } else { Problem::Hangs });
        }
    }
}

/// A file that counts what is read from it.
pub(super) struct Watched {
    file: File,
    length: u64,
    watch: Arc<Watch>,
}

impl Watched {
    pub(super) fn open(path: &Path, watch: &Arc<Watch>) -> Result<Self, Problem> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        watch.file_bytes.store(length, Ordering::Relaxed);
        watch.allow(OPENING_BYTES_MAX);
        Ok(Self { file, length, watch: Arc::clone(watch) })
    }
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.watch.spend(count as u64)?;
        Ok(count)
    }
}

impl Seek for Watched {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        // A seek costs, too, or a circle of seeks would never end.
        self.watch.spend(1)?;
        self.file.seek(to)
    }
}

impl MediaSource for Watched {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_reader_that_hangs_is_left_behind_and_ends_when_it_moves() {
        let (ended, end) = sync_channel(1);
        let result = guarded_for(2, &AtomicBool::new(false), move |watch| {
            while watch.progress(0).is_ok() {
                std::thread::sleep(Duration::from_millis(10));
            }
            ended.send(()).unwrap();
            Ok(())
        });
        assert_eq!(result, Err(Problem::Hangs));
        end.recv_timeout(Duration::from_secs(30)).expect("the reader was not told to stop");
    }

    #[test]
    fn a_reader_that_reads_on_has_all_the_time_it_needs_and_a_panic_is_but_a_problem() {
        let never = AtomicBool::new(false);
        let slow = guarded_for(2, &never, |watch| {
            for _ in 0..50 {
                watch.progress(1)?;
                std::thread::sleep(Duration::from_millis(10));
            }
            Ok(7)
        });
        assert_eq!(slow, Ok(7));
        let panics = guarded::<()>(&never, |_| panic!("as a demuxer may"));
        assert!(matches!(panics, Err(Problem::Damaged(_))));
    }

    #[test]
    fn a_reader_that_goes_in_circles_comes_to_an_end() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&[0; 1_000]).unwrap();
        let watch = Arc::new(Watch::default());
        let mut watched = Watched::open(file.path(), &watch).unwrap();
        watch.opened();
        let circles = (0..1_000_000).find(|_| {
            let mut buffer = [0; 1_000];
            watched.seek(SeekFrom::Start(0)).and_then(|_| watched.read(&mut buffer)).is_err()
        });
        assert!(watch.exhausted() && circles.is_some_and(|circles| (4..100_000).contains(&circles)));
    }
}
