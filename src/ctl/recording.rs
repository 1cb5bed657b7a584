//! A recording that somebody made, of any format that the cars play: its first channel.

use crate::core::chirp::SECONDS_MAX;
use std::fs::File;
use std::path::Path;
use symphonia::core::codecs::audio::AudioDecoderOptions;
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum RecordingError {
    #[error("{0}")]
    Open(#[from] std::io::Error),
    #[error("this is no recording that can be read ({0}); save it as WAV, and try again")]
    Format(String),
}

impl From<SymphoniaError> for RecordingError {
    fn from(error: SymphoniaError) -> Self {
        Self::Format(error.to_string())
    }
}

/// The samples of the first channel, from -1 to 1, and the rate in Hz; not much more of them than a recording of chirps
/// may have.
///
/// # Errors
/// [`RecordingError`] when there is no sound in it that can be understood.
pub(super) fn read(file: &Path) -> Result<(Vec<f32>, u32), RecordingError> {
    let unknown = |what: &str| RecordingError::Format(what.to_owned());
    let mut hint = Hint::new();
    if let Some(extension) = file.extension().and_then(|extension| extension.to_str()) {
        hint.with_extension(extension);
    }
    let stream = MediaSourceStream::new(Box::new(File::open(file)?), MediaSourceStreamOptions::default());
    let probe = symphonia::default::get_probe();
    let mut format = probe.probe(&hint, stream, FormatOptions::default(), MetadataOptions::default())?;
    let track = format.default_track(TrackType::Audio).ok_or_else(|| unknown("it has no sound"))?;
    let (id, params) = (track.id, track.codec_params.as_ref().and_then(|params| params.audio()).cloned());
    let params = params.ok_or_else(|| unknown("its sound is in no known coding"))?;
    let rate_hz = params.sample_rate.ok_or_else(|| unknown("it does not say how fast it is"))?;
    let mut codec = symphonia::default::get_codecs().make_audio_decoder(&params, &AudioDecoderOptions::default())?;
    let mut samples = Vec::new();
    let mut interleaved: Vec<f32> = Vec::new();
    while samples.len() <= rate_hz as usize * (SECONDS_MAX as usize + 1) {
        let packet = match format.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            // A recorder whose battery ran out did not finish its file.
            Err(SymphoniaError::IoError(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(error.into()),
        };
        if packet.track_id == id {
            let buffer = codec.decode(&packet)?;
            interleaved.resize(buffer.samples_interleaved(), 0.0);
            buffer.copy_to_slice_interleaved(&mut interleaved);
            samples.extend(interleaved.iter().step_by(buffer.spec().channels().count().max(1)));
        }
    }
    Ok((samples, rate_hz))
}
