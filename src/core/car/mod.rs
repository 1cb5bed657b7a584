//! One car: takes in what happens, keeps the convoy's state, and says what to do. Everything a car decides, it decides
//! here.

mod authorship;
mod backend;
mod commands;
mod memory;
mod mesh;
mod own;
mod pace;
mod plan;
mod server;
mod snapshot;
#[cfg(test)]
mod tests;

use super::changes::{Change, Hlc};
use super::clock::{ClockMap, ConvoyTime, Estimator, MonoTime, SlewedClock};
use super::convoy::{LEAD_MIN_US, Snapshot};
use super::election::Choice;
use super::id::{ConvoyId, DeviceId, UserId};
use super::io::{AudioCommand, Dialect, Input, Notice, Output, Saved};
use super::mesh::MeshSettings;
use super::signature::DeviceKey;
use super::status::{ActiveSync, AudioStatus, LibraryStatus, Member};
use super::tiers::Tiers;
use backend::Backend;
use mesh::{ATTEMPTS_UNKEPT, Mesh, Obeys};
use own::Own;
use plan::Planner;
use std::collections::VecDeque;

/// Who this car is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The device's own key; its device id follows from it.
    pub key: DeviceKey,
    pub user: UserId,
    /// As people call the car.
    pub name: String,
    pub version: String,
}

impl Identity {
    #[must_use]
    pub fn device(&self) -> &DeviceId {
        self.key.device()
    }
}

/// What the car starts from.
#[derive(Debug, Clone)]
pub struct Start {
    pub identity: Identity,
    /// The convoy that the configuration names, if it does.
    pub convoy: Option<ConvoyId>,
    /// Whether a server is configured: then the car waits a little for it before it plays alone.
    pub has_server: bool,
    pub mesh: MeshSettings,
    pub saved: Option<Saved>,
    /// Changes that count and that `saved` may lack, in order.
    pub tail: Vec<Change>,
    /// Own changes that no authority has acknowledged, in order.
    pub pending: Vec<Change>,
    /// The changes of late that count, of whomever, in order: other members may lack them.
    pub recent: Vec<Change>,
    /// The last sequence number that an own change ever had.
    pub sequence: u64,
    /// Whether the machine has not rebooted since `saved`: then its clock still holds.
    pub same_boot: bool,
}

/// Where convoy time comes from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TimeBase {
    /// Not known yet, and worth waiting for until then.
    Awaited { until: MonoTime },
    /// Made up by this car, which has met no other.
    Own,
    /// The convoy's, measured or held over.
    Convoy,
}

/// The link to the server as the core knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Down,
    /// Connected; asked to be taken in.
    Joining(Dialect),
    Joined(Dialect),
}

/// A car's core. See the module above for its one law.
#[derive(Debug)]
pub struct Car {
    me: Identity,
    convoy: Option<ConvoyId>,
    state: Snapshot,
    hlc: Hlc,
    members: Vec<Member>,

    link: Link,
    tiers: Tiers,
    estimator: Estimator,
    clock: SlewedClock,
    base: TimeBase,
    next_probe: MonoTime,
    /// When to ask again to be taken in, of a server that lives.
    rejoin: Option<MonoTime>,
    /// When the server last answered a probe, or took us in.
    answered: MonoTime,
    /// How often it has refused since it last took us in.
    rejections: u32,
    server_lead_us: i64,

    own: Own,
    backend: Backend,
    mesh: Mesh,
    planner: Planner,
    audio: AudioStatus,
    library: LibraryStatus,
    volume: f64,
    ducked: bool,
    queue_revision: u64,

    /// Commands that wait for convoy time to be known.
    waiting: VecDeque<Input>,
    dirty_since: Option<MonoTime>,
    remembered: MonoTime,
    last_known: Option<ClockMap>,
    outputs: VecDeque<Output>,
}

/// A server that is configured gets so long to answer before the car plays alone.
const AWAIT_US: i64 = 3_000_000;
/// Exchanges that make a clock good enough to play by.
const PROBES_ENOUGH: usize = 6;
const PROBE_FAST_US: i64 = 40_000;
const PROBE_US: i64 = 500_000;
const PROBES_FAST: usize = 12;
/// A server that would not have us is asked again after so long, then after twice as long, up to four times.
const REJOIN_US: i64 = 10_000_000;
const WAITING_MAX: usize = 64;
/// How much quieter the music is while someone speaks (-15 dB).
const DUCK_GAIN: f64 = 0.178;

