//! What is kept of exchanges: of the recent ones all, of each span before that the two bounds that lie closest, and of
//! everything older what it still says.

use super::change::changed;
use super::fit::{Fit, Given, Prior, RATE_MAX_PPM, Shape, fit};
use super::side::Point;
use super::{ConvoyTime, MonoTime};
use std::collections::VecDeque;

/// What the offset cannot be above, or below, at a moment.
#[derive(Debug, Clone, Copy)]
struct Bound {
    at: MonoTime,
    us: f64,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    above: Bound,
    below: Bound,
    /// Of so many exchanges the closest.
    exchanges: f64,
}

/// What was known at a moment.
#[derive(Debug, Clone, Copy)]
struct Known {
    above: Bound,
    below: Bound,
    rate: Prior,
}

impl Known {
    fn new(fit: &Fit, at: MonoTime) -> Self {
        let doubt_us = SURE * fit.offset_doubt_us.hypot(fit.line_doubt_us);
        let above = Bound { at, us: fit.above_us + doubt_us };
        let below = Bound { at, us: fit.below_us - doubt_us };
        let rate = Prior { rate_ppm: fit.rate_ppm, doubt_ppm: fit.rate_doubt_ppm + RATE_KNOWN_PPM };
        Self { above, below, rate }
    }
}

/// Bounds on the offset of the reference's clock from this machine's, and the line between them.
#[derive(Debug, Clone)]
pub(super) struct Corridor {
    /// Offsets are kept less this.
    base_us: i64,
    recent: VecDeque<Bounds>,
    kept: VecDeque<Bounds>,
    /// From before; since when it is known.
    carried: Option<(Bounds, MonoTime)>,
    known: VecDeque<Known>,
    /// About what the rate is, before any exchange.
    rate_ppm: f64,
    /// What the rate was when something changed, and when that was.
    before: Option<(Prior, MonoTime)>,
    shape: Shape,
    /// When `shape` was found out.
    shaped: MonoTime,
    /// The line, and its moment.
    fit: Option<(Fit, MonoTime)>,
    /// The latest exchange of which the line knows nothing.
    noted: Option<MonoTime>,
}

/// For so long everything is kept,
const RECENT_US: i64 = 16_000_000;
const RECENT_MAX: usize = 400;
/// and then of so long the closest two bounds,
const SPAN_US: i64 = 4_000_000;
/// until so long ago;
const KEPT_US: i64 = 600_000_000;
/// from then on a bound loosens, as the rate is known no better than this.
const CARRIED_PPM: f64 = 0.1;
/// What a line looks like is found out anew when so large a part more is known.
const NEW_EACH: i64 = 8;
/// Rates wander: a bound has loosened by so much after 100 s, four times as much after 200 s.
const WANDER_US: f64 = 0.6;
/// Two crystals are so far apart, as a rule.
const RATE_UNKNOWN_PPM: f64 = 60.0;
/// What was known of a rate is known less well with every second,
const RATE_AGES_PPM: f64 = 0.005;
/// and no better than this.
const RATE_KNOWN_PPM: f64 = 0.05;
/// What is less likely than this is not so.
const OVER: f64 = 1e-3;
/// What was known is remembered for about as long as bounds are kept.
const KNOWN_MAX: usize = 150;
/// So many standard deviations are never exceeded.
pub(super) const SURE: f64 = 5.0;

impl Default for Corridor {
    fn default() -> Self {
        Self::new(0.0)
    }
}

impl Corridor {
    /// Nothing is known but about what the rate is.
    pub(super) fn new(rate_ppm: f64) -> Self {
        Self {
            base_us: 0,
            recent: VecDeque::new(),
            kept: VecDeque::new(),
            carried: None,
            known: VecDeque::new(),
            rate_ppm,
            before: None,
            shape: Shape::default(),
            shaped: MonoTime(i64::MIN),
            fit: None,
            noted: None,
        }
    }

    /// A clock has stepped: what was is no more, but for the rate.
    pub(super) fn after_step(&self) -> Self {
        let Some((fit, now)) = self.fit.filter(|_| self.span_us() >= RECENT_US) else {
            return Self::new(self.rate_ppm);
        };
        Self { before: Some((Known::new(&fit, now).rate, now)), ..Self::new(fit.rate_ppm) }
    }

    pub(super) fn span_us(&self) -> i64 {
        let first = self.kept.front().or(self.recent.front());
        first.zip(self.recent.back()).map_or(0, |(first, last)| last.below.at - first.above.at)
    }

