//! Why a call came to nothing, sorted by what its caller can do about it.

use crate::api::bus;
use crate::api::error::Error;
use zbus::fdo;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    #[error("no D-Bus at {bus}: {problem}")]
    NoBus { bus: String, problem: String },
    #[error("no head unit runs on this bus")]
    Absent,
    /// The head unit says that this may not be done by this car now.
    #[error("{0}")]
    Denied(String),
    /// The bus's policy does not let the caller through.
    #[error("this user may not control the head unit")]
    DeniedByBus,
    #[error("{0}")]
    Invalid(String),
    #[error("{0}")]
    Failed(String),
    /// The same call may work in a moment.
    #[error("{0}")]
    Busy(String),
    /// The other side is no head unit of this version.
    #[error("the head unit answered in an unknown way: {0}; it may be of another version")]
    Protocol(String),
}

impl From<Error> for ClientError {
    fn from(error: Error) -> Self {
        match error {
            Error::Denied(text) => Self::Denied(text),
            Error::Invalid(text) => Self::Invalid(text),
            Error::Failed(text) => Self::Failed(text),
            Error::Busy(text) => Self::Busy(text),
            Error::Bus(error) => of_bus(error),
        }
    }
}

fn of_bus(error: zbus::Error) -> ClientError {
    match error {
        error if bus::is_unreachable(&error) => ClientError::Absent,
        zbus::Error::FDO(fdo) => match *fdo {
            fdo::Error::ServiceUnknown(_) | fdo::Error::NameHasNoOwner(_) | fdo::Error::NoReply(_) => {
                ClientError::Absent
            }
            fdo::Error::AccessDenied(_) => ClientError::DeniedByBus,
            fdo::Error::LimitsExceeded(text) => ClientError::Busy(text),
            fdo::Error::InvalidArgs(text) => ClientError::Invalid(text),
            other => ClientError::Protocol(other.to_string()),
        },
        other => ClientError::Protocol(other.to_string()),
    }
}
