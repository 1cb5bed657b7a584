//! `watch`: the car's state live, as a screen on a terminal, as lines on a pipe, as JSON lines for programs.

use super::failure::Failure;
use super::out::{Out, print};
use super::show;
use super::style::Style;
use super::text::{cut, plain};
use crate::api::client::{Client, ClientError, Event, Events};
use crate::core::status::Status;
use serde_json::json;
use std::collections::VecDeque;
use std::io::IsTerminal;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// How often the state is shown when nothing happens.
const TICK: Duration = Duration::from_secs(1);
/// On a terminal, where the position runs.
const SCREEN_TICK: Duration = Duration::from_millis(250);
/// What belongs together comes in several signals; one showing is enough.
const SETTLE: Duration = Duration::from_millis(20);
/// Notices that stay on the screen.
const NOTICES_MAX: usize = 5;

/// Watches until interrupted. A head unit or a bus that goes away is waited for.
pub(super) async fn run(bus: &str, out: Out) -> Result<(), Failure> {
    let client = Client::connect(bus).await?;
    client.status().await?;
    let mut view = View {
        out,
        screen: !out.json && std::io::stdout().is_terminal(),
        last: String::new(),
        notices: VecDeque::new(),
    };
    view.open()?;
    let watched = tokio::select! {
        watched = view.follow(bus, client) => watched,
        () = interrupted() => Ok(()),
    };
    view.close()?;
    watched
}

async fn interrupted() {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

struct View {
    out: Out,
    /// A whole screen is redrawn, rather than lines added.
    screen: bool,
    /// The line shown last, so that none is shown twice.
    last: String,
    notices: VecDeque<String>,
}

impl View {
    async fn follow(&mut self, bus: &str, first: Client) -> Result<(), Failure> {
        let mut client = Some(first);
        loop {
            if let Some(connected) = client.take() {
                match connected.subscribe().await {
                    Ok(mut events) => self.follow_events(&connected, &mut events).await?,
                    Err(error) => self.absent(&error)?,
                }
            }
            tokio::time::sleep(TICK).await;
            match Client::connect(bus).await {
                Ok(connected) => client = Some(connected),
                Err(error) => self.absent(&error)?,
            }
        }
    }

    /// Until the bus is gone.
    async fn follow_events(&mut self, client: &Client, events: &mut Events) -> Result<(), Failure> {
        let tick = if self.screen { SCREEN_TICK } else { TICK };
        loop {
            match client.status().await {
                Ok(status) => self.status(&status)?,
                Err(error) => self.absent(&error)?,
            }
            let Ok(first) = tokio::time::timeout(tick, events.next()).await else { continue };
            let mut next = first;
            loop {
                match next {
                    Some(event) => self.event(&event)?,
                    None => return Ok(()),
                }
                match tokio::time::timeout(SETTLE, events.next()).await {
                    Ok(event) => next = event,
                    Err(_) => break,
                }
            }
        }
    }

    fn status(&mut self, status: &Status) -> Result<(), Failure> {
        if self.out.json {
            return self.out.show(&json!({"event": "status", "status": status}), |_| String::new());
        }
        if self.screen {
            // The window may have another size by now.
            self.out.style = Style::of_stdout();
            return self.draw(show::status::lines(status, self.out.style), &show::status::bar(status, self.out.style));
        }
        self.line(summary(status))
    }

    fn event(&mut self, event: &Event) -> Result<(), Failure> {
        let (json, line) = match event {
            Event::Changed | Event::Appeared | Event::Vanished => return Ok(()),
            Event::Seeked { position_us } => (json!({"event": "seeked", "position_us": position_us}), None),
            Event::Notice { kind, details } => {
                let told = details.iter().map(|(key, value)| format!("{key} {value}")).collect::<Vec<_>>().join(", ");
                let line = if told.is_empty() { kind.clone() } else { format!("{kind}: {told}") };
                (json!({"event": "notice", "kind": kind, "details": details}), Some(line))
            }
        };
        match line {
            _ if self.out.json => self.out.show(&json, |_| String::new()),
            Some(line) if self.screen => {
                self.notices.push_back(line);
                while self.notices.len() > NOTICES_MAX {
                    self.notices.pop_front();
                }
                Ok(())
            }
            Some(line) => print(&(plain(&line) + "\n")),
            None => Ok(()),
        }
    }

    fn absent(&mut self, error: &ClientError) -> Result<(), Failure> {
        let line = format!("{error}; waiting for it");
        if self.out.json {
            return if std::mem::replace(&mut self.last, line.clone()) == line {
                Ok(())
            } else {
                self.out.show(&json!({"event": "absent"}), |_| String::new())
            };
        }
        if self.screen { self.draw(vec![self.out.style.bad(&plain(&line))], "") } else { self.line(line) }
    }

    fn line(&mut self, line: String) -> Result<(), Failure> {
        if line == self.last {
            return Ok(());
        }
        print(&(plain(&line) + "\n"))?;
        self.last = line;
        Ok(())
    }

    /// Draws over what was there, without blanking it first, so that nothing flickers.
    fn draw(&self, mut lines: Vec<String>, bar: &str) -> Result<(), Failure> {
        let style = self.out.style;
        if !bar.is_empty() {
            lines.insert(3.min(lines.len()), bar.to_owned());
        }
        for notice in &self.notices {
            lines.push(style.doubtful(&cut(&plain(notice), style.columns.unwrap_or(80))));
        }
        lines.truncate(style.rows.unwrap_or(24).saturating_sub(1));
        print(&format!("\u{1b}[H{}\u{1b}[K\n\u{1b}[J", lines.join("\u{1b}[K\n")))
    }

    fn open(&self) -> Result<(), Failure> {
        if self.screen { print("\u{1b}[?1049h\u{1b}[?25l") } else { Ok(()) }
    }

    fn close(&self) -> Result<(), Failure> {
        if self.screen { print("\u{1b}[?25h\u{1b}[?1049l") } else { Ok(()) }
    }
}

/// The state on one line, without what runs by itself.
fn summary(status: &Status) -> String {
    let now = &status.now_playing;
    let state = match (&now.track, now.playing) {
        (None, _) => "stopped".to_owned(),
        (Some(track), playing) => {
            let title = if track.title.is_empty() { track.id.as_str() } else { &track.title };
            format!("{} {title}", if playing { "playing" } else { "paused at" })
        }
    };
    let leader = status.controller.as_deref().map_or("nobody", |device| show::status::name_of(status, device));
    let online = status.members.iter().filter(|member| member.online).count();
    format!(
        "{state}; {}, DJ {leader}, {online} online, {} in the queue, volume {} %{}",
        status.connection.active_sync.as_str(),
        status.queue_length,
        (status.volume * 100.0).round(),
        if status.ducked { ", ducked" } else { "" },
    )
}
