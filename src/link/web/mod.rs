//! Phones on the same network, where no server is: the car serves its page itself, and lets in who comes by a link.
//!
//! `serve` listens for as long as the car is in a convoy that was founded on the roadside, and owns all connections;
//! `answer` gives the page's files and takes what a page says; `visit` is one page that is here, from its first word to
//! its end. Who is let in is `core::guests`' to say; who has come is to the core like a member that is found on the
//! network.

mod answer;
mod serve;
mod visit;

use crate::core::clock::Monotonic;
use crate::core::id::DeviceId;
use crate::core::io::RequestId;
use crate::core::mesh::{LanEvent, SignedSignal};
use crate::core::roadside::Roadside;
use crate::core::signature::DeviceKey;
use crate::core::ticket::{Role, WallTime};
use serve::Serve;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use visit::Visits;

/// Wishes for a link that wait; of more, whoever asks waits until his caller gives up.
const WISHES_MAX: usize = 64;
/// How long closing may take.
const CLOSE_DEADLINE: Duration = Duration::from_secs(1);

/// What the car serves its page by.
pub struct Config {
    /// 0: it serves none.
    pub port: u16,
    /// None where there are no links between cars.
    pub certificate: Option<Certificate>,
    /// As people call the car.
    pub name: String,
}

/// A certificate that nobody but the car has signed, in PEM, and its key.
#[derive(Clone)]
pub struct Certificate {
    pub certificate: String,
    pub key: String,
    /// Its fingerprint (SHA-256), as browsers show it.
    pub fingerprint: String,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.fingerprint)
    }
}

/// What is read of the machine.
#[derive(Clone)]
pub struct Machine {
    pub clock: Arc<dyn Monotonic>,
    pub chance: super::lan::Chance,
    pub wall: fn() -> WallTime,
    pub addresses: fn() -> Vec<IpAddr>,
}

/// A link that is to be made.
struct Wish {
    request: RequestId,
    role: Role,
}

/// A handle to the phones that are here; dropping it ends them.
#[derive(Debug)]
pub struct WebDoor {
    visits: Arc<Visits>,
    wishes: mpsc::Sender<Wish>,
    task: JoinHandle<()>,
}

impl WebDoor {
    /// Serves while there is a `founded` convoy, within a tokio runtime that has time and I/O. A port that is taken is
    /// no error: whoever asks for a link is told.
    #[must_use]
    pub fn start(
        config: Config,
        machine: Machine,
        key: &DeviceKey,
        founded: watch::Receiver<Option<Roadside>>,
        events: mpsc::Sender<LanEvent>,
    ) -> Self {
        let visits = Arc::new(Visits::new(events.clone()));
        let (wishes, wished) = mpsc::channel(WISHES_MAX);
        let serve = Serve::new(config, machine, key.clone(), visits.clone(), events);
        let task = tokio::spawn(serve.run(founded, wished));
        Self { visits, wishes, task }
    }

    /// Whether a phone is here.
    #[must_use]
    pub fn has(&self, device: &DeviceId) -> bool {
        self.visits.has(device)
    }

    /// Tells a phone a signal, at most once.
    pub fn tell(&self, signed: &SignedSignal) {
        self.visits.tell(signed);
    }

    /// Makes a link; it comes as [`LanEvent::Invited`].
    pub fn invite(&self, request: RequestId, role: Role) {
        if self.wishes.try_send(Wish { request, role }).is_err() {
            tracing::warn!("more links are asked for than can be made; one is not");
        }
    }

    /// Ends politely.
    pub async fn close(self) {
        let Self { visits, wishes, task } = self;
        drop(wishes);
        let abort = task.abort_handle();
        if tokio::time::timeout(CLOSE_DEADLINE, task).await.is_err() {
            abort.abort();
        }
        drop(visits);
    }
}
