//! Members on the same network, found without any server, for the signals that links between cars begin with.
//!
//! `discovery` finds and announces; `links` owns all connections, dials whom it found (`known`) and hears who dials;
//! `greet` has both sides prove that they know the convoy's `secret`; `carry` carries over a connection; `gate` bounds
//! what strangers can cost.
//!
//! A convoy that is founded on the roadside begins with `founding`: it names a code and opens a `door`, and a
//! `newcomer` that was told the code meets it there (`meeting`, `tries`) and has the secret from then on (`kept`,
//! `keys`).

mod carry;
mod discovery;
mod door;
mod founding;
pub(super) mod gate;
mod greet;
mod kept;
mod keys;
mod known;
mod links;
mod meeting;
mod newcomer;
mod secret;
mod tries;

pub use founding::Founding;

use crate::core::clock::Monotonic;
use crate::core::mesh::{LanCommand, LanEvent, SignedSignal};
use crate::core::roadside::Roadside;
use crate::core::signature::DeviceKey;
use crate::wire::lan::NONCE_BYTES;
use founding::Inner;
use keys::Keys;
use links::Links;
use secret::Secret;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Mutex, Notify, mpsc, watch};
use tokio::task::JoinHandle;

/// Signals that wait to be sent; one more, and the connections begin anew.
const SIGNALS_MAX: usize = 1_024;
/// How long closing may take.
const CLOSE_DEADLINE: Duration = Duration::from_secs(1);

/// What the network's members are told apart by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Holds what the convoy's members share, at least 16 bytes. Without it nobody is looked for but the members of a
    /// convoy that was founded on the roadside.
    pub secret_file: Option<PathBuf>,
    /// Where that one is kept.
    pub state_folder: PathBuf,
    /// How long a code is good.
    pub code_valid_s: u32,
}

/// Fresh randomness for a meeting.
pub type Chance = fn() -> std::io::Result<[u8; NONCE_BYTES]>;

/// Why members on the network cannot be looked for.
#[derive(Debug, thiserror::Error)]
pub enum LanError {
    #[error("`secret_file` under [convoy]: {path}: {problem}", path = path.display())]
    Secret { path: PathBuf, problem: std::io::Error },
    #[error("the convoy that is kept in {folder}/convoy.json: {problem}", folder = folder.display())]
    Kept { folder: PathBuf, problem: std::io::Error },
}

/// A handle to the members on the network; dropping it leaves them.
#[derive(Debug)]
pub struct LanLinks {
    keys: Arc<Keys>,
    founding: Founding,
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
        key: &DeviceKey,
        events: mpsc::Sender<LanEvent>,
    ) -> Result<Self, LanError> {
        let configured = config
            .secret_file
            .as_ref()
            .map(|path| Secret::read(path).map_err(|problem| LanError::Secret { path: path.clone(), problem }));
        let folder = config.state_folder.clone();
        let kept = kept::read(&folder).map_err(|problem| LanError::Kept { folder: folder.clone(), problem })?;
        let keys = Arc::new(Keys::new(configured.transpose()?, kept));
        let (signals, outgoing) = mpsc::channel(SIGNALS_MAX);
        let overflow = Arc::new(Notify::new());
        let links = Links::new(clock.clone(), chance, key.device().clone(), events.clone());
        let task = tokio::spawn(links.run(keys.sought(), outgoing, overflow.clone()));
        let founding = Founding::new(Inner {
            folder,
            code_valid_s: config.code_valid_s,
            key: key.clone(),
            keys: keys.clone(),
            chance,
            clock,
            events,
            door: Mutex::new(None),
        });
        Ok(Self { keys, founding, signals, overflow, task })
    }

    /// For founding a convoy, and for being let into one.
    #[must_use]
    pub fn founding(&self) -> &Founding {
        &self.founding
    }

    /// The convoy that was founded on the roadside, while this car is in it.
    #[must_use]
    pub fn founded(&self) -> watch::Receiver<Option<Roadside>> {
        self.keys.founded()
    }

    /// Does what the core wants. A signal goes out at most once, and is dropped where its device is not on the network;
    /// when more is said than the network carries, all connections begin anew (`Lost`, then `Found`).
    pub fn send(&self, command: LanCommand) {
        match command {
            LanCommand::Announce { convoy } => self.keys.want(convoy),
            LanCommand::Signal(signed) => {
                if let Err(TrySendError::Full(_)) = self.signals.try_send(*signed) {
                    self.overflow.notify_one();
                }
            }
            // Phones are received elsewhere.
            LanCommand::Invite { .. } => {}
        }
    }

    /// Leaves politely.
    pub async fn close(self) {
        let Self { founding, signals, task, .. } = self;
        founding.close();
        drop(signals);
        let abort = task.abort_handle();
        if tokio::time::timeout(CLOSE_DEADLINE, task).await.is_err() {
            abort.abort();
        }
    }
}
