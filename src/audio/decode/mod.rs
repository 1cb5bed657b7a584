//! Files to frames: every format in its own rate, counted from the first frame of music, exact to the sample.
//!
//! Demuxers and decoders are told not to trim; what the encoder added is cut off here, by position, in one way for all.

mod downmix;
mod feed;
mod mp4_edit;
mod source;
pub mod under_way;

pub use feed::{Fed, Feed, InlineLibrary, Library, ThreadLibrary};
pub use source::Control;

use super::Frame;
use crate::core::clock::Monotonic;
use crate::core::io::Source;
use downmix::Downmix;
use source::TrackFile;
use std::io;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::Ordering;
use symphonia::core::codecs::audio::well_known::{CODEC_ID_OPUS, CODEC_ID_VORBIS};
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::codecs::registry::CodecRegistry;
use symphonia::core::common::Limit;
use symphonia::core::errors::{Error as SymphoniaError, SeekErrorKind};
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, SeekMode, SeekTo, Track, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;
use symphonia::core::packet::Packet;
use symphonia::core::units::{Duration, TimeBase, Timestamp};

/// Decoders need a run-up after a seek: MP3 its bit reservoir, AAC and Vorbis an overlap, Opus 80 ms of convergence.
const RUN_UP_MS: u64 = 250;
/// So many packets in a row that give no sound end a track.
const MUTE_PACKETS_MAX: u32 = 2_000;
/// A picture in a music file is not for the ears.
const PICTURE_BYTES_MAX: usize = 64 << 10;
const RATE_HZ: std::ops::RangeInclusive<u32> = 4_000..=384_000;

/// Why a file cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    #[error("the file cannot be read: {0}")]
    Read(#[from] io::Error),
    #[error("this is no music file of a known format: {0}")]
    Format(String),
    #[error("the file is damaged: {0}")]
    Damaged(String),
}

impl From<SymphoniaError> for DecodeError {
    fn from(error: SymphoniaError) -> Self {
        match error {
            SymphoniaError::IoError(error) => Self::Read(error),
            SymphoniaError::Unsupported(what) => Self::Format(what.into()),
            other => Self::Damaged(other.to_string()),
        }
    }
}

/// A file being decoded.
pub struct Decoder {
    format: Box<dyn FormatReader>,
    codec: Box<dyn AudioDecoder>,
    track: u32,
    rate_hz: u32,
    time_base: TimeBase,
    /// Decoded frames before the music, as far as the demuxer has not subtracted them.
    lead_frames: i64,
    /// Where the music ends, when the container says so; decoded frames beyond are padding.
    end_frame: Option<i64>,
    /// Whether a packet's own end trim can be believed.
    trims_end: bool,
    downmix: Option<Downmix>,
    interleaved: Vec<f32>,
    /// Frames before this one are not wanted.
    from_frame: i64,
    /// Nothing has been read from the file yet.
    fresh: bool,
}

impl Decoder {
    /// Opens and probes a file.
    ///
    /// # Errors
    /// [`DecodeError`] when it cannot be read or is of no known format.
    pub fn open(source: &Source, control: &Arc<Control>, clock: &Arc<dyn Monotonic>) -> Result<Self, DecodeError> {
        if source.growing.is_none() {
            control.complete.store(true, Ordering::Release);
        }
        let bytes_total = source.growing.and_then(|growing| growing.bytes_total);
        let file = || TrackFile::open(&source.path, bytes_total, Arc::clone(control), Arc::clone(clock));
        let stream = MediaSourceStream::new(Box::new(file()?), MediaSourceStreamOptions::default());
        let format = probe(&source.path, stream)?;
        let track = format
            .default_track(TrackType::Audio)
            .ok_or_else(|| DecodeError::Format("it has no sound track".into()))?
            .clone();
        let is_mp4 = format.format_info().short_name == "isomp4";
        let edit = if is_mp4 {
            let length = std::fs::metadata(&source.path)?.len();
            mp4_edit::read(&mut file()?, bytes_total.unwrap_or(length)).ok().flatten()
        } else {
            None
        };
        control.opened.store(true, Ordering::Release);
        Self::new(format, &track, edit)
    }

