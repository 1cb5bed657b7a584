//! ALSA's sound cards, through cpal.
//!
//! Of the time stamps that cpal gives with a buffer only their difference is used, the frames that wait in the card:
//! their own clock is `CLOCK_MONOTONIC_RAW` where that can be had, which runs at another rate than ours.

use super::line::{Loss, Player};
use super::{Card, MakePlayer, OutputError, Session};
use crate::audio::{pcm, realtime};
use crate::core::request::OutputInfo;
use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{
    BufferSize, Device, ErrorKind, FromSample, Host, OutputCallbackInfo, SampleFormat, SizedSample, StreamConfig,
    SupportedBufferSize, SupportedStreamConfigRange,
};
use std::collections::BTreeSet;
use std::time::Duration;

/// Best first; what the card cannot do itself it would convert, or we.
const RATES_HZ: [u32; 5] = [48_000, 44_100, 96_000, 88_200, 192_000];
const FORMATS: [SampleFormat; 5] =
    [SampleFormat::F32, SampleFormat::I32, SampleFormat::I16, SampleFormat::I24, SampleFormat::U8];
/// Without news from the card for so long, cpal looks whether it is still there.
const POLL: Duration = Duration::from_secs(1);

pub(super) struct AlsaCard {
    pub name: String,
    pub buffer_us: u32,
}

impl Card for AlsaCard {
    fn open(&mut self, make: MakePlayer<'_>) -> Result<Session, OutputError> {
        let complaints = alsa::Output::local_error_handler();
        let opened = self.open_quietly(make);
        if let (Err(_), Ok(complaints)) = (&opened, complaints) {
            tracing::debug!(complaints = %complaints.borrow(), "what ALSA says of it");
        }
        opened
    }
}

impl AlsaCard {
    fn open_quietly(&self, make: MakePlayer<'_>) -> Result<Session, OutputError> {
        let device =
            pcm::find(&self.name, Host::default_output_device).ok_or_else(|| OutputError::Absent(self.name.clone()))?;
        let (config, format) = choose(&device, self.buffer_us)?;
        let player = make(config.sample_rate);
        let stream = match format {
            SampleFormat::F32 => build::<f32>(&device, config, player),
            SampleFormat::I32 => build::<i32>(&device, config, player),
            SampleFormat::I16 => build::<i16>(&device, config, player),
            SampleFormat::I24 => build::<cpal::I24>(&device, config, player),
            SampleFormat::U8 => build::<u8>(&device, config, player),
            other => return Err(OutputError::Open(format!("it wants samples as {other}"))),
        }
        .map_err(|error| problem(&error))?;
        stream.play().map_err(|error| problem(&error))?;
        Ok(Box::new(stream))
    }
}

fn problem(error: &cpal::Error) -> OutputError {
    OutputError::Open(pcm::problem(error))
}

fn choose(device: &Device, buffer_us: u32) -> Result<(StreamConfig, SampleFormat), OutputError> {
    let ranges: Vec<_> = device.supported_output_configs().map_err(|error| problem(&error))?.collect();
    let rate = |range: &SupportedStreamConfigRange| {
        let bounds = range.min_sample_rate()..=range.max_sample_rate();
        RATES_HZ.into_iter().position(|rate| bounds.contains(&rate))
    };
    let format = |range: &SupportedStreamConfigRange| FORMATS.iter().position(|f| *f == range.sample_format());
    // Stereo if it can be had, then as few unused channels as possible, mono last.
    let channels = |range: &SupportedStreamConfigRange| match range.channels() {
        1 => u16::MAX,
        channels => channels,
    };
    let (range, rate, _) = ranges
        .iter()
        .filter_map(|range| Some((range, rate(range)?, format(range)?)))
        .min_by_key(|(range, rate, format)| (channels(range), *rate, *format))
        .ok_or_else(|| OutputError::Open("it offers no format that we have".into()))?;
    let sample_rate = RATES_HZ.get(rate).copied().unwrap_or(48_000);
    // cpal buffers two periods.
    let period = (u64::from(sample_rate) * u64::from(buffer_us) / 2_000_000) as u32;
    let period = match range.buffer_size() {
        SupportedBufferSize::Range { min, max } => period.clamp(*min, (*max).max(*min)),
        SupportedBufferSize::Unknown => period,
    };
    let config = StreamConfig { channels: range.channels(), sample_rate, buffer_size: BufferSize::Fixed(period) };
    Ok((config, range.sample_format()))
}

fn build<T: SizedSample + FromSample<f32>>(
    device: &Device,
    config: StreamConfig,
    mut player: Player,
) -> Result<cpal::Stream, cpal::Error> {
    let channels = usize::from(config.channels).max(1);
    let shared = player.shared();
    let mut claimed = false;
    let fill = move |samples: &mut [T], info: &OutputCallbackInfo| {
        if !claimed {
            realtime::claim();
            claimed = true;
        }
        let stamp = info.timestamp();
        let delay = stamp.playback.checked_duration_since(stamp.callback).unwrap_or_default();
        fill(&mut player, samples, channels, delay.as_micros() as i64);
    };
    let failed = move |error: cpal::Error| match error.kind() {
        ErrorKind::Xrun => shared.restarted(),
        ErrorKind::RealtimeDenied | ErrorKind::DeviceChanged => {}
        ErrorKind::DeviceNotAvailable => shared.lose(Loss::Gone),
        _ => shared.lose(Loss::Failed),
    };
    device.build_output_stream(config, fill, failed, Some(POLL))
}

/// One buffer of the card; channels beyond two stay silent, one gets both.
fn fill<T: SizedSample + FromSample<f32>>(player: &mut Player, samples: &mut [T], channels: usize, delay_us: i64) {
    let count = samples.len() / channels;
    let mut frames = samples.chunks_exact_mut(channels);
    player.play(count, Some(delay_us), |_, [left, right]| match frames.next() {
        Some([l, r, ..]) => (*l, *r) = (T::from_sample(left), T::from_sample(right)),
        Some([mono]) => *mono = T::from_sample(f32::midpoint(left, right)),
        _ => {}
    });
}

/// The default and every card with an output, by card name.
pub(super) fn list() -> Vec<OutputInfo> {
    // ALSA would complain on standard error of every card that it looked for in vain.
    let _complaints = alsa::Output::local_error_handler();
    let host = cpal::default_host();
    let mut outputs =
        vec![OutputInfo { name: "alsa:default".into(), description: "ALSA's default card".into(), active: false }];
    let mut seen = BTreeSet::new();
    for device in host.devices().into_iter().flatten() {
        let (Ok(id), Ok(description)) = (device.id(), device.description()) else { continue };
        let card = id.id().strip_prefix("plughw:CARD=").and_then(|rest| rest.strip_suffix(",DEV=0"));
        // ALSA lists each card by its name and again by its number; numbers change with every boot.
        let Some(card) = card.filter(|card| !card.bytes().all(|b| b.is_ascii_digit())) else { continue };
        if description.supports_output() && seen.insert(card.to_owned()) {
            outputs.push(OutputInfo {
                name: format!("alsa:{card}"),
                description: description.name().to_owned(),
                active: false,
            });
        }
    }
    outputs
}
