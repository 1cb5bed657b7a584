//! Standard output: text for people, JSON for programs.

use super::failure::Failure;
use super::style::Style;
use serde::Serialize;
use std::fmt::Write as _;
use std::io::{ErrorKind, Write};

#[derive(Debug, Clone, Copy)]
pub(super) struct Out {
    pub(super) json: bool,
    pub(super) style: Style,
}

impl Out {
    /// Prints the value as one line of JSON, or as `text` makes it.
    pub(super) fn show(self, value: &impl Serialize, text: impl FnOnce(Style) -> String) -> Result<(), Failure> {
        if !self.json {
            return print(&text(self.style));
        }
        let json = serde_json::to_string(value)
            .map_err(|error| Failure::new(format!("no JSON can be made of it: {error}")))?;
        print(&(escaped(&json) + "\n"))
    }
}

/// Writes to standard output. A reader that has had enough (`jamzctl queue list | head`) is no failure.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// JSON may have DEL and C1 controls as they are; a terminal that shows it must not.
fn escaped(json: &str) -> String {
    json.chars().fold(String::with_capacity(json.len()), |mut out, c| {
        if ('\u{7f}'..='\u{9f}').contains(&c) {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_on_a_terminal_has_no_control_characters_and_means_the_same() {
        let json = serde_json::to_string("a\u{9b}31m\u{1b}[2J\u{7f}").unwrap();
        assert!(!escaped(&json).chars().any(char::is_control));
        assert_eq!(serde_json::from_str::<String>(&escaped(&json)).unwrap(), "a\u{9b}31m\u{1b}[2J\u{7f}");
    }
}
