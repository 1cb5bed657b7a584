//! Does to the convoy what keys and script say, and keeps account of it.

use super::action::{Action, Control};
use super::car::Car;
use super::convoy::Convoy;
use super::failover::{Failover, Watch};
use super::span::Span;
use anyhow::{Context, Result};
use jamz::api::client::{Client, ClientError};
use jamz::core::changes::ChangeId;
use jamz::core::clock::Monotonic;
use jamz::core::request::Addition;
use jamz::core::request::Done;
use jamz::host::MonotonicClock;
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const HISTORY_MAX: u32 = 1_000;
const SETTLE_POLL: Duration = Duration::from_millis(200);
const SETTLE_POLLS_MAX: usize = 25;
const TIER_POLL: Duration = Duration::from_millis(50);
/// So long a car may take to see that its tier has changed.
const TIER_S_MAX: f64 = 15.0;
/// So long a control may take that is given while the road changes.
const WAIT_S_MAX: f64 = 15.0;
/// A car that hears late of a control has found its place again after so long.
const MEET_S: f64 = 0.5;
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
    /// How long each took to be applied in every car, of those that could reach all.
    pub controls_ms: Vec<f64>,
    /// Controls that no car took.
    pub refused: usize,
    pub pauses: Vec<Span>,
    /// When which car had no power, or was only just starting.
    pub absences: Vec<(usize, Span)>,
    /// From a control that not every car could hear to the moment when all had.
    pub partings: Vec<Span>,
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
            Action::Control(control) => self.time_control(convoy, control).await?,
            Action::Revive => self.revive(convoy)?,
            Action::Quit => {}
            change => self.change_road(convoy, change).await?,
        }
        Ok(())
    }

    /// Changes what the cars can reach. A control is given at that moment, and timed; where not every car can be
    /// reached any more, when that changes.
    async fn change_road(&mut self, convoy: &mut Convoy, change: Action) -> Result<()> {
        let needs_cables = !matches!(change, Action::Kill { .. }) && !is_of_server(change);
        if needs_cables && !convoy.road.can_be_cut() {
            "no network can be cut here: this user may make no network namespaces".clone_into(&mut self.last);
            return Ok(());
        }
        convoy.refresh().await?;
        let victim = if let Action::Kill { car } = change { victim(convoy, car) } else { None };
        let loses_leader = victim.is_some() && victim == convoy.leader();
        let observer = observer(convoy, change, victim);
        let (from, was_together) = (tier(convoy, observer), convoy.is_together());
        let watch = Watch::begin(convoy, victim).await?;
        self.make_change(convoy, change, victim).await?;
        let changed_s = now_s();
        self.last = change.to_string();
        if !convoy.is_together() {
            await_tier(convoy, observer).await?;
            return Ok(());
        }
        if !was_together {
            self.partings.push(Span { from_s: changed_s, to_s: f64::INFINITY });
        }
        let given = OnceCell::new();
        let patience_s = if loses_leader { WAIT_S_MAX } else { 0.0 };
        let (nudged, applied_s) =
            tokio::join!(self.nudge(convoy, &given, patience_s), watch.applied_everywhere(&given, WAIT_S_MAX));
        nudged?;
        let applied_s = applied_s?;
        self.meet(convoy, applied_s);
        let to = await_tier(convoy, observer).await?;
        let ms = applied_s.map_or(f64::INFINITY, |applied_s| ms(applied_s - changed_s));
        self.last = format!("{change}: {from} to {to}, a control took {ms} ms");
        self.failovers.push(Failover { by: change.to_string(), from, to, ms });
        Ok(())
    }

    async fn make_change(&mut self, convoy: &mut Convoy, change: Action, victim: Option<usize>) -> Result<()> {
        match change {
            Action::Kill { .. } => self.kill(convoy, victim).await,
            Action::StopServer => convoy.stop_server().await,
            Action::KillServer => convoy.kill_server().await,
            Action::StartServer => convoy.start_server().await,
            Action::Cut { cable, car } => convoy.set_cut(cable, car, true),
            Action::Mend { cable, car } => convoy.set_cut(cable, car, false),
            Action::Deafen { car, to } => convoy.road.set_deaf(car, to, true),
            Action::Hear { car, to } => convoy.road.set_deaf(car, to, false),
            Action::Restore => convoy.restore().await,
            _ => Ok(()),
        }
    }

    /// Gives a control. Where the leader is gone, as soon as another car's DJ may.
    async fn nudge(&mut self, convoy: &mut Convoy, given: &OnceCell<Vec<ChangeId>>, patience_s: f64) -> Result<()> {
        let give_up_s = now_s() + patience_s;
        loop {
            let refused = self.refused;
            let changes = self.control(convoy, NUDGE).await;
            if !changes.is_empty() || now_s() >= give_up_s {
                let _ = given.set(changes);
                return Ok(());
            }
            self.refused = refused;
            tokio::time::sleep(TIER_POLL).await;
            convoy.refresh().await?;
        }
    }

    /// All cars have come to know everything again.
    fn meet(&mut self, convoy: &Convoy, applied_s: Option<f64>) {
        let leads_us = convoy.cars.iter().filter_map(|car| car.status.as_ref()).map(|status| status.lead_us);
        let lead_s = leads_us.max().unwrap_or(0) as f64 * 1e-6;
        let Some(applied_s) = applied_s else { return };
        for parting in &mut self.partings {
            parting.to_s = parting.to_s.min(applied_s + lead_s + MEET_S);
        }
    }

    /// The changes that it made; none when it is refused.
    pub async fn control(&mut self, convoy: &mut Convoy, control: Control) -> Vec<ChangeId> {
        let Some(leader) = convoy.leader() else {
            "no car is on".clone_into(&mut self.last);
            return Vec::new();
        };
        let number = match control {
            Control::Take => (leader + 1) % convoy.cars.len(),
            Control::Add { car } => car,
            _ => leader,
        };
        let apart = !convoy.is_together();
        let Some(car) = convoy.cars.get_mut(number) else { return Vec::new() };
        let lead_s = car.status.as_ref().map_or(0.0, |status| status.lead_us as f64 * 1e-6);
        let sent_s = now_s();
        self.last = format!("{} {control}", car.name);
        let result = match car.client().await {
            Ok(client) => ask(client, control).await.map_err(|refusal| refusal.to_string()),
            Err(problem) => Err(problem.to_string()),
        };
        let changes = match result {
            Ok(done) => done.changes,
            Err(refusal) => {
                self.refused += 1;
                self.last = format!("{}: {refusal}", car.name);
                return Vec::new();
            }
        };
        self.changes.extend(changes.iter().cloned());
        if apart {
            self.partings.push(Span { from_s: sent_s, to_s: f64::INFINITY });
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
        changes
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

    async fn kill(&mut self, convoy: &mut Convoy, victim: Option<usize>) -> Result<()> {
        if let Some(car) = victim.and_then(|victim| convoy.cars.get_mut(victim)) {
            self.absences.push((car.number, Span { from_s: now_s() - RECORD_S, to_s: f64::INFINITY }));
            car.kill().await?;
        }
        Ok(())
    }

    /// Gives a control; where it can reach every car, sees how long that takes.
    async fn time_control(&mut self, convoy: &mut Convoy, control: Control) -> Result<()> {
        if !convoy.is_together() {
            self.control(convoy, control).await;
            return Ok(());
        }
        let watch = Watch::begin(convoy, None).await?;
        let given = OnceCell::new();
        let given_s = now_s();
        let give = async {
            let _ = given.set(self.control(convoy, control).await);
        };
        let ((), applied_s) = tokio::join!(give, watch.applied_everywhere(&given, WAIT_S_MAX));
        if !given.get().is_none_or(Vec::is_empty) {
            self.controls_ms.push(applied_s?.map_or(f64::INFINITY, |applied_s| ms(applied_s - given_s)));
        }
        Ok(())
    }

    /// How many of the controls count in every car, and how many some car does not know; waits a little for the last
    /// ones.
    ///
    /// # Errors
    /// When a car does not answer.
    pub async fn controls_settled(&self, convoy: &mut Convoy) -> Result<(usize, usize)> {
        let (mut applied, mut lost) = (0, 0);
        for _ in 0..SETTLE_POLLS_MAX {
            let mut histories = Vec::new();
            let mut counts = BTreeSet::new();
            for car in &mut convoy.cars {
                let client = car.client().await?;
                let history = client.history(HISTORY_MAX).await.context("no history")?;
                histories.push(history.into_iter().map(|entry| (entry.id, entry.state)).collect::<BTreeMap<_, _>>());
                let changes = client.status().await?.changes;
                counts.insert((changes.applied, changes.pending));
            }
            // Who was away is given the state, and not each change that it is made of.
            let same_state = counts.len() == 1;
            let ids: Vec<String> = self.changes.iter().map(ToString::to_string).collect();
            let knows = |id: &str| same_state || histories.iter().all(|history| history.contains_key(id));
            let counts = |id: &str| histories.iter().filter_map(|history| history.get(id)).all(|it| it == "applied");
            lost = ids.iter().filter(|id| !knows(id)).count();
            applied = ids.iter().filter(|id| knows(id) && counts(id)).count();
            if applied == ids.len() {
                break;
            }
            tokio::time::sleep(SETTLE_POLL).await;
        }
        Ok((applied, lost))
    }
}

/// To a tenth.
pub fn ms(seconds: f64) -> f64 {
    (seconds * 1e4).round() / 10.0
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

/// The car that is meant to lose its power: that one, or one that does not lead.
fn victim(convoy: &Convoy, number: Option<usize>) -> Option<usize> {
    let leader = convoy.leader();
    let meant = |car: &Car| number.map_or(Some(car.number) != leader, |number| car.number == number);
    convoy.cars.iter().rfind(|car| car.is_on() && meant(car)).map(|car| car.number)
}

fn is_of_server(action: Action) -> bool {
    matches!(action, Action::StopServer | Action::KillServer | Action::StartServer)
}

/// The car whose tier shows what the change did: the one that it is about, else the leader.
fn observer(convoy: &Convoy, change: Action, victim: Option<usize>) -> usize {
    let about = match change {
        Action::Cut { car, .. } | Action::Mend { car, .. } => car,
        Action::Deafen { car, .. } | Action::Hear { car, .. } => Some(car),
        _ => None,
    };
    let leader = convoy.leader().filter(|leader| Some(*leader) != victim);
    let other = || convoy.cars.iter().find(|car| car.is_on() && Some(car.number) != victim).map(|car| car.number);
    about.or(leader).or_else(other).unwrap_or(0)
}

/// The tier of a car once it is the one that is expected as the road is, or when that takes too long.
async fn await_tier(convoy: &mut Convoy, car: usize) -> Result<String> {
    let give_up_s = now_s() + TIER_S_MAX;
    loop {
        convoy.refresh().await?;
        let now = tier(convoy, car);
        if now == convoy.tier_expected(car).as_str() || now_s() > give_up_s {
            return Ok(now);
        }
        tokio::time::sleep(TIER_POLL).await;
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
        Control::Add { .. } => {
            let tracks = client.library_search("", 1).await?;
            let tracks: Vec<Addition> = tracks.into_iter().map(|track| Addition::Library(track.id)).collect();
            client.queue_add(&tracks, None).await
        }
    }
}
