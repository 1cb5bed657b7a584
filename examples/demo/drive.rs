//! Does to the convoy what keys and script say, and keeps account of it.

use super::action::{Action, Control};
use super::convoy::Convoy;
use super::span::Span;
use anyhow::{Context, Result};
use jamz::api::client::{Client, ClientError};
use jamz::core::changes::ChangeId;
use jamz::core::clock::Monotonic;
use jamz::core::request::Done;
use jamz::host::MonotonicClock;
use std::collections::BTreeSet;
use std::time::Duration;

const HISTORY_MAX: u32 = 1_000;
const SETTLE_POLL: Duration = Duration::from_millis(200);
const SETTLE_POLLS_MAX: usize = 25;
/// After a control took effect, the time until the card's fade is over.
const FADE_S: f64 = 0.02;

/// The monotonic clock in seconds, as the virtual cards' records have it.
pub fn now_s() -> f64 {
    MonotonicClock.now().0 as f64 * 1e-6
}

/// What was done so far.
#[derive(Default)]
pub struct Account {
    pub changes: Vec<ChangeId>,
    /// Controls that no car took.
    pub refused: usize,
    pub pauses: Vec<Span>,
    /// When the music was first to be heard.
    pub starts_s: Option<f64>,
    /// For people: the last thing that was done.
    pub last: String,
}

impl Account {
    pub fn controls_sent(&self) -> usize {
        self.changes.len() + self.refused
    }

    /// Does it; what a car refuses is accounted for, and is no error.
    ///
    /// # Errors
    /// When a program cannot be started or stopped.
    pub async fn act(&mut self, convoy: &mut Convoy, action: Action) -> Result<()> {
        match action {
            Action::Quit => {}
            Action::KillOrRevive => self.kill_or_revive(convoy).await?,
            Action::StopOrStartServer if convoy.has_server() => {
                convoy.stop_server().await?;
                "the server was stopped".clone_into(&mut self.last);
            }
            Action::StopOrStartServer => {
                convoy.start_server().await?;
                "the server was started".clone_into(&mut self.last);
            }
            Action::Toggle if convoy.is_playing() => self.control(convoy, Control::Pause).await,
            Action::Toggle => self.control(convoy, Control::Play).await,
            Action::Control(control) => self.control(convoy, control).await,
        }
        Ok(())
    }

    async fn control(&mut self, convoy: &mut Convoy, control: Control) {
        let Some(leader) = convoy.leader() else {
            "no car is on".clone_into(&mut self.last);
            return;
        };
        let number = if control == Control::Take { (leader + 1) % convoy.cars.len() } else { leader };
        let Some(car) = convoy.cars.get_mut(number) else { return };
        let lead_s = car.status.as_ref().map_or(0.0, |status| status.lead_us as f64 * 1e-6);
        let sent_s = now_s();
        self.last = format!("{} {control}", car.name);
        let result = match car.client().await {
            Ok(client) => ask(client, control).await.map_err(|refusal| refusal.to_string()),
            Err(problem) => Err(problem.to_string()),
        };
        match result {
            Ok(done) => self.changes.extend(done.changes),
            Err(refusal) => {
                self.refused += 1;
                self.last = format!("{}: {refusal}", car.name);
                return;
            }
        }
        let effective_s = now_s() + lead_s + FADE_S;
        if control == Control::Pause {
            self.pauses.push(Span { from_s: sent_s, to_s: f64::INFINITY });
        } else if control == Control::Play {
            self.starts_s.get_or_insert(effective_s);
            if let Some(pause) = self.pauses.last_mut() {
                pause.to_s = pause.to_s.min(effective_s);
            }
        }
    }

    /// The first car that is off, or else the last that does not lead.
    async fn kill_or_revive(&mut self, convoy: &mut Convoy) -> Result<()> {
        let leader = convoy.leader();
        if let Some(car) = convoy.cars.iter_mut().find(|car| !car.is_on()) {
            self.last = format!("{} is switched on", car.name);
            return car.switch_on();
        }
        let listener = convoy.cars.iter_mut().enumerate().rfind(|(number, _)| Some(*number) != leader);
        if let Some((_, car)) = listener {
            self.last = format!("{} lost its power", car.name);
            car.kill().await?;
        }
        Ok(())
    }

    /// How many of the controls every car says to have applied; waits a little for the last ones.
    ///
    /// # Errors
    /// When a car does not answer.
    pub async fn controls_applied(&self, convoy: &mut Convoy) -> Result<usize> {
        let mut applied = 0;
        for _ in 0..SETTLE_POLLS_MAX {
            let mut everywhere: BTreeSet<String> = self.changes.iter().map(ToString::to_string).collect();
            for car in &mut convoy.cars {
                let history = car.client().await?.history(HISTORY_MAX).await.context("no history")?;
                let here: BTreeSet<String> =
                    history.into_iter().filter(|entry| entry.state == "applied").map(|entry| entry.id).collect();
                everywhere.retain(|id| here.contains(id));
            }
            applied = everywhere.len();
            if applied == self.changes.len() {
                break;
            }
            tokio::time::sleep(SETTLE_POLL).await;
        }
        Ok(applied)
    }
}

async fn ask(client: &Client, control: Control) -> Result<Done, ClientError> {
    match control {
        Control::Play => client.play(None).await,
        Control::Pause => client.pause().await,
        Control::SeekTo { position_us } => client.seek(position_us).await,
        Control::SeekBy { offset_us } => client.seek_by(offset_us).await,
        Control::Next => client.next().await,
        Control::Previous => client.previous().await,
        Control::Take => client.take().await,
    }
}
