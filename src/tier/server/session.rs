//! One connection from its greeting to its end: commands out, events in, and the watch over its life.

use super::connection::{Connection, Heard};
use super::dial::{Dialer, words};
use super::inbox::Inbox;
use super::jamz as own;
use super::pace::Pace;
use super::refresh::Refresh;
use super::requests::{Question, Requests};
use super::tokens::Tokens;
use crate::core::backend::BackendCommand;
use crate::core::clock::MonoTime;
use crate::core::io::{Dialect, ServerCommand, ServerEvent};
use crate::core::mesh::{SignalKind, SignedSignal};
use crate::wire::server::{backend, jamz, signal};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};

/// How long leaving politely may take.
const FAREWELL: Duration = Duration::from_millis(500);

/// While there is something to do, deadlines strike so much later: their answers may be among what is not read yet.
const BUSY_US: i64 = 1_000_000;

/// Longest wait with nothing due, in microseconds.
const WAIT_US_MAX: i64 = 60_000_000;
/// What stands around an event's name and payload in a message, in bytes: kind, number, brackets, quotes, comma.
const AROUND_BYTES: usize = 20;

/// Why a connection ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// We were asked to, or nobody listens any more.
    Asked,
    /// By itself.
    Lost(String),
}

impl From<String> for Ended {
    fn from(reason: String) -> Self {
        Self::Lost(reason)
    }
}

/// What a session shares with the link that it belongs to.
pub(super) struct Around<'a> {
    pub(super) dialer: &'a Dialer,
    pub(super) tokens: &'a mut Tokens,
    pub(super) inbox: &'a mut Inbox,
    pub(super) commands: &'a mut mpsc::Receiver<ServerCommand>,
    /// Commands came faster than they could be carried, and one was lost.
    pub(super) overflow: &'a Notify,
    pub(super) stop: &'a mut oneshot::Receiver<()>,
}

/// A connection in use.
pub(super) struct Session<'a> {
    connection: Connection,
    dialect: Dialect,
    around: Around<'a>,
    requests: Requests,
    refresh: Refresh,
    /// When the server answered last, whatever was asked.
    answered: Option<MonoTime>,
    /// The backend's session that we joined.
    joined: Option<backend::Session>,
    candidates: Pace,
    /// Nonsense was reported; more of it goes to the debug log.
    warned: bool,
    /// Why we are not taken in, as it was reported; the same again goes to the debug log.
    rejected: Option<String>,
}

impl<'a> Session<'a> {
    pub(super) fn new(connection: Connection, dialect: Dialect, refresh: Refresh, around: Around<'a>) -> Self {
        let (requests, candidates) = (Requests::default(), Pace::default());
        let (answered, joined, rejected) = (None, None, None);
        Self { connection, dialect, around, requests, refresh, answered, joined, candidates, warned: false, rejected }
    }

    /// Carries until the connection ends.
    pub(super) async fn run(mut self) -> Ended {
        loop {
            if let Err(ended) = self.step().await {
                if ended == Ended::Asked {
                    self.connection.writer.close();
                    let _ = tokio::time::timeout(FAREWELL, self.connection.writer.pump()).await;
                }
                return ended;
            }
        }
    }

    async fn step(&mut self) -> Result<(), Ended> {
        let wait = self.wait();
        let Around { inbox, commands, overflow, stop, .. } = &mut self.around;
        let takes_commands = self.requests.has_room() && self.connection.writer.has_room();
        let mut idle = false;
        // In this order, so that no deadline strikes while its answer is here and only unread.
        tokio::select! {
            biased;
            _ = stop => return Err(Ended::Asked),
            () = overflow.notified() => {
                return Err(Ended::Lost("more was said than the link carries; it begins anew".into()));
            }
            delivered = inbox.deliver(), if !inbox.is_empty() => delivered.map_err(|_| Ended::Asked)?,
            pumped = self.connection.writer.pump(), if self.connection.writer.is_busy() => pumped?,
            command = commands.recv(), if takes_commands => self.on_command(command.ok_or(Ended::Asked)?)?,
            heard = self.connection.reader.next() => self.on_heard(heard?)?,
            Some(time_s) = self.refresh.server_time() => self.refresh.on_time(time_s, self.around.dialer.clock.now()),
            () = tokio::time::sleep(wait) => idle = self.connection.reader.is_idle(),
        }
        let now = self.around.dialer.clock.now();
        self.say_candidates(now);
        self.on_time(if idle { now } else { now - BUSY_US })
    }

    /// How long nothing is due.
    fn wait(&self) -> Duration {
        let due =
            [self.requests.next_deadline(self.connection.reader.held_up()), self.refresh.due(), self.candidates.due()];
        let now = self.around.dialer.clock.now();
        let us = due.into_iter().flatten().min().map_or(WAIT_US_MAX, |first| (first - now).clamp(0, WAIT_US_MAX));
        Duration::from_micros(us as u64) + Duration::from_millis(1)
    }

