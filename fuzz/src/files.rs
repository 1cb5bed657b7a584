//! Files that people give to a car: its configuration, and music.

use jamz::audio::decode::{Control, Decoder};
use jamz::core::io::Source;
use jamz::daemon::config;
use jamz::host::MonotonicClock;
use std::fs;
use std::sync::Arc;
use tempfile::{NamedTempFile, TempPath};

/// More sound than this comes out of no file that a fuzzer makes, unless it is endless.
const FRAMES_MAX: usize = 48_000 * 600;

/// A target, and what it is called.
type Target = (&'static str, fn(&[u8]));

pub(crate) const ALL: [Target; 2] = [("config", config), ("decode", decode)];

thread_local! {
    static FILE: TempPath = NamedTempFile::new().unwrap().into_temp_path();
}

/// What is wrong is said in words that name the file.
fn config(bytes: &[u8]) {
    FILE.with(|file| {
        fs::write(file, bytes).unwrap();
        if let Err(error) = config::load(Some(file)) {
            assert!(error.to_string().contains(&*file.to_string_lossy()), "{error}");
        }
    });
}

/// Whatever the file says of itself: it is opened, or refused; it ends, and after each seek it ends again.
fn decode(bytes: &[u8]) {
    FILE.with(|file| {
        fs::write(file, bytes).unwrap();
        let source = Source { path: file.to_string_lossy().into_owned(), growing: None };
        let clock: Arc<dyn jamz::core::clock::Monotonic> = Arc::new(MonotonicClock);
        let Ok(mut decoder) = Decoder::open(&source, &Arc::new(Control::default()), &clock) else { return };
        assert!(decoder.rate_hz() > 0);
        for from in [None, Some(0), Some(1_000), Some(u64::MAX)] {
            if from.is_some_and(|frame| decoder.seek(frame).is_err()) {
                continue;
            }
            let mut frames = Vec::new();
            while let Ok(Some(_)) = decoder.next(&mut frames) {
                assert!(frames.len() < FRAMES_MAX, "{} bytes of file give sound without end", bytes.len());
            }
        }
    });
}
