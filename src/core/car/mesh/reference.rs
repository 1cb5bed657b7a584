//! From whom this car has the server's time: from the server, or from a neighbour who knows it better, or as well.

use super::conduct::RATE_MAX;
use super::peer::Live;
use super::{Mesh, Obeys};
use crate::core::car::{Car, Link, PROBES_ENOUGH};
use crate::core::clock::reference::{Offer, THROUGH_MAX, is_vague, reference};
use crate::core::clock::{Estimate, MonoTime};
use crate::core::conduct::Matter;
use crate::core::id::DeviceId;
use crate::core::io::Dialect;
use crate::core::mesh::{Beat, Source};
use crate::core::status::MemberKind;

/// The choice is looked at so often.
const LOOK_US: i64 = 250_000;
/// A clock that goes on without its reference, at the rate that the server shows, is off by no more with each second,
/// in parts per million.
const HELD_PPM: i64 = 5;
/// Who is followed at last may be so far from what was followed before; who steps by that again and again is no clock.
const STEP_US: i64 = 30_000;

/// From whom the time is, and whether that may be another.
#[derive(Debug, Default)]
pub(super) struct Referring {
    chosen: Option<DeviceId>,
    /// By whom the time was had at the last look, as neighbours were told then.
    through: Vec<DeviceId>,
    /// How well the time is known without a neighbour, where that is not well enough and they are asked.
    vague_us: Option<i64>,
    /// How far the clock was off at most when the last reference was last heard of, and when that was.
    held: Option<(MonoTime, i64)>,
    looked: Option<MonoTime>,
}

impl Mesh {
    /// The neighbour from whom the time is: the one that leads to the authority, or who knows the server's better.
    pub(super) fn timekeeper(&self) -> Option<&DeviceId> {
        self.upstream().or_else(|| self.reference())
    }

    /// The neighbour from whom the server's time is had.
    pub(super) fn reference(&self) -> Option<&DeviceId> {
        let chosen = self.referring.chosen.as_ref().filter(|_| self.obeys == Obeys::Server)?;
        let beat = self.live_with(chosen)?.beat.as_ref()?;
        (asks_server(beat) && beat.clock_through.len() < THROUGH_MAX).then_some(chosen)
    }
}

