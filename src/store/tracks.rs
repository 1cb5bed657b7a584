//! Finds the file of a track: in the library.

use super::library::{Found, Library};
use crate::core::id::TrackId;
use crate::core::io::{Input, Source, TrackEvent};
use crate::core::playlist::Track;
use std::sync::Arc;
use tokio::sync::mpsc;

/// stand-in
pub struct Tracks {
    /// library
    pub library: Arc<Library>,
    events: mpsc::Sender<Input>,
}

impl Tracks {
    /// start
    #[must_use]
    pub fn new(library: Arc<Library>, events: mpsc::Sender<Input>) -> Self {
        Self { library, events }
    }
    /// resolve
    pub fn resolve(&self, track: Track) {
        let event = match self.library.get(&track.id) {
            Some(Found { track, gain_db }) => TrackEvent::Ready {
                track: track.id,
                source: Source { path: track.path, growing: None },
                duration_us: track.duration_us,
                gain_db,
            },
            None => TrackEvent::Missing { track: track.id, problem: "not here".into() },
        };
        let _ = self.events.try_send(Input::Track(event));
    }
    /// get
    #[must_use]
    pub fn get(&self, id: &TrackId) -> Option<Found> {
        self.library.get(id)
    }
}
