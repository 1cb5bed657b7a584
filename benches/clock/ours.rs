//! The product's own estimator, as it is.

use crate::peers::{Estimates, Exchange};
use jamz::core::car::PROBES_ENOUGH;
use jamz::core::clock::{ConvoyTime, Estimate, Estimator, MonoTime, Probe};
use std::time::Instant;

/// `core::clock`, with the time that it takes.
#[derive(Default)]
pub(crate) struct Ours {
    estimator: Estimator,
    pub(crate) probes: u32,
    pub(crate) spent_ns: u128,
}

impl Ours {
    /// The estimate, once a car follows it.
    pub(crate) fn estimate(&self) -> Option<Estimate> {
        self.estimator.estimate().filter(|_| self.estimator.count() >= PROBES_ENOUGH)
    }
}

impl Estimates for Ours {
    fn pace_us(&self) -> f64 {
        self.estimator.pace_us() as f64
    }

    #[allow(clippy::disallowed_methods, reason = "what is measured here is the time that the estimator takes")]
    fn handle(&mut self, exchange: &Exchange) {
        let reference = ConvoyTime(exchange.reference_us as i64);
        let probe = Probe {
            sent: MonoTime(exchange.sent_us as i64),
            received: MonoTime(exchange.received_us as i64),
            reference_received: reference,
            reference_sent: reference,
        };
        let begun = Instant::now();
        self.estimator.handle_probe(&probe);
        let estimate = self.estimator.estimate_at(probe.received);
        self.spent_ns += begun.elapsed().as_nanos();
        self.probes += u32::from(estimate.is_some());
    }

    fn offset_us(&mut self, now_us: f64) -> Option<(f64, Option<f64>)> {
        let now = MonoTime(now_us as i64);
        let estimate = self.estimator.estimate_at(now)?;
        Some(((estimate.map.convoy(now) - ConvoyTime(now.0)) as f64, Some(estimate.bound_us as f64)))
    }
}
