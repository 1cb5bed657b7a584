//! The Node programs of `tests/node` and what they need, installed once.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of the programs, with their packages in place.
pub(crate) fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node");
    let lock = File::create(Path::new(env!("CARGO_TARGET_TMPDIR")).join("npm.lock")).unwrap();
    lock.lock().unwrap();
    // `npm ci` writes the first of these last.
    let written = |path: &str| std::fs::metadata(folder.join(path)).and_then(|file| file.modified()).ok();
    if written("node_modules/.package-lock.json") < written("package-lock.json") {
        let npm = Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder).output();
        let npm = npm.expect("these tests need npm: install `nodejs` and `npm`");
        assert!(npm.status.success(), "npm ci failed: {}", String::from_utf8_lossy(&npm.stderr));
    }
    folder
}
