//! Socket.IO packets (protocol 5) of the default namespace, as text. Binary attachments carry nothing that a car reads.

use serde_json::Value;

/// Longest message that is parsed, in bytes: a playlist of the greatest length fits, with room.
pub(super) const PAYLOAD_BYTES_MAX: usize = 16 << 20;
/// Longest name of an event that is believed, in bytes.
const NAME_BYTES_MAX: usize = 128;

/// What a server sends.
#[derive(Debug, PartialEq)]
pub(super) enum Incoming {
    /// The server took the connection.
    Connected,
    /// The server refused the connection, in its words.
    Refused(String),
    /// The server ended the connection.
    Disconnected,
    Event {
        name: String,
        args: Vec<Value>,
        /// The server asks for an acknowledgement under this id.
        ack: Option<u64>,
    },
    Ack {
        id: u64,
        args: Vec<Value>,
    },
    /// Not for us: another namespace, or with binary attachments.
    Foreign(&'static str),
}

/// Why a text is no packet.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PacketError {
    #[error("a message of {0} bytes; at most {PAYLOAD_BYTES_MAX} are read")]
    TooLong(usize),
    #[error("an empty message")]
    Empty,
    #[error("a message of the unknown kind {0:?}")]
    Kind(char),
    #[error("an id that is no number")]
    Id,
    #[error("text that is no JSON: {0}")]
    Json(String),
    #[error("an event without a name")]
    Name,
}

/// Reads a packet; nesting is bounded by `serde_json` (128 levels).
pub(super) fn parse(text: &str) -> Result<Incoming, PacketError> {
    if text.len() > PAYLOAD_BYTES_MAX {
        return Err(PacketError::TooLong(text.len()));
    }
    let mut chars = text.chars();
    let kind = chars.next().ok_or(PacketError::Empty)?;
    let rest = chars.as_str();
    match kind {
        '5' | '6' => return Ok(Incoming::Foreign("a binary message")),
        '0'..='4' if rest.starts_with('/') && !rest.starts_with("/,") => {
            return Ok(Incoming::Foreign("a message of another namespace"));
        }
        _ => {}
    }
    let rest = rest.strip_prefix("/,").unwrap_or(rest);
    match kind {
        '0' => Ok(Incoming::Connected),
        '1' => Ok(Incoming::Disconnected),
        '2' => {
            let (ack, args) = numbered(rest)?;
            event(args, ack)
        }
        '3' => {
            let (id, args) = numbered(rest)?;
            Ok(Incoming::Ack { id: id.ok_or(PacketError::Id)?, args })
        }
        '4' => Ok(Incoming::Refused(refusal(rest))),
        other => Err(PacketError::Kind(other)),
    }
}

/// Asks the server to take the connection, showing the token if there is one.
pub(super) fn connect(token: Option<&str>) -> String {
    token.map_or_else(|| "0".into(), |token| format!("0{}", serde_json::json!({ "token": token })))
}

/// Leaves the server politely.
pub(super) const DISCONNECT: &str = "1";

/// An event with one argument; `ack` asks for an acknowledgement under that id.
pub(super) fn event_text(name: &str, payload: &Value, ack: Option<u64>) -> String {
    let id = ack.map(|id| id.to_string()).unwrap_or_default();
    format!("2{id}[{},{payload}]", Value::from(name))
}

/// The acknowledgement of an event of the server: it asked, and is not left waiting.
pub(super) fn ack_text(id: u64) -> String {
    format!("3{id}[]")
}

fn event(args: Vec<Value>, ack: Option<u64>) -> Result<Incoming, PacketError> {
    let mut args = args.into_iter();
    match args.next() {
        Some(Value::String(name)) if name.len() <= NAME_BYTES_MAX => {
            Ok(Incoming::Event { name, args: args.collect(), ack })
        }
        _ => Err(PacketError::Name),
    }
}

/// An optional id, then a list.
fn numbered(text: &str) -> Result<(Option<u64>, Vec<Value>), PacketError> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (id, list) = text.split_at_checked(digits).ok_or(PacketError::Id)?;
    let id = if id.is_empty() { None } else { Some(id.parse().map_err(|_| PacketError::Id)?) };
    let list = serde_json::from_str(list).map_err(|error| PacketError::Json(error.to_string()))?;
    Ok((id, list))
}

