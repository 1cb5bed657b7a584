//! Tables whose columns stay in line, whatever stands in them.

use super::style::Style;
use super::text::{cut, fit_left, fit_right, plain, width};

/// Space between columns.
const GAP: usize = 2;
/// A column is not made narrower than this for the sake of the others.
const COLUMN_MIN: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

/// Rows under headings. Cells are made plain when they are added.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<(bool, Vec<String>)>,
}

impl Table {
    pub(super) fn new(columns: &[(&'static str, Align)]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// A row, with as many cells as there are columns; marked ones stand out.
    pub(super) fn row<const N: usize>(&mut self, marked: bool, cells: [&str; N]) {
        self.rows.push((marked, cells.iter().map(|cell| plain(cell)).collect()));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn render(&self, style: Style) -> String {
        let widths = self.widths(style.columns);
        // A terminal too narrow for even the narrowest columns loses the last ones.
        let cut = |line: String| style.columns.map_or(line.clone(), |columns| cut(&line, columns));
        let headings: Vec<String> = self.columns.iter().map(|(heading, _)| (*heading).to_owned()).collect();
        let mut out = style.dim(&cut(self.line(&headings, &widths))) + "\n";
        for (marked, cells) in &self.rows {
            let line = cut(self.line(cells, &widths));
            out += &if *marked { style.bold(&line) } else { line };
            out.push('\n');
        }
        out
    }

    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let last = widths.len().saturating_sub(1);
        let fitted =
            cells.iter().zip(widths).zip(&self.columns).enumerate().map(
                |(i, ((cell, width), (_, align)))| match align {
                    Align::Right => fit_right(cell, *width),
                    Align::Left if i == last => cut(cell, *width),
                    Align::Left => fit_left(cell, *width),
                },
            );
        fitted.collect::<Vec<_>>().join(&" ".repeat(GAP)).trim_end().to_owned()
    }

    /// The widest cell of each column; where the terminal is narrower, the widest columns give way.
    fn widths(&self, columns: Option<usize>) -> Vec<usize> {
        let mut widths: Vec<usize> = self.columns.iter().map(|(heading, _)| width(heading)).collect();
        for (_, cells) in &self.rows {
            for (widest, cell) in widths.iter_mut().zip(cells) {
                *widest = (*widest).max(width(cell));
            }
        }
        let Some(columns) = columns else { return widths };
        let room = columns.saturating_sub(GAP * widths.len().saturating_sub(1));
        while widths.iter().sum::<usize>() > room {
            let excess = widths.iter().sum::<usize>() - room;
            let second = second_widest(&widths);
            let Some(widest) = widths.iter_mut().max().filter(|widest| **widest > COLUMN_MIN) else { break };
            // Down to the next widest at once, so that a name of a million letters takes no million steps.
            let step = excess.min((*widest - second).max(1));
            *widest = (*widest - step).max(COLUMN_MIN);
        }
        widths
    }
}

fn second_widest(widths: &[usize]) -> usize {
    let mut sorted = widths.to_vec();
    sorted.sort_unstable();
    sorted.iter().rev().nth(1).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn style(columns: usize) -> Style {
        Style { colour: false, columns: Some(columns), rows: None }
    }

    #[test]
    fn columns_stay_in_line_whatever_the_names_are() {
        let mut table = Table::new(&[("#", Align::Right), ("Title", Align::Left), ("Length", Align::Right)]);
        let long = "ї".repeat(100_000);
        for title in ["Ode", "道路の音楽", "a\u{1b}[2Jb\nc", "👨\u{200d}👩\u{200d}👧", &long] {
            table.row(false, ["1", title, "3:07"]);
        }
        let rendered = table.render(style(40));
        assert!(rendered.lines().all(|line| width(line) == 40), "{rendered}");
        assert!(rendered.lines().skip(1).all(|line| line.ends_with("3:07")), "{rendered}");
    }

    #[test]
    fn no_line_is_wider_than_the_narrowest_terminal() {
        let mut table = Table::new(&[("A", Align::Left); 7]);
        table.row(true, ["a long name"; 7]);
        for columns in 1..60 {
            assert!(table.render(style(columns)).lines().all(|line| width(line) <= columns));
        }
    }

    #[test]
    fn a_pipe_gets_everything_uncut() {
        let mut table = Table::new(&[("Name", Align::Left), ("Problem", Align::Left)]);
        let long = "x".repeat(500);
        table.row(false, ["a", &long]);
        assert!(table.render(Style { colour: false, columns: None, rows: None }).contains(&long));
    }
}
