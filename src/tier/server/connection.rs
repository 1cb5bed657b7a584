//! One Socket.IO connection: what is said and asked, what is heard. Dropping it closes the socket: nothing lives on.

use super::dial::{self, Dialer};
use super::token::Token;
use super::watched::Arrivals;
use crate::core::clock::{MonoTime, Monotonic};
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::{StreamExt, ready};
use rust_socketio::asynchronous::{Client, ClientBuilder};
use rust_socketio::packet::{Packet, PacketId};
use rust_socketio::rust_engineio::tungstenite::protocol::WebSocketConfig;
use rust_socketio::{Error, Event, Payload, TransportType};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::mpsc;

/// Longest message that is read, in bytes: a playlist of the greatest length fits, with room.
const MESSAGE_BYTES_MAX: usize = 16 << 20;
/// Longest name of an event that is believed, in bytes.
const NAME_BYTES_MAX: usize = 128;
/// A message of this many bytes holds up those behind it on a slow link.
const LONG_BYTES: usize = 4 << 10;
/// Messages that were read and wait to be heard; the reading of more waits for them.
const HEARD_MAX: usize = 64;
/// Messages that wait to be written; more means that the link carries less than is said.
const UNWRITTEN_MAX: usize = 1_024;
/// Longer than any answer is waited for.
const ANSWER_PATIENCE: Duration = Duration::from_mins(1);

/// What came from the server.
#[derive(Debug)]
pub(super) enum Heard {
    /// The server took the connection.
    Connected,
    /// The server refused the connection, in its words.
    Refused(String),
    /// The server ended the connection.
    Disconnected,
    Event {
        name: String,
        args: Vec<Value>,
        received: MonoTime,
    },
    /// The answer to the question, or to the ping, of this number.
    Answer {
        number: u64,
        args: Vec<Value>,
        received: MonoTime,
    },
    /// What makes no sense, and why.
    Nonsense(&'static str, String),
}

/// An open connection.
pub(super) struct Connection {
    pub(super) reader: Reader,
    pub(super) writer: Writer,
    /// Longest message that the server takes, in bytes.
    pub(super) payload_max: usize,
}

pub(super) struct Reader {
    heard: mpsc::Receiver<Heard>,
    /// Reads while it is polled; ends with the connection, and says why.
    reading: BoxFuture<'static, String>,
    ended: Option<String>,
    arrivals: Arc<Arrivals>,
}

pub(super) struct Writer {
    client: Arc<Client>,
    ears: Ears,
    unwritten: VecDeque<BoxFuture<'static, Result<(), Error>>>,
    /// Ends when the ping is answered.
    pinging: Option<BoxFuture<'static, Result<(), Error>>>,
}

/// Where callbacks put what they hear.
#[derive(Clone)]
struct Ears {
    heard: mpsc::Sender<Heard>,
    clock: Arc<dyn Monotonic>,
}

impl Connection {
    /// Dials, shows the token if there is one, and reads the server's opening; whether it takes us is heard later.
    pub(super) async fn open(dialer: &Dialer, token: Option<&Token>) -> Result<Self, String> {
        let (stream, arrivals) = dialer.dial().await?;
        let (sender, heard) = mpsc::channel(HEARD_MAX);
        let ears = Ears { heard: sender, clock: dialer.clock.clone() };
        let on_event = ears.clone();
        let mut builder = ClientBuilder::new(dialer.address.socket_io())
            .transport_type(TransportType::Websocket)
            .tls_config(dialer.tls.clone())
            .on_any(move |event, payload, _| on_event.event(event, payload));
        if let Some(token) = token {
            builder = builder.auth(json!({ "token": token.secret() }));
        }
        let config = WebSocketConfig {
            write_buffer_size: 0,
            max_message_size: Some(MESSAGE_BYTES_MAX),
            max_frame_size: Some(MESSAGE_BYTES_MAX),
            ..WebSocketConfig::default()
        };
        let client = Box::pin(builder.connect_over(stream, config)).await.map_err(|error| dialer.opening(&error))?;
        let payload_max = client.handshake().await.max_payload.and_then(|bytes| usize::try_from(bytes).ok());
        let reading = read(client.clone(), ears.heard.clone(), arrivals.clone()).boxed();
        Ok(Self {
            reader: Reader { heard, reading, ended: None, arrivals },
            writer: Writer { client: Arc::new(client), ears, unwritten: VecDeque::new(), pinging: None },
            payload_max: payload_max.unwrap_or(usize::MAX),
        })
    }
}

impl Ears {
    fn event(&self, event: Event, payload: Payload) -> BoxFuture<'static, ()> {
        let received = self.clock.now();
        let name = String::from(event);
        self.hear(match payload {
            _ if name.len() > NAME_BYTES_MAX => Heard::Nonsense("an event", "its name is too long".into()),
            Payload::Text(args) => Heard::Event { name, args, received },
            _ => Heard::Nonsense("a binary message", "it cannot be read".into()),
        })
    }

    fn answer(&self, number: u64, payload: Payload) -> BoxFuture<'static, ()> {
        let received = self.clock.now();
        let args = if let Payload::Text(args) = payload { args } else { Vec::new() };
        self.hear(Heard::Answer { number, args, received })
    }

    fn hear(&self, heard: Heard) -> BoxFuture<'static, ()> {
        let sender = self.heard.clone();
        // Fails only when the connection is being dropped.
        async move { drop(sender.send(heard).await) }.boxed()
    }
}

