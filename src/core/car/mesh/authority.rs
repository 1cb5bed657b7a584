//! Whom this car obeys, whether it leads, and that somebody who is there controls.

use super::peer::{Live, Peer};
use crate::core::car::{Car, TimeBase};
use crate::core::changes::Action;
use crate::core::clock::{ClockMap, MonoTime};
use crate::core::election::{Choice, Heard, Term, choose};
use crate::core::id::DeviceId;
use crate::core::mesh::{Claim, Route, Source};
use crate::core::planted::{Plant, is_planted};
use std::collections::BTreeMap;

/// A source that has not counted for so long is gone; each further link on the way may add its pace.
const GONE_US: i64 = 1_200_000;
const GONE_PER_LINK_US: i64 = 500_000;
/// Counts of a source that was not heard for so long are forgotten: it may begin anew.
const FORGET_US: i64 = 10_000_000;
/// The time between two numbers of a source's count.
const COUNT_US: i64 = 100_000;
/// Who gains followers becomes established after so long: a better one may be about to be heard.
const ESTABLISH_US: i64 = 150_000;
/// How long the DJ may be out of reach before another takes control for him.
const ORPHAN_US: i64 = 350_000;
/// Sources that are known at once.
const SOURCES_MAX: usize = 128;

/// The authority that is obeyed now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::core::car) enum Obeys {
    /// The server, by this car's own link.
    Server,
    /// This car itself: it leads, or is alone.
    Myself,
    /// The authority that is reached through this neighbour.
    Neighbour(DeviceId),
}

/// How it stands with this car as a leader.
#[derive(Debug, Default)]
pub(super) struct Leading {
    /// Others have followed in this term.
    established: bool,
    /// Since when there have been followers.
    followed: Option<MonoTime>,
    /// Another was obeyed since this car was established, or it never was.
    has_led: bool,
    /// The source obeyed before now, to notice that it is another.
    source: Option<DeviceId>,
}

/// How far each source has counted, as far as heard from anyone.
#[derive(Debug, Default)]
pub(super) struct Sources(BTreeMap<DeviceId, (u64, MonoTime)>);

impl Sources {
    /// Whether `count` of a source is news.
    fn note(&mut self, source: &DeviceId, count: u64, now: MonoTime) -> bool {
        self.0.retain(|_, (_, heard)| now - *heard < FORGET_US);
        let known = self.0.get(source).map(|(known, _)| *known);
        let has_room = known.is_some() || self.0.len() < SOURCES_MAX;
        let is_news = has_room && known.is_none_or(|known| count > known);
        if is_news {
            self.0.insert(source.clone(), (count, now));
        }
        is_news
    }
}

impl Car {
    pub(super) fn tend_authority(&mut self, now: MonoTime) {
        for live in self.mesh.peers.values_mut().filter_map(Peer::live_mut) {
            live.gone |= live.source_dies().is_some_and(|dies| now >= dies);
        }
        let claim = self.claim_to_lead();
        let server = self.is_joined_to_server() && self.tiers.socket_holds(now);
        let heard = self.mesh.live().filter_map(|(peer, live)| {
            let beat = live.beat.as_ref()?;
            (!live.gone && self.may_be_followed(peer)).then_some(Heard { peer, route: &beat.route })
        });
        // Who leads says what counts: nobody who may only listen, unless there are no others.
        let (entitled, others): (Vec<Heard>, Vec<Heard>) = heard.partition(|heard| self.may_lead(&heard.route.source));
        let leads = self.may_lead(&Source::Member(claim.clone()));
        let has_leader = leads || !entitled.is_empty();
        let heard = if has_leader { entitled } else { others };
        let claim = Some(&claim).filter(|_| leads || !has_leader);
        let chosen = match choose(self.me.device(), server, claim, heard.into_iter(), self.mesh.upstream()) {
            Choice::Server => Obeys::Server,
            Choice::Lead => Obeys::Myself,
            Choice::Follow(peer) => Obeys::Neighbour(peer),
        };
        if chosen != self.mesh.obeys {
            self.obey(chosen, now);
        }
        let offered = self.mesh.offered.take();
        if self.mesh.passed_over && !self.obeys_mesh() {
            self.mesh.passed_over = false;
            match offered {
                Some(snapshot) => {
                    self.rejoin = None;
                    self.take_over(*snapshot, now);
                }
                None => drop(self.rejoin.get_or_insert(now)),
            }
        }
        self.note_leader();
        self.lead(now);
        self.tend_control(now);
    }

