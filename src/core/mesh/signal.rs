//! Signals: what two members tell each other by some other way before a link between them exists.

use crate::core::id::{ConvoyId, DeviceId};
use serde::{Deserialize, Serialize};

/// Numbers the attempts of one device to reach another, so that what belongs to an older one is told apart. The offerer
/// chooses it, higher than any before, over restarts, too; answer and candidates repeat it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Attempt(pub u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignalKind {
    Offer,
    Answer,
    IceCandidate,
}

/// One step of making a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signal {
    pub attempt: Attempt,
    pub kind: SignalKind,
    /// An SDP, or an ICE candidate as JSON of the browser's shape (`RTCIceCandidateInit`).
    pub body: String,
}

/// A signal with its way and its author's word for it. As the SDP holds the fingerprint of the certificate, the
/// signature binds the DTLS identity of the link to the device's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedSignal {
    pub convoy: ConvoyId,
    pub from: DeviceId,
    pub to: DeviceId,
    pub signal: Signal,
    /// Ed25519 over the canonical bytes of all of the above, in base64.
    pub signature: String,
}