/// The words of a refusal: `{"message": ...}`, or whatever else was sent.
fn refusal(text: &str) -> String {
    let value: Option<Value> = serde_json::from_str(text).ok();
    let message = value.as_ref().and_then(|v| v.get("message").unwrap_or(v).as_str()).map(str::to_owned);
    message.unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_event_without_an_argument_keeps_its_name() {
        let read = parse(r#"2["jamz-ping"]"#).unwrap();
        assert_eq!(read, Incoming::Event { name: "jamz-ping".into(), args: vec![], ack: None });
    }

    #[test]
    fn an_acknowledgement_is_not_wrapped_twice() {
        assert_eq!(parse(r#"3417[{"a":1}]"#), Ok(Incoming::Ack { id: 417, args: vec![json!({"a": 1})] }));
        assert_eq!(parse("3"), Err(PacketError::Json("EOF while parsing a value at line 1 column 0".into())));
        assert_eq!(parse("3[]"), Err(PacketError::Id));
    }

    #[test]
    fn a_refusal_is_told_in_the_servers_words() {
        assert_eq!(parse(r#"4{"message":"jwt expired"}"#), Ok(Incoming::Refused("jwt expired".into())));
        assert_eq!(parse(r#"4"no""#), Ok(Incoming::Refused("no".into())));
        assert_eq!(parse("4<html>"), Ok(Incoming::Refused("<html>".into())));
    }

    #[test]
    fn an_event_that_asks_for_an_acknowledgement_gets_one() {
        let Ok(Incoming::Event { ack: Some(12), .. }) = parse(r#"212["x",1]"#) else { panic!("no ack asked") };
        assert_eq!(ack_text(12), "312[]");
    }

    #[test]
    fn nonsense_has_a_clear_error_and_never_a_crash() {
        let deep = format!("2{}", "[".repeat(100_000));
        for text in ["", "9", "2", "2{}", "2[]", "2[1]", "299999999999999999999[\"a\"]", "2[\"a\"", "é", "2é", &deep]
        {
            assert!(parse(text).is_err(), "{}", text.get(..9.min(text.len())).unwrap_or_default());
        }
        let long = format!("2[\"{}\"]", "n".repeat(PAYLOAD_BYTES_MAX));
        assert!(matches!(parse(&long), Err(PacketError::TooLong(_))));
        assert_eq!(parse(r#"51-["bin",{"_placeholder":true,"num":0}]"#), Ok(Incoming::Foreign("a binary message")));
        assert!(matches!(parse(r#"2/admin,["a"]"#), Ok(Incoming::Foreign(_))));
    }

    #[test]
    fn what_is_written_is_valid_whatever_the_names_hold() {
        assert_eq!(connect(Some("a\"b")), r#"0{"token":"a\"b"}"#);
        assert_eq!(connect(None), "0");
        let text = event_text("a\"b", &json!({"c": "d\u{1e}"}), Some(3));
        assert_eq!(text, "23[\"a\\\"b\",{\"c\":\"d\\u001e\"}]");
        assert!(matches!(parse(&text), Ok(Incoming::Event { ack: Some(3), .. })));
    }

    #[test]
    fn damage_never_crashes_the_reader() {
        let whole = [
            r#"2["jamz-change",{"id":{"device":"a","sequence":1},"hlc":{"time_us":1,"count":0}}]"#,
            r#"317[{"received":1,"sent":2,"leadUs":3}]"#,
            r#"4{"message":"né"}"#,
            r#"0{"sid":"x"}"#,
        ];
        let mut random = 1_u64;
        for round in 0..40_000 {
            let mut bytes = whole[round % whole.len()].as_bytes().to_vec();
            for _ in 0..3 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let at = (random >> 33) as usize % bytes.len();
                match random >> 62 {
                    0 => bytes[at] = (random >> 40) as u8,
                    1 => bytes.truncate(at.max(1)),
                    _ => bytes.insert(at, b"[]{}\",:0129"[(random >> 20) as usize % 11]),
                }
            }
            let _ = parse(&String::from_utf8_lossy(&bytes));
        }
    }
}
