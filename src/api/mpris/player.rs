//! `org.mpris.MediaPlayer2.Player`: the convoy's playback, as remote controls know it.

use super::{metadata, track_id};
use crate::api::call::QueueEntry;
use crate::api::car::Car;
use crate::api::error::Error;
use crate::api::interface::Quiet;
use crate::core::request::{Addition, Command};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use zbus::object_server::SignalEmitter;
use zbus::{OwnedObjectPath, Variant, interface};

const URL_BYTES_MAX: usize = 4_096;

pub(crate) struct Player {
    car: Car,
    /// `Stop` came after the last `Play`: the convoy knows no more than that it pauses.
    is_stopped: AtomicBool,
}

impl Player {
    pub(crate) fn new(car: Car) -> Self {
        Self { car, is_stopped: AtomicBool::new(false) }
    }

    async fn command(&self, command: Command) -> Result<(), Error> {
        self.car.command(command).await.map(|_| ())
    }
}

impl Quiet for Player {
    const QUIET: &'static [&'static str] = &["Position"];
}

#[interface(name = "org.mpris.MediaPlayer2.Player", introspection_docs = false)]
impl Player {
    async fn next(&self) -> Result<(), Error> {
        self.command(Command::Next).await
    }

    async fn previous(&self) -> Result<(), Error> {
        self.command(Command::Previous).await
    }

    async fn pause(&self) -> Result<(), Error> {
        self.command(Command::Pause).await
    }

    async fn play_pause(&self) -> Result<(), Error> {
        self.is_stopped.store(false, Ordering::Relaxed);
        self.command(Command::Toggle).await
    }

    /// Pauses at the track's beginning, so that Play starts it anew, as the specification wants it.
    async fn stop(&self) -> Result<(), Error> {
        self.command(Command::Pause).await?;
        if self.car.status().now_playing.track.is_none() {
            return Ok(());
        }
        self.command(Command::Seek { position_us: 0 }).await?;
        self.is_stopped.store(true, Ordering::Relaxed);
        Ok(())
    }

    async fn play(&self) -> Result<(), Error> {
        self.is_stopped.store(false, Ordering::Relaxed);
        self.command(Command::Play { entry: None }).await
    }

    /// Before the start is the start, beyond the end is the next track, as the specification wants it.
    async fn seek(&self, offset: i64) -> Result<(), Error> {
        let now = self.car.status_now().now_playing;
        let target_us = now.position_us.saturating_add(offset);
        let Some(track) = now.track else { return Ok(()) };
        if target_us <= 0 {
            return self.command(Command::Seek { position_us: 0 }).await;
        }
        if track.duration_us.is_some_and(|duration_us| target_us > duration_us) {
            return self.command(Command::Next).await;
        }
        self.command(Command::SeekBy { offset_us: offset }).await
    }

    /// Ignored when it names a track that no longer plays, or a position outside of it, as the specification wants it.
    async fn set_position(&self, track_id: OwnedObjectPath, position: i64) -> Result<(), Error> {
        let status = self.car.status();
        let now = &status.now_playing;
        let Some(track) = &now.track else { return Ok(()) };
        let inside = position >= 0 && track.duration_us.is_none_or(|duration_us| position <= duration_us);
        if track_id::of(now) != track_id || !inside {
            return Ok(());
        }
        self.command(Command::Seek { position_us: position }).await
    }

