//! Requests of the API: commands go to the core, questions to the edge that knows.

use super::calibration;
use super::config::Config;
use super::edges::Edges;
use super::roadside::{self, Core, Reply};
use crate::api::{Answer, Call, Request};
use crate::audio;
use crate::core::id::ConvoyId;
use crate::core::io::{Input, RequestId};
use crate::core::playlist::Track;
use crate::core::request::{Addition, Command, LibraryTrack, OutputInfo, Query, Refusal};
use crate::store::library::Library;
use std::collections::BTreeMap;
use tokio::sync::oneshot;

/// Those who wait for the core's answer.
#[derive(Debug, Default)]
pub(super) struct Requests {
    next: u64,
    open: BTreeMap<RequestId, Reply>,
}

impl Requests {
    /// Takes a call in; a command becomes an input for the core.
    pub(super) fn take(
        &mut self,
        call: Call,
        convoy: Option<ConvoyId>,
        edges: &Edges,
        config: &Config,
    ) -> Option<Input> {
        let Call { request, reply } = call;
        match request {
            Request::Query(query) => {
                ask(query, reply, edges, config);
                None
            }
            Request::Gathering(_) if !config.mesh.enabled => {
                let problem = "links between cars are switched off: set `enabled = true` under [mesh]";
                let _ = reply.send(Err(Refusal::Invalid(problem.into())));
                None
            }
            Request::Gathering(wish) => {
                roadside::fulfil(wish, convoy, edges.founding().clone(), self.core(edges), reply);
                None
            }
            Request::Measurement { microphone } => {
                let (output, ears) = (config.audio.output.clone(), edges.audio.ears());
                calibration::measure(output, microphone, ears, self.core(edges), reply);
                None
            }
            Request::Command(command @ (Command::Leave | Command::Join { .. }))
                if edges.founding().kept().is_some() =>
            {
                roadside::depart(command, edges.founding().clone(), self.core(edges), reply);
                None
            }
            Request::Command(command) => {
                let request = self.open(reply);
                match command {
                    Command::QueueAdd { tracks, index } if tracks.iter().any(is_of_library) => {
                        look_up(request, tracks, index, edges);
                        None
                    }
                    command => Some(Input::Command { request, command }),
                }
            }
        }
    }

    fn open(&mut self, reply: Reply) -> RequestId {
        self.next += 1;
        let request = RequestId(self.next);
        self.open.insert(request, reply);
        request
    }

    /// For a command that the core is given later, if at all.
    fn core(&mut self, edges: &Edges) -> Core {
        self.open.retain(|_, reply| !reply.is_closed());
        let (reply, answer) = oneshot::channel();
        Core { request: self.open(reply), answer, inputs: edges.inputs.clone() }
    }

    pub(super) fn answer(&mut self, request: RequestId, result: Result<Answer, Refusal>) {
        if let Some(reply) = self.open.remove(&request) {
            // Whoever asked may have gone.
            let _ = reply.send(result);
        }
    }
}

fn is_of_library(addition: &Addition) -> bool {
    matches!(addition, Addition::Library(_))
}

/// The core does not know the library: what is named by it is looked up here, off the loop, and then the core has the
/// command.
fn look_up(request: RequestId, tracks: Vec<Addition>, index: Option<usize>, edges: &Edges) {
    let (library, inputs) = (edges.tracks.library().clone(), edges.inputs.clone());
    tokio::task::spawn_blocking(move || {
        let tracks = tracks.into_iter().map(|addition| known(addition, &library)).collect();
        // Fails only when the daemon ends.
        let _ = inputs.blocking_send(Input::Command { request, command: Command::QueueAdd { tracks, index } });
    });
}

/// A track of the library with all that is known of it; what the library does not have stays as it is.
fn known(addition: Addition, library: &Library) -> Addition {
    let Addition::Library(id) = addition else { return addition };
    let Some(found) = library.get(&id) else { return Addition::Library(id) };
    let LibraryTrack { id, title, artist, album, duration_us, path: _ } = found.track;
    let extra = serde_json::Map::new();
    Addition::Known(Box::new(Track { id, title, artist, album, duration_us, url: None, extra }))
}

/// Answers at once, or from a thread that may wait for a disk or a sound card.
fn ask(query: Query, reply: Reply, edges: &Edges, config: &Config) {
    let library = edges.tracks.library().clone();
    match query {
        Query::LibraryScan => {
            library.scan();
            let _ = reply.send(Ok(Answer::Started));
        }
        Query::Config => {
            let value = serde_json::to_value(config).map(Answer::Config);
            let _ = reply.send(value.map_err(|error| Refusal::Failed(error.to_string())));
        }
        Query::LibrarySearch { text, limit } => apart(reply, move || Answer::Tracks(library.search(&text, limit))),
        Query::LibraryProblems => apart(reply, move || Answer::Problems(library.problems())),
        Query::Outputs => {
            let active = config.audio.output.to_string();
            apart(reply, move || Answer::Outputs(outputs(&active)));
        }
        Query::History { limit, pending } => {
            let store = edges.store.clone();
            tokio::spawn(async move {
                let history = store.history(limit, pending).await.map(Answer::History);
                reply.send(history.map_err(|error| Refusal::Failed(error.to_string())))
            });
        }
    }
}

fn apart(reply: Reply, answer: impl FnOnce() -> Answer + Send + 'static) {
    tokio::task::spawn_blocking(move || reply.send(Ok(answer())));
}

/// All outputs, the configured one marked.
fn outputs(active: &str) -> Vec<OutputInfo> {
    let marked = |output: OutputInfo| OutputInfo { active: output.name == active, ..output };
    audio::outputs().into_iter().map(marked).collect()
}
