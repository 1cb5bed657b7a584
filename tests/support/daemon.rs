//! A real `jamzd` process with folders, music, a bus and a virtual card of its own; all of it ends with the test.

use crate::bus::Bus;
use jamz::api::client::Client;
use jamz::core::id::TrackId;
use jamz::core::request::Addition;
use jamz::core::status::Status;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_jamzd");
/// Generous, as the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

pub(crate) struct Daemon {
    process: Option<Child>,
    pub(crate) bus: Bus,
    folder: TempDir,
}

impl Daemon {
    /// All that a car needs, switched off. `settings` is TOML, on top of what keeps it in its own folder.
    pub(crate) fn new(settings: &str) -> Self {
        Self::on(Bus::start(), settings)
    }

    pub(crate) fn on(bus: Bus, settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let car = Self { process: None, bus, folder };
        let path = |name: &str| car.path(name).display().to_string();
        fs::create_dir(car.path("music")).unwrap();
        let base = format!(
            "[audio]\noutput = \"virtual\"\n[library]\nfolders = [{:?}]\n\
             [bus]\nbus = {:?}\n[paths]\nstate = {:?}\ncache = {:?}\n",
            path("music"),
            car.bus.address(),
            path("state"),
            path("cache"),
        );
        fs::write(car.path("jamzd.toml"), base).unwrap();
        fs::create_dir(car.path("jamzd.toml.d")).unwrap();
        fs::write(car.path("jamzd.toml.d/test.toml"), settings).unwrap();
        car
    }

    /// Switched on, with a track of ten minutes.
    pub(crate) async fn with_music(settings: &str) -> (Self, Client, Addition) {
        let mut car = Self::new(settings);
        car.put_music("long.wav", 600);
        car.start();
        let client = car.client().await;
        let track = car.track(&client, "long").await;
        (car, client, track)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A tone of so many seconds in the music folder.
    pub(crate) fn put_music(&self, name: &str, seconds: u32) {
        fs::write(self.path("music").join(name), tone(seconds)).unwrap();
    }

    pub(crate) fn start(&mut self) {
        self.start_by(Command::new(PROGRAM));
    }

    /// Starts it by way of a shell that says `first` before it becomes the daemon.
    pub(crate) fn start_after(&mut self, first: &str) {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("{first}\nexec \"$0\" \"$@\"")).arg(PROGRAM);
        self.start_by(shell);
    }

    pub(crate) fn start_by(&mut self, mut command: Command) {
        assert!(self.process.is_none(), "it runs already");
        let log = File::options().create(true).append(true).open(self.path("log")).unwrap();
        command.arg("--config").arg(self.path("jamzd.toml")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.process = Some(command.spawn().unwrap());
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(self.process.as_ref().unwrap())
    }

    /// As when the power goes.
    pub(crate) fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// As systemd ends it; and how long it took.
    pub(crate) fn terminate(&mut self) -> (ExitStatus, Duration) {
        let asked = Instant::now();
        kill_process(self.pid(), Signal::TERM).unwrap();
        (self.ended(), asked.elapsed())
    }

    /// Waits for its end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.process.as_mut().unwrap().try_wait().unwrap() {
                self.process = None;
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end: {}", self.log());
            std::thread::sleep(POLL);
        }
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| process.try_wait().unwrap().is_none())
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// A client, once the daemon answers.
    pub(crate) async fn client(&self) -> Client {
        let begun = Instant::now();
        loop {
            if let Ok(client) = Client::connect(&self.bus.address()).await
                && client.status().await.is_ok()
            {
                return client;
            }
            assert!(begun.elapsed() < PATIENCE, "it does not answer: {}", self.log());
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until the car's state is as wanted.
    pub(crate) async fn until(&self, client: &Client, what: &str, is_so: impl Fn(&Status) -> bool) -> Status {
        let begun = Instant::now();
        loop {
            let status = client.status().await;
            match &status {
                Ok(status) if is_so(status) => return status.clone(),
                _ => assert!(begun.elapsed() < PATIENCE, "not {what}: {status:?}\n{}", self.log()),
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The track of the library that a word finds, once it is indexed.
    pub(crate) async fn track(&self, client: &Client, word: &str) -> Addition {
        self.until(client, "indexed", |status| status.library.scanning.is_none() && status.library.tracks > 0).await;
        let found = client.library_search(word, 9).await.unwrap();
        Addition::Library(found.first().unwrap_or_else(|| panic!("no {word}")).id.clone())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// A track that no library has.
pub(crate) fn unknown() -> Addition {
    Addition::Library(TrackId::new("0".repeat(64)).unwrap())
}

/// Kilobytes of memory that are in use, by this name of the kernel's (`VmRSS`, `VmHWM`).
pub(crate) fn memory_kb(pid: Pid, name: &str) -> u64 {
    let status = fs::read_to_string(Path::new("/proc").join(pid.as_raw_nonzero().to_string()).join("status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// A WAV file, mono, 8 kHz.
fn tone(seconds: u32) -> Vec<u8> {
    let data = seconds * 16_000;
    let mut file = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data".to_vec();
    file.extend(data.to_le_bytes());
    file[4..8].copy_from_slice(&(data + 36).to_le_bytes());
    file.extend((0..data / 2).flat_map(|n| ((n % 40) as i16 * 50).to_le_bytes()));
    file
}
