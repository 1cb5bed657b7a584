//! What every parser of something from outside has to bear: no input ends the program, and what is taken is written
//! and read again as the same.

use jamz::core::changes::Change;
use jamz::core::code::Code;
use jamz::core::id::ConvoyId;
use jamz::core::mesh::SignedSignal;
use jamz::core::roadside::Roadside;
use jamz::core::ticket::Credentials;
use jamz::wire::founding::{GIFT_HEAD_BYTES, Gift, GiftHead, OPENING_BYTES, Opening};
use jamz::wire::lan::{FRAME_HEAD_BYTES, Frame, FrameHead, GREETING_HEAD_BYTES, GreetingHead};
use jamz::wire::mesh::{Assembler, decode, decode_beat, encode, encode_beat};
use jamz::wire::server::{backend, jamz as own, phone, signal, track};
use jamz::wire::web::{self, FromPhone, Said, ToPhone};
use serde_json::Value;

/// A parser, and what it is called.
type Target = (&'static str, fn(&[u8]));

pub(crate) const ALL: [Target; 10] = [
    ("mesh-message", mesh_message),
    ("mesh-beat", mesh_beat),
    ("mesh-chunks", mesh_chunks),
    ("lan", lan),
    ("founding", founding),
    ("server-own", server_own),
    ("server-backend", server_backend),
    ("server-phone", server_phone),
    ("web-door", web_door),
    ("spoken-code", spoken_code),
];

fn mesh_message(bytes: &[u8]) {
    let Ok(message) = decode(bytes) else { return };
    // A number may be read that is beyond what is written.
    let Ok(text) = encode(&message) else { return };
    assert_eq!(decode(text.as_bytes()).as_ref(), Ok(&message), "{text}");
}

fn mesh_beat(bytes: &[u8]) {
    let Ok(beat) = decode_beat(bytes) else { return };
    let Ok(text) = encode_beat(&beat) else { return };
    assert_eq!(decode_beat(text.as_bytes()).as_ref(), Ok(&beat), "{text}");
}

/// Chunks of whatever lengths, each after a byte that gives it.
fn mesh_chunks(bytes: &[u8]) {
    let mut assembler = Assembler::default();
    let mut rest = bytes;
    while let Some((length, after)) = rest.split_first() {
        let (chunk, left) = after.split_at(usize::from(*length).min(after.len()));
        if let Ok(Some(message)) = assembler.push(chunk) {
            assert!(message.len() <= bytes.len(), "more came out than went in");
        }
        rest = left;
    }
}

fn lan(bytes: &[u8]) {
    if let Some((head, rest)) = bytes.split_first_chunk::<GREETING_HEAD_BYTES>()
        && let Ok(head) = GreetingHead::decode(head)
        && let Some(device) = rest.get(..head.device_bytes)
        && let Ok(greeting) = head.with_device(device.to_vec())
    {
        assert!(bytes.starts_with(&greeting.encode()));
    }
    let Some((head, body)) = bytes.split_first_chunk::<FRAME_HEAD_BYTES>() else { return };
    let Ok(FrameHead { kind, body_bytes }) = FrameHead::decode(*head) else { return };
    let Ok(frame) = Frame::decode(kind, &body[..body_bytes.min(body.len())]) else { return };
    let written = frame.encode();
    let again = Frame::decode(kind, &written[FRAME_HEAD_BYTES..]);
    assert_eq!(again.as_ref(), Ok(&frame));
}

fn founding(bytes: &[u8]) {
    if let Some(Ok(opening)) = bytes.first_chunk::<OPENING_BYTES>().map(Opening::decode) {
        assert_eq!(opening.encode(), bytes[..OPENING_BYTES]);
    }
    if let Some(Ok(head)) = bytes.first_chunk::<GIFT_HEAD_BYTES>().map(GiftHead::decode) {
        assert_eq!(head.encode(), bytes[..GIFT_HEAD_BYTES]);
    }
    if let Ok(gift) = Gift::decode(bytes) {
        assert_eq!(Gift::decode(&gift.encode()).as_ref(), Ok(&gift));
        let _ = gift.roadside.is_for(&gift.roadside.ticket.device);
    }
    let _ = serde_json::from_slice::<Roadside>(bytes);
}

/// What goes both ways between a car or a page and `jamz-server`.
fn server_own(bytes: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return };
    let _ = serde_json::from_value::<own::Hello>(value.clone());
    let _ = serde_json::from_value::<own::Join>(value.clone());
    let _ = serde_json::from_value::<own::Acked>(value.clone());
    let _ = serde_json::from_value::<Credentials>(value.clone());
    let _ = serde_json::from_value::<SignedSignal>(value.clone());
    if let Ok(joined) = serde_json::from_value::<own::Joined>(value.clone()) {
        let written = serde_json::to_value(&joined.snapshot).unwrap();
        let again: jamz::core::convoy::Snapshot = serde_json::from_value(written).unwrap();
        assert!(again == joined.snapshot, "a state is read otherwise than it was written");
    }
    if let Ok(change) = serde_json::from_value::<Change>(value.clone()) {
        let again: Change = serde_json::from_value(serde_json::to_value(&change).unwrap()).unwrap();
        assert_eq!(again, change);
        let mut convoy = jamz::core::convoy::Snapshot::default();
        let _ = (convoy.apply(&change), convoy.apply(&change));
    }
    if let Ok(signal) = serde_json::from_value::<own::Signal>(value)
        && let Ok(Some(signed)) = signal::from_own(&signal)
    {
        assert_eq!(signal::from_own(&signal::to_own(&signed)).ok().flatten().as_ref(), Some(&signed));
    }
}

/// An event's name, a line break, and its only argument.
fn event(bytes: &[u8]) -> Option<(&str, Value)> {
    let (name, payload) = std::str::from_utf8(bytes).ok()?.split_once('\n')?;
    Some((name, serde_json::from_str(payload).ok()?))
}

fn server_backend(bytes: &[u8]) {
    let Some((name, payload)) = event(bytes) else { return };
    let convoy = ConvoyId::new("session").unwrap();
    let _ = backend::parse(name, Some(&payload));
    let _ = signal::from_backend(name, Some(&payload), &convoy);
    let _ = track::parse(&payload);
}

fn server_phone(bytes: &[u8]) {
    let Some((name, payload)) = event(bytes) else { return };
    let _ = phone::parse(name, payload);
}

/// What a page says to the car that serves it.
fn web_door(bytes: &[u8]) {
    if let Ok(FromPhone { said: Said::Signal(signed), .. }) = web::decode(bytes) {
        let event = ToPhone::signal(&signed).event();
        assert_eq!(event.matches('\n').count(), 2, "more than one event: {event}");
    }
}

fn spoken_code(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(code) = Code::parse(text) else { return };
    assert_eq!(Code::parse(&code.text()).as_ref(), Ok(&code));
}
