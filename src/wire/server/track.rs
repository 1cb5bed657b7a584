//! A track as today's backend and its web client write it: seconds, `fileUrl`, and fields of their own that are kept.

use crate::core::id::TrackId;
use crate::core::playlist::Track;
use serde_json::{Map, Value};

/// Longest title, artist or album that is kept, in bytes; what is longer is cut.
pub const NAME_BYTES_MAX: usize = 1_024;
/// Longest address of a file, in bytes; a longer one is dropped.
pub const URL_BYTES_MAX: usize = 4_096;
/// Most room for fields of the backend that the daemon does not know, in bytes of JSON; more is dropped.
pub const EXTRA_BYTES_MAX: usize = 4_096;

/// Reads a track; none when it is no object or has no usable `id`.
#[must_use]
pub fn parse(value: &Value) -> Option<Track> {
    let mut fields = value.as_object()?.clone();
    let id = match fields.shift_remove("id").or_else(|| fields.shift_remove("_id"))? {
        Value::String(text) => TrackId::new(text).ok()?,
        Value::Number(number) => TrackId::new(number.to_string()).ok()?,
        _ => return None,
    };
    let duration_us = fields.shift_remove("duration").and_then(|d| seconds_us(&d)).filter(|us| *us > 0);
    let url = ["fileUrl", "url"].iter().find_map(|key| fields.get(*key).and_then(Value::as_str).map(str::to_owned));
    let url = url.filter(|url| url.len() <= URL_BYTES_MAX && !url.is_empty());
    fields.shift_remove("fileUrl");
    Some(Track {
        id,
        title: name(fields.shift_remove("title").as_ref()),
        artist: name(fields.shift_remove("artist").as_ref()),
        album: name(fields.shift_remove("album").as_ref()),
        duration_us,
        url,
        extra: bounded(fields),
    })
}

/// Writes a track with all that the backend once said of it.
#[must_use]
pub fn format(track: &Track) -> Value {
    let mut fields = Map::new();
    fields.insert("id".into(), track.id.as_str().into());
    fields.insert("title".into(), track.title.as_str().into());
    fields.insert("artist".into(), track.artist.as_str().into());
    fields.insert("album".into(), track.album.as_str().into());
    if let Some(duration_us) = track.duration_us {
        fields.insert("duration".into(), seconds(duration_us).into());
    }
    if let Some(url) = &track.url {
        fields.insert("fileUrl".into(), url.as_str().into());
    }
    for (key, value) in &track.extra {
        fields.entry(key.clone()).or_insert_with(|| value.clone());
    }
    fields.entry("source").or_insert_with(|| "local".into());
    Value::Object(fields)
}

/// Seconds, as number or text, to microseconds; none when it is no finite, sane number.
#[must_use]
pub fn seconds_us(value: &Value) -> Option<i64> {
    let seconds = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    (seconds.is_finite() && seconds.abs() < 1e9).then(|| (seconds * 1e6).round() as i64)
}

/// Microseconds to seconds.
#[must_use]
pub fn seconds(us: i64) -> f64 {
    us as f64 / 1e6
}

/// Cuts a text to `bytes_max` at a character's border.
#[must_use]
pub fn cut(text: &str, bytes_max: usize) -> &str {
    let end = (0..=bytes_max.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

fn name(value: Option<&Value>) -> String {
    value.and_then(Value::as_str).map(|text| cut(text, NAME_BYTES_MAX).to_owned()).unwrap_or_default()
}

fn bounded(fields: Map<String, Value>) -> Map<String, Value> {
    let bytes = serde_json::to_string(&fields).map_or(usize::MAX, |text| text.len());
    if bytes <= EXTRA_BYTES_MAX { fields } else { Map::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_backend_track_comes_back_with_all_its_fields() {
        let value = json!({"id": "abc", "title": "Тест", "artist": "A", "album": "B", "duration": 12.5,
            "fileUrl": "https://x/y.mp3", "albumArt": "z", "source": "local", "isrc": null});
        let track = parse(&value).unwrap();
        assert_eq!((track.duration_us, track.url.as_deref()), (Some(12_500_000), Some("https://x/y.mp3")));
        assert_eq!(format(&track), value);
    }

    #[test]
    fn odd_tracks_are_bounded_or_refused() {
        assert_eq!(parse(&json!({"title": "no id"})), None);
        assert_eq!(parse(&json!("text")), None);
        assert_eq!(parse(&json!({"id": 7, "duration": "200"})).unwrap().duration_us, Some(200_000_000));
        let huge = parse(&json!({"id": "a", "title": "é".repeat(5_000), "junk": "x".repeat(9_999)})).unwrap();
        assert!(huge.title.len() <= NAME_BYTES_MAX && huge.extra.is_empty());
        assert_eq!(parse(&json!({"id": "a", "duration": 1e300})).unwrap().duration_us, None);
    }
}
