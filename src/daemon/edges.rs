//! All edges of a running car, and the way of each of the core's outputs to the edge that does it.

use super::config::Config;
use super::crashes;
use super::identity;
use crate::audio::Audio;
use crate::core::clock::Monotonic;
use crate::core::id::DeviceId;
use crate::core::io::{Input, Notice, Output, RequestId, ServerEvent};
use crate::core::mesh::{LanEvent, MeshEvent};
use crate::core::request::{Done, Refusal};
use crate::core::signature::DeviceKey;
use crate::host::{self, MonotonicClock};
use crate::link::lan::{self, LanLinks};
use crate::store::cache::Patience;
use crate::store::tracks::{Tracks, TracksConfig};
use crate::store::{Hooks, Loaded, Store, Write};
use crate::tier::mesh::{self, MeshLinks};
use crate::tier::server::ServerLink;
use anyhow::Context;
use std::sync::Arc;
use tokio::sync::{broadcast, mpsc};

/// Inputs that wait for the loop; edges slow down when it is full.
const INPUTS_MAX: usize = 1_024;
const NOTICES_MAX: usize = 64;

/// The edges, and the channels on which they tell the loop what happened.
pub(super) struct Edges {
    pub(super) store: Arc<Store>,
    pub(super) tracks: Tracks,
    pub(super) audio: Audio,
    pub(super) notices: broadcast::Sender<Notice>,
    /// For what is looked up off the loop before the core may have it.
    pub(super) inputs: mpsc::Sender<Input>,
    server: Option<ServerLink>,
    mesh: Option<MeshLinks>,
    lan: LanLinks,
    boot_id: Option<String>,
}

/// What edges tell the loop.
pub(super) struct Inbox {
    pub(super) inputs: mpsc::Receiver<Input>,
    pub(super) server: mpsc::Receiver<ServerEvent>,
    pub(super) mesh: mpsc::Receiver<MeshEvent>,
    pub(super) lan: mpsc::Receiver<LanEvent>,
}

/// What an output left to the loop itself.
pub(super) enum Left {
    Nothing,
    Answer {
        request: RequestId,
        result: Result<Done, Refusal>,
    },
    /// An input that an edge could only answer by at once.
    Again(Input),
}

impl Edges {
    /// Opens what was kept and starts everything that carries, plays and remembers.
    ///
    /// # Errors
    /// When the state folder cannot be used, or the server's settings make no sense.
    pub(super) fn start(config: &Config) -> anyhow::Result<(Self, Inbox, Loaded, DeviceKey)> {
        let clock: Arc<dyn Monotonic> = Arc::new(MonotonicClock);
        let (inputs, inbox) = mpsc::channel(INPUTS_MAX);
        let (server_events, server_inbox) = mpsc::channel(INPUTS_MAX);
        let (mesh_events, mesh_inbox) = mpsc::channel(INPUTS_MAX);
        let (store, mut loaded) =
            Store::open(&config.paths.state, hooks(&clock, &inputs)).context("the state folder")?;
        if let Some(path) = &loaded.set_aside {
            tracing::error!(path = %path.display(), "the database was damaged; it was moved aside and a fresh one \
                begun");
        }
        let identity = identity::open(&config.paths.state).context("this car's key")?;
        identity::adopt(&store, &mut loaded, &identity, config.convoy.id.as_ref())?;
        crashes::watch(&config.paths.state);
        let tracks = start_tracks(config, &clock, &inputs)?;
        let audio = start_audio(config, &clock, &inputs)?;
        let server = match &config.server.url {
            Some(_) => Some(ServerLink::start(config.server.clone(), clock.clone(), server_events)?),
            None => None,
        };
        let mesh = start_mesh(config, clock, mesh_events)?;
        let (found, lan_inbox) = mpsc::channel(INPUTS_MAX);
        let lan = start_lan(config, identity.key.device().clone(), found)?;
        let notices = broadcast::channel(NOTICES_MAX).0;
        let boot_id = host::boot_id();
        let edges = Self { store: Arc::new(store), tracks, audio, notices, inputs, server, mesh, lan, boot_id };
        let inbox = Inbox { inputs: inbox, server: server_inbox, mesh: mesh_inbox, lan: lan_inbox };
        Ok((edges, inbox, loaded, identity.key))
    }

    pub(super) fn boot_id(&self) -> Option<&str> {
        self.boot_id.as_deref()
    }

