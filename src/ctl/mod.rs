//! COMMANDS: `jamzctl`, the head unit's command line, over D-Bus.

mod args;
mod calibrate;
mod check;
mod failure;
mod manual;
mod out;
mod position;
mod recording;
mod resolve;
mod roadside;
mod show;
mod style;
mod table;
mod text;
mod watch;

use crate::api::client::Client;
use crate::core::request::{Done, Reach};
use crate::core::ticket::Role;
use args::{Arguments, ConfigVerb, LibraryVerb, OutputsArguments, OutputsVerb, QueueVerb, Switch, Verb};
use clap::Parser;
use failure::{Failure, LOCAL_ONLY, USAGE};
use out::Out;
use position::Position;
use serde_json::json;
use std::process::ExitCode;
use style::Style;

/// Does what the arguments say, and returns the exit status.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(told) => {
            let _ = told.print();
            return ExitCode::from(if told.use_stderr() { USAGE } else { 0 });
        }
    };
    match start(arguments) {
        Ok(code) => code,
        Err(Failure { exit, sentence }) => {
            complain(&sentence);
            ExitCode::from(exit)
        }
    }
}

fn start(arguments: Arguments) -> Result<ExitCode, Failure> {
    match arguments.verb {
        Verb::Completions { shell } => manual::completions(shell).map(|()| ExitCode::SUCCESS),
        Verb::Man { folder } => manual::write_pages(&folder).map(|()| ExitCode::SUCCESS),
        Verb::Config(args::ConfigArguments { verb: Some(ConfigVerb::Check { file }) }) => Err(check::exec(&file)),
        verb => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime =
                runtime.map_err(|error| Failure::new(format!("this machine has no room to run in: {error}")))?;
            let out = Out { json: arguments.json, style: Style::of_stdout() };
            runtime.block_on(ask(&arguments.bus, verb, out))
        }
    }
}

