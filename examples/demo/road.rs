//! The road: a network of its own for every car, which can be cut like a real one.
//!
//! Each car lives in a network namespace with two interfaces. `wan` leads over the bridge `internet` to the server and
//! to nobody else, as a phone network does; `lan` leads over the bridge `lan` to the other cars. Neither is a default
//! route. A cut makes the bridge drop whatever a cable brings or is to take: nothing arrives any more, and nobody is
//! told. A car that is deaf to another gets nothing of what that one sends to it over the LAN, and is heard itself.

use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use tokio::process::{Child, Command as AsyncCommand};

/// Set for the demo that runs within its own network.
const INSIDE: &str = "JAMZ_DEMO_ROAD";
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
/// What is sent there is dropped.
const NOBODY: &str = "02:77:ff:ff:ff:ff";
/// States of a bridge's port, as the spanning tree protocol has them.
const DISABLED: u8 = 0;
const FORWARDING: u8 = 3;

/// Which cable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cable {
    Internet,
    Lan,
}

impl Cable {
    fn bridge(self) -> &'static str {
        match self {
            Self::Internet => "internet",
            Self::Lan => "lan",
        }
    }

    /// The cable's end at the bridge.
    fn end(self, car: usize) -> String {
        match self {
            Self::Internet => format!("wan{car}"),
            Self::Lan => format!("lan{car}"),
        }
    }
}

/// The network namespaces of all cars.
pub enum Road {
    Cables(Vec<Lane>),
    /// Where namespaces cannot be had: all on the loopback, and nothing can be cut.
    Loopback,
}

/// One car's namespace, for as long as a process holds it, which of its cables are cut, and whom it does not hear.
pub struct Lane {
    holder: Child,
    cut_internet: bool,
    cut_lan: bool,
    deaf_to: BTreeSet<usize>,
}

/// Runs this program again within a network of its own, if this machine lets its users make one. Returns where it does
/// not, or in the program that runs within.
pub fn enter() {
    if std::env::var_os(INSIDE).is_some() || !can_enter() {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let mut command = unshare();
    // Only returns when it fails, and then the loopback will do.
    let _ = command.arg("--").arg(program).args(std::env::args_os().skip(1)).env(INSIDE, "1").exec();
}

fn unshare() -> Command {
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-current-user", "--keep-caps"]);
    }
    command.arg("--net");
    command
}

