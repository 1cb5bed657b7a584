//! When chirps sound by which an output's delay is measured, so that they can be told from each other and from music.

use super::Car;
use crate::core::chirp::{PERIOD_US, Part, TRAIN_US};
use crate::core::clock::MonoTime;
use crate::core::io::{AudioCommand, Output, RequestId};
use crate::core::request::Refusal;

/// What the audio path and its card may have rendered ahead already.
const LEAD_US: i64 = 600_000;

impl Car {
    pub(super) fn chirp(&mut self, request: RequestId, part: Part, now: MonoTime) {
        let result = self.next_chirp(part, now);
        if let Ok(at) = result {
            self.sound.chirps_until = at + TRAIN_US;
            self.outputs.push_back(Output::Audio(AudioCommand::Chirp { at, sweep: part.sweep() }));
        }
        self.outputs.push_back(Output::Chirping { request, result });
    }

    /// When the next train may leave the card. Where two cars are compared, it is to be heard at its part's moment of
    /// the period in convoy time: of the reference car by its delay, of the measured one as if it had none, so that
    /// the difference is the whole delay.
    fn next_chirp(&self, part: Part, now: MonoTime) -> Result<MonoTime, Refusal> {
        let wrong = |problem: &str| Err(Refusal::Invalid(problem.to_owned()));
        if self.is_playing_planned() {
            return wrong("the music plays; pause it first (`jamzctl pause`)");
        }
        if now < self.sound.chirps_until {
            return wrong("chirps are being played already; try again in some seconds");
        }
        if self.audio.rate_hz.is_none() {
            let problem = self.audio.problem.as_deref().unwrap_or("the sound card is not open yet");
            return Err(Refusal::Failed(format!("there is no sound now: {problem}")));
        }
        if part == Part::Alone {
            return Ok(now + LEAD_US);
        }
        if self.convoy.is_none() {
            return wrong("this car is in no convoy; the two cars have to be in the same one (`jamzctl join`)");
        }
        let Some(map) = self.clock.map().filter(|_| self.time_known()) else {
            return wrong("the convoy's clock is not known yet; try again in some seconds");
        };
        let (phase_us, delay_us) = if part == Part::Reference { (0, self.audio.delay_us) } else { (PERIOD_US / 2, 0) };
        let soonest = map.convoy(now + LEAD_US + delay_us);
        let at = soonest + (phase_us - soonest.0).rem_euclid(PERIOD_US);
        Ok(map.mono(at) - delay_us)
    }
}
