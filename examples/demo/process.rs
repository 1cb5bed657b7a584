//! A program that the demo runs: its own log file, its end with the demo's.

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::{Child, Command};

const STOP_TIME_MAX: Duration = Duration::from_secs(5);
const LOG_LINES_SHOWN: usize = 12;

pub struct Process {
    child: Child,
    name: String,
    log: PathBuf,
}

impl Process {
    /// Starts `command`; what it says is appended to `log`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(name: &str, command: &Command, log: &Path) -> Result<Self> {
        let program = command.as_std();
        // From util-linux: asks the kernel to end the program when the demo ends, even by SIGKILL, and becomes it.
        let mut mortal = Command::new("setpriv");
        mortal.args(["--pdeathsig", "KILL", "--"]).arg(program.get_program()).args(program.get_args());
        if let Some(dir) = program.get_current_dir() {
            mortal.current_dir(dir);
        }
        let file = File::options().create(true).append(true).open(log)?;
        let child = mortal
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| {
                format!("cannot start {name} ({}) by setpriv, which is in util-linux", program.get_program().display())
            })?;
        Ok(Self { child, name: name.to_owned(), log: log.to_owned() })
    }

    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// All that it has said.
    ///
    /// # Errors
    /// When its log cannot be read.
    pub fn said(&self) -> Result<String> {
        Ok(std::fs::read_to_string(&self.log)?)
    }

    /// # Errors
    /// When it is gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let id = self.child.id().and_then(|id| Pid::from_raw(id as i32));
        Ok(kill_process(id.context("it is gone")?, signal)?)
    }

    /// # Errors
    /// When it has ended, with the last that it said.
    pub fn check_alive(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let last = lines.get(lines.len().saturating_sub(LOG_LINES_SHOWN)..).unwrap_or_default().join("\n");
            bail!("{} ended by itself ({status}); its last words:\n{last}", self.name);
        }
        Ok(())
    }

    /// At once, without a chance to say goodbye: as when the power goes.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub async fn kill(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// As systemd does it: asks it to end, and insists if it does not.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub async fn stop(mut self) -> Result<Option<ExitStatus>> {
        if self.child.id().is_some() {
            self.signal(Signal::TERM)?;
        }
        match tokio::time::timeout(STOP_TIME_MAX, self.child.wait()).await {
            Ok(status) => Ok(Some(status?)),
            Err(_) => self.kill().await.map(|()| None),
        }
    }
}
