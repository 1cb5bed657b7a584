//! `calibrate`: an output's delay is measured, by this car's microphone or in a recording of two cars, and remembered.

use super::args::{CalibrateArguments, ChirpPart};
use super::failure::Failure;
use super::out::Out;
use super::recording;
use crate::api::client::Client;
use crate::core::chirp::{self, Sweep, Train};
use crate::core::request::Measured;
use serde_json::json;
use std::path::Path;
use std::time::Duration;

/// For a recording, chirps go on for so many times four seconds: time enough to begin in the other car as well.
const TRAINS: u32 = 8;

pub(super) async fn run(client: &Client, arguments: CalibrateArguments, out: Out) -> Result<(), Failure> {
    if let Some(part) = arguments.play {
        return play(client, part, out).await;
    }
    let before = client.status().await?.audio;
    let measured = match &arguments.recording {
        Some(file) => {
            let (delay_us, clarity) = compare(file)?;
            Measured { output: before.output, delay_us, clarity }
        }
        None => client.measure_output_delay(&arguments.microphone.unwrap_or_default()).await?,
    };
    if !arguments.dry_run {
        client.set_output_delay(&measured.output, measured.delay_us).await?;
    }
    let Measured { output, delay_us, clarity } = &measured;
    let answer = json!({
        "output": output, "delay_us": delay_us, "before_us": before.delay_us, "clarity": clarity,
        "stored": !arguments.dry_run,
    });
    let ms = |us: i64| us as f64 / 1e3;
    let fate = if arguments.dry_run { "nothing is changed" } else { "now remembered" };
    let (now, then) = (ms(*delay_us), ms(before.delay_us));
    out.show(&answer, |_| format!("{output}: {now} ms, {fate} (before: {then} ms; clarity {clarity:.2})\n"))
}

/// Chirps for a recording.
async fn play(client: &Client, part: ChirpPart, out: Out) -> Result<(), Failure> {
    for _ in 0..TRAINS {
        let ends_in_us = client.chirp(part == ChirpPart::Reference).await?;
        tokio::time::sleep(Duration::from_micros(ends_in_us.unsigned_abs() + 1_000)).await;
    }
    let text =
        "The chirps have ended. Give the recording to `jamzctl calibrate --recording FILE` in the measured car.\n";
    out.show(&json!({"chirps": TRAINS}), |_| text.to_owned())
}

/// How much later than the reference car this one is heard in a recording of both, in microseconds, and how clearly.
fn compare(file: &Path) -> Result<(i64, f32), Failure> {
    let failure = |problem: String| Failure::new(format!("{}: {problem}", file.display()));
    let (samples, rate_hz) = recording::read(file).map_err(|error| failure(error.to_string()))?;
    let find = |sweep| chirp::find(&samples, f64::from(rate_hz), sweep).map_err(|error| failure(error.to_string()));
    let (reference, measured) = (find(Sweep::Rising)?, find(Sweep::Falling)?);
    let difference_us = chirp::difference_us(&reference, &measured).map_err(|error| failure(error.to_string()))?;
    let clarity = |trains: &[Train]| trains.iter().map(|train| train.clarity).fold(1.0, f32::min);
    Ok((difference_us.round() as i64, clarity(&reference).min(clarity(&measured))))
}
