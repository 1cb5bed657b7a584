//! Music of a chosen length on a small web server, and the tracks that the web client makes of it.

use crate::http::{Page, Site};
use serde_json::{Value, json};
use std::path::Path;

const RATE_HZ: u32 = 8_000;

/// A tone of so many seconds as a WAV file.
fn tone(seconds: u32) -> Vec<u8> {
    let data = seconds * RATE_HZ * 2;
    let mut file = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data".to_vec();
    file.extend(data.to_le_bytes());
    file[4..8].copy_from_slice(&(data + 36).to_le_bytes());
    let sample = |n: u32| (8_000.0 * (f64::from(n) * 0.3).sin()) as i16;
    file.extend((0..seconds * RATE_HZ).flat_map(|n| sample(n).to_le_bytes()));
    file
}

/// Writes a tune of so many seconds into a folder of music; each length is another tune.
pub(crate) fn write(folder: &Path, name: &str, seconds: u32) {
    std::fs::write(folder.join(format!("{name}.wav")), tone(seconds)).unwrap();
}

/// Puts a tune of so many seconds on the site; its address.
pub(crate) fn put(site: &Site, name: &str, seconds: u32) -> String {
    let page = Page::Ranges { body: tone(seconds), tag: "\"1\"", breaks_after: usize::MAX };
    site.put(&format!("{name}.wav"), page)
}

/// A tune as the web client describes an upload, with fields that only it knows.
pub(crate) fn track(site: &Site, name: &str, seconds: u32) -> Value {
    json!({
        "id": name, "title": format!("Title of {name}"), "artist": "Web", "album": "", "duration": seconds,
        "fileUrl": put(site, name, seconds), "source": "local", "uploadedBy": "web-user",
            "albumArt": format!("art of {name}"),
        "isrc": null, "likes": { "count": 3 },
    })
}
