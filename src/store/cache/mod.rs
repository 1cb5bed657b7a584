//! Tracks from elsewhere: fetched once, kept as long as there is room, found again by the names they were asked for.

mod fetch;
mod fetcher;
mod index;
mod kind;
mod part;
mod response;

pub(super) use fetcher::{Fetcher, Ports, ready};
pub(super) use index::{Index, Kept};

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How much room fetched tracks may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CacheConfig {
    /// Of all together; what was played longest ago makes room.
    pub size_mb_max: u64,
    /// Of one track; a larger one is not fetched.
    pub file_mb_max: u64,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self { size_mb_max: 4_096, file_mb_max: 512 }
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is 0, which leaves no room for any track; it must be at least 1")]
pub struct ConfigError(&'static str);

impl CacheConfig {
    /// # Errors
    /// [`ConfigError`] for a value that is out of its bounds.
    pub fn check(&self) -> Result<(), ConfigError> {
        match self {
            Self { size_mb_max: 0, .. } => Err(ConfigError("size_mb_max")),
            Self { file_mb_max: 0, .. } => Err(ConfigError("file_mb_max")),
            _ => Ok(()),
        }
    }

    fn size_bytes_max(&self) -> u64 {
        self.size_mb_max.saturating_mul(1_000_000)
    }

    fn file_bytes_max(&self) -> u64 {
        self.file_mb_max.saturating_mul(1_000_000)
    }
}

/// How long to wait for a server, and how often to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patience {
    pub connect: Duration,
    /// Between two pieces of an answer.
    pub read: Duration,
    /// Before the second try; each that follows takes twice as long, up to `retry_max`.
    pub retry: Duration,
    pub retry_max: Duration,
    /// Tries in a row without a byte after which a track counts as missing; it is tried on.
    pub tries: u32,
    /// Tries in a row without a byte after which it is not tried any more.
    pub tries_max: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            read: Duration::from_secs(15),
            retry: Duration::from_millis(500),
            retry_max: Duration::from_secs(30),
            tries: 3,
            tries_max: 60,
        }
    }
}
