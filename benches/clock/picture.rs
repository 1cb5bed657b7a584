//! Pictures: the error over time of some estimators on one model, as SVG.

use crate::links::Model;
use crate::run::Look;
use std::fmt::Write as _;

/// A line of a picture.
pub(crate) struct Trace<'a> {
    pub(crate) name: &'a str,
    pub(crate) looks: &'a [Look],
    pub(crate) colour: &'static str,
}

pub(crate) const COLOURS: [&str; 5] = ["#9aa0a6", "#e8a33d", "#5b8def", "#8e63ce", "#d1335b"];

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 64.0;
const TOP: f64 = 36.0;
const BOTTOM: f64 = 28.0;
/// Errors are drawn by their logarithm, from a microsecond up to 100 ms.
const LEAST_MS: f64 = 1e-3;
const DECADES: f64 = 5.0;

fn x(seconds: f64, model: &Model) -> f64 {
    LEFT + seconds / model.seconds * (WIDTH - LEFT - 8.0)
}

fn y(ms: f64) -> f64 {
    let up = ((ms / LEAST_MS).log10() / DECADES).clamp(0.0, 1.0);
    HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)
}

/// One car's drive over `model`: |error| of each trace, by the logarithm.
pub(crate) fn svg(model: &Model, traces: &[Trace]) -> Result<String, std::fmt::Error> {
    let mut svg = String::new();
    writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"11\">\n<title>Error of convoy time: {}</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>",
        model.name
    )?;
    for decade in 0..=DECADES as i32 {
        let ms = LEAST_MS * 10_f64.powi(decade);
        let at = y(ms);
        writeln!(svg, "<path d=\"M{LEFT} {at:.1}H{}\" stroke=\"#ddd\"/>", WIDTH - 8.0)?;
        writeln!(svg, "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{ms} ms</text>", LEFT - 6.0, at + 4.0)?;
    }
    for part in 0..=6 {
        let seconds = model.seconds / 6.0 * f64::from(part);
        let anchor = if part == 6 { "end" } else { "middle" };
        let (at, below) = (x(seconds, model), HEIGHT - 8.0);
        writeln!(svg, "<text x=\"{at:.0}\" y=\"{below}\" text-anchor=\"{anchor}\">{seconds:.0} s</text>")?;
    }
    writeln!(svg, "<text x=\"8\" y=\"16\" font-weight=\"bold\">{}</text>", model.name)?;
    for (n, Trace { name, looks, colour }) in traces.iter().enumerate() {
        let step = looks.len().div_ceil(450).max(1);
        let mut path = String::new();
        for look in looks.iter().step_by(step) {
            let joint = if path.is_empty() { 'M' } else { 'L' };
            write!(path, "{joint}{:.0} {:.1}", x(look.seconds, model), y(look.error_us.abs() / 1e3))?;
        }
        writeln!(svg, "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.2\"/>")?;
        let at = 150 + 150 * n;
        writeln!(svg, "<text x=\"{at}\" y=\"16\" fill=\"{colour}\">{name}</text>")?;
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}