    /// Between what the offset is at a moment, whatever the rate may be that two crystals can have.
    pub(super) fn ends_us(&self, at: MonoTime) -> [f64; 2] {
        let drift_us = |bound: &Bound| RATE_MAX_PPM * (at - bound.at).abs() as f64 / 1e6;
        let ends = |[below, above]: [f64; 2], one: &Bounds| {
            let below = below.max(one.below.us - drift_us(&one.below));
            [below, above.min(one.above.us + drift_us(&one.above))]
        };
        self.kept.iter().chain(&self.recent).fold([f64::NEG_INFINITY, f64::INFINITY], ends)
    }

    pub(super) fn base_us(&self) -> i64 {
        self.base_us
    }

    /// The line, and its moment.
    pub(super) fn line(&self) -> Option<(Fit, MonoTime)> {
        let Some(now) = self.noted else { return self.fit };
        Some((fit(self.given(now, 0.0), &mut self.shape.clone(), true)?, now))
    }

    /// How far the line may lie off, in microseconds, and its slope, in parts per million, as a rule; none before there
    /// is one.
    pub(super) fn doubts(&self) -> Option<(f64, f64)> {
        self.fit.map(|(fit, _)| (fit.offset_doubt_us, fit.rate_doubt_ppm))
    }

    /// Keeps what a message there and one back say; the line is drawn when somebody asks for it.
    pub(super) fn note(&mut self, there: (MonoTime, ConvoyTime), back: (ConvoyTime, MonoTime)) -> (Bounds, MonoTime) {
        let above_us = there.1.0.saturating_sub(there.0.0);
        let below_us = back.0.0.saturating_sub(back.1.0);
        if self.recent.is_empty() {
            self.base_us = below_us / 2 + above_us / 2;
        }
        let less = |us: i64| us.saturating_sub(self.base_us) as f64;
        let above = Bound { at: there.0, us: less(above_us) };
        let below = Bound { at: back.1, us: less(below_us) };
        // A later message may have been faster: the order of time is kept.
        let place = self.recent.iter().rposition(|one| one.above.at <= above.at).map_or(0, |at| at + 1);
        let bounds = Bounds { above, below, exchanges: 1.0 };
        self.recent.insert(place, bounds);
        let was = self.noted.max(self.fit.map(|(_, at)| at));
        let now = was.map_or(back.1, |was| was.max(back.1));
        self.noted = Some(now);
        self.condense(now);
        (bounds, now)
    }

    /// The same, and draws the line anew.
    pub(super) fn push(&mut self, there: (MonoTime, ConvoyTime), back: (ConvoyTime, MonoTime)) {
        let had_noted = self.noted.is_some();
        let (bounds, now) = self.note(there, back);
        let anew = had_noted || now - self.shaped >= SPAN_US.min(self.span_us() / NEW_EACH);
        if !anew && self.tells_nothing(&bounds) {
            self.noted = None;
            return;
        }
        let since_s = self.fit.map_or(0.0, |(_, at)| (now - at) as f64 / 1e6);
        self.refit(now, since_s, anew);
        if anew {
            self.shaped = now;
            self.follow_changes(now);
            self.known.extend(self.fit.map(|(fit, now)| Known::new(&fit, now)));
            self.known.drain(..self.known.len().saturating_sub(KNOWN_MAX));
        }
        while self.fit.is_some_and(|(fit, _)| fit.half_us() < 0.0) && self.let_go() {
            self.refit(now, 0.0, true);
        }
    }

    /// Most messages are late by so much that no likely line comes close.
    fn tells_nothing(&self, bounds: &Bounds) -> bool {
        let Some((fit, now)) = self.fit else { return false };
        let [line_above_us, line_below_us] = fit.lines_us;
        let is_far = |bound: &Bound, line_us: f64, sign: f64| {
            let since_s = (bound.at - now) as f64 / 1e6;
            let doubt_us = SURE * (fit.offset_doubt_us + fit.rate_doubt_ppm * since_s.abs());
            sign * (bound.us - fit.rate_ppm * since_s) - line_us > doubt_us
        };
        is_far(&bounds.above, line_above_us, 1.0) && is_far(&bounds.below, line_below_us, -1.0)
    }

    /// What is oldest contradicts what is newest: half of it goes. False if there is nothing more to let go.
    fn let_go(&mut self) -> bool {
        if self.carried.take().is_some() {
            return true;
        }
        if !self.kept.is_empty() {
            self.kept.drain(..self.kept.len().div_ceil(2));
            return true;
        }
        let has_more = self.recent.len() > 1;
        self.recent.drain(..self.recent.len() / 2);
        has_more
    }

