//! What MPRIS tells of a track, with the types that its specification gives.

use super::track_id;
use crate::core::status::NowPlaying;
use serde_json::Value;
use std::collections::BTreeMap;
use zbus::Variant;

/// Longest address of a cover that is passed on, in bytes.
const ART_BYTES_MAX: usize = 4_096;

/// What is not known is left out. Nothing chosen is an empty dictionary.
pub(crate) fn of(now: &NowPlaying) -> BTreeMap<String, Variant<'static>> {
    let mut fields = BTreeMap::new();
    let Some(track) = &now.track else { return fields };
    fields.insert("mpris:trackid".to_owned(), track_id::of(now).into_inner().into());
    if let Some(length_us) = track.duration_us {
        fields.insert("mpris:length".to_owned(), length_us.into());
    }
    if !track.title.is_empty() {
        fields.insert("xesam:title".to_owned(), track.title.clone().into());
    }
    if !track.artist.is_empty() {
        fields.insert("xesam:artist".to_owned(), vec![track.artist.clone()].into());
    }
    if !track.album.is_empty() {
        fields.insert("xesam:album".to_owned(), track.album.clone().into());
    }
    if let Some(url) = &track.url {
        fields.insert("xesam:url".to_owned(), url.clone().into());
    }
    if let Some(art) = track.extra.get("albumArt").and_then(Value::as_str).filter(|art| is_web(art)) {
        fields.insert("mpris:artUrl".to_owned(), art.to_owned().into());
    }
    fields
}

/// Covers are named by other members: only web addresses go on to programs that would open whatever they are given.
fn is_web(address: &str) -> bool {
    address.len() <= ART_BYTES_MAX && (address.starts_with("https://") || address.starts_with("http://"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::id::TrackId;
    use crate::core::playlist::Track;
    use serde_json::json;

    fn now_playing(art: &str) -> NowPlaying {
        let track = Track {
            id: TrackId::new("t").unwrap(),
            title: "Título".into(),
            artist: "A".into(),
            album: String::new(),
            duration_us: Some(7),
            url: None,
            extra: json!({"albumArt": art}).as_object().cloned().unwrap(),
        };
        NowPlaying { track: Some(track), entry: Some("e:1".into()), ..NowPlaying::default() }
    }

    #[test]
    fn metadata_has_the_specifications_types_and_leaves_out_what_is_unknown() {
        let fields = of(&now_playing("https://x/y.jpg"));
        let types: Vec<(String, String)> =
            fields.iter().map(|(key, value)| (key.clone(), value.value_signature().to_string())).collect();
        let wanted = [
            ("mpris:artUrl", "s"),
            ("mpris:length", "x"),
            ("mpris:trackid", "o"),
            ("xesam:artist", "as"),
            ("xesam:title", "s"),
        ];
        assert_eq!(types, wanted.map(|(key, of)| (key.to_owned(), of.to_owned())));
    }

    #[test]
    fn a_cover_that_names_a_local_file_is_not_passed_on() {
        assert!(!of(&now_playing("file:///etc/passwd")).contains_key("mpris:artUrl"));
    }
}