    pub(super) fn authority_due(&self) -> Option<MonoTime> {
        let sources = self.mesh.live().filter(|(_, live)| !live.gone).filter_map(|(_, live)| live.source_dies());
        let comes = !self.mesh.leading.established && self.time_known();
        let established = self.mesh.leading.followed.filter(|_| comes);
        let may_take = self.mesh.leading.established && !self.own.is_taking_control();
        let orphaned = self.mesh.orphaned.filter(|_| may_take);
        [
            sources.min().filter(|_| self.mesh.obeys != Obeys::Server),
            established.map(|since| since + ESTABLISH_US),
            orphaned.map(|since| since + ORPHAN_US),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The authority passes, for this car.
    fn obey(&mut self, chosen: Obeys, now: MonoTime) {
        let before = std::mem::replace(&mut self.mesh.obeys, chosen);
        let led = before == Obeys::Myself && self.mesh.leading.followed.is_some();
        if before != Obeys::Server && self.mesh.obeys == Obeys::Server && (led || before != Obeys::Myself) {
            // Until now the server's word was one among others.
            self.rejoin = Some(now);
        }
        if self.mesh.obeys == Obeys::Myself {
            self.hold_clock(&before, now);
        }
        for live in self.mesh.peers.values_mut().filter_map(Peer::live_mut) {
            live.in_time = None;
        }
        self.mesh.orphaned = None;
        self.mesh.stirred = true;
        self.touch(now);
        self.ask_all();
    }

    /// Without a reference the learned rate is kept, without the slew in progress.
    fn hold_clock(&mut self, before: &Obeys, now: MonoTime) {
        if self.base == TimeBase::Convoy {
            self.mesh.learned_rate = self.learned_rate(before);
            self.clock.hold(self.mesh.learned_rate, now);
        }
    }

    /// The server is gone: the learned rate is kept, without the slew in progress.
    pub(in crate::core::car) fn hold_servers_time(&mut self, now: MonoTime) {
        self.hold_clock(&Obeys::Server, now);
    }

    /// The rate of convoy time by this car's own clock: best by what the server showed; else by what the neighbour did
    /// that is obeyed; else as it was once learned.
    fn learned_rate(&self, obeyed: &Obeys) -> f64 {
        let by_neighbour = match obeyed {
            Obeys::Neighbour(peer) => self.mesh.live_with(peer).and_then(Live::rate),
            Obeys::Server | Obeys::Myself => None,
        };
        self.estimator.measured_rate().or(by_neighbour).unwrap_or(self.mesh.learned_rate)
    }

    /// Convoy time for a later start, which has nothing to slew to at first.
    pub(in crate::core::car) fn kept_clock(&self, now: MonoTime) -> Option<ClockMap> {
        let map = self.clock.map().filter(|_| self.base == TimeBase::Convoy)?;
        let rate = self.learned_rate(&self.mesh.obeys);
        Some(ClockMap { mono0: now, convoy0: map.convoy(now), rate })
    }

    /// Another leader, though perhaps by the same way: what is known there has to be compared.
    fn note_leader(&mut self) {
        let source = match &self.mesh.obeys {
            Obeys::Myself => Some(self.me.device().clone()),
            Obeys::Server => None,
            Obeys::Neighbour(peer) => {
                let route = self.mesh.live_with(peer).and_then(|live| live.beat.as_ref()).map(|beat| &beat.route);
                route.and_then(|route| route.path.first()).cloned()
            }
        };
        if source != self.mesh.leading.source {
            self.mesh.leading.source = source;
            self.mesh.sync.forget();
        }
        if self.mesh.obeys != Obeys::Myself {
            self.mesh.leading.has_led = false;
            let obeyed = self.mesh.upstream().and_then(|peer| self.mesh.live_with(peer));
            self.state.term = self.state.term.max(obeyed.and_then(Live::term).unwrap_or_default());
        }
    }

    /// Becomes established when others follow: in a new term, unless it is the one in which they did before.
    fn lead(&mut self, now: MonoTime) {
        let followed = self.mesh.obeys == Obeys::Myself && self.has_followers();
        let has_time = self.time_known();
        let leading = &mut self.mesh.leading;
        if !followed {
            leading.followed = None;
            leading.established &= is_planted(Plant::HubNeverStepsDown);
            return;
        }
        let since = *leading.followed.get_or_insert(now);
        // Who waits for a server's time has none to give yet.
        if leading.established || !has_time || now - since < ESTABLISH_US {
            return;
        }
        leading.established = true;
        if !std::mem::replace(&mut leading.has_led, true) {
            self.state.term = self.highest_term().max(self.state.term).next();
        }
        if self.base == TimeBase::Own {
            self.base = TimeBase::Convoy;
        }
        self.settle_as_leader();
        self.touch(now);
        self.ask_all();
    }

    /// Where this car leads, it sees to it that the controller is there: when he is not, it takes control, once.
    fn tend_control(&mut self, now: MonoTime) {
        let is_away = |device: &DeviceId| {
            let is_there = self.mesh.reached.contains(device) || self.is_there_by_server(device, now);
            !is_there || self.conduct.is_muted(device, now)
        };
        let may = self.own_right(&Action::TakeControl).is_ok();
        let leads = self.mesh.obeys == Obeys::Myself;
        let orphaned = may && leads && self.state.controller.as_ref().is_some_and(is_away);
        if !orphaned {
            self.mesh.orphaned = None;
            return;
        }
        let since = *self.mesh.orphaned.get_or_insert(now);
        if now - since >= ORPHAN_US && self.mesh.leading.established && !self.own.is_taking_control() {
            self.mesh.orphaned = Some(now);
            let _ = self.author(Action::TakeControl, now);
        }
    }

    /// This car's claim to lead.
    fn claim_to_lead(&self) -> Claim {
        Claim {
            // Who waits to be told the time does not lead those who keep it.
            term: if self.time_known() { self.state.term } else { Term::default() },
            established: self.mesh.leading.established,
            timed: self.base == TimeBase::Convoy,
            dj: self.state.controller.as_ref() == Some(self.me.device()),
            mains: !self.mesh.settings.battery,
            user: self.me.user.clone(),
            device: self.me.device().clone(),
        }
    }

    fn highest_term(&self) -> Term {
        self.mesh.live().filter_map(|(_, live)| live.term()).max().unwrap_or_default()
    }

    /// What neighbours are told of the authority.
    pub(super) fn route_told(&self, now: MonoTime) -> Route {
        let heard = self.mesh.upstream().and_then(|peer| self.mesh.live_with(peer)).and_then(|live| live.beat.as_ref());
        if let Some(beat) = heard {
            let mut route = beat.route.clone();
            route.path.push(self.me.device().clone());
            return route;
        }
        let source = match self.mesh.obeys {
            Obeys::Server => Source::Server { term: self.state.term },
            Obeys::Myself | Obeys::Neighbour(_) => Source::Member(self.claim_to_lead()),
        };
        let count = now.0.div_euclid(COUNT_US).unsigned_abs();
        Route { source, path: vec![self.me.device().clone()], count }
    }

    /// Whether the route that `device` tells goes through this car.
    pub(super) fn is_led_here(&self, device: &DeviceId, route: &Route) -> bool {
        let [.., before, last] = route.path.as_slice() else { return false };
        before == self.me.device() && last == device
    }

    /// Whether others obey what this car says.
    pub(super) fn has_followers(&self) -> bool {
        self.followers().next().is_some()
    }

    /// The neighbours that reach the authority through this car.
    pub(super) fn followers(&self) -> impl Iterator<Item = (&DeviceId, &Live)> {
        self.mesh
            .live()
            .filter(|(device, live)| live.beat.as_ref().is_some_and(|beat| self.is_led_here(device, &beat.route)))
    }

    /// Notes how far the source of a route has counted; whether it lives.
    pub(super) fn note_source(&mut self, from: &DeviceId, route: &Route, now: MonoTime) -> bool {
        let Some(source) = route.path.first() else { return false };
        let known = self.mesh.live_with(from).and_then(|live| live.beat.as_ref()).map(|beat| &beat.route);
        let counts_on = known.is_some_and(|known| known.path.first() == Some(source) && route.count > known.count);
        self.mesh.sources.note(source, route.count, now) || counts_on
    }

    /// Whether an authority other than this car by itself says what counts.
    pub(in crate::core::car) fn is_joined(&self) -> bool {
        match self.mesh.obeys {
            Obeys::Neighbour(_) => true,
            Obeys::Server | Obeys::Myself => self.is_joined_to_server() || self.leads_others(),
        }
    }

    /// Whether neighbours have their time by this car's own word.
    pub(in crate::core::car) fn sets_the_time(&self) -> bool {
        self.mesh.obeys == Obeys::Myself && self.base == TimeBase::Convoy && self.has_followers()
    }

    /// Whether this car's own word is what counts for others.
    pub(in crate::core::car) fn leads_others(&self) -> bool {
        self.mesh.obeys == Obeys::Myself && self.mesh.leading.established
    }
}

impl Live {
    /// The term of the authority that this neighbour tells of.
    fn term(&self) -> Option<Term> {
        Some(match &self.beat.as_ref()?.route.source {
            Source::Server { term } => *term,
            Source::Member(claim) => claim.term,
        })
    }

    /// When the authority that this neighbour tells of is to be taken for gone, if it does not count on.
    fn source_dies(&self) -> Option<MonoTime> {
        let links = self.beat.as_ref()?.route.path.len().saturating_sub(1) as i64;
        let asked = self.asked.filter(|_| is_planted(Plant::LeaseOffByOne));
        let counted = asked.map_or(self.counted, |asked| asked.max(self.counted));
        Some(counted + GONE_US + links * GONE_PER_LINK_US)
    }
}