    /// Of what is no more recent the closest two bounds are kept.
    fn condense(&mut self, now: MonoTime) {
        let rate = self.fit.map_or(self.rate_ppm, |(fit, _)| fit.rate_ppm);
        while let Some(first) = self.recent.front().copied()
            && (now - first.above.at > RECENT_US || self.recent.len() > RECENT_MAX)
        {
            self.recent.pop_front();
            match self.kept.back_mut() {
                Some(last) if last.above.at.0.div_euclid(SPAN_US) == first.above.at.0.div_euclid(SPAN_US) => {
                    if first.above.seen_from(last.above.at, rate) < last.above.us {
                        last.above = first.above;
                    }
                    if first.below.seen_from(last.below.at, rate) > last.below.us {
                        last.below = first.below;
                    }
                    last.exchanges += first.exchanges;
                }
                _ => self.kept.push_back(first),
            }
        }
        while let Some(first) = self.kept.front().copied()
            && now - first.above.at > KEPT_US
        {
            self.kept.pop_front();
            let Some(next) = self.kept.front().copied() else {
                // Nothing came for as long: of all that there was the rate is left.
                self.rate_ppm = rate;
                break;
            };
            let bent_ppm = self.fit.map_or(0.0, |(fit, at)| fit.bend * (at - next.above.at) as f64 / 1e6);
            let rate = rate - bent_ppm;
            let carried = self.carried.map_or(first, |(carried, _)| carried);
            let seen = |bound: Bound, at: MonoTime, loosens: f64| {
                bound.seen_from(at, rate) + loosens * CARRIED_PPM * (at - bound.at) as f64 / 1e6
            };
            let above_us = seen(carried.above, next.above.at, 1.0).min(seen(first.above, next.above.at, 1.0));
            let below_us = seen(carried.below, next.below.at, -1.0).max(seen(first.below, next.below.at, -1.0));
            let above = Bound { at: next.above.at, us: above_us };
            let below = Bound { at: next.below.at, us: below_us };
            self.carried = Some((Bounds { above, below, exchanges: 0.0 }, next.above.at));
        }
    }

    fn given(&self, now: MonoTime, since_s: f64) -> Given {
        let all = || self.kept.iter().chain(&self.recent);
        let above = all().map(|one| one.above.point(now, WANDER_US, one.exchanges)).collect();
        let mut below: Vec<Point> = all().map(|one| one.below.point(now, -WANDER_US, one.exchanges)).collect();
        below.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        let carried = self.carried.map(|(bounds, since)| {
            let loosens_us = CARRIED_PPM * (now - since).max(0) as f64 / 1e6;
            let (mut above, mut below) =
                (bounds.above.point(now, WANDER_US, 0.0), bounds.below.point(now, -WANDER_US, 0.0));
            above.us += loosens_us;
            below.us -= loosens_us;
            (above, below)
        });
        let before = self.before.map(|(before, at)| {
            let aged_s = (now - at).max(0) as f64 / 1e6;
            Prior { doubt_ppm: (before.doubt_ppm + RATE_AGES_PPM * aged_s).min(RATE_UNKNOWN_PPM), ..before }
        });
        let prior = Prior { rate_ppm: self.rate_ppm, doubt_ppm: RATE_UNKNOWN_PPM };
        Given { above, below, carried, prior, before, since_s }
    }

    fn refit(&mut self, now: MonoTime, since_s: f64, anew: bool) {
        let given = self.given(now, since_s);
        self.fit = fit(given, &mut self.shape, anew).map(|fit| (fit, now));
        self.noted = None;
        if self.before.is_some() && self.fit.is_some_and(|(fit, _)| fit.goes_on < OVER) {
            (self.before, self.carried) = (None, None);
        }
    }

    /// When the way or a rate has become another, what was before says what the offset was then, and what the rate was.
    fn follow_changes(&mut self, now: MonoTime) {
        let Some((fit, _)) = self.fit else { return };
        let Some(since_s) = changed(&self.given(now, 0.0), &fit) else { return };
        let since = now + (since_s * 1e6) as i64;
        let known = self.known.iter().rfind(|known| known.above.at <= since).or(self.known.front()).copied();
        let Some(Known { above, below, rate }) = known else { return };
        // It may have come a little later than it shows, and a bound from before would tilt the line.
        let for_sure = since + SPAN_US;
        self.kept.retain(|one| one.above.at > for_sure);
        self.recent.retain(|one| one.above.at > for_sure);
        self.carried = Some((Bounds { above, below, exchanges: 0.0 }, above.at));
        self.shape = Shape::default();
        self.before = Some((rate, above.at));
        self.refit(now, 0.0, true);
    }
}

impl Bound {
    /// The bound as of another moment, if the clocks drift apart at that rate.
    fn seen_from(&self, at: MonoTime, rate_ppm: f64) -> f64 {
        self.us + rate_ppm * (at - self.at) as f64 / 1e6
    }

    fn point(&self, now: MonoTime, loosens_us: f64, exchanges: f64) -> Point {
        let at_s = (self.at - now) as f64 / 1e6;
        Point { at_s, us: self.us + loosens_us * (at_s / 100.0).powi(2), exchanges }
    }
}
