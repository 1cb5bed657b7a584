//! One client's connection: admitted by its token, held to its limits, its messages read and queued in order.

use super::events::Heard;
use super::limits::{CONNECTIONS_MAX, Meters, QUEUE_MAX, weight};
use super::metrics::Metrics;
use super::probe::ClockCell;
use super::switchboard::{Ask, Inbound};
use super::token::{Keys, Pass, TokenError};
use crate::core::authority::ConnectionId;
use crate::core::clock::Monotonic;
use crate::wire::server::jamz::{self, Failure, Hello, HelloJamz};
use serde_json::Value;
use socketioxide::extract::{AckSender, Event, SocketRef, TryData};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// How long a client that is ended has to hear why; nothing that it says meanwhile counts.
const FAREWELL: Duration = Duration::from_millis(500);

/// What all connections share.
pub struct Entrance {
    /// None on an open server.
    pub keys: Option<Keys>,
    pub phones_without_token: bool,
    pub inbox: mpsc::Sender<Inbound>,
    pub clock: Arc<dyn Monotonic>,
    pub metrics: Arc<Metrics>,
}

/// One client's connection.
pub struct Connection {
    pub(super) id: ConnectionId,
    pub(super) pass: Pass,
    pub(super) entrance: Arc<Entrance>,
    /// Gone once the connection is closed.
    queue: Mutex<Option<mpsc::Sender<(Ask, AckSender)>>>,
    waiting: Mutex<Option<mpsc::Receiver<(Ask, AckSender)>>>,
    meters: Mutex<Meters>,
    pub(super) clock: Arc<ClockCell>,
    ended: AtomicBool,
}

impl Entrance {
    /// Lets a client in and listens to it from its first message on.
    ///
    /// # Errors
    /// Why not, as the client's `connect_error`.
    pub fn admit(self: &Arc<Self>, socket: &SocketRef, auth: Option<&Value>) -> Result<(), String> {
        let pass = self.pass(auth).inspect_err(|_| {
            self.metrics.refused.inc();
        })?;
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        let connection = Arc::new(Connection {
            id: ConnectionId(socket.id.to_string()),
            pass,
            entrance: Arc::clone(self),
            queue: Mutex::new(Some(queue)),
            waiting: Mutex::new(Some(waiting)),
            meters: Mutex::new(Meters::new(self.clock.now())),
            clock: Arc::default(),
            ended: AtomicBool::default(),
        });
        socket.extensions.insert(Arc::clone(&connection));
        let listener = Arc::clone(&connection);
        // The closure itself runs in the order of arrival; only the future that it returns would not.
        socket.on_fallback(move |socket: SocketRef, event: Event, data: TryData<Value>, ack: AckSender| {
            listener.hear(&socket, &event.0, data.0.ok(), ack);
            std::future::ready(())
        });
        socket.on_disconnect(move |_: SocketRef| {
            connection.close();
            std::future::ready(())
        });
        Ok(())
    }

    fn pass(&self, auth: Option<&Value>) -> Result<Pass, String> {
        if self.metrics.connections.get() >= CONNECTIONS_MAX as i64 {
            return Err("the server is full; try again later".into());
        }
        let Some(keys) = &self.keys else { return Ok(Pass::unchecked(false)) };
        match auth.and_then(|auth| auth.get("token")).and_then(Value::as_str) {
            Some(token) => keys.verify(token).map_err(|e| e.to_string()),
            None if self.phones_without_token => Ok(Pass::unchecked(true)),
            None => Err(TokenError::Missing.to_string()),
        }
    }
}

/// Greets a client and begins to pass on what it says.
pub fn welcome(socket: &SocketRef) {
    let Some(connection) = socket.extensions.get::<Arc<Connection>>() else { return };
    let waiting = connection.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(waiting) = waiting {
        tokio::spawn(pass_on(connection, socket.clone(), waiting));
    }
    let hello =
        Hello { ok: true, jamz: Some(HelloJamz { version: jamz::VERSION, challenge: Some(socket.id.to_string()) }) };
    let _ = socket.emit(jamz::HELLO, &hello);
}

/// Carries a connection's messages to the switchboard, each when there is room for it.
async fn pass_on(connection: Arc<Connection>, socket: SocketRef, mut waiting: mpsc::Receiver<(Ask, AckSender)>) {
    let inbox = connection.entrance.inbox.clone();
    let id = connection.id.clone();
    let opened = Inbound::Opened { connection: id.clone(), socket, clock: Arc::clone(&connection.clock) };
    drop(connection);
    let mut open = inbox.send(opened).await.is_ok();
    while open && let Some((ask, ack)) = waiting.recv().await {
        open = inbox.send(Inbound::Asked { connection: id.clone(), ask, ack }).await.is_ok();
    }
    let _ = inbox.send(Inbound::Closed { connection: id }).await;
}

impl Connection {
    fn close(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// One message. Nothing here waits.
    fn hear(&self, socket: &SocketRef, event: &str, data: Option<Value>, ack: AckSender) {
        let received = self.entrance.clock.now();
        if self.ended.load(Ordering::Relaxed) {
            return;
        }
        self.entrance.metrics.messages.inc();
        let bytes = data.as_ref().map_or(0, weight);
        let mut meters = self.meters.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = meters.count(bytes, received) {
            drop(meters);
            return self.end(socket, error, ack);
        }
        let heard = self.understand(event, data, bytes, &mut meters, received);
        drop(meters);
        match heard {
            Heard::Ask(ask) => self.queue(socket, ask, ack),
            Heard::Answer(payload) => {
                let _ = ack.send(&payload);
            }
            Heard::Nothing => {}
        }
    }

    fn queue(&self, socket: &SocketRef, ask: Ask, ack: AckSender) {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = queue.as_ref().map(|queue| queue.try_send((ask, ack)));
        drop(queue);
        if let Some(Err(mpsc::error::TrySendError::Full((_, ack)))) = sent {
            self.end(socket, format!("{QUEUE_MAX} messages wait already: wait for acknowledgements"), ack);
        }
    }

    /// Passes on a measured round trip; one that finds no room is no loss, as another follows.
    pub(super) fn note_round_trip(&self, us: i64) {
        let _ = self.entrance.inbox.try_send(Inbound::RoundTrip { connection: self.id.clone(), us });
    }

    /// Ends the connection, and says why.
    fn end(&self, socket: &SocketRef, error: String, ack: AckSender) {
        self.ended.store(true, Ordering::Relaxed);
        self.entrance.metrics.expelled.inc();
        let failure = Failure::passing(error);
        let _ = ack.send(&failure);
        let _ = socket.emit(jamz::ERROR, &failure);
        // What still arrives after a disconnect breaks the transport off, and the reason would never get out.
        let socket = socket.clone();
        tokio::spawn(async move {
            tokio::time::sleep(FAREWELL).await;
            let _ = socket.disconnect();
        });
    }
}
