//! Names of things: devices, users, convoys, tracks, entries. Each is a bounded string of its own type, shared by all
//! who name the same thing: names are copied, and compared, with every message.

use serde::{Deserialize, Serialize, Serializer};
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

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
        #[derive(Clone, PartialEq, Eq, Hash, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Longest accepted text, in bytes.
            pub const BYTES_MAX: usize = $bytes_max;

            /// # Errors
            /// [`IdError`] when the text is empty, too long or has control characters.
            pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
                let text = text.into();
                check(&text, $what, Self::BYTES_MAX)?;
                Ok(Self(text.into()))
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
                id.0.as_ref().to_owned()
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                if Arc::ptr_eq(&self.0, &other.0) { Ordering::Equal } else { self.0.cmp(&other.0) }
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.0).finish()
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
    /// What people call a convoy that was founded on the roadside.
    ConvoyName, "a convoy's name", 64
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

/// Bytes as keys and secrets are spelt: two lower-case digits each.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let digits = |byte: &u8| [byte >> 4, byte & 15].map(|digit| char::from_digit(u32::from(digit), 16).unwrap_or('0'));
    bytes.iter().flat_map(digits).collect()
}

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