    fn on_time(&mut self, now: MonoTime) -> Result<(), Ended> {
        while let Some(asked) = self.requests.overdue(now, self.connection.reader.held_up()) {
            let late = (now - asked.at) / 1_000;
            match asked.question {
                Question::Token => tracing::warn!("the server does not refresh the token; it is asked again later"),
                Question::Probe | Question::Ping => {
                    return Err(Ended::Lost(format!("the server is silent for {late} ms")));
                }
                Question::Invite { request, .. } => {
                    let result = Err("it does not answer; it may be older than this car".to_owned());
                    self.around.inbox.push(ServerEvent::Invited { request, result })?;
                }
                // The path lives: this one was not answered, and others are.
                Question::Change(change) if self.answered.is_some_and(|last| last > asked.at) => {
                    let reason = format!("the server left the change without an answer for {late} ms");
                    self.around.inbox.push(ServerEvent::Failed { change, reason })?;
                }
                other => {
                    tracing::debug!(?other, late, "unanswered");
                    return Err(Ended::Lost(format!("the server left a request without an answer for {late} ms")));
                }
            }
        }
        if self.dialect == Dialect::Jamz && self.refresh.is_due(now) {
            self.ask(jamz::TOKEN, json!({}), Question::Token)?;
        }
        Ok(())
    }

    fn on_command(&mut self, command: ServerCommand) -> Result<(), Ended> {
        match (self.dialect, command) {
            (dialect, ServerCommand::Signal(signed)) => self.on_signal(dialect, *signed)?,
            (Dialect::Jamz, command) => {
                if let Some((name, payload, question)) = own::question(&command) {
                    self.ask(name, payload, question)?;
                }
            }
            (Dialect::Backend, ServerCommand::Probe { .. }) if self.requests.is_waiting_for(&Question::Ping) => {}
            (Dialect::Backend, ServerCommand::Probe { .. }) => {
                let number = self.requests.ask(Question::Ping, self.around.dialer.clock.now());
                self.connection.writer.ping(number);
            }
            (Dialect::Backend, ServerCommand::Backend(command)) => {
                if let BackendCommand::JoinSession { convoy, user } = &command {
                    self.joined = Some(backend::Session { convoy: convoy.clone(), user: user.clone() });
                }
                let Some(session) = &self.joined else {
                    tracing::debug!("a command ahead of joining; dropped");
                    return Ok(());
                };
                let (name, payload) = backend::format(&command, session);
                match self.too_long(name, &payload) {
                    Some(reason) => self.around.inbox.push(ServerEvent::TooLong { reason })?,
                    None => self.connection.writer.say(name, payload),
                }
            }
            (Dialect::Backend, _) => tracing::debug!("a command of the other dialect; dropped"),
        }
        Ok(())
    }

    fn on_signal(&mut self, dialect: Dialect, signed: SignedSignal) -> Result<(), Ended> {
        if let Err(problem) = signal::check(&signed) {
            tracing::warn!(%problem, "a signal cannot be sent");
            return Ok(());
        }
        if dialect == Dialect::Backend {
            if signed.signal.kind != SignalKind::IceCandidate {
                self.say_signal(&signed);
                return Ok(());
            }
            if !self.candidates.push(signed) {
                tracing::warn!("too many candidates wait for the server; this attempt at a link may fail");
            }
        } else if let Some((name, payload, question)) = own::question(&ServerCommand::Signal(Box::new(signed))) {
            self.ask(name, payload, question)?;
        }
        Ok(())
    }

    fn say_candidates(&mut self, now: MonoTime) {
        while let Some(signed) = self.candidates.pop(now) {
            self.say_signal(&signed);
        }
    }

    /// Says a signal to the backend's session, whose room is that of its music.
    fn say_signal(&mut self, signed: &SignedSignal) {
        let Some(session) = &self.joined else {
            tracing::debug!("a signal ahead of joining; dropped");
            return;
        };
        let (name, payload) = signal::to_backend(signed, &session.user);
        match self.too_long(name, &payload) {
            Some(problem) => tracing::warn!(%problem, "a signal cannot be sent"),
            None => self.connection.writer.say(name, payload),
        }
    }

    fn ask(&mut self, name: &'static str, payload: Value, question: Question) -> Result<(), Ended> {
        match (self.too_long(name, &payload), question) {
            (None, question) => {
                let number = self.requests.ask(question, self.around.dialer.clock.now());
                self.connection.writer.ask(name, payload, number);
            }
            (Some(reason), Question::Change(change)) => {
                self.around.inbox.push(ServerEvent::Refused { change, reason })?;
            }
            (Some(reason), _) => self.around.inbox.push(ServerEvent::Rejected { reason })?,
        }
        Ok(())
    }

