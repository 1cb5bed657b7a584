//! What can be done to the convoy, by a key or by the built-in script.

use crossterm::event::{Event, KeyCode, KeyEventKind, KeyModifiers};
use std::fmt;
use std::time::Duration;
use tokio::sync::mpsc;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Control(Control),
    /// Pauses what plays, plays what pauses.
    Toggle,
    /// Takes the power from a car, or gives it back.
    KillOrRevive,
    StopOrStartServer,
    Quit,
}

/// What a DJ does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    Play,
    Pause,
    SeekTo {
        position_us: i64,
    },
    SeekBy {
        offset_us: i64,
    },
    Next,
    Previous,
    /// The next car's DJ takes control.
    Take,
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Play => f.write_str("plays"),
            Self::Pause => f.write_str("pauses"),
            Self::SeekTo { position_us } => write!(f, "seeks to {} s", position_us / 1_000_000),
            Self::SeekBy { offset_us } => write!(f, "seeks by {:+} s", offset_us / 1_000_000),
            Self::Next => f.write_str("goes to the next track"),
            Self::Previous => f.write_str("goes to the previous track"),
            Self::Take => f.write_str("takes control"),
        }
    }
}

/// In the order in which the script does them, over and over, each so long after the last. It ends in the track in
/// which it began.
pub const SCRIPT: [Control; 8] = [
    Control::SeekTo { position_us: 12_000_000 },
    Control::Pause,
    Control::Play,
    Control::Next,
    Control::Previous,
    Control::Take,
    Control::SeekBy { offset_us: 7_000_000 },
    Control::SeekBy { offset_us: -3_000_000 },
];
pub const SCRIPT_STEP: Duration = Duration::from_secs(2);

pub const KEYS: [&str; 2] = [
    "space play, pause   n next   p previous   ←→ seek   t next car takes control",
    "k kill or revive a car   s stop or start the server   q quit",
];
const SEEK_US: i64 = 5_000_000;
const POLL: Duration = Duration::from_millis(100);

/// Reads keys in a thread of its own, for as long as someone listens.
pub fn listen() -> mpsc::Receiver<Action> {
    let (sender, receiver) = mpsc::channel(16);
    std::thread::spawn(move || {
        while !sender.is_closed() {
            if crossterm::event::poll(POLL).unwrap_or(false)
                && let Ok(event) = crossterm::event::read()
                && let Some(action) = action_of(&event)
                && sender.blocking_send(action).is_err()
            {
                return;
            }
        }
    });
    receiver
}

fn action_of(event: &Event) -> Option<Action> {
    let Event::Key(key) = event else { return None };
    if key.kind == KeyEventKind::Release {
        return None;
    }
    Some(match key.code {
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Action::Quit,
        KeyCode::Char(' ') => Action::Toggle,
        KeyCode::Char('n') => Action::Control(Control::Next),
        KeyCode::Char('p') => Action::Control(Control::Previous),
        KeyCode::Left => Action::Control(Control::SeekBy { offset_us: -SEEK_US }),
        KeyCode::Right => Action::Control(Control::SeekBy { offset_us: SEEK_US }),
        KeyCode::Char('t') => Action::Control(Control::Take),
        KeyCode::Char('k') => Action::KillOrRevive,
        KeyCode::Char('s') => Action::StopOrStartServer,
        KeyCode::Char('q') | KeyCode::Esc => Action::Quit,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::KeyEvent;

    #[test]
    fn each_key_does_what_the_line_below_the_table_says() {
        let of = |code| action_of(&Event::Key(KeyEvent::new(code, KeyModifiers::NONE)));
        assert_eq!(of(KeyCode::Char(' ')), Some(Action::Toggle));
        assert_eq!(of(KeyCode::Left), Some(Action::Control(Control::SeekBy { offset_us: -SEEK_US })));
        assert_eq!(of(KeyCode::Char('x')), None);
        let interrupt = Event::Key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL));
        assert_eq!(action_of(&interrupt), Some(Action::Quit));
    }
}
