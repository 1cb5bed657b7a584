//! What a car does, driven by hand: every test gives inputs at chosen times and looks at the outputs.

mod alone;
mod backend;
mod backend_again;
mod backend_cars;
mod chirp;
mod clock;
mod edits;
mod gone;
mod guests;
mod invite;
mod joined;
mod links;
mod muted;
mod nonsense;
mod papers;
mod reference;
mod rights;
mod sound;
mod taken_in;
mod wall;

use super::*;
use crate::core::changes::{Action, Change, Verdict};
use crate::core::id::{DeviceId, EntryId, TrackId, UserId};
use crate::core::io::{Plan, RequestId, ServerCommand, ServerEvent, Source, TrackEvent};
use crate::core::mesh::MeshSettings;
use crate::core::playlist::Track;
use crate::core::request::{Addition, Command, Done, Reach, Refusal};
use crate::core::signature::DeviceKey;

const SECOND: i64 = 1_000_000;

pub(super) struct Bench {
    pub(super) car: Car,
    pub(super) now: MonoTime,
    request: u64,
    pub(super) plan: Plan,
    pub(super) clock: Option<ClockMap>,
    /// Whether changes become durable by themselves.
    pub(super) disk: bool,
    pub(super) seen: Vec<Output>,
}

/// The car that is tested has this key.
pub(super) const ME: u8 = 7;

/// A key that is known by its number.
pub(super) fn key(seed: u8) -> DeviceKey {
    DeviceKey::from_secret(&[seed; 32]).unwrap()
}

pub(super) fn me() -> DeviceId {
    key(ME).device().clone()
}

pub(super) fn start() -> Start {
    Start {
        identity: Identity {
            key: key(ME),
            user: UserId::new("ann").unwrap(),
            name: "Ann's car".into(),
            version: "test".into(),
        },
        convoy: None,
        has_server: false,
        satellite: false,
        mesh: MeshSettings::default(),
        saved: None,
        tail: Vec::new(),
        pending: Vec::new(),
        recent: Vec::new(),
        sequence: 0,
        same_boot: false,
    }
}

pub(super) fn track(name: &str, seconds: i64) -> Track {
    Track {
        id: TrackId::new(name).unwrap(),
        title: name.into(),
        artist: String::new(),
        album: String::new(),
        duration_us: Some(seconds * SECOND),
        url: Some(format!("https://example.org/{name}.mp3")),
        extra: serde_json::Map::new(),
    }
}

impl Bench {
    pub(super) fn new(start: Start) -> Self {
        let now = MonoTime(1_000 * SECOND);
        let mut bench = Self {
            car: Car::new(start, now),
            now,
            request: 0,
            plan: Plan::default(),
            clock: None,
            disk: true,
            seen: Vec::new(),
        };
        bench.drain();
        bench
    }

    pub(super) fn give(&mut self, input: Input) {
        self.car.handle(input, self.now);
        self.drain();
    }

    pub(super) fn server(&mut self, event: ServerEvent) {
        self.give(Input::Server(event));
    }

    fn drain(&mut self) {
        while let Some(output) = self.car.poll_output() {
            match &output {
                Output::Store(change) if self.disk => {
                    let id = change.id.clone();
                    self.car.handle(Input::Stored(id), self.now);
                }
                Output::Audio(AudioCommand::Plan(plan)) => self.plan = plan.clone(),
                Output::Audio(AudioCommand::Clock(map)) => self.clock = *map,
                Output::Resolve(track) => {
                    let event = TrackEvent::Ready {
                        track: track.id.clone(),
                        source: Source { path: format!("/{}", track.id), growing: None },
                        duration_us: track.duration_us,
                        gain_db: None,
                    };
                    self.car.handle(Input::Track(event), self.now);
                }
                _ => {}
            }
            self.seen.push(output);
        }
    }

    pub(super) fn wait(&mut self, us: i64) {
        let end = self.now + us;
        while let Some(wake) = self.car.poll_timeout().filter(|wake| *wake <= end) {
            self.now = self.now.max(wake);
            self.give(Input::Wake);
        }
        self.now = end;
        self.give(Input::Wake);
    }

    pub(super) fn command(&mut self, command: Command) -> RequestId {
        self.request += 1;
        let request = RequestId(self.request);
        self.give(Input::Command { request, command });
        request
    }

    pub(super) fn reply(&self, request: RequestId) -> Option<&Result<Done, Refusal>> {
        self.seen.iter().find_map(|output| match output {
            Output::Reply { request: r, result } if *r == request => Some(result),
            _ => None,
        })
    }

    pub(super) fn reach(&self, request: RequestId) -> Option<Reach> {
        self.reply(request).and_then(|result| result.as_ref().ok()).map(|done| done.reach)
    }

    pub(super) fn sent(&self) -> Vec<&ServerCommand> {
        self.seen.iter().filter_map(|o| if let Output::Server(command) = o { Some(command) } else { None }).collect()
    }

    /// How often the server was asked for the time.
    pub(super) fn probes_sent(&self) -> usize {
        self.sent().into_iter().filter(|command| matches!(command, ServerCommand::Probe { .. })).count()
    }

    pub(super) fn changes_sent(&self) -> Vec<&Change> {
        let mut changes = Vec::new();
        for command in self.sent() {
            if let ServerCommand::Change(change) | ServerCommand::PassOn { change, .. } = command {
                changes.push(&**change);
            }
        }
        changes
    }

    /// Joins a convoy on a server whose clock runs `ahead_us` ahead of ours.
    pub(super) fn join(&mut self, snapshot: Snapshot, ahead_us: i64) {
        self.server(ServerEvent::Up { dialect: Dialect::Jamz, challenge: None });
        self.server(ServerEvent::Joined { snapshot: Box::new(snapshot), members: Vec::new() });
        for _ in 0..12 {
            self.probe(ahead_us);
            self.wait(40_000);
        }
    }

    pub(super) fn probe(&mut self, ahead_us: i64) {
        let at = ConvoyTime(self.now.0 - 500 + ahead_us);
        self.server(ServerEvent::Probed {
            sent: self.now - 1_000,
            received: self.now,
            server_received: at,
            server_sent: at,
            lead_us: 150_000,
        });
    }

    pub(super) fn ack_all(&mut self, verdict: &Verdict) {
        let ids: Vec<_> = self.changes_sent().into_iter().map(|change| change.id.clone()).collect();
        for change in ids {
            self.server(ServerEvent::Acked { change, verdict: verdict.clone() });
        }
    }

    pub(super) fn add(&mut self, tracks: &[Track]) -> RequestId {
        let tracks = tracks.iter().map(|track| Addition::Known(Box::new(track.clone()))).collect();
        self.command(Command::QueueAdd { tracks, index: None })
    }

    pub(super) fn queue(&self) -> Vec<String> {
        self.car.queue().map(|(_, track)| track.title.clone()).collect()
    }

    pub(super) fn status(&self) -> crate::core::status::Status {
        self.car.status(self.now)
    }
}

pub(super) fn in_convoy() -> Start {
    Start { convoy: ConvoyId::new("convoy").ok(), has_server: true, ..start() }
}

pub(super) fn led_by(other: &str) -> Snapshot {
    let mut snapshot = Snapshot::default();
    let change = Change {
        id: crate::core::changes::ChangeId { device: DeviceId::new(other).unwrap(), sequence: 1 },
        hlc: Hlc { time_us: 1, count: 0 },
        term: crate::core::election::Term(0),
        user: None,
        action: Action::TakeControl,
        signature: None,
    };
    assert_eq!(snapshot.apply(&change), Verdict::Applied);
    snapshot
}
