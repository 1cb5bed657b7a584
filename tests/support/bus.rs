//! A private, real dbus-daemon, gone when dropped.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A bus that lets everyone do everything, as a session bus does.
const OPEN_POLICY: &str = r#"<policy context="default">
    <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
  </policy>"#;

pub(crate) struct Bus {
    daemon: Option<Child>,
    folder: TempDir,
}

impl Bus {
    /// A session-like bus of its own.
    pub(crate) fn start() -> Self {
        Self::with_policy("session", OPEN_POLICY)
    }

    /// A bus of `kind` (`session`, `system`) with this policy in its configuration.
    pub(crate) fn with_policy(kind: &str, policy: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Other users must reach the socket.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.path(), open).unwrap();
        let socket = folder.path().join("bus");
        let config = format!(
            r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>{kind}</type>
  <listen>unix:path={}</listen>
  <auth>EXTERNAL</auth>
  {policy}
</busconfig>"#,
            socket.display()
        );
        std::fs::write(folder.path().join("bus.conf"), config).unwrap();
        let mut bus = Self { daemon: None, folder };
        bus.restart();
        bus
    }

    /// The address, the same after a restart.
    pub(crate) fn address(&self) -> String {
        format!("unix:path={}", self.folder.path().join("bus").display())
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Ends the daemon: every connection breaks.
    pub(crate) fn stop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
        let _ = std::fs::remove_file(self.folder.path().join("bus"));
    }

    pub(crate) fn restart(&mut self) {
        self.stop();
        let config: PathBuf = self.folder.path().join("bus.conf");
        let mut daemon = Command::new("dbus-daemon")
            .arg("--nofork")
            .arg("--print-address=1")
            .arg(format!("--config-file={}", config.display()))
            .stdout(Stdio::piped())
            .stderr(File::create(self.log()).unwrap())
            .spawn()
            .expect("dbus-daemon does not run; install it (apt install dbus)");
        let mut line = String::new();
        BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut line).unwrap();
        self.daemon = Some(daemon);
        let log = || std::fs::read_to_string(self.log()).unwrap_or_default();
        assert!(line.starts_with("unix:"), "dbus-daemon did not start: {}", log());
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.stop();
    }
}
