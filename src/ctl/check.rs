//! `config check`: the daemon itself says whether it could read a file.

use super::failure::{Failure, UNAVAILABLE};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Becomes `jamzd --check-config FILE`; returns only when that cannot be.
pub(super) fn exec(file: &Path) -> Failure {
    let error = Command::new(daemon()).arg("--check-config").arg(file).exec();
    Failure {
        exit: UNAVAILABLE,
        sentence: format!(
            "jamzd, which knows what is right, cannot be run ({error}); install it beside jamzctl or in the PATH"
        ),
    }
}

/// The daemon beside this program, else the one in the PATH.
fn daemon() -> PathBuf {
    let beside = std::env::current_exe().ok().map(|path| path.with_file_name("jamzd"));
    beside.filter(|path| path.is_file()).unwrap_or_else(|| "jamzd".into())
}
