//! A convoy on one machine, over a real server and a network that can be cut: to be heard, steered, broken and
//! measured.
//!
//! `MUSIC=dir` names what to play, `DEMO_CARS=n` how many cars there are, `DEMO_MESH=off` leaves them to the server;
//! `DEMO_SECONDS=n` runs a built-in script of controls for so long, or `DEMO_SCRIPT` to its end, judges what virtual
//! cards played (those of the first `DEMO_JUDGED=n` cars), and ends with one line of JSON. `DEMO_FLOOD="mesh all"` has
//! a member of bad will flood the others, who are judged before, meanwhile and after.
#![allow(unreachable_pub, reason = "a program of several files, which nothing else names")]

mod action;
mod car;
mod convoy;
mod cost;
mod drive;
mod failover;
mod flood;
mod host;
mod measure;
mod music;
mod process;
mod record;
mod report;
mod road;
mod script;
mod span;
mod table;
mod tune;

use action::{Action, Control};
use anyhow::{Context, Result, bail, ensure};
use convoy::{CARS_MAX, Convoy, Kind};
use cost::Meter;
use drive::{Account, now_s};
use flood::Flood;
use host::Host;
use music::Music;
use record::Record;
use report::{Report, Run};
use script::Script;
use span::Span;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use table::View;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// The user's bound: music at most a second after it was asked for.
const START_S_MAX: f64 = 1.0;
const DEMO_SECONDS_MIN: u64 = 8;
/// A script is followed by so much music that is left in peace.
const AFTER_SCRIPT_S: u64 = 4;
const CARS: usize = 3;

