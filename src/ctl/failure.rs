//! Why a verb came to nothing: a sentence with what to do, and the exit status.

use crate::api::client::ClientError;

/// Statuses beyond 0 and 1, from sysexits.h where it has one.
pub(super) const USAGE: u8 = 2;
pub(super) const UNAVAILABLE: u8 = 69;
pub(super) const LOCAL_ONLY: u8 = 75;
pub(super) const DENIED: u8 = 77;

#[derive(Debug)]
pub(super) struct Failure {
    pub(super) exit: u8,
    pub(super) sentence: String,
}

impl Failure {
    pub(super) fn new(sentence: impl Into<String>) -> Self {
        Self { exit: 1, sentence: sentence.into() }
    }

    pub(super) fn usage(sentence: impl Into<String>) -> Self {
        Self { exit: USAGE, sentence: sentence.into() }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let sentence = match &error {
            ClientError::NoBus { .. } => format!("{error}; is dbus-daemon running, and --bus right?"),
            ClientError::Absent => {
                "no head unit runs on this bus; start it (`systemctl start jamzd`) or name its bus with --bus"
                    .to_owned()
            }
            ClientError::DeniedByBus => format!("{error}; ask to be added to the group jamz, and log in again"),
            _ => error.to_string(),
        };
        let exit = match error {
            ClientError::NoBus { .. } | ClientError::Absent => UNAVAILABLE,
            ClientError::Denied(_) | ClientError::DeniedByBus => DENIED,
            ClientError::Invalid(_) | ClientError::Failed(_) | ClientError::Busy(_) | ClientError::Protocol(_) => 1,
        };
        Self { exit, sentence }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(format!("the output cannot be written: {error}"))
    }
}
