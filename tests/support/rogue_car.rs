//! A car of bad will, on a machine of its own: a real core that makes links and keeps them, the real ways to others,
//! and a test that says over them what it likes.

use crate::network::inside;
use jamz::core::car::{Car, Identity, Start};
use jamz::core::clock::Monotonic;
use jamz::core::id::{ConvoyId, DeviceId, UserId};
use jamz::core::io::{Input, Output, ServerEvent};
use jamz::core::mesh::{LanCommand, LanEvent, MeshCommand, MeshEvent, MeshSettings, PeerMessage, SignedSignal};
use jamz::core::signature::DeviceKey;
use jamz::core::ticket::Credentials;
use jamz::host::{self, MonotonicClock};
use jamz::link::lan::{self, LanLinks};
use jamz::tier::mesh::{self, IceConfig, MeshLinks};
use std::collections::{BTreeSet, VecDeque};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Longer than anything takes on a loaded machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// What becomes of a signal that its core sends.
pub(crate) type Spoil = Box<dyn FnMut(SignedSignal) -> Vec<SignedSignal> + Send>;

enum Order {
    Say(Box<PeerMessage>),
    Signal(Box<SignedSignal>),
    Spoil(Spoil),
}

/// What it hears.
#[derive(Debug)]
pub(crate) enum Heard {
    Message(Box<PeerMessage>),
    Signal(Box<SignedSignal>),
    Up,
    Down,
}

pub(crate) struct Rogue {
    pub(crate) key: DeviceKey,
    /// So many of its messages went out over links.
    pub(crate) said: Arc<AtomicU64>,
    orders: mpsc::UnboundedSender<Order>,
    heard: mpsc::UnboundedReceiver<Heard>,
}

/// All of it but the test's end.
struct Shell {
    car: Car,
    lan: LanLinks,
    mesh: MeshLinks,
    clock: MonotonicClock,
    peers: BTreeSet<DeviceId>,
    said: Arc<AtomicU64>,
    spoil: Option<Spoil>,
    /// Whether what others signal reaches its core.
    listens: bool,
    heard: mpsc::UnboundedSender<Heard>,
}

impl Rogue {
    /// Joins the convoy that knows this secret, with what the server told it before that went. With `spoil`, its core
    /// hears no signal until [`Self::behave`].
    pub(crate) fn start(machine: &str, key: DeviceKey, secret: &str, told: Credentials, spoil: Option<Spoil>) -> Self {
        let (rogue, life) = Self::with(key, secret, told, spoil);
        inside(machine, || live(life));
        rogue
    }

    /// The same on the machine where this program is.
    pub(crate) fn here(key: DeviceKey, secret: &str, told: Credentials) -> Self {
        let (rogue, life) = Self::with(key, secret, told, None);
        std::thread::spawn(|| live(life));
        rogue
    }

    fn with(key: DeviceKey, secret: &str, told: Credentials, spoil: Option<Spoil>) -> (Self, Life) {
        let (orders, wanted) = mpsc::unbounded_channel();
        let (sender, heard) = mpsc::unbounded_channel();
        let said = Arc::new(AtomicU64::new(0));
        let life =
            Life { key: key.clone(), secret: secret.to_owned(), told, spoil, wanted, sender, said: said.clone() };
        (Self { key, said, orders, heard }, life)
    }

    pub(crate) fn say(&self, message: PeerMessage) {
        assert!(self.orders.send(Order::Say(Box::new(message))).is_ok());
    }

    pub(crate) fn signal(&self, signed: SignedSignal) {
        assert!(self.orders.send(Order::Signal(Box::new(signed))).is_ok());
    }

    /// Signals go and come as its core wants from now on.
    pub(crate) fn behave(&self) {
        assert!(self.orders.send(Order::Spoil(Box::new(|signed| vec![signed]))).is_ok());
    }

    /// The next of what it hears that is wanted.
    pub(crate) async fn hears<T>(&mut self, what: &str, wanted: impl Fn(&Heard) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            let left = PATIENCE.saturating_sub(begun.elapsed());
            let heard = tokio::time::timeout(left, self.heard.recv()).await;
            let heard = heard.unwrap_or_else(|_| panic!("did not hear {what}")).expect("it has ended");
            if let Some(found) = wanted(&heard) {
                return found;
            }
        }
    }

    /// All that it has heard by now.
    pub(crate) fn has_heard(&mut self) -> Vec<Heard> {
        std::iter::from_fn(|| self.heard.try_recv().ok()).collect()
    }
}

