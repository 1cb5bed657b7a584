//! What a virtual card has recorded: samples, and the true instant of each.

use std::fs;
use std::path::Path;

/// An unbroken run of a card.
pub struct Run {
    pub start_ns: i64,
    pub rate_hz: f64,
    /// The left channel.
    pub left: Vec<f64>,
    /// `stop`, `xrun`, or empty while it is still running.
    pub end: String,
}

impl Run {
    /// When a sample was heard, in microseconds of the monotonic clock.
    pub fn at_us(&self, index: f64) -> f64 {
        self.start_ns as f64 / 1e3 + index * 1e6 / self.rate_hz
    }

    /// The left channel at an instant, by its neighbours; none outside of the run.
    pub fn value_at(&self, us: f64) -> Option<f64> {
        let index = (us - self.start_ns as f64 / 1e3) * self.rate_hz / 1e6;
        let whole = index.floor();
        let (a, b) = (self.left.get(whole as usize)?, self.left.get(whole as usize + 1)?);
        (index >= 0.0).then_some(a + (b - a) * (index - whole))
    }
}

/// Reads `<path>.<k>.raw` and `.seg`.
pub fn runs(path: &Path, k: u32) -> Vec<Run> {
    let named = |extension: &str| format!("{}.{k}.{extension}", path.display());
    let raw = fs::read(named("raw")).unwrap();
    let left = |from: usize, to: usize| -> Vec<f64> {
        raw.chunks_exact(4)
            .take(to)
            .skip(from)
            .map(|f| f64::from(i16::from_le_bytes([f[0], f[1]])) / 32_767.0)
            .collect()
    };
    let events = fs::read_to_string(named("seg")).unwrap();
    let mut runs: Vec<Run> = Vec::new();
    let mut first = 0;
    for line in events.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["F", format, channels, rate, ..] => assert_eq!((*format, *channels, *rate), ("S16_LE", "2", "48000")),
            ["S", ns, frame, rate_hz] => {
                first = frame.parse().unwrap();
                let (start_ns, rate_hz) = (ns.parse().unwrap(), rate_hz.parse().unwrap());
                runs.push(Run { start_ns, rate_hz, left: left(first, usize::MAX), end: String::new() });
            }
            ["E", _, frame, why] => {
                let run = runs.last_mut().unwrap();
                run.left = left(first, frame.parse().unwrap());
                run.end = (*why).into();
            }
            other => panic!("a line that nobody knows: {other:?}"),
        }
    }
    runs
}
