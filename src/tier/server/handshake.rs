//! From nothing to a connection whose dialect is known: dialled, taken by the server, greeted.

use super::connection::{Connection, Heard};
use super::dial::{self, Dialer};
use super::token::Token;
use crate::core::io::Dialect;
use crate::wire::server::jamz::{self, Hello};
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;
use tokio::time::timeout;

/// How long connecting may take.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// How long the server may take to greet.
const HELLO_DEADLINE: Duration = Duration::from_secs(2);

/// Longest challenge that is signed, in bytes.
const CHALLENGE_BYTES_MAX: usize = 256;

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Greeting {
    pub(super) dialect: Dialect,
    /// What it wants signed by whoever joins.
    pub(super) challenge: Option<String>,
}

/// Why there is no connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The server answered, and will not have us; in its words.
    Refused(String),
    /// It was not reached, or is something else.
    Unreachable(String),
}

impl From<String> for Failure {
    fn from(reason: String) -> Self {
        Self::Unreachable(reason)
    }
}

/// Connects.
pub(super) async fn shake(dialer: &Dialer, token: Option<&Token>) -> Result<(Connection, Greeting), Failure> {
    let mut connection = timeout(CONNECT_DEADLINE, connect(dialer, token)).await.map_err(|_| {
        Failure::Unreachable(format!("no answer from {} within {} s", dialer.address.host, CONNECT_DEADLINE.as_secs()))
    })??;
    let greeted = timeout(HELLO_DEADLINE, hello(&mut connection)).await;
    let greeting = greeted.map_err(|_| dial::foreign(&format!("no hello within {} s", HELLO_DEADLINE.as_secs())))??;
    Ok((connection, greeting))
}

async fn connect(dialer: &Dialer, token: Option<&Token>) -> Result<Connection, Failure> {
    let mut connection = Connection::open(dialer, token).await?;
    loop {
        match connection.reader.next().await? {
            Heard::Connected => return Ok(connection),
            Heard::Refused(said) => return Err(Failure::Refused(said)),
            Heard::Disconnected => return Err(Failure::Refused("it closed the connection".into())),
            other => tracing::debug!(?other, "ahead of the server's answer"),
        }
    }
}

async fn hello(connection: &mut Connection) -> Result<Greeting, Failure> {
    loop {
        match connection.reader.next().await? {
            Heard::Event { name, args, .. } if name == jamz::HELLO => return Ok(greeting(args)?),
            // A server that takes a connection and then drops it because of the token.
            Heard::Refused(said) => return Err(Failure::Refused(said)),
            Heard::Disconnected => {
                return Err(Failure::Unreachable("the server ended the connection at once".into()));
            }
            other => tracing::debug!(?other, "ahead of the server's hello"),
        }
    }
}

/// What a server says of itself in its hello.
fn greeting(args: Vec<Value>) -> Result<Greeting, String> {
    let value = args.into_iter().next().unwrap_or_default();
    let shown = dial::words(&value.to_string());
    match Hello::deserialize(value) {
        Ok(Hello { ok: true, jamz: None }) => Ok(Greeting { dialect: Dialect::Backend, challenge: None }),
        Ok(Hello { ok: true, jamz: Some(own) }) if own.version == jamz::VERSION => {
            let challenge = own.challenge.filter(|challenge| challenge.len() <= CHALLENGE_BYTES_MAX);
            Ok(Greeting { dialect: Dialect::Jamz, challenge })
        }
        Ok(Hello { ok: true, jamz: Some(own) }) => Err(format!(
            "the server speaks version {} of the protocol, this car version {}; update the older one",
            own.version,
            jamz::VERSION
        )),
        _ => Err(dial::foreign(&format!("its hello is {shown}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_hello_tells_the_dialect() {
        let told = |hello| greeting(vec![hello]).map(|greeting| (greeting.dialect, greeting.challenge));
        assert_eq!(told(json!({"ok": true, "jamz": {"version": 1}})), Ok((Dialect::Jamz, None)));
        let challenging = json!({"ok": true, "jamz": {"version": 1, "challenge": "once"}});
        assert_eq!(told(challenging), Ok((Dialect::Jamz, Some("once".into()))));
        assert_eq!(told(json!({"ok": true, "motd": "hi"})), Ok((Dialect::Backend, None)));
        assert!(greeting(vec![json!({"ok": true, "jamz": {"version": 2}})]).unwrap_err().contains("version 2"));
        for nonsense in [json!({"ok": false}), json!("hi"), json!(null), json!({"ok": true, "jamz": 3})] {
            assert!(greeting(vec![nonsense]).unwrap_err().starts_with("this is no TrafficJamz server: its hello is"));
        }
        assert!(greeting(vec![]).is_err());
    }
}