impl Car {
    #[must_use]
    pub fn new(start: Start, now: MonoTime) -> Self {
        let Start { identity, convoy, has_server, saved, mesh, tail, pending, recent, sequence, same_boot } =
            memory::cleansed(start);
        let volume = saved.as_ref().map_or(0.8, |saved| saved.volume);
        let sequence = saved.as_ref().map_or(0, |saved| saved.sequence).max(sequence);
        let attempt = saved.as_ref().map_or(0, |saved| saved.attempt + ATTEMPTS_UNKEPT);
        let elsewhere = saved.as_ref().is_some_and(|saved| convoy.is_some() && saved.convoy != convoy);
        let (saved, tail) = if elsewhere { (None, Vec::new()) } else { (saved, tail) };
        let held = saved.as_ref().and_then(|saved| saved.clock).filter(|_| same_boot);
        let base = match held {
            Some(_) => TimeBase::Convoy,
            None if has_server => TimeBase::Awaited { until: now + AWAIT_US },
            None => TimeBase::Own,
        };
        // Never before what was done last, or that would be done once more.
        let done = tail.iter().chain(&pending).filter(|change| change.id.device == *identity.device());
        let done = done.map(|change| ConvoyTime(change.hlc.time_us)).max();
        let own_zero = saved.as_ref().map_or(ConvoyTime(0), |saved| saved.at).max(done.unwrap_or(ConvoyTime(0)));
        let map = held.unwrap_or(ClockMap { mono0: now, convoy0: own_zero, rate: 0.0 });
        let mut car = Self {
            convoy: convoy.or_else(|| saved.as_ref().and_then(|saved| saved.convoy.clone())),
            own: Own::new(identity.device().clone(), sequence, pending),
            me: identity,
            volume,
            backend: Backend::known_as(saved.as_ref().and_then(|saved| saved.known_as.clone())),
            mesh: Mesh::new(mesh, map.rate, attempt),
            hlc: tail.iter().map(|change| change.hlc).fold(Hlc::default(), Hlc::merge),
            state: saved.map(|saved| saved.snapshot).unwrap_or_default(),
            members: Vec::new(),
            link: Link::Down,
            tiers: Tiers::default(),
            estimator: Estimator::default(),
            clock: SlewedClock::continued(map),
            base,
            next_probe: now,
            rejoin: None,
            answered: now,
            rejections: 0,
            server_lead_us: LEAD_MIN_US,
            planner: Planner::default(),
            audio: AudioStatus::default(),
            library: LibraryStatus::default(),
            ducked: false,
            queue_revision: 1,
            waiting: VecDeque::new(),
            dirty_since: None,
            remembered: now,
            last_known: None,
            outputs: VecDeque::new(),
        };
        if elsewhere {
            car.abandon_own();
        }
        let recent = if elsewhere { Vec::new() } else { recent };
        let own = car.own.stored_changes();
        for change in tail.iter().chain(&own) {
            // Those that the saved state knows already change nothing.
            let _ = car.state.apply_alone(change);
        }
        car.recall_log(recent.into_iter().chain(tail).chain(own), now);
        if car.convoy.is_none() {
            car.settle_alone();
        }
        car.recall_time();
        car.say_volume();
        car.refresh(now);
        car
    }

    /// Takes in one thing that happened at `now`. Drain `poll_output` afterwards.
    pub fn handle(&mut self, input: Input, now: MonoTime) {
        self.stir(&input);
        match input {
            Input::Command { .. } if !self.time_known() || !self.waiting.is_empty() => self.defer(input),
            Input::Command { request, command } => self.handle_command(request, command, now),
            Input::Server(event) => self.handle_server(event, now),
            Input::Mesh(event) => self.handle_mesh(event, now),
            Input::Lan(event) => self.handle_lan(event, now),
            Input::Stored(id) => self.handle_stored(&id, now),
            Input::NotStored { change, problem } => self.own.handle_not_stored(&change, &problem),
            Input::Track(event) => self.handle_track(event),
            Input::Audio(status) => self.audio = status,
            Input::Library(status) => self.handle_library(status),
            Input::NotRemembered => self.touch(now),
            Input::WallClock { unix_us, synchronized } => self.handle_wall_clock(unix_us, synchronized, now),
            Input::Wake => {}
        }
        self.refresh(now);
    }

