//! Bounds from one side: the lines of a slope under all of them, and how much such a line's distance tells.

/// A bound on the offset in microseconds, so many seconds before now, and of how many exchanges it is the closest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) at_s: f64,
    pub(super) us: f64,
    pub(super) exchanges: f64,
}

/// Delays that come soon after each other are of one kind: of so long only the least counts,
const BLOCK_S: f64 = 32.0;
/// or of so large a part of all.
const BLOCKS_MIN: f64 = 6.0;
/// Of three least delays in a row, how far the middle one is off the others, where delays are exponential with a mean
/// of one: the median.
const UNEVEN: f64 = 1.3;
/// Of a span the ends tell less than the middle.
const SHARE: f64 = 0.7;
/// Nothing is known better than a clock is read.
const READ_US: f64 = 1.0;

/// How much the bounds of one side tell of a line.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tells {
    /// How likely the line is to lie a microsecond further out, and that for every exchange.
    pub(super) weight: f64,
    pub(super) density: f64,
    /// The mean of when the least delays were, and of half its square.
    pub(super) mean_at_s: f64,
    pub(super) mean_square: f64,
}

impl Tells {
    /// The same, as seen so much later.
    pub(super) fn later(self, by_s: f64) -> Self {
        let mean_square = self.mean_square - by_s * self.mean_at_s + by_s * by_s / 2.0;
        Self { mean_at_s: self.mean_at_s - by_s, mean_square, ..self }
    }
}

/// Bounds from one side, turned so that the offset is below them.
pub(super) struct Side {
    pub(super) points: Vec<Point>,
    carried: Option<Point>,
    pub(super) tells: Tells,
    pub(super) bend: f64,
    /// Under all points, of that bend.
    hull: Vec<Point>,
}

impl Side {
    pub(super) fn new(points: Vec<Point>, carried: Option<Point>) -> Self {
        Self { points, carried, tells: Tells { weight: 1.0, ..Tells::default() }, bend: 0.0, hull: Vec::new() }
    }

    /// Goes over to lines of that bend.
    pub(super) fn bend(&mut self, bend: f64) {
        self.hull.clear();
        self.bend = bend;
        for point in &self.points {
            let point = Point { us: point.us - bend * point.at_s * point.at_s / 2.0, ..*point };
            while let [.., before, last] = self.hull.as_slice() {
                let (to_last_s, to_point_s) = (last.at_s - before.at_s, point.at_s - before.at_s);
                if (last.us - before.us) * to_point_s < (point.us - before.us) * to_last_s {
                    break;
                }
                self.hull.pop();
            }
            self.hull.push(point);
        }
    }

    /// Where the line of that slope under all points is now, and when it touches them.
    pub(super) fn under(&self, slope: f64) -> Point {
        let mut least = Point { at_s: 0.0, us: f64::INFINITY, exchanges: 0.0 };
        for point in &self.hull {
            let us = point.us - slope * point.at_s;
            if us > least.us {
                break;
            }
            least = Point { us, ..*point };
        }
        least
    }

    /// The same, and what older bounds say if they still hold.
    pub(super) fn bound(&self, slope: f64, goes_on: bool) -> f64 {
        let line_us = self.under(slope).us;
        self.carried
            .filter(|_| goes_on)
            .map_or(line_us, |old| line_us.min(old.us - (slope + self.bend * old.at_s / 2.0) * old.at_s))
    }

    /// The least distances from the line of each block of so long, when they were, and of how many exchanges.
    fn least_of_blocks(&self, slope: f64, block_s: f64) -> Vec<Point> {
        let under_us = self.under(slope).us;
        let first_s = self.points.first().map_or(0.0, |first| first.at_s);
        let mut least: Vec<Point> = Vec::new();
        let mut current = f64::NEG_INFINITY;
        for Point { at_s, us, exchanges } in &self.points {
            let block = ((at_s - first_s) / block_s).floor();
            let us = us - (under_us + (slope + self.bend * at_s / 2.0) * at_s);
            match least.last_mut() {
                Some(last) if block <= current => {
                    if us < last.us {
                        (last.at_s, last.us) = (*at_s, us);
                    }
                    last.exchanges += exchanges;
                }
                _ => least.push(Point { at_s: *at_s, us, exchanges: *exchanges }),
            }
            current = current.max(block);
        }
        least
    }

    /// Learns from the least delays of blocks how much a line's distance tells. Where delays stay what they are for a
    /// while, as over a satellite between two handovers, longer blocks tell less than shorter ones seem to. How uneven
    /// these delays are does not depend on how well the line lies.
    pub(super) fn weigh(&mut self, slope: f64) {
        let (Some(first), Some(last)) = (self.points.first(), self.points.last()) else { return };
        let block_s = BLOCK_S.min((last.at_s - first.at_s).max(1e-3) / BLOCKS_MIN);
        let exchanges: f64 = self.points.iter().map(|point| point.exchanges).sum();
        let blocks = [1.0, 4.0, 16.0].map(|part| self.least_of_blocks(slope, block_s / part));
        let density = blocks.each_ref().map(|least| {
            // Of more exchanges the least delay is less.
            let middle_off = |three: &[Point]| {
                let [a, b, c] = three else { return 0.0 };
                (a.us - 2.0 * b.us + c.us).abs() * (a.exchanges + b.exchanges + c.exchanges) / 3.0
            };
            let mut uneven_us: Vec<f64> = least.windows(3).map(middle_off).collect();
            uneven_us.sort_unstable_by(f64::total_cmp);
            let scale_us = uneven_us.get(uneven_us.len() / 2).map_or(f64::INFINITY, |median_us| median_us / UNEVEN);
            1.0 / (scale_us + READ_US * exchanges / least.len() as f64)
        });
        let density = density.into_iter().fold(f64::INFINITY, f64::min);
        let [least, ..] = &blocks;
        let mean = |of: fn(&Point) -> f64| least.iter().map(|p| p.exchanges * of(p)).sum::<f64>() / exchanges;
        self.tells = Tells {
            weight: density * exchanges * SHARE,
            density,
            mean_at_s: mean(|p| p.at_s),
            mean_square: mean(|p| p.at_s * p.at_s / 2.0),
        };
    }
}
