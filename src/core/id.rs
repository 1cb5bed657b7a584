//! Names of things: devices, users, convoys, tracks, entries. Each is a bounded string of its own type.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a text is no identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    #[error("{what} must not be empty")]
    Empty { what: &'static str },
    #[error("{what} is {bytes} bytes long; at most {bytes_max} are allowed")]
    TooLong { what: &'static str, bytes: usize, bytes_max: usize },
    #[error("{what} must not contain control characters")]
    Control { what: &'static str },
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $bytes_max:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Longest accepted text, in bytes.
            pub const BYTES_MAX: usize = $bytes_max;

            /// # Errors
            /// [`IdError`] when the text is empty, too long or has control characters.
            pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
                let text = text.into();
                check(&text, $what, Self::BYTES_MAX)?;
                Ok(Self(text))
            }

            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// One head unit or phone. A car's is its public key in hex ([`crate::core::signature`]).
    DeviceId, "a device id", 64
);
id!(
    /// A person, as the server's accounts name them.
    UserId, "a user id", 128
);
id!(
    /// A convoy: the backend's `sessionId`.
    ConvoyId, "a convoy id", 128
);
id!(
    /// A track: the BLAKE3 hash of its audio file in hex, or the id that today's backend gave it.
    TrackId, "a track id", 512
);
id!(
    /// One place in the playlist; the same track may stand in several.
    EntryId, "an entry id", 600
);

/// A device's id as people are shown it: of a public key the first digits, which tell a convoy's cars apart; others
/// whole.
#[must_use]
pub fn short(device: &str) -> &str {
    let is_key = device.len() == 64 && device.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_key { device.get(..SHORT_DIGITS).unwrap_or(device) } else { device }
}

/// Digits that people are shown of a public key.
const SHORT_DIGITS: usize = 8;

/// A short name for a text that is too long to be one (FNV-1a, 64 bits).
#[must_use]
pub fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

fn check(text: &str, what: &'static str, bytes_max: usize) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty { what });
    }
    if text.len() > bytes_max {
        return Err(IdError::TooLong { what, bytes: text.len(), bytes_max });
    }
    if text.chars().any(char::is_control) {
        return Err(IdError::Control { what });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_shown_the_beginning_of_a_key_and_the_whole_of_any_other_name() {
        assert_eq!(short(&"0123456789abcdef".repeat(4)), "01234567");
        assert_eq!((short("phone:ann"), short(&"車".repeat(21))), ("phone:ann", "車".repeat(21).as_str()));
    }

    #[test]
    fn an_id_keeps_any_script_and_refuses_what_would_break_a_log_line() {
        assert_eq!(ConvoyId::new("Конвой 道路 🚗").map(|c| c.to_string()), Ok("Конвой 道路 🚗".into()));
        assert_eq!(DeviceId::new(""), Err(IdError::Empty { what: "a device id" }));
        assert!(matches!(UserId::new("a\nb"), Err(IdError::Control { .. })));
        assert!(matches!(DeviceId::new("x".repeat(65)), Err(IdError::TooLong { bytes: 65, bytes_max: 64, .. })));
        assert!(serde_json::from_str::<DeviceId>("\"\"").is_err());
    }

    #[test]
    fn a_fingerprint_is_fnv_1a_so_that_names_made_by_it_stay_the_same() {
        assert_eq!(fingerprint(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fingerprint("foobar"), 0x8594_4171_f739_67e8);
    }
}
