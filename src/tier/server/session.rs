//! One connection from its greeting to its end: commands out, events in, and the watch over its life.

use super::dial::{Dialer, words};
use super::engine::{Engine, Frame};
use super::inbox::Inbox;
use super::jamz as own;
use super::packet::{self, Incoming};
use super::refresh::Refresh;
use super::requests::{Question, Requests};
use super::tokens::Tokens;
use crate::core::backend::BackendCommand;
use crate::core::clock::MonoTime;
use crate::core::io::{Dialect, ServerCommand, ServerEvent};
use crate::wire::server::{backend, jamz};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};

/// How long leaving politely may take.
const FAREWELL: Duration = Duration::from_millis(500);

/// While there is something to do, deadlines strike so much later: their answers may be among what is not read yet.
const BUSY_US: i64 = 1_000_000;

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
    engine: Engine,
    dialect: Dialect,
    around: Around<'a>,
    requests: Requests,
    refresh: Refresh,
    /// The backend's session that we joined.
    joined: Option<backend::Session>,
    /// When the server last beat.
    beaten: MonoTime,
    /// Nonsense was reported; more of it goes to the debug log.
    warned: bool,
}

impl<'a> Session<'a> {
    pub(super) fn new(engine: Engine, dialect: Dialect, refresh: Refresh, around: Around<'a>) -> Self {
        let beaten = around.dialer.clock.now();
        Self { engine, dialect, around, requests: Requests::default(), refresh, joined: None, beaten, warned: false }
    }

    /// Carries until the connection ends.
    pub(super) async fn run(mut self) -> Ended {
        loop {
            if let Err(ended) = self.step().await {
                if ended == Ended::Asked {
                    self.engine.writer.say(packet::DISCONNECT);
                    self.engine.writer.close();
                    let _ = tokio::time::timeout(FAREWELL, self.engine.writer.pump()).await;
                }
                return ended;
            }
        }
    }

    async fn step(&mut self) -> Result<(), Ended> {
        let wait = self.wait();
        let Around { inbox, commands, overflow, stop, .. } = &mut self.around;
        let takes_commands = self.requests.has_room() && self.engine.writer.has_room();
        let mut idle = false;
        // In this order, so that no deadline strikes while its answer is here and only unread.
        tokio::select! {
            biased;
            _ = stop => return Err(Ended::Asked),
            () = overflow.notified() => return Err(Ended::Lost("more was said than the link carries; it begins anew".into())),
            delivered = inbox.deliver(), if !inbox.is_empty() => delivered.map_err(|_| Ended::Asked)?,
            pumped = self.engine.writer.pump(), if self.engine.writer.is_busy() => pumped?,
            command = commands.recv(), if takes_commands => self.on_command(command.ok_or(Ended::Asked)?)?,
            frame = self.engine.reader.next() => {
                let received = self.around.dialer.clock.now();
                self.on_frame(frame?, received)?;
            }
            Some(time_s) = self.refresh.server_time() => self.refresh.on_time(time_s, self.around.dialer.clock.now()),
            () = tokio::time::sleep(wait) => idle = true,
        }
        let now = self.around.dialer.clock.now();
        self.on_time(if idle { now } else { now - BUSY_US })
    }

    /// How long nothing is due.
    fn wait(&self) -> Duration {
        let beat = self.beaten + self.engine.beat_us_max;
        let due = [self.requests.next_deadline(self.engine.reader.held_up()), self.refresh.due(), Some(beat)];
        let first = due.into_iter().flatten().min().unwrap_or(beat);
        let us = (first - self.around.dialer.clock.now()).clamp(0, 60_000_000);
        Duration::from_micros(us as u64) + Duration::from_millis(1)
    }

    fn on_time(&mut self, now: MonoTime) -> Result<(), Ended> {
        while let Some(asked) = self.requests.overdue(now, self.engine.reader.held_up()) {
            let late = (now - asked.at) / 1_000;
            match asked.question {
                Question::Token => tracing::warn!("the server does not refresh the token; it is asked again later"),
                Question::Probe | Question::Ping => {
                    return Err(Ended::Lost(format!("the server is silent for {late} ms")));
                }
                other => {
                    tracing::debug!(?other, late, "unanswered");
                    return Err(Ended::Lost(format!("the server left a request without an answer for {late} ms")));
                }
            }
        }
        if now - self.beaten > self.engine.beat_us_max {
            return Err(Ended::Lost("the server's heartbeat stopped".into()));
        }
        if self.dialect == Dialect::Jamz && self.refresh.is_due(now) {
            self.ask(jamz::TOKEN, &json!({}), Question::Token)?;
        }
        Ok(())
    }

