//! Heartbeats: whether a link carries both ways, what time it is at the other side, and who has authority there.

use super::peer::Live;
use super::{Obeys, Peer};
use crate::core::car::{Car, PROBES_ENOUGH, TimeBase};
use crate::core::clock::{ClockMap, ConvoyTime, Estimate, MonoTime, Probe};
use crate::core::id::DeviceId;
use crate::core::mesh::{Beat, Echo, PeerMessage};

/// The pace of questions while anything is in doubt,
const FAST_US: i64 = 500_000;
/// while all is calm,
const CALM_US: i64 = 5_000_000;
/// while the clock is not known well enough to play by,
const CLOCK_US: i64 = 100_000;
/// and after a question that was not answered.
const AGAIN_US: i64 = 250_000;
/// The side that answers asks by itself when the other is late by this.
const LATE_US: i64 = 100_000;
/// A link is dead after so long without a sign that it carries both ways,
const DEAD_US: i64 = 1_500_000;
/// or so long after a question, if nothing was heard for longer.
const ANSWER_US: i64 = 1_000_000;
/// A question out of turn quickens the pace for so long.
const HURRY_US: i64 = 2_000_000;
/// Questions that wait for proof, at most.
const UNPROVED_MAX: usize = 16;
/// How much of a neighbour's rate is believed at once: most of it is slewing, which ends.
const RATE_NEWS: f64 = 1.0 / 16.0;

impl Live {
    /// Convoy time as the neighbour has it, by this car's clock. What is estimated is its monotonic clock, which no
    /// slewing bends; its last word on convoy time is put on top.
    pub(super) fn convoy_time(&self) -> Option<Estimate> {
        let (its_map, its_bound_us) = self.beat.as_ref()?.clock?;
        let Estimate { map, bound_us } = self.estimator.estimate()?;
        let map = ClockMap {
            mono0: map.mono0,
            convoy0: its_map.convoy(MonoTime(map.convoy0.0)),
            rate: (1.0 + map.rate) * (1.0 + its_map.rate) - 1.0,
        };
        Some(Estimate { map, bound_us: bound_us.saturating_add(its_bound_us) })
    }

    /// The rate of convoy time by this car's clock, without the neighbour's slewing.
    pub(super) fn rate(&self) -> Option<f64> {
        let rate = self.estimator.measured_rate()?;
        Some((1.0 + rate) * (1.0 + self.its_rate?) - 1.0)
    }

    /// When the link is to be taken for dead if nothing more is heard.
    pub(super) fn dies(&self) -> Option<MonoTime> {
        let unproved = *self.asks.front()?;
        Some((unproved + DEAD_US).min((self.heard + DEAD_US).max(unproved + ANSWER_US)))
    }

    /// What the other side proves to have heard is off the list.
    fn prove(&mut self, sent: MonoTime) {
        self.asks.retain(|asked| *asked > sent);
        self.answers.retain(|answered| *answered > sent);
    }
}

impl Car {
    /// Sends what beats are due, after all else is decided: of two that leave at the same time none must say what is
    /// so no more.
    pub(super) fn tend_beats(&mut self, now: MonoTime) {
        let due: Vec<(DeviceId, bool, bool)> = self
            .mesh
            .live()
            .map(|(device, live)| (device, live.ask_now || now >= self.ask_due(device, live), live.answer_now))
            .filter(|(_, ask, answer)| *ask || *answer)
            .map(|(device, ask, answer)| (device.clone(), ask, answer))
            .collect();
        for (device, ask, answer) in due {
            if ask {
                self.send_beat(&device, true, now);
            }
            if answer {
                self.send_beat(&device, false, now);
            }
        }
    }

    pub(super) fn beats_due(&self) -> Option<MonoTime> {
        self.mesh.live().map(|(device, live)| self.ask_due(device, live)).min()
    }

    fn ask_due(&self, device: &DeviceId, live: &Live) -> MonoTime {
        let Some(asked) = live.asked else { return MonoTime(i64::MIN) };
        if !live.asks.is_empty() {
            return asked + AGAIN_US;
        }
        let is_upstream = self.mesh.upstream() == Some(device);
        if is_upstream && live.estimator.count() < PROBES_ENOUGH {
            return asked + CLOCK_US;
        }
        let (last, late_us) = if self.asks_first(device, live) {
            (asked, 0)
        } else {
            (live.asked_by_it.map_or(asked, |by_it| by_it.max(asked)), LATE_US)
        };
        let hurried = last + FAST_US <= live.hurried;
        let pace_us = if self.mesh.obeys == Obeys::Server && !hurried { CALM_US } else { FAST_US };
        last + pace_us + late_us
    }

    /// Of the two sides one asks and the other answers: who follows asks, else the lower id.
    fn asks_first(&self, device: &DeviceId, live: &Live) -> bool {
        if self.mesh.upstream() == Some(device) {
            return true;
        }
        let follows_us = live.beat.as_ref().is_some_and(|beat| self.is_led_here(device, &beat.route));
        !follows_us && self.me.device() < device
    }

