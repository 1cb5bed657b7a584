//! `make bench-clock`: the product's estimator of convoy time beside those of its peers, on modelled links where the
//! truth is known. Prints a table, draws pictures, and its last line is JSON.
//!
//! `--seed N` takes other drives, `--only NAME` the models whose names have that in them, `--ours` leaves the peers
//! out, and `--pictures DIR` says where pictures go.

mod chance;
mod hull;
mod links;
mod ours;
mod peers;
mod picture;
mod run;
mod start;
mod table;

use links::{Event, Link, MODELS, Model};
use ours::Ours;
use peers::PEERS;
use picture::{COLOURS, Trace, svg};
use run::{Look, drive};
use serde_json::json;
use std::error::Error;
use std::path::Path;
use table::{Cell, Row};

/// Drives of each model, with two cars each.
const DRIVES: u64 = 20;
/// Who is drawn beside the product, by where they stand in the list.
const DRAWN: [&str; 4] = ["Snapcast", "Sendspin", "NTP-like", "hull, 300"];
const OURS: &str = "ours";

/// All that was seen of one estimator on one model.
pub(crate) struct Column {
    pub(crate) cars: Vec<[Vec<Look>; 2]>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let text = |name: &str| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1)).cloned();
    let seed: u64 = text("--seed").map_or(Ok(1), |seed| seed.parse())?;
    let only = text("--only").unwrap_or_default();
    let models: Vec<&Model> = MODELS.iter().filter(|model| model.name.contains(&only)).collect();
    let mut measured: Vec<(&str, Vec<Column>)> = Vec::new();
    for peer in PEERS.iter().filter(|_| !args.iter().any(|arg| arg == "--ours")) {
        let column = |model: &&Model| column(model, seed, |link, noise| drive(&mut *(peer.new)(), link, noise));
        measured.push((peer.name, models.iter().map(column).collect()));
    }
    let (mut probes, mut spent_ns) = (0_u32, 0_u128);
    let mut ours = |model: &&Model| {
        column(model, seed, |link, noise| {
            let mut ours = Ours::default();
            let looks = drive(&mut ours, link, noise);
            (probes, spent_ns) = (probes + ours.probes, spent_ns + ours.spent_ns);
            looks
        })
    };
    measured.push((OURS, models.iter().map(&mut ours).collect()));
    let cells =
        |columns: &[Column]| models.iter().zip(columns).map(|(model, column)| Cell::of(model, column)).collect();
    let rows: Vec<Row> = measured.iter().map(|(name, columns)| (*name, cells(columns))).collect();
    table::print(&models, &rows);
    start::print(&models.iter().copied().filter(|model| model.event == Event::Nothing).collect::<Vec<_>>(), seed);
    if let Some(folder) = text("--pictures") {
        draw(Path::new(&folder), &models, &measured)?;
    }
    let ns_a_probe = spent_ns / u128::from(probes.max(1));
    println!("\n{DRIVES} drives of each model with two cars each, seed {seed}; ours takes {ns_a_probe} ns a probe\n");
    let mut figures = table::json(&models, &rows);
    if let Some(figures) = figures.as_object_mut() {
        figures.extend([("seed".into(), json!(seed)), ("ns_a_probe".into(), json!(ns_a_probe as u64))]);
    }
    println!("{figures}");
    Ok(())
}

fn column(model: &Model, seed: u64, mut drive: impl FnMut(&Link, u64) -> Vec<Look>) -> Column {
    let cars = (0..DRIVES).map(|n| {
        let mut car = |car: u64| {
            let road = seed * 1_000 + 2 * n + car;
            drive(&Link::new(*model, road), road ^ 0xA5A5)
        };
        [car(0), car(1)]
    });
    Column { cars: cars.collect() }
}

/// A picture for each model, of the first car of the first drive.
fn draw(folder: &Path, models: &[&Model], measured: &[(&str, Vec<Column>)]) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(folder)?;
    for (n, model) in models.iter().enumerate() {
        let drawn =
            measured.iter().filter(|(name, _)| *name == OURS || DRAWN.iter().any(|drawn| name.starts_with(drawn)));
        let traces: Vec<Trace> = drawn
            .zip(COLOURS)
            .filter_map(|((name, columns), colour)| {
                let [looks, _] = columns.get(n)?.cars.first()?;
                Some(Trace { name: name.split(':').next().unwrap_or(name), looks, colour })
            })
            .collect();
        std::fs::write(
            folder.join(format!("{}.svg", model.name.replace(", ", "-").replace(' ', "-"))),
            svg(model, &traces)?,
        )?;
    }
    Ok(())
}
