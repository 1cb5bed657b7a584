//! A real `jamz-server` process on a free port of loopback, ended with the test.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_jamz-server");
/// Generous, as the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running server.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: String,
    pub(crate) state: PathBuf,
    flags: Vec<String>,
    /// The network namespace that it runs in, if it has one of its own.
    machine: Option<String>,
    /// Removed when the server is dropped.
    _directory: Option<TempDir>,
}

impl Server {
    /// Starts a server with a state directory of its own.
    pub(crate) fn start(flags: &[&str]) -> Self {
        Self::start_on(None, "127.0.0.1", flags)
    }

    /// As [`Self::start`], in a network namespace with this address; all such servers are of one house, and issue
    /// tickets by the same key.
    pub(crate) fn start_at(machine: &str, address: &str) -> Self {
        Self::start_on(Some(machine.to_owned()), address, &[])
    }

    fn start_on(machine: Option<String>, address: &str, flags: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state");
        let mut flags: Vec<String> = flags.iter().map(ToString::to_string).collect();
        if machine.is_some() {
            let key = directory.path().join("house-key");
            std::fs::write(&key, "5a".repeat(32)).unwrap();
            std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
            flags.extend(["--ticket-key-file".to_owned(), key.display().to_string()]);
        }
        let (process, address) = launch(program(machine.as_deref()), &state, &flags, &format!("{address}:0"));
        Self { process, address, state, flags, machine, _directory: Some(directory) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Kills it without a warning.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Asks it to end and returns whether it ended well.
    pub(crate) fn terminate(&mut self) -> bool {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let begun = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status.success();
            }
            assert!(begun.elapsed() < PATIENCE, "the server does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Starts it again on the same state and port.
    pub(crate) fn restart(&mut self) {
        let (process, address) = launch(program(self.machine.as_deref()), &self.state, &self.flags, &self.address);
        (self.process, self.address) = (process, address);
    }

    /// Starts it again where no file may grow beyond so many kilobytes: a full disk.
    pub(crate) fn limit_files_and_restart(&mut self, kilobytes: u32) {
        let mut shell = Command::new("sh");
        // Beyond the limit the kernel sends SIGXFSZ, unless it is ignored; then writing fails as on a full disk.
        shell.args(["-c", &format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", 2 * kilobytes), PROGRAM]);
        let (process, address) = launch(shell, &self.state, &self.flags, &self.address);
        (self.process, self.address) = (process, address);
    }

    /// A DJ's token of this server.
    pub(crate) fn token(&self, user: &str, convoy: &str) -> Value {
        self.token_as("dj", user, convoy)
    }

    /// A token of this server for this role.
    pub(crate) fn token_as(&self, role: &str, user: &str, convoy: &str) -> Value {
        let state = self.state.to_str().unwrap();
        let output =
            run(&["token", "--state", state, "--user", user, "--convoy", convoy, "--role", role, "--log", "error"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        json!({ "token": String::from_utf8(output.stdout).unwrap().trim() })
    }

    /// Status and body of a page.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let response = self.request("GET", path);
        let status = response.split_whitespace().nth(1).unwrap().parse().unwrap();
        (status, response.split_once("\r\n\r\n").unwrap().1.to_owned())
    }

    /// Head and body of the answer to a request, as they come.
    pub(crate) fn request(&self, method: &str, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        response
    }

    /// The body of `/healthz`.
    pub(crate) fn health(&self) -> Value {
        serde_json::from_str(&self.get("/healthz").1).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs `jamz-server` to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn program(machine: Option<&str>) -> Command {
    let Some(machine) = machine else { return Command::new(PROGRAM) };
    let mut command = Command::new("ip");
    command.args(["netns", "exec", machine, PROGRAM]);
    command
}

fn launch(mut command: Command, state: &std::path::Path, flags: &[String], listen: &str) -> (Child, String) {
    let mut process = command
        .args(["--listen", listen, "--log", "warn", "--state"])
        .arg(state)
        .args(flags)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on http://");
    let address = address.unwrap_or_else(|| panic!("the server did not start: {line:?}")).to_owned();
    (process, address)
}
