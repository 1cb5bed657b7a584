//! From whom this car has the server's time: from the server, or from a neighbour who knows it better, or as well.

use super::peer::Live;
use super::{Mesh, Obeys};
use crate::core::car::{Car, Link, PROBES_ENOUGH};
use crate::core::clock::reference::{GOOD_US, Offer, THROUGH_MAX, reference};
use crate::core::clock::{Estimate, MonoTime};
use crate::core::id::DeviceId;
use crate::core::io::Dialect;
use crate::core::mesh::{Beat, Source};
use crate::core::status::MemberKind;

/// The choice is looked at so often.
const LOOK_US: i64 = 250_000;

/// From whom the time is, and whether that may be another.
#[derive(Debug, Default)]
pub(super) struct Referring {
    chosen: Option<DeviceId>,
    /// How far what the server says is off at most, where that is not good enough and neighbours are asked.
    own_us: Option<i64>,
    looked: Option<MonoTime>,
}

impl Mesh {
    /// The neighbour from whom the server's time is had.
    pub(super) fn reference(&self) -> Option<&DeviceId> {
        let chosen = self.referring.chosen.as_ref().filter(|_| self.obeys == Obeys::Server)?;
        let beat = self.live_with(chosen)?.beat.as_ref()?;
        (asks_server(beat) && beat.clock_through.len() < THROUGH_MAX).then_some(chosen)
    }
}

impl Car {
    /// Whether the time is not had from the server, as another knows it better or as well.
    pub(in crate::core::car) fn has_reference(&self) -> bool {
        self.mesh.reference().is_some()
    }

    /// The cars by whom this car has the server's time, the first of which asks it itself; none if this one does.
    #[must_use]
    pub fn clock_through(&self) -> Vec<DeviceId> {
        let Some(from) = self.mesh.reference() else { return Vec::new() };
        let beat = self.mesh.live_with(from).and_then(|live| live.beat.as_ref());
        let through = beat.map(|beat| beat.clock_through.clone()).unwrap_or_default();
        through.into_iter().chain([from.clone()]).collect()
    }

    pub(super) fn tend_reference(&mut self, now: MonoTime) {
        if self.mesh.referring.looked.is_some_and(|looked| now - looked < LOOK_US) {
            return;
        }
        let (own_us, chosen) = match self.own_time(now) {
            Some(own) => {
                let offers = self.mesh.live().filter_map(|(peer, live)| self.offer_of(peer, live, &own, now));
                let chosen = reference(self.me.device(), own.bound_us, offers, self.mesh.reference());
                (Some(own.bound_us).filter(|us| *us > GOOD_US), chosen.cloned())
            }
            None => (None, None),
        };
        let is_new = chosen != self.mesh.referring.chosen;
        self.mesh.referring = Referring { chosen, own_us, looked: Some(now) };
        if is_new {
            self.ask_all();
        }
    }

    /// Convoy time as the server itself told it, once that is known well enough to judge others by it.
    fn own_time(&self, now: MonoTime) -> Option<Estimate> {
        let asks = self.mesh.obeys == Obeys::Server && self.link == Link::Joined(Dialect::Jamz);
        let is_known = asks && self.estimator.count() >= PROBES_ENOUGH;
        self.estimator.estimate_at(now).filter(|_| is_known)
    }

    /// Whether a neighbour may be the better way to the server's time, and so is asked for it.
    pub(super) fn may_refer_to(&self, peer: &DeviceId, live: &Live) -> bool {
        let is_car = live.hello.as_ref().is_some_and(|hello| hello.kind == MemberKind::Car);
        let has_it = live.beat.as_ref().is_some_and(asks_server);
        // Over a way that is as long as the server's there is nothing to gain, once that is seen.
        let is_short = |own_us| live.estimator.count() < PROBES_ENOUGH || live.estimator.way_us() <= own_us / 2;
        self.mesh.referring.own_us.is_some_and(is_short)
            && self.mesh.obeys == Obeys::Server
            && is_car
            && has_it
            && self.may_be_followed(peer)
    }

    /// Whether who sends `beat` may have the time from this car for the same reason.
    pub(super) fn seeks_time(&self, beat: &Beat) -> bool {
        self.mesh.obeys == Obeys::Server
            && asks_server(beat)
            && beat.clock.is_none_or(|(_, bound_us)| bound_us > GOOD_US)
    }

    /// The time as a neighbour has it; none where that cannot be, as the server told it otherwise.
    fn offer_of<'a>(&self, peer: &'a DeviceId, live: &'a Live, own: &Estimate, now: MonoTime) -> Option<Offer<'a>> {
        if !self.may_refer_to(peer, live) || live.estimator.count() < PROBES_ENOUGH {
            return None;
        }
        let (theirs, link_us) = (live.convoy_time_at(now)?, live.estimator.bound_us(now)?);
        let apart_us = (theirs.map.convoy(now) - own.map.convoy(now)).saturating_abs();
        let through = &live.beat.as_ref()?.clock_through;
        let offer = Offer { peer, through, bound_us: theirs.bound_us, link_us };
        (apart_us <= own.bound_us.saturating_add(theirs.bound_us)).then_some(offer)
    }

    /// The clock of the neighbour from whom the time is, as it was just asked.
    pub(super) fn follow_reference(&mut self, now: MonoTime) {
        let told = self.mesh.reference().and_then(|from| {
            let live = self.mesh.live_with(from)?;
            self.offer_of(from, live, &self.own_time(now)?, now)?;
            live.convoy_time()
        });
        if let Some(estimate) = told {
            self.follow_clock(&estimate, now);
        }
    }
}

/// Whether its sender is connected to the server itself.
fn asks_server(beat: &Beat) -> bool {
    matches!(beat.route.source, Source::Server { .. }) && beat.route.path.len() == 1
}
