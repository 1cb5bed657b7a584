//! `com.trafficjamz.HeadUnit1.Queue`: the convoy's playlist.

use super::row::TrackRow;
use super::{Quiet, bounded};
use crate::api::car::Car;
use crate::api::error::Error;
use crate::core::id::{EntryId, TrackId};
use crate::core::request::{Addition, Command};
use zbus::interface;

/// Most tracks that one call adds.
pub(crate) const ADD_MAX: usize = 1_000;
/// Most entries that one call lists.
const PAGE_MAX: usize = 500;
/// Most bytes that one call lists; the bus would cut off whoever sends a message beyond its limit.
const PAGE_BYTES_MAX: usize = 1 << 20;
const URL_BYTES_MAX: usize = 4_096;

pub(crate) struct Queue {
    car: Car,
}

impl Queue {
    pub(crate) fn new(car: Car) -> Self {
        Self { car }
    }
}

impl Quiet for Queue {
    const QUIET: &'static [&'static str] = &[];
}

/// Entries are named by their ids, never by places: the list may change while a call is on its way. A change of the
/// list shows as a change of Revision.
#[interface(
    name = "com.trafficjamz.HeadUnit1.Queue",
    proxy(
        default_service = "com.trafficjamz.HeadUnit1",
        default_path = "/com/trafficjamz/HeadUnit1",
        visibility = "pub(crate)"
    )
)]
impl Queue {
    /// Adds up to 1000 tracks, each ("library", track id) or ("url", address of an audio file), at the place `index`
    /// counted from nought, or at the end (-1).
    #[zbus(out_args("reach", "changes"))]
    async fn add(&self, tracks: Vec<(String, String)>, index: i64) -> Result<(String, Vec<String>), Error> {
        if tracks.is_empty() || tracks.len() > ADD_MAX {
            return Err(Error::Invalid(format!("{} tracks given; one call adds 1 to {ADD_MAX}", tracks.len())));
        }
        let tracks = tracks.into_iter().map(addition).collect::<Result<_, _>>()?;
        self.car.command(Command::QueueAdd { tracks, index: usize::try_from(index).ok() }).await
    }

    #[zbus(out_args("reach", "changes"))]
    async fn remove(&self, entry: String) -> Result<(String, Vec<String>), Error> {
        self.car.command(Command::QueueRemove { entry: EntryId::new(entry)? }).await
    }

    /// Moves an entry to the place `index`, counted from nought.
    #[zbus(name = "Move", out_args("reach", "changes"))]
    async fn shift(&self, entry: String, index: u64) -> Result<(String, Vec<String>), Error> {
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        self.car.command(Command::QueueMove { entry: EntryId::new(entry)?, index }).await
    }

    #[zbus(out_args("reach", "changes"))]
    async fn clear(&self) -> Result<(String, Vec<String>), Error> {
        self.car.command(Command::QueueClear).await
    }

    /// A page of the list from the place `first` on. It may be shorter than `count`; ask on from where it ends, and
    /// from the start when the revision has changed meanwhile. Entries are dictionaries as Player.Track is.
    #[zbus(out_args("revision", "total", "entries"))]
    fn list(&self, first: u64, count: u64) -> (u64, u64, Vec<TrackRow>) {
        let queue = self.car.queue();
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(PAGE_MAX);
        let mut bytes = 0;
        let rows = queue.entries.iter().skip(usize::try_from(first).unwrap_or(usize::MAX)).take(count);
        let page = rows
            .map(|entry| TrackRow::new(Some(entry.id.as_str()), &entry.track))
            .take_while(|row| {
                let fits = bytes < PAGE_BYTES_MAX;
                bytes += row.bytes();
                fits
            })
            .collect();
        (queue.revision, queue.entries.len() as u64, page)
    }

    #[zbus(property)]
    fn length(&self) -> u64 {
        self.car.status().queue_length as u64
    }

    /// Grows whenever the list changes.
    #[zbus(property)]
    fn revision(&self) -> u64 {
        self.car.queue().revision
    }
}

fn addition((kind, name): (String, String)) -> Result<Addition, Error> {
    match kind.as_str() {
        "library" => Ok(Addition::Library(TrackId::new(name)?)),
        "url" => {
            bounded("an address", &name, URL_BYTES_MAX)?;
            if name.is_empty() || name.chars().any(|c| c.is_control() || c.is_whitespace()) {
                return Err(Error::Invalid("an address must not be empty or contain blanks".into()));
            }
            Ok(Addition::Url(name))
        }
        _ => Err(Error::Invalid("a track is named by \"library\" and its id, or by \"url\" and its address".into())),
    }
}
