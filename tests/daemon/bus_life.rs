//! The bus that is absent, goes away, forbids or is taken; and the second daemon on the same folder.

use crate::bus::Bus;
use crate::daemon::{Daemon, PROGRAM};
use jamz::core::status::Status;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

#[test]
fn without_a_bus_it_ends_with_a_word_on_what_to_do() {
    let mut car = Daemon::new("[bus]\nbus = \"unix:path=/nonexistent/bus\"\n");
    car.start();
    assert_eq!(car.ended().code(), Some(1));
    assert!(car.log().contains("no D-Bus at unix:path=/nonexistent/bus"), "{}", car.log());
    assert!(car.log().contains("start dbus-daemon"), "{}", car.log());
}

#[tokio::test]
async fn a_bus_that_goes_away_does_not_stop_the_music_and_is_used_again_when_it_is_back() {
    let (mut car, client, track) = Daemon::with_music("").await;
    client.queue_add(&[track], None).await.unwrap();
    client.play(None).await.unwrap();
    let runs = |status: &Status| status.audio.in_sync && status.now_playing.position_us > 1_000_000;
    let before = car.until(&client, "audible", runs).await;
    car.bus.restart();
    assert!(client.status().await.is_err());
    let client = car.client().await;
    let after = client.status().await.unwrap();
    let ran_us = after.now_playing.position_us - before.now_playing.position_us;
    assert!(after.now_playing.playing && after.audio.in_sync);
    assert!((ran_us - (after.taken_us - before.taken_us)).abs() < 20_000, "{ran_us}");
    assert_eq!(after.audio.underruns, before.audio.underruns);
    client.pause().await.unwrap();
}

#[tokio::test]
async fn a_second_daemon_is_refused_and_the_first_is_not_disturbed() {
    let (mut car, client, _) = Daemon::with_music("").await;
    let taken = Command::new(PROGRAM).arg("--config").arg(car.path("jamzd.toml")).output().unwrap();
    let said = String::from_utf8_lossy(&taken.stderr).into_owned();
    assert_eq!(taken.status.code(), Some(1), "{said}");
    assert!(said.contains("in use by another process"), "{said}");

    let other = Daemon::new(&format!("[bus]\nbus = {:?}\n", car.bus.address()));
    let taken = Command::new(PROGRAM).arg("--config").arg(other.path("jamzd.toml")).output().unwrap();
    let said = String::from_utf8_lossy(&taken.stderr).into_owned();
    assert_eq!(taken.status.code(), Some(1), "{said}");
    assert!(said.contains("another jamzd runs there"), "{said}");

    assert!(car.is_running());
    client.set_volume(0.4).await.unwrap();
}

/// What a system bus lets everyone do before any service adds to it.
const SYSTEM: &str = r#"<policy context="default"><allow user="*"/><deny own="*"/><deny send_type="method_call"/>
    <allow send_type="signal"/><allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/><allow receive_type="method_call"/>
    <allow receive_type="method_return"/><allow receive_type="error"/><allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/></policy>"#;

#[tokio::test]
async fn a_caller_without_the_right_may_look_and_not_touch() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root can run callers as other users; run this test as root");
        return;
    }
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/config/com.trafficjamz.HeadUnit1.conf");
    let mut car = Daemon::on(Bus::with_policy("system", &format!("{SYSTEM}<include>{shipped}</include>")), "");
    car.start();
    let client = car.client().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let program = folder.path().join("jamzctl");
    // By another process: a copy that this one writes is "busy" while a neighbouring test forks.
    let copied = std::process::Command::new("cp").arg(env!("CARGO_BIN_EXE_jamzctl")).arg(&program).status();
    assert!(copied.unwrap().success());
    let nobody = |arguments: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(&program);
        let output = command.args(["--bus", &car.bus.address()]).args(arguments).output();
        output.expect("setpriv does not run; install it (apt install util-linux)").status.code()
    };
    assert_eq!(nobody(&["status"]), Some(0));
    assert_eq!(nobody(&["volume", "10"]), Some(77));
    assert!(client.status().await.unwrap().volume > 0.5);
}
