//! Signals between cars in both dialects of a server.
//!
//! On the own one as `webrtc-signal`, in the user's shape (1.1). Today's backend passes `webrtc-offer`, `webrtc-answer`
//! and `webrtc-candidate` to all others in the session, web clients too, and of each only its one field; so all is in
//! there, and nothing of it looks like a description or a candidate that a browser would apply.

use super::jamz::Signal as OwnSignal;
use crate::core::id::{ConvoyId, DeviceId, UserId};
use crate::core::mesh::{Attempt, Signal, SignalKind, SignedSignal};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Longest SDP or candidate, in bytes.
pub const BODY_BYTES_MAX: usize = 32 << 10;
/// An Ed25519 signature in base64.
const SIGNATURE_BYTES_MAX: usize = 88;
/// Numbers that JavaScript, through which signals pass, holds exactly.
const ATTEMPT_MAX: u64 = 1 << 53;

/// Why a signal cannot be carried or believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignalError {
    #[error("its body has {bytes} bytes; at most {BODY_BYTES_MAX} are allowed")]
    Body { bytes: usize },
    #[error("its signature has {bytes} bytes; an Ed25519 signature in base64 has {SIGNATURE_BYTES_MAX}")]
    Signature { bytes: usize },
    #[error("its attempt is beyond {ATTEMPT_MAX}")]
    Attempt,
    #[error("it has no usable `{0}`")]
    Field(&'static str),
    #[error("{0}")]
    Shape(String),
}

/// What is in a `webrtc-offer` and its like between cars, under the key `jamz`.
#[derive(Debug, Serialize, Deserialize)]
struct Inside {
    from: DeviceId,
    to: DeviceId,
    attempt: Attempt,
    body: String,
    signature: String,
}

/// Whether a signal is within bounds.
///
/// # Errors
/// [`SignalError`] naming the bound.
pub fn check(signed: &SignedSignal) -> Result<(), SignalError> {
    let (body, signature) = (signed.signal.body.len(), signed.signature.len());
    if body > BODY_BYTES_MAX {
        return Err(SignalError::Body { bytes: body });
    }
    if signature > SIGNATURE_BYTES_MAX {
        return Err(SignalError::Signature { bytes: signature });
    }
    if signed.signal.attempt.0 > ATTEMPT_MAX { Err(SignalError::Attempt) } else { Ok(()) }
}

/// The signal as `webrtc-signal` carries it.
#[must_use]
pub fn to_own(signed: &SignedSignal) -> OwnSignal {
    let SignedSignal { convoy, from, to, signal, signature } = signed;
    let (kind, field) = match signal.kind {
        SignalKind::Offer => ("offer", "sdp"),
        SignalKind::Answer => ("answer", "sdp"),
        SignalKind::IceCandidate => ("ice-candidate", "candidate"),
    };
    OwnSignal {
        session_id: convoy.clone(),
        from: from.clone(),
        to: Some(to.clone()),
        kind: kind.into(),
        data: json!({ field: signal.body, "attempt": signal.attempt, "signature": signature }),
    }
}

/// Reads a `webrtc-signal`; none when no car made it.
///
/// # Errors
/// [`SignalError`] when a car made it and it makes no sense.
pub fn from_own(own: &OwnSignal) -> Result<Option<SignedSignal>, SignalError> {
    let (Some(signature), Some(to)) = (own.data.get("signature"), &own.to) else { return Ok(None) };
    let (kind, field) = match own.kind.as_str() {
        "offer" => (SignalKind::Offer, "sdp"),
        "answer" => (SignalKind::Answer, "sdp"),
        "ice-candidate" => (SignalKind::IceCandidate, "candidate"),
        _ => return Err(SignalError::Field("type")),
    };
    let attempt = own.data.get("attempt").and_then(Value::as_u64).ok_or(SignalError::Field("attempt"))?;
    let body = own.data.get(field).and_then(Value::as_str).ok_or(SignalError::Field(field))?;
    let signed = SignedSignal {
        convoy: own.session_id.clone(),
        from: own.from.clone(),
        to: to.clone(),
        signal: Signal { attempt: Attempt(attempt), kind, body: body.to_owned() },
        signature: signature.as_str().ok_or(SignalError::Field("signature"))?.to_owned(),
    };
    check(&signed)?;
    Ok(Some(signed))
}

/// The signal as today's backend passes it on: the event's name and its only argument.
#[must_use]
pub fn to_backend(signed: &SignedSignal, user: &UserId) -> (&'static str, Value) {
    let SignedSignal { convoy, from, to, signal, signature } = signed;
    let (event, field) = event(signal.kind);
    let inside = Inside {
        from: from.clone(),
        to: to.clone(),
        attempt: signal.attempt,
        body: signal.body.clone(),
        signature: signature.clone(),
    };
    (event, json!({ "sessionId": convoy, field: { "jamz": inside }, "userId": user }))
}

