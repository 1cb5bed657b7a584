//! What can go wrong, as D-Bus names it and as the daemon is told.

use crate::core::request::Refusal;

/// A failed call, as it crosses the bus: `com.trafficjamz.HeadUnit1.Error.<variant>`, with a sentence for a person.
#[derive(Debug, Clone, PartialEq, zbus::DBusError)]
#[zbus(prefix = "com.trafficjamz.HeadUnit1.Error")]
pub(crate) enum Error {
    /// Anything that the bus itself reports.
    #[zbus(error)]
    Bus(zbus::Error),
    /// The caller has no right to it.
    Denied(String),
    /// It makes no sense, now or ever; the text says what to do.
    Invalid(String),
    /// Something failed in the head unit.
    Failed(String),
    /// Too many calls at once; the same call may work in a moment.
    Busy(String),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Denied(text) => Self::Denied(text),
            Refusal::Invalid(text) => Self::Invalid(text),
            Refusal::Failed(text) => Self::Failed(text),
        }
    }
}

/// Why the API cannot be offered.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error("no D-Bus at {bus}: {problem}; start dbus-daemon, or name another bus with --bus")]
    Unreachable { bus: String, problem: String },
    #[error("{name} is taken on {bus}: another jamzd runs there; stop it, or use another bus with --bus")]
    NameTaken { bus: String, name: &'static str },
    #[error(
        "{bus} does not let this user own {name}: install config/com.trafficjamz.HeadUnit1.conf in \
         /usr/share/dbus-1/system.d/ and run as the user that it names"
    )]
    NotAllowed { bus: String, name: &'static str },
    #[error("D-Bus at {bus} failed: {problem}")]
    Bus { bus: String, problem: String },
}
