//! The convoy on this machine: a server and its cars, and the way to command them.

use super::car::{Car, Card, Fitting};
use super::process::Process;
use super::road::{Cable, Road};
use anyhow::{Context, Result, bail};
use jamz::core::request::Addition;
use jamz::core::status::ActiveSync;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::process::Command;

const POLL: Duration = Duration::from_millis(50);
const SERVER_POLLS_MAX: usize = 200;
const READY_POLLS_MAX: usize = 2_400;
/// No need to queue somebody's whole collection.
const TRACKS_MAX: u32 = 30;
/// The playlist goes over the music so often: a short tune lasts for a while.
const ROUNDS: usize = 4;
/// A car each: its name, its driver, and how far off its crystal is in parts per million, if virtual. Further ones are
/// numbered.
const CARS: [(&str, &str, f64); 10] = [
    ("van", "ann", 12.0),
    ("truck", "ben", 40.0),
    ("coupe", "cleo", -35.0),
    ("jeep", "dana", 25.0),
    ("beetle", "emil", -18.0),
    ("hatch", "finn", 5.0),
    ("camper", "gus", -50.0),
    ("pickup", "hana", 33.0),
    ("taxi", "ines", -8.0),
    ("bus", "jon", 60.0),
];
pub const CARS_MAX: usize = 64;

/// What kind of convoy is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    pub cars: usize,
    /// So many of them leave a record of what they play.
    pub recorded: usize,
    pub meshes: bool,
    /// Whether somebody of bad will has a place on the road.
    pub has_rogue: bool,
}

pub struct Convoy {
    pub cars: Vec<Car>,
    pub road: Road,
    dir: PathBuf,
    programs: PathBuf,
    address: SocketAddr,
    server: Option<Process>,
}

impl Convoy {
    /// Starts everything in `dir`; the cars look for music in `music`.
    ///
    /// # Errors
    /// When something does not start, with its last words.
    pub async fn start(dir: &Path, music: &Path, kind: Kind) -> Result<Self> {
        let example = std::env::current_exe()?;
        let programs = example.parent().and_then(Path::parent).context("the demo runs from cargo's target folder")?;
        let road = Road::build(kind.cars + usize::from(kind.has_rogue))?;
        let address = road.server_address()?;
        let (dir, programs) = (dir.to_owned(), programs.to_owned());
        let mut convoy = Self { cars: Vec::new(), road, dir, programs, address, server: None };
        fs::create_dir_all(convoy.dir.join("server"))?;
        convoy.start_server().await?;
        let url = format!("http://{address}");
        let secret = jamz::host::random_hex(16)?;
        let real = has_sound_card();
        for number in 0..kind.cars {
            let (name, user, ppm) = crew(number);
            let token = convoy.token(&user).await?;
            let card = if real && number == 0 { Card::Real } else { Card::Virtual { ppm } };
            let fitting = Fitting {
                name: &name,
                number,
                card,
                recorded: number < kind.recorded,
                meshes: kind.meshes,
                music,
                server_url: &url,
                token: &token,
                secret: &secret,
            };
            let car = Car::start(convoy.dir.join(&name), &convoy.programs, &convoy.road, &fitting).await?;
            convoy.cars.push(car);
        }
        Ok(convoy)
    }

    fn server_command(&self) -> Command {
        let mut command = Command::new(self.programs.join("jamz-server"));
        command.current_dir(self.dir.join("server"));
        command
    }

    /// Starts the server, where it was before, with what it remembers.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start_server(&mut self) -> Result<()> {
        let mut command = self.server_command();
        command.arg("--listen").arg(self.address.to_string()).arg("--state").arg(self.dir.join("server"));
        let mut server = Process::start("jamz-server", &command, &self.dir.join("server/log"))?;
        for _ in 0..SERVER_POLLS_MAX {
            server.check_alive()?;
            if TcpStream::connect(self.address).is_ok() {
                self.server = Some(server);
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
        bail!("jamz-server does not listen on {}; see {}", self.address, self.dir.join("server/log").display())
    }

    /// Starts the rogue, behind all cars; it joins with a token of its own, and waits.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn start_rogue(&self, over: &str, mix: &str) -> Result<Process> {
        let dir = self.dir.join("rogue");
        fs::create_dir_all(&dir)?;
        super::car::write_secret(&dir.join("token"), &self.token("mallory").await?)?;
        let secret = self.cars.first().context("no car")?.secret_file();
        let mut command = self.road.command(self.cars.len(), &self.programs.join("examples/rogue"));
        command.args([over, mix, &self.address.to_string(), "demo"]).arg(dir.join("token")).arg(secret);
        Process::start("rogue", &command, &dir.join("log"))
    }

    pub fn server_pid(&self) -> Option<u32> {
        self.server.as_ref().and_then(Process::id)
    }

    /// # Errors
    /// When it cannot be waited for.
    pub async fn stop_server(&mut self) -> Result<()> {
        if let Some(server) = self.server.take() {
            server.stop().await?;
        }
        Ok(())
    }

    /// # Errors
    /// When it cannot be waited for.
    pub async fn kill_server(&mut self) -> Result<()> {
        if let Some(server) = self.server.take() {
            server.kill().await?;
        }
        Ok(())
    }

    pub fn has_server(&self) -> bool {
        self.server.is_some()
    }

