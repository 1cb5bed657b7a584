//! Who the car is, over restarts and mishaps: its key, and the convoy's secret.

use crate::daemon::Daemon;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

fn set_mode(path: &std::path::Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn a_car_is_the_same_device_after_every_start_even_without_its_journal() {
    let mut car = Daemon::new("");
    car.start();
    let device = car.client().await.status().await.unwrap().device;
    assert!(device.len() == 64 && device.bytes().all(|byte| byte.is_ascii_hexdigit()), "{device}");
    let key = car.path("state/device.key");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!car.log().contains(fs::read_to_string(&key).unwrap().trim()));
    car.kill();
    for file in fs::read_dir(car.path("state")).unwrap().map(|file| file.unwrap().path()) {
        if file.to_string_lossy().contains("jamz.db") {
            fs::remove_file(file).unwrap();
        }
    }
    car.start();
    assert_eq!(car.client().await.status().await.unwrap().device, device);
}

#[tokio::test]
async fn a_key_or_a_secret_that_others_can_read_is_refused_with_what_to_do() {
    let mut car = Daemon::new("");
    let secret = car.path("secret");
    fs::write(&secret, "a secret of all the cars\n").unwrap();
    set_mode(&secret, 0o644);
    fs::write(car.path("jamzd.toml.d/convoy.toml"), format!("[convoy]\nsecret_file = {secret:?}\n")).unwrap();
    car.start();
    assert!(!car.ended().success());
    let log = car.log();
    assert!(log.contains("`secret_file` under [convoy]") && log.contains("chmod 600"), "{log}");

    set_mode(&secret, 0o600);
    car.start();
    car.client().await;
    assert!(car.terminate().0.success());
    assert!(!car.log().contains("secret of all"));
    set_mode(&car.path("state/device.key"), 0o644);
    car.start();
    assert!(!car.ended().success());
    let log = car.log();
    assert!(log.contains("device.key may be read or written by others (mode 644)"), "{log}");
}
