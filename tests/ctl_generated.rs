//! The man pages and completions in the repository are those that this `jamzctl` makes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

const REMEDY: &str = "differs from what jamzctl makes; run: \
    cargo run --bin jamzctl -- man man; for s in bash zsh fish; do cargo run --bin jamzctl -- completions $s \
     > completions/jamzctl.$s; done";

fn files(folder: &Path) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(path).unwrap()))
        .collect()
}

fn jamzctl(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_jamzctl")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_man_pages_are_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    jamzctl(&["man", folder.path().to_str().unwrap()]);
    let (made, kept) = (files(folder.path()), files(Path::new("man")));
    assert_eq!(made.keys().collect::<Vec<_>>(), kept.keys().collect::<Vec<_>>(), "man/ {REMEDY}");
    for (name, page) in made {
        assert!(kept[&name] == page, "man/{name} {REMEDY}");
    }
}

#[test]
fn the_completions_are_up_to_date() {
    for shell in ["bash", "zsh", "fish"] {
        let kept = std::fs::read_to_string(format!("completions/jamzctl.{shell}")).unwrap_or_default();
        assert!(kept == jamzctl(&["completions", shell]), "completions/jamzctl.{shell} {REMEDY}");
    }
}

#[test]
fn the_man_page_documents_every_exit_status_and_the_json() {
    let page = std::fs::read_to_string("man/jamzctl.1").unwrap();
    for wanted in ["EXIT STATUS", "\\fB69\\fR", "\\fB75\\fR", "\\fB77\\fR", "\\fB78\\fR", ".SH JSON", "NO_COLOR"] {
        assert!(page.contains(wanted), "{wanted} is missing");
    }
}