    async fn token(&self, user: &str) -> Result<String> {
        let mut command = self.server_command();
        command.arg("token").arg("--state").arg(self.dir.join("server")).args(["--user", user, "--convoy", "demo"]);
        let output = command.output().await.context("cannot run jamz-server token")?;
        if !output.status.success() {
            bail!("jamz-server token: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// # Errors
    /// When a daemon ended by itself.
    pub async fn refresh(&mut self) -> Result<()> {
        for car in &mut self.cars {
            car.refresh().await?;
        }
        Ok(())
    }

    /// Waits until every car is in the convoy, knows its time, and has looked through the music.
    ///
    /// # Errors
    /// When one does not get there.
    pub async fn await_ready(&mut self) -> Result<()> {
        let count = self.cars.len();
        for _ in 0..READY_POLLS_MAX {
            self.refresh().await?;
            let ready = |car: &Car| {
                car.status.as_ref().is_some_and(|status| {
                    let present = status.members.iter().filter(|member| member.online).count();
                    let scanned = status.library.tracks > 0 && status.library.scanning.is_none();
                    present == count && status.clock.synced && scanned
                })
            };
            if self.cars.iter().all(ready) {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
        let seen: Vec<String> = self.cars.iter().map(|car| format!("{}: {:?}", car.name, car.status)).collect();
        bail!("not every car is ready:\n{}\nTheir logs are in {}", seen.join("\n"), self.dir.display())
    }

    /// The car whose DJ leads; the first that is on while nobody does.
    pub fn leader(&self) -> Option<usize> {
        let leads = |car: &Car| car.status.as_ref().is_some_and(|status| status.is_controller);
        self.cars.iter().position(leads).or_else(|| self.cars.iter().position(|car| car.status.is_some()))
    }

    pub fn is_playing(&self) -> bool {
        self.cars.iter().filter_map(|car| car.status.as_ref()).any(|status| status.now_playing.playing)
    }

    /// Cuts a car's cable, or those of all cars; or plugs them in.
    ///
    /// # Errors
    /// When this machine has no cables to cut.
    pub fn set_cut(&mut self, cable: Cable, car: Option<usize>, cut: bool) -> Result<()> {
        let cars = car.map_or(0..self.cars.len(), |car| car..car + 1);
        for car in cars {
            self.road.set_cut(cable, car, cut)?;
        }
        Ok(())
    }

    /// Whether the cable is cut, of one car or of any.
    pub fn is_cut(&self, cable: Cable, car: Option<usize>) -> bool {
        let cars = car.map_or(0..self.cars.len(), |car| car..car + 1);
        cars.into_iter().any(|car| self.road.is_cut(cable, car))
    }

    /// Mends the road, and starts the server.
    ///
    /// # Errors
    /// When a part cannot be mended, or the server does not come up.
    pub async fn restore(&mut self) -> Result<()> {
        for (car, to) in self.road.deaf() {
            self.road.set_deaf(car, to, false)?;
        }
        for cable in [Cable::Lan, Cable::Internet] {
            if self.is_cut(cable, None) {
                self.set_cut(cable, None, false)?;
            }
        }
        if self.server.is_none() {
            self.start_server().await?;
        }
        Ok(())
    }

    /// Whether all cars that are on can reach each other, in whatever way.
    pub fn is_together(&self) -> bool {
        let on: Vec<usize> = self.cars.iter().filter(|car| car.is_on()).map(|car| car.number).collect();
        self.road.joins(&on, self.has_server())
    }

    /// The tier that a car should come to, as the road is now.
    pub fn tier_expected(&self, car: usize) -> ActiveSync {
        let others = self.cars.iter().filter(|other| other.is_on() && other.number != car);
        if self.has_server() && !self.road.is_cut(Cable::Internet, car) {
            ActiveSync::Socket
        } else if others.into_iter().any(|other| self.road.hear_each_other(car, other.number)) {
            ActiveSync::Webrtc
        } else {
            ActiveSync::Offline
        }
    }

    /// Puts the music into the playlist, in the order of its files.
    ///
    /// # Errors
    /// When the car refuses.
    pub async fn queue_music(&mut self) -> Result<()> {
        let client = self.cars.first_mut().context("no car")?.client().await?;
        let mut tracks = client.library_search("", TRACKS_MAX).await?;
        tracks.sort_by(|a, b| a.path.cmp(&b.path));
        let tracks: Vec<Addition> = tracks.into_iter().map(|track| Addition::Library(track.id)).collect();
        let tracks: Vec<Addition> = std::iter::repeat_n(tracks, ROUNDS).flatten().collect();
        client.queue_add(&tracks, None).await?;
        Ok(())
    }

    /// Ends the cars, then the server.
    ///
    /// # Errors
    /// When one cannot be waited for.
    pub async fn stop(&mut self) -> Result<()> {
        for car in &mut self.cars {
            car.stop().await?;
        }
        self.stop_server().await
    }
}

fn crew(number: usize) -> (String, String, f64) {
    let (name, user, ppm) = CARS.get(number % CARS.len()).copied().unwrap_or(("car", "driver", 0.0));
    match number / CARS.len() {
        0 => (name.to_owned(), user.to_owned(), ppm),
        round => (format!("{name}{}", round + 1), format!("{user}{}", round + 1), ppm),
    }
}

fn has_sound_card() -> bool {
    fs::read_to_string("/proc/asound/cards").is_ok_and(|cards| cards.contains('['))
}
