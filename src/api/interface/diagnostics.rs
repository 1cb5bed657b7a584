//! `com.trafficjamz.HeadUnit1.Diagnostics`: everything there is to know of this car.

use super::Quiet;
use super::row::{HistoryRow, OutputRow};
use crate::api::call::Answer;
use crate::api::car::{Car, unexpected};
use crate::api::error::Error;
use crate::core::request::Query;
use zbus::interface;

/// Most changes that one call lists.
pub(crate) const HISTORY_MAX: u32 = 1_000;

pub(crate) struct Diagnostics {
    car: Car,
}

impl Diagnostics {
    pub(crate) fn new(car: Car) -> Self {
        Self { car }
    }

    async fn changes(&self, limit: u32, pending: bool) -> Result<Vec<HistoryRow>, Error> {
        match self.car.query(Query::History { limit: limit.min(HISTORY_MAX), pending }).await? {
            Answer::History(entries) => {
                Ok(entries.into_iter().take(HISTORY_MAX as usize).map(HistoryRow::from).collect())
            }
            other => Err(unexpected(&other)),
        }
    }
}

impl Quiet for Diagnostics {
    const QUIET: &'static [&'static str] =
        &["AudioOffsetUs", "CorrectionPpm", "ClockBoundUs", "ClockRatePpm", "LeadUs"];
}

#[interface(
    name = "com.trafficjamz.HeadUnit1.Diagnostics",
    proxy(
        default_service = "com.trafficjamz.HeadUnit1",
        default_path = "/com/trafficjamz/HeadUnit1",
        visibility = "pub(crate)"
    )
)]
impl Diagnostics {
    /// Everything at once, as the JSON that `jamzctl --json status` prints.
    #[zbus(out_args("json"))]
    fn status(&self) -> Result<String, Error> {
        json(&self.car.status_now())
    }

    /// The newest changes (at most 1000), the newest first: id, device, user, action, subject, convoy_time_us,
    /// recorded_unix_s, state ("pending", "applied", "superseded", "refused"), reason.
    #[zbus(out_args("changes"))]
    async fn history(&self, limit: u32) -> Result<Vec<HistoryRow>, Error> {
        self.changes(limit, false).await
    }

    /// What this car did and no server or leader has yet (at most 1000), the oldest first; as in History.
    #[zbus(out_args("changes"))]
    async fn pending(&self, limit: u32) -> Result<Vec<HistoryRow>, Error> {
        self.changes(limit, true).await
    }

    /// The sound outputs that a configuration may name: name, description, active.
    #[zbus(out_args("outputs"))]
    async fn outputs(&self) -> Result<Vec<OutputRow>, Error> {
        match self.car.query(Query::Outputs).await? {
            Answer::Outputs(outputs) => Ok(outputs.into_iter().map(OutputRow::from).collect()),
            other => Err(unexpected(&other)),
        }
    }

    /// The configuration in force, without secrets, as JSON.
    #[zbus(out_args("json"))]
    async fn config(&self) -> Result<String, Error> {
        match self.car.query(Query::Config).await? {
            Answer::Config(config) => json(&config),
            other => Err(unexpected(&other)),
        }
    }

    #[zbus(property)]
    fn version(&self) -> String {
        self.car.status().version.clone()
    }

    /// This car's id.
    #[zbus(property)]
    fn device(&self) -> String {
        self.car.status().device.clone()
    }

    /// This car's name, as its owner gave it.
    #[zbus(property)]
    fn name(&self) -> String {
        self.car.status().name.clone()
    }

    /// The sound output in use.
    #[zbus(property)]
    fn output(&self) -> String {
        self.car.status().audio.output.clone()
    }

    /// Frames per second of the sound device; 0 while there is none.
    #[zbus(property)]
    fn output_rate_hz(&self) -> u32 {
        self.car.status().audio.rate_hz.unwrap_or(0)
    }

    /// Whether music is audible, at the right place.
    #[zbus(property)]
    fn in_sync(&self) -> bool {
        self.car.status().audio.in_sync
    }

    /// What is wrong with the sound, in words; empty when nothing is.
    #[zbus(property)]
    fn audio_problem(&self) -> String {
        self.car.status().audio.problem.clone().unwrap_or_default()
    }

    /// Measured position minus wanted position, in microseconds; 0 while it is not measured.
    #[zbus(property(emits_changed_signal = "false"))]
    fn audio_offset_us(&self) -> i64 {
        self.car.status().audio.offset_us.unwrap_or(0)
    }

    /// What the resampler adds now, in parts per million.
    #[zbus(property(emits_changed_signal = "false"))]
    fn correction_ppm(&self) -> f64 {
        self.car.status().audio.correction_ppm
    }

    /// Times that the sound device ran dry.
    #[zbus(property)]
    fn underruns(&self) -> u64 {
        self.car.status().audio.underruns
    }

    /// Times that playback was put right by a jump under a fade.
    #[zbus(property)]
    fn realigns(&self) -> u64 {
        self.car.status().audio.realigns
    }

    /// Whether the convoy's clock is known.
    #[zbus(property)]
    fn clock_synced(&self) -> bool {
        self.car.status().clock.synced
    }

    /// Bound of the error against convoy time, in microseconds; -1 while it is not known.
    #[zbus(property(emits_changed_signal = "false"))]
    fn clock_bound_us(&self) -> i64 {
        self.car.status().clock.bound_us.unwrap_or(-1)
    }

    /// Rate of the convoy's clock against this machine's, in parts per million.
    #[zbus(property(emits_changed_signal = "false"))]
    fn clock_rate_ppm(&self) -> f64 {
        self.car.status().clock.rate_ppm
    }

    /// How far ahead the next control takes effect, in microseconds.
    #[zbus(property(emits_changed_signal = "false"))]
    fn lead_us(&self) -> i64 {
        self.car.status().lead_us
    }

    /// Changes known here, whoever made them.
    #[zbus(property)]
    fn changes_applied(&self) -> u64 {
        self.car.status().changes.applied
    }

    /// Changes made here and not yet acknowledged by an authority.
    #[zbus(property)]
    fn changes_pending(&self) -> u64 {
        self.car.status().changes.pending
    }
}

fn json(value: &impl serde::Serialize) -> Result<String, Error> {
    serde_json::to_string(value)
        .map_err(|error| Error::Failed(format!("the answer cannot be written as JSON: {error}")))
}
