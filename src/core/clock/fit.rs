//! A line, nearly straight, between what the clock's offset cannot be above and what it cannot be below.
//!
//! Every message bounds the offset from one side: it cannot have arrived before it left. What comes in between is
//! delay, of which little is common and much is rare, so the bounds that lie closest tell most. Were delays
//! exponential, the likeliest line would be the one whose two parallels, under all upper bounds and over all lower
//! ones, lie closest to them (Moon, Skelly and Towsley, "Estimation and removal of clock skew from network delay
//! measurements", 1999, in both directions at once); here all lines are weighed by how likely they are, and so it is
//! known how far the mean may be off.

use super::side::{Point, Side, Tells};

/// What is known beforehand: a rate in parts per million, which is off by so much as a rule.
#[derive(Debug, Clone, Copy)]
pub(super) struct Prior {
    pub(super) rate_ppm: f64,
    pub(super) doubt_ppm: f64,
}

impl Prior {
    /// The logarithm of how likely a slope is.
    fn of(&self, slope: f64) -> f64 {
        -(slope - self.rate_ppm).abs() / self.doubt_ppm - self.doubt_ppm.ln()
    }
}

/// The line as it is now.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Fit {
    /// What the offset cannot be above, and below.
    pub(super) above_us: f64,
    pub(super) below_us: f64,
    pub(super) rate_ppm: f64,
    /// By how much the rate changes in a second.
    pub(super) bend: f64,
    /// Standard deviations.
    pub(super) offset_doubt_us: f64,
    pub(super) rate_doubt_ppm: f64,
    /// Where the lines are, whatever older bounds say, and how likely they are to lie a microsecond further out, for
    /// every second of points.
    pub(super) lines_us: [f64; 2],
    pub(super) densities: [f64; 2],
    /// How much further out they may be.
    pub(super) line_doubt_us: f64,
    /// How likely it is that the clocks go on as they did.
    pub(super) goes_on: f64,
}

impl Fit {
    pub(super) fn offset_us(&self) -> f64 {
        f64::midpoint(self.above_us, self.below_us)
    }

    pub(super) fn half_us(&self) -> f64 {
        (self.above_us - self.below_us) / 2.0
    }
}

/// What is found out now and then only: how much each side tells, and which bends are likely.
#[derive(Debug, Clone, Default)]
pub(super) struct Shape {
    sides: Option<[Tells; 2]>,
    /// Each with the width that it stands for.
    bends: Vec<(f64, f64)>,
}

/// No two crystals are further apart than this.
pub(super) const RATE_MAX_PPM: f64 = 500.0;
/// As crystals warm and cool, their rates change by this in a second, as a rule,
const BEND_PPM: f64 = 4e-3;
/// and by no more than this;
const BEND_MAX_PPM: f64 = 0.2;
/// but it is so many times likelier that they do not.
const STRAIGHT: f64 = 3.0;
/// In less time than this no bend shows.
const BEND_SPAN_S: f64 = 100.0;
/// What is less likely than the likeliest by this, of the natural logarithm, does not count.
const UNLIKELY: f64 = 7.0;
/// A way changes so many times more often than a clock's rate does, at once.
const WAYS_CHANGE: f64 = 1000.0;
/// In so many steps to each side slopes are gone through, and bends.
const STEPS: u32 = 12;
const BENDS: u32 = 3;

/// Both sides.
struct Between {
    above: Side,
    below: Side,
    prior: Prior,
}

/// A sum over lines, each by how likely it is.
#[derive(Default)]
struct Sum {
    /// The logarithm that weights are less by.
    scale: f64,
    weight: f64,
    goes_on: f64,
    above: f64,
    below: f64,
    lines: [f64; 2],
    offset_square: f64,
    rate: f64,
    rate_square: f64,
    bend: f64,
}

impl Sum {
    /// So likely a line is to come: weights are kept within what numbers hold.
    fn rescale(&mut self, likely: f64) {
        if self.weight > 0.0 && likely <= self.scale {
            return;
        }
        let by = if self.weight > 0.0 { (self.scale - likely).exp() } else { 0.0 };
        let sums = [&mut self.weight, &mut self.goes_on, &mut self.above, &mut self.below, &mut self.offset_square];
        let more = [&mut self.rate, &mut self.rate_square, &mut self.bend];
        sums.into_iter().chain(more).chain(&mut self.lines).for_each(|sum| *sum *= by);
        self.scale = likely;
    }
}

