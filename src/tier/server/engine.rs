//! Engine.IO 4 over one WebSocket: opening, messages, heartbeats. Dropping it closes the connection: nothing of it lives on.

use super::dial::{self, Dialer, Socket};
use super::watched::Arrivals;
use crate::core::clock::MonoTime;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{FutureExt, SinkExt, StreamExt};
use serde::Deserialize;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

/// Messages that wait to be written; more means that the link carries less than is said.
const UNWRITTEN_MAX: usize = 1_024;
/// A message of this many bytes holds up those behind it on a slow link.
const LONG_BYTES: usize = 4 << 10;
/// A server that beats more rarely than this is not waited for.
const BEAT_MS_MAX: u64 = 300_000;

/// What the server says on opening.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Open {
    ping_interval: u64,
    ping_timeout: u64,
    /// Longest message that the server takes, in bytes.
    #[serde(default)]
    max_payload: Option<usize>,
}

/// What was read.
#[derive(Debug)]
pub(super) enum Frame {
    /// A Socket.IO packet follows the first byte.
    Message(Utf8Bytes),
    /// The server's heartbeat, to be answered.
    Beat,
    /// The answer to our ping of this number.
    Pong(u64),
    Closed,
    /// Of no meaning to us, but a sign of life.
    Nothing,
}

/// An open connection.
pub(super) struct Engine {
    pub(super) reader: Reader,
    pub(super) writer: Writer,
    /// Longest message that the server takes, in bytes.
    pub(super) payload_max: usize,
    /// The server is gone when it has not beaten for so long.
    pub(super) beat_us_max: i64,
}

pub(super) struct Reader {
    stream: SplitStream<Socket>,
    arrivals: Arc<Arrivals>,
    /// Bytes that had come when the last message was complete.
    bytes_complete: u64,
    /// When the last long message was complete.
    long_complete: Option<MonoTime>,
}

pub(super) struct Writer {
    sink: SplitSink<Socket, Message>,
    unwritten: VecDeque<Message>,
    unflushed: bool,
}

impl Engine {
    /// Dials, and reads the server's opening.
    pub(super) async fn open(dialer: &Dialer) -> Result<Self, String> {
        let (socket, arrivals) = dialer.dial().await?;
        let (sink, stream) = socket.split();
        let mut reader = Reader { stream, arrivals, bytes_complete: 0, long_complete: None };
        let Some(Message::Text(text)) = reader.message().await? else {
            return Err(dial::foreign("it opens with something else than Engine.IO"));
        };
        let open: Option<Open> = text.strip_prefix('0').and_then(|json| serde_json::from_str(json).ok());
        let open = open.ok_or_else(|| dial::foreign(&format!("it opens with {:?}", dial::words(&text))))?;
        let beat_ms = open.ping_interval.saturating_add(open.ping_timeout).min(BEAT_MS_MAX);
        Ok(Self {
            reader,
            writer: Writer { sink, unwritten: VecDeque::new(), unflushed: false },
            payload_max: open.max_payload.unwrap_or(usize::MAX),
            beat_us_max: beat_ms as i64 * 1_000,
        })
    }
}

impl Reader {
    /// Waits for the next frame. Dropping the wait loses nothing.
    pub(super) async fn next(&mut self) -> Result<Frame, String> {
        Ok(match self.message().await? {
            Some(Message::Text(text)) => match text.as_bytes().first() {
                Some(b'4') => Frame::Message(text),
                Some(b'2') => Frame::Beat,
                Some(b'1') => Frame::Closed,
                _ => Frame::Nothing,
            },
            Some(Message::Pong(payload)) => {
                payload.as_ref().try_into().map_or(Frame::Nothing, |bytes| Frame::Pong(u64::from_be_bytes(bytes)))
            }
            Some(Message::Close(_)) | None => Frame::Closed,
            Some(_) => Frame::Nothing,
        })
    }

    /// When the last byte came of a message that held up, or still holds up, what is behind it.
    pub(super) fn held_up(&self) -> Option<MonoTime> {
        let partly_here = self.arrivals.bytes() > self.bytes_complete;
        if partly_here { Some(self.arrivals.last()) } else { self.long_complete }
    }

    async fn message(&mut self) -> Result<Option<Message>, String> {
        let message = self.stream.next().await;
        self.bytes_complete = self.arrivals.bytes();
        if let Some(Ok(Message::Text(text))) = &message
            && text.len() >= LONG_BYTES
        {
            self.long_complete = Some(self.arrivals.last());
        }
        message.transpose().map_err(|error| dial::broken(&error))
    }
}

impl Writer {
    /// Queues a Socket.IO packet.
    pub(super) fn say(&mut self, packet: &str) {
        self.push(Message::text(format!("4{packet}")));
    }

    /// Answers the server's heartbeat.
    pub(super) fn beat(&mut self) {
        self.push(Message::text("3"));
    }

    /// Asks for a [`Frame::Pong`] of this number. Every WebSocket peer answers (RFC 6455, 5.5.2), also one without a clock.
    pub(super) fn ping(&mut self, number: u64) {
        self.push(Message::Ping(number.to_be_bytes().to_vec().into()));
    }

    /// Says that we go.
    pub(super) fn close(&mut self) {
        self.push(Message::text("1"));
        self.push(Message::Close(None));
    }

    pub(super) fn has_room(&self) -> bool {
        self.unwritten.len() < UNWRITTEN_MAX
    }

    pub(super) fn is_busy(&self) -> bool {
        self.unflushed || !self.unwritten.is_empty()
    }

    /// Writes what is queued. Dropping the wait loses nothing.
    pub(super) async fn pump(&mut self) -> Result<(), String> {
        while !self.unwritten.is_empty() {
            poll_fn(|cx| self.sink.poll_ready_unpin(cx)).await.map_err(|error| dial::broken(&error))?;
            if let Some(message) = self.unwritten.pop_front() {
                self.unflushed = true;
                self.sink.start_send_unpin(message).map_err(|error| dial::broken(&error))?;
            }
        }
        self.sink.flush().await.map_err(|error| dial::broken(&error))?;
        self.unflushed = false;
        Ok(())
    }

    fn push(&mut self, message: Message) {
        self.unwritten.push_back(message);
        // Goes out now, if the socket takes it: a probe's time of sending has just been taken. An error shows in the next pump.
        let _ = self.pump().now_or_never();
    }
}
