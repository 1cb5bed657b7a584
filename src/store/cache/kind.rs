//! What a server sends: music of a known kind, or a page that says sorry.

/// Bytes from the start of a file that are enough to know it.
pub(super) const HEAD_BYTES: usize = 512;

/// The usual end of the file's name, by its first bytes and by what the server calls it; else why it is no music.
pub(super) fn extension(head: &[u8], content_type: Option<&str>) -> Result<&'static str, String> {
    let known = match head {
        [b'f', b'L', b'a', b'C', ..] => Some("flac"),
        [b'O', b'g', b'g', b'S', ..] => Some(if find(head, b"OpusHead") { "opus" } else { "ogg" }),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => Some("wav"),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Some("m4a"),
        [b'I', b'D', b'3', ..] => Some("mp3"),
        // MPEG sync; layer 0 is what ADTS has, layer 3 is coded as 1.
        [0xFF, second, ..] if second & 0xF6 == 0xF0 => Some("aac"),
        [0xFF, second, ..] if second & 0xE0 == 0xE0 => Some("mp3"),
        _ => None,
    };
    if let Some(known) = known {
        return Ok(known);
    }
    let kind = content_type.map(|text| text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    let text = head.trim_ascii_start();
    if text.starts_with(b"<") || kind.as_deref().is_some_and(|kind| kind.contains("html")) {
        return Err("the address gives a web page, not music".into());
    }
    match kind {
        // Some encoders begin with silence; the reader finds the first frame.
        Some(kind) if kind == "audio/mpeg" || kind == "audio/mp3" => Ok("mp3"),
        Some(kind) => Err(format!("the address gives no music that is known here, but {}", shown(&kind))),
        None => Err("the address gives no music that is known here".into()),
    }
}

/// Whether a server says outright that it sends something else than music.
pub(super) fn is_foreign(content_type: &str) -> bool {
    let kind = content_type.trim().to_ascii_lowercase();
    ["text/", "image/", "application/json", "application/xml", "application/xhtml"]
        .iter()
        .any(|no| kind.starts_with(no))
}

fn find(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

fn shown(kind: &str) -> String {
    kind.chars().filter(|c| !c.is_control()).take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn music_is_known_by_its_first_bytes_whatever_the_server_calls_it() {
        assert_eq!(extension(b"fLaC\0\0", Some("application/octet-stream")), Ok("flac"));
        assert_eq!(extension(b"OggS....OpusHead", None), Ok("opus"));
        assert_eq!(extension(b"RIFF\0\0\0\0WAVEfmt ", None), Ok("wav"));
        assert_eq!(extension(b"\0\0\0\x20ftypM4A ", None), Ok("m4a"));
        assert_eq!(extension(b"\xFF\xFB\x90\0", None), Ok("mp3"));
        assert_eq!(extension(b"\xFF\xF1\x50\0", None), Ok("aac"));
    }

    #[test]
    fn a_page_is_refused_with_a_word_what_it_is() {
        assert!(extension(b"  <!DOCTYPE html>", Some("audio/mpeg")).unwrap_err().contains("web page"));
        assert!(extension(b"{\"error\":1}", Some("application/json")).unwrap_err().contains("application/json"));
        assert!(extension(b"", None).is_err());
        assert!(is_foreign("Text/HTML; charset=utf-8") && !is_foreign("audio/flac") && !is_foreign("video/mp4"));
    }
}
