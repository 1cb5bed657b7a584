//! All connections with members on the network: one task that announces, dials, accepts, and knows who is there.

use super::Chance;
use super::carry::carry;
use super::discovery::{Discovery, Sighting};
use super::gate::Gate;
use super::greet::{self, Greeted};
use super::keys::Sought;
use super::known::Known;
use super::secret::{ConvoyKey, Secret, Side};
use crate::core::clock::{MonoTime, Monotonic};
use crate::core::id::{ConvoyId, DeviceId};
use crate::core::mesh::{LanEvent, SignedSignal};
use crate::wire::lan::Greeting;
use std::collections::BTreeMap;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Members that are connected at once.
const CONNECTED_MAX: usize = 64;
/// Strangers that are heard at once.
const ACCEPTING_MAX: usize = 16;
/// Members, or who shows itself as one, that are dialled at once; the others wait their turn.
const DIALLING_MAX: usize = 16;
/// All that a stranger may take.
const GREET_WITHIN: Duration = Duration::from_secs(2);
const DIAL_WITHIN: Duration = Duration::from_secs(1);
/// Signals that wait for one member; one that is further behind begins anew.
const OUTBOX_MAX: usize = 256;
/// When announcing is not possible, it is tried again so often.
const ANNOUNCE_AGAIN_US: i64 = 5_000_000;
/// Between two failures to accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Longest sleep with nothing due, in microseconds.
const WAIT_US_MAX: i64 = 60_000_000;
const FAREWELL: Duration = Duration::from_millis(500);

/// What it takes to be found and to find.
struct Presence {
    convoy: ConvoyId,
    key: ConvoyKey,
    listener: TcpListener,
    discovery: Discovery,
}

/// A member that is here.
struct Connected {
    number: u64,
    /// Dialled by the one with the lower device id: of two connections between the same two, both keep that one.
    is_preferred: bool,
    outbox: mpsc::Sender<SignedSignal>,
}

/// What a greeting came to.
struct Met {
    /// Whom we dialled; none when we were.
    dialled: Option<DeviceId>,
    result: Result<Greeted, String>,
}

/// How a connection ended.
struct Ended {
    device: DeviceId,
    number: u64,
    reason: String,
}

pub(super) struct Links {
    clock: Arc<dyn Monotonic>,
    chance: Chance,
    device: DeviceId,
    events: mpsc::Sender<LanEvent>,
    wanted: Sought,
    presence: Option<Presence>,
    announce_at: Option<MonoTime>,
    gate: Gate,
    known: Known,
    connected: BTreeMap<DeviceId, Connected>,
    greetings: JoinSet<Met>,
    accepting: usize,
    carriers: JoinSet<Ended>,
    numbers: u64,
    /// Why announcing failed last; it is not told again until that changes.
    told: Option<String>,
    /// That others than members are here was told.
    strangers_told: bool,
}

impl Links {
    pub(super) fn new(
        clock: Arc<dyn Monotonic>,
        chance: Chance,
        device: DeviceId,
        events: mpsc::Sender<LanEvent>,
    ) -> Self {
        Self {
            known: Known::new(device.clone()),
            clock,
            chance,
            device,
            events,
            wanted: None,
            presence: None,
            announce_at: None,
            gate: Gate::default(),
            connected: BTreeMap::new(),
            greetings: JoinSet::new(),
            accepting: 0,
            carriers: JoinSet::new(),
            numbers: 0,
            told: None,
            strangers_told: false,
        }
    }

