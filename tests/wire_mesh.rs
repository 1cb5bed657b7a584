//! The wire format between cars: what is written is read as it was, and what is hostile is refused.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/mesh_messages.rs"]
mod messages;

use jamz::core::changes::{Action, Change};
use jamz::core::clock::ConvoyTime;
use jamz::core::election::Term;
use jamz::core::mesh::{Attempt, PeerMessage};
use jamz::core::playlist::Track;
use jamz::core::signature::check_change;
use jamz::core::ticket::REVOKED_MAX;
use jamz::core::timeline::Anchor;
use jamz::wire::mesh::{EncodeError, FRAME_BYTES_MAX, FrameError, decode, decode_beat, encode};
use messages::{beat, changes, convoy, every_kind, key, state};
use serde_json::{Value, json};

fn sent(change: &Change) -> Change {
    let text =
        encode(&PeerMessage::Change { change: Box::new(change.clone()), track: None, ticket: None, hops: 1 }).unwrap();
    match decode(text.as_bytes()).unwrap() {
        PeerMessage::Change { change, track: None, ticket: None, hops: 1 } => *change,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_kind_of_message_comes_back_as_it_was() {
    for message in every_kind() {
        let text = encode(&message).unwrap();
        assert_eq!(decode(text.as_bytes()).as_ref(), Ok(&message), "{text}");
    }
}

#[test]
fn a_beat_has_a_channel_of_its_own() {
    let beat = beat(5);
    let text = encode(&PeerMessage::Beat(Box::new(beat.clone()))).unwrap();
    assert_eq!(decode_beat(text.as_bytes()), Ok(beat));
    assert_eq!(decode(text.as_bytes()), Err(FrameError::UnknownType));
}

#[test]
fn a_signature_holds_for_every_action_that_has_travelled() {
    for change in changes() {
        let arrived = sent(&sent(&change));
        assert_eq!(arrived, change);
        assert_eq!(check_change(&arrived, &convoy()), Ok(()), "{}", change.action.name());
    }
}

#[test]
fn a_float_of_any_bits_keeps_its_signature() {
    // Xorshift: what decimal digits do to a float shows in some of ten thousand.
    let mut bits = 0x9e37_79b9_7f4a_7c15_u64;
    let author = key(1);
    let mut track = messages::track(1);
    for round in 0..100 {
        for place in 0..100 {
            bits ^= bits << 13;
            bits ^= bits >> 7;
            bits ^= bits << 17;
            let float = f64::from_bits(bits);
            track.extra.insert(format!("f{place}"), json!(if float.is_finite() { float } else { 0.5 }));
        }
        let Action::Add { entry, order, .. } = messages::actions().remove(6) else { panic!("an addition") };
        let change = messages::change(&author, round + 1, Action::Add { entry, track: track.clone(), order });
        assert_eq!(check_change(&sent(&change), &convoy()), Ok(()));
    }
}

#[test]
fn a_control_has_the_form_of_the_users_document() {
    let change = changes().remove(0);
    let text =
        encode(&PeerMessage::Change { change: Box::new(change.clone()), track: None, ticket: None, hops: 0 }).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    let fields: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["type", "action", "data", "sequence", "signature"]);
    assert_eq!((&json["type"], &json["action"]), (&json!("music-control"), &json!("play")));
    let data = &json["data"];
    assert_eq!(data["position"], json!(45.2));
    assert_eq!((&data["trackId"], &data["track"]["id"]), (&json!("b3-1"), &json!("b3-1")));
    assert_eq!(data["timestamp"], json!(change.hlc.time_us / 1_000));
    assert_eq!(data["controllerId"], json!(change.id.device.as_str()));
    assert_eq!(data["from"], json!(null));
    assert_eq!((&json["sequence"], &json["signature"]), (&json!(1), &json!(change.signature.unwrap())));
    let with_user = serde_json::to_value(changes()[1].user.clone()).unwrap();
    let text =
        encode(&PeerMessage::Change { change: Box::new(changes().remove(1)), track: None, ticket: None, hops: 0 })
            .unwrap();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["data"]["from"], with_user);
}

