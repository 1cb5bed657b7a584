//! What was done, and what became of it.

use crate::core::id::short;
use crate::core::request::HistoryEntry;
use crate::ctl::style::Style;
use crate::ctl::table::{Align, Table};

const DAY_S: i64 = 86_400;

pub(in crate::ctl) fn text(entries: &[HistoryEntry], style: Style) -> String {
    let columns = [("Time (UTC)", Align::Left), ("Who", Align::Left), ("Did", Align::Left), ("What", Align::Left)];
    let mut table = Table::new(&[columns.as_slice(), &[("State", Align::Left), ("Reason", Align::Left)]].concat());
    for entry in entries {
        let who = entry.user.as_deref().unwrap_or_else(|| short(&entry.device));
        let subject = entry.subject.as_deref().unwrap_or_default();
        let reason = entry.reason.as_deref().unwrap_or_default();
        let time = time(entry.recorded_unix_s);
        table.row(false, [&time, who, &entry.action, subject, &entry.state, reason]);
    }
    if table.is_empty() { "Nothing was done yet.\n".into() } else { table.render(style) }
}

/// What waits for someone to tell it to.
pub(in crate::ctl) fn pending(entries: &[HistoryEntry], style: Style) -> String {
    if entries.is_empty() { "Nothing waits: all that was done here is known.\n".into() } else { text(entries, style) }
}

/// `2026-11-22 16:10:11`, by the proleptic Gregorian calendar (Hinnant, "chrono-compatible low-level date algorithms").
pub(super) fn time(unix_s: i64) -> String {
    let (days, second) = (unix_s.div_euclid(DAY_S), unix_s.rem_euclid(DAY_S));
    // Days since 0000-03-01, so that a leap day is the last of its year.
    let days = days.saturating_add(719_468);
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        assert_eq!(time(0), "1970-01-01 00:00:00");
        assert_eq!(time(951_782_399), "2000-02-28 23:59:59");
        assert_eq!(time(951_782_400), "2000-02-29 00:00:00");
        assert_eq!(time(1_795_363_811), "2026-11-22 16:10:11");
        assert_eq!(time(-1), "1969-12-31 23:59:59");
    }
}