fn main() -> ExitCode {
    road::enter();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(run())) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("demo: {problem:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the run was ok; a run that is not judged always is.
async fn run() -> Result<bool> {
    let wish = Wish::read()?;
    let mut dir = tempfile::Builder::new().prefix("jamz-demo-").tempdir()?;
    let result = drive_convoy(dir.path(), wish).await;
    let started = dir.path().join("server").exists();
    if started && !matches!(result, Ok(None | Some((_, true)))) {
        dir.disable_cleanup(true);
        eprintln!("demo: logs and records are kept in {}", dir.path().display());
    }
    let report = result?;
    if let Some((line, _)) = &report {
        println!("{line}");
    }
    Ok(report.is_none_or(|(_, ok)| ok))
}

/// What the environment asks for.
struct Wish {
    kind: Kind,
    /// Ends by itself, and is judged.
    seconds: Option<u64>,
    script: Script,
    flood: Option<Flood>,
}

impl Wish {
    fn read() -> Result<Self> {
        let text = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        let number = |name: &str| match text(name) {
            Some(text) => text.parse::<u64>().map(Some).with_context(|| format!("{name}={text} is no number")),
            None => Ok(None),
        };
        let cars = number("DEMO_CARS")?.map_or(CARS, |cars| usize::try_from(cars).unwrap_or(usize::MAX));
        ensure!((2..=CARS_MAX).contains(&cars), "DEMO_CARS must be from 2 to {CARS_MAX}");
        let judged = number("DEMO_JUDGED")?.map_or(cars, |judged| usize::try_from(judged).unwrap_or(cars));
        let meshes = match text("DEMO_MESH").as_deref() {
            None | Some("on") => true,
            Some("off") => false,
            Some(other) => bail!("DEMO_MESH={other} is neither on nor off"),
        };
        let script = text("DEMO_SCRIPT").map(|text| Script::read(&text)).transpose().context("DEMO_SCRIPT")?;
        let scripted = script.as_ref().map(|script| script.length_s().ceil() as u64 + AFTER_SCRIPT_S);
        let seconds = number("DEMO_SECONDS")?.or(scripted.map(|seconds| seconds.max(DEMO_SECONDS_MIN)));
        ensure!(seconds.is_none_or(|s| s >= DEMO_SECONDS_MIN), "DEMO_SECONDS must be at least {DEMO_SECONDS_MIN}");
        let script = script.or(seconds.map(Script::built_in)).unwrap_or_default();
        let flood = text("DEMO_FLOOD").map(|text| Flood::read(&text)).transpose().context("DEMO_FLOOD")?;
        let recorded = if seconds.is_some() || flood.is_some() { judged } else { 0 };
        let kind = Kind { cars, recorded, meshes, has_rogue: flood.is_some() };
        Ok(Self { kind, seconds, script, flood })
    }
}

/// What is to be told in the end, and whether it is well.
type Verdict = (String, bool);

async fn drive_convoy(dir: &Path, wish: Wish) -> Result<Option<Verdict>> {
    let Wish { kind, seconds, script, flood } = wish;
    let music = Music::find(dir)?;
    let host = Host::watch().context("cannot watch the machine")?;
    eprintln!("demo: a server and {} cars, on {}", kind.cars, music.folder.display());
    let mut convoy = Convoy::start(dir, &music.folder, kind).await?;
    if !convoy.road.can_be_cut() {
        eprintln!("demo: no network can be cut, as this user may make no network namespaces");
    }
    convoy.await_ready().await?;
    convoy.queue_music().await?;
    let mut account = Account::default();
    account.act(&mut convoy, Action::Control(Control::Play)).await?;
    if let Some(flood) = flood {
        let flooded = flood.drive(&mut convoy, &mut account).await?;
        let run = judge(&mut convoy, &account, &music, &host, kind.recorded).await?;
        convoy.stop().await?;
        return Ok(Some((serde_json::to_string(&flooded.judge(run)?)?, true)));
    }
    let meter = Meter::begin(&convoy)?;
    let ended = watch(&mut convoy, &mut account, script, seconds).await?;
    let report = match (seconds, ended) {
        (Some(_), Ended::InTime) => {
            convoy.refresh().await?;
            let costs = meter.end(&convoy)?;
            Some(Run { costs, ..judge(&mut convoy, &account, &music, &host, kind.recorded).await? })
        }
        _ => None,
    };
    convoy.stop().await?;
    let Some(run) = report else { return Ok(None) };
    let report: Report = run.judge()?;
    Ok(Some((serde_json::to_string(&report)?, report.ok)))
}

enum Ended {
    InTime,
    /// By a key or a signal: what was heard is not judged.
    ByHand,
}

/// Shows the convoy, does what keys and script say, until the end.
async fn watch(convoy: &mut Convoy, account: &mut Account, mut script: Script, seconds: Option<u64>) -> Result<Ended> {
    let view = View::open()?;
    let (_idle, silent) = mpsc::channel(1);
    let mut keys = if view.has_keys() { action::listen() } else { silent };
    let mut terminate = signal(SignalKind::terminate())?;
    let mut ticks = tokio::time::interval(view.period());
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let started_s = now_s();
    loop {
        let left_s = seconds.map_or(f64::INFINITY, |seconds| started_s + seconds as f64 - now_s());
        if left_s <= 0.0 {
            return Ok(Ended::InTime);
        }
        let step = script.wait(now_s() - started_s);
        let action = tokio::select! {
            Some(action) = keys.recv() => action,
            () = tokio::time::sleep(step.unwrap_or_default()), if step.is_some() => {
                script.next().unwrap_or(Action::Quit)
            }
            _ = ticks.tick() => {
                convoy.refresh().await?;
                view.show(convoy, now_s() - started_s, &account.last)?;
                continue;
            }
            () = tokio::time::sleep(Duration::from_secs_f64(left_s.min(1.0))) => continue,
            _ = tokio::signal::ctrl_c() => Action::Quit,
            _ = terminate.recv() => Action::Quit,
        };
        if action == Action::Quit {
            return Ok(Ended::ByHand);
        }
        account.act(convoy, action).await?;
    }
}

/// Ends the cars and gathers what there is to judge.
async fn judge(convoy: &mut Convoy, account: &Account, music: &Music, host: &Host, recorded: usize) -> Result<Run> {
    let ended_s = now_s();
    let (controls_applied, controls_lost) = account.controls_settled(convoy).await?;
    let stopped_s = now_s();
    let cars = convoy.cars.len();
    let (mut records, mut absences) = (Vec::new(), Vec::new());
    for car in convoy.cars.iter_mut().take(recorded).filter(|car| matches!(car.card, car::Card::Virtual { .. })) {
        car.stop().await?;
        records.push(Record::read(&car.records(), stopped_s)?);
        let off = account.absences.iter().filter(|(number, _)| *number == car.number);
        absences.push(off.map(|(_, absence)| *absence).collect());
    }
    let starts_s = account.starts_s.context("the music was never started")?;
    Ok(Run {
        cars,
        records,
        music: Span { from_s: starts_s + START_S_MAX, to_s: ended_s },
        pauses: account.pauses.clone(),
        absences,
        partings: account.partings.clone(),
        stood: host.stood(),
        failovers: account.failovers.clone(),
        music_has_silence: music.has_silence,
        controls_sent: account.controls_sent(),
        controls_applied,
        controls_lost,
        controls_ms: account.controls_ms.clone(),
        costs: Vec::new(),
    })
}
