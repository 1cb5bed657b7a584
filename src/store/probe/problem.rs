//! Why a file cannot be used, in one sentence for its owner.

use super::guard::Watch;
use std::io;
use symphonia::core::errors::Error as SymphoniaError;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::store) enum Problem {
    #[error("not audio: {0}")]
    NotAudio(String),
    #[error("damaged: {0}")]
    Damaged(String),
    #[error("permission denied: let the daemon's user read it")]
    Denied,
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    #[error("unsupported: {0}")]
    Unsupported(String),
    #[error("reading it takes too long: it is skipped")]
    Hangs,
    /// It vanished or changed while it was read; the next scan sees it as it is then.
    #[error("it changed while it was read")]
    Changed,
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::PermissionDenied => Self::Denied,
            io::ErrorKind::NotFound => Self::Changed,
            io::ErrorKind::UnexpectedEof => Self::Damaged("it ends in the middle".into()),
            _ => Self::Unreadable(error.to_string()),
        }
    }
}

impl Problem {
    /// What an error on opening means: nothing is known of the file yet.
    pub(super) fn opening(error: SymphoniaError, watch: &Watch) -> Self {
        match error {
            _ if watch.exhausted() => Self::Damaged("it sends its reader in circles".into()),
            SymphoniaError::IoError(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Self::NotAudio("it ends before any sound begins".into())
            }
            SymphoniaError::IoError(error) => error.into(),
            SymphoniaError::Unsupported(_) => Self::NotAudio("no known format".into()),
            other => Self::Damaged(other.to_string()),
        }
    }
}