    /// Runs until nobody wants anything any more.
    pub(super) async fn run(
        mut self,
        mut wanted: watch::Receiver<Sought>,
        mut signals: mpsc::Receiver<SignedSignal>,
        overflow: Arc<Notify>,
    ) {
        loop {
            let wait = self.wait();
            tokio::select! {
                changed = wanted.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    let sought = wanted.borrow_and_update().clone();
                    self.want(sought).await;
                }
                signed = signals.recv() => match signed {
                    Some(signed) => self.send(signed),
                    None => break,
                },
                () = overflow.notified() => self.leave_all().await,
                accepted = accept(self.presence.as_ref()) => self.on_accepted(accepted).await,
                sighting = look(self.presence.as_ref()) => self.on_sighting(sighting).await,
                Some(met) = self.greetings.join_next() => if let Ok(met) = met { self.on_met(met).await },
                Some(ended) = self.carriers.join_next() => if let Ok(ended) = ended { self.on_ended(ended).await },
                () = tokio::time::sleep(wait) => {}
            }
            self.do_due().await;
        }
        self.leave_all().await;
        let farewell = async {
            while self.carriers.join_next().await.is_some() {}
            if let Some(presence) = self.presence.take() {
                presence.discovery.close().await;
            }
        };
        let _ = timeout(FAREWELL, farewell).await;
    }

    fn wait(&self) -> Duration {
        let dial_at = self.known.due().filter(|_| self.has_room_to_dial());
        let due = [self.announce_at, dial_at].into_iter().flatten().min();
        let now = self.clock.now();
        Duration::from_micros(due.map_or(WAIT_US_MAX, |due| (due - now).clamp(0, WAIT_US_MAX)).unsigned_abs())
    }

    async fn want(&mut self, sought: Sought) {
        if self.wanted == sought {
            return;
        }
        self.presence = None;
        self.strangers_told = false;
        self.greetings = JoinSet::new();
        self.accepting = 0;
        self.known = Known::new(self.device.clone());
        self.leave_all().await;
        self.announce_at = sought.is_some().then(|| self.clock.now());
        self.wanted = sought;
    }

    async fn do_due(&mut self) {
        let now = self.clock.now();
        if self.announce_at.is_some_and(|at| at <= now) {
            self.announce_at = None;
            if let Some((convoy, secret)) = self.wanted.clone()
                && let Err(problem) = self.appear(convoy, &secret).await
            {
                self.announce_at = Some(now + ANNOUNCE_AGAIN_US);
                if self.told.as_ref() != Some(&problem) {
                    tracing::warn!(problem, "cars on the same network cannot be looked for; it is tried again");
                    self.told = Some(problem);
                }
            }
        }
        while self.has_room_to_dial()
            && let Some((device, addresses)) = self.known.take_due(now)
        {
            self.dial(device, addresses);
        }
    }

    fn has_room_to_dial(&self) -> bool {
        self.presence.is_some() && self.greetings.len() - self.accepting.min(self.greetings.len()) < DIALLING_MAX
    }

    async fn appear(&mut self, convoy: ConvoyId, secret: &Secret) -> Result<(), String> {
        let key = secret.of_convoy(&convoy);
        let listener = listen().await.map_err(|error| error.to_string())?;
        let port = listener.local_addr().map_err(|error| error.to_string())?.port();
        let discovery = Discovery::start(&self.device, &key.tag(), port).map_err(|error| error.to_string())?;
        self.presence = Some(Presence { convoy, key, listener, discovery });
        self.told = None;
        tracing::info!("looking for the convoy's cars on the same network");
        Ok(())
    }

    fn greeting(&self) -> Option<Greeting> {
        match (self.chance)() {
            Ok(nonce) => Some(Greeting { nonce, device: self.device.clone() }),
            Err(error) => {
                tracing::error!(%error, "the kernel gives no randomness");
                None
            }
        }
    }

    fn dial(&mut self, device: DeviceId, addresses: Vec<SocketAddr>) {
        let (Some(presence), Some(me)) = (&self.presence, self.greeting()) else {
            return self.known.failed(&device, self.clock.now());
        };
        let key = presence.key.clone();
        self.greetings.spawn(async move {
            let mut result = Err("it has no address".to_owned());
            for address in addresses {
                result = dial(address, me.clone(), &device, &key).await;
                if result.is_ok() {
                    break;
                }
            }
            Met { dialled: Some(device), result }
        });
    }

    async fn on_accepted(&mut self, accepted: io::Result<(TcpStream, SocketAddr)>) {
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "a connection could not be accepted");
                return tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        };
        let is_heard = self.accepting < ACCEPTING_MAX
            && self.connected.len() < CONNECTED_MAX
            && self.gate.admits(address.ip().to_canonical(), self.clock.now());
        let (Some(presence), Some(me), true) = (&self.presence, self.greeting(), is_heard) else { return };
        let key = presence.key.clone();
        self.accepting += 1;
        self.greetings.spawn(async move {
            let result = timeout(GREET_WITHIN, greet::accepted(stream, me, &key)).await;
            let result = result.map_err(|_| "it took too long".to_owned());
            Met { dialled: None, result: result.and_then(|result| result.map_err(|error| error.to_string())) }
        });
    }

    async fn on_sighting(&mut self, sighting: Option<Sighting>) {
        match sighting {
            Some(Sighting::Here { device, name, addresses }) => {
                let is_connected = self.connected.contains_key(&device);
                self.known.note(device, name, addresses, is_connected, self.clock.now());
            }
            Some(Sighting::Gone { name }) => self.known.forget(&name),
            Some(Sighting::Stranger) if self.strangers_told => {}
            Some(Sighting::Stranger) => {
                self.strangers_told = true;
                tracing::info!("a car on this network is of another convoy, or has another secret; it is not let in");
                let _ = self.events.send(LanEvent::Stranger).await;
            }
            None => {
                // The search ended by itself; the connections go on.
                self.presence = None;
                self.announce_at = Some(self.clock.now() + ANNOUNCE_AGAIN_US);
            }
        }
    }

    async fn on_met(&mut self, met: Met) {
        if met.dialled.is_none() {
            self.accepting = self.accepting.saturating_sub(1);
        }
        match met.result {
            Ok(greeted) => self.on_greeted(greeted).await,
            Err(reason) => tracing::debug!(reason, dialled = met.dialled.is_some(), "a meeting came to nothing"),
        }
        if let Some(device) = met.dialled
            && !self.connected.contains_key(&device)
        {
            self.known.failed(&device, self.clock.now());
        }
    }

    async fn on_greeted(&mut self, greeted: Greeted) {
        let Some(presence) = &self.presence else { return };
        let device = greeted.device.clone();
        let is_preferred = (greeted.side == Side::Dialled) == (self.device < device);
        let before = self.connected.get(&device);
        if before.is_some_and(|before| before.is_preferred && !is_preferred)
            || (before.is_none() && self.connected.len() >= CONNECTED_MAX)
        {
            return;
        }
        self.numbers += 1;
        let number = self.numbers;
        let (outbox, mut inbox) = mpsc::channel(OUTBOX_MAX);
        let (convoy, events) = (presence.convoy.clone(), self.events.clone());
        let is_new = self.connected.insert(device.clone(), Connected { number, is_preferred, outbox }).is_none();
        self.known.met(&device);
        if is_new {
            tracing::debug!("a member is on the same network");
            // Fails only when the car ends.
            let _ = self.events.send(LanEvent::Found { device: device.clone() }).await;
        }
        self.carriers.spawn(async move {
            let reason = carry(greeted, &convoy, &mut inbox, &events).await;
            Ended { device, number, reason }
        });
    }

    async fn on_ended(&mut self, ended: Ended) {
        let Ended { device, number, reason } = ended;
        if self.connected.get(&device).is_none_or(|connected| connected.number != number) {
            return;
        }
        self.connected.remove(&device);
        tracing::debug!(reason, "a member is on the same network no more");
        self.known.lost(&device, self.clock.now());
        let _ = self.events.send(LanEvent::Lost { device }).await;
    }

    fn send(&mut self, signed: SignedSignal) {
        let Some(connected) = self.connected.get_mut(&signed.to) else {
            tracing::trace!("a signal for a device that is not on the network; dropped");
            return;
        };
        if connected.outbox.try_send(signed).is_err() {
            tracing::debug!("a member takes in less than it is told; its connection begins anew");
            // Without its outbox the connection ends.
            connected.outbox = mpsc::channel(1).0;
        }
    }

    /// Ends all connections, each with a good-bye.
    async fn leave_all(&mut self) {
        for (device, _) in std::mem::take(&mut self.connected) {
            self.known.lost(&device, self.clock.now());
            let _ = self.events.send(LanEvent::Lost { device }).await;
        }
    }
}

/// On every address, of IPv6 too where there is any.
pub(super) async fn listen() -> io::Result<TcpListener> {
    match TcpListener::bind("[::]:0").await {
        Ok(listener) => Ok(listener),
        Err(_) => TcpListener::bind("0.0.0.0:0").await,
    }
}

async fn accept(presence: Option<&Presence>) -> io::Result<(TcpStream, SocketAddr)> {
    match presence {
        Some(presence) => presence.listener.accept().await,
        None => pending().await,
    }
}

async fn look(presence: Option<&Presence>) -> Option<Sighting> {
    match presence {
        Some(presence) => presence.discovery.next().await,
        None => pending().await,
    }
}

async fn dial(address: SocketAddr, me: Greeting, device: &DeviceId, key: &ConvoyKey) -> Result<Greeted, String> {
    let stream = timeout(DIAL_WITHIN, TcpStream::connect(address)).await.map_err(|_| "it does not answer")?;
    let stream = stream.map_err(|error| error.to_string())?;
    let greeted = timeout(GREET_WITHIN, greet::dialled(stream, me, device, key)).await;
    greeted.map_err(|_| "it took too long")?.map_err(|error| error.to_string())
}
