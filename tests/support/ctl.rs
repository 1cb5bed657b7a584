//! Runs the real `jamzctl`.

use std::process::Output;
use tokio::process::Command;

/// What came of one run.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// `jamzctl` on this bus, ended when dropped.
pub(crate) fn command(bus: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jamzctl"));
    command.args(["--bus", bus]).kill_on_drop(true);
    command
}

/// Runs it to its end, with standard output on a pipe.
pub(crate) async fn run(bus: &str, arguments: &[&str]) -> Ran {
    command(bus).args(arguments).output().await.unwrap().into()
}
