//! The car as the bus objects see it: its newest snapshot, its queue, and a bounded way to ask something of it.

use super::call::{Answer, Call, Queue, Request};
use super::error::Error;
use crate::core::chirp::{Part, TRAIN_US};
use crate::core::clock::Monotonic;
use crate::core::request::{Command, InvitationLink, Measured, Query, Reach};
use crate::core::status::Status;
use crate::core::ticket::Role;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

/// Calls under way at once, of all callers together.
const CALLS_MAX: usize = 64;
/// D-Bus callers give up after 25 s; they are told why before that.
const REPLY_MAX: Duration = Duration::from_secs(20);
/// How long a setter waits until the snapshot shows what it set.
const SHOWN_MAX: Duration = Duration::from_secs(1);

#[derive(Clone)]
pub(super) struct Car {
    calls: mpsc::Sender<Call>,
    status: watch::Receiver<Arc<Status>>,
    queue: watch::Receiver<Arc<Queue>>,
    clock: Arc<dyn Monotonic>,
    permits: Arc<Semaphore>,
}

impl Car {
    pub(super) fn new(
        calls: mpsc::Sender<Call>,
        status: watch::Receiver<Arc<Status>>,
        queue: watch::Receiver<Arc<Queue>>,
        clock: Arc<dyn Monotonic>,
    ) -> Self {
        Self { calls, status, queue, clock, permits: Arc::new(Semaphore::new(CALLS_MAX)) }
    }

    /// The newest snapshot, as it was taken.
    pub(super) fn status(&self) -> Arc<Status> {
        self.status.borrow().clone()
    }

    /// The newest snapshot, brought up to this moment.
    pub(super) fn status_now(&self) -> Status {
        self.status().at(self.clock.now())
    }

    pub(super) fn queue(&self) -> Arc<Queue> {
        self.queue.borrow().clone()
    }

    /// Whether this car may control playback: it leads, or nobody does.
    pub(super) fn may_control(&self) -> bool {
        let status = self.status();
        status.is_controller || status.controller.is_none()
    }

    /// How far the changes of a command have come, and their ids: what every method that changes something returns.
    pub(super) async fn command(&self, command: Command) -> Result<(String, Vec<String>), Error> {
        self.done(Request::Command(command)).await
    }

    /// As [`Self::command`], of what makes a change in the end.
    pub(super) async fn done(&self, request: Request) -> Result<(String, Vec<String>), Error> {
        match self.ask(request).await? {
            Answer::Done(done) => {
                let reach = match done.reach {
                    Reach::Convoy => "convoy",
                    Reach::Local => "local",
                };
                Ok((reach.to_owned(), done.changes.iter().map(ToString::to_string).collect()))
            }
            other => Err(unexpected(&other)),
        }
    }

    /// A link by which a phone joins.
    pub(super) async fn invite(&self, role: Option<Role>) -> Result<InvitationLink, Error> {
        match self.ask(Request::Command(Command::Invite { role })).await? {
            Answer::Link(link) => Ok(link),
            other => Err(unexpected(&other)),
        }
    }

    /// Plays a train of chirps, and says how long it takes from now until it has ended, in microseconds.
    pub(super) async fn chirp(&self, part: Part) -> Result<i64, Error> {
        match self.ask(Request::Command(Command::Chirp { part })).await? {
            Answer::Chirping { at } => Ok((at + TRAIN_US - self.clock.now()).max(0)),
            other => Err(unexpected(&other)),
        }
    }

    /// What the output in use needs to be heard, by a microphone.
    pub(super) async fn measure(&self, microphone: String) -> Result<Measured, Error> {
        match self.ask(Request::Measurement { microphone }).await? {
            Answer::Measured(measured) => Ok(measured),
            other => Err(unexpected(&other)),
        }
    }

    pub(super) async fn query(&self, query: Query) -> Result<Answer, Error> {
        self.ask(Request::Query(query)).await
    }

    /// Sets the volume, and returns once the snapshot shows it, so that no reader is told the old value after the new
    /// one.
    pub(super) async fn set_volume(&self, level: f64) -> Result<(), Error> {
        if !(0.0..=1.0).contains(&level) {
            return Err(Error::Invalid(format!("volume {level} is out of range; it goes from 0 to 1")));
        }
        self.command(Command::Volume { level }).await?;
        let mut status = self.status.clone();
        let shown = status.wait_for(|status| (status.volume - level).abs() < 1e-6);
        // A car that shows something else has its reasons; the property tells the truth either way.
        let _ = tokio::time::timeout(SHOWN_MAX, shown).await;
        Ok(())
    }

    /// Waits until the queue is as `accept` wants it; none when that does not happen soon.
    pub(super) async fn queue_where(&self, accept: impl FnMut(&Arc<Queue>) -> bool) -> Option<Arc<Queue>> {
        let mut queue = self.queue.clone();
        let accepted = queue.wait_for(accept);
        tokio::time::timeout(SHOWN_MAX, accepted).await.ok()?.ok().map(|queue| queue.clone())
    }

    pub(super) async fn ask(&self, request: Request) -> Result<Answer, Error> {
        let _permit = self
            .permits
            .try_acquire()
            .map_err(|_| Error::Busy("the head unit has too much to do; try again in a moment".into()))?;
        let answered = async {
            let (reply, answer) = oneshot::channel();
            let sent = self.calls.send(Call { request, reply }).await;
            sent.map_err(|_| Error::Failed("the head unit is shutting down".into()))?;
            let dropped = |_| Error::Failed("the head unit dropped the request; see its log".into());
            Ok(answer.await.map_err(dropped)??)
        };
        tokio::time::timeout(REPLY_MAX, answered).await.unwrap_or_else(|_| {
            Err(Error::Failed(format!(
                "the head unit did not answer within {} s; what was asked may still be done",
                REPLY_MAX.as_secs()
            )))
        })
    }
}

/// An answer of the wrong kind is a fault of the daemon; its kind is told, not its content.
pub(super) fn unexpected(answer: &Answer) -> Error {
    let kind = match answer {
        Answer::Done(_) => "done",
        Answer::Link(_) => "a link",
        Answer::Chirping { .. } => "chirping",
        Answer::Measured(_) => "measured",
        Answer::Started => "started",
        Answer::Tracks(_) => "tracks",
        Answer::Problems(_) => "problems",
        Answer::Outputs(_) => "outputs",
        Answer::History(_) => "history",
        Answer::Config(_) => "config",
        Answer::Invitation(_) => "invitation",
    };
    tracing::error!(kind, "a request was answered with the wrong kind of answer");
    Error::Failed(format!("the head unit answered with {kind}, which was not asked; please report this"))
}
