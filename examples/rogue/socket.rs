//! A Socket.IO connection that holds to no pace: the packets by hand, over a WebSocket.

use super::mix::USER;
use anyhow::{Context, Result, anyhow, bail};
use jamz::core::clock::Monotonic;
use jamz::core::election::Term;
use jamz::core::id::{ConvoyId, DeviceId, UserId};
use jamz::core::signature::DeviceKey;
use jamz::core::status::MemberKind;
use jamz::core::ticket::Credentials;
use jamz::host::MonotonicClock;
use jamz::wire::server::jamz::{self as dialect, Answer, Join, Probed};
use rust_socketio::rust_engineio::tungstenite::{Error, Message, WebSocket, client::client};
use serde_json::{Value, json};
use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Packets of Engine.IO and Socket.IO.
const PING: &str = "2";
const PONG: &str = "3";
const CONNECT: &str = "40";
const EVENT: &str = "42";
const ACK: &str = "43";
const ANSWER_MAX: Duration = Duration::from_secs(5);

pub struct Socket {
    socket: WebSocket<TcpStream>,
    questions: u64,
}

/// What a member knows who has joined.
pub struct Joined {
    pub socket: Socket,
    pub credentials: Credentials,
    pub term: Term,
    /// Convoy time, before the machine's clock.
    pub ahead_us: i64,
    pub others: Vec<DeviceId>,
}

impl Socket {
    /// Connects and joins, as a car does.
    pub fn join(server: &str, token: &str, key: &DeviceKey, convoy: &ConvoyId) -> Result<Joined> {
        let stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        let url = format!("ws://{server}/socket.io/?EIO=4&transport=websocket");
        let (socket, _) = client(url, stream).context("no WebSocket")?;
        let mut socket = Self { socket, questions: 0 };
        socket.write(format!("{CONNECT}{}", json!({ "token": token })))?;
        let hello = socket.event(dialect::HELLO)?;
        let challenge = hello["jamz"]["challenge"].as_str().context("no challenge")?;
        let join = Join {
            convoy: convoy.clone(),
            device: key.device().clone(),
            user: UserId::new(USER)?,
            name: "Mallory".into(),
            kind: MemberKind::Car,
            claim: None,
            proof: Some(key.prove_join(convoy, challenge)),
        };
        let (joined, mut events) = socket.ask(dialect::JOIN, &json!(join))?;
        let joined: Result<dialect::Joined, String> = serde_json::from_value::<Answer<_>>(joined)?.into();
        let joined = joined.map_err(|refusal| anyhow!("may not join: {refusal}"))?;
        let asked = MonotonicClock.now();
        let (probed, more) = socket.ask(dialect::PROBE, &json!({}))?;
        let ahead_us = serde_json::from_value::<Probed>(probed)?.received.0 - asked.0;
        events.extend(more);
        let tickets = events.into_iter().rfind(|(name, _)| name == dialect::TICKETS).map(|(_, tickets)| tickets);
        let tickets = tickets.map_or_else(|| socket.event(dialect::TICKETS), Ok)?;
        let own = key.device().as_str();
        let others = joined.members.into_iter().filter(|member| member.device != own);
        let others = others.filter_map(|member| DeviceId::new(member.device).ok()).collect();
        socket.socket.get_ref().set_nonblocking(true)?;
        let (credentials, term) = (serde_json::from_value(tickets)?, joined.snapshot.term);
        Ok(Joined { socket, credentials, term, ahead_us, others })
    }

    /// Says this and wants to hear what becomes of it; false when the server takes no more for now.
    pub fn say(&mut self, event: &str, payload: &Value) -> Result<bool> {
        self.questions += 1;
        match self.socket.send(Message::Text(format!("{EVENT}{}{}", self.questions, json!([event, payload])))) {
            Ok(()) => Ok(true),
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// All that has arrived.
    pub fn listen(&mut self) -> Result<Vec<String>> {
        let mut heard = Vec::new();
        loop {
            match self.read() {
                Ok(Some(text)) => heard.push(text),
                Ok(None) => {}
                Err(error) => match *error {
                    Error::Io(error) if error.kind() == ErrorKind::WouldBlock => return Ok(heard),
                    error => return Err(error.into()),
                },
            }
        }
    }

    fn write(&mut self, packet: String) -> Result<()> {
        Ok(self.socket.send(Message::Text(packet))?)
    }

    /// The next packet that is for us.
    fn read(&mut self) -> Result<Option<String>, Box<Error>> {
        match self.socket.read()? {
            Message::Text(text) if text == PING => {
                self.socket.send(Message::Text(PONG.into()))?;
                Ok(None)
            }
            Message::Text(text) if text.starts_with("41") || text == "1" => Err(Box::new(Error::ConnectionClosed)),
            Message::Text(text) => Ok(Some(text)),
            _ => Ok(None),
        }
    }

    /// What an event of this name brings.
    fn event(&mut self, name: &str) -> Result<Value> {
        let begun = Instant::now();
        while begun.elapsed() < ANSWER_MAX {
            if let Some((_, value)) = self.read()?.and_then(|text| event(&text)).filter(|(own, _)| own == name) {
                return Ok(value);
            }
        }
        bail!("no `{name}`")
    }

    /// The answer, and the events before it.
    fn ask(&mut self, name: &str, payload: &Value) -> Result<(Value, Vec<(String, Value)>)> {
        self.questions += 1;
        self.write(format!("{EVENT}{}{}", self.questions, json!([name, payload])))?;
        let (begun, mark) = (Instant::now(), format!("{ACK}{}[", self.questions));
        let mut events = Vec::new();
        while begun.elapsed() < ANSWER_MAX {
            let Some(text) = self.read()? else { continue };
            if text.starts_with(&mark) {
                let answers: Vec<Value> = serde_json::from_str(&text[mark.len() - 1..])?;
                return Ok((answers.into_iter().next().context("an empty answer")?, events));
            }
            events.extend(event(&text));
        }
        bail!("no answer to `{name}`")
    }
}

fn event(packet: &str) -> Option<(String, Value)> {
    let (name, value): (String, Value) = serde_json::from_str(packet.strip_prefix(EVENT)?).ok()?;
    Some((name, value))
}
