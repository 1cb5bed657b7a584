//! The head unit's own D-Bus interfaces, one per file.

pub(super) mod convoy;
pub(super) mod diagnostics;
pub(super) mod library;
pub(super) mod player;
pub(super) mod queue;
pub(super) mod row;

use super::error::Error;
use crate::core::id::IdError;

/// An interface, and which of its properties change too often to be signalled.
pub(super) trait Quiet: zbus::object_server::Interface {
    /// Properties with `EmitsChangedSignal` false.
    const QUIET: &'static [&'static str];
}

impl From<IdError> for Error {
    fn from(error: IdError) -> Self {
        Self::Invalid(error.to_string())
    }
}

/// Refuses a text that is longer than anything sensible, before anything looks at it.
fn bounded(what: &str, text: &str, bytes_max: usize) -> Result<(), Error> {
    if text.len() > bytes_max {
        let bytes = text.len();
        return Err(Error::Invalid(format!("{what} is {bytes} bytes long; at most {bytes_max} are allowed")));
    }
    Ok(())
}
