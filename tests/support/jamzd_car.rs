//! A whole car: the real `jamzd` with a bus, a state folder and a virtual sound card of its own, ended with the test.

use crate::bus::Bus;
use jamz::api::client::Client;
use jamz::core::status::Status;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longer than anything takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(25);

pub(crate) struct Car {
    bus: Bus,
    daemon: Option<Child>,
    client: Option<Client>,
}

impl Car {
    /// A car of `user` in `convoy`, whose card is off by `ppm`; it has nothing but the server. It is switched on, and
    /// not waited for.
    pub(crate) fn start(server: &str, token: &str, user: &str, convoy: &str, ppm: f64) -> Self {
        Self::with_mesh(false, server, token, user, convoy, ppm)
    }

    /// As [`Self::start`], and it links with other cars if it `meshes`.
    pub(crate) fn with_mesh(meshes: bool, server: &str, token: &str, user: &str, convoy: &str, ppm: f64) -> Self {
        Self::with_music(None, meshes, server, token, user, convoy, ppm)
    }

    /// As [`Self::with_mesh`], with the music in a folder.
    pub(crate) fn with_music(
        music: Option<&Path>,
        meshes: bool,
        server: &str,
        token: &str,
        user: &str,
        convoy: &str,
        ppm: f64,
    ) -> Self {
        let folders: Vec<&str> = music.iter().map(|folder| folder.to_str().unwrap()).collect();
        let bus = Bus::start();
        let path = |name: &str| bus.folder().join(name).display().to_string();
        std::fs::write(path("token"), token).unwrap();
        let config = format!(
            "[car]\nname = \"{user}'s car\"\n[convoy]\nid = \"{convoy}\"\n\
             [server]\nurl = \"{server}\"\ntoken_file = \"{}\"\nuser = \"{user}\"\n\
             [audio]\noutput = \"virtual\"\nvirtual_ppm = {ppm:?}\n\
             [mesh]\nenabled = {meshes}\n\
             [library]\nfolders = {folders:?}\n[bus]\nbus = \"{}\"\n[paths]\nstate = \"{}\"\ncache = \"{}\"\n",
            path("token"),
            bus.address(),
            path("state"),
            path("cache"),
        );
        std::fs::write(path("jamzd.toml"), config).unwrap();
        let mut car = Self { bus, daemon: None, client: None };
        car.switch_on();
        car
    }

    pub(crate) fn switch_on(&mut self) {
        let log = std::fs::File::options().create(true).append(true).open(self.log()).unwrap();
        let daemon = Command::new(env!("CARGO_BIN_EXE_jamzd"))
            .arg("--config")
            .arg(self.bus.folder().join("jamzd.toml"))
            .args(["--log", "info,jamz=debug"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.daemon = Some(daemon);
    }

    /// Takes the power away.
    pub(crate) fn kill(&mut self) {
        self.client = None;
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }

    pub(crate) fn bus(&self) -> String {
        self.bus.address()
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.bus.folder().join("jamzd.log")
    }

    pub(crate) async fn client(&mut self) -> &Client {
        if self.client.is_none() {
            self.client = Some(Client::connect(&self.bus.address()).await.unwrap());
        }
        self.client.as_ref().unwrap()
    }

    /// Tracks that were fetched and kept.
    pub(crate) fn cached(&self) -> usize {
        let files = std::fs::read_dir(self.bus.folder().join("cache")).unwrap();
        files.filter(|file| !file.as_ref().unwrap().file_name().to_string_lossy().contains("cache.db")).count()
    }

    pub(crate) async fn status(&mut self) -> Status {
        self.client().await.status().await.unwrap_or_else(|error| panic!("{error}\n{}", self.last_words()))
    }

    /// Waits until the car is as wanted.
    pub(crate) async fn until(&mut self, what: &str, wanted: impl Fn(&Status) -> bool) -> Status {
        let begun = Instant::now();
        let mut last = None;
        while begun.elapsed() < PATIENCE {
            if let Ok(status) = self.client().await.status().await {
                if wanted(&status) {
                    return status;
                }
                last = Some(status);
            }
            tokio::time::sleep(POLL).await;
        }
        panic!("not so: {what}\n{last:#?}\n{}", self.last_words());
    }

    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

impl Drop for Car {
    fn drop(&mut self) {
        self.kill();
    }
}
