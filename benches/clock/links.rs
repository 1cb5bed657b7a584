//! What an exchange goes through: ways with their delays and losses, crystals, and what befalls both on a drive.

use crate::chance::Chance;

/// A second, in microseconds.
pub(crate) const SECOND: f64 = 1e6;

/// How long one way takes, in milliseconds, and how it varies.
#[derive(Clone, Copy)]
#[allow(clippy::struct_field_names, reason = "units stand in names")]
pub(crate) struct Way {
    pub(crate) least_ms: f64,
    pub(crate) queue_ms: f64,
    pub(crate) uniform_ms: f64,
    /// Every 15 s another part of this is added: a satellite hands over to the next.
    pub(crate) handover_ms: f64,
}

const fn way(least_ms: f64, queue_ms: f64, uniform_ms: f64, handover_ms: f64) -> Way {
    Way { least_ms, queue_ms, uniform_ms, handover_ms }
}

/// What befalls a drive.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Event {
    Nothing,
    /// The crystal's rate moves by 5 ppm from 60 s to 660 s.
    Warms,
    /// The way there takes 8 ms longer from 300 s on, and the way back as well from 600 s on.
    Reroutes,
    /// The reference's clock steps by 50 ms at 300 s.
    Steps,
    /// The crystal's rate moves by 20 ppm at once, at 300 s.
    Kinks,
    /// Nothing comes through from 300 s to 360 s.
    Blackout,
    /// For the first 20 s the way there is blocked by 50 to 400 ms.
    SlowStart,
    /// From 600 s on nothing comes through.
    Holdover,
}

/// A link, a crystal, and what befalls them: a column of the table.
#[derive(Clone, Copy)]
pub(crate) struct Model {
    pub(crate) name: &'static str,
    up: Way,
    down: Way,
    /// One in so many ways meets a burst of 20 to 100 ms.
    burst_share: f64,
    loss_share: f64,
    pub(crate) event: Event,
    pub(crate) seconds: f64,
    /// From when on errors count.
    pub(crate) judged_s: f64,
}

impl Model {
    /// The same for so long only.
    pub(crate) fn lasting(&self, seconds: f64) -> Self {
        Self { seconds, ..*self }
    }
}

const LAN: Model = Model {
    name: "lan",
    up: way(0.1, 0.08, 0.0, 0.0),
    down: way(0.1, 0.08, 0.0, 0.0),
    burst_share: 0.0,
    loss_share: 0.0,
    event: Event::Nothing,
    seconds: 600.0,
    judged_s: 60.0,
};
const WIFI: Model = Model {
    name: "wifi",
    up: way(0.8, 1.5, 0.0, 0.0),
    down: way(0.8, 1.5, 0.0, 0.0),
    burst_share: 0.03,
    loss_share: 0.005,
    ..LAN
};
const SATELLITE: Model = Model {
    name: "sat 20",
    up: way(10.0, 0.0, 20.0, 0.0),
    down: way(10.0, 0.0, 20.0, 0.0),
    burst_share: 0.0,
    loss_share: 0.02,
    ..LAN
};
const FAR: Model =
    Model { name: "sat 40", up: way(20.0, 0.0, 40.0, 0.0), down: way(20.0, 0.0, 40.0, 0.0), ..SATELLITE };
const LTE: Model = Model { name: "lte", up: way(15.0, 15.0, 0.0, 0.0), down: way(10.0, 5.0, 0.0, 0.0), ..SATELLITE };
const STARLINK: Model =
    Model { name: "starlink", up: way(14.0, 4.0, 0.0, 8.0), down: way(12.0, 3.0, 0.0, 8.0), ..SATELLITE };