/// Whether all that [`Road::build`] does can be done.
fn can_enter() -> bool {
    let probe = "ip link add br0 type bridge && ip link add ve0 type veth peer name ve1 && \
                 ip link set ve0 master br0 && bridge link set dev ve0 isolated on && \
                 nsenter --net=/proc/self/ns/net true";
    let mut command = unshare();
    command.args(["--", "sh", "-c", probe]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

impl Road {
    /// Lays the cables of `cars` cars.
    ///
    /// # Errors
    /// When a part of it cannot be made.
    pub fn build(cars: usize) -> Result<Self> {
        if std::env::var_os(INSIDE).is_none() {
            return Ok(Self::Loopback);
        }
        ip("link set lo up")?;
        for bridge in ["internet", "lan"] {
            ip(&format!("link add {bridge} type bridge"))?;
            ip(&format!("link set {bridge} up"))?;
        }
        ip(&format!("addr add {SERVER}/24 dev internet"))?;
        let mut lanes = Vec::new();
        for car in 0..cars {
            lanes.push(Lane::build(car)?);
        }
        let road = Self::Cables(lanes);
        for car in 0..cars {
            plug(Cable::Internet, car)?;
            plug(Cable::Lan, car)?;
        }
        Ok(road)
    }

    pub fn can_be_cut(&self) -> bool {
        matches!(self, Self::Cables(_))
    }

    /// A free address for the server, which every car can reach.
    ///
    /// # Errors
    /// When there is none.
    pub fn server_address(&self) -> Result<SocketAddr> {
        let host = if self.can_be_cut() { SERVER } else { Ipv4Addr::LOCALHOST };
        Ok(TcpListener::bind((host, 0))?.local_addr()?)
    }

    /// How to run `program` in a car.
    pub fn command(&self, car: usize, program: &Path) -> AsyncCommand {
        match self.lane(car).and_then(|lane| lane.holder.id()) {
            Some(holder) => {
                let mut command = AsyncCommand::new("nsenter");
                command.arg(format!("--net=/proc/{holder}/ns/net")).arg("--").arg(program);
                command
            }
            None => AsyncCommand::new(program),
        }
    }

    pub fn is_cut(&self, cable: Cable, car: usize) -> bool {
        self.lane(car).is_some_and(|lane| match cable {
            Cable::Internet => lane.cut_internet,
            Cable::Lan => lane.cut_lan,
        })
    }

    /// Whether all of `cars` can reach each other, over others among them or over the server, if it `has_server`.
    pub fn joins(&self, cars: &[usize], has_server: bool) -> bool {
        let mut reached: BTreeSet<usize> = cars.first().copied().into_iter().collect();
        loop {
            let near = |car: &&usize| reached.iter().any(|there| self.meet(*there, **car, has_server));
            let more: Vec<usize> = cars.iter().filter(|car| !reached.contains(car)).filter(near).copied().collect();
            if more.is_empty() {
                return reached.len() == cars.len();
            }
            reached.extend(more);
        }
    }

    fn meet(&self, a: usize, b: usize, has_server: bool) -> bool {
        let online = |car| has_server && !self.is_cut(Cable::Internet, car);
        (online(a) && online(b)) || self.hear_each_other(a, b)
    }

    /// Whether the LAN carries between two cars, both ways.
    pub fn hear_each_other(&self, a: usize, b: usize) -> bool {
        let hears = |car, other| self.lane(car).is_none_or(|lane| !lane.deaf_to.contains(&other));
        !self.is_cut(Cable::Lan, a) && !self.is_cut(Cable::Lan, b) && hears(a, b) && hears(b, a)
    }

    /// Cuts a car's cable, or makes it whole again.
    ///
    /// # Errors
    /// When there are no cables here.
    pub fn set_cut(&mut self, cable: Cable, car: usize, cut: bool) -> Result<()> {
        let lane = self.lane_mut(car)?;
        match cable {
            Cable::Internet => lane.cut_internet = cut,
            Cable::Lan => lane.cut_lan = cut,
        }
        bridge(&format!("link set dev {} state {}", cable.end(car), if cut { DISABLED } else { FORWARDING }))
    }

    /// Lets a car hear another over the LAN, or not; the other hears it all the same. What is sent to all, as DNS-SD
    /// is, still arrives.
    ///
    /// # Errors
    /// When there are no cables here, or no such cars.
    pub fn set_deaf(&mut self, car: usize, to: usize, deaf: bool) -> Result<()> {
        let lane = self.lane_mut(car)?;
        let changed = if deaf { lane.deaf_to.insert(to) } else { lane.deaf_to.remove(&to) };
        if !changed {
            return Ok(());
        }
        let speaker = self.lane_mut(to)?;
        let (verb, end) =
            if deaf { ("replace", format!(" lladdr {NOBODY} nud permanent")) } else { ("del", String::new()) };
        for address in [lan_address(car), link_local_address(car)] {
            speaker.ip(&format!("neigh {verb} {address} dev lan{end}"))?;
        }
        Ok(())
    }

    /// Whom each car does not hear.
    pub fn deaf(&self) -> Vec<(usize, usize)> {
        let Self::Cables(lanes) = self else { return Vec::new() };
        let deaf = lanes.iter().enumerate().flat_map(|(car, lane)| lane.deaf_to.iter().map(move |to| (car, *to)));
        deaf.collect()
    }

    fn lane_mut(&mut self, car: usize) -> Result<&mut Lane> {
        let Self::Cables(lanes) = self else {
            bail!("networks can be cut only where this user may make network namespaces (`unshare`, iproute2)")
        };
        lanes.get_mut(car).with_context(|| format!("there is no car {}", car + 1))
    }

    fn lane(&self, car: usize) -> Option<&Lane> {
        match self {
            Self::Cables(lanes) => lanes.get(car),
            Self::Loopback => None,
        }
    }
}

impl Lane {
    fn build(car: usize) -> Result<Self> {
        let mut holder = AsyncCommand::new("unshare");
        // It says when it is within, and ends with the demo, whose end of its standard input closes.
        holder.args(["--net", "--", "sh", "-c", "echo; read _"]);
        let mut holder = holder.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let id = holder.id().context("a network namespace does not last")?;
        let said = holder.stdout.take().context("no output")?.into_owned_fd()?;
        let mut byte = [0];
        // The pipe does not block for long: the shell starts, or the pipe ends.
        std::io::Read::read_exact(&mut std::fs::File::from(blocking(said)?), &mut byte)
            .context("a network namespace could not be made")?;
        let lane = Self { holder, cut_internet: false, cut_lan: false, deaf_to: BTreeSet::new() };
        let wan_address = Ipv4Addr::new(10, 77, 0, place(car)).to_string();
        for (cable, inside, address) in [(Cable::Internet, "wan", wan_address), (Cable::Lan, "lan", lan_address(car))] {
            let card = format!("{inside} address {}", hardware_address(car));
            ip(&format!("link add {} type veth peer name {card} netns {id}", cable.end(car)))?;
            ip(&format!("link set {} up", cable.end(car)))?;
            lane.ip(&format!("addr add {address}/24 dev {inside}"))?;
            lane.ip(&format!("link set {inside} up"))?;
        }
        lane.ip("link set lo up")?;
        Ok(lane)
    }

    fn ip(&self, words: &str) -> Result<()> {
        let id = self.holder.id().context("a network namespace has ended")?;
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{id}/ns/net")).args(["--", "ip"]).args(words.split(' '));
        run(command, words)
    }
}

/// The car's place in each network.
fn place(car: usize) -> u8 {
    u8::try_from(car + 11).unwrap_or(u8::MAX)
}

fn lan_address(car: usize) -> String {
    Ipv4Addr::new(192, 168, 77, place(car)).to_string()
}

fn hardware_address(car: usize) -> String {
    format!("02:77:00:00:00:{:02x}", place(car))
}

/// As the kernel makes it of the hardware's.
fn link_local_address(car: usize) -> String {
    format!("fe80::77:ff:fe00:{:x}", place(car))
}

/// Makes reads wait, as those of a file do.
fn blocking(pipe: std::os::fd::OwnedFd) -> Result<std::os::fd::OwnedFd> {
    rustix::io::ioctl_fionbio(&pipe, false)?;
    Ok(pipe)
}

/// Connects a cable to its bridge. The cars do not see each other over the internet.
fn plug(cable: Cable, car: usize) -> Result<()> {
    let end = cable.end(car);
    ip(&format!("link set {end} master {}", cable.bridge()))?;
    if cable == Cable::Internet {
        bridge(&format!("link set dev {end} isolated on"))?;
    }
    Ok(())
}

fn bridge(words: &str) -> Result<()> {
    let mut command = Command::new("bridge");
    command.args(words.split(' '));
    run(command, words)
}

fn ip(words: &str) -> Result<()> {
    let mut command = Command::new("ip");
    command.args(words.split(' '));
    run(command, words)
}

fn run(mut command: Command, words: &str) -> Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    if !output.status.success() {
        bail!("`ip {words}`: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
