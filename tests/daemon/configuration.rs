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
        ("[bus]\nbus = \"zzz\"\n", 2, "write \"system\", \"session\""),
        ("[paths]\nstate = \"here\"\n", 2, "from / on"),
        ("[cache]\nsize_mb_max = 0\n", 2, "at least 1"),
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

#[test]
fn what_is_not_there_now_is_remarked_by_the_check_and_no_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jamzd.toml");
    let text = "[server]\ntoken_file = \"/nonexistent/token\"\n[audio]\noutput = \"alsa:nosuch\"\n\
                [library]\nfolders = [\"/nonexistent/music\"]\n";
    std::fs::write(&file, text).unwrap();
    let (code, said) = check(PROGRAM, &["--check-config", file.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{said}");
    for what in ["/nonexistent/token", "alsa:nosuch", "/nonexistent/music"] {
        assert_eq!(said.matches(what).count(), 1, "{what}: {said}");
    }
}

#[test]
fn a_state_folder_that_cannot_be_made_is_named_once_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jamzd.toml");
    std::fs::write(&file, "[paths]\nstate = \"/proc/nowhere/jamzd\"\n").unwrap();
    let (code, said) = check(PROGRAM, &["--config", file.to_str().unwrap()]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("/proc/nowhere/jamzd") && said.matches("os error").count() == 1, "{said}");
}
