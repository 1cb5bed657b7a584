//! One car: takes in what happens, keeps the convoy's state, and says what to do. Everything a car decides, it decides
//! here.

mod authorship;
mod backend;
mod chirp;
mod commands;
mod invite;
mod memory;
mod mesh;
mod own;
mod pace;
mod papers;
mod plan;
mod server;
mod snapshot;
mod sound;
mod start;
#[cfg(test)]
mod tests;
mod wall;

use super::changes::Hlc;
use super::clock::{ClockMap, ConvoyTime, Estimator, MonoTime, SlewedClock};
use super::conduct::Conduct;
use super::convoy::{LEAD_MIN_US, Snapshot};
use super::election::Choice;
use super::id::ConvoyId;
use super::io::{AudioCommand, Dialect, Input, Notice, Output, RequestId};
use super::sky::Sky;
use super::status::{ActiveSync, AudioStatus, LibraryStatus, Member};
use super::tiers::Tiers;
use backend::Backend;
use mesh::{ATTEMPTS_UNKEPT, Mesh, Obeys};
use own::Own;
use pace::Pace;
use papers::Papers;
use plan::Planner;
use sound::Sound;
pub use start::{Identity, Start};
use std::collections::{BTreeSet, VecDeque};
use wall::Wall;

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
    sky: Sky,
    estimator: Estimator,
    clock: SlewedClock,
    base: TimeBase,
    next_probe: MonoTime,
    /// When to ask again to be taken in, of a server that lives.
    rejoin: Option<MonoTime>,
    joins: Pace,
    /// When the server last answered a probe, or took us in,
    answered: MonoTime,
    /// and when it last counted how long that took.
    timed: MonoTime,
    /// How often it has refused since it last took us in.
    rejections: u32,
    server_lead_us: i64,

    own: Own,
    /// Those who wait for a link that lets a phone in.
    invitations: BTreeSet<RequestId>,
    backend: Backend,
    mesh: Mesh,
    papers: Papers,
    conduct: Conduct,
    planner: Planner,
    audio: AudioStatus,
    library: LibraryStatus,
    sound: Sound,
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
pub const PROBES_ENOUGH: usize = 6;
/// A server that would not have us is asked again after so long, then after twice as long, up to four times.
const REJOIN_US: i64 = 10_000_000;
const WAITING_MAX: usize = 64;

impl Car {
    #[must_use]
    pub fn new(start: Start, now: MonoTime) -> Self {
        let Start { identity, convoy, has_server, satellite, saved, mesh, tail, pending, recent, sequence, same_boot } =
            memory::cleansed(start);
        let sound = Sound::kept(saved.as_ref());
        let sequence = saved.as_ref().map_or(0, |saved| saved.sequence).max(sequence);
        let attempt = saved.as_ref().map_or(0, |saved| saved.attempt + ATTEMPTS_UNKEPT);
        let elsewhere = saved.as_ref().is_some_and(|saved| convoy.is_some() && saved.convoy != convoy);
        let (saved, tail, recent) = if elsewhere { Default::default() } else { (saved, tail, recent) };
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
        let (tickets, passed_unix_us) =
            saved.as_ref().map(|saved| (saved.tickets.clone(), saved.passed_unix_us)).unwrap_or_default();
        let map = held.unwrap_or(ClockMap { mono0: now, convoy0: own_zero, rate: 0.0 });
        let mut car = Self {
            convoy: convoy.or_else(|| saved.as_ref().and_then(|saved| saved.convoy.clone())),
            own: Own::new(identity.device().clone(), sequence, pending),
            invitations: BTreeSet::new(),
            me: identity,
            sound,
            backend: Backend::known_as(saved.as_ref().and_then(|saved| saved.known_as.clone())),
            mesh: Mesh::new(mesh, map.rate, attempt),
            papers: Papers::kept(tickets, Wall::kept(passed_unix_us, now)),
            hlc: tail.iter().map(|change| change.hlc).fold(Hlc::default(), Hlc::merge),
            state: saved.map(|saved| saved.snapshot).unwrap_or_default(),
            members: Vec::new(),
            link: Link::Down,
            tiers: Tiers::default(),
            sky: Sky::told(satellite),
            estimator: Estimator::default(),
            clock: SlewedClock::continued(map),
            base,
            next_probe: now,
            rejoin: None,
            joins: Pace::of_joins(),
            answered: now,
            timed: MonoTime(i64::MIN / 2),
            rejections: 0,
            server_lead_us: LEAD_MIN_US,
            conduct: Conduct::default(),
            planner: Planner::default(),
            audio: AudioStatus::default(),
            library: LibraryStatus::default(),
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
        self.tell_wall_time(now);
        match input {
            Input::Command { .. } if !self.time_known() || !self.waiting.is_empty() => self.defer(input),
            Input::Command { request, command } => self.handle_command(request, command, now),
            Input::Server(event) => self.handle_server(event, now),
            Input::Mesh(event) => self.handle_mesh(event, now),
            Input::Lan(event) => self.handle_lan(event, now),
            Input::Stored(id) => self.handle_stored(&id, now),
            Input::NotStored { change, problem } => self.own.handle_not_stored(&change, &problem),
            Input::Track(event) => self.handle_track(event),
            Input::Audio(status) => self.handle_audio(status),
            Input::Library(status) => self.handle_library(status),
            Input::NotRemembered => self.touch(now),
            Input::LetIn(credentials) => self.handle_let_in(credentials, now),
            Input::WallClock { unix_us, synchronized } => {
                self.note_wall_time(unix_us, synchronized, now);
                self.handle_wall_clock(unix_us, synchronized, now);
            }
            Input::Wake => self.take_in_edit(now),
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

    /// Whether the way to the server is taken for one over a satellite, whose pauses are borne.
    #[must_use]
    pub fn is_over_satellite(&self) -> bool {
        self.sky.is_satellite()
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

    /// How far that is from what `map` says, in microseconds.
    fn apart_us(&self, map: &ClockMap, now: MonoTime) -> i64 {
        (map.convoy(now) - self.convoy_now(now)).saturating_abs()
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
        self.compare_when_told(now);
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
        self.note_tier();
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
}
