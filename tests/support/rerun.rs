//! Runs one ignored test of this very binary in a process of its own, which may be killed or starved.

use std::process::{Child, ChildStdout, Command, Stdio};

/// A child that ends with its owner, also when a test fails.
pub(crate) struct Rerun(pub(crate) Child);

impl Rerun {
    /// Starts `test` (an ignored one) with these variables; `shell` is run first, in the same process (`ulimit`,
    /// `trap`).
    pub(crate) fn start(test: &str, shell: &str, variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{shell}\nexec \"$0\" \"$@\"")).arg(std::env::current_exe().unwrap());
        command.args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"]);
        command.envs(variables.iter().copied()).stdout(Stdio::piped()).stdin(Stdio::null());
        Self(command.spawn().unwrap())
    }

    pub(crate) fn stdout(&mut self) -> ChildStdout {
        self.0.stdout.take().unwrap()
    }
}

impl Drop for Rerun {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