impl Between {
    fn bend(&mut self, bend: f64) {
        self.above.bend(bend);
        self.below.bend(-bend);
    }

    /// How likely a line is, as a logarithm, beside others of the same bend.
    fn likely(&self, slope: f64) -> f64 {
        let Self { above, below, prior } = self;
        above.tells.weight * (above.under(slope).us + slope * above.tells.mean_at_s)
            + below.tells.weight * (below.under(-slope).us - slope * below.tells.mean_at_s)
            + prior.of(slope)
    }

    fn of_bend(&self, bend: f64) -> f64 {
        let square = |side: &Side| side.tells.weight * side.tells.mean_square;
        bend * (square(&self.above) - square(&self.below)) - bend.abs() / BEND_PPM
    }

    /// The likeliest slope: beyond it the line becomes less likely, more and more.
    fn likeliest(&self) -> f64 {
        let Self { above, below, prior } = self;
        let (mut low, mut high) = (-RATE_MAX_PPM, RATE_MAX_PPM);
        for _ in 0..36 {
            let slope = f64::midpoint(low, high);
            let gains = above.tells.weight * (above.tells.mean_at_s - above.under(slope).at_s)
                + below.tells.weight * (below.under(-slope).at_s - below.tells.mean_at_s)
                - (slope - prior.rate_ppm).signum() / prior.doubt_ppm;
            if gains > 0.0 { low = slope } else { high = slope }
        }
        f64::midpoint(low, high)
    }

    fn best_of_bend(&mut self, bend: f64) -> f64 {
        self.bend(bend);
        self.likely(self.likeliest()) + self.of_bend(bend)
    }

    /// Adds up the lines of the bend that is set, which stands for so much.
    fn add(&self, wide: f64, goes_on: bool, sum: &mut Sum) {
        let bend = self.above.bend;
        let best = self.likeliest();
        let at_best = self.likely(best);
        let likely = at_best + self.of_bend(bend) + wide.ln();
        sum.rescale(likely);
        if likely + UNLIKELY < sum.scale {
            return;
        }
        for sign in [-1.0, 1.0] {
            let step = edge(|step| at_best - self.likely(best + sign * step), 1e-5, RATE_MAX_PPM) / f64::from(STEPS);
            for n in 0..STEPS {
                let slope = best + sign * step * (f64::from(n) + 0.5);
                let weight = (self.likely(slope) - at_best + likely - sum.scale).exp() * step;
                let (above, below) = (self.above.bound(slope, goes_on), -self.below.bound(-slope, goes_on));
                sum.weight += weight;
                sum.goes_on += if goes_on { weight } else { 0.0 };
                sum.above += weight * above;
                sum.below += weight * below;
                for (line, side) in sum.lines.iter_mut().zip([(&self.above, slope), (&self.below, -slope)]) {
                    *line += weight * side.0.under(side.1).us;
                }
                sum.offset_square += weight * f64::midpoint(above, below).powi(2);
                sum.rate += weight * slope;
                sum.rate_square += weight * slope * slope;
                sum.bend += weight * bend;
            }
        }
    }

    /// The likeliest bend, and those beside it that count.
    fn search(&mut self) -> Vec<(f64, f64)> {
        let (mut low, mut high) = (-BEND_MAX_PPM, BEND_MAX_PPM);
        let golden = 0.618_033_988_75;
        let (mut one, mut other) = (high - golden * (high - low), low + golden * (high - low));
        let (mut at_one, mut at_other) = (self.best_of_bend(one), self.best_of_bend(other));
        for _ in 0..20 {
            if at_one < at_other {
                (low, one, at_one) = (one, other, at_other);
                other = low + golden * (high - low);
                at_other = self.best_of_bend(other);
            } else {
                (high, other, at_other) = (other, one, at_one);
                one = high - golden * (high - low);
                at_one = self.best_of_bend(one);
            }
        }
        let mut best = f64::midpoint(low, high);
        let mut at_best = self.best_of_bend(best);
        let straight = self.best_of_bend(0.0);
        if straight >= at_best {
            (best, at_best) = (0.0, straight);
        }
        let mut bends = vec![(0.0, STRAIGHT * 2.0 * BEND_PPM)];
        for sign in [-1.0, 1.0] {
            let step =
                edge(|step| at_best - self.best_of_bend(best + sign * step), 1e-6, BEND_MAX_PPM) / f64::from(BENDS);
            bends.extend((0..BENDS).map(|n| (best + sign * step * (f64::from(n) + 0.5), step)));
        }
        bends
    }
}

