//! What the cars say of themselves, for people: a live table on a terminal, a line a second elsewhere.

use super::action::KEYS;
use super::car::{Car, Card};
use super::convoy::Convoy;
use super::road::Cable;
use crossterm::style::{Attribute, SetAttribute, Stylize};
use crossterm::terminal::{Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen};
use crossterm::{cursor, execute, queue, terminal};
use jamz::core::status::Status;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

/// The track's title has what is left of the terminal's width.
const WIDTHS: [usize; 9] = [6, 4, 7, 0, 8, 9, 8, 9, 7];
const TITLE_WIDTH_MIN: usize = 8;
const HEADS: [&str; 9] = ["car", "role", "tier", "track", "position", "offset", "within", "underruns", "card"];

pub enum View {
    /// On a terminal: drawn over itself. The terminal is as it was when this is dropped.
    Table,
    Lines,
}

impl View {
    /// # Errors
    /// When the terminal cannot be set up.
    pub fn open() -> io::Result<Self> {
        if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
            return Ok(Self::Lines);
        }
        terminal::enable_raw_mode()?;
        execute!(io::stdout(), EnterAlternateScreen, cursor::Hide)?;
        Ok(Self::Table)
    }

    pub fn has_keys(&self) -> bool {
        matches!(self, Self::Table)
    }

    pub fn period(&self) -> Duration {
        match self {
            Self::Table => Duration::from_millis(200),
            Self::Lines => Duration::from_secs(1),
        }
    }

    /// # Errors
    /// When nobody reads any more.
    pub fn show(&self, convoy: &Convoy, elapsed_s: f64, last: &str) -> io::Result<()> {
        match self {
            Self::Table => draw(convoy, last),
            Self::Lines => {
                let cars: Vec<String> = convoy.cars.iter().map(line).collect();
                writeln!(io::stdout(), "{elapsed_s:5.1} s  {}   ({last})", cars.join("  |  "))
            }
        }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        if self.has_keys() {
            let _ = execute!(io::stdout(), LeaveAlternateScreen, cursor::Show);
            let _ = terminal::disable_raw_mode();
        }
    }
}

fn draw(convoy: &Convoy, last: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    queue!(out, cursor::MoveTo(0, 0))?;
    let mut put = |text: &str| -> io::Result<()> {
        write!(out, "{text}")?;
        queue!(out, SetAttribute(Attribute::Reset), Clear(ClearType::UntilNewLine))?;
        write!(out, "\r\n")
    };
    put(&row(&HEADS.map(str::to_owned)).bold().to_string())?;
    for car in &convoy.cars {
        let text = row(&cells(car));
        let leads = car.status.as_ref().is_some_and(|status| status.is_controller);
        let text = if car.status.is_none() {
            text.dim()
        } else if leads {
            text.green()
        } else {
            text.reset()
        };
        put(&text.to_string())?;
    }
    put("")?;
    put(&networks(convoy))?;
    put(last)?;
    put("")?;
    for keys in KEYS {
        put(&keys.dim().to_string())?;
    }
    queue!(out, Clear(ClearType::FromCursorDown))?;
    out.flush()
}

fn networks(convoy: &Convoy) -> String {
    let server = if convoy.has_server() { "the server runs" } else { "the server is stopped" };
    let cut = |cable| {
        let cars = convoy.cars.iter().filter(|car| convoy.road.is_cut(cable, car.number));
        cars.map(|car| car.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    let named = [("internet", cut(Cable::Internet)), ("LAN", cut(Cable::Lan))];
    let cuts = named.into_iter().filter(|(_, cars)| !cars.is_empty());
    cuts.fold(server.to_owned(), |text, (network, cars)| format!("{text}   no {network}: {cars}"))
}

fn row(cells: &[String; 9]) -> String {
    let columns = terminal::size().map_or(80, |(columns, _)| usize::from(columns));
    let left = columns.saturating_sub(WIDTHS.iter().sum::<usize>() + WIDTHS.len());
    let fit = |(cell, width): (&String, usize)| {
        let width = if width == 0 { left.max(TITLE_WIDTH_MIN) } else { width };
        let short: String = cell.chars().take(width).collect();
        format!("{short:<width$}")
    };
    cells.iter().zip(WIDTHS).map(fit).collect::<Vec<_>>().join(" ")
}

fn cells(car: &Car) -> [String; 9] {
    let card = match car.card {
        Card::Real => "real".to_owned(),
        Card::Virtual { ppm } => format!("{ppm:+} ppm"),
    };
    let Some(status) = &car.status else {
        let state = if car.is_on() { "starts" } else { "off" };
        return [&car.name, state, "", "", "", "", "", "", &card].map(str::to_owned);
    };
    [
        car.name.clone(),
        if status.is_controller { "DJ" } else { "" }.to_owned(),
        status.connection.active_sync.as_str().to_owned(),
        status.now_playing.track.as_ref().map(|track| track.title.clone()).unwrap_or_default(),
        position(status),
        offset(status),
        status.clock.bound_us.map_or_else(|| "unknown".to_owned(), |us| format!("±{:.2} ms", us as f64 / 1e3)),
        status.audio.underruns.to_string(),
        card,
    ]
}

fn line(car: &Car) -> String {
    let [name, role, tier, track, position, offset, bound, underruns, _] = cells(car);
    let role = if role.is_empty() { String::new() } else { format!(" {role}") };
    format!("{name}{role} {tier} {track} {position} {offset} {bound} {underruns}")
}

fn position(status: &Status) -> String {
    let seconds = status.now_playing.position_us / 1_000_000;
    let mark = if status.now_playing.playing { '>' } else { '=' };
    format!("{mark}{}:{:02}", seconds / 60, seconds % 60)
}

/// Of the sound from where convoy time says that it should be, by the car's own word.
fn offset(status: &Status) -> String {
    match (status.audio.in_sync, status.audio.offset_us) {
        (true, Some(us)) => format!("{:+.3} ms", us as f64 / 1e3),
        _ if status.audio.problem.is_some() => "no sound".to_owned(),
        _ => "-".to_owned(),
    }
}
