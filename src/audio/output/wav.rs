//! A WAV file of what would be heard; its header is true at any time, so that it can be played even after a power cut.

use super::soft_card::{Pcm, Sink};
use crate::core::clock::MonoTime;
use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

/// Bytes of the header.
const HEADER_BYTES: u32 = 44;
const FRAME_BYTES: u32 = 4;

pub(super) struct WavFile {
    file: BufWriter<File>,
    rate_hz: u32,
    data_bytes: u32,
    /// Bytes since the header was last made true.
    unsettled: u32,
}

impl WavFile {
    pub(super) fn create(path: &Path, rate_hz: u32) -> io::Result<Self> {
        let mut wav = Self { file: BufWriter::new(File::create(path)?), rate_hz, data_bytes: 0, unsettled: 0 };
        wav.settle()?;
        Ok(wav)
    }

    /// Writes the header anew, and goes on at the end.
    fn settle(&mut self) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(b"RIFF")?;
        self.file.write_all(&(self.data_bytes + HEADER_BYTES - 8).to_le_bytes())?;
        self.file.write_all(b"WAVEfmt ")?;
        self.file.write_all(&16_u32.to_le_bytes())?;
        for half in [1_u16, 2] {
            self.file.write_all(&half.to_le_bytes())?;
        }
        for word in [self.rate_hz, self.rate_hz * FRAME_BYTES] {
            self.file.write_all(&word.to_le_bytes())?;
        }
        for half in [FRAME_BYTES as u16, 16] {
            self.file.write_all(&half.to_le_bytes())?;
        }
        self.file.write_all(b"data")?;
        self.file.write_all(&self.data_bytes.to_le_bytes())?;
        self.file.seek(SeekFrom::Start(u64::from(HEADER_BYTES) + u64::from(self.data_bytes)))?;
        self.file.flush()?;
        self.unsettled = 0;
        Ok(())
    }
}

impl Sink for WavFile {
    fn start(&mut self, _at: MonoTime, _first: u64, _rate_hz: f64) -> io::Result<()> {
        Ok(())
    }

    fn write(&mut self, frames: &[Pcm]) -> io::Result<()> {
        let bytes = frames.len() as u32 * FRAME_BYTES;
        let full = io::Error::new(io::ErrorKind::FileTooLarge, "a WAV file holds at most 4 GiB");
        let total = self.data_bytes.checked_add(bytes).filter(|total| *total < u32::MAX - HEADER_BYTES).ok_or(full)?;
        for [left, right] in frames {
            self.file.write_all(&left.to_le_bytes())?;
            self.file.write_all(&right.to_le_bytes())?;
        }
        self.data_bytes = total;
        self.unsettled += bytes;
        // Once a second.
        if self.unsettled >= self.rate_hz * FRAME_BYTES { self.settle() } else { Ok(()) }
    }

    fn stop(&mut self, _at: MonoTime, _end: u64, _why: &str) -> io::Result<()> {
        self.settle()
    }
}
