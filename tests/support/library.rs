//! A library over a folder of a test, and the files to put there.

use jamz::core::status::LibraryStatus;
use jamz::host::MonotonicClock;
use jamz::store::library::{Library, LibraryConfig};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// The files that `tests/fixtures/library/make.sh` made: `good` or `hostile`.
pub(crate) fn fixtures(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/library").join(kind)
}

pub(crate) struct Running {
    pub(crate) library: Library,
    pub(crate) statuses: Receiver<LibraryStatus>,
}

/// Starts a library and waits until it has looked through its folders.
pub(crate) fn start(folders: &[PathBuf], state: &Path) -> Running {
    let (send, statuses) = channel();
    let config = LibraryConfig { folders: folders.to_vec(), rescan_minutes: 0 };
    let on_status = Box::new(move |status| drop(send.send(status)));
    let library = Library::start(&config, state, Arc::new(MonotonicClock), on_status).unwrap();
    let running = Running { library, statuses };
    running.settle();
    running
}

impl Running {
    /// Looks through the folders once more.
    pub(crate) fn rescan(&self) -> LibraryStatus {
        self.library.scan();
        self.settle()
    }

    /// Waits for the end of a scan.
    pub(crate) fn settle(&self) -> LibraryStatus {
        loop {
            let status = self.statuses.recv_timeout(Duration::from_mins(2)).expect("the scan does not end");
            if status.scanning.is_none() {
                return status;
            }
        }
    }
}