/// `data.track` of a control of this track, and the length of the whole message.
fn track_told(track: Track) -> (Value, usize) {
    let anchor = Anchor { track: Some(track.id.clone()), ..Anchor::empty(ConvoyTime(1)) };
    let change = Box::new(messages::change(&key(1), 1, Action::ChangeTrack { anchor }));
    let message = PeerMessage::Change { change: change.clone(), track: Some(Box::new(track)), ticket: None, hops: 0 };
    let text = encode(&message).unwrap();
    assert_eq!(
        decode(text.as_bytes()),
        Ok(PeerMessage::Change { change, track: None, ticket: None, hops: 0 }),
        "it is not read"
    );
    let json: Value = serde_json::from_str(&text).unwrap();
    (json["data"]["track"].clone(), text.len())
}

#[test]
fn a_change_of_track_tells_the_whole_track_in_the_users_form_and_fits_into_a_frame() {
    let track = messages::track(1);
    let (told, _) = track_told(track.clone());
    assert_eq!(
        (&told["id"], &told["title"], &told["duration"]),
        (&json!(track.id), &json!(track.title), &json!(212.345_678))
    );
    assert_eq!((&told["fileUrl"], &told["deep"]), (&json!(track.url), &track.extra["deep"]));
    let mut long = track.clone();
    long.extra.insert("lyrics".into(), json!("\u{1}".repeat(4_000)));
    let (told, bytes) = track_told(long.clone());
    assert!(told["title"] == json!(track.title) && told["lyrics"].is_null() && bytes < FRAME_BYTES_MAX, "{bytes}");
    long.title = "\u{1}".repeat(4_000);
    let (told, bytes) = track_told(long);
    assert!(told == json!({ "id": track.id }) && bytes < FRAME_BYTES_MAX, "{told}");
}

#[test]
fn an_attempt_beyond_what_javascript_holds_is_neither_sent_nor_taken() {
    let mut signal = messages::signal();
    signal.signal.attempt = Attempt(1 << 53);
    let message = |signal| PeerMessage::Signal { signal: Box::new(signal), hops: 0 };
    let text = encode(&message(signal.clone())).unwrap();
    assert_eq!(decode(text.as_bytes()), Ok(message(signal.clone())));
    let beyond = text.replace("9007199254740992", "9007199254740993");
    assert_eq!(decode(beyond.as_bytes()), Err(FrameError::Range { what: "an attempt" }));
    signal.signal.attempt = Attempt((1 << 53) + 1);
    assert_eq!(encode(&message(signal)), Err(EncodeError::Range { what: "an attempt" }));
}

#[test]
fn a_state_has_the_users_fields_and_comes_back_whole() {
    let snapshot = state(3);
    let text = encode(&PeerMessage::State(Box::new(snapshot.clone()))).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["type"], "sync-state");
    assert_eq!(json["data"]["position"], json!(45.2));
    assert_eq!(json["data"]["isPlaying"], json!(true));
    assert_eq!(json["data"]["controllerId"], json!(key(1).device().as_str()));
    assert_eq!(decode(text.as_bytes()), Ok(PeerMessage::State(Box::new(snapshot))));
}

#[test]
fn what_some_peer_could_not_hold_is_not_sent() {
    let author = key(1);
    for position_us in [i64::MAX, i64::MIN, 1_000_000_000_000_001] {
        let anchor = Anchor { position_us, ..Anchor::empty(ConvoyTime(0)) };
        let change = Box::new(messages::change(&author, 1, Action::Seek { anchor }));
        let refused = encode(&PeerMessage::Change { change, track: None, ticket: None, hops: 0 });
        assert_eq!(refused, Err(EncodeError::Range { what: "a position" }));
    }
}

