//! Configuration files, shipped ones and broken ones.

use crate::daemon::PROGRAM;
use jamz::daemon::config;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/jamzd.toml");

fn check(program: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = Command::new(program).args(arguments).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap())
}

#[test]
fn every_shipped_configuration_is_one_that_its_program_takes() {
    let (code, said) = check(PROGRAM, &["--check-config", SHIPPED]);
    assert_eq!(code, Some(0), "{said}");
    let server = concat!(env!("CARGO_MANIFEST_DIR"), "/config/jamz-server.toml");
    let (code, said) = check(env!("CARGO_BIN_EXE_jamz-server"), &["--config", server, "--check-config"]);
    assert_eq!(code, Some(0), "{said}");
    let folder = Path::new(SHIPPED).parent().unwrap();
    let shipped = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let tables: Vec<_> = shipped.filter(|path| path.extension().is_some_and(|extension| extension == "toml")).collect();
    assert_eq!(tables.len(), 2, "a new one is to be checked here: {tables:?}");
}

/// The lines `# key = value` of the shipped file, without their `#`.
fn uncommented() -> String {
    let text = std::fs::read_to_string(SHIPPED).unwrap();
    let setting = |line: &str| {
        let key = line.strip_prefix("# ")?.split_once(" = ")?.0;
        key.chars().all(|c| c.is_ascii_lowercase() || c == '_').then(|| line[2..].to_owned())
    };
    text.lines().map(|line| setting(line).unwrap_or_else(|| line.to_owned()) + "\n").collect()
}

#[test]
fn the_shipped_file_shows_every_key_with_its_default() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jamzd.toml");
    std::fs::write(&file, uncommented()).unwrap();
    let shown: Value = serde_json::to_value(toml::from_str::<toml::Table>(&uncommented()).unwrap()).unwrap();
    let read = serde_json::to_value(config::load(Some(&file)).unwrap()).unwrap();
    let default = serde_json::to_value(config::Config::default()).unwrap();
    for (section, keys) in read.as_object().unwrap() {
        for (key, value) in keys.as_object().unwrap() {
            assert!(shown[section].get(key).is_some(), "[{section}] lacks {key}");
            let default = &default[section][key];
            assert!(default.is_null() || default == value, "[{section}] {key} is {value}, its default {default}");
        }
    }
}

#[test]
fn a_broken_configuration_ends_the_start_and_the_check_with_78_the_line_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jamzd.toml");
    let name = file.to_str().unwrap();
    for (text, line, says) in [
        ("[car]\nnaem = \"x\"\n", 2, "did you mean `name`?"),
        ("[audio]\n\noutput = \"pulse\"\n", 3, "jamzctl outputs"),
        ("[audio]\nbuffer_us = 1\n", 2, "must lie between 5000 and 100000"),
        ("[server]\nurl = \"ftp://x\"\n", 2, "`url` under [server]"),
        ("[car\n", 1, ""),
        ("[convoy]\nid = \"\u{7}\"\n", 2, ""),
    ] {
        std::fs::write(&file, text).unwrap();
        let place = format!("jamzd.toml:{line}: ");
        for (program, arguments) in [
            (PROGRAM, &["--check-config", name][..]),
            (PROGRAM, &["--config", name]),
            (env!("CARGO_BIN_EXE_jamzctl"), &["config", "check", name]),
        ] {
            let (code, said) = check(program, arguments);
            assert_eq!(code, Some(78), "{text:?}: {said}");
            assert!(said.contains(&place) && said.contains(says), "{text:?}: {said}");
        }
    }
}
