//! What the documents name must exist: files, modules, make targets and tests.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at what it did not expect")]

use std::fs;
use std::path::{Path, PathBuf};

const DOCUMENTS: [&str; 7] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "docs/clock.md",
    "docs/coverage.md",
    "hw-tests/README.md",
];
const TOP: [&str; 12] = [
    "src/",
    "tests/",
    "docs/",
    "config/",
    "systemd/",
    "examples/",
    "benches/",
    "cross/",
    "hw-tests/",
    "scripts/",
    "man/",
    "web/",
];
const LAYERS: [&str; 9] = ["core", "wire", "tier", "store", "audio", "api", "server", "daemon", "ctl"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// What stands between backticks, outside of indented and fenced code.
fn quoted(text: &str) -> Vec<String> {
    let prose: Vec<&str> = text.lines().filter(|line| !line.starts_with("    ")).collect();
    let prose = prose.join("\n").replace("```", "\n");
    prose.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// `layer::module[::Item]`: whether there is such a file or folder, and such an item in it.
fn has_module(path: &str) -> bool {
    let steps: Vec<&str> = path.split("::").collect();
    let mut at = root().join("src");
    for (n, step) in steps.iter().enumerate() {
        let folder = at.join(step);
        let file = at.join(format!("{step}.rs"));
        if folder.is_dir() {
            at = folder;
        } else if file.is_file() {
            return steps.get(n + 1).is_none_or(|item| defines(&file, item));
        } else {
            return n > 0 && rust_files(&at).iter().any(|file| defines(file, step));
        }
    }
    true
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

fn defines(file: &Path, item: &str) -> bool {
    let text = fs::read_to_string(file).unwrap();
    let words: Vec<&str> = text.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
    words.windows(2).any(|w| matches!(w[0], "fn" | "struct" | "enum" | "trait" | "type" | "const") && w[1] == item)
}

fn missing(name: &str) -> bool {
    let is_path = TOP.iter().any(|top| name.starts_with(top)) && !name.contains([' ', '*', '<']);
    let is_module =
        LAYERS.iter().any(|layer| name.starts_with(&format!("{layer}::"))) && !name.contains([' ', '(', '*']);
    if let Some(target) = name.strip_prefix("make ").and_then(|rest| rest.split(' ').next()) {
        let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
        return !makefile.lines().any(|line| line.starts_with(&format!("{target}:")));
    }
    (is_path && !root().join(name).exists()) || (is_module && !has_module(name))
}

#[test]
fn what_the_documents_name_exists() {
    let mut wrong = Vec::new();
    for document in DOCUMENTS {
        let text = fs::read_to_string(root().join(document)).unwrap();
        wrong.extend(quoted(&text).into_iter().filter(|name| missing(name)).map(|name| format!("{document}: {name}")));
    }
    assert!(wrong.is_empty(), "no such thing:\n{}", wrong.join("\n"));
}

#[test]
fn a_name_of_nothing_is_found() {
    for name in
        ["src/core/nothing.rs", "tests/nothing.rs", "core::nothing", "core::timeline::Nothing", "make nothing A=1"]
    {
        assert!(missing(name), "{name}");
    }
    for name in ["src/core/timeline.rs", "core::timeline::Anchor", "core::clock", "make check", "any other words"] {
        assert!(!missing(name), "{name}");
    }
}
