//! Does to the convoy what keys and script say, and keeps account of it.

use super::action::{Action, Control};
use super::car::Car;
use super::convoy::Convoy;
use super::failover::{Failover, Watch};
use super::road::Cable;
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
const TIER_POLL: Duration = Duration::from_millis(50);
/// So long a car may take to see that its tier has changed.
const TIER_S_MAX: f64 = 6.0;
/// What a card played last before the power goes is not in its record yet.
const RECORD_S: f64 = 0.5;
/// So long a car that gets its power back may be silent.
const REVIVE_S_MAX: f64 = 5.0;
/// The control that is given at the moment of a cut.
const NUDGE: Control = Control::SeekBy { offset_us: 1_000_000 };
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
    /// When which car had no power, or was only just starting.
    pub absences: Vec<(usize, Span)>,
    pub failovers: Vec<Failover>,
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
    /// When a program cannot be started or stopped, or a car does not answer.
    pub async fn act(&mut self, convoy: &mut Convoy, action: Action) -> Result<()> {
        match resolve(convoy, action) {
            Action::Control(control) => self.control(convoy, control).await,
            Action::Kill { car } => self.kill(convoy, car).await?,
            Action::Revive => self.revive(convoy)?,
            Action::StopServer => {
                convoy.stop_server().await?;
                "the server was stopped".clone_into(&mut self.last);
            }
            Action::StartServer => {
                convoy.start_server().await?;
                "the server was started".clone_into(&mut self.last);
            }
            Action::Cut { cable, car } => self.set_cut(convoy, cable, car, true).await?,
            Action::Mend { cable, car } => self.set_cut(convoy, cable, car, false).await?,
            Action::Restore => self.restore(convoy).await?,
            _ => {}
        }
        Ok(())
    }

    /// Cuts a cable, or plugs it in. When that is to change the tier, a control is given at that moment and timed.
    async fn set_cut(&mut self, convoy: &mut Convoy, cable: Cable, car: Option<usize>, cut: bool) -> Result<()> {
        if !convoy.road.can_be_cut() {
            "no network can be cut here: this user may make no network namespaces".clone_into(&mut self.last);
            return Ok(());
        }
        convoy.refresh().await?;
        let seen = car.or_else(|| convoy.leader()).unwrap_or(0);
        let from = tier(convoy, seen);
        let watch = Watch::begin(convoy).await?;
        convoy.set_cut(cable, car, cut)?;
        let cut_s = now_s();
        let ((), applied_s) = tokio::join!(self.control(convoy, NUDGE), watch.applied_everywhere());
        let applied_s = applied_s?;
        let what = match cable {
            Cable::Internet => "the internet",
            Cable::Lan => "the LAN between the cars",
        };
        self.last = format!("{what} was {}", if cut { "cut" } else { "restored" });
        let to = self.await_tier(convoy, seen, &from).await?;
        if to != from {
            let ms = applied_s.map_or(f64::INFINITY, |applied_s| ((applied_s - cut_s) * 1e4).round() / 10.0);
            self.last = format!("{}: {from} to {to}, a control took {ms} ms", self.last);
            self.failovers.push(Failover { from, to, ms });
        }
        Ok(())
    }

    /// The tier that follows, once it differs; it is left alone for a while.
    async fn await_tier(&self, convoy: &mut Convoy, car: usize, from: &str) -> Result<String> {
        let give_up_s = now_s() + TIER_S_MAX;
        loop {
            convoy.refresh().await?;
            let now = tier(convoy, car);
            if now != from || now_s() > give_up_s {
                return Ok(now);
            }
            tokio::time::sleep(TIER_POLL).await;
        }
    }

    async fn restore(&mut self, convoy: &mut Convoy) -> Result<()> {
        for car in 0..convoy.cars.len() {
            if convoy.road.is_cut(Cable::Lan, car) {
                convoy.set_cut(Cable::Lan, Some(car), false)?;
            }
        }
        if convoy.is_cut(Cable::Internet, None) {
            self.set_cut(convoy, Cable::Internet, None, false).await?;
        }
        "all cables are plugged in".clone_into(&mut self.last);
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

    fn revive(&mut self, convoy: &mut Convoy) -> Result<()> {
        for car in convoy.cars.iter_mut().filter(|car| !car.is_on()) {
            self.last = format!("{} is switched on", car.name);
            car.switch_on(&convoy.road)?;
            if let Some((_, absence)) = self.absences.iter_mut().rfind(|(number, _)| *number == car.number) {
                absence.to_s = now_s() + REVIVE_S_MAX;
            }
        }
        Ok(())
    }

    async fn kill(&mut self, convoy: &mut Convoy, number: Option<usize>) -> Result<()> {
        let leader = convoy.leader();
        let meant = |car: &Car| number.map_or(Some(car.number) != leader, |number| car.number == number);
        if let Some(car) = convoy.cars.iter_mut().rfind(|car| car.is_on() && meant(car)) {
            self.last = format!("{} lost its power", car.name);
            let from_s = now_s() - RECORD_S;
            self.absences.push((car.number, Span { from_s, to_s: f64::INFINITY }));
            car.kill().await?;
        }
        Ok(())
    }

    /// How many of the controls every car says to have applied, and how many some car has never heard of; waits a
    /// little for the last ones.
    ///
    /// # Errors
    /// When a car does not answer.
    pub async fn controls_settled(&self, convoy: &mut Convoy) -> Result<(usize, usize)> {
        let (mut applied, mut lost) = (0, 0);
        for _ in 0..SETTLE_POLLS_MAX {
            let mut everywhere: BTreeSet<String> = self.changes.iter().map(ToString::to_string).collect();
            let mut known = everywhere.clone();
            for car in &mut convoy.cars {
                let history = car.client().await?.history(HISTORY_MAX).await.context("no history")?;
                let all: BTreeSet<&str> = history.iter().map(|entry| entry.id.as_str()).collect();
                known.retain(|id| all.contains(id.as_str()));
                let counts = history.iter().filter(|entry| entry.state == "applied");
                let here: BTreeSet<&str> = counts.map(|entry| entry.id.as_str()).collect();
                everywhere.retain(|id| here.contains(id.as_str()));
            }
            (applied, lost) = (everywhere.len(), self.changes.len() - known.len());
            if applied == self.changes.len() {
                break;
            }
            tokio::time::sleep(SETTLE_POLL).await;
        }
        Ok((applied, lost))
    }
}

/// What a key that does one thing or its opposite means now.
fn resolve(convoy: &Convoy, action: Action) -> Action {
    match action {
        Action::Toggle if convoy.is_playing() => Action::Control(Control::Pause),
        Action::Toggle => Action::Control(Control::Play),
        Action::KillOrRevive if convoy.cars.iter().all(Car::is_on) => Action::Kill { car: None },
        Action::KillOrRevive => Action::Revive,
        Action::StopOrStartServer if convoy.has_server() => Action::StopServer,
        Action::StopOrStartServer => Action::StartServer,
        Action::CutOrMend { cable, car } if convoy.is_cut(cable, car) => Action::Mend { cable, car },
        Action::CutOrMend { cable, car } => Action::Cut { cable, car },
        other => other,
    }
}

fn tier(convoy: &Convoy, car: usize) -> String {
    let status = convoy.cars.get(car).and_then(|car| car.status.as_ref());
    status.map_or("off", |status| status.connection.active_sync.as_str()).to_owned()
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
