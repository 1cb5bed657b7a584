//! ALSA's microphones, through cpal.

use super::InputError;
use super::tape::Tape;
use crate::audio::pcm;
use crate::core::clock::Monotonic;
use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{
    BufferSize, Device, ErrorKind, FromSample, Host, InputCallbackInfo, SampleFormat, SizedSample, StreamConfig,
};
use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

/// What a voice needs least; the rate that most microphones have.
const RATE_HZ: u32 = 48_000;
const PERIOD_MS: u32 = 10;
const POLL: Duration = Duration::from_secs(1);

/// Records from a card by its name, or from any PCM that ALSA knows, until what is returned is dropped.
pub(super) fn open(
    name: &str,
    tape: &Arc<Tape>,
    clock: &Arc<dyn Monotonic>,
) -> Result<Box<dyn Any + Send>, InputError> {
    // ALSA would complain on standard error of every card that it looked for in vain.
    let _complaints = alsa::Output::local_error_handler();
    let device = pcm::find(name, Host::default_input_device).ok_or_else(|| InputError::Absent(name.into()))?;
    let (config, format) = choose(&device)?;
    tape.begin(config.sample_rate);
    let stream = match format {
        SampleFormat::F32 => build::<f32>(&device, config, tape, clock),
        SampleFormat::I32 => build::<i32>(&device, config, tape, clock),
        SampleFormat::I16 => build::<i16>(&device, config, tape, clock),
        SampleFormat::I24 => build::<cpal::I24>(&device, config, tape, clock),
        SampleFormat::U8 => build::<u8>(&device, config, tape, clock),
        other => return Err(InputError::Open(format!("it gives samples as {other}"))),
    }
    .map_err(|error| problem(&error))?;
    stream.play().map_err(|error| problem(&error))?;
    Ok(Box::new(stream))
}

fn problem(error: &cpal::Error) -> InputError {
    InputError::Open(pcm::problem(error))
}

/// What the microphone itself prefers, at the usual rate if it can.
fn choose(device: &Device) -> Result<(StreamConfig, SampleFormat), InputError> {
    let preferred = device.default_input_config().map_err(|error| problem(&error))?;
    let (channels, format) = (preferred.channels(), preferred.sample_format());
    let ranges = device.supported_input_configs().map_err(|error| problem(&error))?;
    let is_usual = ranges
        .filter(|range| range.channels() == channels && range.sample_format() == format)
        .any(|range| (range.min_sample_rate()..=range.max_sample_rate()).contains(&RATE_HZ));
    let sample_rate = if is_usual { RATE_HZ } else { preferred.sample_rate() };
    let buffer_size = BufferSize::Fixed(sample_rate * PERIOD_MS / 1_000);
    Ok((StreamConfig { channels, sample_rate, buffer_size }, format))
}

fn build<T: SizedSample>(
    device: &Device,
    config: StreamConfig,
    tape: &Arc<Tape>,
    clock: &Arc<dyn Monotonic>,
) -> Result<cpal::Stream, cpal::Error>
where
    f32: FromSample<T>,
{
    let channels = usize::from(config.channels).max(1);
    let (heard, clock, failed) = (Arc::clone(tape), Arc::clone(clock), Arc::clone(tape));
    let hear = move |samples: &[T], info: &InputCallbackInfo| {
        let stamp = info.timestamp();
        let age = stamp.callback.checked_duration_since(stamp.capture).unwrap_or_default();
        let at = clock.now() - age.as_micros() as i64;
        heard.hear(at.0, samples.iter().step_by(channels).map(|sample| sample.to_sample::<f32>()));
    };
    let fail = move |error: cpal::Error| match error.kind() {
        ErrorKind::RealtimeDenied | ErrorKind::DeviceChanged => {}
        _ => failed.fail(error.to_string()),
    };
    device.build_input_stream(config, hear, fail, Some(POLL))
}