    /// Puts the address after the current track, and plays it.
    async fn open_uri(&self, uri: String) -> Result<(), Error> {
        let web = uri.starts_with("http://") || uri.starts_with("https://");
        if !web || uri.len() > URL_BYTES_MAX || uri.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(Error::Invalid("only http:// and https:// addresses of audio files can be opened".into()));
        }
        let known: BTreeSet<_> = self.car.queue().entries.iter().map(|entry| entry.id.clone()).collect();
        let is_new = |entry: &&QueueEntry| entry.track.url.as_deref() == Some(&uri) && !known.contains(&entry.id);
        let index = self.car.status().now_playing.index.map(|index| index + 1);
        self.command(Command::QueueAdd { tracks: vec![Addition::Url(uri.clone())], index }).await?;
        let queue = self.car.queue_where(|queue| queue.entries.iter().any(|entry| is_new(&entry))).await;
        match queue.as_ref().and_then(|queue| queue.entries.iter().find(is_new)) {
            Some(entry) => self.command(Command::Play { entry: Some(entry.id.clone()) }).await,
            None => Err(Error::Failed("the address is in the playlist, but did not start; play it from there".into())),
        }
    }

    /// The position jumped, to here.
    #[zbus(signal)]
    pub(crate) async fn seeked(emitter: &SignalEmitter<'_>, position: i64) -> zbus::Result<()>;

    #[zbus(property)]
    fn playback_status(&self) -> String {
        let status = self.car.status();
        let now = &status.now_playing;
        match (&now.track, now.playing) {
            (Some(_), true) => "Playing".into(),
            (Some(_), false) if now.position_us == 0 && self.is_stopped.load(Ordering::Relaxed) => "Stopped".into(),
            (None, _) => "Stopped".into(),
            (Some(_), false) => "Paused".into(),
        }
    }

    #[zbus(property)]
    fn loop_status(&self) -> String {
        "None".into()
    }

    #[zbus(property)]
    fn set_loop_status(&self, value: &str) -> Result<(), Error> {
        if value == "None" { Ok(()) } else { Err(Error::Invalid("a convoy's playlist does not loop".into())) }
    }

    #[zbus(property)]
    fn shuffle(&self) -> bool {
        false
    }

    #[zbus(property)]
    fn set_shuffle(&self, value: bool) -> Result<(), Error> {
        if value { Err(Error::Invalid("a convoy's playlist is played in its order".into())) } else { Ok(()) }
    }

    #[zbus(property)]
    fn rate(&self) -> f64 {
        1.0
    }

    /// Nought pauses, any other rate is the one there is, as the specification wants it.
    #[zbus(property)]
    async fn set_rate(&self, value: f64) -> Result<(), Error> {
        if value == 0.0 { self.command(Command::Pause).await } else { Ok(()) }
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn minimum_rate(&self) -> f64 {
        1.0
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn maximum_rate(&self) -> f64 {
        1.0
    }

    #[zbus(property)]
    fn metadata(&self) -> BTreeMap<String, Variant<'static>> {
        metadata::of(&self.car.status().now_playing)
    }

    #[zbus(property)]
    fn volume(&self) -> f64 {
        self.car.status().volume
    }

    /// Out of range is the nearest that is in it, as the specification wants it.
    #[zbus(property)]
    async fn set_volume(&self, value: f64) -> Result<(), Error> {
        self.car.set_volume(if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) }).await
    }

    #[zbus(property(emits_changed_signal = "false"))]
    fn position(&self) -> i64 {
        self.car.status_now().now_playing.position_us
    }

    #[zbus(property)]
    fn can_go_next(&self) -> bool {
        let status = self.car.status();
        let after = status.now_playing.index.map_or(0, |index| index + 1);
        self.car.may_control() && after < status.queue_length
    }

    #[zbus(property)]
    fn can_go_previous(&self) -> bool {
        self.car.may_control() && self.car.status().now_playing.track.is_some()
    }

    #[zbus(property)]
    fn can_play(&self) -> bool {
        let status = self.car.status();
        self.car.may_control() && (status.now_playing.track.is_some() || status.queue_length > 0)
    }

    #[zbus(property)]
    fn can_pause(&self) -> bool {
        self.car.may_control() && self.car.status().now_playing.track.is_some()
    }

    #[zbus(property)]
    fn can_seek(&self) -> bool {
        self.car.may_control() && self.car.status().now_playing.track.is_some()
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn can_control(&self) -> bool {
        true
    }
}
