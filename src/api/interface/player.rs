//! `com.trafficjamz.HeadUnit1.Player`: what plays in the convoy, and this car's loudness.

use super::row::TrackRow;
use super::{Quiet, bounded};
use crate::api::car::Car;
use crate::api::error::Error;
use crate::core::chirp::Part;
use crate::core::id::EntryId;
use crate::core::request::{Command, Measured};
use zbus::interface;
use zbus::object_server::SignalEmitter;

const MICROPHONE_BYTES_MAX: usize = 256;

pub(crate) struct Player {
    car: Car,
}

impl Player {
    pub(crate) fn new(car: Car) -> Self {
        Self { car }
    }
}

impl Quiet for Player {
    const QUIET: &'static [&'static str] = &["PositionUs"];
}

/// Playback is the whole convoy's, and only its controller changes it; volume, ducking and delays are this car's own.
#[interface(
    name = "com.trafficjamz.HeadUnit1.Player",
    proxy(
        default_service = "com.trafficjamz.HeadUnit1",
        default_path = "/com/trafficjamz/HeadUnit1",
        visibility = "pub(crate)"
    )
)]
impl Player {
    /// Goes on; with a playlist entry, plays that one from its start. An empty entry is none.
    #[zbus(out_args("reach", "changes"))]
    async fn play(&self, entry: String) -> Result<(String, Vec<String>), Error> {
        let entry = if entry.is_empty() { None } else { Some(EntryId::new(entry)?) };
        self.car.command(Command::Play { entry }).await
    }

    #[zbus(out_args("reach", "changes"))]
    async fn pause(&self) -> Result<(String, Vec<String>), Error> {
        self.car.command(Command::Pause).await
    }

    /// Plays when paused, pauses when playing.
    #[zbus(out_args("reach", "changes"))]
    async fn toggle(&self) -> Result<(String, Vec<String>), Error> {
        self.car.command(Command::Toggle).await
    }

    /// To a position of the current track, in microseconds.
    #[zbus(out_args("reach", "changes"))]
    async fn seek(&self, position_us: i64) -> Result<(String, Vec<String>), Error> {
        self.car.command(Command::Seek { position_us }).await
    }

    /// By so many microseconds, forwards or backwards.
    #[zbus(out_args("reach", "changes"))]
    async fn seek_by(&self, offset_us: i64) -> Result<(String, Vec<String>), Error> {
        self.car.command(Command::SeekBy { offset_us }).await
    }

    #[zbus(out_args("reach", "changes"))]
    async fn next(&self) -> Result<(String, Vec<String>), Error> {
        self.car.command(Command::Next).await
    }

    #[zbus(out_args("reach", "changes"))]
    async fn previous(&self) -> Result<(String, Vec<String>), Error> {
        self.car.command(Command::Previous).await
    }

    /// Quieter for as long as a call or the navigation speaks.
    #[zbus(out_args("reach", "changes"))]
    async fn duck(&self, on: bool) -> Result<(String, Vec<String>), Error> {
        self.car.command(Command::Duck { on }).await
    }

    /// What the sound needs from an output to the ear, in microseconds (-2000000 to 2000000), beyond what the card
    /// knows of; remembered by the output's name. An empty name means the one in use.
    async fn set_output_delay(&self, output: String, delay_us: i64) -> Result<(), Error> {
        self.car.command(Command::OutputDelay { output, delay_us }).await?;
        Ok(())
    }

    /// Plays chirps, listens to them by a microphone ("alsa", "alsa:CARD", "virtual"; an empty name means the one that
    /// can hear the output), and returns the output in use, the delay that it was found to have, in microseconds, and
    /// how clearly that was heard (0 to 1). Takes some seconds, sets nothing, and is refused while music plays.
    #[zbus(out_args("output", "delay_us", "clarity"))]
    async fn measure_output_delay(&self, microphone: String) -> Result<(String, i64, f64), Error> {
        bounded("the microphone's name", &microphone, MICROPHONE_BYTES_MAX)?;
        let Measured { output, delay_us, clarity } = self.car.measure(microphone).await?;
        Ok((output, delay_us, f64::from(clarity)))
    }

    /// Plays chirps for a recording of two cars of one convoy, and returns how long from now, in microseconds, it takes
    /// until they have ended. The reference car plays them in time, by its output's delay; the other one, which is to
    /// be measured, as if it had none.
    #[zbus(out_args("ends_in_us"))]
    async fn chirp(&self, is_reference: bool) -> Result<i64, Error> {
        self.car.chirp(if is_reference { Part::Reference } else { Part::Measured }).await
    }

    #[zbus(property)]
    fn playing(&self) -> bool {
        self.car.status().now_playing.playing
    }

    /// The current track: entry, id, title, artist, album, duration_us, url; what is not known is left out.
    #[zbus(property)]
    fn track(&self) -> TrackRow {
        let status = self.car.status();
        let now = &status.now_playing;
        now.track.as_ref().map(|track| TrackRow::new(now.entry.as_deref(), track)).unwrap_or_default()
    }

    /// The current track's place in the playlist, counted from nought; -1 when it has none.
    #[zbus(property)]
    fn index(&self) -> i64 {
        self.car.status().now_playing.index.map_or(-1, |index| index as i64)
    }

    /// Where in the track the convoy is at this moment, in microseconds. It runs by itself; jumps are told by Seeked.
    #[zbus(property(emits_changed_signal = "false"))]
    fn position_us(&self) -> i64 {
        self.car.status_now().now_playing.position_us
    }

    /// This car's loudness, 0 to 1.
    #[zbus(property)]
    fn volume(&self) -> f64 {
        self.car.status().volume
    }

    #[zbus(property)]
    async fn set_volume(&self, level: f64) -> Result<(), Error> {
        self.car.set_volume(level).await
    }

    #[zbus(property)]
    fn ducked(&self) -> bool {
        self.car.status().ducked
    }

    /// The position jumped, to here.
    #[zbus(signal)]
    pub(crate) async fn seeked(emitter: &SignalEmitter<'_>, position_us: i64) -> zbus::Result<()>;
}
