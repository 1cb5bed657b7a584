//! Signatures: a device's key, which is its name, and what it vouches for.
//!
//! A device id is the public key itself (Ed25519, RFC 8032) in lower-case hex, so an id needs no directory. What is
//! signed is the canonical JSON (RFC 8785) of the thing together with its convoy: a browser can make the same bytes,
//! and nothing is good for another convoy. What kind of thing it is stands in its outermost key, so that a signature of
//! one kind is never good for another.

#[cfg(feature = "sim")]
mod rehearsed;

use super::changes::Change;
use super::id::{ConvoyId, DeviceId, hex};
use super::mesh::{Signal, SignedSignal};
use super::ticket::{Revocations, Ticket};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::Serialize;
use std::fmt;

#[cfg(feature = "sim")]
pub use rehearsed::sign_with_sums;

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
        let device = DeviceId::new(hex(key.verifying_key().as_bytes()))?;
        Ok(Self { key, device })
    }

    #[must_use]
    pub fn device(&self) -> &DeviceId {
        &self.device
    }

    /// Signs a change for a convoy.
    pub fn sign_change(&self, change: &mut Change, convoy: &ConvoyId) {
        change.signature = None;
        change.signature = Some(self.sign(&SignedChange { change, convoy }));
    }

    /// Signs a signal to another device.
    #[must_use]
    pub fn sign_signal(&self, to: DeviceId, signal: Signal, convoy: ConvoyId) -> SignedSignal {
        let mut signed = SignedSignal { convoy, from: self.device.clone(), to, signal, signature: String::new() };
        signed.signature = self.sign(&signed);
        signed
    }

    /// Signs what two devices said to each other when one of them let the other into a convoy.
    #[must_use]
    pub fn sign_meeting(&self, said: &[u8; 32]) -> String {
        self.sign(&SignedMeeting { meeting: said, by: &self.device })
    }

    /// Signs a ticket as its issuer.
    pub fn sign_ticket(&self, ticket: &mut Ticket) {
        ticket.issuer = self.device.clone();
        ticket.signature.clear();
        ticket.signature = self.sign(&SignedTicket { ticket });
    }

    /// Signs a list of revocations as its issuer.
    pub fn sign_revocations(&self, revocations: &mut Revocations) {
        revocations.issuer = self.device.clone();
        revocations.signature.clear();
        revocations.signature = self.sign(&SignedRevocations { revocations });
    }

    /// Proves to whoever made the challenge that this device is the one that joins the convoy.
    #[must_use]
    pub fn prove_join(&self, convoy: &ConvoyId, challenge: &str) -> String {
        self.sign(&SignedJoin { join: JoinTerms { convoy, device: &self.device, challenge } })
    }

    fn sign(&self, thing: &impl Serialize) -> String {
        #[cfg(feature = "sim")]
        if let Some(sum) = rehearsed::sum_of(&self.device, thing) {
            return sum;
        }
        STANDARD.encode(self.key.sign(&canonical(thing)).to_bytes())
    }
}

/// Checks that a change is its author's, for this convoy.
///
/// # Errors
/// Why it is not.
pub fn check_change(change: &Change, convoy: &ConvoyId) -> Result<(), SignatureError> {
    let signature = change.signature.as_deref().ok_or(SignatureError::Missing)?;
    let bare = Change { signature: None, ..change.clone() };
    check(&change.id.device, &SignedChange { change: &bare, convoy }, signature)
}

/// Checks that a signal is its author's.
///
/// # Errors
/// Why it is not.
pub fn check_signal(signed: &SignedSignal) -> Result<(), SignatureError> {
    let bare = SignedSignal { signature: String::new(), ..signed.clone() };
    check(&signed.from, &bare, &signed.signature)
}

/// Checks that a device was at this meeting.
///
/// # Errors
/// Why it cannot be told.
pub fn check_meeting(device: &DeviceId, said: &[u8; 32], signature: &str) -> Result<(), SignatureError> {
    check(device, &SignedMeeting { meeting: said, by: device }, signature)
}

#[derive(Serialize)]
struct SignedMeeting<'a> {
    meeting: &'a [u8; 32],
    by: &'a DeviceId,
}

