//! Text from elsewhere, made fit for a terminal: without control, and of a known width.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Characters without a look of their own that turn the reading direction of what follows (marks, embeddings,
/// overrides, isolates), annotate, tag, or mark byte order.
const STEERING: [std::ops::RangeInclusive<char>; 7] = [
    '\u{61c}'..='\u{61c}',
    '\u{200e}'..='\u{200f}',
    '\u{202a}'..='\u{202e}',
    '\u{2066}'..='\u{2069}',
    '\u{feff}'..='\u{feff}',
    '\u{fff9}'..='\u{fffb}',
    '\u{e0001}'..='\u{e0001}',
];

/// Removes what could steer a terminal (escape sequences begin with a control character) or the reading of what
/// follows; blanks of any kind become spaces.
pub(super) fn plain(text: &str) -> String {
    let harmless = text.chars().filter(|c| !STEERING.iter().any(|range| range.contains(c)));
    let visible = |c: char| match c {
        c if c.is_whitespace() => ' ',
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    harmless.map(visible).collect()
}

/// Columns that a text takes on a terminal.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// A text of at most `columns`, cut with an ellipsis where it is longer.
pub(super) fn cut(text: &str, columns: usize) -> String {
    // Marks without width can be piled up without end.
    let chars_max = columns.saturating_mul(8).max(64);
    if text.width() <= columns && text.chars().take(chars_max + 1).count() <= chars_max {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 0;
    for c in text.chars().take(chars_max) {
        let next = used + c.width().unwrap_or(0);
        if next + 1 > columns {
            break;
        }
        used = next;
        kept.push(c);
    }
    // A sequence such as an emoji with joiners may be wider than the sum of its characters.
    while kept.width() + 1 > columns && kept.pop().is_some() {}
    if columns > 0 {
        kept.push('…');
    }
    kept
}

/// Exactly `columns` wide: cut, or filled with spaces on the right.
pub(super) fn fit_left(text: &str, columns: usize) -> String {
    let text = cut(text, columns);
    let fill = " ".repeat(columns.saturating_sub(text.width()));
    text + &fill
}

/// Exactly `columns` wide: cut, or filled with spaces on the left.
pub(super) fn fit_right(text: &str, columns: usize) -> String {
    let text = cut(text, columns);
    " ".repeat(columns.saturating_sub(text.width())) + &text
}

/// `3:07` or `1:02:03`; whole seconds.
pub(super) fn duration(us: i64) -> String {
    let seconds = us.max(0) / 1_000_000;
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// Microseconds as milliseconds, with as many digits as they deserve.
pub(super) fn milliseconds(us: i64) -> String {
    if us.abs() < 10_000 { format!("{:.2} ms", us as f64 / 1e3) } else { format!("{:.0} ms", us as f64 / 1e3) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_reaches_the_terminal_as_control() {
        let hostile = "a\u{1b}[2J\u{9b}31m\u{7}\r\nb\u{202e}c\u{0}\u{7f}";
        let shown = plain(hostile);
        assert!(!shown.chars().any(char::is_control), "{shown:?}");
        assert!(!shown.contains('\u{202e}'));
        assert!(shown.contains("[2J") && shown.ends_with("c\u{fffd}\u{fffd}"));
    }

    #[test]
    fn every_script_fills_exactly_its_column() {
        let family = "👨\u{200d}👩\u{200d}👧\u{200d}👦 family";
        let zalgo = "e\u{301}".repeat(50) + &"\u{301}".repeat(5_000);
        for text in [
            "",
            "plain",
            "道路の音楽はとても長い名前です",
            "Конвой",
            "مرحبا بالعالم الكبير",
            family,
            &zalgo,
            "naïve 🚗🚙",
        ] {
            for columns in [1, 2, 3, 8, 15, 40] {
                let fitted = fit_left(text, columns);
                assert_eq!(width(&fitted), columns, "{fitted:?}");
                assert_eq!(width(&fit_right(text, columns)), columns);
                assert!(fitted.chars().count() <= columns * 8 + 64);
            }
        }
    }

    #[test]
    fn durations_read_like_a_player_shows_them() {
        assert_eq!([0, 187_999_999, 3_723_000_000, -5].map(duration), ["0:00", "3:07", "1:02:03", "0:00"]);
    }
}