/// Reads an event of today's backend in the session `convoy`; none when it is no signal, or no car made it.
///
/// # Errors
/// [`SignalError`] when a car made it and it makes no sense.
pub fn from_backend(
    name: &str,
    payload: Option<&Value>,
    convoy: &ConvoyId,
) -> Result<Option<SignedSignal>, SignalError> {
    let kinds = [SignalKind::Offer, SignalKind::Answer, SignalKind::IceCandidate];
    let Some(kind) = kinds.into_iter().find(|kind| event(*kind).0 == name) else { return Ok(None) };
    let inside = payload.and_then(|payload| payload.get(event(kind).1)).and_then(|field| field.get("jamz"));
    let Some(inside) = inside else { return Ok(None) };
    let Inside { from, to, attempt, body, signature } =
        Inside::deserialize(inside).map_err(|error| SignalError::Shape(error.to_string()))?;
    let signal = Signal { attempt, kind, body };
    let signed = SignedSignal { convoy: convoy.clone(), from, to, signal, signature };
    check(&signed)?;
    Ok(Some(signed))
}

fn event(kind: SignalKind) -> (&'static str, &'static str) {
    match kind {
        SignalKind::Offer => ("webrtc-offer", "offer"),
        SignalKind::Answer => ("webrtc-answer", "answer"),
        SignalKind::IceCandidate => ("webrtc-candidate", "candidate"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::signature::{DeviceKey, check_signal};

    fn signed(kind: SignalKind) -> SignedSignal {
        let key = DeviceKey::from_secret(&[7; 32]).unwrap();
        let body = r#"{"candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ host",  "sdpMLineIndex":0}"#.to_owned();
        let to = DeviceId::new("other").unwrap();
        key.sign_signal(to, Signal { attempt: Attempt(3), kind, body }, ConvoyId::new("Конвой").unwrap())
    }

    fn through(value: &Value) -> Value {
        serde_json::from_str(&value.to_string()).unwrap()
    }

    #[test]
    fn a_signal_is_still_its_authors_after_either_dialect() {
        for kind in [SignalKind::Offer, SignalKind::Answer, SignalKind::IceCandidate] {
            let signed = signed(kind);
            let own = OwnSignal::deserialize(through(&json!(to_own(&signed)))).unwrap();
            assert_eq!(from_own(&own), Ok(Some(signed.clone())));
            let (name, payload) = to_backend(&signed, &UserId::new("ann").unwrap());
            let read = from_backend(name, Some(&through(&payload)), &signed.convoy).unwrap().unwrap();
            assert_eq!((check_signal(&read), &read), (Ok(()), &signed));
        }
    }

    #[test]
    fn on_the_own_dialect_it_has_the_users_shape() {
        let value = json!(to_own(&signed(SignalKind::Offer)));
        assert_eq!(
            (&value["type"], &value["to"], &value["sessionId"]),
            (&json!("offer"), &json!("other"), &json!("Конвой"))
        );
        assert!(value["data"]["sdp"].is_string() && value["data"]["attempt"] == 3);
        assert!(json!(to_own(&signed(SignalKind::IceCandidate)))["data"]["candidate"].is_string());
    }

    #[test]
    fn a_browser_finds_nothing_in_it_that_it_could_apply() {
        let (_, payload) = to_backend(&signed(SignalKind::Offer), &UserId::new("ann").unwrap());
        assert!(payload["offer"]["type"].is_null() && payload["offer"]["sdp"].is_null());
        let (_, payload) = to_backend(&signed(SignalKind::IceCandidate), &UserId::new("ann").unwrap());
        assert!(payload["candidate"]["candidate"].is_null() && payload["candidate"]["sdpMid"].is_null());
    }

    #[test]
    fn what_browsers_say_to_each_other_is_passed_over_and_nonsense_is_named() {
        let convoy = ConvoyId::new("c").unwrap();
        for payload in [json!({"offer": {"type": "offer", "sdp": "v=0"}}), json!({"offer": 1}), json!([]), json!(null)]
        {
            assert_eq!(from_backend("webrtc-offer", Some(&payload), &convoy), Ok(None));
        }
        assert_eq!(from_backend("music-play", None, &convoy), Ok(None));
        let (name, mut payload) = to_backend(&signed(SignalKind::Offer), &UserId::new("ann").unwrap());
        payload["offer"]["jamz"]["body"] = json!("x".repeat(BODY_BYTES_MAX + 1));
        assert_eq!(from_backend(name, Some(&payload), &convoy), Err(SignalError::Body { bytes: BODY_BYTES_MAX + 1 }));
        payload["offer"]["jamz"]["from"] = json!("");
        assert!(matches!(from_backend(name, Some(&payload), &convoy), Err(SignalError::Shape(_))));
        let mut own = to_own(&signed(SignalKind::Answer));
        own.data = json!({"sdp": {"type": "answer"}});
        assert_eq!(from_own(&own), Ok(None));
        own.data = json!({"sdp": "v=0", "attempt": -1, "signature": "x"});
        assert_eq!(from_own(&own), Err(SignalError::Field("attempt")));
    }
}
