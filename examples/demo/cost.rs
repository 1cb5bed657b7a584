//! What each car costs: processor, memory, bytes on its cables, links.

use super::convoy::Convoy;
use super::drive::now_s;
use anyhow::{Context, Result};
use jamz::core::status::PeerState;
use serde::Serialize;
use std::fs;

/// In which the kernel tells programs of times (`USER_HZ`), whatever its own pace.
const TICKS_HZ: f64 = 100.0;

/// Of one car that had its power all the time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cost {
    pub car: String,
    /// It led at the end, and so was the hub where there was no server.
    pub leads: bool,
    /// Of one core, on average.
    pub cpu_percent: f64,
    /// Resident at the end, in kilobytes: all of it, and its share of what programs have in common.
    pub rss_kb: u64,
    pub pss_kb: u64,
    /// With other cars, at the end.
    pub links: usize,
    /// Over each cable, both ways; none where all cars are on the loopback.
    pub wan_bytes: Option<u64>,
    pub lan_bytes: Option<u64>,
}

/// Counts of a process since it began.
#[derive(Debug, Clone, Copy)]
struct Counts {
    cpu_s: f64,
    wan_bytes: Option<u64>,
    lan_bytes: Option<u64>,
}

/// The counts of all cars at its beginning.
pub struct Meter {
    begun_s: f64,
    counts: Vec<(u32, Counts)>,
}

impl Meter {
    /// # Errors
    /// When the kernel does not tell.
    pub fn begin(convoy: &Convoy) -> Result<Self> {
        let pids = convoy.cars.iter().filter_map(super::car::Car::pid);
        let counts = pids.map(|pid| Ok((pid, Counts::read(pid)?))).collect::<Result<_>>()?;
        Ok(Self { begun_s: now_s(), counts })
    }

    /// What the cars cost since.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn end(&self, convoy: &Convoy) -> Result<Vec<Cost>> {
        let seconds = now_s() - self.begun_s;
        let mut costs = Vec::new();
        for car in &convoy.cars {
            let begun = car.pid().and_then(|pid| self.counts.iter().find(|(known, _)| *known == pid));
            let (Some((pid, begun)), Some(status)) = (begun, &car.status) else { continue };
            let ended = Counts::read(*pid)?;
            let memory = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
            let kilobytes = |name: &str| number(memory.lines().find(|line| line.starts_with(name))?, 1);
            costs.push(Cost {
                car: car.name.clone(),
                leads: status.is_controller,
                cpu_percent: ((ended.cpu_s - begun.cpu_s) / seconds * 1e4).round() / 1e2,
                rss_kb: kilobytes("Rss:").context("no Rss")?,
                pss_kb: kilobytes("Pss:").context("no Pss")?,
                links: status.connection.web_rtc.values().filter(|state| **state == PeerState::Connected).count(),
                wan_bytes: ended.wan_bytes.zip(begun.wan_bytes).map(|(ended, begun)| ended - begun),
                lan_bytes: ended.lan_bytes.zip(begun.lan_bytes).map(|(ended, begun)| ended - begun),
            });
        }
        Ok(costs)
    }
}

/// A program's processor time since it began in seconds, and its memory now in kilobytes.
///
/// # Errors
/// When the kernel does not tell.
pub fn of_program(pid: u32) -> Result<(f64, u64)> {
    let memory = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let rss_kb = memory.lines().find(|line| line.starts_with("Rss:")).and_then(|line| number(line, 1));
    Ok((Counts::read(pid)?.cpu_s, rss_kb.context("no Rss")?))
}

impl Counts {
    fn read(pid: u32) -> Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // After the name, which may have spaces: user and system time are the twelfth and thirteenth.
        let after = stat.rsplit(')').next().unwrap_or_default();
        let ticks = number(after, 11).zip(number(after, 12)).context("no times")?;
        let network = fs::read_to_string(format!("/proc/{pid}/net/dev"))?;
        let bytes = |name: &str| {
            let line = network.lines().find_map(|line| line.trim_start().strip_prefix(name))?;
            // Received first, then sent.
            Some(number(line, 0)? + number(line, 8)?)
        };
        Ok(Self { cpu_s: (ticks.0 + ticks.1) as f64 / TICKS_HZ, wan_bytes: bytes("wan:"), lan_bytes: bytes("lan:") })
    }
}

fn number(line: &str, place: usize) -> Option<u64> {
    line.split_whitespace().nth(place)?.parse().ok()
}
