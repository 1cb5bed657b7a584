//! What a virtual card played, and when: raw samples, and beside them the exact instant of each.
//!
//! `<path>.<k>.raw` holds signed 16-bit little-endian stereo. `<path>.<k>.seg` has one line for each event:
//! `F <format> <channels> <rate> buf=<frames> per=<frames>`, then `S <ns> <first frame> <true rate>` and
//! `E <ns> <end frame> <why>`: frame `first + i` was heard at `ns + i / rate`, by the monotonic clock.

use super::soft_card::{Pcm, Sink};
use crate::core::clock::MonoTime;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// More recordings of one name than this are a mistake.
const RECORDINGS_MAX: u32 = 10_000;

pub(super) struct Recording {
    raw: BufWriter<File>,
    events: File,
}

impl Recording {
    /// Opens the next pair of files that does not exist yet.
    pub(super) fn create(path: &Path, rate_hz: u32, buffer: usize, period: usize) -> io::Result<Self> {
        for k in 0..RECORDINGS_MAX {
            let mut events = match File::create_new(numbered(path, k, "seg")) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                result => result?,
            };
            writeln!(events, "F S16_LE 2 {rate_hz} buf={buffer} per={period}")?;
            let raw = BufWriter::with_capacity(1 << 16, File::create(numbered(path, k, "raw"))?);
            return Ok(Self { raw, events });
        }
        Err(io::Error::new(io::ErrorKind::AlreadyExists, "there are too many recordings of this name"))
    }
}

fn numbered(path: &Path, k: u32, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{k}.{extension}"));
    name.into()
}

impl Sink for Recording {
    fn start(&mut self, at: MonoTime, first: u64, rate_hz: f64) -> io::Result<()> {
        writeln!(self.events, "S {} {first} {rate_hz:.9}", at.0.saturating_mul(1_000))
    }

    fn write(&mut self, frames: &[Pcm]) -> io::Result<()> {
        for frame in frames {
            let [[l0, l1], [r0, r1]] = frame.map(i16::to_le_bytes);
            self.raw.write_all(&[l0, l1, r0, r1])?;
        }
        Ok(())
    }

    fn stop(&mut self, at: MonoTime, end: u64, why: &str) -> io::Result<()> {
        self.raw.flush()?;
        writeln!(self.events, "E {} {end} {why}", at.0.saturating_mul(1_000))
    }
}