/// All that its thread begins with.
struct Life {
    key: DeviceKey,
    secret: String,
    told: Credentials,
    spoil: Option<Spoil>,
    wanted: mpsc::UnboundedReceiver<Order>,
    sender: mpsc::UnboundedSender<Heard>,
    said: Arc<AtomicU64>,
}

fn live(life: Life) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(drive(life));
}

async fn drive(life: Life) {
    let Life { key, secret, told, spoil, mut wanted, sender: heard, said } = life;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, secret).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let clock = MonotonicClock;
    let (lan_events, mut from_lan) = mpsc::channel(64);
    let (mesh_events, mut from_mesh) = mpsc::channel(1_024);
    let state_folder = folder.path().to_owned();
    let lan_config = lan::Config { secret_file: Some(path), state_folder, code_valid_s: 600 };
    let lan = LanLinks::start(&lan_config, Arc::new(clock), host::random, &key, lan_events).unwrap();
    let mesh_config = mesh::Config { certificate_file: folder.path().join("mesh.pem"), ice: IceConfig::default() };
    let mesh = MeshLinks::start(&mesh_config, Arc::new(clock), mesh_events).unwrap();
    let car = Car::new(start(key, told.convoy.clone()), clock.now());
    let listens = spoil.is_none();
    let mut shell = Shell { car, lan, mesh, clock, peers: BTreeSet::new(), said, spoil, listens, heard };
    shell.handle(Input::Server(ServerEvent::Tickets(Box::new(told))));
    loop {
        let wake = shell.car.poll_timeout().map_or(100_000, |at| (at - clock.now()).clamp(0, 100_000));
        tokio::select! {
            Some(event) = from_lan.recv() => shell.hear_lan(event),
            Some(event) = from_mesh.recv() => shell.hear_mesh(event),
            order = wanted.recv() => match order {
                Some(order) => shell.obey(order),
                None => return,
            },
            () = tokio::time::sleep(Duration::from_micros(wake.unsigned_abs())) => shell.handle(Input::Wake),
        }
    }
}

fn start(key: DeviceKey, convoy: ConvoyId) -> Start {
    let (user, name, version) = (UserId::new("mallory").unwrap(), "Mallory".into(), "rogue".into());
    Start {
        identity: Identity { key, user, name, version },
        convoy: Some(convoy),
        has_server: false,
        satellite: false,
        mesh: MeshSettings { enabled: true, ..MeshSettings::default() },
        saved: None,
        tail: vec![],
        pending: vec![],
        recent: vec![],
        sequence: 0,
        same_boot: false,
    }
}

impl Shell {
    fn handle(&mut self, input: Input) {
        let now = self.clock.now();
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            self.car.handle(input, now);
            while let Some(output) = self.car.poll_output() {
                match output {
                    Output::Store(change) => inputs.push_back(Input::Stored(change.id)),
                    Output::Mesh(command) => self.mesh.send(command),
                    Output::Lan(LanCommand::Signal(signed)) => {
                        let signals = match &mut self.spoil {
                            Some(spoil) => spoil(*signed),
                            None => vec![*signed],
                        };
                        for signed in signals {
                            self.lan.send(LanCommand::Signal(Box::new(signed)));
                        }
                    }
                    Output::Lan(command) => self.lan.send(command),
                    _ => {}
                }
            }
        }
    }

    fn hear_lan(&mut self, event: LanEvent) {
        if let LanEvent::Signal(signed) = &event {
            let _ = self.heard.send(Heard::Signal(signed.clone()));
            if !self.listens {
                return;
            }
        }
        self.handle(Input::Lan(event));
    }

    fn hear_mesh(&mut self, event: MeshEvent) {
        match &event {
            MeshEvent::Up { peer, .. } => {
                self.peers.insert(peer.clone());
                let _ = self.heard.send(Heard::Up);
            }
            MeshEvent::Down { peer, .. } => {
                self.peers.remove(peer);
                let _ = self.heard.send(Heard::Down);
            }
            MeshEvent::Message { message, .. } if !matches!(**message, PeerMessage::Beat(_)) => {
                let _ = self.heard.send(Heard::Message(message.clone()));
            }
            _ => {}
        }
        self.handle(Input::Mesh(event));
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Say(message) => {
                let to: Vec<DeviceId> = self.peers.iter().cloned().collect();
                self.said.fetch_add(u64::from(!to.is_empty()), Ordering::Relaxed);
                self.mesh.send(MeshCommand::Send { to, message });
            }
            Order::Signal(signed) => self.lan.send(LanCommand::Signal(signed)),
            Order::Spoil(spoil) => (self.spoil, self.listens) = (Some(spoil), true),
        }
    }
}
