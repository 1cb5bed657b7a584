//! MPRIS names each place in the tracklist by an object path.

use crate::core::status::NowPlaying;
use std::fmt::Write;
use zbus::{ObjectPath, OwnedObjectPath};

const PREFIX: &str = "/com/trafficjamz/track/";
/// The specification's own name for nothing.
const NO_TRACK: &str = "/org/mpris/MediaPlayer2/TrackList/NoTrack";

/// The path of what plays: of its entry, or of the track itself while it stands in no playlist.
pub(crate) fn of(now: &NowPlaying) -> OwnedObjectPath {
    let id = now.entry.as_deref().or_else(|| now.track.as_ref().map(|track| track.id.as_str()));
    match id {
        Some(id) => path(id),
        None => ObjectPath::from_static_str_unchecked(NO_TRACK).into(),
    }
}

/// Letters and digits stay, any other byte becomes `_` and its hex.
fn path(id: &str) -> OwnedObjectPath {
    let mut path = String::with_capacity(PREFIX.len() + id.len());
    path.push_str(PREFIX);
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() {
            path.push(char::from(byte));
        } else {
            let _ = write!(path, "_{byte:02x}");
        }
    }
    ObjectPath::try_from(path).unwrap_or(ObjectPath::from_static_str_unchecked(NO_TRACK)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_entry_has_a_valid_path_of_its_own() {
        let ids = ["car-1:17", "car_1:17", "car_2d1:17", "é", "🚗", "a/b", "0"];
        let mut paths: Vec<String> = ids.iter().map(|id| path(id).to_string()).collect();
        assert_eq!(paths[0], "/com/trafficjamz/track/car_2d1_3a17");
        assert!(paths.iter().all(|p| ObjectPath::try_from(p.as_str()).is_ok()));
        paths.sort();
        paths.dedup();
        assert_eq!(paths.len(), ids.len());
    }

    #[test]
    fn nothing_chosen_is_the_specifications_no_track() {
        assert_eq!(of(&NowPlaying::default()).as_str(), NO_TRACK);
    }
}
