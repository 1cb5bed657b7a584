//! Tier 1: the Socket.IO connection to the server, whose whole life is owned here.
//!
//! One task owns it: `link` attempts without end; `handshake` makes a connection (`dial` opens and `watched` watches a
//! stream, over which `connection` has rust_socketio speak Socket.IO); `session` carries over it and watches its life
//! (`requests`, `pace`); `tokens`, `token`, `refresh` and `http` show the server who we are. Nothing of a connection
//! outlives its `session`: dropping it closes the socket.

mod address;
mod backoff;
mod config;
mod connection;
mod dial;
mod handshake;
mod http;
mod inbox;
mod jamz;
mod link;
mod pace;
mod refresh;
mod requests;
mod session;
mod token;
mod tokens;
mod watched;

pub use address::AddressError;
pub use config::{Config, TierError};

use crate::core::clock::Monotonic;
use crate::core::io::{ServerCommand, ServerEvent};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;

/// Commands that wait to be carried; one more, and the connection begins anew.
const COMMANDS_MAX: usize = 1_024;
/// How long closing may take.
const CLOSE_DEADLINE: Duration = Duration::from_secs(2);

/// A handle to the link; dropping it ends the link.
#[derive(Debug)]
pub struct ServerLink {
    commands: mpsc::Sender<ServerCommand>,
    overflow: Arc<Notify>,
    retry: Arc<Notify>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl ServerLink {
    /// Starts connecting, within a tokio runtime that has time and I/O. Events are `Up` and `Down` in turn, and
    /// between them what the server says.
    ///
    /// # Errors
    /// [`TierError`] when the configuration cannot be used; a server that cannot be reached is no error but a `Down`.
    pub fn start(
        config: Config,
        clock: Arc<dyn Monotonic>,
        events: mpsc::Sender<ServerEvent>,
    ) -> Result<Self, TierError> {
        // The moment of the start differs from car to car, which is all that the jitter needs.
        let backoff = backoff::Backoff::new(clock.now().0 as u64);
        let dialer = dial::Dialer::new(config.address()?, config.ca_file.as_deref(), clock)?;
        let (commands, receiver) = mpsc::channel(COMMANDS_MAX);
        let (stop, stopped) = oneshot::channel();
        let (overflow, retry) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let link = link::Link {
            dialer,
            tokens: tokens::Tokens::new(config.token_file, config.credentials_file),
            inbox: inbox::Inbox::new(events),
            commands: receiver,
            overflow: overflow.clone(),
            retry: retry.clone(),
            stop: stopped,
            backoff,
            told: None,
        };
        Ok(Self { commands, overflow, retry, stop, task: tokio::spawn(link.run()) })
    }

    /// Sends a command at most once; without a connection it is dropped. When more is sent than the link carries, the
    /// connection begins anew (`Down`, then `Up`), so that the core knows to send again what matters.
    pub fn send(&self, command: ServerCommand) {
        if let Err(TrySendError::Full(_)) = self.commands.try_send(command) {
            self.overflow.notify_one();
        }
    }

    /// A network has come up: connects now, rather than after the rest of the wait.
    pub fn retry_now(&self) {
        self.retry.notify_one();
    }

    /// Leaves the server politely.
    pub async fn close(self) {
        let Self { stop, task, .. } = self;
        let _ = stop.send(());
        let abort = task.abort_handle();
        if tokio::time::timeout(CLOSE_DEADLINE, task).await.is_err() {
            abort.abort();
        }
    }
}