/// All columns.
pub(crate) const MODELS: [Model; 18] = [
    LAN,
    WIFI,
    SATELLITE,
    FAR,
    LTE,
    STARLINK,
    Model { name: "warms, wifi", event: Event::Warms, seconds: 900.0, ..WIFI },
    Model { name: "warms, sat", event: Event::Warms, seconds: 900.0, ..SATELLITE },
    Model { name: "kinks, wifi", event: Event::Kinks, seconds: 900.0, ..WIFI },
    Model { name: "kinks, sat", event: Event::Kinks, seconds: 900.0, ..SATELLITE },
    Model { name: "reroute, wifi", event: Event::Reroutes, seconds: 1_200.0, ..WIFI },
    Model { name: "reroute, sat", event: Event::Reroutes, seconds: 1_200.0, ..SATELLITE },
    Model { name: "step, sat", event: Event::Steps, judged_s: 310.0, ..SATELLITE },
    Model { name: "blackout, wifi", event: Event::Blackout, judged_s: 300.0, ..WIFI },
    Model { name: "blackout, sat", event: Event::Blackout, judged_s: 300.0, ..SATELLITE },
    Model { name: "slow start, wifi", event: Event::SlowStart, ..WIFI },
    Model { name: "holdover, wifi", event: Event::Holdover, seconds: 4_200.0, judged_s: 4_199.0, ..WIFI },
    Model { name: "holdover, sat", event: Event::Holdover, seconds: 4_200.0, judged_s: 4_199.0, ..SATELLITE },
];

/// One car's link on one drive: what chance has fixed for all estimators alike.
pub(crate) struct Link {
    pub(crate) model: Model,
    seed: u64,
    rate: f64,
}

const START_US: f64 = 5e9;

impl Link {
    pub(crate) fn new(model: Model, seed: u64) -> Self {
        let rate = Chance::new(seed).between(-40e-6, 40e-6);
        Self { model, seed, rate }
    }

    /// Convoy time less this car's own at `mono_us` of its own.
    pub(crate) fn offset_us(&self, mono_us: f64) -> f64 {
        let since = |seconds: f64| (mono_us - seconds * SECOND).max(0.0);
        let moved_us = match self.model.event {
            // 5 ppm in 600 s is so much per second, per second.
            Event::Warms => {
                let warming_us = since(60.0).min(600.0 * SECOND);
                5e-6 / (600.0 * SECOND) * warming_us * warming_us / 2.0 + 5e-6 * since(660.0)
            }
            Event::Kinks => 20e-6 * since(300.0),
            Event::Steps if mono_us >= 300.0 * SECOND => 50_000.0,
            _ => 0.0,
        };
        START_US + mono_us * self.rate + moved_us
    }

    /// How long a message takes there (`up`) or back that leaves now; none if it is lost.
    pub(crate) fn delay_us(&self, up: bool, mono_us: f64, chance: &mut Chance) -> Option<f64> {
        let Model { burst_share, loss_share, event, .. } = self.model;
        let way = if up { self.model.up } else { self.model.down };
        let mut delay_ms = way.least_ms + chance.exponential(way.queue_ms) + chance.between(0.0, way.uniform_ms);
        if chance.between(0.0, 1.0) < burst_share {
            delay_ms += chance.between(20.0, 100.0);
        }
        let sky = (mono_us / (15.0 * SECOND)).floor() as u64;
        delay_ms += Chance::new(self.seed ^ (2 * sky + u64::from(up) + 1) << 20).between(0.0, way.handover_ms);
        let seconds = mono_us / SECOND;
        let lost = match event {
            Event::Blackout => (300.0..360.0).contains(&seconds),
            Event::Holdover => seconds >= 600.0,
            _ => false,
        };
        match event {
            Event::Reroutes if seconds >= if up { 300.0 } else { 600.0 } => delay_ms += 8.0,
            Event::SlowStart if up && seconds < 20.0 => delay_ms += chance.between(50.0, 400.0),
            _ => {}
        }
        (!lost && chance.between(0.0, 1.0) >= loss_share).then_some(delay_ms * 1e3)
    }
}
