//! A disk that goes wrong at a chosen operation, for any process: see `faulty_disk.c`.

use std::path::{Path, PathBuf};
use std::process::{Command, id};
use std::sync::OnceLock;

/// What a process ends with when the power went.
pub(crate) const CUT_STATUS: i32 = 86;

/// How an operation goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It fails, and so many after it.
    Io { more: usize },
    /// There is no room for it, nor for so many after it.
    Full { more: usize },
    /// The power goes in the middle of it.
    Cut,
}

/// The variables by which a process has `fault` at its `at`-th operation on the files below `under`, and tells in
/// `count` how many it made. At operation 0 nothing goes wrong.
pub(crate) fn variables(under: &Path, count: &Path, fault: Fault, at: usize) -> [(&'static str, String); 6] {
    let (kind, more) = match fault {
        Fault::Io { more } => ("eio", more),
        Fault::Full { more } => ("enospc", more),
        Fault::Cut => ("cut", 0),
    };
    [
        ("LD_PRELOAD", library().display().to_string()),
        ("FAULT_UNDER", under.display().to_string()),
        ("FAULT_COUNT", count.display().to_string()),
        ("FAULT_KIND", kind.to_owned()),
        ("FAULT_AT", at.to_string()),
        ("FAULT_MORE", more.to_string()),
    ]
}

/// Compiled once in each run.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/faulty_disk.c");
        let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faulty_disk.so");
        let fresh = library.with_extension(id().to_string());
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]).args([&fresh, &source]).arg("-ldl");
        let built = compiler.status().unwrap();
        assert!(built.success(), "the faulty disk is not compiled: {built}");
        std::fs::rename(fresh, &library).unwrap();
        library
    })
}
