//! The `[audio]` part of the configuration.

use super::output::OutputName;
use crate::core::status::AudioStatus;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// How music leaves the car.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `alsa`, `alsa:CARD`, `virtual` or `wav:PATH`.
    pub output: OutputName,
    /// What the sound needs from the sound card to the ear beyond what the card knows of, in microseconds: an
    /// amplifier's or a Bluetooth speaker's delay. Negative when the card claims too much.
    pub latency_us: i64,
    /// The sound card's own buffer, in microseconds. Longer is safer, shorter answers sooner: with
    /// the 45 ms kept ahead of it, it must stay below the lead of the convoy's controls.
    pub buffer_us: u32,
    /// Frames per second of the virtual card and of WAV files.
    pub rate_hz: u32,
    /// Error of the virtual card's crystal, in parts per million.
    pub virtual_ppm: f64,
    /// What the virtual card's sound needs to the virtual microphone, in microseconds: to rehearse `jamzctl calibrate`.
    pub virtual_delay_us: u32,
    /// The virtual card writes what it played to `<record>.<k>.raw`, and when to `<record>.<k>.seg`.
    pub record: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            output: OutputName::default(),
            latency_us: 0,
            buffer_us: 60_000,
            rate_hz: 48_000,
            virtual_ppm: 0.0,
            virtual_delay_us: 0,
            record: None,
        }
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ConfigError {
    #[error("audio.latency_us is {0}; it must lie between -2000000 and 2000000")]
    Latency(i64),
    #[error("audio.buffer_us is {0}; it must lie between 5000 and 100000")]
    Buffer(u32),
    #[error("audio.rate_hz is {0}; it must lie between 8000 and 192000")]
    Rate(u32),
    #[error("audio.virtual_ppm is {0}; it must lie between -400 and 400")]
    Ppm(f64),
    #[error("audio.virtual_delay_us is {0}; it must lie between 0 and 2000000")]
    VirtualDelay(u32),
}

impl Config {
    /// # Errors
    /// [`ConfigError`] for a value that is out of its bounds.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.latency_us.saturating_abs() > AudioStatus::DELAY_US_MAX {
            return Err(ConfigError::Latency(self.latency_us));
        }
        if !(5_000..=100_000).contains(&self.buffer_us) {
            return Err(ConfigError::Buffer(self.buffer_us));
        }
        if !(8_000..=192_000).contains(&self.rate_hz) {
            return Err(ConfigError::Rate(self.rate_hz));
        }
        if !(-400.0..=400.0).contains(&self.virtual_ppm) {
            return Err(ConfigError::Ppm(self.virtual_ppm));
        }
        if i64::from(self.virtual_delay_us) > AudioStatus::DELAY_US_MAX {
            return Err(ConfigError::VirtualDelay(self.virtual_delay_us));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_out_of_bounds_is_refused_by_name() {
        assert_eq!(Config::default().check(), Ok(()));
        let wrong = Config { buffer_us: 500_000, ..Config::default() };
        assert!(wrong.check().unwrap_err().to_string().contains("audio.buffer_us is 500000"));
        assert!(Config { virtual_ppm: f64::NAN, ..Config::default() }.check().is_err());
        assert!(serde_json::from_str::<Config>(r#"{"output":"virtual","virtul_ppm":3}"#).is_err());
        assert!(
            serde_json::from_str::<Config>(r#"{"output":"pulse"}"#)
                .unwrap_err()
                .to_string()
                .contains("jamzctl outputs")
        );
    }
}