    fn new(format: Box<dyn FormatReader>, track: &Track, edit: Option<mp4_edit::Edit>) -> Result<Self, DecodeError> {
        let unknown = |what: &str| DecodeError::Format(what.into());
        let mut params = track
            .codec_params
            .as_ref()
            .and_then(|params| params.audio())
            .ok_or_else(|| unknown("its sound is in no known coding"))?
            .clone();
        let rate_hz = params
            .sample_rate
            .filter(|rate| RATE_HZ.contains(rate))
            .ok_or_else(|| unknown("its sample rate is out of bounds"))?;
        if params.channels.as_ref().is_some_and(|c| c.count() == 0 || c.count() > 32) {
            return Err(unknown("it has too many channels"));
        }
        let coding = params.codec;
        if coding == CODEC_ID_OPUS {
            // The adapter would trim the pre-skip by itself, once more.
            params.extra_data = None;
        }
        // Vorbis' first block has no sound of its own, which only its decoder knows.
        let options = AudioDecoderOptions::default().gapless(coding == CODEC_ID_VORBIS);
        let codec = codecs().make_audio_decoder(&params, &options)?;
        let time_base = track
            .time_base
            .or_else(|| TimeBase::try_from_recip(rate_hz))
            .ok_or_else(|| unknown("its time base is nought"))?;
        let in_frames =
            |ticks: u64, timescale: u32| (ticks as f64 * f64::from(rate_hz) / f64::from(timescale)).round() as i64;
        let delay = match edit {
            Some(edit) => in_frames(edit.media_time, edit.track_timescale),
            // Opus counts its pre-skip in its time stamps.
            None if coding == CODEC_ID_OPUS => i64::from(track.delay.unwrap_or(0)),
            None => 0,
        };
        // A recording of a running stream does not begin at nought.
        let lead_frames = delay + position(track.start_ts.get(), time_base, rate_hz).max(0);
        let end_frame = edit.map(|edit| {
            let end = in_frames(edit.duration, edit.movie_timescale);
            let decoded = track.duration.map_or(end, |d| position(d.get() as i64, time_base, rate_hz) - lead_frames);
            // Movies often count in milliseconds, which is too coarse to cut by.
            if (end - decoded).abs() <= in_frames(1, edit.movie_timescale) { decoded } else { end }
        });
        let end_frame = end_frame.filter(|end| *end > 0);
        Ok(Self {
            format,
            codec,
            track: track.id,
            rate_hz,
            time_base,
            lead_frames,
            end_frame,
            trims_end: track.padding.is_some() || [CODEC_ID_OPUS, CODEC_ID_VORBIS].contains(&coding),
            downmix: None,
            interleaved: Vec::new(),
            from_frame: 0,
            fresh: true,
        })
    }

