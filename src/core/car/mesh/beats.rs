//! Heartbeats: whether a link carries both ways, what time it is at the other side, and who has authority there.

use super::peer::Live;
use super::{Obeys, Peer};
use crate::core::car::{Car, PROBES_ENOUGH, TimeBase};
use crate::core::clock::{ClockMap, ConvoyTime, Estimate, Estimator, MonoTime, Probe};
use crate::core::id::DeviceId;
use crate::core::mesh::{Beat, Echo, PeerMessage};
use crate::core::planted::{Plant, is_planted};

/// The pace of questions while anything is in doubt,
const FAST_US: i64 = 500_000;
/// while all is calm,
const CALM_US: i64 = 5_000_000;
/// and while the way to the server is over a satellite, which may leave the car to its neighbours at any moment;
const CALM_SATELLITE_US: i64 = 3_000_000;
/// while the clock is not known well enough to play by,
const CLOCK_US: i64 = 100_000;
/// and after a question that was not answered: several are lost one by one before a link is given up.
const AGAIN_US: i64 = 100_000;
/// The side that answers asks by itself when the other is late by this.
const LATE_US: i64 = 100_000;
/// A link is dead so long after a question that is not answered, and twice the longest round trip of late,
const ANSWER_US: i64 = 400_000;
/// or so long where the round trip is not known, or is very long;
const ANSWER_US_MAX: i64 = 1_000_000;
/// but not sooner than this after the last sign of life, if nothing else speaks against it.
const SILENCE_US: i64 = FAST_US;
/// Who is asked again, and whose answers were not heard for so long, asks himself.
const UNHEARD_US: i64 = ANSWER_US / 2;
/// Who looks so much later than he wanted to was kept from running (a busy processor, a suspended machine).
const STALLED_US: i64 = 150_000;
/// Exchanges of late whose round trips count.
const ROUND_TRIPS: usize = 32;
/// A question out of turn quickens the pace for so long.
const HURRY_US: i64 = 2_000_000;
/// Convoy time of whom nobody has told it yet may be off by anything.
const BOUND_UNKNOWN_US: i64 = 1_000_000_000_000;
/// Questions that wait for proof, at most.
const UNPROVED_MAX: usize = 16;
/// How much of a neighbour's rate is believed at once: most of it is slewing, which ends.
const RATE_NEWS: f64 = 1.0 / 16.0;

impl Live {
    /// Convoy time as the neighbour has it, by this car's clock. What is estimated is its monotonic clock, which no
    /// slewing bends; its last word on convoy time is put on top.
    pub(super) fn convoy_time(&self) -> Option<Estimate> {
        self.by_its_word(self.estimator.estimate()?)
    }

    /// The same, with its error bound at `now`.
    pub(super) fn convoy_time_at(&self, now: MonoTime) -> Option<Estimate> {
        self.by_its_word(self.estimator.estimate_at(now)?)
    }

    fn by_its_word(&self, Estimate { map, bound_us }: Estimate) -> Option<Estimate> {
        let (its_map, its_bound_us) = self.beat.as_ref()?.clock?;
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
        let first = *self.asks.front()?;
        let unproved = self.asked.filter(|_| is_planted(Plant::LeaseOffByOne)).unwrap_or(first);
        let answer_us = self.answer_us();
        if self.doubted {
            return Some(unproved + answer_us);
        }
        let dead_us = answer_us + SILENCE_US;
        Some((unproved + dead_us).min((self.heard + dead_us).max(unproved + answer_us)))
    }

    /// This car itself was late to look by so much that answers may wait unread: the other side is asked once more.
    pub(super) fn pardon(&mut self, now: MonoTime) -> bool {
        let is_own_fault = self.dies().is_some_and(|dies| now - dies >= STALLED_US);
        if !is_own_fault || self.pardoned {
            return false;
        }
        self.asks.clear();
        (self.heard, self.ask_now, self.pardoned) = (now, true, true);
        true
    }

    /// How long an answer may take.
    fn answer_us(&self) -> i64 {
        let is_known = self.estimator.count() >= PROBES_ENOUGH;
        let longest_us = self.estimator.longest_round_trip_us(ROUND_TRIPS).filter(|_| is_known);
        longest_us.map_or(ANSWER_US_MAX, |longest_us| (ANSWER_US + 2 * longest_us).min(ANSWER_US_MAX))
    }

    /// Something else says that the other side is gone: it is asked at once, and has to answer.
    pub(super) fn doubt(&mut self) {
        (self.ask_now, self.doubted) = (true, true);
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
        let is_new = live.estimator.count() < PROBES_ENOUGH;
        if is_new && (self.mesh.upstream() == Some(device) || self.may_refer_to(device, live)) {
            return asked + CLOCK_US;
        }
        let (last, late_us) = if self.asks_first(device, live) {
            (asked, 0)
        } else {
            (live.asked_by_it.map_or(asked, |by_it| by_it.max(asked)), LATE_US)
        };
        let hurried = last + FAST_US <= live.hurried;
        let calm_us = if self.sky.is_satellite() { CALM_SATELLITE_US } else { CALM_US };
        // The time comes from there: a slower pace would make less of it.
        let is_reference = self.mesh.reference() == Some(device);
        let is_calm = self.mesh.obeys == Obeys::Server && !hurried && !is_reference;
        let pace_us = if is_calm { calm_us } else { FAST_US };
        last + pace_us + late_us
    }

    /// Whether this side asks by itself: as it is on it, or for the server's time.
    fn asks_first(&self, device: &DeviceId, live: &Live) -> bool {
        self.is_on_it_to_ask(device, live) || self.may_refer_to(device, live)
    }

