//! What crosses between the API and the loop that runs the core.

use crate::core::clock::MonoTime;
use crate::core::id::EntryId;
use crate::core::playlist::Track;
use crate::core::request::{
    Command, Done, Gathering, HistoryEntry, InvitationLink, LibraryProblem, LibraryTrack, Measured, OutputInfo, Query,
    Refusal,
};
use crate::core::roadside::Invitation;
use tokio::sync::oneshot;

/// A request and the place for its answer. A dropped `reply` is told to the caller as a failure.
#[derive(Debug)]
pub struct Call {
    pub request: Request,
    pub reply: oneshot::Sender<Result<Answer, Refusal>>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    Command(Command),
    Query(Query),
    Gathering(Gathering),
    /// Of the delay of the output in use, by a microphone; by the one that can hear it, where the name is empty.
    Measurement {
        microphone: String,
    },
}

/// What a request is answered with: each kind of request has one kind of answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// To every [`Command`] but two, and to [`Gathering::Join`].
    Done(Done),
    /// To [`Command::Invite`].
    Link(InvitationLink),
    /// To [`Command::Chirp`]: when the first sound of it leaves the card.
    Chirping { at: MonoTime },
    /// To [`Request::Measurement`].
    Measured(Measured),
    /// To [`Query::LibraryScan`]: it goes on in the background.
    Started,
    /// To [`Query::LibrarySearch`].
    Tracks(Vec<LibraryTrack>),
    /// To [`Query::LibraryProblems`].
    Problems(Vec<LibraryProblem>),
    /// To [`Query::Outputs`].
    Outputs(Vec<OutputInfo>),
    /// To [`Query::History`], the newest first.
    History(Vec<HistoryEntry>),
    /// To [`Query::Config`].
    Config(serde_json::Value),
    /// To [`Gathering::Found`].
    Invitation(Invitation),
}

/// The playlist as it is shown, in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Queue {
    /// The same as `Status::queue_revision` had when this was taken.
    pub revision: u64,
    pub entries: Vec<QueueEntry>,
}

/// One place in the playlist.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueEntry {
    pub id: EntryId,
    pub track: Track,
}
