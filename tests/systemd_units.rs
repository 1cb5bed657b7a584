//! What is shipped for systemd, judged by systemd's own tools: no complaint, and a sandbox that lets little through.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at what it did not expect")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Tenths: an exposure of 2.0.
const EXPOSURE_MAX: &str = "20";
const UNITS: [(&str, &str); 2] =
    [("jamzd.service", env!("CARGO_BIN_EXE_jamzd")), ("jamz-server.service", env!("CARGO_BIN_EXE_jamz-server"))];

fn shipped(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd").join(file)
}

fn run(program: &str, arguments: &[&str], file: &Path) -> (Output, String) {
    let output = Command::new(program)
        .args(arguments)
        .arg(file)
        .env("SYSTEMD_PAGER", "")
        .output()
        .unwrap_or_else(|problem| panic!("{program}: {problem}; install the package `systemd` (`make test` does)"));
    let said = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    (output, String::from_utf8(said).unwrap())
}

/// The shipped unit with the program of this build in the place of the installed one.
fn built(unit: &str, program: &str, dir: &Path) -> PathBuf {
    let text = fs::read_to_string(shipped(unit)).unwrap();
    let installed = format!("ExecStart=/usr/bin/{}", Path::new(program).file_name().unwrap().to_str().unwrap());
    assert!(text.contains(&installed), "{unit} starts the installed program");
    let path = dir.join(unit);
    fs::write(&path, text.replace(&installed, &format!("ExecStart={program}"))).unwrap();
    path
}

#[test]
fn systemd_finds_nothing_to_complain_of_in_the_units() {
    let dir = tempfile::tempdir().unwrap();
    for (unit, program) in UNITS {
        let path = built(unit, program, dir.path());
        let (output, said) = run("systemd-analyze", &["verify", "--man=no", "--recursive-errors=no"], &path);
        assert!(output.status.success() && said.is_empty(), "{unit}: {said}");
    }
}

#[test]
fn a_broken_unit_is_complained_of() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jamzd.service");
    let text = fs::read_to_string(shipped("jamzd.service")).unwrap();
    fs::write(&path, text.replace("WatchdogSec=10", "WatchdogSex=10")).unwrap();
    let (_, said) = run("systemd-analyze", &["verify", "--man=no", "--recursive-errors=no"], &path);
    assert!(said.contains("WatchdogSex"), "{said}");
}

#[test]
fn the_sandbox_lets_little_through() {
    for (unit, _) in UNITS {
        let arguments = ["security", "--offline=true", "--no-pager", "--threshold", EXPOSURE_MAX];
        let (output, said) = run("systemd-analyze", &arguments, &shipped(unit));
        assert!(output.status.success(), "{unit}: more exposed than {EXPOSURE_MAX} tenths\n{said}");
        println!("{unit}: {}", said.lines().last().unwrap_or_default());
    }
}

/// The group in the policy of the bus that may control.
#[test]
fn the_group_that_the_bus_lets_control_is_made_by_sysusers_and_may_add_music() {
    let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/com.trafficjamz.HeadUnit1.conf");
    let policy = fs::read_to_string(policy).unwrap();
    let group = policy.split_once("<policy group=\"").unwrap().1.split('"').next().unwrap();
    let (output, said) = run("systemd-sysusers", &["--dry-run"], &shipped("jamzd.sysusers.conf"));
    assert!(output.status.success() && said.contains(&format!("group '{group}'")), "{group}: {said}");
    let folders = fs::read_to_string(shipped("jamzd.tmpfiles.conf")).unwrap();
    assert!(folders.contains(&format!("d /srv/jamz 2775 root {group} -")), "{folders}");
}

#[test]
fn the_users_of_the_units_are_made_by_sysusers() {
    for (unit, _) in UNITS {
        let name = unit.strip_suffix(".service").unwrap();
        let text = fs::read_to_string(shipped(unit)).unwrap();
        assert!(text.contains(&format!("\nUser={name}\n")), "{unit} runs as {name}");
        let (output, said) = run("systemd-sysusers", &["--dry-run"], &shipped(&format!("{name}.sysusers.conf")));
        assert!(output.status.success(), "{said}");
        assert!(said.contains(name), "{said}");
    }
}