    /// Frames per second of the music.
    pub fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    /// The next frame given out will be `frame`, exactly; beyond the end there is none.
    ///
    /// # Errors
    /// [`DecodeError`] when the file cannot be read there.
    pub fn seek(&mut self, frame: u64) -> Result<(), DecodeError> {
        let frame = frame as i64;
        let run_up = (u64::from(self.rate_hz) * RUN_UP_MS / 1_000) as i64;
        let needed = frame - run_up;
        let ahead = !self.fresh || needed > run_up;
        self.from_frame = frame;
        if !ahead || needed <= 0 {
            return Ok(());
        }
        let to = SeekTo::Timestamp { ts: self.timestamp(needed), track_id: self.track };
        match self.format.seek(SeekMode::Accurate, to) {
            Ok(_) => self.codec.reset(),
            // Past the end: what is left to decode ends before the wanted frame, so nothing will come.
            Err(SymphoniaError::SeekError(SeekErrorKind::OutOfRange)) => self.from_frame = i64::MAX,
            Err(SymphoniaError::SeekError(_)) if self.fresh => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Appends the next decoded frames to `frames` and gives the position of the first of them; none at the end.
    ///
    /// # Errors
    /// [`DecodeError`] when nothing more can be had from the file.
    pub fn next(&mut self, frames: &mut Vec<Frame>) -> Result<Option<u64>, DecodeError> {
        if self.from_frame == i64::MAX {
            return Ok(None);
        }
        self.fresh = false;
        for _ in 0..MUTE_PACKETS_MAX {
            let mut packet = match self.format.next_packet() {
                Ok(Some(packet)) => packet,
                // After `ResetRequired` a new chain of an Ogg stream would follow, which is another track.
                Ok(None) | Err(SymphoniaError::ResetRequired) => return Ok(None),
                Err(SymphoniaError::IoError(e)) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
                Err(SymphoniaError::DecodeError(_)) => continue,
                Err(error) => return Err(error.into()),
            };
            if packet.track_id != self.track {
                continue;
            }
            if let Some(first) = self.decode(&mut packet, frames)? {
                return Ok(Some(first));
            }
            if self.end_frame.is_some_and(|end| self.position(packet.pts) >= end) {
                return Ok(None);
            }
        }
        Err(DecodeError::Damaged("it goes on without any sound".into()))
    }

    fn decode(&mut self, packet: &mut Packet, frames: &mut Vec<Frame>) -> Result<Option<u64>, DecodeError> {
        let trim_end = if self.trims_end { packet.trim_end.get() } else { 0 };
        (packet.trim_start, packet.trim_end) = (Duration::ZERO, Duration::ZERO);
        let buffer = match self.codec.decode(packet) {
            Ok(buffer) => buffer,
            // One bad packet is a short silence, for the next one has its own position.
            Err(SymphoniaError::DecodeError(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let (count, channels) = (buffer.frames(), buffer.spec().channels());
        let downmix = self.downmix.get_or_insert_with(|| Downmix::new(channels));
        self.interleaved.resize(buffer.samples_interleaved(), 0.0);
        buffer.copy_to_slice_interleaved(&mut self.interleaved);
        let first = position(packet.pts.get(), self.time_base, self.rate_hz) - self.lead_frames;
        let end = (first + count as i64 - trim_end as i64).min(self.end_frame.unwrap_or(i64::MAX));
        let begin = self.from_frame.max(0).max(first);
        if begin >= end {
            return Ok(None);
        }
        let old = frames.len();
        downmix.append(&self.interleaved, frames);
        frames.truncate(old + (end - first) as usize);
        frames.drain(old..old + (begin - first) as usize);
        Ok(Some(begin as u64))
    }

    fn position(&self, at: Timestamp) -> i64 {
        position(at.get(), self.time_base, self.rate_hz) - self.lead_frames
    }

    fn timestamp(&self, frame: i64) -> Timestamp {
        let ticks = i128::from(frame + self.lead_frames) * i128::from(self.time_base.denom.get())
            / (i128::from(self.rate_hz) * i128::from(self.time_base.numer.get()));
        Timestamp::new(ticks as i64)
    }
}

/// Frames from the origin of the time stamps.
fn position(ticks: i64, time_base: TimeBase, rate_hz: u32) -> i64 {
    let (numerator, denominator) = (i128::from(time_base.numer.get()), i128::from(time_base.denom.get()));
    let doubled = 2 * i128::from(ticks) * numerator * i128::from(rate_hz);
    ((doubled + denominator).div_euclid(2 * denominator)) as i64
}

fn probe(path: &str, stream: MediaSourceStream<'static>) -> Result<Box<dyn FormatReader>, DecodeError> {
    let mut hint = Hint::new();
    if let Some(extension) = std::path::Path::new(path).extension().and_then(|e| e.to_str()) {
        hint.with_extension(extension);
    }
    let metadata = MetadataOptions::default().limit_visual_bytes(Limit::Maximum(PICTURE_BYTES_MAX));
    symphonia::default::get_probe().probe(&hint, stream, FormatOptions::default(), metadata).map_err(
        |error| match error {
            SymphoniaError::IoError(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                DecodeError::Format("it ends before any music begins".into())
            }
            other => other.into(),
        },
    )
}

/// All formats of symphonia, and Opus by libopus.
fn codecs() -> &'static CodecRegistry {
    static CODECS: OnceLock<CodecRegistry> = OnceLock::new();
    CODECS.get_or_init(|| {
        let mut codecs = CodecRegistry::new();
        symphonia::default::register_enabled_codecs(&mut codecs);
        codecs.register_audio_decoder::<symphonia_adapter_libopus::OpusDecoder>();
        codecs
    })
}
