//! What two members of one network say to each other over TCP, and what each shows of itself by DNS-SD.
//!
//! Both begin with a greeting (a version, a device and a nonce); then the one that dialled proves that it knows the
//! convoy's secret, and the other answers with its own proof. From then on frames travel: a length, a kind, a body, and
//! a keyed hash over a count of frames and all of these. All numbers are big-endian.

use super::server::signal;
use crate::core::id::DeviceId;
use crate::core::mesh::SignedSignal;

/// The service's name (RFC 6763).
pub const SERVICE: &str = "_jamz._tcp.local.";
/// Keys of its TXT record: the version of all this, the convoy's tag, the device.
pub const TXT_VERSION: &str = "v";
pub const TXT_TAG: &str = "t";
pub const TXT_DEVICE: &str = "d";
/// The value of [`TXT_VERSION`].
pub const VERSION: u8 = 1;

const MAGIC: [u8; 4] = *b"jamz";
pub const NONCE_BYTES: usize = 32;
/// A keyed hash, and so a proof.
pub const HASH_BYTES: usize = 32;
/// What a greeting begins with: magic, version, nonce, the length of the device's name.
pub const GREETING_HEAD_BYTES: usize = 4 + 1 + NONCE_BYTES + 1;
/// What a frame begins with: the length of its body, and its kind.
pub const FRAME_HEAD_BYTES: usize = 4 + 1;
/// Longest body of a frame.
pub const BODY_BYTES_MAX: usize = 2 * signal::BODY_BYTES_MAX;

/// Why what another says on the network is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LanWireError {
    #[error("it does not speak this protocol")]
    Stranger,
    #[error("it speaks version {0} of the protocol; this car speaks version {VERSION}")]
    Version(u8),
    #[error("its name is no device's")]
    Device,
    #[error("a frame of {0} bytes; at most {BODY_BYTES_MAX} are taken")]
    TooLong(u32),
    #[error("a frame of the unknown kind {0}")]
    Kind(u8),
    #[error("a signal that makes no sense: {0}")]
    Signal(String),
}

/// The first thing that each side says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    pub nonce: [u8; NONCE_BYTES],
    pub device: DeviceId,
}

/// A greeting whose device is still to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GreetingHead {
    nonce: [u8; NONCE_BYTES],
    /// Of the device's name that follows; within its bound.
    pub device_bytes: usize,
}

/// What a frame says.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame {
    /// Still here.
    Alive,
    Signal(Box<SignedSignal>),
    /// The sender leaves.
    Goodbye,
}

/// A frame whose body is still to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHead {
    pub kind: u8,
    pub body_bytes: usize,
}

impl Greeting {
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let device = self.device.as_str().as_bytes();
        let mut bytes = MAGIC.to_vec();
        bytes.push(VERSION);
        bytes.extend(self.nonce);
        // A device id has at most 64 bytes.
        bytes.push(device.len() as u8);
        bytes.extend(device);
        bytes
    }
}

impl GreetingHead {
    /// # Errors
    /// [`LanWireError`] when a stranger or another version speaks.
    pub fn decode(bytes: &[u8; GREETING_HEAD_BYTES]) -> Result<Self, LanWireError> {
        let (magic, rest) = bytes.split_at(MAGIC.len());
        let [version, rest @ ..] = rest else { return Err(LanWireError::Stranger) };
        let [nonce @ .., device_bytes] = rest else { return Err(LanWireError::Stranger) };
        if magic != MAGIC {
            return Err(LanWireError::Stranger);
        }
        if *version != VERSION {
            return Err(LanWireError::Version(*version));
        }
        let device_bytes = usize::from(*device_bytes);
        if device_bytes == 0 || device_bytes > DeviceId::BYTES_MAX {
            return Err(LanWireError::Device);
        }
        Ok(Self { nonce: nonce.try_into().map_err(|_| LanWireError::Stranger)?, device_bytes })
    }

    /// # Errors
    /// [`LanWireError::Device`] when this is no device's name.
    pub fn with_device(self, device: Vec<u8>) -> Result<Greeting, LanWireError> {
        let device = String::from_utf8(device).map_err(|_| LanWireError::Device)?;
        let device = DeviceId::new(device).map_err(|_| LanWireError::Device)?;
        Ok(Greeting { nonce: self.nonce, device })
    }
}

