//! A member of bad will floods the others: what they hear of each other and of it before, meanwhile and after.

use super::action::Control;
use super::convoy::Convoy;
use super::cost::{Cost, Meter, of_program};
use super::drive::{Account, ms, now_s};
use super::process::Process;
use super::report::{Report, Run};
use super::road::Cable;
use super::span::Span;
use anyhow::{Context, Result, bail};
use jamz::api::client::Event;
use jamz::core::status::{ActiveSync, PeerState};
use rustix::process::Signal;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const BEFORE_S: f64 = 5.0;
const FLOOD_S: f64 = 10.0;
const AFTER_S: f64 = 5.0;
/// Between two controls: as fast as somebody presses a button for fun.
const CONTROL_EVERY_S: f64 = 0.4;
const CONTROLS: [Control; 2] = [Control::SeekBy { offset_us: 1_000_000 }, Control::SeekBy { offset_us: -1_000_000 }];
const POLL: Duration = Duration::from_millis(50);
const SOUGHT_POLL: Duration = Duration::from_millis(2);
/// A control that takes longer is not waited for.
const SOUGHT_S_MAX: f64 = 10.0;
const READY_POLLS_MAX: usize = 1_200;
/// Links that were just made, and music that just began, find their rest.
const REST: Duration = Duration::from_secs(3);

/// How to flood.
#[derive(Debug, Clone)]
pub struct Flood {
    over: String,
    mix: String,
}

/// What came of it, but for what was heard.
pub struct Flooded {
    flood: Flood,
    said: u64,
    expelled: usize,
    /// Cars that it had a link with.
    linked: Vec<String>,
    muted_s: BTreeMap<String, f64>,
    phases: [Phase; 3],
}

struct Phase {
    span: Span,
    controls_ms: Vec<f64>,
    costs: Vec<Cost>,
    server: Program,
}

#[derive(Debug, Clone, Serialize)]
pub struct Program {
    pub cpu_percent: f64,
    pub rss_kb: u64,
}

#[derive(Serialize)]
pub struct Told {
    over: String,
    mix: String,
    /// What the rogue said, of each kind together, and as fast as it was taken until it was muted or ended.
    said: u64,
    said_per_s: f64,
    expelled: usize,
    linked: Vec<String>,
    /// By whom it was muted, so long after it began.
    muted_s: BTreeMap<String, f64>,
    before: Judged,
    meanwhile: Judged,
    after: Judged,
}

#[derive(Serialize)]
struct Judged {
    #[serde(flatten)]
    heard: Report,
    server: Program,
}

impl Flood {
    /// Reads such as `mesh all`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &str) -> Result<Self> {
        match text.split_whitespace().collect::<Vec<_>>().as_slice() {
            [over @ ("mesh" | "server"), mix @ ("all" | "edits" | "idle")] => {
                Ok(Self { over: (*over).to_owned(), mix: (*mix).to_owned() })
            }
            _ => bail!("`{text}` is not mesh or server, and all, edits or idle"),
        }
    }

    /// Has the rogue join, and flood.
    ///
    /// # Errors
    /// When somebody does not get there, or ends by himself.
    pub async fn drive(self, convoy: &mut Convoy, account: &mut Account) -> Result<Flooded> {
        if !convoy.road.can_be_cut() {
            bail!("no network can be cut, as this user may make no network namespaces");
        }
        let mut rogue = convoy.start_rogue(&self.over, &self.mix).await?;
        let is_mesh = self.over == "mesh";
        let place = convoy.cars.len();
        await_member(convoy, &mut rogue, ActiveSync::Socket).await?;
        if is_mesh {
            convoy.set_cut(Cable::Internet, None, true)?;
            convoy.road.set_cut(Cable::Internet, place, true)?;
            await_member(convoy, &mut rogue, ActiveSync::Webrtc).await?;
        }
        tokio::time::sleep(REST).await;
        let ears = Ears::open(convoy).await?;
        let before = phase(convoy, account, &ears, BEFORE_S).await?;
        let linked = if is_mesh { linked(convoy) } else { Vec::new() };
        let begun_s = now_s();
        rogue.signal(Signal::USR1)?;
        let meanwhile = phase(convoy, account, &ears, FLOOD_S).await?;
        rogue.check_alive()?;
        let lines: Vec<Value> = rogue.said()?.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        rogue.kill().await?;
        let after = phase(convoy, account, &ears, AFTER_S).await?;
        let number = |name: &str| lines.iter().filter_map(|line| line.get(name)?.as_f64()).reduce(f64::max);
        let muted = std::mem::take(&mut ears.heard().muted_s);
        let mut muted_s: BTreeMap<String, f64> = muted.into_iter().map(|(car, at_s)| (car, at_s - begun_s)).collect();
        muted_s.extend(number("muted_s").map(|after_s| ("server".to_owned(), after_s)));
        let said = number("said").unwrap_or(0.0) as u64;
        let expelled = lines.iter().filter(|line| line.get("expelled_s").is_some()).count();
        Ok(Flooded { flood: self, said, expelled, linked, muted_s, phases: [before, meanwhile, after] })
    }
}

