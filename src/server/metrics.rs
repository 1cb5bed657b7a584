//! What the server counts of itself: OpenMetrics text, and the health that `/healthz` shows. No label is chosen by a
//! client.

use crate::core::changes::Verdict;
use crate::core::clock::{MonoTime, Monotonic};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VerdictLabel {
    verdict: &'static str,
}

/// How Redis is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedisState {
    Off,
    Connected,
    Disconnected,
}

impl RedisState {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Connected => "connected",
            Self::Disconnected => "disconnected",
        }
    }
}

/// All figures of the server.
pub struct Metrics {
    registry: Registry,
    clock: Arc<dyn Monotonic>,
    pub connections: Gauge,
    pub convoys: Gauge,
    pub members: Gauge,
    pub messages: Counter,
    /// Handshakes that were refused.
    pub refused: Counter,
    /// Connections that were ended because they broke a limit, or could not keep up.
    pub expelled: Counter,
    changes: Family<VerdictLabel, Counter>,
    commits: Histogram,
    redis_up: Gauge,
    storage_problem: Mutex<Option<String>>,
    redis: Mutex<RedisState>,
}

impl Metrics {
    #[must_use]
    pub fn new(clock: Arc<dyn Monotonic>) -> Self {
        let metrics = Self {
            registry: Registry::with_prefix("jamz"),
            clock,
            connections: Gauge::default(),
            convoys: Gauge::default(),
            members: Gauge::default(),
            messages: Counter::default(),
            refused: Counter::default(),
            expelled: Counter::default(),
            changes: Family::default(),
            commits: Histogram::new([0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0]),
            redis_up: Gauge::default(),
            storage_problem: Mutex::new(None),
            redis: Mutex::new(RedisState::Off),
        };
        metrics.registered()
    }

    fn registered(mut self) -> Self {
        let registry = &mut self.registry;
        registry.register("connections", "Connected clients", self.connections.clone());
        registry.register("convoys", "Convoys in memory", self.convoys.clone());
        registry.register("members", "Connected members of convoys", self.members.clone());
        registry.register("messages", "Messages received", self.messages.clone());
        registry.register("handshakes_refused", "Handshakes refused", self.refused.clone());
        registry.register("connections_expelled", "Connections ended over a limit", self.expelled.clone());
        registry.register("changes", "Changes by what became of them", self.changes.clone());
        registry.register("commit_seconds", "Time to make a batch durable", self.commits.clone());
        registry.register("redis_up", "Whether Redis answers", self.redis_up.clone());
        self
    }

    /// Counts a change.
    pub fn change(&self, verdict: &Verdict) {
        let verdict = match verdict {
            Verdict::Applied => "applied",
            Verdict::Duplicate => "duplicate",
            Verdict::Superseded { .. } => "superseded",
            Verdict::Refused { .. } => "refused",
        };
        self.changes.get_or_create(&VerdictLabel { verdict }).inc();
    }

    /// Begins to time a commit.
    #[must_use]
    pub fn begin(&self) -> MonoTime {
        self.clock.now()
    }

    /// Ends it, with what went wrong.
    pub fn committed(&self, begun: MonoTime, problem: Option<String>) {
        self.commits.observe((self.clock.now() - begun) as f64 / 1e6);
        *self.storage_problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }

    /// What is wrong with the storage, if anything.
    #[must_use]
    pub fn storage_problem(&self) -> Option<String> {
        self.storage_problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set_redis(&self, state: RedisState) {
        self.redis_up.set(i64::from(state == RedisState::Connected));
        *self.redis.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    #[must_use]
    pub fn redis(&self) -> RedisState {
        *self.redis.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All figures as OpenMetrics text.
    ///
    /// # Errors
    /// Never, as a `String` takes all text.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
