//! One car: its own folders, its own bus, its own daemon on its own sound card.

use super::process::Process;
use super::road::Road;
use anyhow::{Context, Result, bail};
use jamz::api::client::Client;
use jamz::core::status::Status;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::process::Command;

const ANSWER_MAX: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(50);
const BUS_POLLS_MAX: usize = 100;

/// What the car hears its music on.
#[derive(Clone, Copy)]
pub enum Card {
    /// The machine's own.
    Real,
    /// A virtual one, whose crystal is off by so many parts per million.
    Virtual { ppm: f64 },
}

/// What makes one car differ from the others, and what they share.
pub struct Fitting<'a> {
    pub name: &'a str,
    pub number: usize,
    pub card: Card,
    pub recorded: bool,
    /// Whether it links with other cars.
    pub meshes: bool,
    pub music: &'a Path,
    pub server_url: &'a str,
    pub token: &'a str,
    /// The convoy's, by which cars know each other without the server.
    pub secret: &'a str,
}

pub struct Car {
    pub name: String,
    pub card: Card,
    /// The last that it said of itself; none while it is off.
    pub status: Option<Status>,
    /// Its place on the road.
    pub number: usize,
    dir: PathBuf,
    programs: PathBuf,
    bus: Process,
    daemon: Option<Process>,
    client: Option<Client>,
}

impl Car {
    /// Builds the car in `dir` and starts it on its place of the road; `programs` is where `jamzd` is.
    ///
    /// # Errors
    /// When something cannot be written or started.
    pub async fn start(dir: PathBuf, programs: &Path, road: &Road, fitting: &Fitting<'_>) -> Result<Self> {
        fs::create_dir_all(dir.join("record"))?;
        write_secret(&dir.join("token"), fitting.token)?;
        write_secret(&dir.join("secret"), fitting.secret)?;
        fs::write(dir.join("jamzd.toml"), configuration(&dir, fitting)?)?;
        fs::write(dir.join("bus.conf"), bus_configuration(&dir))?;
        let mut bus = Command::new("dbus-daemon");
        bus.arg("--nofork").arg(format!("--config-file={}", dir.join("bus.conf").display()));
        let bus = Process::start("dbus-daemon", &bus, &dir.join("bus.log"))?;
        let mut car = Self {
            name: fitting.name.to_owned(),
            card: fitting.card,
            status: None,
            number: fitting.number,
            dir,
            programs: programs.to_owned(),
            bus,
            daemon: None,
            client: None,
        };
        car.await_bus().await?;
        car.switch_on(road)?;
        Ok(car)
    }

    async fn await_bus(&mut self) -> Result<()> {
        for _ in 0..BUS_POLLS_MAX {
            if self.dir.join("bus").exists() {
                return Ok(());
            }
            self.bus.check_alive()?;
            tokio::time::sleep(POLL).await;
        }
        bail!("the bus of {} did not start; see {}", self.name, self.dir.join("bus.log").display())
    }

