//! Cars that have tier 2 for real, and whose signals go by hand: as a core would have them go, or as a test spoils
//! them.

use crate::messages::key;
use jamz::core::clock::Monotonic;
use jamz::core::id::DeviceId;
use jamz::core::mesh::{Attempt, MeshCommand, MeshEvent, PeerMessage, Signal};
use jamz::host::MonotonicClock;
use jamz::tier::mesh::{Config, IceConfig, MeshLinks};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

/// Longer than anything takes on a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Where signals go. Cars that are not in it get none.
#[derive(Clone, Default)]
pub(crate) struct Ether {
    cars: Arc<Mutex<BTreeMap<DeviceId, Arc<MeshLinks>>>>,
    /// How long a signal takes.
    delay: Duration,
}

impl Ether {
    pub(crate) fn slow(delay: Duration) -> Self {
        Self { delay, ..Self::default() }
    }

    async fn carry(self, from: DeviceId, to: DeviceId, signal: Signal) {
        if !self.delay.is_zero() {
            sleep(self.delay).await;
        }
        if let Some(links) = self.cars.lock().unwrap().get(&to) {
            links.send(MeshCommand::Signal { from, signal });
        }
    }
}

pub(crate) struct Car {
    pub(crate) device: DeviceId,
    pub(crate) links: Arc<MeshLinks>,
    /// All events but the signals that were carried.
    pub(crate) events: mpsc::Receiver<MeshEvent>,
    ether: Ether,
}

/// Which signals a car lets out.
pub(crate) type Filter = Box<dyn Fn(&Signal) -> bool + Send>;

impl Car {
    /// A car by its number, with its certificate in `folder`.
    pub(crate) fn start(n: u8, folder: &Path, ether: &Ether) -> Self {
        Self::with(n, folder, ether, IceConfig::default(), Box::new(|_| true))
    }

    pub(crate) fn with(n: u8, folder: &Path, ether: &Ether, ice: IceConfig, filter: Filter) -> Self {
        let device = key(n).device().clone();
        let (sender, mut all) = mpsc::channel(1_024);
        let config = Config { certificate_file: folder.join(format!("mesh-{n}.pem")), ice };
        let links = Arc::new(MeshLinks::start(&config, Arc::new(MonotonicClock), sender).unwrap());
        ether.cars.lock().unwrap().insert(device.clone(), links.clone());
        let (seen, events) = mpsc::channel(1_024);
        let (own, own_ether) = (device.clone(), ether.clone());
        tokio::spawn(async move {
            while let Some(event) = all.recv().await {
                match event {
                    MeshEvent::Signal { to, signal } if filter(&signal) => {
                        // Not awaited: signals may overtake each other, as on the road.
                        tokio::spawn(own_ether.clone().carry(own.clone(), to, signal));
                    }
                    event => {
                        if seen.send(event).await.is_err() {
                            return;
                        }
                    }
                }
            }
        });
        Self { device, links, events, ether: ether.clone() }
    }

    pub(crate) fn connect(&self, peer: &DeviceId, attempt: u64) {
        self.links.send(MeshCommand::Connect { peer: peer.clone(), attempt: Attempt(attempt) });
    }

    pub(crate) fn send(&self, to: &DeviceId, message: PeerMessage) {
        self.links.send(MeshCommand::Send { to: vec![to.clone()], message: Box::new(message) });
    }

    pub(crate) async fn next(&mut self) -> MeshEvent {
        timeout(PATIENCE, self.events.recv()).await.expect("an event in time").expect("events")
    }

    /// Waits for `Up` with a peer, passing over what else happens.
    pub(crate) async fn up(&mut self, peer: &DeviceId) -> Attempt {
        loop {
            match self.next().await {
                MeshEvent::Up { peer: up, attempt } if up == *peer => return attempt,
                MeshEvent::Down { peer: down, attempt, reason } if down == *peer => {
                    panic!("{attempt:?} is down: {reason}")
                }
                _ => {}
            }
        }
    }

    /// Waits for `Down` with a peer, passing over what else happens.
    pub(crate) async fn down(&mut self, peer: &DeviceId) -> (Attempt, String) {
        loop {
            if let MeshEvent::Down { peer: down, attempt, reason } = self.next().await
                && down == *peer
            {
                return (attempt, reason);
            }
        }
    }

    /// The next message, which must be one.
    pub(crate) async fn message(&mut self) -> PeerMessage {
        match self.next().await {
            MeshEvent::Message { message, received, .. } => {
                assert!(received <= MonotonicClock.now());
                *message
            }
            other => panic!("{other:?}"),
        }
    }

    /// Ends as a daemon does that is told to.
    pub(crate) async fn close(self) {
        let Self { device, links, events, ether } = self;
        ether.cars.lock().unwrap().remove(&device);
        drop(events);
        Arc::into_inner(links).expect("only one handle").close().await;
    }
}

/// Two cars with a link between them, the first having offered it.
pub(crate) async fn pair(folder: &Path) -> (Car, Car) {
    let ether = Ether::default();
    let (mut a, mut b) = (Car::start(1, folder, &ether), Car::start(2, folder, &ether));
    a.connect(&b.device, 1);
    assert_eq!(a.up(&b.device).await, Attempt(1));
    assert_eq!(b.up(&a.device).await, Attempt(1));
    (a, b)
}