    /// Gives an output to its edge.
    pub(super) fn perform(&mut self, output: Output) -> Left {
        match output {
            Output::Reply { request, result } => return Left::Answer { request, result },
            Output::Store(change) => {
                let id = change.id.clone();
                if self.store.send(Write::Own(change)).is_err() {
                    let problem = "the disk does not keep up; try again in a moment".into();
                    return Left::Again(Input::NotStored { change: id, problem });
                }
            }
            Output::Record { change, verdict } => self.keep(Write::Record { change, verdict }),
            Output::Settle { change, verdict } => self.keep(Write::Settle { change, verdict }),
            Output::Remember(saved) => {
                if self.store.send(Write::Remember(saved, self.boot_id.clone())).is_err() {
                    return Left::Again(Input::NotRemembered);
                }
            }
            Output::Server(command) => {
                if let Some(server) = &self.server {
                    server.send(command);
                }
            }
            Output::Mesh(command) => {
                if let Some(mesh) = &self.mesh {
                    mesh.send(command);
                }
            }
            Output::Lan(command) => self.lan.send(command),
            Output::Audio(command) => self.audio.send(command),
            Output::Resolve(track) => {
                if let Err(event) = self.tracks.resolve(*track) {
                    return Left::Again(Input::Track(*event));
                }
            }
            Output::Notice(notice) => {
                // An address of a track may hold a secret, and a reason a name.
                tracing::info!(kind = notice.kind(), "notice");
                tracing::debug!(?notice, "in full");
                // Nobody listening is no fault.
                let _ = self.notices.send(notice);
            }
        }
        Left::Nothing
    }

    /// A verdict that is not kept is given again when the change is sent again; what it did is in the state.
    fn keep(&self, write: Write) {
        if self.store.send(write).is_err() {
            tracing::warn!("the disk does not keep up; the history misses a line");
        }
    }

    /// Ends the edges, the store last, so that all is written.
    pub(super) async fn close(self) {
        if let Some(server) = self.server {
            server.close().await;
        }
        if let Some(mesh) = self.mesh {
            mesh.close().await;
        }
        self.lan.close().await;
        drop(self.audio);
        drop(self.tracks);
        drop(self.store);
    }
}

fn hooks(clock: &Arc<dyn Monotonic>, inputs: &mpsc::Sender<Input>) -> Hooks {
    let inputs = inputs.clone();
    Hooks {
        clock: clock.clone(),
        unix_s: Box::new(|| host::wall_clock().unix_us / 1_000_000),
        answer: Box::new(move |input| {
            // Blocks the journal's thread, not the loop. Fails only when the daemon ends.
            let _ = inputs.blocking_send(input);
        }),
    }
}

fn start_tracks(config: &Config, clock: &Arc<dyn Monotonic>, inputs: &mpsc::Sender<Input>) -> anyhow::Result<Tracks> {
    let tracks = TracksConfig {
        library: config.library.clone(),
        cache: config.cache.clone(),
        patience: Patience::default(),
        state_dir: config.paths.state.clone(),
        cache_dir: config.paths.cache.clone(),
        culprits: crashes::culprits(&config.paths.state),
    };
    if !tracks.culprits.is_empty() {
        tracing::error!(
            files = tracks.culprits.len(),
            "music files that ended the daemon twice are not played any \
            more; `jamzctl library problems` names them"
        );
    }
    Ok(Tracks::start(&tracks, clock, inputs.clone())?)
}

fn start_lan(config: &Config, device: DeviceId, events: mpsc::Sender<LanEvent>) -> anyhow::Result<LanLinks> {
    let lan = lan::Config { secret_file: config.convoy.secret_file.clone() };
    Ok(LanLinks::start(&lan, Arc::new(MonotonicClock), host::random, device, events)?)
}

fn start_audio(config: &Config, clock: &Arc<dyn Monotonic>, inputs: &mpsc::Sender<Input>) -> anyhow::Result<Audio> {
    let events = inputs.clone();
    let report = Box::new(move |status| drop(events.try_send(Input::Audio(status))));
    Ok(Audio::start(&config.audio, clock.clone(), report)?)
}

fn start_mesh(
    config: &Config,
    clock: Arc<dyn Monotonic>,
    events: mpsc::Sender<MeshEvent>,
) -> anyhow::Result<Option<MeshLinks>> {
    if !config.mesh.enabled {
        return Ok(None);
    }
    let settings = mesh::Config { certificate_file: config.paths.state.join("mesh.pem"), ice: config.mesh.ice() };
    Ok(Some(MeshLinks::start(&settings, clock, events)?))
}