    /// Starts the daemon, with whatever state it left.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn switch_on(&mut self, road: &Road) -> Result<()> {
        let mut command = road.command(self.number, &self.programs.join("jamzd"));
        command.arg("--config").arg(self.dir.join("jamzd.toml"));
        self.daemon = Some(Process::start("jamzd", &command, &self.dir.join("jamzd.log"))?);
        Ok(())
    }

    /// Takes the power away.
    ///
    /// # Errors
    /// When the daemon cannot be waited for.
    pub async fn kill(&mut self) -> Result<()> {
        (self.client, self.status) = (None, None);
        match self.daemon.take() {
            Some(daemon) => daemon.kill().await,
            None => Ok(()),
        }
    }

    /// Ends the daemon in order, so that its record is whole.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub async fn stop(&mut self) -> Result<()> {
        (self.client, self.status) = (None, None);
        if let Some(daemon) = self.daemon.take() {
            daemon.stop().await?;
        }
        Ok(())
    }

    /// Of its daemon, while it is on.
    pub fn pid(&self) -> Option<u32> {
        self.daemon.as_ref().and_then(Process::id)
    }

    pub fn is_on(&self) -> bool {
        self.daemon.is_some()
    }

    /// Where its virtual card leaves its records.
    pub fn records(&self) -> PathBuf {
        self.dir.join("record")
    }

    /// What all cars of the convoy know.
    pub fn secret_file(&self) -> PathBuf {
        self.dir.join("secret")
    }

    /// # Errors
    /// When the daemon is off, or does not answer.
    pub async fn client(&mut self) -> Result<&Client> {
        if self.client.is_none() {
            self.client = Some(self.another_client().await?);
        }
        self.client.as_ref().context("no connection")
    }

    /// A connection of one's own to the car's bus.
    ///
    /// # Errors
    /// When the bus does not answer.
    pub async fn another_client(&self) -> Result<Client> {
        Ok(Client::connect(&self.bus_address()).await?)
    }

    fn bus_address(&self) -> String {
        format!("unix:path={}", self.dir.join("bus").display())
    }

    /// Asks the car for its state; `status` has the answer, or nothing while it starts.
    ///
    /// # Errors
    /// When its daemon ended by itself.
    pub async fn refresh(&mut self) -> Result<()> {
        let Some(daemon) = &mut self.daemon else { return Ok(()) };
        daemon.check_alive()?;
        self.status = match self.client().await {
            Ok(client) => tokio::time::timeout(ANSWER_MAX, client.status()).await.ok().and_then(Result::ok),
            Err(_) => None,
        };
        Ok(())
    }
}

/// # Errors
/// When it cannot be written.
pub fn write_secret(path: &Path, text: &str) -> Result<()> {
    let mut file = fs::File::options().create(true).write(true).truncate(true).mode(0o600).open(path)?;
    Ok(file.write_all(text.as_bytes())?)
}

fn configuration(dir: &Path, fitting: &Fitting<'_>) -> Result<String> {
    let mut audio = toml::Table::new();
    match fitting.card {
        Card::Real => audio.insert("output".to_owned(), "alsa".into()),
        Card::Virtual { ppm } => {
            audio.insert("virtual_ppm".to_owned(), ppm.into());
            if fitting.recorded {
                let stem = dir.join("record").join("card");
                audio.insert("record".to_owned(), stem.display().to_string().into());
            }
            audio.insert("output".to_owned(), "virtual".into())
        }
    };
    let path = |name: &str| dir.join(name).display().to_string();
    let mut config = toml::toml! {
        [car]
        [convoy]
        id = "demo"
        [server]
        [mesh]
        [library]
        [bus]
        [paths]
    };
    let mut set = |section: &str, key: &str, value: toml::Value| {
        if let Some(toml::Value::Table(table)) = config.get_mut(section) {
            table.insert(key.to_owned(), value);
        }
    };
    set("car", "name", fitting.name.into());
    set("server", "url", fitting.server_url.into());
    set("server", "token_file", path("token").into());
    set("convoy", "secret_file", path("secret").into());
    set("mesh", "enabled", fitting.meshes.into());
    set("library", "folders", vec![fitting.music.display().to_string()].into());
    set("bus", "bus", format!("unix:path={}", path("bus")).into());
    set("paths", "state", path("state").into());
    set("paths", "cache", path("cache").into());
    config.insert("audio".to_owned(), audio.into());
    Ok(toml::to_string(&config)?)
}

/// A bus of one's own, on which everyone may own and call everything.
fn bus_configuration(dir: &Path) -> String {
    format!(
        "<busconfig><type>session</type><listen>unix:path={}</listen><auth>EXTERNAL</auth>\
         <policy context=\"default\"><allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/>\
         <allow own=\"*\"/></policy></busconfig>\n",
        dir.join("bus").display()
    )
}
