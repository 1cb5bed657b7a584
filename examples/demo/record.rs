//! What a virtual card played: every frame, and the true time at which each was heard.
//!
//! The card leaves `NAME.raw` (frames of two signed 16-bit samples) and `NAME.seg` beside it, a line for each event:
//! `F <format> <channels> <rate> ...`, `S <start in monotonic ns> <first frame> <true rate>`,
//! `E <ns> <end frame> <why>`. Frame `first + i` was heard at `start + i / rate`.

use super::span::Span;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;

/// From a start of the card to its stop: frames at an even pace.
pub struct Stretch {
    pub starts_s: f64,
    /// True frames per second, the card's rate error included.
    pub rate_hz: f64,
    pub frames: Vec<[i16; 2]>,
}

/// All that one card played, in order.
#[derive(Default)]
pub struct Record {
    pub stretches: Vec<Stretch>,
}

impl Stretch {
    pub fn span(&self) -> Span {
        Span { from_s: self.starts_s, to_s: self.time_of(self.frames.len()) }
    }

    pub fn time_of(&self, frame: usize) -> f64 {
        self.starts_s + frame as f64 / self.rate_hz
    }

    /// `count` frames as one channel, beginning with the one nearest to `time_s`, and the true time of the first.
    pub fn window(&self, time_s: f64, count: usize) -> Option<(f64, Vec<f64>)> {
        let first = ((time_s - self.starts_s) * self.rate_hz).round();
        if first < 0.0 {
            return None;
        }
        let first = first as usize;
        let frames = self.frames.get(first..first.checked_add(count)?)?;
        Some((self.time_of(first), frames.iter().map(|[l, r]| f64::from(*l) + f64::from(*r)).collect()))
    }
}

impl Record {
    /// Reads all records that a card left in `dir`; what it had not yet played by `until_s` is left out.
    ///
    /// # Errors
    /// When a record cannot be read, or is not one.
    pub fn read(dir: &Path, until_s: f64) -> Result<Self> {
        let mut record = Self::default();
        for entry in fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "seg") {
                let marks = fs::read_to_string(&path)?;
                let raw = fs::read(path.with_extension("raw"))?;
                record.take(&marks, &raw).with_context(|| format!("in {}", path.display()))?;
            }
        }
        record.stretches.sort_by(|a, b| a.starts_s.total_cmp(&b.starts_s));
        for stretch in &mut record.stretches {
            let played = ((until_s - stretch.starts_s) * stretch.rate_hz).max(0.0) as usize;
            stretch.frames.truncate(played);
        }
        Ok(record)
    }

    fn take(&mut self, marks: &str, raw: &[u8]) -> Result<()> {
        let (quads, _) = raw.as_chunks::<4>();
        let frame = |&[a, b, c, d]: &[u8; 4]| [i16::from_le_bytes([a, b]), i16::from_le_bytes([c, d])];
        let frames: Vec<[i16; 2]> = quads.iter().map(frame).collect();
        let cut = |from: usize, to: usize| frames.get(from..to.min(frames.len())).unwrap_or_default().to_vec();
        let mut open: Option<(usize, Stretch)> = None;
        for line in marks.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["F", format, channels, ..] => {
                    ensure!((*format, *channels) == ("S16_LE", "2"), "{format} {channels} is not 16-bit stereo");
                }
                ["S", start_ns, first, rate_hz] => {
                    let starts_s = start_ns.parse::<i64>()? as f64 * 1e-9;
                    open = Some((first.parse()?, Stretch { starts_s, rate_hz: rate_hz.parse()?, frames: Vec::new() }));
                }
                ["E", _, end, ..] => {
                    let (first, stretch) = open.take().context("an end without a start")?;
                    self.stretches.push(Stretch { frames: cut(first, end.parse()?), ..stretch });
                }
                _ => anyhow::bail!("`{line}` is no line of a record"),
            }
        }
        if let Some((first, stretch)) = open {
            self.stretches.push(Stretch { frames: cut(first, frames.len()), ..stretch });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_given_the_time_at_which_they_were_heard() {
        let dir = tempfile::tempdir().unwrap();
        let marks =
            "F S16_LE 2 48000 buf=4800 per=480\nS 2000000000 0 50000.0\nE 2000060000 3 xrun\nS 5000000000 3 48000.0\n";
        let raw: Vec<u8> = (0..6_i16).flat_map(|n| [n, -n]).flat_map(i16::to_le_bytes).collect();
        fs::write(dir.path().join("car.0.seg"), marks).unwrap();
        fs::write(dir.path().join("car.0.raw"), raw).unwrap();
        let record = Record::read(dir.path(), 5.0 + 2.0 / 48_000.0 + 1e-9).unwrap();
        let [first, second] = record.stretches.as_slice() else { panic!("two stretches") };
        assert_eq!(first.frames, [[0, 0], [1, -1], [2, -2]]);
        assert_eq!(second.frames, [[3, -3], [4, -4]], "the last frame was not heard yet");
        assert!((first.span().to_s - 2.000_06).abs() < 1e-9);
        assert!((second.starts_s - 5.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_no_record_is_said_so() {
        let mut record = Record::default();
        assert!(record.take("F FLOAT_LE 2 48000\n", &[]).is_err());
        assert!(record.take("E 1 2 stop\n", &[]).is_err());
        assert!(record.take("something else\n", &[]).is_err());
    }
}