    /// Why the server would not take it, if it would not. Then it is not said: the server would close the connection,
    /// again and again.
    fn too_long(&self, name: &str, payload: &Value) -> Option<String> {
        let (bytes, bytes_max) = (name.len() + payload.to_string().len() + AROUND_BYTES, self.connection.payload_max);
        if bytes <= bytes_max {
            return None;
        }
        let reason = format!("`{name}` has {bytes} bytes; the server takes {bytes_max}");
        tracing::warn!("{reason}");
        Some(reason)
    }

    fn on_heard(&mut self, heard: Heard) -> Result<(), Ended> {
        match heard {
            Heard::Event { name, args, received } => self.on_event(&name, args, received)?,
            Heard::Answer { number, args, received } => self.on_answer(number, args, received)?,
            Heard::Disconnected => return Err(Ended::Lost("the server disconnected this car".into())),
            Heard::Refused(said) => return Err(Ended::Lost(format!("the server says: {}", words(&said)))),
            Heard::Nonsense(what, problem) => self.nonsense(what, &problem),
            Heard::Connected => {}
        }
        Ok(())
    }

    fn on_event(&mut self, name: &str, args: Vec<Value>, received: MonoTime) -> Result<(), Ended> {
        let read = match self.dialect {
            Dialect::Jamz => own::event(name, args),
            Dialect::Backend => self.read_backend(name, args.first(), received),
        };
        match read {
            Ok(Some(event)) => self.around.inbox.push(event)?,
            Ok(None) => tracing::trace!(name, "an event of no concern"),
            Err(problem) => self.nonsense(name, &problem),
        }
        Ok(())
    }

    fn read_backend(&self, name: &str, arg: Option<&Value>, received: MonoTime) -> Result<Option<ServerEvent>, String> {
        if let Some(session) = &self.joined {
            let signed = signal::from_backend(name, arg, &session.convoy);
            if let Some(signed) = signed.map_err(|error| format!("`{name}`: {error}"))? {
                return Ok(Some(ServerEvent::Signal(Box::new(signed))));
            }
        }
        let event = backend::parse(name, arg).map_err(|error| error.to_string())?;
        Ok(event.map(|event| ServerEvent::Backend { event, received }))
    }

    fn on_answer(&mut self, number: u64, args: Vec<Value>, received: MonoTime) -> Result<(), Ended> {
        let Some(asked) = self.requests.answered(number) else {
            self.nonsense("an answer", "to a question that was not asked");
            return Ok(());
        };
        self.answered = Some(received);
        if asked.question == Question::Token {
            match own::fresh_token(&args) {
                Ok(text) => self.refresh.on_token(text, self.around.tokens, received),
                Err(problem) => tracing::warn!("the server does not refresh the token: {problem}"),
            }
            return Ok(());
        }
        match own::answer(&asked.question, args, asked.at, received) {
            Ok(Some(event)) => {
                if let ServerEvent::Failed { change, reason } = &event {
                    tracing::debug!(%change, reason, "the server did not take a change this time");
                }
                if let ServerEvent::Rejected { reason } = &event {
                    self.on_rejected(reason)?;
                }
                self.around.inbox.push(event)?;
            }
            Ok(None) => {}
            Err(problem) => {
                self.nonsense("an answer", &problem);
                // Whoever waits for these must learn that nothing will come.
                let reason = words(&problem);
                match asked.question {
                    Question::Join => self.around.inbox.push(ServerEvent::Rejected { reason })?,
                    Question::Change(change) => self.around.inbox.push(ServerEvent::Failed { change, reason })?,
                    Question::Invite { request, .. } => {
                        self.around.inbox.push(ServerEvent::Invited { request, result: Err(reason) })?;
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// The server will not take us in; a better token may have come meanwhile, and is shown on a new connection.
    fn on_rejected(&mut self, reason: &str) -> Result<(), Ended> {
        if self.around.tokens.has_another() {
            return Err(Ended::Lost("there is another token; it is shown to the server".into()));
        }
        if self.rejected.as_deref() != Some(reason) {
            tracing::warn!("the server does not take this car in; `jamzctl status` says why");
            self.rejected = Some(reason.to_owned());
        }
        tracing::debug!(reason, "rejected");
        Ok(())
    }

    /// Reports what makes no sense: once, and without its content, which may be personal.
    fn nonsense(&mut self, what: &str, problem: &str) {
        if !self.warned {
            tracing::warn!(what, "the server speaks nonsense; the debug log has it all");
            self.warned = true;
        }
        tracing::debug!(what, problem = words(problem), "nonsense");
    }
}
