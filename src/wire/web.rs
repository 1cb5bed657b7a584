//! What a phone's page and the car that serves it say to each other, before there is a link between them.
//!
//! The page opens [`DOOR`] as a stream of events (`text/event-stream`), each with one JSON object, and posts JSON
//! objects there itself. The first event has a challenge: by its answer the page joins, and by naming it the page says
//! whose visit it is that it speaks in, as nobody else knows it. Requests will do where a browser does not let a page
//! open a WebSocket by a certificate that it was told to put up with.

use super::mesh::{FrameError, depth};
use super::server::jamz::Signal;
use super::server::signal;
use crate::core::guests::{Caller, Pass, TOKEN_CHARS_MAX};
use crate::core::id::{ConvoyId, ConvoyName, DeviceId};
use crate::core::mesh::SignedSignal;
use crate::core::ticket::Ticket;
use serde::{Deserialize, Serialize};

/// Where the page knocks.
pub const DOOR: &str = "/door";
/// Longest message of a page: a signal, of which each character may be written as two.
pub const MESSAGE_BYTES_MAX: usize = 2 * signal::BODY_BYTES_MAX + (4 << 10);
/// Longest head of a request.
pub const HEAD_BYTES_MAX: usize = 16 << 10;
pub const HEADERS_MAX: usize = 64;
/// An Ed25519 signature in base64.
const PROOF_CHARS_MAX: usize = 88;
/// 32 bytes in hex.
const CHALLENGE_CHARS: usize = 64;

/// What the car says.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToPhone {
    /// To whoever knocks, and so nothing of the car, the convoy or its people.
    Hello {
        challenge: String,
    },
    Joined {
        ticket: Box<Ticket>,
        car: DeviceId,
        name: String,
        called: ConvoyName,
    },
    Refused {
        reason: String,
    },
    WebrtcSignal(Signal),
}

impl ToPhone {
    #[must_use]
    pub fn signal(signed: &SignedSignal) -> Self {
        Self::WebrtcSignal(signal::to_own(signed))
    }