/// The verbs that need a head unit.
async fn ask(bus: &str, verb: Verb, out: Out) -> Result<ExitCode, Failure> {
    if matches!(verb, Verb::Watch) {
        watch::run(bus, out).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let client = Client::connect(bus).await?;
    let done = match verb {
        Verb::Play { entry: None } => client.play(None).await?,
        Verb::Play { entry: Some(entry) } => {
            let entry = resolve::entry(&client.queue().await?, &entry)?;
            client.play(Some(&entry)).await?
        }
        Verb::Pause => client.pause().await?,
        Verb::Toggle => client.toggle().await?,
        Verb::Seek { position: Position::To { position_us } } => client.seek(position_us).await?,
        Verb::Seek { position: Position::By { offset_us } } => client.seek_by(offset_us).await?,
        Verb::Next => client.next().await?,
        Verb::Previous => client.previous().await?,
        Verb::Duck { switch } => client.duck(switch == Switch::On).await?,
        Verb::Join { code, id, convoy } => roadside::join(&client, &convoy.join(" "), code, id).await?,
        Verb::Leave => client.leave().await?,
        Verb::Take => client.take().await?,
        Verb::Release => client.release().await?,
        Verb::Queue(verb) => match act_on_queue(&client, verb, out).await? {
            Some(done) => done,
            None => return Ok(ExitCode::SUCCESS),
        },
        verb => {
            inform(&client, verb, out).await?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    finish(&done, out)
}

/// Shows or sets an output's delay; of the one in use, where none is named.
async fn delay(client: &Client, delay_ms: Option<f64>, output: Option<String>, out: Out) -> Result<(), Failure> {
    let audio = client.status().await?.audio;
    let output = output.filter(|name| !name.is_empty()).unwrap_or(audio.output);
    let (delay_us, text) = match delay_ms {
        Some(ms) => {
            let delay_us = (ms * 1e3).round() as i64;
            client.set_output_delay(&output, delay_us).await?;
            (delay_us, String::new())
        }
        None => (audio.delay_us, format!("{} ms\n", audio.delay_us as f64 / 1e3)),
    };
    out.show(&json!({"output": output, "delay_us": delay_us}), |_| text)
}

/// The verbs that change nothing in the convoy.
async fn inform(client: &Client, verb: Verb, out: Out) -> Result<(), Failure> {
    match verb {
        Verb::Status => {
            let status = client.status().await?;
            out.show(&status, |style| show::status::lines(&status, style).join("\n") + "\n")
        }
        Verb::Volume { level } => {
            let mut volume = client.status().await?.volume;
            let is_set = level.is_some();
            if let Some(level) = level {
                volume = level.from(volume);
                client.set_volume(volume).await?;
            }
            let text = if is_set { String::new() } else { format!("{} %\n", (volume * 100.0).round()) };
            out.show(&json!({"volume": volume}), |_| text)
        }
        Verb::Library(LibraryVerb::Scan) => {
            client.library_scan().await?;
            let text = "The library is being scanned; `jamzctl status` shows how far it is.\n";
            out.show(&json!({"started": true}), |_| text.to_owned())
        }
        Verb::Library(LibraryVerb::Search { limit, words }) => {
            let tracks = client.library_search(&words.join(" "), limit).await?;
            out.show(&json!({"tracks": tracks}), |style| show::library::tracks(&tracks, style))
        }
        Verb::Library(LibraryVerb::Problems) => {
            let problems = client.library_problems().await?;
            out.show(&json!({"problems": problems}), |style| show::library::problems(&problems, style))
        }
        Verb::Outputs(OutputsArguments { verb: None }) => {
            let outputs = client.outputs().await?;
            out.show(&json!({"outputs": outputs}), |style| show::library::outputs(&outputs, style))
        }
        Verb::Outputs(OutputsArguments { verb: Some(OutputsVerb::Delay { delay_ms, output }) }) => {
            delay(client, delay_ms, output, out).await
        }
        Verb::Calibrate(arguments) => calibrate::run(client, arguments, out).await,
        Verb::Found { name } => roadside::found(client, name, out).await,
        Verb::Who => {
            let status = client.status().await?;
            out.show(&show::members::as_json(&status), |style| show::members::text(&status, style))
        }
        Verb::Invite { listener } => {
            let link = client.invite(listener.then_some(Role::Listener)).await?;
            out.show(&link, |style| show::invite::text(&link, style))
        }
        Verb::History { limit } => {
            let history = client.history(limit).await?;
            out.show(&json!({"history": history}), |style| show::history::text(&history, style))
        }
        _ => {
            let config = client.config().await?;
            out.show(&json!({"config": config}), |_| show::config::text(&config))
        }
    }
}

async fn show_queue(client: &Client, out: Out) -> Result<(), Failure> {
    let (queue, status) = (client.queue().await?, client.status().await?);
    out.show(&show::queue::as_json(&queue, &status), |style| show::queue::text(&queue, &status, style))
}

/// What was done; none where something was only shown.
async fn act_on_queue(client: &Client, verb: QueueVerb, out: Out) -> Result<Option<Done>, Failure> {
    let index = |place: u64| usize::try_from(place - 1).unwrap_or(usize::MAX);
    let done = match verb {
        QueueVerb::List => return show_queue(client, out).await.map(|()| None),
        QueueVerb::Pending { limit } => {
            let pending = client.pending(limit).await?;
            out.show(&json!({"pending": pending}), |style| show::history::pending(&pending, style))?;
            return Ok(None);
        }
        QueueVerb::Add { at, all, tracks } => {
            let mut additions = Vec::new();
            for track in &tracks {
                additions.extend(resolve::additions(client, track, all).await?);
            }
            client.queue_add(&additions, at.map(index)).await?
        }
        QueueVerb::Remove { entries } => {
            // All are looked up before any is removed, so that the places are those that the person saw.
            let queue = client.queue().await?;
            let entries: Vec<_> = entries.iter().map(|text| resolve::entry(&queue, text)).collect::<Result<_, _>>()?;
            let mut all = Done { changes: Vec::new(), reach: Reach::Convoy };
            for entry in &entries {
                let done = client.queue_remove(entry).await?;
                all.changes.extend(done.changes);
                if done.reach == Reach::Local {
                    all.reach = Reach::Local;
                }
            }
            all
        }
        QueueVerb::Move { entry, place } => {
            let entry = resolve::entry(&client.queue().await?, &entry)?;
            client.queue_move(&entry, index(place)).await?
        }
        QueueVerb::Clear => client.queue_clear().await?,
    };
    Ok(Some(done))
}

fn finish(done: &Done, out: Out) -> Result<ExitCode, Failure> {
    out.show(done, |_| String::new())?;
    if done.reach == Reach::Local {
        complain("kept here; the convoy is told as soon as it can be");
        return Ok(ExitCode::from(LOCAL_ONLY));
    }
    Ok(ExitCode::SUCCESS)
}

fn complain(sentence: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "jamzctl: {}", text::plain(sentence));
}
