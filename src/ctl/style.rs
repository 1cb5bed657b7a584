//! Colours, for terminals that want them.

use std::io::IsTerminal;

/// How the output is dressed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    pub(super) colour: bool,
    /// Columns of the terminal; none on a pipe, where nothing is cut.
    pub(super) columns: Option<usize>,
    pub(super) rows: Option<usize>,
}

impl Style {
    /// As standard output wants it: no colours on a pipe, on a dumb terminal, or with `NO_COLOR` (no-color.org).
    pub(super) fn of_stdout() -> Self {
        let unset = |name| std::env::var_os(name).is_none_or(|value| value.is_empty());
        let is_terminal = std::io::stdout().is_terminal();
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let size = if is_terminal { terminal_size::terminal_size() } else { None };
        Self {
            colour: is_terminal && !is_dumb && unset("NO_COLOR"),
            columns: size.map(|(width, _)| usize::from(width.0)).or(is_terminal.then_some(80)),
            rows: size.map(|(_, height)| usize::from(height.0)),
        }
    }

    pub(super) fn bold(self, text: &str) -> String {
        self.dress("1", text)
    }

    pub(super) fn dim(self, text: &str) -> String {
        self.dress("2", text)
    }

    pub(super) fn good(self, text: &str) -> String {
        self.dress("32", text)
    }

    pub(super) fn doubtful(self, text: &str) -> String {
        self.dress("33", text)
    }

    pub(super) fn bad(self, text: &str) -> String {
        self.dress("31", text)
    }

    fn dress(self, code: &str, text: &str) -> String {
        if self.colour && !text.is_empty() { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}
