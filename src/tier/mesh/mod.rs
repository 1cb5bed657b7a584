//! Tier 2: WebRTC links between cars.
//!
//! `links` is the task that the core's commands go to; each attempt at a link is a task of its own (`link`), which
//! makes one PeerConnection (`connection`) from the car's DTLS identity (`certificate`), the addresses that it has at
//! that moment (`addresses`) and the STUN and TURN servers (`ice`). `inbox` reads what the peer sends (`collect` under
//! a bound for all links together), `outbox` keeps what waits to be sent. Whether a link is wanted, alive or to be made
//! anew is the core's business.

mod addresses;
mod certificate;
mod collect;
mod config;
mod connection;
mod ice;
mod inbox;
mod link;
mod links;
mod outbox;

pub use config::{Config, IceConfig, MeshError};

use crate::core::clock::Monotonic;
use crate::core::mesh::{MeshCommand, MeshEvent};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

/// Commands that wait to be carried; one more, and all links are given up.
const COMMANDS_MAX: usize = 1_024;
/// The addresses of this machine at this moment, the likeliest for others on its network first; loopback alone where
/// there is no network.
#[must_use]
pub fn addresses() -> Vec<IpAddr> {
    addresses::local().into_iter().map(|address| address.ip()).collect()
}

/// How long closing may take.
const CLOSE_DEADLINE: Duration = Duration::from_secs(2);

/// A handle to all links; dropping it ends them.
pub struct MeshLinks {
    commands: mpsc::Sender<MeshCommand>,
    overflow: Arc<Notify>,
    task: JoinHandle<()>,
    fingerprint: String,
    pem: (String, String),
}

impl std::fmt::Debug for MeshLinks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MeshLinks({})", self.fingerprint)
    }
}

impl MeshLinks {
    /// Reads the DTLS identity (or makes it) and waits for commands, within a tokio runtime that has time and I/O.
    ///
    /// For every attempt there is at most one `Up` and one `Down`, in this order; none is told of what the core has
    /// itself ended or replaced. Messages of one link keep their order, except that beats and messages longer than a
    /// frame go their own ways.
    ///
    /// # Errors
    /// [`MeshError`] when the configuration cannot be used, or the certificate neither read nor made.
    pub fn start(
        config: &Config,
        clock: Arc<dyn Monotonic>,
        events: mpsc::Sender<MeshEvent>,
    ) -> Result<Self, MeshError> {
        let certificate = certificate::read_or_make(&config.certificate_file)?;
        let fingerprint = certificate::fingerprint(&certificate)?;
        let pem = certificate::pem(&certificate)?;
        let servers = ice::Servers::start(&config.ice)?;
        let (commands, receiver) = mpsc::channel(COMMANDS_MAX);
        let overflow = Arc::new(Notify::new());
        let maker = connection::Maker { certificate, servers, relay_only: config.ice.relay_only };
        let links = links::Links::new(Arc::new(maker), clock, events);
        let task = tokio::spawn(links.run(receiver, overflow.clone()));
        Ok(Self { commands, overflow, task, fingerprint, pem })
    }

    /// Gives a command at most once. When more is asked than can be carried, all links end (`Down`), so that the core
    /// knows to begin anew.
    pub fn send(&self, command: MeshCommand) {
        if let Err(TrySendError::Full(_)) = self.commands.try_send(command) {
            self.overflow.notify_one();
        }
    }

    /// The fingerprint (SHA-256) of the car's DTLS certificate, the same at every start.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// That certificate and its key, in PEM.
    #[must_use]
    pub fn pem(&self) -> (&str, &str) {
        (&self.pem.0, &self.pem.1)
    }

    /// Ends all links; what was sent before is still delivered where the peer takes it at once.
    pub async fn close(self) {
        let Self { commands, task, .. } = self;
        drop(commands);
        let abort = task.abort_handle();
        if tokio::time::timeout(CLOSE_DEADLINE, task).await.is_err() {
            abort.abort();
        }
    }
}
