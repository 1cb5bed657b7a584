//! Tags of every format to the few that are shown: title, artist, album, ReplayGain.

use crate::wire::server::track::{NAME_BYTES_MAX, cut};
use symphonia::core::formats::FormatReader;
use symphonia::core::meta::{MetadataRevision, RawValue, StandardTag, Tag};

/// Gains beyond this are slips of a tagger.
const GAIN_DB_MAX: f32 = 40.0;
/// EBU R128 tags aim at -23 LUFS, ReplayGain 2 at -18.
const R128_TO_REPLAY_GAIN_DB: f32 = 5.0;

#[derive(Debug, Default)]
pub(super) struct Tags {
    pub title: String,
    pub artist: String,
    pub album: String,
    pub gain_db: Option<f32>,
}

/// All that the file has said so far. ID3v1, which cuts at 30 bytes, counts only where nothing else is said.
pub(super) fn read(format: &mut dyn FormatReader) -> Tags {
    let mut revisions = Vec::new();
    let mut metadata = format.metadata();
    while let Some(revision) = metadata.current() {
        revisions.push(revision.clone());
        if metadata.pop().is_none() {
            break;
        }
    }
    revisions.sort_by_key(|revision| revision.info.short_name == "id3v1");
    let mut tags = Tags::default();
    for revision in &revisions {
        take(&mut tags, revision);
    }
    tags
}

/// The first of each kind counts.
fn take(tags: &mut Tags, revision: &MetadataRevision) {
    let per_track = revision.per_track.iter().flat_map(|track| &track.metadata.tags);
    let mut album_artist = String::new();
    for tag in revision.media.tags.iter().chain(per_track) {
        match &tag.std {
            Some(StandardTag::TrackTitle(text)) => fill(&mut tags.title, text),
            Some(StandardTag::Artist(text)) => fill(&mut tags.artist, text),
            Some(StandardTag::AlbumArtist(text)) => fill(&mut album_artist, text),
            Some(StandardTag::Album(text)) => fill(&mut tags.album, text),
            Some(StandardTag::ReplayGainTrackGain(text)) => tags.gain_db = tags.gain_db.or_else(|| gain_db(text)),
            _ => tags.gain_db = tags.gain_db.or_else(|| raw_gain_db(tag)),
        }
    }
    fill(&mut tags.artist, &album_artist);
}

fn fill(field: &mut String, text: &str) {
    if field.is_empty() {
        *field = tidy(text);
    }
}

/// One line of bounded length, in whatever script.
pub(super) fn tidy(text: &str) -> String {
    let line: String = cut(text, 2 * NAME_BYTES_MAX).chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    cut(line.trim(), NAME_BYTES_MAX).trim_end().to_owned()
}

/// `-6.50 dB`, as ReplayGain writes it.
fn gain_db(text: &str) -> Option<f32> {
    let number = text.trim().trim_end_matches(|c: char| c.is_alphabetic()).trim().replace(',', ".");
    number.parse().ok().filter(|db: &f32| db.is_finite() && db.abs() <= GAIN_DB_MAX)
}

/// Opus has its own: 256ths of a dB.
fn raw_gain_db(tag: &Tag) -> Option<f32> {
    let RawValue::String(text) = &tag.raw.value else { return None };
    if !tag.raw.key.eq_ignore_ascii_case("R128_TRACK_GAIN") {
        return None;
    }
    let q8: i16 = text.trim().parse().ok()?;
    Some(f32::from(q8) / 256.0 + R128_TO_REPLAY_GAIN_DB).filter(|db| db.abs() <= GAIN_DB_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_of_any_script_and_length_becomes_one_short_line() {
        assert_eq!(tidy("  Дорога\n道\u{0}🚗 "), "Дорога 道 🚗");
        let long = tidy(&"é".repeat(5_000));
        assert!(long.len() <= NAME_BYTES_MAX && long.chars().all(|c| c == 'é'));
    }

    #[test]
    fn a_gain_is_read_as_taggers_write_it_and_nonsense_is_none() {
        assert_eq!(gain_db("-6.50 dB"), Some(-6.5));
        assert_eq!(gain_db("+1,25dB"), Some(1.25));
        assert_eq!(gain_db("0"), Some(0.0));
        assert_eq!(gain_db("NaN dB").or(gain_db("inf")).or(gain_db("-9999 dB")).or(gain_db("")), None);
    }
}
