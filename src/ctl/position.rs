//! Positions and loudness as people write them.

use std::str::FromStr;

/// More than any track lasts; keeps sums of microseconds far from overflow.
const SECONDS_MAX: f64 = 1e9;

/// Where to seek.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Position {
    To { position_us: i64 },
    By { offset_us: i64 },
}

impl FromStr for Position {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let problem = || format!("{text:?} is no position; write 1:23, 83.5, +10 or -10");
        let (sign, rest) = signed(text);
        let us = microseconds(rest).ok_or_else(problem)?;
        Ok(match sign {
            Some(sign) => Self::By { offset_us: sign * us },
            None => Self::To { position_us: us },
        })
    }
}

/// How loud, as a share of 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Loudness {
    To(f64),
    By(f64),
}

impl Loudness {
    /// The loudness that comes of it, within 0 and 1.
    pub(super) fn from(self, now: f64) -> f64 {
        match self {
            Self::To(level) => level,
            Self::By(step) => (now + step).clamp(0.0, 1.0),
        }
    }
}

impl FromStr for Loudness {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let problem = || format!("{text:?} is no loudness; write 0 to 100, +5 or -5");
        let (sign, rest) = signed(text);
        let percent = number(rest.strip_suffix('%').unwrap_or(rest)).filter(|n| *n <= 100.0).ok_or_else(problem)?;
        Ok(match sign {
            Some(sign) => Self::By(sign as f64 * percent / 100.0),
            None => Self::To(percent / 100.0),
        })
    }
}

fn signed(text: &str) -> (Option<i64>, &str) {
    match (text.strip_prefix('+'), text.strip_prefix(['-', '\u{2212}'])) {
        (Some(rest), _) => (Some(1), rest),
        (_, Some(rest)) => (Some(-1), rest),
        _ => (None, text),
    }
}

/// `83.5`, `1:23.5` or `1:02:03`.
fn microseconds(text: &str) -> Option<i64> {
    let parts: Vec<&str> = text.split(':').collect();
    let (last, before) = parts.split_last()?;
    if before.len() > 2 {
        return None;
    }
    let mut seconds = 0.0;
    for part in before {
        if part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        seconds = (seconds + number(part)?) * 60.0;
    }
    let rest = number(last)?;
    if !before.is_empty() && rest >= 60.0 {
        return None;
    }
    seconds += rest;
    (seconds <= SECONDS_MAX).then(|| (seconds * 1e6).round() as i64)
}

/// A number without sign, exponent or other surprises.
fn number(text: &str) -> Option<f64> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    text.parse::<f64>().ok().filter(|n| plain && n.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_read_as_people_write_them() {
        let to = |position_us| Ok(Position::To { position_us });
        let by = |offset_us| Ok(Position::By { offset_us });
        for (text, wanted) in [
            ("1:23", to(83_000_000)),
            ("83.5", to(83_500_000)),
            ("0", to(0)),
            ("1:02:03.25", to(3_723_250_000)),
            ("90:00", to(5_400_000_000)),
            ("+10", by(10_000_000)),
            ("-1:00", by(-60_000_000)),
        ] {
            assert_eq!(text.parse::<Position>(), wanted, "{text}");
        }
        for text in [
            "", ":", "1:", ":30", "1:60", "1:2:3:4", "abc", "1e3", "inf", "nan", "--1", "+-1", "1:-3", "9e99", "1.2:30",
        ] {
            assert!(text.parse::<Position>().is_err(), "{text}");
        }
    }

    #[test]
    fn loudness_is_in_percent_and_stays_in_range() {
        assert_eq!("40".parse(), Ok(Loudness::To(0.4)));
        assert_eq!("40%".parse(), Ok(Loudness::To(0.4)));
        assert!("-5".parse::<Loudness>().unwrap().from(0.02) <= 0.0);
        assert!("+5".parse::<Loudness>().unwrap().from(0.99) >= 1.0);
        for text in ["101", "", "%", "loud", "1e1", "NaN"] {
            assert!(text.parse::<Loudness>().is_err(), "{text}");
        }
    }
}
