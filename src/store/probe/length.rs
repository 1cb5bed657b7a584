//! How long a file sounds: counted over its packets, for what a header claims is an estimate in some formats and a lie
//! in some files.

use super::{Problem, codecs};
use std::io::ErrorKind;
use symphonia::core::codecs::audio::well_known::CODEC_ID_OPUS;
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::{FormatReader, Track, TrackType};
use symphonia::core::units::TimeBase;

/// Packets that are decoded, to see that there is sound at all.
const TRIED_PACKETS_MAX: u32 = 64;
/// More packets than this are no piece of music: 20 ms each, a month.
const PACKETS_MAX: u32 = 130_000_000;
/// Longest that is believed: a month.
const LENGTH_US_MAX: i128 = 31 * 24 * 3_600 * 1_000_000;
/// What a file may lack of its claim before it is called cut short.
const LACK_US_MAX: i64 = 100_000;

pub(super) struct Length {
    pub us: i64,
    pub damage: Option<String>,
}

/// Counts; `movie_us` is what an MP4's own edits leave of it.
pub(super) fn measure(format: &mut dyn FormatReader, movie_us: Option<i64>) -> Result<Length, Problem> {
    let track = format
        .default_track(TrackType::Audio)
        .ok_or_else(|| Problem::NotAudio("it has no sound track".into()))?
        .clone();
    let params = track.codec_params.as_ref().and_then(|params| params.audio());
    let params = params.ok_or_else(|| Problem::Unsupported("its coding is not known".into()))?;
    let rate_hz = params.sample_rate.filter(|rate| *rate > 0);
    let time_base = track.time_base.or_else(|| rate_hz.and_then(TimeBase::try_from_recip));
    let time_base = time_base.ok_or_else(|| Problem::Damaged("it has no sample rate".into()))?;
    let decoder = codecs()
        .make_audio_decoder(params, &AudioDecoderOptions::default())
        .map_err(|error| Problem::Unsupported(error.to_string()))?;

    let mut count = Count { end: 0, trims_end: track.padding.is_some(), is_mpeg: is_mpeg(format), damage: None };
    count.run(format, &track, decoder)?;
    let lead = if params.codec == CODEC_ID_OPUS { i64::from(track.delay.unwrap_or(0)) } else { 0 };
    let counted_us = in_us(count.end.saturating_sub(lead), time_base);
    let us = movie_us.map_or(counted_us, |movie_us| movie_us.min(counted_us));
    if us <= 0 {
        return Err(Problem::Damaged("it has no sound".into()));
    }
    let claimed_us = movie_us.or_else(|| claim(format, &track, time_base));
    let lacking_us = claimed_us.unwrap_or(us).saturating_sub(us);
    if count.damage.is_none() && lacking_us > LACK_US_MAX {
        count.damage = Some(format!("it ends {} ms before its time; what is there plays", lacking_us / 1_000));
    }
    Ok(Length { us, damage: count.damage })
}

/// Where the last packet's sound ends, in the track's time base.
struct Count {
    end: i64,
    /// Whether the end of an MPEG stream is known to have padding; else its length was but estimated.
    trims_end: bool,
    is_mpeg: bool,
    damage: Option<String>,
}

impl Count {
    fn run(
        &mut self,
        format: &mut dyn FormatReader,
        track: &Track,
        mut decoder: Box<dyn AudioDecoder>,
    ) -> Result<(), Problem> {
        let mut tried = 0;
        let mut heard = false;
        for _ in 0..PACKETS_MAX {
            let packet = match format.next_packet() {
                Ok(Some(packet)) => packet,
                // A chained Ogg stream is another track, which is not played.
                Ok(None) | Err(SymphoniaError::ResetRequired) => break,
                Err(SymphoniaError::IoError(error)) if error.kind() == ErrorKind::UnexpectedEof => break,
                Err(SymphoniaError::DecodeError(what)) => {
                    self.damage.get_or_insert_with(|| format!("{what}; what can be played is"));
                    continue;
                }
                Err(SymphoniaError::IoError(error)) => return Err(error.into()),
                Err(error) => return Err(Problem::Damaged(error.to_string())),
            };
            if packet.track_id != track.id {
                continue;
            }
            let (ts, dur) = (packet.pts.get(), packet.dur.get().cast_signed());
            let end = if self.is_mpeg {
                let end = ts.saturating_add(dur);
                track.num_frames.filter(|_| self.trims_end).map_or(end, |frames| end.min(frames.cast_signed()))
            } else {
                ts.saturating_add(packet.trim_start.get().cast_signed()).saturating_add(dur)
            };
            self.end = self.end.max(end);
            if !heard && tried < TRIED_PACKETS_MAX {
                tried += 1;
                heard = decoder.decode(&packet).is_ok_and(|sound| sound.frames() > 0);
            }
        }
        if heard { Ok(()) } else { Err(Problem::Damaged("its sound cannot be decoded".into())) }
    }
}

fn is_mpeg(format: &dyn FormatReader) -> bool {
    ["mp1", "mp2", "mp3"].contains(&format.format_info().short_name)
}

/// What the header says, where it does not guess.
fn claim(format: &dyn FormatReader, track: &Track, time_base: TimeBase) -> Option<i64> {
    let knows = match format.format_info().short_name {
        "mp3" => track.padding.is_some(),
        name => ["flac", "ogg", "wave"].contains(&name),
    };
    track.num_frames.filter(|_| knows).map(|frames| in_us(frames.try_into().unwrap_or(i64::MAX), time_base))
}

fn in_us(ticks: i64, time_base: TimeBase) -> i64 {
    let (numerator, denominator) = (i128::from(time_base.numer.get()), i128::from(time_base.denom.get()));
    let us = (i128::from(ticks) * numerator * 1_000_000 + denominator / 2).div_euclid(denominator);
    us.clamp(0, LENGTH_US_MAX) as i64
}