impl Car {
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
        self.mesh.referring.looked = Some(now);
        if self.mesh.reference().is_some() {
            self.mesh.referring.held = self.clock_bound(now).map(|bound_us| (now, bound_us));
        } else if self.held_reference_us(now).is_none() {
            self.mesh.referring.held = None;
        }
        let known = self.own_time(now).map(|own| {
            let known_us = self.held_reference_us(now).map_or(own.bound_us, |held_us| held_us.min(own.bound_us));
            let offers = self.mesh.live().filter_map(|(peer, live)| self.offer_of(peer, live, &own, now));
            (known_us, reference(self.me.device(), known_us, offers, self.mesh.reference()).cloned())
        });
        let (known_us, chosen) = known.unzip();
        let asks = self.mesh.referring.vague_us.is_some();
        self.mesh.referring.vague_us = known_us.filter(|known_us| is_vague(*known_us, asks));
        self.mesh.referring.chosen = chosen.flatten();
        let through = self.clock_through();
        if through != self.mesh.referring.through {
            self.mesh.referring.through = through;
            self.ask_all();
        }
    }

    /// Convoy time as the server itself told it, once that is known well enough to judge others by it.
    fn own_time(&self, now: MonoTime) -> Option<Estimate> {
        let asks = self.mesh.obeys == Obeys::Server && self.link == Link::Joined(Dialect::Jamz);
        let is_known = asks && self.estimator.count() >= PROBES_ENOUGH;
        self.estimator.estimate_at(now).filter(|_| is_known)
    }

    /// How far the clock is off at most that goes on without the neighbour it followed; none where the server's own
    /// word is better by now, or is against it.
    pub(super) fn held_reference_us(&self, now: MonoTime) -> Option<i64> {
        let (since, bound_us) = self.mesh.referring.held.filter(|_| self.mesh.reference().is_none())?;
        let held_us = bound_us.saturating_add((now - since) * HELD_PPM / 1_000_000);
        let own = self.own_time(now)?;
        let apart_us = self.apart_us(&own.map, now);
        (held_us < own.bound_us && apart_us <= own.bound_us.saturating_add(held_us)).then_some(held_us)
    }

    /// Whether the time is not had from the server, as another knows it better or as well, or did until just now: then
    /// the clock goes on as it was, at the rate that the server shows.
    pub(in crate::core::car) fn keeps_reference(&mut self, now: MonoTime) -> bool {
        let is_held = self.held_reference_us(now).is_some();
        if let Some(rate) = self.estimator.measured_rate().filter(|_| is_held) {
            self.clock.hold(rate, now);
        }
        is_held || self.mesh.reference().is_some()
    }

    /// Whether a neighbour may be the better way to the server's time, and so is asked for it.
    pub(super) fn may_refer_to(&self, peer: &DeviceId, live: &Live) -> bool {
        let (Some(vague_us), Some(beat)) = (self.mesh.referring.vague_us, &live.beat) else { return false };
        let is_car = live.hello.as_ref().is_some_and(|hello| hello.kind == MemberKind::Car);
        // Over a way that is as long as the server's there is nothing to gain, once that is seen.
        let is_short = || live.estimator.count() < PROBES_ENOUGH || live.estimator.way_us() <= vague_us / 2;
        self.mesh.obeys == Obeys::Server
            && is_car
            && asks_server(beat)
            && !beat.clock_through.contains(self.me.device())
            && (self.mesh.referring.chosen.as_ref() == Some(peer) || is_short())
            && self.may_be_followed(peer)
    }

    /// Whether who sends `beat` may ask this car for the time in the same way, which is no sign that anything is wrong.
    pub(super) fn seeks_time(&self, beat: &Beat) -> bool {
        let is_good = beat.clock.is_some_and(|(_, bound_us)| !is_vague(bound_us, true));
        self.mesh.obeys == Obeys::Server && asks_server(beat) && !(is_good && beat.clock_through.is_empty())
    }

    /// The time as a neighbour has it; none where that cannot be, as the server told it otherwise.
    fn offer_of<'a>(&self, peer: &'a DeviceId, live: &'a Live, own: &Estimate, now: MonoTime) -> Option<Offer<'a>> {
        if !self.may_refer_to(peer, live) || live.estimator.count() < PROBES_ENOUGH {
            return None;
        }
        let (theirs, link_us) = (live.convoy_time_at(now)?, live.estimator.bound_us(now)?);
        let apart_us = (theirs.map.convoy(now) - own.map.convoy(now)).saturating_abs();
        let can_be = apart_us <= own.bound_us.saturating_add(theirs.bound_us) && theirs.map.rate.abs() <= RATE_MAX;
        let through = &live.beat.as_ref()?.clock_through;
        can_be.then_some(Offer { peer, through, bound_us: theirs.bound_us, link_us })
    }

    /// The clock of the neighbour from whom the time is, as it was just asked; but what the server itself says cannot
    /// be is not so.
    pub(super) fn follow_reference(&mut self, from: &DeviceId, now: MonoTime) {
        let Some(own) = self.own_time(now) else { return };
        let told = self.mesh.live_with(from).and_then(|live| {
            self.offer_of(from, live, &own, now)?;
            live.convoy_time()
        });
        let Some(mut estimate) = told else { return };
        let apart_us = estimate.map.convoy(now) - own.map.convoy(now);
        let can_be_us = apart_us.clamp(-own.bound_us, own.bound_us);
        estimate.map.convoy0 = estimate.map.convoy0 + (can_be_us - apart_us);
        let step_us = self.apart_us(&estimate.map, now);
        if step_us <= STEP_US || self.conduct.count(from, Matter::Steps, 1, now) {
            self.follow_clock(&estimate, now);
        }
    }
}

/// Whether its sender is connected to the server itself.
fn asks_server(beat: &Beat) -> bool {
    matches!(beat.route.source, Source::Server { .. }) && beat.route.path.len() == 1
}
