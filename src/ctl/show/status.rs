//! The car at a glance: one line per subject.

use crate::core::id::short;
use crate::core::status::{ActiveSync, AudioStatus, Connection, Fetching, NowPlaying, SocketState, Status};
use crate::ctl::style::Style;
use crate::ctl::text::{cut, duration, milliseconds, plain};

/// Width of the labels on the left.
const LABEL: usize = 10;

#[derive(Clone, Copy)]
enum Tone {
    Plain,
    Good,
    Doubtful,
    Bad,
}

/// All lines, each no wider than the terminal.
pub(in crate::ctl) fn lines(status: &Status, style: Style) -> Vec<String> {
    let mut page = Page { style, lines: Vec::new() };
    page.head(status);
    page.line("Sync", &sync(&status.connection), sync_tone(&status.connection));
    page.line("Playing", &playing(status), if status.now_playing.playing { Tone::Good } else { Tone::Plain });
    page.line("Clock", &clock(status), if status.clock.synced { Tone::Plain } else { Tone::Doubtful });
    page.line("Sound", &sound(&status.audio), sound_tone(status));
    let ducked = if status.ducked { ", ducked" } else { "" };
    page.line("Volume", &format!("{} %{ducked}", (status.volume * 100.0).round()), Tone::Plain);
    let online = status.members.iter().filter(|member| member.online).count();
    page.line("Members", &format!("{}, {online} online", status.members.len()), Tone::Plain);
    page.line("Library", &library(status), Tone::Plain);
    for fetching in &status.library.fetching {
        page.line("Fetching", &fetch(fetching), Tone::Plain);
    }
    let pending = status.changes.pending;
    let changes = format!("{} known, {pending} not yet acknowledged", status.changes.applied);
    page.line("Changes", &changes, if pending > 0 { Tone::Doubtful } else { Tone::Plain });
    page.lines
}

/// What plays and where in it, on one line.
pub(in crate::ctl) fn playing(status: &Status) -> String {
    let now = &status.now_playing;
    let Some(name) = track_name(now) else {
        return if status.queue_length == 0 { "nothing; the queue is empty".into() } else { "nothing".into() };
    };
    let length = now.track.as_ref().and_then(|track| track.duration_us);
    let length = length.map_or_else(|| "?".to_owned(), duration);
    let place = now.index.map(|index| format!(" ({} of {})", index + 1, status.queue_length)).unwrap_or_default();
    let paused = if now.playing { "" } else { ", paused" };
    format!("{} / {length}{paused}, {name}{place}", duration(now.position_us))
}

/// A track's title and artist, or what else is known of it.
fn track_name(now: &NowPlaying) -> Option<String> {
    let track = now.track.as_ref()?;
    let title = if track.title.is_empty() { track.url.as_deref().unwrap_or(track.id.as_str()) } else { &track.title };
    Some(if track.artist.is_empty() { title.to_owned() } else { format!("{title} by {}", track.artist) })
}

/// A bar of the track's progress; empty when there is nothing to show.
pub(in crate::ctl) fn bar(status: &Status, style: Style) -> String {
    let columns = style.columns.unwrap_or(0).saturating_sub(LABEL);
    let length = status.now_playing.track.as_ref().and_then(|track| track.duration_us).filter(|us| *us > 0);
    let Some(length) = length else { return String::new() };
    let share = (status.now_playing.position_us as f64 / length as f64).clamp(0.0, 1.0);
    let done = (share * columns as f64).round() as usize;
    format!(
        "{}{}{}",
        " ".repeat(LABEL),
        style.good(&"━".repeat(done)),
        style.dim(&"─".repeat(columns - done.min(columns)))
    )
}

struct Page {
    style: Style,
    lines: Vec<String>,
}

impl Page {
    fn head(&mut self, status: &Status) {
        let name = if status.name.is_empty() { short(&status.device) } else { &status.name };
        let convoy = match &status.convoy {
            Some(convoy) => format!("in convoy {convoy}, {}", leader(status)),
            None => "in no convoy".to_owned(),
        };
        let line = self.fitted(&format!("{name}, {convoy}"), 0);
        self.lines.push(self.style.bold(&line));
    }