    /// All neighbours hear at once that something has changed, and say how they see it.
    pub(super) fn ask_all(&mut self) {
        for live in self.mesh.peers.values_mut().filter_map(Peer::live_mut) {
            live.ask_now = true;
        }
    }

    fn send_beat(&mut self, device: &DeviceId, ask: bool, now: MonoTime) {
        let route = self.route_told(now);
        let digest = self.digest();
        let clock = self.clock.map().filter(|_| self.time_known()).map(|map| (map, self.clock_bound(now).unwrap_or(0)));
        let Some(live) = self.mesh.live_with_mut(device) else { return };
        let waiting = if ask { &mut live.asks } else { &mut live.answers };
        if waiting.len() < UNPROVED_MAX {
            waiting.push_back(now);
        }
        if ask {
            (live.asked, live.ask_now) = (Some(now), false);
        } else {
            live.answer_now = false;
        }
        let beat = Beat {
            ask,
            sent: now,
            echo: live.echo,
            clock,
            route,
            digest,
            members: live.members_sum,
            wanted: live.wanted,
        };
        self.tell_peer(device, PeerMessage::Beat(Box::new(beat)));
    }

    pub(super) fn handle_beat(&mut self, from: &DeviceId, beat: Beat, received: MonoTime, now: MonoTime) {
        let fresh = self.note_source(from, &beat.route, now);
        let asks_first = self.mesh.live_with(from).is_some_and(|live| self.asks_first(from, live));
        let Some(live) = self.mesh.peers.get_mut(from).and_then(Peer::live_mut) else { return };
        live.heard = live.heard.max(received);
        if let Some(echo) = beat.echo {
            live.prove(echo.sent);
        }
        live.deaf = beat.ask && live.answers.front().is_some_and(|answered| now - *answered >= DEAD_US);
        if live.beat.as_ref().is_some_and(|last| last.sent > beat.sent) {
            // It was overtaken: what it says is not so any more.
            return;
        }
        live.echo = Some(Echo { sent: beat.sent, received });
        if fresh {
            (live.counted, live.gone) = (now, false);
        }
        if beat.ask {
            live.asked_by_it = Some(now);
            live.answer_now = true;
            if asks_first {
                live.hurried = now + HURRY_US;
            }
        }
        if let Some((map, _)) = beat.clock {
            let rate = live.its_rate.get_or_insert(map.rate);
            *rate += (map.rate - *rate) * RATE_NEWS;
        }
        let probe = probe_of(&beat, received).filter(|_| !beat.ask);
        let probed = probe.is_some_and(|probe| live.estimator.handle_probe(&probe));
        let same = |last: &Beat| {
            (&last.route.source, &last.route.path, last.wanted) == (&beat.route.source, &beat.route.path, beat.wanted)
        };
        let members = beat.members;
        let is_news = !live.beat.as_ref().is_some_and(same);
        live.beat = Some(beat);
        self.mesh.stirred |= is_news;
        self.note_heard_members(from, members, now);
        if probed {
            self.follow_neighbour(from, now);
        }
    }

    /// The clock of the neighbour that leads to the authority is followed, once it is known well enough.
    fn follow_neighbour(&mut self, from: &DeviceId, now: MonoTime) {
        if self.is_in_session() && self.mesh.obeys == Obeys::Server && self.is_led_by(from) {
            let live = self.mesh.live_with(from).filter(|live| live.estimator.count() >= PROBES_ENOUGH);
            if let Some(estimate) = live.and_then(Live::convoy_time) {
                self.follow_djs_clock(&estimate, now);
            }
            return;
        }
        if self.mesh.upstream() != Some(from) {
            return;
        }
        let live = self.mesh.live_with(from).filter(|live| live.estimator.count() >= PROBES_ENOUGH);
        let Some(estimate) = live.and_then(Live::convoy_time) else { return };
        if self.is_of_another_time(&estimate.map, now) {
            self.leave_own_time(estimate.map.convoy(now));
        }
        self.follow_clock(&estimate, now);
    }

    /// Whether what was dated here means nothing by that clock.
    fn is_of_another_time(&self, map: &ClockMap, now: MonoTime) -> bool {
        self.base != TimeBase::Convoy || (map.convoy(now) - self.convoy_now(now)).abs() > super::reconcile::SAME_TIME_US
    }

    /// How far convoy time, as it is known here, may be off, in microseconds.
    #[must_use]
    pub fn clock_bound(&self, now: MonoTime) -> Option<i64> {
        match self.mesh.upstream().and_then(|device| self.mesh.live_with(device)) {
            Some(live) => {
                let (_, its_bound_us) = live.beat.as_ref()?.clock?;
                Some(live.estimator.bound_us(now)?.saturating_add(its_bound_us))
            }
            None => self.estimator.bound_us(now),
        }
    }
}

/// The exchange that a beat ends: ours went, arrived there, this one left there, arrived here.
fn probe_of(beat: &Beat, received: MonoTime) -> Option<Probe> {
    let echo = beat.echo?;
    Some(Probe {
        sent: echo.sent,
        received,
        reference_received: ConvoyTime(echo.received.0),
        reference_sent: ConvoyTime(beat.sent.0),
    })
}
