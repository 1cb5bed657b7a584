//! Members on the same network, found without any server, for the signals that links between cars begin with.
//!
//! `discovery` finds and announces; `links` owns all connections, dials whom it found (`known`) and hears who dials;
//! `greet` has both sides prove that they know the convoy's `secret`; `carry` carries over a connection; `gate` bounds
//! what strangers can cost.

mod carry;
mod discovery;
mod gate;
mod greet;
mod known;
mod links;
mod secret;

use crate::core::clock::Monotonic;
use crate::core::id::{ConvoyId, DeviceId};
use crate::core::mesh::{LanCommand, LanEvent, SignedSignal};
use crate::wire::lan::NONCE_BYTES;
use links::Links;
use secret::Secret;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;

/// Signals that wait to be sent; one more, and the connections begin anew.
const SIGNALS_MAX: usize = 1_024;
/// How long closing may take.
const CLOSE_DEADLINE: Duration = Duration::from_secs(1);

/// What the network's members are told apart by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// Holds what the convoy's members share, at least 16 bytes. Without it nobody is looked for.
    pub secret_file: Option<PathBuf>,
}

/// Fresh randomness for a meeting.
pub type Chance = fn() -> std::io::Result<[u8; NONCE_BYTES]>;

/// Why members on the network cannot be looked for.
#[derive(Debug, thiserror::Error)]
pub enum LanError {
    #[error("`secret_file` under [convoy]: {path}: {problem}", path = path.display())]
    Secret { path: PathBuf, problem: std::io::Error },
}

/// A handle to the members on the network; dropping it leaves them.
#[derive(Debug)]
pub struct LanLinks {
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    convoy: watch::Sender<Option<ConvoyId>>,
    signals: mpsc::Sender<SignedSignal>,
    overflow: Arc<Notify>,
    task: JoinHandle<()>,
}

impl LanLinks {
    /// Starts, silent at first, within a tokio runtime that has time and I/O.
    ///
    /// # Errors
    /// [`LanError`] when the secret cannot be used. A network that cannot be used is no error: it may come.
    pub fn start(
        config: &Config,
        clock: Arc<dyn Monotonic>,
        chance: Chance,
        device: DeviceId,
        events: mpsc::Sender<LanEvent>,
    ) -> Result<Self, LanError> {
        let Some(path) = &config.secret_file else {
            tracing::info!("cars on the same network are not looked for: set `secret_file` under [convoy]");
            return Ok(Self { running: None });
        };
        let secret = Secret::read(path).map_err(|problem| LanError::Secret { path: path.clone(), problem })?;
        let (convoy, wanted) = watch::channel(None);
        let (signals, outgoing) = mpsc::channel(SIGNALS_MAX);
        let overflow = Arc::new(Notify::new());
        let links = Links::new(secret, clock, chance, device, events);
        let task = tokio::spawn(links.run(wanted, outgoing, overflow.clone()));
        Ok(Self { running: Some(Running { convoy, signals, overflow, task }) })
    }

    /// Does what the core wants. A signal goes out at most once, and is dropped where its device is not on the network;
    /// when more is said than the network carries, all connections begin anew (`Lost`, then `Found`).
    pub fn send(&self, command: LanCommand) {
        let Some(running) = &self.running else { return };
        match command {
            LanCommand::Announce { convoy } => {
                running.convoy.send_replace(convoy);
            }
            LanCommand::Signal(signed) => {
                if let Err(TrySendError::Full(_)) = running.signals.try_send(*signed) {
                    running.overflow.notify_one();
                }
            }
        }
    }

    /// Leaves politely.
    pub async fn close(self) {
        let Some(Running { convoy, signals, task, .. }) = self.running else { return };
        drop((convoy, signals));
        let abort = task.abort_handle();
        if tokio::time::timeout(CLOSE_DEADLINE, task).await.is_err() {
            abort.abort();
        }
    }
}
