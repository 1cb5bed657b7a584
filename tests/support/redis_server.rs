//! A real `redis-server` on a free port of loopback, that can be killed and brought back.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Generous, as the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running Redis, with its data in a directory of its own.
pub(crate) struct Redis {
    process: Child,
    port: u16,
    directory: TempDir,
    password: Option<&'static str>,
}

impl Redis {
    pub(crate) fn start() -> Self {
        Self::guarded_by(None)
    }

    /// It lets nobody in but who knows this password.
    pub(crate) fn guarded_by(password: Option<&'static str>) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let directory = tempfile::tempdir().unwrap();
        Self { process: launch(port, &directory, password), port, directory, password }
    }

    pub(crate) fn url(&self) -> String {
        let password = self.password.map_or_else(String::new, |password| format!(":{password}@"));
        format!("redis://{password}127.0.0.1:{}", self.port)
    }

    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it again; what it knew is gone.
    pub(crate) fn restart(&mut self) {
        self.process = launch(self.port, &self.directory, self.password);
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn launch(port: u16, directory: &TempDir, password: Option<&str>) -> Child {
    let port_text = port.to_string();
    let process = Command::new("redis-server")
        .args(["--port", &port_text, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"])
        .arg(directory.path())
        .args(password.into_iter().flat_map(|password| ["--requirepass", password]))
        .stdout(Stdio::null())
        .spawn()
        .expect("these tests need Redis: install `redis-server`");
    let begun = Instant::now();
    while !answers(port) {
        assert!(begun.elapsed() < PATIENCE, "redis-server does not answer");
        std::thread::sleep(Duration::from_millis(50));
    }
    process
}

fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let mut pong = [0; 5];
    stream.write_all(b"PING\r\n").is_ok()
        && stream.read_exact(&mut pong).is_ok()
        && [b"+PONG", b"-NOAU"].contains(&&pong)
}
