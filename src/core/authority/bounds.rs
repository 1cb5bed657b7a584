//! What a change may say at all, before anyone asks whether it counts.

use crate::core::changes::{Action, Change};
use crate::core::clock::ConvoyTime;
use crate::core::convoy::{CONTROL_AHEAD_MAX_US, DATE_AHEAD_MAX_US, Snapshot};
use crate::core::playlist::{DURATION_MAX_US, Track};

/// No position is beyond the longest track.
const POSITION_MAX_US: i64 = DURATION_MAX_US;
/// Numbers that JavaScript holds exactly.
const SEQUENCE_MAX: u64 = 1 << 53;
/// Longest title, artist, album or address, in bytes.
const TEXT_BYTES_MAX: usize = 4_096;
/// Authors that a convoy remembers; each costs memory for ever.
pub(super) const AUTHORS_MAX: usize = 4_096;

/// Whether `change` is within bounds.
///
/// # Errors
/// What is wrong with it, in words for its author.
pub(in crate::core) fn check(change: &Change, snapshot: &Snapshot, now: ConvoyTime) -> Result<(), String> {
    if change.id.sequence == 0 || change.id.sequence > SEQUENCE_MAX {
        return Err(format!("a change's sequence number counts from 1 to {SEQUENCE_MAX}"));
    }
    if change.hlc.time_us > (now + DATE_AHEAD_MAX_US).0 {
        return Err("the change is dated a century ahead of the convoy's time; probe the clock first".into());
    }
    if change.term.is_beyond(snapshot.term) {
        return Err(format!("term {} cannot be: this convoy is in term {}", change.term.0, snapshot.term.0));
    }
    if !snapshot.versions.knows_author(&change.id.device) && snapshot.versions.authors() >= AUTHORS_MAX {
        return Err(format!(
            "{AUTHORS_MAX} devices have changed this convoy, which is all that it remembers; found a new one"
        ));
    }
    if let Some(anchor) = change.action.anchor() {
        if anchor.at > now + CONTROL_AHEAD_MAX_US || anchor.at.0 < 0 {
            return Err("the control would take effect too far from now; probe the clock first".into());
        }
        if !(0..=POSITION_MAX_US).contains(&anchor.position_us) {
            return Err("the position must be from 0 to a week, in microseconds".into());
        }
    }
    if let Action::Add { track, .. } = &change.action {
        check_track(track)?;
    }
    Ok(())
}

fn check_track(track: &Track) -> Result<(), String> {
    let texts = [Some(&track.title), Some(&track.artist), Some(&track.album), track.url.as_ref()];
    if texts.into_iter().flatten().any(|text| text.len() > TEXT_BYTES_MAX) {
        return Err(format!("a track's title, artist, album and address have at most {TEXT_BYTES_MAX} bytes each"));
    }
    if track.duration_us.is_some_and(|us| !(1..=POSITION_MAX_US).contains(&us)) {
        return Err("a track's length must be from 1 microsecond to a week".into());
    }
    Ok(())
}