impl Reader {
    /// Waits for what comes next. Dropping the wait loses nothing.
    pub(super) async fn next(&mut self) -> Result<Heard, String> {
        if self.ended.is_none() {
            tokio::select! {
                biased;
                Some(heard) = self.heard.recv() => return Ok(heard),
                reason = &mut self.reading => self.ended = Some(reason),
            }
        }
        self.heard.try_recv().map_err(|_| self.ended.clone().unwrap_or_default())
    }

    /// Whether all that was read is heard.
    pub(super) fn is_idle(&self) -> bool {
        self.heard.is_empty()
    }

    /// When the last byte came of a message that held up, or still holds up, what is behind it.
    pub(super) fn held_up(&self) -> Option<MonoTime> {
        self.arrivals.held_up()
    }
}

/// Reads until the connection ends; the reason.
async fn read(client: Client, heard: mpsc::Sender<Heard>, arrivals: Arc<Arrivals>) -> String {
    let mut packets = client.as_stream().await;
    while let Some(packet) = packets.next().await {
        let tells = match packet {
            Ok(packet) => {
                arrivals.complete(packet.data.as_ref().is_some_and(|data| data.len() >= LONG_BYTES));
                told(packet)
            }
            Err(error @ Error::IncompleteResponseFromEngineIo(_)) => return dial::broken(&error),
            Err(error) => {
                arrivals.complete(false);
                Some(Heard::Nonsense("a packet", error.to_string()))
            }
        };
        if let Some(tells) = tells {
            // Fails only when the connection is being dropped.
            let _ = heard.send(tells).await;
        }
    }
    "the server closed the connection".into()
}

/// What a packet says of the connection; events and answers have their callbacks.
fn told(packet: Packet) -> Option<Heard> {
    if packet.nsp != "/" {
        return Some(Heard::Nonsense("a message of another namespace", "it is not for this car".into()));
    }
    match packet.packet_type {
        PacketId::Connect => Some(Heard::Connected),
        PacketId::ConnectError => Some(Heard::Refused(refusal(&packet.data.unwrap_or_default()))),
        PacketId::Disconnect => Some(Heard::Disconnected),
        _ => None,
    }
}

/// The words of a refusal: `{"message": ...}`, or whatever else was sent.
fn refusal(text: &str) -> String {
    let value: Option<Value> = serde_json::from_str(text).ok();
    let message = value.as_ref().and_then(|v| v.get("message").unwrap_or(v).as_str()).map(str::to_owned);
    message.unwrap_or_else(|| text.to_owned())
}

impl Writer {
    /// Queues an event.
    pub(super) fn say(&mut self, name: &'static str, payload: Value) {
        let client = self.client.clone();
        self.push(async move { client.emit(name, payload).await }.boxed());
    }

    /// Queues an event that asks for a [`Heard::Answer`] of this number.
    pub(super) fn ask(&mut self, name: &'static str, payload: Value, number: u64) {
        let (client, ears) = (self.client.clone(), self.ears.clone());
        let on_answer = move |payload, _| ears.answer(number, payload);
        self.push(async move { client.emit_with_ack(name, payload, ANSWER_PATIENCE, on_answer).await }.boxed());
    }

    /// Asks for a [`Heard::Answer`] of this number. Every WebSocket peer answers (RFC 6455, 5.5.2), also one
    /// without a clock.
    pub(super) fn ping(&mut self, number: u64) {
        let (client, ears) = (self.client.clone(), self.ears.clone());
        let answered = async move {
            client.ping().await?;
            ears.answer(number, Payload::Text(Vec::new())).await;
            Ok(())
        };
        self.pinging = Some(answered.boxed());
        self.start();
    }

    /// Says that we go.
    pub(super) fn close(&mut self) {
        let client = self.client.clone();
        self.push(async move { client.disconnect().await }.boxed());
        self.pinging = None;
    }

    pub(super) fn has_room(&self) -> bool {
        self.unwritten.len() < UNWRITTEN_MAX
    }

    pub(super) fn is_busy(&self) -> bool {
        self.pinging.is_some() || !self.unwritten.is_empty()
    }

    /// Writes what is queued. Dropping the wait loses nothing.
    pub(super) async fn pump(&mut self) -> Result<(), String> {
        let pumped = poll_fn(|cx| {
            if let Some(pinging) = &mut self.pinging
                && let Poll::Ready(answered) = pinging.poll_unpin(cx)
            {
                self.pinging = None;
                answered?;
            }
            while let Some(first) = self.unwritten.front_mut() {
                let written = ready!(first.poll_unpin(cx));
                self.unwritten.pop_front();
                written?;
            }
            if self.pinging.is_none() { Poll::Ready(Ok(())) } else { Poll::Pending }
        });
        pumped.await.map_err(|error: Error| dial::broken(&error))
    }

    fn push(&mut self, message: BoxFuture<'static, Result<(), Error>>) {
        self.unwritten.push_back(message);
        self.start();
    }

    /// Goes out now, if the socket takes it: a probe's time of sending has just been taken. An error shows in the
    /// next pump.
    fn start(&mut self) {
        let _ = self.pump().now_or_never();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_in_the_servers_words() {
        assert_eq!(refusal(r#"{"message":"jwt expired"}"#), "jwt expired");
        assert_eq!(refusal(r#""no""#), "no");
        assert_eq!(refusal("<html>"), "<html>");
    }
}
