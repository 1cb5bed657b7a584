//! Whether the way, or a crystal's rate, has become another.

use super::fit::{Fit, Given};
use super::side::Point;

/// That nothing changed must be less likely than this, as a natural logarithm, before anything is taken to have.
const CHANGED: f64 = 15.0;
/// A change shows after so long.
const CHANGE_S: f64 = 8.0;
/// A time without exchanges tells of no more than this.
const GAP_S: f64 = 5.0;

/// A bound's distance from the line.
struct Over {
    at_s: f64,
    us: f64,
    /// The time up to then in which there were exchanges, how many, and the least distance of them.
    seen_s: f64,
    exchanges: f64,
    least_us: f64,
}

/// Since when it has been another, in seconds, if that shows: on one side of that moment all bounds keep away from the
/// line, further than chance has it.
pub(super) fn changed(given: &Given, fit: &Fit) -> Option<f64> {
    let below: Vec<Point> = given.below.iter().map(|p| Point { us: -p.us, ..*p }).collect();
    let [above_us, below_us] = fit.lines_us;
    let [above_density, below_density] = fit.densities;
    let sides = [over(&given.above, fit, above_us, 1.0), over(&below, fit, below_us, -1.0)];
    let mut best = (0.0, None);
    for (over, density) in sides.iter().zip([above_density, below_density]) {
        let all = over.last()?;
        let mut after_us = f64::INFINITY;
        for point in over.iter().rev() {
            let (new_s, new) = (all.seen_s - point.seen_s, all.exchanges - point.exchanges);
            if new_s >= CHANGE_S && point.seen_s >= 2.0 * CHANGE_S {
                let old = (point.seen_s, point.exchanges, point.least_us);
                for (seconds, exchanges, away_us) in [(new_s, new, after_us), old] {
                    // Where that begins is closest to the line, and all the rest is further off.
                    let fits = seconds.powi(4) * away_us;
                    if density * exchanges * away_us > CHANGED && fits > best.0 {
                        best = (fits, Some(point.at_s));
                    }
                }
            }
            after_us = after_us.min(point.us);
        }
    }
    best.1
}

fn over(points: &[Point], fit: &Fit, line_us: f64, sign: f64) -> Vec<Over> {
    let (mut seen_s, mut exchanges, mut least_us, mut last_s) = (0.0, 0.0, f64::INFINITY, f64::INFINITY);
    let over = points.iter().map(|p| {
        let us = p.us - (line_us + sign * (fit.rate_ppm + fit.bend * p.at_s / 2.0) * p.at_s);
        seen_s += (p.at_s - last_s).clamp(0.0, GAP_S);
        exchanges += p.exchanges;
        least_us = us.min(least_us);
        last_s = p.at_s;
        Over { at_s: p.at_s, us, seen_s, exchanges, least_us }
    });
    over.collect()
}
