//! The shipped bus policy, enforced by a real dbus-daemon: everyone reads, only some control, only the daemon owns the
//! names.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/bus.rs"]
mod bus;
#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/ctl.rs"]
mod ctl;
#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/fake_car.rs"]
mod fake_car;

use bus::Bus;
use fake_car::FakeCar;
use jamz::api::ApiError;
use std::os::unix::fs::PermissionsExt;

/// What a system bus lets everyone do before any service adds to it (dbus's own system.conf).
const SYSTEM: &str = r#"<policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
  </policy>"#;
const NOBODY: &str = "65534";

fn shipped() -> String {
    std::fs::read_to_string("config/com.trafficjamz.HeadUnit1.conf").unwrap()
}

/// A system-like bus with this policy file.
fn bus_with(policy: &str) -> Bus {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.conf");
    std::fs::write(&file, policy).unwrap();
    let bus = Bus::with_policy("system", &format!("{SYSTEM}<include>{}</include>", file.display()));
    // It has read the file by now.
    drop(folder);
    bus
}

/// Other users are only at hand for root.
fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("SKIPPED: only root can run callers as other users; run this test as root to check the bus policy");
    }
    root
}

/// jamzctl where other users may run it.
struct Callers {
    folder: tempfile::TempDir,
    bus: String,
}

impl Callers {
    fn new(bus: &Bus) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        // By another process: a copy that this one writes is "busy" while a neighbouring test forks.
        let copied = std::process::Command::new("cp").arg(env!("CARGO_BIN_EXE_jamzctl")).arg(folder.path()).status();
        assert!(copied.unwrap().success());
        Self { folder, bus: bus.address() }
    }

    /// Runs it as the user nobody, with these further groups.
    async fn nobody(&self, groups: &str, arguments: &[&str]) -> ctl::Ran {
        let mut command = tokio::process::Command::new("setpriv");
        command.args(["--reuid", NOBODY, "--regid", NOBODY]);
        if groups.is_empty() {
            command.arg("--clear-groups")
        } else {
            command.args(["--groups", groups])
        };
        command.arg(self.folder.path().join("jamzctl")).args(["--bus", &self.bus]).args(arguments);
        command.output().await.expect("setpriv does not run; install it (apt install util-linux)").into()
    }
}

const READING: &[&[&str]] = &[
    &["status"],
    &["queue", "list"],
    &["queue", "pending"],
    &["library", "search", "ode"],
    &["library", "problems"],
    &["outputs"],
    &["outputs", "delay"],
    &["who"],
    &["history"],
    &["config"],
    &["volume"],
];
const CHANGING: &[&[&str]] = &[
    &["outputs", "delay", "-12.5"],
    &["calibrate"],
    &["calibrate", "--dry-run"],
    &["play"],
    &["pause"],
    &["toggle"],
    &["seek", "1"],
    &["seek", "+1"],
    &["next"],
    &["previous"],
    &["volume", "10"],
    &["duck", "on"],
    &["queue", "add", "https://x/y"],
    &["queue", "remove", "1"],
    &["queue", "clear"],
    &["library", "scan"],
    &["join", "x"],
    &["leave"],
    &["take"],
    &["release"],
    &["invite"],
];

#[tokio::test]
async fn a_stranger_may_read_everything_and_change_nothing() {
    if !is_root() {
        return;
    }
    let bus = bus_with(&shipped());
    let car = FakeCar::start(&bus.address()).await;
    car.fill(&["one"]);
    let callers = Callers::new(&bus);
    for arguments in READING {
        let ran = callers.nobody("", arguments).await;
        assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
    }
    for arguments in CHANGING {
        let ran = callers.nobody("", arguments).await;
        assert_eq!(ran.code, 77, "{arguments:?}: {ran:?}");
        assert!(ran.err.contains("group jamz"), "{ran:?}");
    }
    assert!(car.commands().is_empty());
}

#[tokio::test]
async fn a_stranger_cannot_control_through_mpris_either() {
    if !is_root() {
        return;
    }
    let bus = bus_with(&shipped());
    let car = FakeCar::start(&bus.address()).await;
    let call = async |arguments: &[&str]| {
        let mut command = tokio::process::Command::new("setpriv");
        command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "busctl"]);
        command.arg(format!("--address={}", bus.address())).args(arguments);
        let output = command.output().await.expect("setpriv does not run; install it (apt install util-linux)");
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    let (name, path, player) =
        ("org.mpris.MediaPlayer2.jamz", "/org/mpris/MediaPlayer2", "org.mpris.MediaPlayer2.Player");
    assert!(call(&["get-property", name, path, player, "PlaybackStatus"]).await.0);
    for change in [
        &["call", name, path, player, "Pause"][..],
        &["call", name, path, player, "OpenUri", "s", "https://x/y"],
        &["set-property", name, path, player, "Volume", "d", "1"],
    ] {
        let (success, problem) = call(change).await;
        assert!(!success && problem.contains("Access"), "{change:?}: {problem}");
    }
    assert!(car.commands().is_empty());
}

#[tokio::test]
async fn root_and_the_group_may_control() {
    if !is_root() {
        return;
    }
    // The group jamz is made by the package; here, one that every machine has stands for it.
    let bus = bus_with(&shipped().replace("group=\"jamz\"", "group=\"audio\""));
    let car = FakeCar::start(&bus.address()).await;
    let callers = Callers::new(&bus);
    for arguments in CHANGING.iter().filter(|arguments| arguments[0] != "queue") {
        let ran = callers.nobody("audio", arguments).await;
        assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
        let ran = ctl::run(&bus.address(), arguments).await;
        assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
    }
    assert_eq!(callers.nobody("games", &["pause"]).await.code, 77);
    assert!(!car.commands().is_empty());
}

#[tokio::test]
async fn only_those_whom_the_policy_names_own_the_names() {
    if !is_root() {
        return;
    }
    let bus = bus_with(&shipped().replace("user=\"root\"", "user=\"daemon\""));
    let error = FakeCar::try_start(&bus.address()).await.err().unwrap();
    assert!(matches!(error, ApiError::NotAllowed { .. }), "{error}");
    assert!(error.to_string().contains("config/com.trafficjamz.HeadUnit1.conf"), "{error}");
}