/// How far one has to go until what is lost is more than counts.
fn edge(mut loss: impl FnMut(f64) -> f64, least: f64, most: f64) -> f64 {
    let mut far = least;
    while far < most && loss(far) < UNLIKELY {
        far *= 4.0;
    }
    let (mut low, mut high) = (far / 4.0, far);
    for _ in 0..3 {
        let middle = f64::midpoint(low, high);
        if loss(middle) < UNLIKELY { low = middle } else { high = middle }
    }
    high.min(most)
}

/// What the line is to lie between.
pub(super) struct Given {
    pub(super) above: Vec<Point>,
    pub(super) below: Vec<Point>,
    /// Bounds from before, which say nothing of the rate.
    pub(super) carried: Option<(Point, Point)>,
    /// The rate of two crystals about which little is known; and, after the way has changed, what it was. If it is
    /// that no more, a clock has changed, and bounds from before are none.
    pub(super) prior: Prior,
    pub(super) before: Option<Prior>,
    /// Seconds since the last fit.
    pub(super) since_s: f64,
}

/// The line between upper bounds and lower ones, both in the order of time; none without points on both sides. What it
/// looks like is found out anew when `anew` says so.
pub(super) fn fit(given: Given, shape: &mut Shape, anew: bool) -> Option<Fit> {
    let Given { above, mut below, carried, prior, before, since_s } = given;
    let span_s = above.last()?.at_s - above.first()?.at_s;
    for point in &mut below {
        point.us = -point.us;
    }
    let turned = carried.map(|(_, below)| Point { us: -below.us, ..below });
    let mut between =
        Between { above: Side::new(above, carried.map(|(above, _)| above)), below: Side::new(below, turned), prior };
    between.below.points.last()?;
    if let Some([above, below]) = shape.sides.filter(|_| !anew) {
        (between.above.tells, between.below.tells) = (above.later(since_s), below.later(since_s));
    } else {
        let mut slope = before.unwrap_or(prior).rate_ppm;
        between.bend(shape.bends.first().map_or(0.0, |(bend, _)| *bend));
        for _ in 0..3 {
            between.above.weigh(slope);
            between.below.weigh(-slope);
            slope = between.likeliest();
        }
        shape.bends = if span_s < BEND_SPAN_S { vec![(0.0, 1.0)] } else { between.search() };
    }
    shape.sides = Some([between.above.tells, between.below.tells]);
    let mut sum = Sum::default();
    for (bend, wide) in &shape.bends {
        between.bend(*bend);
        between.prior = prior;
        between.add(*wide, before.is_none(), &mut sum);
        if let Some(before) = before {
            between.prior = before;
            between.add(*wide * WAYS_CHANGE, true, &mut sum);
        }
    }
    let mean = |sum_of: f64| sum_of / sum.weight;
    let deviation = |squares: f64, mean: f64| (squares / sum.weight - mean * mean).max(0.0).sqrt();
    let (above_us, below_us, rate_ppm) = (mean(sum.above), mean(sum.below), mean(sum.rate));
    Some(Fit {
        above_us,
        below_us,
        rate_ppm,
        bend: mean(sum.bend),
        offset_doubt_us: deviation(sum.offset_square, f64::midpoint(above_us, below_us)),
        rate_doubt_ppm: deviation(sum.rate_square, rate_ppm),
        lines_us: sum.lines.map(mean),
        densities: [between.above.tells.density, between.below.tells.density],
        line_doubt_us: (1.0 / between.above.tells.weight).hypot(1.0 / between.below.tells.weight) / 2.0,
        goes_on: mean(sum.goes_on),
    })
}
