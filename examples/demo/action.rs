//! What can be done to the convoy, by a key or by a script.

use super::road::Cable;
use crossterm::event::{Event, KeyCode, KeyEventKind, KeyModifiers};
use std::fmt;
use std::time::Duration;
use tokio::sync::mpsc;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Control(Control),
    /// Pauses what plays, plays what pauses.
    Toggle,
    /// Takes the power from a car; with no number, from one that does not lead.
    Kill {
        car: Option<usize>,
    },
    /// Gives the cars that are off their power back.
    Revive,
    /// Whichever of the two can be done.
    KillOrRevive,
    /// Asks the server to end, as systemd does.
    StopServer,
    /// Ends it without a word.
    KillServer,
    StartServer,
    StopOrStartServer,
    /// Cuts a car's cable, or those of all cars.
    Cut {
        cable: Cable,
        car: Option<usize>,
    },
    /// Plugs it in again.
    Mend {
        cable: Cable,
        car: Option<usize>,
    },
    /// The car hears nothing of what the other sends to it over the LAN; it is heard itself.
    Deafen {
        car: usize,
        to: usize,
    },
    Hear {
        car: usize,
        to: usize,
    },
    /// Mends all cables and ears, and starts the server.
    Restore,
    /// Cuts what is whole, mends what is cut.
    CutOrMend {
        cable: Cable,
        car: Option<usize>,
    },
    Quit,
}

/// As a script says it.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verb, car) = match self {
            Self::Kill { car } => ("kill", car),
            Self::Cut { cable: Cable::Internet, car } => ("cut-internet", car),
            Self::Cut { cable: Cable::Lan, car } => ("cut-lan", car),
            Self::Mend { cable: Cable::Internet, car } => ("mend-internet", car),
            Self::Mend { cable: Cable::Lan, car } => ("mend-lan", car),
            Self::Deafen { car, to } => return write!(f, "deafen {} {}", car + 1, to + 1),
            Self::Hear { car, to } => return write!(f, "hear {} {}", car + 1, to + 1),
            Self::StopServer => ("stop-server", &None),
            Self::KillServer => ("kill-server", &None),
            Self::StartServer => ("start-server", &None),
            Self::Restore => ("restore", &None),
            other => return write!(f, "{other:?}"),
        };
        f.write_str(verb)?;
        car.map_or(Ok(()), |car| write!(f, " {}", car + 1))
    }
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
    /// Somebody in that car adds a track to the playlist.
    Add {
        car: usize,
    },
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
            Self::Add { .. } => f.write_str("adds a track"),
        }
    }
}

pub const KEYS: [&str; 3] = [
    "space play, pause   n next   p previous   ←→ seek   t next car takes control",
    "i cut or restore the internet   1-9 one car's   w the LAN between the cars",
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
        KeyCode::Char('i') => Action::CutOrMend { cable: Cable::Internet, car: None },
        KeyCode::Char('w') => Action::CutOrMend { cable: Cable::Lan, car: None },
        KeyCode::Char(digit @ '1'..='9') => {
            let car = digit.to_digit(10).map(|number| number as usize - 1);
            Action::CutOrMend { cable: Cable::Internet, car }
        }
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
        let second = Action::CutOrMend { cable: Cable::Internet, car: Some(1) };
        assert_eq!(of(KeyCode::Char('2')), Some(second));
        let interrupt = Event::Key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL));
        assert_eq!(action_of(&interrupt), Some(Action::Quit));
    }
}
