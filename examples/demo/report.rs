//! The verdict on a run, from what was heard and from what every car says that it applied.

use super::cost::Cost;
use super::failover::Failover;
use super::measure::{Comparison, silences};
use super::record::Record;
use super::span::Span;
use anyhow::Result;
use serde::Serialize;

const OFFSET_P99_MS_MAX: f64 = 20.0;
/// The user's bound.
const FAILOVER_MS_MAX: f64 = 2_000.0;
/// Where cars have to find each other anew, or the server.
const REUNION_MS_MAX: f64 = 10_000.0;

/// What is to be judged.
pub struct Run {
    pub cars: usize,
    /// Of each virtual card.
    pub records: Vec<Record>,
    /// From the moment when all cars had to be heard to the last one measured.
    pub music: Span,
    /// When the music was commanded to stand, by ascending time.
    pub pauses: Vec<Span>,
    /// For each record, when its car was off.
    pub absences: Vec<Vec<Span>>,
    /// When some cars had not heard of a control, as nothing reached them.
    pub partings: Vec<Span>,
    /// When the machine itself stood still.
    pub stood: Vec<Span>,
    pub failovers: Vec<Failover>,
    /// Whether the music itself has silent places, so that only a silence that not all cars share is a fault.
    pub music_has_silence: bool,
    pub controls_sent: usize,
    pub controls_applied: usize,
    pub controls_lost: usize,
    pub controls_ms: Vec<f64>,
    pub costs: Vec<Cost>,
}

#[derive(Debug, Serialize)]
pub struct Report {
    pub cars: usize,
    pub offset_ms: Offsets,
    pub silence_ms: f64,
    pub silences: Vec<Silence>,
    /// For how long the machine itself stood still, at the most: no program can play through that.
    pub host_stood_ms: f64,
    pub controls_sent: usize,
    pub controls_applied: usize,
    pub controls_lost: usize,
    /// From each control to the moment when it was applied in every car that was on.
    pub controls_ms: Vec<f64>,
    pub failovers: Vec<Failover>,
    pub music_s: f64,
    pub costs: Vec<Cost>,
    pub ok: bool,
}

/// Magnitudes, over every pair of cars and all the time.
#[derive(Debug, Serialize)]
pub struct Offsets {
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
}

/// Where music should have been.
#[derive(Debug, Serialize)]
pub struct Silence {
    /// Counted from one, of the cars that are judged.
    pub car: usize,
    /// After the first moment that is judged.
    pub at_s: f64,
    pub ms: f64,
}

impl Run {
    /// # Errors
    /// When the records cannot be compared.
    pub fn judge(&self) -> Result<Report> {
        let comparison = Comparison::new();
        let mut offsets_ms = Vec::new();
        for (at, a) in self.records.iter().enumerate() {
            for (other, b) in self.records.iter().enumerate().skip(at + 1) {
                let both_on = self.music.without(self.off(at));
                let both_on = both_on.iter().flat_map(|span| span.without(self.off(other)));
                for span in both_on.flat_map(|span| span.without(&self.partings)) {
                    let offsets_s = comparison.offsets_s(a, b, span)?;
                    offsets_ms.extend(offsets_s.iter().map(|offset_s| offset_s.abs() * 1e3));
                }
            }
        }
        offsets_ms.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let place = ((offsets_ms.len() as f64 * share).ceil() as usize).max(1) - 1;
            offsets_ms.get(place).map_or(f64::NAN, |offset| round(*offset))
        };
        let offset_ms = Offsets { p50: at(0.5), p99: at(0.99), max: at(1.0) };
        let silences = self.unwanted_silences();
        let silence_ms = round(silences.iter().fold(0.0, |ms, silence| ms + silence.ms));
        let stood = self.stood.iter().filter_map(|span| span.overlap(self.music));
        let stood_s = stood.map(Span::length_s).fold(0.0, f64::max);
        let ok = offset_ms.p99 <= OFFSET_P99_MS_MAX
            && silence_ms == 0.0
            && self.controls_sent > 0
            && self.controls_applied == self.controls_sent
            && self.controls_lost == 0
            && self.failovers.iter().all(|failover| failover.ms <= failover_ms_max(failover));
        Ok(Report {
            cars: self.cars,
            offset_ms,
            silence_ms,
            silences,
            host_stood_ms: round(stood_s * 1e3),
            controls_sent: self.controls_sent,
            controls_applied: self.controls_applied,
            controls_lost: self.controls_lost,
            controls_ms: self.controls_ms.clone(),
            failovers: self.failovers.clone(),
            music_s: round(self.music.length_s()),
            costs: self.costs.clone(),
            ok,
        })
    }

    /// When a car was off.
    fn off(&self, car: usize) -> &[Span] {
        self.absences.get(car).map_or(&[], Vec::as_slice)
    }

    /// Of all cars.
    fn unwanted_silences(&self) -> Vec<Silence> {
        let silent: Vec<Vec<Span>> = self.records.iter().map(|record| silences(record, self.music)).collect();
        let mut unwanted = Vec::new();
        for (car, runs) in silent.iter().enumerate() {
            let unasked = runs.iter().flat_map(|run| run.without(&self.pauses));
            let unasked = unasked.flat_map(|run| run.without(self.off(car)));
            for run in unasked {
                let others = silent.iter().enumerate().filter(|(other, _)| *other != car);
                let mut left = vec![run];
                if self.music_has_silence {
                    let shared = |part: &Span, theirs: &[Span]| {
                        part.without(&theirs.iter().filter_map(|s| s.overlap(*part)).collect::<Vec<_>>())
                    };
                    left = others.flat_map(|(_, theirs)| shared(&run, theirs)).collect();
                    left = super::span::join(left, 0.0);
                }
                let long = left.iter().filter(|part| part.length_s() > 0.005);
                unwanted.extend(long.map(|part| Silence {
                    car: car + 1,
                    at_s: round(part.from_s - self.music.from_s),
                    ms: round(part.length_s() * 1e3),
                }));
            }
        }
        unwanted
    }
}

