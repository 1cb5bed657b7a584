//! Signatures: a device's key, which is its name, and what it vouches for.
//!
//! A device id is the public key itself (Ed25519, RFC 8032) in lower-case hex, so an id needs no directory. What is
//! signed is the canonical JSON (RFC 8785) of the thing together with its convoy: a browser can make the same bytes,
//! and nothing is good for another convoy.

use super::changes::Change;
use super::id::{ConvoyId, DeviceId};
use super::mesh::{Signal, SignedSignal};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::Serialize;
use std::fmt;

/// A device's secret key, and the name that follows from it.
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceKey {
    key: SigningKey,
    device: DeviceId,
}

/// Why a signature does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("it is not signed")]
    Missing,
    #[error("its author's id is no public key")]
    NoKey,
    #[error("the signature is not its author's")]
    Wrong,
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceKey({})", self.device)
    }
}

impl DeviceKey {
    /// The key that 32 secret bytes make.
    ///
    /// # Errors
    /// Never for an Ed25519 key; its hex is a device id.
    pub fn from_secret(secret: &[u8; 32]) -> Result<Self, super::id::IdError> {
        let key = SigningKey::from_bytes(secret);
        let digits =
            |byte: &u8| [byte >> 4, byte & 15].map(|digit| char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        let hex: String = key.verifying_key().as_bytes().iter().flat_map(digits).collect();
        Ok(Self { key, device: DeviceId::new(hex)? })
    }

    #[must_use]
    pub fn device(&self) -> &DeviceId {
        &self.device
    }

    /// Signs a change for a convoy.
    pub fn sign_change(&self, change: &mut Change, convoy: &ConvoyId) {
        change.signature = None;
        change.signature = Some(self.sign(&canonical(&SignedChange { change, convoy })));
    }

    /// Signs a signal to another device.
    #[must_use]
    pub fn sign_signal(&self, to: DeviceId, signal: Signal, convoy: ConvoyId) -> SignedSignal {
        let mut signed = SignedSignal { convoy, from: self.device.clone(), to, signal, signature: String::new() };
        signed.signature = self.sign(&canonical(&signed));
        signed
    }

    fn sign(&self, bytes: &[u8]) -> String {
        STANDARD.encode(self.key.sign(bytes).to_bytes())
    }
}

/// Checks that a change is its author's, for this convoy.
///
/// # Errors
/// Why it is not.
pub fn check_change(change: &Change, convoy: &ConvoyId) -> Result<(), SignatureError> {
    let signature = change.signature.as_deref().ok_or(SignatureError::Missing)?;
    let bare = Change { signature: None, ..change.clone() };
    check(&change.id.device, &canonical(&SignedChange { change: &bare, convoy }), signature)
}

/// Checks that a signal is its author's.
///
/// # Errors
/// Why it is not.
pub fn check_signal(signed: &SignedSignal) -> Result<(), SignatureError> {
    let bare = SignedSignal { signature: String::new(), ..signed.clone() };
    check(&signed.from, &canonical(&bare), &signed.signature)
}

#[derive(Serialize)]
struct SignedChange<'a> {
    change: &'a Change,
    convoy: &'a ConvoyId,
}

fn canonical(thing: &impl Serialize) -> Vec<u8> {
    // These types have text keys and finite numbers only, which is all that could fail.
    serde_json_canonicalizer::to_vec(thing).unwrap_or_default()
}

fn check(device: &DeviceId, bytes: &[u8], signature: &str) -> Result<(), SignatureError> {
    let key = public_key(device).ok_or(SignatureError::NoKey)?;
    let signature = STANDARD.decode(signature).ok().and_then(|bytes| Signature::from_slice(&bytes).ok());
    let signature = signature.ok_or(SignatureError::Wrong)?;
    key.verify_strict(bytes, &signature).map_err(|_| SignatureError::Wrong)
}

fn public_key(device: &DeviceId) -> Option<VerifyingKey> {
    let hex = device.as_str();
    if hex.len() != 64 || !hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut bytes = [0; 32];
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * i..2 * i + 2)?, 16).ok()?;
    }
    VerifyingKey::from_bytes(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::changes::{Action, ChangeId, Hlc};
    use crate::core::election::Term;
    use crate::core::mesh::{Attempt, SignalKind};

    fn key(n: u8) -> DeviceKey {
        DeviceKey::from_secret(&[n; 32]).unwrap()
    }

    fn convoy(name: &str) -> ConvoyId {
        ConvoyId::new(name).unwrap()
    }

    fn change(author: &DeviceKey) -> Change {
        let mut change = Change {
            id: ChangeId { device: author.device().clone(), sequence: 7 },
            hlc: Hlc { time_us: 5, count: 1 },
            term: Term(2),
            user: None,
            action: Action::TakeControl,
            signature: None,
        };
        author.sign_change(&mut change, &convoy("alps"));
        change
    }

    #[test]
    fn a_change_counts_as_its_author_made_it_in_its_convoy_and_not_otherwise() {
        let good = change(&key(1));
        assert_eq!(check_change(&good, &convoy("alps")), Ok(()));
        assert_eq!(check_change(&good, &convoy("jura")), Err(SignatureError::Wrong));
        let unsigned = Change { signature: None, ..good.clone() };
        assert_eq!(check_change(&unsigned, &convoy("alps")), Err(SignatureError::Missing));
        let altered = Change { action: Action::ReleaseControl, ..good.clone() };
        assert_eq!(check_change(&altered, &convoy("alps")), Err(SignatureError::Wrong));
        let mut stolen = good.clone();
        stolen.id.device = key(2).device().clone();
        assert_eq!(check_change(&stolen, &convoy("alps")), Err(SignatureError::Wrong));
        stolen.id.device = DeviceId::new("phone:ann").unwrap();
        assert_eq!(check_change(&stolen, &convoy("alps")), Err(SignatureError::NoKey));
    }

    #[test]
    fn a_change_that_was_written_and_read_is_still_signed() {
        let read: Change = serde_json::from_str(&serde_json::to_string(&change(&key(3))).unwrap()).unwrap();
        assert_eq!(check_change(&read, &convoy("alps")), Ok(()));
    }

    #[test]
    fn a_signal_is_good_for_the_one_it_names_only() {
        let signal = Signal { attempt: Attempt(1), kind: SignalKind::Offer, body: "v=0".into() };
        let signed = key(1).sign_signal(key(2).device().clone(), signal, convoy("alps"));
        assert_eq!(check_signal(&signed), Ok(()));
        let diverted = SignedSignal { to: key(3).device().clone(), ..signed.clone() };
        assert_eq!(check_signal(&diverted), Err(SignatureError::Wrong));
    }

    #[test]
    fn a_key_never_shows_itself() {
        assert!(!format!("{:?}", key(0x5a)).contains("5a5a"));
    }
}