#[test]
fn the_longest_list_of_void_tickets_is_carried_and_a_longer_one_refused() {
    let message = PeerMessage::Revoked(Box::new(messages::revocations(REVOKED_MAX)));
    let text = encode(&message).unwrap();
    assert_eq!(decode(text.as_bytes()), Ok(message.clone()));
    let refused = spoiled(&message, "\"users\":{", "\"users\":{\"one more\":1,");
    assert_eq!(refused, Err(FrameError::TooMany { what: "users", items_max: REVOKED_MAX }));
    let refused = spoiled(&message, "\"number\":9007199254740992", "\"number\":9007199254740993");
    assert_eq!(refused, Err(FrameError::Range { what: "a list's number" }));
    let padded = text.replacen('{', &format!("{{{}", " ".repeat(10 << 10)), 1);
    assert!(matches!(decode(padded.as_bytes()), Err(FrameError::TooLong { kind: "revoked", .. })));
}

#[test]
fn a_ticket_goes_with_its_authors_change_unaltered_and_one_out_of_bounds_is_refused() {
    let (change, ticket) = (Box::new(changes().remove(0)), Box::new(messages::ticket()));
    let message = PeerMessage::Change { change, track: None, ticket: Some(ticket.clone()), hops: 0 };
    assert_eq!(decode(encode(&message).unwrap().as_bytes()), Ok(message.clone()));
    let refused = spoiled(&message, &ticket.signature, &"A".repeat(200));
    assert_eq!(refused, Err(FrameError::Range { what: "a signature's length" }));
    assert!(matches!(spoiled(&message, "\"dj\"", "\"king\""), Err(FrameError::Malformed { .. })));
}

/// A good message with one text of its JSON replaced.
fn spoiled(message: &PeerMessage, old: &str, new: &str) -> Result<PeerMessage, FrameError> {
    let text = encode(message).unwrap();
    assert!(text.contains(old), "{old} in {text}");
    decode(text.replacen(old, new, 1).as_bytes())
}

#[test]
fn numbers_out_of_their_ranges_are_refused() {
    let all = every_kind();
    let play = &all[1];
    for (old, new) in [
        ("\"position\":45.2", "\"position\":1e12"),
        ("\"at\":9876543210123", "\"at\":9223372036854775807"),
        ("\"sequence\":1", "\"sequence\":0"),
        ("\"sequence\":1", "\"sequence\":9007199254740993"),
        ("\"hops\":0", "\"hops\":5"),
        ("\"time_us\":1763000000123457", "\"time_us\":-9223372036854775808"),
    ] {
        assert!(matches!(spoiled(play, old, new), Err(FrameError::Range { .. })), "{new}");
    }
    for (old, new) in [
        ("\"position\":45.2", "\"position\":1e999"),
        ("\"position\":45.2", "\"position\":\"45.2\""),
        ("\"position\":45.2,", ""),
        ("\"device\":\"", "\"device\":\"\\u0007"),
        ("\"hops\":0", "\"hops\":-1"),
        ("\"playing\":true", "\"playing\":1"),
    ] {
        assert!(matches!(spoiled(play, old, new), Err(FrameError::Malformed { .. })), "{new}");
    }
    assert_eq!(spoiled(play, "\"action\":\"play\"", "\"action\":\"stop\""), Err(FrameError::UnknownType));
    assert_eq!(spoiled(play, "music-control", "beat"), Err(FrameError::UnknownType));
    let long = format!("\"signature\":\"{}", "A".repeat(200));
    assert!(matches!(spoiled(play, "\"signature\":\"", &long), Err(FrameError::Range { .. })));
}

#[test]
fn a_state_that_would_overflow_a_sum_is_refused() {
    let decoded = spoiled_state("\"position_us\":45200000", "\"position_us\":9223372036854775807");
    assert!(matches!(decoded, Err(FrameError::Range { .. })), "{decoded:?}");
}

/// A state that was changed on its way: but for the user's own fields, which come first and are not read back.
fn spoiled_state(old: &str, new: &str) -> Result<PeerMessage, FrameError> {
    let text = encode(&PeerMessage::State(Box::new(state(2)))).unwrap();
    let (front, back) = text.split_at(text.find("\"snapshot\"").unwrap());
    assert!(back.contains(old), "{old} in {back}");
    decode(format!("{front}{}", back.replace(old, new)).as_bytes())
}

