//! What people call entries and tracks, made into ids.

use super::failure::Failure;
use crate::api::client::Client;
use crate::api::{Queue, QueueEntry};
use crate::core::id::{EntryId, TrackId};
use crate::core::request::{Addition, LibraryTrack};

/// Hex digits of a whole track id (BLAKE3).
const ID_LENGTH: usize = 64;
/// Fewer would be ambiguous too easily, and look like words.
const PREFIX_MIN: usize = 8;
/// Most tracks that one search text may add.
const FOUND_MAX: u32 = 1_000;
/// Candidates that an error names.
const NAMED_MAX: usize = 5;

/// An entry by its place, counted from 1, or by its id.
pub(super) fn entry(queue: &Queue, text: &str) -> Result<EntryId, Failure> {
    let by_place = text.parse::<usize>().ok().and_then(|place| queue.entries.get(place.checked_sub(1)?));
    let by_id = || queue.entries.iter().find(|entry| entry.id.as_str() == text);
    let found: Option<&QueueEntry> = by_place.or_else(by_id);
    found.map(|entry| entry.id.clone()).ok_or_else(|| {
        let length = queue.entries.len();
        Failure::new(format!("{text:?} is no entry of the queue, which has {length}; see `jamzctl queue list`"))
    })
}

/// What to add for one argument: an address, a track id or its beginning, or what a search finds.
pub(super) async fn additions(client: &Client, text: &str, all: bool) -> Result<Vec<Addition>, Failure> {
    if text.starts_with("http://") || text.starts_with("https://") {
        return Ok(vec![Addition::Url(text.to_owned())]);
    }
    let hex = text.len() >= PREFIX_MIN && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if hex && text.len() == ID_LENGTH {
        let id = TrackId::new(text.to_lowercase()).map_err(|error| Failure::usage(error.to_string()))?;
        return Ok(vec![Addition::Library(id)]);
    }
    if text.trim().is_empty() {
        return Err(Failure::usage(
            "an empty text names no track; give a track's id, an address, or words to search for",
        ));
    }
    let mut found = client.library_search(text, FOUND_MAX).await?;
    if hex {
        let prefix = text.to_lowercase();
        let named: Vec<_> = found.iter().filter(|track| track.id.as_str().starts_with(&prefix)).cloned().collect();
        if !named.is_empty() {
            found = named;
        }
    }
    match found.as_slice() {
        [] => Err(Failure::new(format!("no track of the library matches {text:?}; see `jamzctl library search`"))),
        [track] => Ok(vec![Addition::Library(track.id.clone())]),
        tracks if all => Ok(tracks.iter().map(|track| Addition::Library(track.id.clone())).collect()),
        tracks => Err(Failure::new(ambiguous(text, tracks))),
    }
}

fn ambiguous(text: &str, tracks: &[LibraryTrack]) -> String {
    let named = tracks.iter().take(NAMED_MAX).map(|track| {
        let id = track.id.as_str().get(..12).unwrap_or(track.id.as_str());
        format!("{id} ({})", if track.title.is_empty() { &track.path } else { &track.title })
    });
    let named = named.collect::<Vec<_>>().join(", ");
    let more = if tracks.len() > NAMED_MAX { ", ..." } else { "" };
    format!("{} tracks match {text:?}: {named}{more}; name one by its id, or add all with --all", tracks.len())
}