    fn on_command(&mut self, command: ServerCommand) -> Result<(), Ended> {
        match (self.dialect, command) {
            (Dialect::Jamz, command) => {
                if let Some((name, payload, question)) = own::question(&command) {
                    self.ask(name, &payload, question)?;
                }
            }
            (Dialect::Backend, ServerCommand::Probe { .. }) if self.requests.is_waiting_for(&Question::Ping) => {}
            (Dialect::Backend, ServerCommand::Probe { .. }) => {
                let number = self.requests.ask(Question::Ping, self.around.dialer.clock.now());
                self.engine.writer.ping(number);
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
                self.say(name, &packet::event_text(name, &payload, None))?;
            }
            (Dialect::Backend, _) => tracing::debug!("a command of the other dialect; dropped"),
        }
        Ok(())
    }

    fn ask(&mut self, name: &str, payload: &Value, question: Question) -> Result<(), Ended> {
        let number = self.requests.ask(question, self.around.dialer.clock.now());
        let text = packet::event_text(name, payload, Some(number));
        if !self.say(name, &text)? {
            self.requests.answered(number);
        }
        Ok(())
    }

    /// Says it, unless it is longer than the server takes: it would close the connection, again and again.
    fn say(&mut self, name: &str, text: &str) -> Result<bool, Ended> {
        if text.len() >= self.engine.payload_max {
            let reason = format!("`{name}` has {} bytes; the server takes {}", text.len(), self.engine.payload_max);
            tracing::warn!("{reason}");
            self.around.inbox.push(ServerEvent::Rejected { reason })?;
            return Ok(false);
        }
        self.engine.writer.say(text);
        Ok(true)
    }

    fn on_frame(&mut self, frame: Frame, received: MonoTime) -> Result<(), Ended> {
        match frame {
            Frame::Message(text) => match packet::parse(text.get(1..).unwrap_or_default()) {
                Ok(incoming) => self.on_packet(incoming, received)?,
                Err(error) => self.nonsense("a packet", &error.to_string()),
            },
            Frame::Beat => {
                self.beaten = received;
                self.engine.writer.beat();
            }
            Frame::Pong(number) => self.on_answer(number, Vec::new(), received)?,
            Frame::Closed => return Err(Ended::Lost("the server closed the connection".into())),
            Frame::Nothing => {}
        }
        Ok(())
    }

    fn on_packet(&mut self, incoming: Incoming, received: MonoTime) -> Result<(), Ended> {
        match incoming {
            Incoming::Event { name, args, ack } => {
                if let Some(number) = ack {
                    self.engine.writer.say(&packet::ack_text(number));
                }
                self.on_event(&name, args, received)?;
            }
            Incoming::Ack { id, args } => self.on_answer(id, args, received)?,
            Incoming::Disconnected => return Err(Ended::Lost("the server disconnected this car".into())),
            Incoming::Refused(said) => return Err(Ended::Lost(format!("the server says: {}", words(&said)))),
            Incoming::Foreign(what) => self.nonsense(what, "it cannot be read"),
            Incoming::Connected => {}
        }
        Ok(())
    }

    fn on_event(&mut self, name: &str, args: Vec<Value>, received: MonoTime) -> Result<(), Ended> {
        let read = match self.dialect {
            Dialect::Jamz => own::event(name, args),
            Dialect::Backend => backend::parse(name, args.first())
                .map(|event| event.map(|event| ServerEvent::Backend { event, received }))
                .map_err(|error| error.to_string()),
        };
        match read {
            Ok(Some(event)) => self.around.inbox.push(event)?,
            Ok(None) => tracing::trace!(name, "an event of no concern"),
            Err(problem) => self.nonsense(name, &problem),
        }
        Ok(())
    }

    fn on_answer(&mut self, number: u64, args: Vec<Value>, received: MonoTime) -> Result<(), Ended> {
        let Some(asked) = self.requests.answered(number) else {
            self.nonsense("an answer", "to a question that was not asked");
            return Ok(());
        };
        if asked.question == Question::Token {
            match own::fresh_token(&args) {
                Ok(text) => self.refresh.on_token(text, self.around.tokens, received),
                Err(problem) => tracing::warn!("the server does not refresh the token: {problem}"),
            }
            return Ok(());
        }
        match own::answer(&asked.question, args, asked.at, received) {
            Ok(Some(event)) => self.around.inbox.push(event)?,
            Ok(None) => {}
            Err(problem) => {
                self.nonsense("an answer", &problem);
                // Whoever waits for these must learn that nothing will come.
                if matches!(asked.question, Question::Join | Question::Change(_)) {
                    self.around.inbox.push(ServerEvent::Rejected { reason: words(&problem) })?;
                }
            }
        }
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