    /// The daemon ends: what is to be kept is kept now.
    pub fn handle_stop(&mut self, now: MonoTime) {
        self.leave_mesh();
        self.remember(now);
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Whom this car obeys now.
    #[must_use]
    pub fn obeys(&self) -> Choice {
        match self.mesh.obeys_now() {
            Obeys::Server => Choice::Server,
            Obeys::Myself => Choice::Lead,
            Obeys::Neighbour(peer) => Choice::Follow(peer.clone()),
        }
    }

    /// What the convoy agrees on, as far as it is known here.
    #[must_use]
    pub fn state(&self) -> &Snapshot {
        &self.state
    }

    /// Own changes that no authority has answered for.
    #[must_use]
    pub fn pending(&self) -> u64 {
        self.own.count()
    }

    /// Convoy time at `now`; none while it is not known.
    #[must_use]
    pub fn convoy_time(&self, now: MonoTime) -> Option<ConvoyTime> {
        self.clock.map().filter(|_| self.time_known()).map(|map| map.convoy(now))
    }

    /// Whether that time is the convoy's, and not one that this car made up when it found nobody.
    #[must_use]
    pub fn keeps_convoy_time(&self) -> bool {
        self.base == TimeBase::Convoy
    }

    /// When to call `handle(Wake)` if nothing else happens before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<MonoTime> {
        let to_server = self.server_due().filter(|_| self.link == Link::Joined(Dialect::Jamz));
        let making = self.own.is_making().then_some(MonoTime(i64::MIN));
        let probe = (self.link != Link::Down).then_some(self.next_probe);
        let awaited = match self.base {
            TimeBase::Awaited { until } => Some(until),
            _ => None,
        };
        [
            probe,
            awaited,
            self.remember_timeout(),
            self.own.poll_timeout(),
            self.tiers.poll_timeout(),
            self.next_roll(),
            self.stuck_timeout(),
            self.rejoin.filter(|_| self.link != Link::Down),
            self.own.send_timeout().filter(|_| self.link == Link::Joined(Dialect::Jamz)),
            self.backend.poll_timeout(),
            self.mesh_timeout(),
            self.silence_due(),
            to_server,
            making,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Convoy time at `now` as this car has it.
    fn convoy_now(&self, now: MonoTime) -> ConvoyTime {
        self.clock.map().map_or(ConvoyTime(now.0), |map| map.convoy(now))
    }

    /// A change made now is later than everything in the state that was restored.
    fn recall_time(&mut self) {
        let own = self.own.latest();
        self.hlc = own.into_iter().fold(self.hlc.merge(self.state.latest()), Hlc::merge);
    }

    fn time_known(&self) -> bool {
        !matches!(self.base, TimeBase::Awaited { .. })
    }

    fn defer(&mut self, input: Input) {
        if self.waiting.len() < WAITING_MAX {
            self.waiting.push_back(input);
        } else if let Input::Command { request, .. } = input {
            let problem = super::request::Refusal::Failed("too many commands wait for the convoy's clock".into());
            self.outputs.push_back(Output::Reply { request, result: Err(problem) });
        }
    }

    /// Everything that follows from the state as it is now; called after every input.
    fn refresh(&mut self, now: MonoTime) {
        if let TimeBase::Awaited { until } = self.base
            && now >= until
        {
            self.base = TimeBase::Own;
        }
        self.run_waiting(now);
        self.rejoin_when_due(now);
        self.probe_when_due(now);
        self.notice_silence(now);
        self.tend_mesh(now);
        self.decide_tier(now);
        self.advance(now);
        self.tick_backend(now);
        self.go_on_making(now);
        self.settle_own(now);
        self.replan(now);
        self.leave_stuck_track(now);
        self.say_clock();
        self.remember_when_due(now);
    }

    /// Commands that waited are done one after the other, as if each had been given after the one before was answered.
    fn run_waiting(&mut self, now: MonoTime) {
        while self.time_known() && self.own.is_idle() {
            let Some(Input::Command { request, command }) = self.waiting.pop_front() else { break };
            self.handle_command(request, command, now);
        }
    }

    fn decide_tier(&mut self, now: MonoTime) {
        let Some(active) = self.tiers.decide(now) else { return };
        let notice = match active {
            ActiveSync::Socket => {
                self.forget_missing();
                Notice::BackOnline
            }
            ActiveSync::Webrtc => Notice::MeshMode,
            ActiveSync::Offline => {
                let reason = self.tiers.connection(std::collections::BTreeMap::new(), None).reason;
                Notice::OfflineMode { reason }
            }
        };
        self.outputs.push_back(Output::Notice(notice));
    }

    fn say_clock(&mut self) {
        let map = self.clock.map().filter(|_| self.time_known());
        if map != self.last_known {
            self.last_known = map;
            self.outputs.push_back(Output::Audio(AudioCommand::Clock(map)));
        }
    }

    fn say_volume(&mut self) {
        let level = if self.ducked { self.volume * DUCK_GAIN } else { self.volume };
        self.outputs.push_back(Output::Audio(AudioCommand::Volume(level)));
    }
}
