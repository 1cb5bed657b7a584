//! Library, cache and all between them over a folder of a test, and the news that comes of it.

use jamz::core::clock::Monotonic;
use jamz::core::id::TrackId;
use jamz::core::io::{Input, TrackEvent};
use jamz::core::playlist::Track;
use jamz::host::MonotonicClock;
use jamz::store::cache::{CacheConfig, Patience};
use jamz::store::library::LibraryConfig;
use jamz::store::tracks::{Tracks, TracksConfig};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// A sound file of so many bytes.
pub(crate) fn wav(bytes: usize) -> Vec<u8> {
    let data = (bytes - 44) as u32;
    let mut file = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data".to_vec();
    file.extend(data.to_le_bytes());
    file[4..8].copy_from_slice(&(data + 36).to_le_bytes());
    file.extend((0..data).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8));
    file
}

pub(crate) fn length_us(bytes: usize) -> i64 {
    (bytes as i64 - 44) / 2 * 1_000_000 / 8_000
}

pub(crate) fn track(id: &str, url: Option<String>) -> Track {
    Track {
        id: TrackId::new(id).unwrap(),
        title: String::new(),
        artist: String::new(),
        album: String::new(),
        duration_us: None,
        url,
        extra: serde_json::Map::new(),
    }
}

pub(crate) struct Rig {
    pub(crate) tracks: Tracks,
    events: mpsc::Receiver<Input>,
    config: TracksConfig,
    _dir: Arc<tempfile::TempDir>,
}

pub(crate) fn patience() -> Patience {
    let ms = Duration::from_millis;
    Patience { connect: ms(2_000), read: ms(1_500), retry: ms(20), retry_max: ms(200), tries: 3, tries_max: 8 }
}

pub(crate) fn rig(cache: CacheConfig) -> Rig {
    rig_in(Arc::new(tempfile::tempdir().unwrap()), cache, patience())
}

pub(crate) fn rig_in(dir: Arc<tempfile::TempDir>, cache: CacheConfig, patience: Patience) -> Rig {
    rig_with(dir, cache, patience, Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/library/good"))
}

pub(crate) fn rig_with(dir: Arc<tempfile::TempDir>, cache: CacheConfig, patience: Patience, music: PathBuf) -> Rig {
    let config = TracksConfig {
        library: LibraryConfig { folders: vec![music], rescan_minutes: 0 },
        cache,
        patience,
        state_dir: dir.path().join("state"),
        cache_dir: dir.path().join("cache"),
        culprits: Vec::new(),
    };
    let (send, events) = mpsc::channel(64);
    let clock: Arc<dyn Monotonic> = Arc::new(MonotonicClock);
    let tracks = Tracks::start(&config, &clock, send).unwrap();
    Rig { tracks, events, config, _dir: dir }
}

impl Rig {
    pub(crate) async fn input(&mut self) -> Input {
        tokio::time::timeout(Duration::from_mins(1), self.events.recv()).await.expect("no answer comes").unwrap()
    }

    /// The next news of a track.
    pub(crate) async fn event(&mut self) -> TrackEvent {
        loop {
            if let Input::Track(event) = self.input().await {
                return event;
            }
        }
    }

    pub(crate) async fn resolve(&mut self, id: &str, url: &str) -> TrackEvent {
        self.tracks.resolve(track(id, Some(url.to_owned()))).unwrap();
        self.event().await
    }

    /// Waits for the whole file, and gives its bytes and its length.
    pub(crate) async fn whole(&mut self, id: &str, url: &str) -> (Vec<u8>, i64) {
        let mut event = self.resolve(id, url).await;
        loop {
            match event {
                TrackEvent::Ready { source, duration_us, .. } if source.growing.is_none() => {
                    return (std::fs::read(source.path).unwrap(), duration_us.unwrap());
                }
                TrackEvent::Ready { .. } => event = self.event().await,
                TrackEvent::Missing { problem, .. } => panic!("{problem}"),
            }
        }
    }

    /// Waits for the news that it cannot be had.
    pub(crate) async fn problem(&mut self, id: &str, url: &str) -> String {
        let mut event = self.resolve(id, url).await;
        loop {
            match event {
                TrackEvent::Missing { problem, .. } => return problem,
                TrackEvent::Ready { source, .. } if source.growing.is_some() => event = self.event().await,
                TrackEvent::Ready { .. } => panic!("it was fetched"),
            }
        }
    }

    pub(crate) fn cached(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(&self.config.cache_dir).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| !path.to_string_lossy().contains("cache.db")).collect()
    }
}

/// The tasks of the rig before it let go of its files a moment after it was dropped.
pub(crate) async fn reopened(dir: Arc<tempfile::TempDir>) -> Rig {
    tokio::time::sleep(Duration::from_millis(500)).await;
    rig_in(dir, CacheConfig::default(), patience())
}
