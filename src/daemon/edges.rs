//! All edges of a running car, and the way of each of the core's outputs to the edge that does it.

use super::config::Config;
use super::crashes;
use super::identity;
use crate::api::Answer;
use crate::audio::Audio;
use crate::core::clock::Monotonic;
use crate::core::io::{Input, Notice, Output, RequestId, ServerEvent};
use crate::core::mesh::{LanCommand, LanEvent, MeshEvent};
use crate::core::request::{Doorstep, Invitation, InvitationLink, Refusal};
use crate::core::signature::DeviceKey;
use crate::host::{self, MonotonicClock};
use crate::link::lan::{self, Founding, LanLinks};
use crate::link::web::{self, WebDoor};
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
    server_url: String,
    mesh: Option<MeshLinks>,
    lan: LanLinks,
    phones: WebDoor,
    boot_id: Option<String>,
}

/// What edges tell the loop.
pub(super) struct Inbox {
    pub(super) inputs: mpsc::Receiver<Input>,
    pub(super) server: mpsc::Receiver<ServerEvent>,
    pub(super) mesh: mpsc::Receiver<MeshEvent>,
    pub(super) lan: mpsc::Receiver<LanEvent>,
}

impl Inbox {
    /// Whether nothing has come in that is not handled yet.
    pub(super) fn is_empty(&self) -> bool {
        self.inputs.is_empty() && self.server.is_empty() && self.mesh.is_empty() && self.lan.is_empty()
    }
}

/// What an output left to the loop itself.
pub(super) enum Left {
    Nothing,
    Answer {
        request: RequestId,
        result: Result<Answer, Refusal>,
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
        let lan = start_lan(config, &identity.key, found.clone())?;
        let phones = start_phones(config, mesh.as_ref(), &lan, &identity.key, found);
        let notices = broadcast::channel(NOTICES_MAX).0;
        let boot_id = host::boot_id();
        let (store, server_url) = (Arc::new(store), config.server.url.clone().unwrap_or_default());
        let edges = Self { store, tracks, audio, notices, inputs, server, server_url, mesh, lan, phones, boot_id };
        let inbox = Inbox { inputs: inbox, server: server_inbox, mesh: mesh_inbox, lan: lan_inbox };
        Ok((edges, inbox, loaded, identity.key))
    }

    /// For founding a convoy on the roadside.
    pub(super) fn founding(&self) -> &Founding {
        self.lan.founding()
    }

    pub(super) fn boot_id(&self) -> Option<&str> {
        self.boot_id.as_deref()
    }

    /// Gives an output to its edge.
    pub(super) fn perform(&mut self, output: Output) -> Left {
        match output {
            Output::Reply { request, result } => {
                return Left::Answer { request, result: result.map(Answer::Done) };
            }
            Output::Invited { request, result } => {
                let link = |invitation| Answer::Link(self.link(&invitation));
                return Left::Answer { request, result: result.map(link) };
            }
            Output::Chirping { request, result } => {
                return Left::Answer { request, result: result.map(|at| Answer::Chirping { at }) };
            }
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
            Output::Lan(LanCommand::Invite { request, role }) => self.phones.invite(request, role),
            Output::Lan(LanCommand::Signal(signed)) if self.phones.has(&signed.to) => self.phones.tell(&signed),
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

    /// An invitation as an address. What stands behind its `#` no browser tells any server.
    fn link(&self, invitation: &Invitation) -> InvitationLink {
        let server = self.server_url.trim().trim_end_matches('/');
        let Invitation { convoy, token, expires_unix_s, role, at } = invitation;
        let mut links = match (at, token) {
            (Some(Doorstep { origins, certificate }), token) => {
                let token = token.as_deref().unwrap_or_default();
                let (convoy, role) = (escaped(convoy.as_str()), role.as_str());
                let link = |origin| format!("{origin}/#car={certificate}&c={convoy}&r={role}&t={token}");
                origins.iter().map(link).collect()
            }
            (None, Some(token)) => vec![format!("{server}/#t={token}")],
            (None, None) => vec![format!("{server}/#c={}", escaped(convoy.as_str()))],
        };
        let others = links.split_off(links.len().min(1));
        let link = links.pop().unwrap_or_default();
        InvitationLink { link, others, role: *role, expires_unix_s: *expires_unix_s }
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
        self.phones.close().await;
        self.lan.close().await;
        drop(self.audio);
        drop(self.tracks);
        drop(self.store);
    }
}

/// A text as it may stand in an address.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let write = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(write).collect()
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

fn start_lan(config: &Config, key: &DeviceKey, events: mpsc::Sender<LanEvent>) -> anyhow::Result<LanLinks> {
    let lan = lan::Config {
        secret_file: config.convoy.secret_file.clone(),
        state_folder: config.paths.state.clone(),
        code_valid_s: config.convoy.code_valid_s,
    };
    Ok(LanLinks::start(&lan, Arc::new(MonotonicClock), host::random, key, events)?)
}

fn start_phones(
    config: &Config,
    mesh: Option<&MeshLinks>,
    lan: &LanLinks,
    key: &DeviceKey,
    events: mpsc::Sender<LanEvent>,
) -> WebDoor {
    let certificate = mesh.map(|mesh| {
        let (certificate, key) = mesh.pem();
        let (certificate, key) = (certificate.to_owned(), key.to_owned());
        web::Certificate { certificate, key, fingerprint: mesh.fingerprint().to_owned() }
    });
    let name = config.car.name.clone().unwrap_or_else(host::name);
    let machine = web::Machine {
        clock: Arc::new(MonotonicClock),
        chance: host::random,
        wall: super::roadside::wall_time,
        addresses: mesh::addresses,
    };
    WebDoor::start(web::Config { port: config.page.port, certificate, name }, machine, key, lan.founded(), events)
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