    /// Of the two sides one asks and the other answers: who follows asks, else the lower id.
    fn is_on_it_to_ask(&self, device: &DeviceId, live: &Live) -> bool {
        if self.mesh.timekeeper() == Some(device) {
            return true;
        }
        let follows_us = live.beat.as_ref().is_some_and(|beat| {
            self.is_led_here(device, &beat.route) || beat.clock_through.last() == Some(self.me.device())
        });
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
        let clock = self.clock.map().filter(|_| self.time_known()).map(|map| (map, self.bound_told(now)));
        let clock_through = self.clock_through();
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
            clock_through,
            route,
            digest,
            members: live.members_sum,
            wanted: live.wanted,
        };
        self.tell_peer(device, PeerMessage::Beat(Box::new(beat)));
    }

    pub(super) fn handle_beat(&mut self, from: &DeviceId, beat: Beat, received: MonoTime, now: MonoTime) {
        if !self.is_credible(from, &beat, now) {
            return;
        }
        let fresh = self.note_source(from, &beat.route, now);
        let live = self.mesh.live_with(from);
        let is_out_of_turn = live.is_some_and(|live| self.is_on_it_to_ask(from, live)) && !self.seeks_time(&beat);
        let may_be_reference = live.is_some_and(|live| self.may_refer_to(from, live));
        let is_followed = self.mesh.upstream() == Some(from) || self.is_djs_way(from) || may_be_reference;
        if self.misses_state(from, &beat, now) {
            self.mesh.corrections.owe(from.clone());
        }
        let Some(live) = self.mesh.peers.get_mut(from).and_then(Peer::live_mut) else { return };
        live.heard = live.heard.max(received);
        (live.doubted, live.pardoned) = (false, false);
        if let Some(echo) = beat.echo {
            live.prove(echo.sent);
        }
        let unheard_us = live.answers.front().filter(|_| beat.ask).map_or(0, |answered| now - *answered);
        live.deaf = unheard_us >= ANSWER_US_MAX + SILENCE_US;
        // Soon the other side gives the link up, and this side may not be told.
        live.ask_now |= unheard_us >= UNHEARD_US && live.asks.is_empty();
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
            if is_out_of_turn {
                live.hurried = now + HURRY_US;
            }
        }
        if let Some((map, _)) = beat.clock {
            let rate = live.its_rate.get_or_insert(map.rate);
            *rate += (map.rate - *rate) * RATE_NEWS;
        }
        let probe = probe_of(&beat, received).filter(|_| !beat.ask);
        let take_in = if is_followed { Estimator::handle_probe } else { Estimator::note_probe };
        let probed = probe.is_some_and(|probe| take_in(&mut live.estimator, &probe));
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

    /// Whether the DJ of a session with today's backend, which keeps no time, is reached through this neighbour.
    fn is_djs_way(&self, from: &DeviceId) -> bool {
        self.is_in_session() && self.mesh.obeys == Obeys::Server && self.is_led_by(from)
    }

    /// The clock of the neighbour that leads to the authority is followed, once it is known well enough.
    fn follow_neighbour(&mut self, from: &DeviceId, now: MonoTime) {
        if self.mesh.reference() == Some(from) {
            return self.follow_reference(from, now);
        }
        let by_dj = self.is_djs_way(from);
        if !by_dj && self.mesh.upstream() != Some(from) {
            return;
        }
        let live = self.mesh.live_with(from).filter(|live| live.estimator.count() >= PROBES_ENOUGH);
        let count = live.map_or(0, |live| live.estimator.count());
        let told = live.and_then(Live::convoy_time).filter(|told| told.bound_us < BOUND_UNKNOWN_US);
        let Some(estimate) = told else { return };
        if by_dj {
            self.follow_djs_clock(&estimate, now);
            return;
        }
        if self.apart_us(&estimate.map, now) <= estimate.bound_us && self.is_too_vague(&estimate, count) {
            // It may be just what is kept here, and that by a leader who has hardly heard of the time himself.
            return;
        }
        if !self.is_in_time(from, &estimate, now) {
            return;
        }
        if self.is_of_another_time(&estimate.map, now) {
            self.leave_own_time(estimate.map.convoy(now));
        }
        self.follow_clock(&estimate, now);
    }

    /// Whether what was dated here means nothing by that clock.
    fn is_of_another_time(&self, map: &ClockMap, now: MonoTime) -> bool {
        self.base != TimeBase::Convoy || self.apart_us(map, now) > super::reconcile::SAME_TIME_US
    }

    /// How far convoy time, as it is known here, may be off, in microseconds: as far as the estimate may, and as the
    /// clock is from that, which follows it slowly.
    #[must_use]
    pub fn clock_bound(&self, now: MonoTime) -> Option<i64> {
        let here = |Estimate { map, bound_us }: Estimate| bound_us.saturating_add(self.apart_us(&map, now));
        let by_neighbour = |device| self.mesh.live_with(device).and_then(|live| live.convoy_time_at(now)).map(here);
        if let Some(device) = self.mesh.upstream() {
            return by_neighbour(device);
        }
        let by_server = self.estimator.estimate_at(now).map(here).or_else(|| self.estimator.held_bound_us(now));
        let by_reference = self.mesh.reference().and_then(by_neighbour).or_else(|| self.held_reference_us(now));
        by_server.into_iter().chain(by_reference).min()
    }

    /// The bound as others are told it: whose own word is the time has none, and who has it from nobody yet does not
    /// know.
    fn bound_told(&self, now: MonoTime) -> i64 {
        let unknown_us = if self.mesh.obeys == Obeys::Myself { 0 } else { BOUND_UNKNOWN_US };
        self.clock_bound(now).unwrap_or(unknown_us).min(BOUND_UNKNOWN_US)
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
