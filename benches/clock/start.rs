//! How soon a car is in time: the error of the clock that its music follows in the first minute, not of the estimate.

use crate::links::{Link, Model, SECOND};
use crate::ours::Ours;
use crate::peers::{Estimates, Exchange};
use crate::run::drive;
use crate::table;
use jamz::core::clock::{MonoTime, SlewedClock};

/// Cars of each model.
const CARS: u64 = 200;
const LOOKS_S: [f64; 8] = [1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0];
/// A car's music begins at once, or some seconds after it has come; until then its clock is set and not bent.
const BEGINS_S: [f64; 2] = [0.0, 5.0];

/// The estimator, and the clock that is bent to it.
struct Clocked {
    ours: Ours,
    clock: SlewedClock,
    begins_us: f64,
}

impl Estimates for Clocked {
    fn pace_us(&self) -> f64 {
        self.ours.pace_us()
    }

    fn handle(&mut self, exchange: &Exchange) {
        self.ours.handle(exchange);
        let Some(estimate) = self.ours.estimate() else { return };
        let now = MonoTime(exchange.received_us as i64);
        if exchange.received_us < self.begins_us {
            self.clock.set(&estimate, now);
        } else {
            self.clock.follow_freely(&estimate, now);
        }
    }

    fn offset_us(&mut self, now_us: f64) -> Option<(f64, Option<f64>)> {
        let now = MonoTime(now_us as i64);
        let convoy = self.clock.map()?.convoy(now);
        Some(((convoy.0 - now.0) as f64, None))
    }
}

/// Prints the table for these models: a line for each and for each beginning, p50/p95 of all cars.
pub(crate) fn print(models: &[&Model], seed: u64) {
    let heads: Vec<String> = LOOKS_S.iter().map(|at_s| format!("{at_s} s")).collect();
    println!("\n| |error| of the clock in ms, p50/p95, after | {} |\n|---{}|", heads.join(" | "), "|---".repeat(8));
    for model in models {
        for begins_s in BEGINS_S {
            let model = model.lasting(60.0);
            let cars: Vec<Vec<f64>> = (0..CARS).map(|car| errors_ms(&model, seed * 1_000 + car, begins_s)).collect();
            let cell = |at: usize| table::spread(cars.iter().filter_map(|car| car.get(at)).copied());
            let cells: Vec<String> = (0..LOOKS_S.len()).map(cell).collect();
            println!("| {}, music after {begins_s} s | {} |", model.name, cells.join(" | "));
        }
    }
}

fn errors_ms(model: &Model, road: u64, begins_s: f64) -> Vec<f64> {
    let mut car = Clocked { ours: Ours::default(), clock: SlewedClock::default(), begins_us: begins_s * SECOND };
    let looks = drive(&mut car, &Link::new(*model, road), road ^ 0xA5A5);
    let at = |at_s: &f64| looks.iter().find(|look| look.seconds >= *at_s).map(|look| look.error_us.abs() / 1e3);
    LOOKS_S.iter().filter_map(at).collect()
}
