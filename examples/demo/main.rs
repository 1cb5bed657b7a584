//! A convoy of three cars on one machine, over a real server: to be heard, steered, broken and measured.
//!
//! `MUSIC=dir` names what to play; `DEMO_SECONDS=n` runs a built-in script of controls for so long, judges what the
//! virtual cards played, and ends with one line of JSON.
#![allow(unreachable_pub, reason = "a program of several files, which nothing else names")]

mod action;
mod car;
mod convoy;
mod drive;
mod measure;
mod music;
mod process;
mod record;
mod report;
mod span;
mod table;
mod tune;

use action::{Action, Control, SCRIPT, SCRIPT_STEP};
use anyhow::{Context, Result, ensure};
use convoy::Convoy;
use drive::{Account, now_s};
use music::Music;
use record::Record;
use report::{Report, Run};
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
/// Nothing new is done so shortly before the end.
const LAST_CONTROL_S: f64 = 3.0;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
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
    let seconds = match std::env::var("DEMO_SECONDS").ok().filter(|text| !text.is_empty()) {
        Some(text) => Some(text.parse::<u64>().with_context(|| format!("DEMO_SECONDS={text} is no number"))?),
        None => None,
    };
    ensure!(seconds.is_none_or(|s| s >= DEMO_SECONDS_MIN), "DEMO_SECONDS must be at least {DEMO_SECONDS_MIN}");
    let mut dir = tempfile::Builder::new().prefix("jamz-demo-").tempdir()?;
    let result = drive_convoy(dir.path(), seconds).await;
    let started = dir.path().join("server").exists();
    if started && !matches!(result, Ok(None | Some(Report { ok: true, .. }))) {
        dir.disable_cleanup(true);
        eprintln!("demo: logs and records are kept in {}", dir.path().display());
    }
    let report = result?;
    if let Some(report) = &report {
        println!("{}", serde_json::to_string(report)?);
    }
    Ok(report.is_none_or(|report| report.ok))
}

async fn drive_convoy(dir: &Path, seconds: Option<u64>) -> Result<Option<Report>> {
    let music = Music::find(dir)?;
    eprintln!("demo: a server and three cars, on {}", music.folder.display());
    let mut convoy = Convoy::start(dir, &music.folder, seconds.is_some()).await?;
    convoy.await_ready().await?;
    convoy.queue_music().await?;
    let mut account = Account::default();
    account.act(&mut convoy, Action::Control(Control::Play)).await?;
    let ended = watch(&mut convoy, &mut account, seconds).await?;
    let report = match (seconds, ended) {
        (Some(_), Ended::InTime) => Some(judge(&mut convoy, &account, &music).await?),
        _ => None,
    };
    convoy.stop().await?;
    report.map(|run| run.judge()).transpose()
}

enum Ended {
    InTime,
    /// By a key or a signal: what was heard is not judged.
    ByHand,
}

/// Shows the convoy, does what keys and script say, until the end.
async fn watch(convoy: &mut Convoy, account: &mut Account, seconds: Option<u64>) -> Result<Ended> {
    let view = View::open()?;
    let (_idle, silent) = mpsc::channel(1);
    let mut keys = if view.has_keys() { action::listen() } else { silent };
    let mut terminate = signal(SignalKind::terminate())?;
    let mut ticks = tokio::time::interval(view.period());
    let mut script = tokio::time::interval(SCRIPT_STEP);
    script.reset();
    let mut scripted = SCRIPT.iter().cycle();
    let started_s = now_s();
    loop {
        let left_s = seconds.map_or(f64::INFINITY, |seconds| started_s + seconds as f64 - now_s());
        if left_s <= 0.0 {
            return Ok(Ended::InTime);
        }
        let action = tokio::select! {
            Some(action) = keys.recv() => action,
            _ = script.tick(), if left_s.is_finite() && left_s > LAST_CONTROL_S => {
                scripted.next().map_or(Action::Quit, |control| Action::Control(*control))
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
async fn judge(convoy: &mut Convoy, account: &Account, music: &Music) -> Result<Run> {
    let ended_s = now_s();
    let controls_applied = account.controls_applied(convoy).await?;
    let stopped_s = now_s();
    let cars = convoy.cars.len();
    let mut records = Vec::new();
    for car in convoy.cars.iter_mut().filter(|car| matches!(car.card, car::Card::Virtual { .. })) {
        car.stop().await?;
        records.push(Record::read(&car.records(), stopped_s)?);
    }
    let starts_s = account.starts_s.context("the music was never started")?;
    Ok(Run {
        cars,
        records,
        music: Span { from_s: starts_s + START_S_MAX, to_s: ended_s },
        pauses: account.pauses.clone(),
        music_has_silence: music.has_silence,
        controls_sent: account.controls_sent(),
        controls_applied,
    })
}