impl Frame {
    /// Head and body; the hash follows them.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (kind, body) = match self {
            Self::Alive => (0, Vec::new()),
            // A signal has text keys only, which is all that could fail.
            Self::Signal(signed) => (1, serde_json::to_vec(signed).unwrap_or_default()),
            Self::Goodbye => (2, Vec::new()),
        };
        let mut bytes = (body.len() as u32).to_be_bytes().to_vec();
        bytes.push(kind);
        bytes.extend(body);
        bytes
    }

    /// Reads a body whose hash was right.
    ///
    /// # Errors
    /// [`LanWireError`] saying what is wrong with it.
    pub fn decode(kind: u8, body: &[u8]) -> Result<Self, LanWireError> {
        match kind {
            0 => Ok(Self::Alive),
            1 => {
                let wrong = |problem: String| LanWireError::Signal(problem);
                let signed: SignedSignal = serde_json::from_slice(body).map_err(|error| wrong(error.to_string()))?;
                signal::check(&signed).map_err(|error| wrong(error.to_string()))?;
                Ok(Self::Signal(Box::new(signed)))
            }
            2 => Ok(Self::Goodbye),
            other => Err(LanWireError::Kind(other)),
        }
    }
}

impl FrameHead {
    /// # Errors
    /// [`LanWireError::TooLong`] before anything of it is read.
    pub fn decode(bytes: [u8; FRAME_HEAD_BYTES]) -> Result<Self, LanWireError> {
        let [a, b, c, d, kind] = bytes;
        let length = u32::from_be_bytes([a, b, c, d]);
        let body_bytes = length as usize;
        if body_bytes > BODY_BYTES_MAX { Err(LanWireError::TooLong(length)) } else { Ok(Self { kind, body_bytes }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::id::ConvoyId;
    use crate::core::mesh::{Attempt, Signal, SignalKind};
    use crate::core::signature::{DeviceKey, check_signal};

    fn greeting() -> Greeting {
        Greeting { nonce: [9; NONCE_BYTES], device: DeviceId::new("車 1").unwrap() }
    }

    fn read(bytes: &[u8]) -> Result<Greeting, LanWireError> {
        let (head, device) = bytes.split_at(GREETING_HEAD_BYTES);
        let head = GreetingHead::decode(head.try_into().unwrap())?;
        assert_eq!(head.device_bytes, device.len());
        head.with_device(device.to_vec())
    }

    #[test]
    fn a_greeting_is_read_back_and_a_strangers_is_not() {
        let bytes = greeting().encode();
        assert_eq!(read(&bytes), Ok(greeting()));
        let with = |at: usize, byte: u8| {
            let mut bytes = bytes.clone();
            bytes[at] = byte;
            read(&bytes)
        };
        assert_eq!(with(0, b'J'), Err(LanWireError::Stranger));
        assert_eq!(with(4, 2), Err(LanWireError::Version(2)));
        assert_eq!(with(GREETING_HEAD_BYTES - 1, 0), Err(LanWireError::Device));
        assert_eq!(with(GREETING_HEAD_BYTES - 1, 65), Err(LanWireError::Device));
        assert_eq!(with(GREETING_HEAD_BYTES, 0xff), Err(LanWireError::Device));
        assert_eq!(with(bytes.len() - 1, 7), Err(LanWireError::Device));
    }

    #[test]
    fn a_frame_is_read_back_with_its_signature_and_nonsense_is_named() {
        let key = DeviceKey::from_secret(&[1; 32]).unwrap();
        let signal = Signal { attempt: Attempt(4), kind: SignalKind::Offer, body: "v=0\r\n\u{1}é".into() };
        let signed = key.sign_signal(DeviceId::new("you").unwrap(), signal, ConvoyId::new("c").unwrap());
        for frame in [Frame::Alive, Frame::Goodbye, Frame::Signal(Box::new(signed.clone()))] {
            let bytes = frame.encode();
            let (head, body) = bytes.split_at(FRAME_HEAD_BYTES);
            let head = FrameHead::decode(head.try_into().unwrap()).unwrap();
            assert_eq!(head.body_bytes, body.len());
            let read = Frame::decode(head.kind, body).unwrap();
            assert!(!matches!(&read, Frame::Signal(signed) if check_signal(signed).is_err()));
            assert_eq!(read, frame);
        }
        assert_eq!(FrameHead::decode([0xff; 5]), Err(LanWireError::TooLong(u32::MAX)));
        assert_eq!(Frame::decode(3, b""), Err(LanWireError::Kind(3)));
        assert!(matches!(Frame::decode(1, &b"[".repeat(60_000)), Err(LanWireError::Signal(_))));
        let long = SignedSignal { signature: "x".repeat(1_000), ..signed };
        assert!(Frame::decode(1, &serde_json::to_vec(&long).unwrap()).is_err());
    }

    #[test]
    fn the_longest_signal_fits_into_a_frame() {
        let signal = Signal { attempt: Attempt(1), kind: SignalKind::Offer, body: "\n".repeat(30_000) };
        let key = DeviceKey::from_secret(&[1; 32]).unwrap();
        let signed = key.sign_signal(DeviceId::new("you").unwrap(), signal, ConvoyId::new("c").unwrap());
        assert!(Frame::Signal(Box::new(signed)).encode().len() <= BODY_BYTES_MAX);
    }
}
