//! `jamzctl calibrate` as a person meets it: what it says, what it sets, and what it makes of recordings that are none.
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
#[allow(dead_code, unreachable_pub, reason = "each test uses its part of the support")]
#[path = "support/sound.rs"]
mod sound;

use bus::Bus;
use ctl::run;
use fake_car::FakeCar;
use jamz::core::request::{Command, Refusal};
use serde_json::json;
use sound::{frames, sine, write_wav};

async fn car() -> (Bus, FakeCar, String) {
    let bus = Bus::start();
    let at = bus.address();
    let car = FakeCar::start(&at).await;
    (bus, car, at)
}

#[tokio::test]
async fn what_was_measured_is_shown_and_set_unless_it_is_a_dry_run() {
    let (_bus, car, at) = car().await;
    let dry = run(&at, &["calibrate", "--dry-run"]).await;
    let wanted = "virtual: 37.412 ms, nothing is changed (before: 0 ms; clarity 0.75)\n";
    assert_eq!((dry.code, dry.out.as_str(), dry.err.as_str()), (0, wanted, ""));
    assert_eq!(car.commands(), []);
    let set = run(&at, &["--json", "calibrate", "--microphone", "alsa:usb"]).await.json();
    let wanted = json!({"output": "virtual", "delay_us": 37_412, "before_us": 0, "clarity": 0.75, "stored": true});
    assert_eq!(set, wanted);
    assert_eq!(car.commands(), [Command::OutputDelay { output: "virtual".into(), delay_us: 37_412 }]);
    car.inside.lock().unwrap().refusal = Some(Refusal::Invalid("the music plays".into()));
    let refused = run(&at, &["calibrate"]).await;
    assert_eq!((refused.code, refused.out.as_str(), refused.err.as_str()), (1, "", "jamzctl: the music plays\n"));
}

#[tokio::test]
async fn a_recording_that_says_nothing_is_refused_with_what_to_do() {
    let (_bus, car, at) = car().await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("text.wav"), "no sound at all").unwrap();
    write_wav(&path("slow.wav"), 8_000, &frames(sine(440.0, 0.5), 8_000, 24_000));
    write_wav(&path("short.wav"), 48_000, &frames(sine(440.0, 0.5), 48_000, 48_000));
    write_wav(&path("silent.wav"), 48_000, &frames(sine(440.0, 0.0), 48_000, 144_000));
    write_wav(&path("tone.wav"), 48_000, &frames(sine(440.0, 0.5), 48_000, 144_000));
    for (name, wanted) in [
        ("absent.wav", "No such file"),
        ("text.wav", "save it as WAV"),
        ("slow.wav", "record with 16000"),
        ("short.wav", "begin it before them"),
        ("silent.wav", "turn the volume up"),
        ("tone.wav", "reference car's (rising) chirps are not in the recording"),
    ] {
        let ran = run(&at, &["calibrate", "--recording", path(name).to_str().unwrap()]).await;
        assert!(ran.code == 1 && ran.out.is_empty() && ran.err.contains(wanted), "{name}: {ran:?}");
        assert!(ran.err.contains(name), "{ran:?}");
    }
    assert_eq!(car.commands(), []);
    let both = run(&at, &["calibrate", "--recording", "x.wav", "--microphone", "alsa"]).await;
    assert_eq!(both.code, 2, "{both:?}");
}
