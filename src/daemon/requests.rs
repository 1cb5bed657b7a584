//! Requests of the API: commands go to the core, questions to the edge that knows.

use super::config::Config;
use super::edges::Edges;
use crate::api::{Answer, Call, Request};
use crate::audio;
use crate::core::io::{Input, RequestId};
use crate::core::playlist::Track;
use crate::core::request::{Addition, Command, OutputInfo, Query, Refusal};
use std::collections::BTreeMap;
use tokio::sync::oneshot;

type Reply = oneshot::Sender<Result<Answer, Refusal>>;

/// Those who wait for the core's answer.
#[derive(Debug, Default)]
pub(super) struct Requests {
    next: u64,
    open: BTreeMap<RequestId, Reply>,
}

impl Requests {
    /// Takes a call in; a command becomes an input for the core.
    pub(super) fn take(&mut self, call: Call, edges: &Edges, config: &Config) -> Option<Input> {
        let Call { request, reply } = call;
        match request {
            Request::Query(query) => {
                ask(query, reply, edges, config);
                None
            }
            Request::Command(command) => {
                self.next += 1;
                let request = RequestId(self.next);
                self.open.insert(request, reply);
                Some(Input::Command { request, command: with_tracks(command, edges) })
            }
        }
    }

    pub(super) fn answer(&mut self, request: RequestId, result: Result<Answer, Refusal>) {
        if let Some(reply) = self.open.remove(&request) {
            // Whoever asked may have gone.
            let _ = reply.send(result);
        }
    }
}

/// The core does not know the library: what is named by it is looked up here.
fn with_tracks(command: Command, edges: &Edges) -> Command {
    let Command::QueueAdd { tracks, index } = command else { return command };
    let known = |addition: Addition| match addition {
        Addition::Library(id) => match edges.tracks.library().get(&id).map(|found| found.track) {
            Some(track) => Addition::Known(Box::new(Track {
                id: track.id,
                title: track.title,
                artist: track.artist,
                album: track.album,
                duration_us: track.duration_us,
                url: None,
                extra: serde_json::Map::new(),
            })),
            None => Addition::Library(id),
        },
        other => other,
    };
    Command::QueueAdd { tracks: tracks.into_iter().map(known).collect(), index }
}

fn ask(query: Query, reply: Reply, edges: &Edges, config: &Config) {
    let answer = match query {
        Query::LibraryScan => {
            edges.tracks.library().scan();
            Ok(Answer::Started)
        }
        Query::LibrarySearch { text, limit } => Ok(Answer::Tracks(edges.tracks.library().search(&text, limit))),
        Query::LibraryProblems => Ok(Answer::Problems(edges.tracks.library().problems())),
        Query::Config => serde_json::to_value(config).map(Answer::Config).map_err(|e| Refusal::Failed(e.to_string())),
        Query::Outputs => {
            // ALSA may take its time.
            let active = config.audio.output.to_string();
            tokio::task::spawn_blocking(move || reply.send(Ok(Answer::Outputs(outputs(&active)))));
            return;
        }
        Query::History { limit } => {
            let store = edges.store.clone();
            tokio::spawn(async move {
                let history = store.history(limit).await.map(Answer::History);
                reply.send(history.map_err(|e| Refusal::Failed(e.to_string())))
            });
            return;
        }
    };
    let _ = reply.send(answer);
}

/// All outputs, the configured one marked.
fn outputs(active: &str) -> Vec<OutputInfo> {
    let marked = |output: OutputInfo| OutputInfo { active: output.name == active, ..output };
    audio::outputs().into_iter().map(marked).collect()
}
