//! Measures what the sound needs from the card to the ear: a microphone listens, the core has chirps played, and what
//! comes when is found in what was heard.

use super::roadside::{Core, Reply};
use crate::api::Answer;
use crate::audio::OutputName;
use crate::audio::input::{Ears, Listening};
use crate::core::chirp::{self, Part, TRAIN_US};
use crate::core::clock::{MonoTime, Monotonic};
use crate::core::request::{Command, Measured, Refusal};
use crate::host::MonotonicClock;
use std::time::Duration;

/// The longest delay that an output can be given, and a little more.
const LISTEN_US: i64 = TRAIN_US + 2_200_000;

/// Measures the delay of `output`, and replies with it. `microphone` is named as an output is; where the name is empty,
/// it is the one that can hear the output.
pub(super) fn measure(output: OutputName, microphone: String, ears: Ears, core: Core, reply: Reply) {
    tokio::spawn(async move {
        // Whoever asked may have gone.
        let _ = reply.send(listen(output, &microphone, ears, core).await);
    });
}

async fn listen(output: OutputName, microphone: &str, ears: Ears, core: Core) -> Result<Answer, Refusal> {
    let microphone = match (microphone, &output) {
        ("", OutputName::Virtual) => OutputName::Virtual,
        ("", _) => OutputName::default(),
        (name, _) => name.parse().map_err(|_| wrong(format!("there is no microphone {name}; write \"alsa:CARD\"")))?,
    };
    let listening = apart(move || ears.listen(&microphone)).await?.map_err(|error| wrong(error.to_string()))?;
    let Answer::Chirping { at } = core.obey(Command::Chirp { part: Part::Alone }).await? else {
        return Err(Refusal::Failed("the chirps could not be played".into()));
    };
    let wait_us = at + LISTEN_US - MonotonicClock.now();
    tokio::time::sleep(Duration::from_micros(wait_us.max(0).unsigned_abs())).await;
    let (delay_us, clarity) = apart(move || found(listening, at)).await??;
    Ok(Answer::Measured(Measured { output: output.to_string(), delay_us, clarity }))
}

/// How long after `at` the train was heard, in microseconds, and how clearly.
fn found(listening: Listening, at: MonoTime) -> Result<(i64, f32), Refusal> {
    let take = listening.finish().map_err(|error| Refusal::Failed(error.to_string()))?;
    let trains = chirp::find(&take.samples, take.rate_hz, Part::Alone.sweep());
    let trains = trains.map_err(|error| Refusal::Failed(error.to_string()))?;
    let first = trains.first().ok_or_else(|| Refusal::Failed("no chirps were heard".into()))?;
    let delay_us = take.at_us + first.at_us - at.0 as f64;
    Ok((delay_us.round() as i64, first.clarity))
}

fn wrong(problem: String) -> Refusal {
    Refusal::Invalid(problem)
}

/// In a thread that may wait for a driver, or calculate for a while.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.map_err(|_| Refusal::Failed("the measurement broke off; see the head unit's log".into()))
}
