//! Tables of what was measured, for people and as JSON.

use crate::Column;
use crate::links::Model;
use crate::run::Look;
use serde_json::{Value, json};

/// One estimator on one model, in milliseconds.
#[derive(Clone, Copy)]
pub(crate) struct Cell {
    rms: f64,
    p50: f64,
    p95: f64,
    p99: f64,
    max: f64,
    /// What two cars are apart.
    pair_p95: f64,
    bound: Option<Bound>,
}

/// What an estimator says of its own error.
#[derive(Clone, Copy)]
struct Bound {
    held_share: f64,
    p50: f64,
    judged: usize,
    held: usize,
}

/// A name, and a cell for each model.
pub(crate) type Row<'a> = (&'a str, Vec<Cell>);

/// How a cell is printed.
type Figure = fn(&Cell) -> String;

fn quantile(sorted: &[f64], share: f64) -> f64 {
    sorted.get(((sorted.len() as f64 - 1.0) * share).round().max(0.0) as usize).copied().unwrap_or(f64::NAN)
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

impl Cell {
    pub(crate) fn of(model: &Model, column: &Column) -> Self {
        let judged = |look: &&Look| look.seconds >= model.judged_s;
        let looks: Vec<&Look> = column.cars.iter().flatten().flatten().filter(judged).collect();
        let errors = sorted(looks.iter().map(|look| look.error_us.abs() / 1e3));
        let pairs = sorted(column.cars.iter().flat_map(|[one, other]| {
            // Both were looked at every second, from when on they knew anything.
            let at = |look: &Look| other.iter().find(|it| it.seconds >= look.seconds).map(|it| it.error_us);
            let apart = move |look: &Look| Some((look.error_us - at(look)?).abs() / 1e3);
            one.iter().filter(judged).filter_map(apart)
        }));
        Self {
            rms: (errors.iter().map(|ms| ms * ms).sum::<f64>() / errors.len() as f64).sqrt(),
            p50: quantile(&errors, 0.5),
            p95: quantile(&errors, 0.95),
            p99: quantile(&errors, 0.99),
            max: quantile(&errors, 1.0),
            pair_p95: quantile(&pairs, 0.95),
            bound: Bound::of(model, column),
        }
    }
}

impl Bound {
    /// From the first second on, not only from when on errors are judged.
    fn of(model: &Model, column: &Column) -> Option<Self> {
        let looks: Vec<(&Look, f64)> =
            column.cars.iter().flatten().flatten().filter_map(|look| Some((look, look.bound_us?))).collect();
        let held = looks.iter().filter(|(look, bound_us)| look.error_us.abs() <= *bound_us).count();
        let judged = looks.iter().filter(|(look, _)| look.seconds >= model.judged_s);
        let p50 = quantile(&sorted(judged.map(|(_, bound_us)| bound_us / 1e3)), 0.5);
        (!looks.is_empty()).then(|| Self {
            held_share: held as f64 / looks.len() as f64,
            p50,
            judged: looks.len(),
            held,
        })
    }
}

fn short(ms: f64) -> String {
    match ms {
        _ if ms < 0.0995 => format!("{ms:.3}"),
        _ if ms < 9.95 => format!("{ms:.2}"),
        _ => format!("{ms:.1}"),
    }
}

/// The middle and the worst but for one in twenty.
pub(crate) fn spread(values: impl Iterator<Item = f64>) -> String {
    let values = sorted(values);
    format!("{}/{}", short(quantile(&values, 0.5)), short(quantile(&values, 0.95)))
}

/// One table for each thing measured: a line for each estimator, a column for each model.
pub(crate) fn print(models: &[&Model], rows: &[Row]) {
    let figures: [(&str, Figure); 4] = [
        ("|error| in ms, p50/p95", |c| format!("{}/{}", short(c.p50), short(c.p95))),
        ("|error| in ms, p99/max", |c| format!("{}/{}", short(c.p99), short(c.max))),
        ("|error| in ms, rms", |c| short(c.rms)),
        ("two cars apart, in ms, p95", |c| short(c.pair_p95)),
    ];
    for (title, figure) in figures {
        table(title, models, rows, |cell| Some(figure(cell)));
    }
    let stated: Vec<Row> = rows.iter().filter(|(_, row)| row.iter().any(|c| c.bound.is_some())).cloned().collect();
    table("the bound held, in %", models, &stated, |c| c.bound.map(|b| format!("{:.2}", b.held_share * 100.0)));
    table("the bound's median and the error's, in ms", models, &stated, |c| {
        c.bound.map(|bound| format!("{}/{}", short(bound.p50), short(c.p50)))
    });
}

fn table(title: &str, models: &[&Model], rows: &[Row], figure: impl Fn(&Cell) -> Option<String>) {
    let names: Vec<&str> = models.iter().map(|model| model.name).collect();
    println!("\n| {title} | {} |\n|---{}|", names.join(" | "), "|---".repeat(names.len()));
    for (name, row) in rows {
        let cells: Vec<String> = row.iter().map(|cell| figure(cell).unwrap_or_default()).collect();
        println!("| {name} | {} |", cells.join(" | "));
    }
}

/// All figures, with how often the bounds of the last row held over all models.
pub(crate) fn json(models: &[&Model], rows: &[Row]) -> Value {
    let row = |(name, row): &Row| {
        let cell = |(model, c): (&&Model, &Cell)| {
            let Cell { rms, p50, p95, p99, max, pair_p95, bound } = c;
            let bound = bound.map(|b| json!({ "held_share": b.held_share, "p50": b.p50 }));
            let figures = json!({ "rms": rms, "p50": p50, "p95": p95, "p99": p99, "max": max, "pair_p95": pair_p95,
                "bound": bound });
            (model.name.to_owned(), figures)
        };
        (name.to_string(), Value::Object(models.iter().zip(row).map(cell).collect()))
    };
    let bounds = rows.last().map(|(_, row)| row.iter().filter_map(|c| c.bound));
    let (held, judged) = bounds.map_or((0, 0), |all| all.fold((0, 0), |sum, b| (sum.0 + b.held, sum.1 + b.judged)));
    let estimators: serde_json::Map<String, Value> = rows.iter().map(row).collect();
    json!({ "error_ms": estimators, "bound_held_share": held as f64 / f64::from(judged.max(1) as u32) })
}
