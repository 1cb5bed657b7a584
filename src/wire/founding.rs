//! What a newcomer and a member say to each other over TCP when the one has been told the code that the other named.
//!
//! Each opens with its device and its element of SPAKE2; then the newcomer proves that it made the same key and hands
//! its signature over under it, and the member answers with its own proof and the convoy. Nothing that is said before
//! the proofs tells anything of the code, and a proof tells only whether one guess was right. All but the convoy has a
//! fixed length. All numbers are big-endian.

use crate::core::id::DeviceId;
use crate::core::roadside::Roadside;
use serde::{Deserialize, Serialize};

/// Key of the TXT record of a car whose code is open: its value is [`VERSION`].
pub const TXT_CODE: &str = "c";
pub const VERSION: u8 = 1;
const MAGIC: [u8; 4] = *b"jamc";
/// A public key in hex.
const DEVICE_BYTES: usize = 64;
/// One side's element, with a byte that says whose.
pub const ELEMENT_BYTES: usize = 33;
/// Magic, version, verdict, device, element.
pub const OPENING_BYTES: usize = MAGIC.len() + 1 + 1 + DEVICE_BYTES + ELEMENT_BYTES;
pub const CONFIRMATION_BYTES: usize = 32;
/// A signature as base64.
pub const SIGNATURE_BYTES: usize = 88;
/// What sealing adds.
pub const SEAL_BYTES: usize = 16;
/// A newcomer's proof: its confirmation, and its signature, sealed.
pub const PROOF_BYTES: usize = CONFIRMATION_BYTES + SIGNATURE_BYTES + SEAL_BYTES;
/// What a gift begins with: verdict, confirmation, length of what is sealed.
pub const GIFT_HEAD_BYTES: usize = 1 + CONFIRMATION_BYTES + 2;
/// Longest sealed gift: names at their bounds, each of whose characters JSON may write as six, and as many tickets as
/// there may be between a newcomer and the founder.
pub const GIFT_BYTES_MAX: usize = 8 << 10;

/// Why what is said at such a meeting is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FoundingWireError {
    #[error("it does not speak this protocol")]
    Stranger,
    #[error("it speaks version {0} of letting newcomers in; this car speaks version {VERSION}")]
    Version(u8),
    #[error("a verdict of the unknown kind {0}")]
    Verdict(u8),
    #[error("its name is no device's key")]
    Device,
    #[error("a gift of {0} bytes; at most {GIFT_BYTES_MAX} are taken")]
    TooLong(usize),
    #[error("a gift that makes no sense: {0}")]
    Gift(String),
}

/// What a member says of a newcomer's guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    GoOn,
    /// Too many wrong guesses lately.
    Later,
    /// The code is good no more.
    Closed,
    Wrong,
}

/// The first that each side says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// [`Verdict::GoOn`] when a newcomer speaks.
    pub verdict: Verdict,
    pub device: DeviceId,
    pub element: [u8; ELEMENT_BYTES],
}

/// How a gift begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GiftHead {
    pub verdict: Verdict,
    pub confirmation: [u8; CONFIRMATION_BYTES],
    pub sealed_bytes: usize,
}

/// What a newcomer is handed, under seal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gift {
    pub roadside: Roadside,
    /// The member's, over all that was said.
    pub signature: String,
}

impl Verdict {
    fn byte(self) -> u8 {
        match self {
            Self::GoOn => 0,
            Self::Later => 1,
            Self::Closed => 2,
            Self::Wrong => 3,
        }
    }

    fn of(byte: u8) -> Result<Self, FoundingWireError> {
        match byte {
            0 => Ok(Self::GoOn),
            1 => Ok(Self::Later),
            2 => Ok(Self::Closed),
            3 => Ok(Self::Wrong),
            other => Err(FoundingWireError::Verdict(other)),
        }
    }
}

impl Opening {
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend([VERSION, self.verdict.byte()]);
        bytes.extend(self.device.as_str().as_bytes());
        bytes.extend(self.element);
        bytes
    }

    /// # Errors
    /// [`FoundingWireError`] when a stranger or another version speaks.
    pub fn decode(bytes: &[u8; OPENING_BYTES]) -> Result<Self, FoundingWireError> {
        let Some((magic, rest)) = bytes.split_first_chunk::<{ MAGIC.len() }>() else {
            return Err(FoundingWireError::Stranger);
        };
        let ([version, verdict, rest @ ..], MAGIC) = (rest, *magic) else { return Err(FoundingWireError::Stranger) };
        if *version != VERSION {
            return Err(FoundingWireError::Version(*version));
        }
        let Some((device, element)) = rest.split_at_checked(DEVICE_BYTES) else {
            return Err(FoundingWireError::Stranger);
        };
        let is_key = device.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let device = std::str::from_utf8(device).ok().filter(|_| is_key).and_then(|text| DeviceId::new(text).ok());
        Ok(Self {
            verdict: Verdict::of(*verdict)?,
            device: device.ok_or(FoundingWireError::Device)?,
            element: element.try_into().map_err(|_| FoundingWireError::Stranger)?,
        })
    }
}

