//! What a server's answer means for a file of which some bytes are here.

use super::kind::is_foreign;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, LAST_MODIFIED};

/// What to do with the body that follows.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It goes on where we are, or, from the start, with bytes that are here already.
    Body { from: u64, total: Option<u64> },
    /// All is here.
    Complete,
    /// What is here belongs to another version of the file.
    Restart,
    /// The server has no time now.
    Later(String),
    /// There is no use in asking again.
    Never(String),
}

/// Reads status and headers, with `have` bytes here and `max` allowed.
pub(super) fn read(status: StatusCode, headers: &HeaderMap, have: u64, max: u64) -> Answer {
    if let Some(refusal) = refusal(status) {
        return refusal;
    }
    let total = if status == StatusCode::PARTIAL_CONTENT {
        match content_range(headers) {
            Some((from, total)) if from == have => total,
            _ => return Answer::Restart,
        }
    } else if status == StatusCode::RANGE_NOT_SATISFIABLE {
        return if range_total(headers) == Some(have) { Answer::Complete } else { Answer::Restart };
    } else {
        text(headers, CONTENT_LENGTH).and_then(|length| length.parse().ok())
    };
    if let Some(kind) = text(headers, CONTENT_TYPE).filter(|kind| is_foreign(kind)) {
        let shown: String = kind.chars().filter(|c| !c.is_control()).take(60).collect();
        return Answer::Never(format!("the address gives no music, but {shown}"));
    }
    if total.is_some_and(|total| total > max) {
        return Answer::Never(too_large(max));
    }
    if total.is_some_and(|total| total < have) {
        return Answer::Restart;
    }
    Answer::Body { from: if status == StatusCode::PARTIAL_CONTENT { have } else { 0 }, total }
}

pub(super) fn too_large(max: u64) -> String {
    format!("it is larger than {} MB, which is all that one track may have (`file_mb_max`)", max / 1_000_000)
}

/// The name of this version of the file, for `If-Range`: a strong tag, else the date.
pub(super) fn validator(headers: &HeaderMap) -> Option<String> {
    text(headers, ETAG).filter(|tag| tag.starts_with('"')).or_else(|| text(headers, LAST_MODIFIED)).map(str::to_owned)
}

fn refusal(status: StatusCode) -> Option<Answer> {
    let code = status.as_u16();
    Some(match code {
        200 | 206 | 416 => return None,
        300..=399 => Answer::Never(format!("the server redirects badly (HTTP {code})")),
        401 | 403 => Answer::Never(format!("the server does not give it out (HTTP {code})")),
        404 | 410 => Answer::Never(format!("the server does not have it (HTTP {code})")),
        408 | 425 | 429 | 500..=599 => Answer::Later(format!("the server cannot give it now (HTTP {code})")),
        _ => Answer::Never(format!("the server answers HTTP {code}")),
    })
}

/// `bytes 100-199/200` or `bytes 100-199/*`: where it begins, and the whole length.
fn content_range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let (range, total) = text(headers, CONTENT_RANGE)?.strip_prefix("bytes ")?.split_once('/')?;
    let (from, _) = range.split_once('-')?;
    Some((from.trim().parse().ok()?, total.trim().parse().ok()))
}

/// `bytes */200`, as it comes with a refusal of the range.
fn range_total(headers: &HeaderMap) -> Option<u64> {
    text(headers, CONTENT_RANGE)?.strip_prefix("bytes */")?.trim().parse().ok()
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_range_goes_on_only_where_we_are() {
        let partial = headers(&[(CONTENT_RANGE, "bytes 100-199/200")]);
        let at = |have| read(StatusCode::PARTIAL_CONTENT, &partial, have, 1_000);
        assert_eq!(at(100), Answer::Body { from: 100, total: Some(200) });
        assert_eq!(at(99), Answer::Restart);
        assert_eq!(read(StatusCode::PARTIAL_CONTENT, &HeaderMap::new(), 5, 9), Answer::Restart);
        let refused = headers(&[(CONTENT_RANGE, "bytes */200")]);
        assert_eq!(read(StatusCode::RANGE_NOT_SATISFIABLE, &refused, 200, 1_000), Answer::Complete);
        assert_eq!(read(StatusCode::RANGE_NOT_SATISFIABLE, &refused, 150, 1_000), Answer::Restart);
    }

    #[test]
    fn an_answer_that_is_no_music_or_too_large_is_refused_before_its_body() {
        let page = headers(&[(CONTENT_TYPE, "text/html")]);
        assert!(matches!(read(StatusCode::OK, &page, 0, 9), Answer::Never(why) if why.contains("text/html")));
        let large = headers(&[(CONTENT_LENGTH, "2000001")]);
        assert!(matches!(read(StatusCode::OK, &large, 0, 2_000_000), Answer::Never(why) if why.contains("2 MB")));
        assert_eq!(read(StatusCode::OK, &headers(&[(CONTENT_LENGTH, "5")]), 6, 9), Answer::Restart);
        assert!(matches!(read(StatusCode::NOT_FOUND, &page, 0, 9), Answer::Never(_)));
        assert!(matches!(read(StatusCode::BAD_GATEWAY, &page, 0, 9), Answer::Later(_)));
    }

    #[test]
    fn a_weak_tag_names_no_version() {
        assert_eq!(validator(&headers(&[(ETAG, "W/\"1\"")])), None);
        assert_eq!(validator(&headers(&[(ETAG, "\"1\""), (LAST_MODIFIED, "x")])).as_deref(), Some("\"1\""));
        assert_eq!(validator(&headers(&[(ETAG, "W/\"1\""), (LAST_MODIFIED, "x")])).as_deref(), Some("x"));
    }
}
