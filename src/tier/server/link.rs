//! The life of the link: attempts without end, never in a hot loop, one connection after another.

use super::backoff::{Backoff, GOOD_AFTER_US};
use super::connection::Connection;
use super::dial::Dialer;
use super::handshake::{self, Failure, Greeting};
use super::inbox::{Abandoned, Inbox};
use super::refresh::Refresh;
use super::session::{Around, Ended, Session};
use super::token::Token;
use super::tokens::Tokens;
use crate::core::io::{Dialect, ServerCommand, ServerEvent};
use futures_util::FutureExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};

/// An attempt this old may be given up for a fresh one over a new network.
const ATTEMPT_OLD: Duration = Duration::from_millis(500);
/// Between two attempts, whoever asks for them.
const PAUSE: Duration = Duration::from_millis(100);

/// Everything that outlives a connection.
pub(super) struct Link {
    pub(super) dialer: Dialer,
    pub(super) tokens: Tokens,
    pub(super) inbox: Inbox,
    pub(super) commands: mpsc::Receiver<ServerCommand>,
    pub(super) overflow: Arc<Notify>,
    pub(super) retry: Arc<Notify>,
    pub(super) stop: oneshot::Receiver<()>,
    pub(super) backoff: Backoff,
    /// The reason that was told last; it is not told again until it changes.
    pub(super) told: Option<String>,
}

/// A connection that is ready.
struct Ready {
    connection: Connection,
    greeting: Greeting,
    token: Option<Token>,
}

/// What became of an attempt.
enum Attempt {
    Ready(Box<Ready>),
    Failed(String),
    /// A network has come up since; this attempt may hang in the one that is gone.
    Again,
    Stopped,
}

impl Link {
    /// Runs until it is stopped, or nobody listens.
    pub(super) async fn run(mut self) {
        while let Ok(()) = self.once().await {}
    }

    /// One attempt, what comes of it, and the wait after it. An error ends the link.
    async fn once(&mut self) -> Result<(), Abandoned> {
        match self.attempt().await {
            Attempt::Ready(ready) => {
                let connected = self.dialer.clock.now();
                let ended = self.carry(*ready).await?;
                if self.dialer.clock.now() - connected >= GOOD_AFTER_US {
                    self.backoff.reset();
                }
                match ended {
                    Ended::Asked => return Err(Abandoned),
                    Ended::Lost(reason) => self.tell_down(reason).await?,
                }
            }
            Attempt::Failed(reason) => self.tell_down(reason).await?,
            Attempt::Again => {
                self.backoff.reset();
                return Ok(());
            }
            Attempt::Stopped => return Err(Abandoned),
        }
        self.pause().await
    }

    async fn attempt(&mut self) -> Attempt {
        let Self { dialer, tokens, commands, retry, stop, .. } = self;
        tokio::select! {
            made = make(dialer, tokens) => match made {
                Ok(ready) => Attempt::Ready(Box::new(ready)),
                Err(reason) => Attempt::Failed(reason),
            },
            open = drop_commands(commands) => open,
            () = async { tokio::time::sleep(ATTEMPT_OLD).await; retry.notified().await; } => Attempt::Again,
            _ = stop => Attempt::Stopped,
        }
    }

    async fn carry(&mut self, ready: Ready) -> Result<Ended, Abandoned> {
        let Ready { connection, greeting: Greeting { dialect, challenge }, token } = ready;
        // What was said while nobody listened is not said now: it was dropped, and the core knows.
        while self.commands.try_recv().is_ok() {}
        let _ = self.overflow.notified().now_or_never();
        tracing::info!(dialect = dialect.as_str(), "connected to the server");
        self.told = None;
        self.inbox.push(ServerEvent::Up { dialect, challenge }).map_err(|_| Abandoned)?;
        let refresh = if dialect == Dialect::Jamz { Refresh::new(token, &self.dialer) } else { Refresh::none() };
        let around = Around {
            dialer: &self.dialer,
            tokens: &mut self.tokens,
            inbox: &mut self.inbox,
            commands: &mut self.commands,
            overflow: &self.overflow,
            stop: &mut self.stop,
        };
        Ok(Session::new(connection, dialect, refresh, around).run().await)
    }

    async fn tell_down(&mut self, reason: String) -> Result<(), Abandoned> {
        if self.told.as_ref() == Some(&reason) {
            tracing::debug!(reason, "still no connection to the server");
            return Ok(());
        }
        tracing::info!(reason, "no connection to the server");
        self.told = Some(reason.clone());
        tokio::select! {
            told = self.inbox.deliver_all(ServerEvent::Down { reason }) => told,
            _ = &mut self.stop => Err(Abandoned),
        }
    }

    async fn pause(&mut self) -> Result<(), Abandoned> {
        let Self { backoff, commands, retry, stop, .. } = self;
        tokio::select! {
            () = tokio::time::sleep(backoff.next_wait()) => {}
            () = retry.notified() => {
                backoff.reset();
                tokio::time::sleep(PAUSE).await;
            }
            _ = drop_commands(commands) => return Err(Abandoned),
            _ = stop => return Err(Abandoned),
        }
        Ok(())
    }
}

/// Connects with the token at hand, and when that is refused once more with a fresh one, if there is a way to get it.
async fn make(dialer: &Dialer, tokens: &mut Tokens) -> Result<Ready, String> {
    let token = tokens.obtain(dialer).await?;
    let said = match handshake::shake(dialer, token.as_ref()).await {
        Ok((connection, greeting)) => return Ok(Ready { connection, greeting, token }),
        Err(Failure::Unreachable(reason)) => return Err(reason),
        Err(Failure::Refused(said)) => said,
    };
    let reason = tokens.refuse(token.as_ref(), &said);
    let Some(token) = tokens.log_in(dialer).await? else { return Err(reason) };
    match handshake::shake(dialer, Some(&token)).await {
        Ok((connection, greeting)) => Ok(Ready { connection, greeting, token: Some(token) }),
        Err(Failure::Unreachable(reason)) => Err(reason),
        Err(Failure::Refused(said)) => Err(tokens.refuse(Some(&token), &said)),
    }
}

/// Drops what is said while there is no connection; returns when nobody can say anything any more.
async fn drop_commands(commands: &mut mpsc::Receiver<ServerCommand>) -> Attempt {
    while commands.recv().await.is_some() {
        tracing::debug!("a command while there is no connection; dropped");
    }
    Attempt::Stopped
}
