//! The loop: one task owns the core; everything that happens comes in here, everything to be done goes out from here.

use super::config::Config;
use super::edges::{Edges, Inbox, Left};
use super::publish::Publisher;
use super::requests::Requests;
use super::watchdog::{self, Watchdog};
use crate::api::{self, Call};
use crate::core::car::{Car, Identity, Start};
use crate::core::clock::{MonoTime, Monotonic};
use crate::core::id::UserId;
use crate::core::io::Input;
use crate::core::mesh::MeshEvent;
use crate::core::signature::DeviceKey;
use crate::host::{self, MonotonicClock};
use crate::store::Loaded;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// Calls of the API that wait; one more is answered "busy".
const CALLS_MAX: usize = 64;
/// How often the core is told the wall clock, for the backend that dates with it.
const WALL_CLOCK: Duration = Duration::from_secs(5);

/// Runs a car until SIGTERM or SIGINT.
///
/// # Errors
/// When the daemon cannot start, or a part that it cannot live without has ended.
pub(super) async fn run(config: Config) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (mut shell, mut inbox) = Shell::start(config)?;
    let (calls, mut requests) = mpsc::channel(CALLS_MAX);
    let mut api = shell.offer(calls).await?;
    let mut wall_clock = tokio::time::interval(WALL_CLOCK);
    let mut watchdog = Watchdog::new();
    let mut feed = tokio::time::interval(watchdog.period());
    watchdog::ready("playing along");
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "ready");
    loop {
        let wait = shell.wait();
        let is_idle = inbox.is_empty();
        tokio::select! {
            Some(input) = inbox.inputs.recv() => shell.handle(input),
            Some(event) = inbox.server.recv() => shell.handle(Input::Server(event)),
            Some(event) = inbox.mesh.recv() => shell.hear(event, &mut inbox.mesh),
            // A timer takes a millisecond at least, and the core has put something off that it can do now.
            () = std::future::ready(()), if is_idle && wait.is_zero() => shell.handle(Input::Wake),
            Some(event) = inbox.lan.recv() => shell.handle(Input::Lan(event)),
            Some(call) = requests.recv() => shell.take(call),
            () = tokio::time::sleep(wait) => shell.handle(Input::Wake),
            _ = wall_clock.tick() => shell.tell_wall_clock(),
            _ = feed.tick() => watchdog.feed(shell.edges.audio.beat()),
            () = api.closed() => anyhow::bail!("the API has ended"),
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    watchdog::stopping();
    tracing::info!("ending");
    drop(api);
    // Nobody takes what comes in now: whoever waits to tell something must not hold up the end.
    drop(inbox);
    shell.close().await;
    Ok(())
}

/// The core and all that surrounds it.
struct Shell {
    car: Car,
    edges: Edges,
    requests: Requests,
    publisher: Publisher,
    clock: MonotonicClock,
    config: Config,
}

impl Shell {
    fn start(config: Config) -> anyhow::Result<(Self, Inbox)> {
        let clock = MonotonicClock;
        let (edges, inbox, loaded, key) = Edges::start(&config)?;
        let start = start_of(&config, loaded, &key, &edges)?;
        let car = Car::new(start, clock.now());
        let publisher = Publisher::new(&car, clock.now());
        let requests = Requests::default();
        let mut shell = Self { car, edges, requests, publisher, clock, config };
        if let Some(kept) = shell.edges.founding().kept() {
            shell.car.handle(Input::LetIn(Box::new(kept.credentials())), clock.now());
        }
        shell.drain(clock.now());
        Ok((shell, inbox))
    }

    async fn offer(&self, calls: mpsc::Sender<Call>) -> anyhow::Result<api::Api> {
        let ports = api::Ports {
            calls,
            status: self.publisher.status(),
            queue: self.publisher.queue(),
            notices: self.edges.notices.subscribe(),
            clock: Arc::new(self.clock),
        };
        Ok(api::serve(self.config.bus.clone(), ports).await?)
    }

    fn handle(&mut self, input: Input) {
        let now = self.clock.now();
        self.car.handle(input, now);
        self.drain(now);
        self.publisher.touch(&self.car, now);
    }

    /// All that has come over links, so that nothing that hurries waits for what the core puts off.
    fn hear(&mut self, first: MeshEvent, more: &mut mpsc::Receiver<MeshEvent>) {
        let waiting = more.len();
        for event in std::iter::once(first).chain(std::iter::from_fn(|| more.try_recv().ok()).take(waiting)) {
            self.handle(Input::Mesh(event));
        }
    }

    fn take(&mut self, call: Call) {
        let convoy = self.car.convoy().cloned();
        if let Some(input) = self.requests.take(call, convoy, &self.edges, &self.config) {
            self.handle(input);
        }
    }

    fn tell_wall_clock(&mut self) {
        let wall = host::wall_clock();
        self.handle(Input::WallClock { unix_us: wall.unix_us, synchronized: wall.synchronized });
    }

    /// The core's law: after every mutation, all of its outputs.
    fn drain(&mut self, now: MonoTime) {
        while let Some(output) = self.car.poll_output() {
            match self.edges.perform(output) {
                Left::Nothing => {}
                Left::Again(input) => self.car.handle(input, now),
                Left::Answer { request, result } => {
                    // Whoever was answered finds what he did in the status.
                    self.publisher.publish(&self.car, now);
                    self.requests.answer(request, result);
                }
            }
        }
    }

    /// How long nothing will have to be done.
    fn wait(&self) -> Duration {
        let now = self.clock.now();
        let wake = [self.car.poll_timeout(), self.publisher.poll_timeout()].into_iter().flatten().min();
        let us = wake.map_or(1_000_000, |wake| (wake - now).clamp(0, 1_000_000));
        Duration::from_micros(us.unsigned_abs())
    }

    async fn close(mut self) {
        let now = self.clock.now();
        self.car.handle_stop(now);
        self.drain(now);
        self.edges.close().await;
    }
}

fn start_of(config: &Config, loaded: Loaded, key: &DeviceKey, edges: &Edges) -> anyhow::Result<Start> {
    let boot_id = edges.boot_id();
    // What people did on the roadside holds until they leave.
    let founded = edges.founding().kept().map(|kept| kept.convoy);
    let name = config.car.name.clone().unwrap_or_else(host::name);
    let user = match config.server.user_id() {
        Some(user) => user,
        None => UserId::new(key.device().as_str())?,
    };
    let version = env!("CARGO_PKG_VERSION").to_owned();
    Ok(Start {
        identity: Identity { key: key.clone(), user, name, version },
        convoy: founded.or_else(|| config.convoy.id.clone()),
        has_server: config.server.url.is_some(),
        satellite: config.server.satellite,
        same_boot: boot_id.is_some() && loaded.boot_id.as_deref() == boot_id,
        saved: loaded.saved,
        mesh: config.mesh.settings(),
        tail: loaded.tail,
        recent: loaded.recent,
        pending: loaded.pending,
        sequence: loaded.sequence,
    })
}
