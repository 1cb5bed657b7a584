//! A car's end of tier 1 in a test: the real link, and the core's habits that matter to it.

use jamz::core::changes::{Action, Change, ChangeId, Hlc};
use jamz::core::election::Term;
use jamz::core::id::{ConvoyId, DeviceId, UserId};
use jamz::core::io::{Dialect, ServerCommand, ServerEvent};
use jamz::host::MonotonicClock;
use jamz::tier::server::{Config, ServerLink};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Longer than anything takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often the core probes.
const PROBES: Duration = Duration::from_millis(500);

pub(crate) struct Car {
    pub(crate) link: ServerLink,
    pub(crate) events: mpsc::Receiver<ServerEvent>,
}

/// A probe, as the core sends it.
pub(crate) const PROBE: ServerCommand = ServerCommand::Probe { round_trip_us: None, bound_us: None };

impl Car {
    pub(crate) fn new(config: Config) -> Self {
        Self::with_room(config, 64)
    }

    pub(crate) fn at(url: impl Into<String>) -> Self {
        Self::new(Config { url: Some(url.into()), ..Config::default() })
    }

    /// A car whose core takes so many events ahead.
    pub(crate) fn with_room(config: Config, events_max: usize) -> Self {
        let (sender, events) = mpsc::channel(events_max);
        Self { link: ServerLink::start(config, Arc::new(MonotonicClock), sender).unwrap(), events }
    }

    pub(crate) async fn next(&mut self) -> ServerEvent {
        timeout(PATIENCE, self.events.recv()).await.expect("no event came").expect("the link has ended")
    }

    /// Waits for an event; what comes before it is passed over.
    pub(crate) async fn find(&mut self, what: &str, wanted: impl Fn(&ServerEvent) -> bool) -> ServerEvent {
        let mut passed = Vec::new();
        let search = async {
            while let Some(event) = self.events.recv().await {
                if wanted(&event) {
                    return Some(event);
                }
                passed.push(event);
            }
            None
        };
        let found = timeout(PATIENCE, search).await.ok().flatten();
        found.unwrap_or_else(|| panic!("{what} never came, only {passed:?}"))
    }

    pub(crate) async fn up(&mut self) -> Dialect {
        let ServerEvent::Up { dialect, .. } = self.find("up", |e| matches!(e, ServerEvent::Up { .. })).await else {
            unreachable!()
        };
        dialect
    }

    pub(crate) async fn down(&mut self) -> String {
        let ServerEvent::Down { reason } = self.find("down", |e| matches!(e, ServerEvent::Down { .. })).await else {
            unreachable!()
        };
        reason
    }

    /// Probes as the core does until the link is down; the reason, and how long it took.
    pub(crate) async fn probe_until_down(&mut self) -> (String, Duration) {
        let begun = Instant::now();
        let mut probes = tokio::time::interval(PROBES);
        loop {
            assert!(begun.elapsed() < PATIENCE, "the link stayed up");
            tokio::select! {
                _ = probes.tick() => self.link.send(PROBE),
                event = self.events.recv() => if let Some(ServerEvent::Down { reason }) = event {
                    return (reason, begun.elapsed());
                },
            }
        }
    }

    /// Probes as the core does for a while, in which the link must not go down; what came meanwhile.
    pub(crate) async fn probe_for(&mut self, while_: Duration) -> Vec<ServerEvent> {
        let mut probes = tokio::time::interval(PROBES);
        let mut seen = Vec::new();
        let end = tokio::time::sleep(while_);
        tokio::pin!(end);
        loop {
            tokio::select! {
                _ = probes.tick() => self.link.send(PROBE),
                Some(event) = self.events.recv() => {
                    assert!(!matches!(event, ServerEvent::Down { .. }), "{event:?}");
                    seen.push(event);
                }
                () = &mut end => return seen,
            }
        }
    }
}

pub(crate) fn device() -> DeviceId {
    DeviceId::new("car-1").unwrap()
}

pub(crate) fn join() -> ServerCommand {
    ServerCommand::Join {
        convoy: ConvoyId::new("convoy").unwrap(),
        device: device(),
        user: UserId::new("ann").unwrap(),
        name: "Ann's car".into(),
        claim: None,
        proof: None,
    }
}

pub(crate) fn change(sequence: u64) -> Change {
    Change {
        id: ChangeId { device: device(), sequence },
        hlc: Hlc { time_us: sequence as i64, count: 0 },
        term: Term(1),
        user: None,
        action: Action::TakeControl,
        signature: None,
    }
}