fn failover_ms_max(failover: &Failover) -> f64 {
    if failover.is_reunion() { REUNION_MS_MAX } else { FAILOVER_MS_MAX }
}

/// To the microsecond.
fn round(ms: f64) -> f64 {
    (ms * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Stretch;

    fn run(silent: &[(usize, usize)]) -> Run {
        let mut state = 1_u32;
        let mut noise = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            (state >> 16) as i16 | 1
        };
        let frames: Vec<[i16; 2]> = (0..96_000).map(|_| [noise(); 2]).collect();
        let stretch = || Stretch { starts_s: 50.0, rate_hz: 48_000.0, frames: frames.clone() };
        let mut records: Vec<Record> = (0..3).map(|_| Record { stretches: vec![stretch()] }).collect();
        for (car, at) in silent {
            records[*car].stretches[0].frames[*at..*at + 4_800].fill([0, 0]);
        }
        Run {
            cars: 3,
            records,
            music: Span { from_s: 50.1, to_s: 51.9 },
            pauses: Vec::new(),
            absences: Vec::new(),
            partings: Vec::new(),
            stood: vec![Span { from_s: 49.0, to_s: 49.5 }, Span { from_s: 51.0, to_s: 51.03 }],
            failovers: Vec::new(),
            music_has_silence: false,
            controls_sent: 4,
            controls_applied: 4,
            controls_lost: 0,
            controls_ms: vec![4.2],
            costs: Vec::new(),
        }
    }

    #[test]
    fn a_run_in_step_is_ok_and_is_told_in_one_line() {
        let report = run(&[]).judge().unwrap();
        let line = serde_json::to_string(&report).unwrap();
        let expected = concat!(
            r#"{"cars":3,"offset_ms":{"p50":0.0,"p99":0.0,"max":0.0},"silence_ms":0.0,"silences":[],"#,
            r#""host_stood_ms":30.0,"#,
            r#""controls_sent":4,"controls_applied":4,"controls_lost":0,"controls_ms":[4.2],"failovers":[],"#,
            r#""music_s":1.8,"costs":[],"ok":true}"#
        );
        assert_eq!(line, expected);
    }

    #[test]
    fn one_silent_car_a_late_one_and_a_lost_control_are_each_not_ok() {
        let report = run(&[(1, 48_000)]).judge().unwrap();
        assert!(!report.ok && (report.silence_ms - 100.0).abs() < 0.1, "{report:?}");
        let mut late = run(&[]);
        late.records[2].stretches[0].starts_s += 0.025;
        let report = late.judge().unwrap();
        assert!(!report.ok && (report.offset_ms.max - 25.0).abs() < 0.1, "{report:?}");
        assert!(!Run { controls_applied: 3, ..run(&[]) }.judge().unwrap().ok);
        let nothing = Run { records: Vec::new(), ..run(&[]) }.judge().unwrap();
        assert!(!nothing.ok, "nothing heard is not ok: {nothing:?}");
    }

    #[test]
    fn a_slow_failover_is_not_ok_and_a_car_without_power_may_be_silent() {
        let from =
            |from: &str, ms| vec![Failover { by: "cut-internet".into(), from: from.into(), to: "webrtc".into(), ms }];
        let failover = |ms| from("socket", ms);
        assert!(Run { failovers: from("offline", 2_400.0), ..run(&[]) }.judge().unwrap().ok);
        assert!(!Run { failovers: from("offline", f64::INFINITY), ..run(&[]) }.judge().unwrap().ok);
        assert!(Run { failovers: failover(310.0), ..run(&[]) }.judge().unwrap().ok);
        assert!(!Run { failovers: failover(2_400.0), ..run(&[]) }.judge().unwrap().ok);
        let off = vec![vec![], vec![Span { from_s: 50.9, to_s: 51.2 }]];
        assert!(Run { absences: off, ..run(&[(1, 48_000)]) }.judge().unwrap().ok);
    }

    #[test]
    fn cars_that_could_not_hear_of_a_control_may_be_apart_until_they_can() {
        let mut apart = run(&[]);
        apart.records[2].stretches[0].frames.rotate_right(4_800);
        assert!(!apart.judge().unwrap().ok);
        apart.partings = vec![Span { from_s: 50.0, to_s: 52.0 }];
        assert!(!apart.judge().unwrap().ok, "nothing is left to be compared");
        let mut meeting = run(&[]);
        meeting.records[2].stretches[0].frames[..24_000].rotate_right(4_800);
        meeting.partings = vec![Span { from_s: 50.0, to_s: 50.9 }];
        assert!(meeting.judge().unwrap().ok);
    }

    #[test]
    fn a_commanded_pause_and_a_rest_that_is_in_the_music_are_no_fault() {
        let all = [(0, 48_000), (1, 48_000), (2, 48_000)];
        assert!(!run(&all).judge().unwrap().ok);
        let pauses = vec![Span { from_s: 50.95, to_s: 51.15 }];
        assert!(Run { pauses, ..run(&all) }.judge().unwrap().ok);
        assert!(Run { music_has_silence: true, ..run(&all) }.judge().unwrap().ok);
        assert!(!Run { music_has_silence: true, ..run(&all[..1]) }.judge().unwrap().ok);
    }
}
