//! What is this car's alone: how loud it is, and how long its outputs take to be heard.

use super::Car;
use super::commands::Actions;
use crate::core::clock::MonoTime;
use crate::core::io::{AudioCommand, Output, Saved};
use crate::core::request::Refusal;
use crate::core::status::AudioStatus;
use std::collections::BTreeMap;

/// How much quieter the music is while someone speaks (-15 dB).
const DUCK_GAIN: f64 = 0.178;
const VOLUME_FIRST: f64 = 0.8;
/// Outputs whose delay is remembered; a car has a few.
const OUTPUTS_MAX: usize = 32;
const NAME_BYTES_MAX: usize = 256;
const DELAY_US_MAX: i64 = AudioStatus::DELAY_US_MAX;

/// Loudness, and delays by the output's name.
#[derive(Debug)]
pub(super) struct Sound {
    pub volume: f64,
    pub ducked: bool,
    pub delays_us: BTreeMap<String, i64>,
    /// When the chirps that were told last have ended.
    pub chirps_until: MonoTime,
}

impl Sound {
    /// As it was kept, without what cannot be.
    pub(super) fn kept(saved: Option<&Saved>) -> Self {
        let volume = saved.map_or(VOLUME_FIRST, |saved| saved.volume);
        let mut delays_us = saved.map(|saved| saved.delays_us.clone()).unwrap_or_default();
        delays_us.retain(|name, delay_us| check(name, *delay_us).is_ok());
        while delays_us.len() > OUTPUTS_MAX {
            delays_us.pop_last();
        }
        Self { volume, ducked: false, delays_us, chirps_until: MonoTime(i64::MIN) }
    }
}

fn check(output: &str, delay_us: i64) -> Result<(), Refusal> {
    if output.is_empty() || output.len() > NAME_BYTES_MAX {
        return Err(Refusal::Invalid("no such output; `jamzctl outputs` lists those there are".into()));
    }
    if !(-DELAY_US_MAX..=DELAY_US_MAX).contains(&delay_us) {
        let max_ms = DELAY_US_MAX / 1_000;
        return Err(Refusal::Invalid(format!("an output's delay lies between -{max_ms} and {max_ms} ms")));
    }
    Ok(())
}

impl Car {
    pub(super) fn set_volume(&mut self, level: f64, now: MonoTime) -> Actions {
        if !(0.0..=1.0).contains(&level) {
            return Err(Refusal::Invalid("the volume goes from 0 to 1".into()));
        }
        self.sound.volume = level;
        self.say_volume();
        self.touch(now);
        Ok(Vec::new())
    }

    pub(super) fn duck(&mut self, on: bool) {
        self.sound.ducked = on;
        self.say_volume();
    }

    /// An empty name means the output in use.
    pub(super) fn set_output_delay(&mut self, output: String, delay_us: i64, now: MonoTime) -> Actions {
        let output = if output.is_empty() { self.audio.output.clone() } else { output };
        check(&output, delay_us)?;
        let delays_us = &mut self.sound.delays_us;
        if delays_us.len() >= OUTPUTS_MAX && !delays_us.contains_key(&output) {
            return Err(Refusal::Invalid(format!("the delays of {OUTPUTS_MAX} outputs are remembered already")));
        }
        delays_us.insert(output, delay_us);
        self.say_delay();
        self.touch(now);
        Ok(Vec::new())
    }

    pub(super) fn handle_audio(&mut self, status: AudioStatus) {
        let is_another = status.output != self.audio.output;
        self.audio = status;
        if is_another {
            self.say_delay();
        }
    }

    pub(super) fn say_volume(&mut self) {
        let Sound { volume, ducked, .. } = self.sound;
        let level = if ducked { volume * DUCK_GAIN } else { volume };
        self.outputs.push_back(Output::Audio(AudioCommand::Volume(level)));
    }

    /// What is remembered of the output in use, if anything is.
    fn say_delay(&mut self) {
        if let Some(delay_us) = self.sound.delays_us.get(&self.audio.output) {
            self.outputs.push_back(Output::Audio(AudioCommand::Delay { delay_us: *delay_us }));
        }
    }
}