    fn line(&mut self, label: &str, value: &str, tone: Tone) {
        let value = self.fitted(value, LABEL);
        let value = match tone {
            Tone::Plain => value,
            Tone::Good => self.style.good(&value),
            Tone::Doubtful => self.style.doubtful(&value),
            Tone::Bad => self.style.bad(&value),
        };
        self.lines.push(self.style.dim(&format!("{label:<LABEL$}")) + &value);
    }

    fn fitted(&self, text: &str, indent: usize) -> String {
        let text = plain(text);
        self.style.columns.map_or(text.clone(), |columns| cut(&text, columns.saturating_sub(indent)))
    }
}

fn leader(status: &Status) -> String {
    match &status.controller {
        _ if status.is_controller => "this car is the DJ".into(),
        None => "nobody leads".into(),
        Some(device) => format!("{} is the DJ", name_of(status, device)),
    }
}

/// A member's name; of one that has none, or is not known, what is shown of its id.
pub(in crate::ctl) fn name_of<'a>(status: &'a Status, device: &'a str) -> &'a str {
    let member = status.members.iter().find(|member| member.device == device);
    member.map(|member| member.name.as_str()).filter(|name| !name.is_empty()).unwrap_or_else(|| short(device))
}

fn sync(connection: &Connection) -> String {
    let round_trip = connection.round_trip_us.map(|us| format!(", round trip {}", milliseconds(us)));
    let reason = if connection.reason.is_empty() { String::new() } else { format!(": {}", connection.reason) };
    format!(
        "{} (server {}{}){reason}",
        connection.active_sync.as_str(),
        connection.socket_io.as_str(),
        round_trip.unwrap_or_default()
    )
}

fn sync_tone(connection: &Connection) -> Tone {
    match (connection.active_sync, connection.socket_io) {
        (ActiveSync::Socket, SocketState::Connected) => Tone::Good,
        (ActiveSync::Offline, _) => Tone::Bad,
        _ => Tone::Doubtful,
    }
}

fn clock(status: &Status) -> String {
    match (status.clock.synced, status.clock.bound_us) {
        (true, Some(bound_us)) => {
            let by = status.clock.through.last().map(|device| format!(", by {}", name_of(status, device)));
            let (within, rate_ppm) = (milliseconds(bound_us), status.clock.rate_ppm);
            format!("known within {within}, {rate_ppm:+.1} ppm{}", by.unwrap_or_default())
        }
        (true, None) => "known".into(),
        (false, _) => "the convoy's time is not known yet".into(),
    }
}

fn sound(audio: &AudioStatus) -> String {
    let output = if audio.output.is_empty() { "no output" } else { &audio.output };
    if let Some(problem) = &audio.problem {
        return format!("{output}: {problem}");
    }
    let rate = audio.rate_hz.map(|hz| format!(", {hz} Hz")).unwrap_or_default();
    let in_sync = if audio.in_sync { ", in sync" } else { ", silent" };
    let offset = audio.offset_us.map(|us| format!(", off by {}", milliseconds(us))).unwrap_or_default();
    let correction = format!(", {:+.1} ppm", audio.correction_ppm);
    format!("{output}{rate}{in_sync}{offset}{correction}, {} underruns", audio.underruns)
}

fn sound_tone(status: &Status) -> Tone {
    match (&status.audio.problem, status.audio.in_sync) {
        (Some(_), _) => Tone::Bad,
        (None, true) => Tone::Good,
        (None, false) if status.now_playing.playing => Tone::Doubtful,
        (None, false) => Tone::Plain,
    }
}

fn library(status: &Status) -> String {
    let library = &status.library;
    let problems = if library.problems > 0 { format!(", {} unusable files", library.problems) } else { String::new() };
    let scan = library.scanning.map(|(done, found)| format!(", scanning {done} of {found} files")).unwrap_or_default();
    format!("{} tracks{problems}{scan}", library.tracks)
}

fn fetch(fetching: &Fetching) -> String {
    let megabytes = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
    let done = match fetching.bytes_total.filter(|total| *total > 0) {
        Some(total) => {
            let percent = (fetching.bytes as f64 / total as f64 * 100.0).floor();
            format!("{percent} % of {}", megabytes(total))
        }
        None => megabytes(fetching.bytes),
    };
    format!("{}: {done}", fetching.track)
}