impl GiftHead {
    /// Of a gift that is none.
    #[must_use]
    pub fn refusal(verdict: Verdict) -> Self {
        Self { verdict, confirmation: [0; CONFIRMATION_BYTES], sealed_bytes: 0 }
    }

    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![self.verdict.byte()];
        bytes.extend(self.confirmation);
        // At most `GIFT_BYTES_MAX`.
        bytes.extend((self.sealed_bytes as u16).to_be_bytes());
        bytes
    }

    /// # Errors
    /// [`FoundingWireError`] before anything of what is sealed is read.
    pub fn decode(bytes: &[u8; GIFT_HEAD_BYTES]) -> Result<Self, FoundingWireError> {
        let [verdict, confirmation @ .., high, low] = bytes;
        let sealed_bytes = usize::from(u16::from_be_bytes([*high, *low]));
        if sealed_bytes > GIFT_BYTES_MAX {
            return Err(FoundingWireError::TooLong(sealed_bytes));
        }
        Ok(Self { verdict: Verdict::of(*verdict)?, confirmation: *confirmation, sealed_bytes })
    }
}

impl Gift {
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        // Text keys only, which is all that could fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// # Errors
    /// [`FoundingWireError::Gift`]; what it says of the bytes is where they are wrong, and nothing of them.
    pub fn decode(bytes: &[u8]) -> Result<Self, FoundingWireError> {
        serde_json::from_slice(bytes)
            .map_err(|error| FoundingWireError::Gift(format!("{:?} at its byte {}", error.classify(), error.column())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::id::ConvoyName;
    use crate::core::signature::DeviceKey;
    use crate::core::ticket::WallTime;

    fn key(number: u8) -> DeviceKey {
        DeviceKey::from_secret(&[number; 32]).unwrap()
    }

    fn device() -> DeviceId {
        key(1).device().clone()
    }

    fn opening() -> Opening {
        Opening { verdict: Verdict::Later, device: device(), element: [7; ELEMENT_BYTES] }
    }

    #[test]
    fn an_opening_is_read_back_and_a_strangers_is_not() {
        let bytes: [u8; OPENING_BYTES] = opening().encode().try_into().unwrap();
        assert_eq!(Opening::decode(&bytes), Ok(opening()));
        let with = |at: usize, byte: u8| {
            let mut bytes = bytes;
            bytes[at] = byte;
            Opening::decode(&bytes)
        };
        assert_eq!(with(3, b'z'), Err(FoundingWireError::Stranger));
        assert_eq!(with(4, 9), Err(FoundingWireError::Version(9)));
        assert_eq!(with(5, 4), Err(FoundingWireError::Verdict(4)));
        for byte in [b'A', b'g', 0, 0xff] {
            assert_eq!(with(6, byte), Err(FoundingWireError::Device));
        }
    }

    #[test]
    fn a_gift_that_claims_to_be_long_is_refused_before_it_is_read() {
        let head = GiftHead { verdict: Verdict::GoOn, confirmation: [3; 32], sealed_bytes: 700 };
        let mut bytes: [u8; GIFT_HEAD_BYTES] = head.encode().try_into().unwrap();
        assert_eq!(GiftHead::decode(&bytes), Ok(head));
        bytes[GIFT_HEAD_BYTES - 2..].fill(0xff);
        assert_eq!(GiftHead::decode(&bytes), Err(FoundingWireError::TooLong(65_535)));
    }

    #[test]
    fn the_longest_gift_fits_and_nonsense_is_told_without_its_content() {
        let name = ConvoyName::new("\"".repeat(64)).unwrap();
        let mut roadside = Roadside::found(name, &key(1), WallTime::UnixS(1 << 32), ([1; 32], [0xab; 32])).unwrap();
        let mut newest = 1;
        while let Some(handed) = roadside.for_newcomer(&key(newest), key(newest + 1).device()) {
            (roadside, newest) = (handed, newest + 1);
        }
        assert!(newest > 3);
        let gift = Gift { roadside, signature: "x".repeat(SIGNATURE_BYTES) };
        let bytes = gift.encode();
        assert!(bytes.len() + SEAL_BYTES <= GIFT_BYTES_MAX);
        assert_eq!(Gift::decode(&bytes), Ok(gift));
        for wrong in [&b"["[..], &[b'['; 2_000], b"{\"roadside\": \"hush\"}", b"\xff", b""] {
            let said = Gift::decode(wrong).unwrap_err().to_string();
            assert!(said.contains("at its byte") && !said.contains("hush"), "{said}");
        }
    }
}