#[test]
fn a_term_or_a_count_without_end_is_read_as_the_highest_that_there_is() {
    let Ok(PeerMessage::Change { change, .. }) =
        spoiled(&every_kind()[1], "\"term\":4", "\"term\":18446744073709551615")
    else {
        panic!("no change");
    };
    assert_eq!(change.term, Term::MAX);
    for (old, new) in
        [("\"term\":4", "\"term\":18446744073709551615"), ("\"contiguous\":2", "\"contiguous\":18446744073709551615")]
    {
        let Ok(PeerMessage::State(state)) = spoiled_state(old, new) else { panic!("no state with {new}") };
        assert!(state.term <= Term::MAX && state.versions.highest() <= 1 << 53, "{state:?}");
        let again = encode(&PeerMessage::State(state)).unwrap();
        assert!(decode(again.as_bytes()).is_ok(), "what was read is told on");
    }
}

#[test]
fn lists_and_texts_without_end_are_refused() {
    let many = |item: &str, count: usize| vec![item; count].join(",");
    let id = format!("{{\"device\":\"{}\",\"sequence\":1}}", key(1).device());
    let want = format!("{{\"type\":\"want\",\"data\":{{\"changes\":[{}]}}}}", many(&id, 5_000));
    assert!(matches!(decode(want.as_bytes()), Err(FrameError::TooMany { .. })));
    let want = format!("{{\"type\":\"want\",\"data\":{{\"changes\":[{}]}}}}", many(&id, 20_000));
    assert!(matches!(decode(want.as_bytes()), Err(FrameError::TooLong { kind: "want", .. })));
    let authors: Vec<String> = (0..5_000).map(|n| format!("\"{n}\":{{\"contiguous\":1,\"ahead\":[]}}")).collect();
    let versions = format!("{{\"type\":\"versions\",\"data\":{{{}}}}}", authors.join(","));
    assert!(matches!(decode(versions.as_bytes()), Err(FrameError::TooMany { .. })));
    let goodbye = format!("{{\"type\":\"goodbye\",\"data\":{{\"x\":\"{}\"}}}}", "x".repeat(300));
    assert!(matches!(decode(goodbye.as_bytes()), Err(FrameError::TooLong { kind: "goodbye", .. })));
}

#[test]
fn of_a_name_without_end_the_beginning_is_kept() {
    let PeerMessage::Hello(mut hello) = every_kind().remove(0) else { panic!("a hello") };
    hello.name = "ü".repeat(1_000);
    let text = encode(&PeerMessage::Hello(hello.clone())).unwrap();
    hello.name = "ü".repeat(128);
    assert_eq!(decode(text.as_bytes()), Ok(PeerMessage::Hello(hello)));
}

#[test]
fn nonsense_is_refused_without_harm() {
    let deep = format!("{{\"type\":\"hello\",\"data\":{}{}}}", "[".repeat(5_000), "]".repeat(5_000));
    assert_eq!(decode(deep.as_bytes()), Err(FrameError::TooDeep));
    for text in ["", "{", "[]", "7", "\"hello\"", "null", "{\"type\":7}", "{\"data\":{}}", "\u{feff}{}"] {
        assert!(matches!(decode(text.as_bytes()), Err(FrameError::Malformed { .. })), "{text}");
    }
    assert_eq!(decode(b"{\"type\":\"offer\",\"data\":{}}"), Err(FrameError::UnknownType));
    assert!(matches!(decode(&[0xff, 0xfe, 0x00]), Err(FrameError::Malformed { .. })));
    // Every beginning and every single spoilt byte of good messages: refused or read, and never a panic.
    for message in every_kind() {
        let text = encode(&message).unwrap().into_bytes();
        for end in (0..text.len()).step_by(7) {
            assert!(decode(&text[..end]).is_err());
        }
        for place in (0..text.len()).step_by(5) {
            let mut spoilt = text.clone();
            spoilt[place] ^= 0x15;
            let _ = decode(&spoilt);
        }
    }
}

#[test]
fn ordinary_messages_fit_one_frame() {
    for message in every_kind() {
        assert!(encode(&message).unwrap().len() <= FRAME_BYTES_MAX);
    }
    let large = encode(&PeerMessage::State(Box::new(state(10_000)))).unwrap();
    println!("a state of 10,000 entries: {} bytes", large.len());
    assert!(large.len() > 5_000_000);
}
