//! A car's end of the local network in a test: the real link, on a machine of its own.

use crate::network::inside;
use jamz::core::id::{ConvoyId, DeviceId};
use jamz::core::mesh::{Attempt, LanCommand, LanEvent, Signal, SignalKind, SignedSignal};
use jamz::core::signature::{DeviceKey, check_signal};
use jamz::host::{self, MonotonicClock};
use jamz::link::lan::{Config, LanLinks};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// Longer than anything takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(30);
pub(crate) const SECRET: &str = "a secret of all the cars";

pub(crate) struct Car {
    pub(crate) key: DeviceKey,
    pub(crate) links: LanLinks,
    events: mpsc::Receiver<LanEvent>,
    /// Dropping it ends the runtime on the car's machine.
    _running: oneshot::Sender<()>,
}

pub(crate) fn convoy(name: &str) -> ConvoyId {
    ConvoyId::new(name).unwrap()
}

impl Car {
    /// A car of convoy `alps` on this machine.
    pub(crate) async fn start(machine: &str, number: u8) -> Self {
        let car = Self::silent(machine, number, SECRET).await;
        car.announce(Some("alps"));
        car
    }

    /// A car that does not show itself yet.
    pub(crate) async fn silent(machine: &str, number: u8, secret: &str) -> Self {
        let key = DeviceKey::from_secret(&[number; 32]).unwrap();
        let (own, secret) = (key.clone(), secret.to_owned());
        let (begun, begins) = oneshot::channel();
        let (running, stop) = oneshot::channel::<()>();
        inside(machine, move || {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("secret");
            std::fs::write(&path, secret).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let (sender, events) = mpsc::channel(64);
                let state_folder = folder.path().to_owned();
                let config = Config { secret_file: Some(path), state_folder, code_valid_s: 600 };
                let clock = Arc::new(MonotonicClock);
                let links = LanLinks::start(&config, clock, host::random, &own, sender).unwrap();
                begun.send((links, events)).ok().unwrap();
                let _ = stop.await;
            });
        });
        let (links, events) = begins.await.unwrap();
        Self { key, links, events, _running: running }
    }

    pub(crate) fn announce(&self, name: Option<&str>) {
        self.links.send(LanCommand::Announce { convoy: name.map(convoy) });
    }

    pub(crate) fn device(&self) -> &DeviceId {
        self.key.device()
    }

    pub(crate) async fn next(&mut self) -> LanEvent {
        tokio::time::timeout(PATIENCE, self.events.recv()).await.expect("no event came").expect("it has ended")
    }

    pub(crate) async fn finds(&mut self, other: &DeviceId) {
        assert_eq!(self.next().await, LanEvent::Found { device: other.clone() });
    }

    /// How long it took to notice.
    pub(crate) async fn loses(&mut self, other: &DeviceId) -> Duration {
        let begun = Instant::now();
        assert_eq!(self.next().await, LanEvent::Lost { device: other.clone() });
        begun.elapsed()
    }

    /// Whether nothing happens for a while.
    pub(crate) async fn is_quiet(&mut self, within: Duration) -> bool {
        tokio::time::timeout(within, self.events.recv()).await.is_err()
    }

    pub(crate) fn signal(&self, to: &DeviceId, body: &str) -> SignedSignal {
        let signal = Signal { attempt: Attempt(1), kind: SignalKind::Offer, body: body.into() };
        let signed = self.key.sign_signal(to.clone(), signal, convoy("alps"));
        self.links.send(LanCommand::Signal(Box::new(signed.clone())));
        signed
    }

    /// Signals to the other, which hears it as it was signed.
    pub(crate) async fn reaches(&self, other: &mut Self, body: &str) {
        let signed = self.signal(other.device(), body);
        let heard = other.next().await;
        assert!(
            matches!(&heard, LanEvent::Signal(heard) if **heard == signed && check_signal(heard).is_ok()),
            "{heard:?}"
        );
    }
}