/// Checks that a ticket is its issuer's.
///
/// # Errors
/// Why it is not.
pub fn check_ticket(ticket: &Ticket) -> Result<(), SignatureError> {
    let bare = Ticket { signature: String::new(), ..ticket.clone() };
    check(&ticket.issuer, &SignedTicket { ticket: &bare }, &ticket.signature)
}

/// Checks that a list of revocations is its issuer's.
///
/// # Errors
/// Why it is not.
pub fn check_revocations(revocations: &Revocations) -> Result<(), SignatureError> {
    let bare = Revocations { signature: String::new(), ..revocations.clone() };
    check(&revocations.issuer, &SignedRevocations { revocations: &bare }, &revocations.signature)
}

/// Checks that whoever answers the challenge has the device's key.
///
/// # Errors
/// Why he has not.
pub fn check_join(
    device: &DeviceId,
    convoy: &ConvoyId,
    challenge: &str,
    proof: Option<&str>,
) -> Result<(), SignatureError> {
    let proof = proof.ok_or(SignatureError::Missing)?;
    check(device, &SignedJoin { join: JoinTerms { convoy, device, challenge } }, proof)
}

/// Whether a device's id is a public key, and so can be proved.
#[must_use]
pub fn is_key(device: &DeviceId) -> bool {
    public_key(device).is_some()
}

#[derive(Serialize)]
struct SignedChange<'a> {
    change: &'a Change,
    convoy: &'a ConvoyId,
}

#[derive(Serialize)]
struct SignedTicket<'a> {
    ticket: &'a Ticket,
}

#[derive(Serialize)]
struct SignedRevocations<'a> {
    revocations: &'a Revocations,
}

#[derive(Serialize)]
struct SignedJoin<'a> {
    join: JoinTerms<'a>,
}

#[derive(Serialize)]
struct JoinTerms<'a> {
    convoy: &'a ConvoyId,
    device: &'a DeviceId,
    challenge: &'a str,
}

fn canonical(thing: &impl Serialize) -> Vec<u8> {
    // These types have text keys and finite numbers only, which is all that could fail.
    serde_json_canonicalizer::to_vec(thing).unwrap_or_default()
}

fn check(device: &DeviceId, thing: &impl Serialize, signature: &str) -> Result<(), SignatureError> {
    #[cfg(feature = "sim")]
    if let Some(sum) = rehearsed::sum_of(device, thing) {
        return if sum == signature { Ok(()) } else { Err(SignatureError::Wrong) };
    }
    let key = public_key(device).ok_or(SignatureError::NoKey)?;
    let signature = STANDARD.decode(signature).ok().and_then(|bytes| Signature::from_slice(&bytes).ok());
    let signature = signature.ok_or(SignatureError::Wrong)?;
    key.verify_strict(&canonical(thing), &signature).map_err(|_| SignatureError::Wrong)
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
    fn a_meeting_is_signed_by_who_was_there() {
        let signature = key(1).sign_meeting(&[5; 32]);
        assert_eq!(check_meeting(key(1).device(), &[5; 32], &signature), Ok(()));
        assert_eq!(check_meeting(key(1).device(), &[6; 32], &signature), Err(SignatureError::Wrong));
        assert_eq!(check_meeting(key(2).device(), &[5; 32], &signature), Err(SignatureError::Wrong));
    }

    #[test]
    fn a_join_is_proved_for_one_challenge_one_convoy_and_one_device() {
        let proof = key(1).prove_join(&convoy("alps"), "nonce");
        let proved = |device: u8, name: &str, challenge: &str| {
            check_join(key(device).device(), &convoy(name), challenge, Some(&proof))
        };
        assert_eq!(proved(1, "alps", "nonce"), Ok(()));
        for (device, name, challenge) in [(2, "alps", "nonce"), (1, "jura", "nonce"), (1, "alps", "another")] {
            assert_eq!(proved(device, name, challenge), Err(SignatureError::Wrong));
        }
        assert_eq!(check_join(key(1).device(), &convoy("alps"), "nonce", None), Err(SignatureError::Missing));
        // The signature of a change, however well made, proves nothing.
        let change = change(&key(1)).signature;
        let passed = check_join(key(1).device(), &convoy("alps"), "nonce", change.as_deref());
        assert_eq!(passed, Err(SignatureError::Wrong));
    }

    #[test]
    fn a_key_never_shows_itself() {
        assert!(!format!("{:?}", key(0x5a)).contains("5a5a"));
    }
}