impl Flooded {
    /// Judges each phase by what the cars played.
    ///
    /// # Errors
    /// When records cannot be compared.
    pub fn judge(self, mut run: Run) -> Result<Told> {
        let mut judged = Vec::new();
        for Phase { span, controls_ms, costs, server } in self.phases {
            (run.music, run.controls_ms, run.costs) = (span, controls_ms, costs);
            judged.push(Judged { heard: run.judge()?, server });
        }
        let [before, meanwhile, after] = <[Judged; 3]>::try_from(judged).ok().context("three phases")?;
        let Flood { over, mix } = self.flood;
        let (said, expelled, linked, muted_s) = (self.said, self.expelled, self.linked, self.muted_s);
        Ok(Told {
            over,
            mix,
            said,
            said_per_s: said as f64 / FLOOD_S,
            expelled,
            linked,
            muted_s,
            before,
            meanwhile,
            after,
        })
    }
}

/// Waits until everyone sees everyone, the rogue too, on this tier.
async fn await_member(convoy: &mut Convoy, rogue: &mut Process, tier: ActiveSync) -> Result<()> {
    let count = convoy.cars.len() + 1;
    for _ in 0..READY_POLLS_MAX {
        rogue.check_alive()?;
        convoy.refresh().await?;
        let sees_all = |car: &super::car::Car| {
            car.status.as_ref().is_some_and(|status| {
                let online = status.members.iter().filter(|member| member.online).count();
                online == count && status.connection.active_sync == tier
            })
        };
        if convoy.cars.iter().all(sees_all) {
            return Ok(());
        }
        tokio::time::sleep(POLL).await;
    }
    bail!("not everyone is there: {}", rogue.said()?)
}

/// The cars that have a link with somebody who is none of them.
fn linked(convoy: &Convoy) -> Vec<String> {
    let statuses = || convoy.cars.iter().filter_map(|car| Some((&car.name, car.status.as_ref()?)));
    let own: Vec<&String> = statuses().map(|(_, status)| &status.device).collect();
    let has_stranger = |peers: &BTreeMap<String, PeerState>| {
        peers.iter().any(|(peer, state)| *state == PeerState::Connected && !own.contains(&peer))
    };
    let linked = statuses().filter(|(_, status)| has_stranger(&status.connection.web_rtc));
    linked.map(|(name, _)| name.clone()).collect()
}

/// What the cars said of themselves, when.
#[derive(Default)]
struct Heard {
    /// When each first said that it has muted somebody.
    muted_s: BTreeMap<String, f64>,
    /// When each said that it was sought in the music: of a control that counts.
    sought_s: BTreeMap<String, Vec<f64>>,
}

#[derive(Clone, Default)]
struct Ears(Arc<Mutex<Heard>>);

impl Ears {
    async fn open(convoy: &Convoy) -> Result<Self> {
        let ears = Self::default();
        for car in &convoy.cars {
            let client = car.another_client().await?;
            let mut events = client.subscribe().await?;
            let (name, ears) = (car.name.clone(), ears.clone());
            tokio::spawn(async move {
                while let Some(event) = events.next().await {
                    let mut heard = ears.heard();
                    match event {
                        Event::Notice { kind, .. } if kind == "muted" => {
                            heard.muted_s.entry(name.clone()).or_insert_with(now_s);
                        }
                        Event::Seeked { .. } => heard.sought_s.entry(name.clone()).or_default().push(now_s()),
                        _ => {}
                    }
                }
                drop(client);
            });
        }
        Ok(ears)
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the last of the cars was sought in, after `given_s`, once all were.
    fn sought_s(&self, convoy: &Convoy, given_s: f64) -> Option<f64> {
        let heard = self.heard();
        let first = |name| heard.sought_s.get(name)?.iter().copied().find(|at_s| *at_s >= given_s);
        let times: Option<Vec<f64>> = convoy.cars.iter().map(|car| first(&car.name)).collect();
        times?.into_iter().reduce(f64::max)
    }
}

/// Somebody seeks over and over, for so long.
async fn phase(convoy: &mut Convoy, account: &mut Account, ears: &Ears, seconds: f64) -> Result<Phase> {
    convoy.refresh().await?;
    let meter = Meter::begin(convoy)?;
    let pid = convoy.server_pid().context("no server")?;
    let (cpu_s, _) = of_program(pid)?;
    let (from_s, mut controls_ms) = (now_s(), Vec::new());
    for (number, control) in CONTROLS.iter().cycle().enumerate() {
        let at_s = from_s + number as f64 * CONTROL_EVERY_S;
        if at_s.max(now_s()) >= from_s + seconds {
            break;
        }
        tokio::time::sleep(Duration::from_secs_f64((at_s - now_s()).max(0.0))).await;
        let given_s = now_s();
        if !account.control(convoy, *control).await.is_empty() {
            controls_ms.push(until_sought(convoy, ears, given_s).await);
        }
        convoy.refresh().await?;
    }
    tokio::time::sleep(Duration::from_secs_f64((from_s + seconds - now_s()).max(0.0))).await;
    convoy.refresh().await?;
    let (span, costs) = (Span { from_s, to_s: now_s() }, meter.end(convoy)?);
    let (ended_s, rss_kb) = of_program(pid)?;
    let cpu_percent = ((ended_s - cpu_s) / span.length_s() * 1e4).round() / 1e2;
    Ok(Phase { span, controls_ms, costs, server: Program { cpu_percent, rss_kb } })
}

/// How long it took until a control that was given then counted in every car, in milliseconds.
async fn until_sought(convoy: &Convoy, ears: &Ears, given_s: f64) -> f64 {
    while now_s() < given_s + SOUGHT_S_MAX {
        if let Some(sought_s) = ears.sought_s(convoy, given_s) {
            return ms(sought_s - given_s);
        }
        tokio::time::sleep(SOUGHT_POLL).await;
    }
    f64::INFINITY
}
