//! What the rogue says: each kind of message in turn, or only one.

use super::socket::Joined;
use jamz::core::changes::{Action, Change, ChangeId, Hlc, Verdict, Versions};
use jamz::core::clock::{ConvoyTime, Monotonic};
use jamz::core::election::Term;
use jamz::core::id::{ConvoyId, DeviceId, EntryId, TrackId, UserId};
use jamz::core::mesh::{Attempt, Beat, Claim, PeerMessage, Route, Signal, SignalKind, SignedSignal, Source};
use jamz::core::order::OrderKey;
use jamz::core::playlist::Track;
use jamz::core::signature::DeviceKey;
use jamz::core::timeline::Anchor;
use jamz::host::MonotonicClock;
use jamz::wire::server::{jamz as dialect, signal};
use serde_json::{Value, json};

/// Whose token it has.
pub const USER: &str = "mallory";

#[derive(Clone, Copy)]
pub enum Mix {
    /// Seeks, edits, beats or probes, signals, versions, and what is forged or no message at all.
    All,
    /// Tracks that are added, which have to be kept.
    Edits,
    /// Verdicts, or probes: what is borne of others in the greatest number.
    Idle,
}

impl Mix {
    pub fn named(name: &str) -> Option<Self> {
        [("all", Self::All), ("edits", Self::Edits), ("idle", Self::Idle)]
            .into_iter()
            .find_map(|(own, mix)| (own == name).then_some(mix))
    }
}

pub struct Mouth {
    key: DeviceKey,
    mix: Mix,
    convoy: ConvoyId,
    pub term: Term,
    /// Convoy time, before the machine's clock.
    ahead_us: i64,
    others: Vec<DeviceId>,
    number: u64,
    sequence: u64,
}

impl Mouth {
    pub fn new(key: DeviceKey, mix: Mix, joined: &Joined) -> Self {
        let Joined { credentials, ahead_us, term, others, .. } = joined;
        let (convoy, others) = (credentials.convoy.clone(), others.clone());
        Self { key, mix, convoy, term: *term, ahead_us: *ahead_us, others, number: 0, sequence: 0 }
    }

    /// The next message to a neighbour.
    pub fn message(&mut self) -> PeerMessage {
        self.number += 1;
        match (self.mix, self.number % 6) {
            (Mix::Idle, _) => {
                let change = ChangeId { device: self.key.device().clone(), sequence: self.number };
                PeerMessage::Verdict { change, verdict: Verdict::Applied }
            }
            (Mix::Edits, _) | (Mix::All, 1) => told(self.addition()),
            (Mix::All, 0) => told(self.seek()),
            (Mix::All, 2) => PeerMessage::Beat(Box::new(self.beat())),
            (Mix::All, 3) => PeerMessage::Signal { signal: Box::new(self.signal()), hops: 0 },
            (Mix::All, 4) => PeerMessage::Versions(Versions::default()),
            (Mix::All, _) => {
                let mut forged = self.seek();
                forged.hlc.count += 1;
                told(forged)
            }
        }
    }

    /// The next event for the server.
    pub fn event(&mut self) -> (&'static str, Value) {
        self.number += 1;
        match (self.mix, self.number % 6) {
            (Mix::Idle, _) | (Mix::All, 2) => (dialect::PROBE, json!({})),
            (Mix::Edits, _) | (Mix::All, 1) => (dialect::CHANGE, json!(self.addition())),
            (Mix::All, 0) => (dialect::CHANGE, json!(self.seek())),
            (Mix::All, 3) => (dialect::SIGNAL, json!(signal::to_own(&self.signal()))),
            (Mix::All, 4) => (dialect::CHANGE, json!({ "id": self.number, "action": [[[]]] })),
            (Mix::All, _) => ("made-up", json!("x".repeat(100))),
        }
    }

    /// A signal to one of the others, signed.
    pub fn signal(&mut self) -> SignedSignal {
        self.number += 1;
        let to = self.others[self.number as usize % self.others.len()].clone();
        let signal = Signal { attempt: Attempt(self.number), kind: SignalKind::IceCandidate, body: "nowhere".into() };
        self.key.sign_signal(to, signal, self.convoy.clone())
    }

    fn change(&mut self, action: Action) -> Change {
        self.sequence += 1;
        let mut change = Change {
            id: ChangeId { device: self.key.device().clone(), sequence: self.sequence },
            hlc: Hlc { time_us: self.convoy_time().0, count: 0 },
            term: self.term,
            user: None,
            action,
            signature: None,
        };
        self.key.sign_change(&mut change, &self.convoy);
        change
    }

    fn convoy_time(&self) -> ConvoyTime {
        ConvoyTime(MonotonicClock.now().0 + self.ahead_us)
    }

    fn seek(&mut self) -> Change {
        let at = self.convoy_time() + 200_000;
        let position_us = (self.number % 20) as i64 * 1_000_000;
        self.change(Action::Seek { anchor: Anchor { entry: None, track: None, position_us, at, playing: true } })
    }

    fn addition(&mut self) -> Change {
        let name = format!("{}-{}", &self.key.device().as_str()[..8], self.number);
        let track = Track {
            id: TrackId::new(name.as_str()).unwrap(),
            title: "What nobody wants to hear".into(),
            artist: USER.into(),
            album: String::new(),
            duration_us: Some(180_000_000),
            url: None,
            extra: serde_json::Map::new(),
        };
        let entry = EntryId::new(name).unwrap();
        self.change(Action::Add { entry, track, order: OrderKey::between(None, None) })
    }

    /// It wants an answer, and claims to lead nobody but itself.
    fn beat(&self) -> Beat {
        let device = self.key.device().clone();
        let claim = Claim {
            term: self.term,
            established: false,
            timed: false,
            dj: false,
            mains: true,
            user: UserId::new(USER).unwrap(),
            device: device.clone(),
        };
        Beat {
            ask: true,
            sent: MonotonicClock.now(),
            echo: None,
            clock: None,
            clock_through: Vec::new(),
            route: Route { source: Source::Member(claim), path: vec![device], count: self.number },
            digest: self.number,
            members: 0,
            wanted: true,
        }
    }
}

fn told(change: Change) -> PeerMessage {
    PeerMessage::Change { change: Box::new(change), track: None, ticket: None, hops: 0 }
}