    /// As the body of an answer.
    #[must_use]
    pub fn encode(&self) -> String {
        // Text keys and finite numbers: nothing that could fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// As an event of the stream.
    #[must_use]
    pub fn event(&self) -> String {
        format!("data: {}\n\n", self.encode())
    }
}

/// A line that keeps the stream alive and says nothing.
pub const ALIVE: &str = ":\n\n";

/// What a page says, and in which visit.
#[derive(Clone, PartialEq)]
pub struct FromPhone {
    pub challenge: String,
    pub said: Said,
}

#[derive(Clone, PartialEq)]
pub enum Said {
    Join(Box<Caller>),
    Signal(Box<SignedSignal>),
}

/// Why what a page says is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebError {
    #[error("a message has at most {MESSAGE_BYTES_MAX} bytes")]
    TooLong,
    #[error(transparent)]
    Depth(#[from] FrameError),
    /// Without serde's words, which may quote a token.
    #[error("no such message is known here; load the page again")]
    Malformed,
    #[error("{0}")]
    Signal(#[from] signal::SignalError),
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Written {
    Join(Join),
    WebrtcSignal { challenge: String, signal: Signal },
}

#[derive(Deserialize)]
struct Join {
    challenge: String,
    convoy: ConvoyId,
    device: DeviceId,
    proof: String,
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    ticket: Option<Box<Ticket>>,
}

/// Reads what a page posted.
///
/// # Errors
/// [`WebError`] when it is no message within its bounds.
pub fn decode(bytes: &[u8]) -> Result<FromPhone, WebError> {
    if bytes.len() > MESSAGE_BYTES_MAX {
        return Err(WebError::TooLong);
    }
    depth::check(bytes)?;
    let (challenge, said) = match serde_json::from_slice(bytes).map_err(|_| WebError::Malformed)? {
        Written::Join(Join { challenge, convoy, device, proof, token, ticket }) => {
            let pass = match (ticket, token) {
                (Some(ticket), _) => Pass::Ticket(ticket),
                (None, Some(token)) if token.len() <= TOKEN_CHARS_MAX => Pass::Token(token),
                (None, _) => return Err(WebError::Malformed),
            };
            if proof.len() > PROOF_CHARS_MAX {
                return Err(WebError::Malformed);
            }
            (challenge, Said::Join(Box::new(Caller { convoy, device, proof, pass })))
        }
        Written::WebrtcSignal { challenge, signal } => {
            let signed = signal::from_own(&signal)?.ok_or(WebError::Malformed)?;
            (challenge, Said::Signal(Box::new(signed)))
        }
    };
    if challenge.len() == CHALLENGE_CHARS { Ok(FromPhone { challenge, said }) } else { Err(WebError::Malformed) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::mesh::{Attempt, SignalKind};
    use crate::core::signature::{DeviceKey, check_signal};
    use serde_json::{Value, json};

    fn key() -> DeviceKey {
        DeviceKey::from_secret(&[1; 32]).unwrap()
    }

    fn join() -> Value {
        let (challenge, device) = ("c".repeat(64), key().device().to_string());
        json!({ "join": { "challenge": challenge, "convoy": "alps", "device": device, "proof": "p", "token": "t" } })
    }

    fn said(value: &Value) -> Result<FromPhone, WebError> {
        decode(value.to_string().as_bytes())
    }

    #[test]
    fn a_join_is_read_and_one_that_is_longer_or_less_than_it_may_be_is_not() {
        let good = said(&join()).unwrap();
        assert!(matches!(good.said, Said::Join(caller) if caller.pass == Pass::Token("t".into())));
        for (field, value) in [
            ("token", json!("t".repeat(TOKEN_CHARS_MAX + 1))),
            ("token", json!(null)),
            ("proof", json!("p".repeat(PROOF_CHARS_MAX + 1))),
            ("challenge", json!("c".repeat(65))),
            ("device", json!("d".repeat(DeviceId::BYTES_MAX + 1))),
            ("convoy", json!("")),
            ("ticket", json!({ "secret": "hush" })),
        ] {
            let mut bad = join();
            bad["join"][field] = value;
            let error = said(&bad).err().map(|error| error.to_string());
            assert!(error.is_some_and(|error| !error.contains("hush")), "{field}");
        }
    }

    #[test]
    fn what_is_too_long_or_too_deep_is_never_parsed() {
        assert_eq!(decode(&vec![b' '; MESSAGE_BYTES_MAX + 1]).err(), Some(WebError::TooLong));
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        assert_eq!(decode(deep.as_bytes()).err(), Some(WebError::Depth(FrameError::TooDeep)));
        assert_eq!(decode(b"{\"go\":1}").err(), Some(WebError::Malformed));
    }

    #[test]
    fn a_signal_is_still_its_authors_when_it_was_posted() {
        let (body, to) = ("\"\\".repeat(signal::BODY_BYTES_MAX / 2), DeviceId::new("car").unwrap());
        let signal = crate::core::mesh::Signal { attempt: Attempt(1), kind: SignalKind::Answer, body };
        let signed = key().sign_signal(to, signal, ConvoyId::new("alps").unwrap());
        let own = signal::to_own(&signed);
        let posted = said(&json!({ "webrtc-signal": { "challenge": "c".repeat(64), "signal": own } })).unwrap();
        let Said::Signal(read) = posted.said else { panic!("a signal") };
        assert_eq!((check_signal(&read), *read), (Ok(()), signed.clone()));
        let event = ToPhone::signal(&signed).event();
        let told = event.strip_prefix("data: ").and_then(|event| event.strip_suffix("\n\n")).unwrap();
        assert!(!told.contains('\n'));
        assert_eq!(serde_json::from_str::<Value>(told).unwrap()["webrtc-signal"]["type"], "answer");
    }
}
