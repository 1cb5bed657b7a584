//! The real `jamzctl` on a real bus: every verb, its output and its exit status.
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
use ctl::run;
use fake_car::FakeCar;
use jamz::core::clock::Monotonic;
use jamz::core::id::{ConvoyId, TrackId};
use jamz::core::io::Notice;
use jamz::core::request::{Addition, Command, LibraryProblem, Reach, Refusal};
use jamz::core::status::Muted;
use jamz::core::ticket::Role;
use jamz::host::MonotonicClock;
use serde_json::json;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

async fn car() -> (Bus, FakeCar, String) {
    let bus = Bus::start();
    let car = FakeCar::start(&bus.address()).await;
    let address = bus.address();
    (bus, car, address)
}

#[tokio::test]
async fn every_command_does_what_it_says() {
    let (_bus, car, at) = car().await;
    car.fill(&["a", "b", "c"]);
    let entry = |n: usize| car.inside.lock().unwrap().queue.entries[n].id.clone();
    let (first, second, third) = (entry(0), entry(1), entry(2));
    let runs: &[&[&str]] = &[
        &["play"],
        &["play", "2"],
        &["play", third.as_str()],
        &["pause"],
        &["toggle"],
        &["seek", "1:23"],
        &["seek", "+10"],
        &["seek", "-10"],
        &["next"],
        &["previous"],
        &["volume", "40"],
        &["volume", "-5"],
        &["duck", "on"],
        &["duck", "off"],
        &["queue", "move", "1", "3"],
        &["queue", "remove", "1", "2"],
        &["queue", "clear"],
        &["join", "Конвой 道路"],
        &["take"],
        &["release"],
        &["leave"],
    ];
    for arguments in runs {
        let ran = run(&at, arguments).await;
        assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", ""), "{arguments:?}");
    }
    let got = car.commands();
    let wanted = [
        Command::Play { entry: None },
        Command::Play { entry: Some(second.clone()) },
        Command::Play { entry: Some(third.clone()) },
        Command::Pause,
        Command::Toggle,
        Command::Seek { position_us: 83_000_000 },
        Command::SeekBy { offset_us: 10_000_000 },
        Command::SeekBy { offset_us: -10_000_000 },
        Command::Next,
        Command::Previous,
        Command::Volume { level: 0.4 },
        Command::Volume { level: 0.4 - 0.05 },
        Command::Duck { on: true },
        Command::Duck { on: false },
        Command::QueueMove { entry: first, index: 2 },
        Command::QueueRemove { entry: second },
        Command::QueueRemove { entry: third },
        Command::QueueClear,
        Command::Join { convoy: ConvoyId::new("Конвой 道路").unwrap() },
        Command::Take,
        Command::Release,
        Command::Leave,
    ];
    assert_eq!(got, wanted);
}

#[tokio::test]
async fn invite_gives_a_link_and_says_what_it_is_good_for() {
    let (_bus, car, at) = car().await;
    let shown = run(&at, &["invite"]).await;
    assert!(shown.out.starts_with("https://convoy.example.org/#t=eyJ"), "a pipe gets no code: {shown:?}");
    assert!(shown.out.contains("until 2027-01-15 08:00:00 UTC") && shown.out.contains("take control"), "{shown:?}");
    let listener = run(&at, &["--json", "invite", "--listener"]).await.json();
    assert_eq!((&listener["role"], &listener["expires_unix_s"]), (&json!("listener"), &json!(1_800_000_000)));
    assert!(listener["link"].as_str().unwrap().starts_with("https://convoy.example.org/#t="));
    assert_eq!(car.commands(), [Command::Invite { role: None }, Command::Invite { role: Some(Role::Listener) }]);
    car.change(|inside| inside.refusal = Some(Refusal::Denied("the server gives no link: a guest".into())));
    let refused = run(&at, &["invite"]).await;
    assert!(refused.code == 77 && refused.err.contains("the server gives no link"), "{refused:?}");
}

#[tokio::test]
async fn tracks_are_added_by_id_prefix_address_and_search() {
    let (_bus, car, at) = car().await;
    let elise = fake_car::library_track("aabbccee", "").id;
    let ode = fake_car::library_track("aabbccdd", "").id;
    let run_add = async |arguments: &[&str]| run(&at, &[&["queue", "add"], arguments].concat()).await;
    assert_eq!(run_add(&["https://example.org/a.mp3"]).await.code, 0);
    assert_eq!(run_add(&["--at", "1", "aabbccee"]).await.code, 0);
    assert_eq!(run_add(&[ode.as_str()]).await.code, 0);
    assert_eq!(run_add(&["für elise"]).await.code, 0);
    assert_eq!(run_add(&["--all", "aabbcc"]).await.code, 0);
    let adds: Vec<_> = car
        .commands()
        .into_iter()
        .map(|command| match command {
            Command::QueueAdd { tracks, index } => (tracks, index),
            other => panic!("{other:?}"),
        })
        .collect();
    let library = |id: &TrackId| Addition::Library(id.clone());
    let wanted = [
        (vec![Addition::Url("https://example.org/a.mp3".into())], None),
        (vec![library(&elise)], Some(0)),
        (vec![library(&ode)], None),
        (vec![library(&elise)], None),
        (vec![library(&ode), library(&elise)], None),
    ];
    assert_eq!(adds, wanted);
    let many = run_add(&["e"]).await;
    assert_eq!((many.code, many.out.as_str()), (1, ""));
    assert!(many.err.contains("2 tracks match") && many.err.contains("--all"), "{}", many.err);
    let none = run_add(&["https://ok", "no such song"]).await;
    assert!(none.code == 1 && none.err.contains("jamzctl library search"), "{}", none.err);
    assert_eq!(car.commands().len(), 5, "a doubtful argument adds nothing at all");
}

#[tokio::test]
async fn the_exit_status_tells_what_became_of_it() {
    let (bus, car, at) = car().await;
    car.inside.lock().unwrap().reach = Reach::Local;
    let local = run(&at, &["pause"]).await;
    assert_eq!((local.code, local.out.as_str()), (75, ""));
    assert!(local.err.contains("kept here"), "{}", local.err);
    for (refusal, code) in [
        (Refusal::Denied("car-2 is the DJ; take control first (`jamzctl take`)".into()), 77),
        (Refusal::Invalid("3:00 is the end".into()), 1),
        (Refusal::Failed("the disk is full".into()), 1),
    ] {
        car.inside.lock().unwrap().refusal = Some(refusal.clone());
        let ran = run(&at, &["pause"]).await;
        assert_eq!((ran.code, ran.err), (code, format!("jamzctl: {refusal}\n")));
    }
    for wrong in [&["seek", "soon"][..], &["volume", "120"], &["dance"], &["duck"], &["queue", "move", "1", "0"], &[]] {
        let ran = run(&at, wrong).await;
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{wrong:?}");
    }
    let ran = run(&at, &["play", "99"]).await;
    assert!(ran.code == 1 && ran.err.contains("jamzctl queue list"), "{ran:?}");
    let help = run(&at, &["--help"]).await;
    assert!(help.code == 0 && help.out.contains("69 no head unit"), "{help:?}");
    let nowhere = format!("unix:path={}/nothing", bus.folder().display());
    for (address, word) in [(nowhere.as_str(), "--bus"), ("gibberish", "--bus")] {
        let ran = run(address, &["status"]).await;
        assert!(ran.code == 69 && ran.err.contains(word), "{ran:?}");
    }
    drop(car);
    let other = Bus::start();
    let absent = run(&other.address(), &["status"]).await;
    assert!(absent.code == 69 && absent.err.contains("systemctl start jamzd"), "{absent:?}");
}

#[tokio::test]
async fn json_has_the_documented_shape() {
    let (_bus, car, at) = car().await;
    car.fill(&["Ode"]);
    car.inside.lock().unwrap().problems = vec![LibraryProblem { path: "/m/x".into(), problem: "empty".into() }];
    let ask = async |arguments: &[&str]| run(&at, &[&["--json"], arguments].concat()).await.json();
    assert_eq!(ask(&["pause"]).await, json!({"changes": [{"device": "car-1", "sequence": 2}], "reach": "convoy"}));
    assert_eq!(ask(&["volume"]).await, json!({"volume": 0.5}));
    let status = ask(&["status"]).await;
    assert_eq!(status["connection"]["activeSync"], "socket");
    assert_eq!(status["connection"]["socketIO"], "connected");
    assert_eq!(status["connection"]["webRTC"], json!({"car-2": "connecting"}));
    let queue = ask(&["queue", "list"]).await;
    assert_eq!(queue["revision"], 1);
    assert_eq!(
        queue["entries"],
        json!([{"place": 1, "id": "car-1:1", "current": false, "track": {"id": "url1", "title": "Ode",
            "artist": "Beethoven",
            "album": "", "duration_us": 180_000_000, "url": "https://example.org/Ode.mp3"}}])
    );
    assert_eq!(ask(&["library", "search", "ode", "to"]).await["tracks"][0]["title"], "Ode to Joy");
    assert_eq!(ask(&["library", "problems"]).await, json!({"problems": [{"path": "/m/x", "problem": "empty"}]}));
    assert_eq!(ask(&["library", "scan"]).await, json!({"started": true}));
    assert_eq!(ask(&["outputs"]).await["outputs"][0]["active"], true);
    assert_eq!(ask(&["outputs", "delay", "-12.5"]).await, json!({"output": "virtual", "delay_us": -12_500}));
    assert_eq!(ask(&["outputs", "delay"]).await["delay_us"], -12_500);
    assert_eq!(ask(&["who"]).await["members"][1]["name"], "道路");
    assert_eq!(ask(&["history", "--limit", "1"]).await["history"].as_array().unwrap().len(), 1);
    assert_eq!(ask(&["queue", "pending", "--limit", "2"]).await["pending"][1]["state"], "pending");
    assert_eq!(ask(&["config"]).await, json!({"config": {"name": "Bus 🚌", "audio": {"output": "virtual"}}}));
}

#[tokio::test]
async fn who_says_whom_this_car_does_not_hear_and_why_and_for_how_long() {
    let (_bus, car, at) = car().await;
    assert!(!run(&at, &["who"]).await.out.contains("muted"));
    car.change(|inside| {
        let until_us = MonotonicClock.now().0 + 29_500_000;
        let muted = Muted { reason: "too many heartbeats".into(), until_us };
        inside.status.muted = [("car-2".into(), muted)].into();
    });
    let ran = run(&at, &["who"]).await;
    let row = ran.out.lines().find(|line| line.contains("道路")).unwrap();
    assert!(row.contains("muted") && !row.contains("online"), "{row}");
    assert!(ran.out.ends_with("道路 is not heard here for 30 s: too many heartbeats\n"), "{}", ran.out);
    let listed = run(&at, &["--json", "who"]).await.json();
    assert_eq!(listed["members"][1]["muted"]["reason"], "too many heartbeats");
    assert!(listed["members"][1]["muted"]["until_us"].is_i64() && listed["members"][0].get("muted").is_none());
}

#[tokio::test]
async fn names_from_elsewhere_cannot_steer_the_terminal_or_break_the_table() {
    let (_bus, car, at) = car().await;
    let hostile = "\u{1b}[2J\u{1b}]0;owned\u{7}a\nb\u{9b}31m\u{202e}";
    car.fill(&["short", hostile, &"長".repeat(1_000), "ünï"]);
    car.change(|inside| {
        inside.status.name = hostile.into();
        inside.status.members[1].name = hostile.into();
        inside.status.connection.reason = hostile.into();
    });
    car.inside.lock().unwrap().problems = vec![LibraryProblem { path: hostile.into(), problem: hostile.into() }];
    for arguments in [&["status"][..], &["queue", "list"], &["who"], &["library", "problems"], &["--json", "who"]] {
        let ran = run(&at, arguments).await;
        assert_eq!(ran.code, 0, "{ran:?}");
        let steering = |c: char| (c.is_control() && c != '\n') || (c == '\u{202e}' && arguments[0] != "--json");
        assert!(!ran.out.chars().any(steering), "{arguments:?}: {:?}", ran.out);
    }
    assert_eq!(run(&at, &["queue", "list"]).await.out.lines().count(), 5);
    car.inside.lock().unwrap().refusal = Some(Refusal::Denied(hostile.into()));
    let ran = run(&at, &["pause"]).await;
    assert!(!ran.err.trim_end().chars().any(char::is_control), "{:?}", ran.err);
}

#[tokio::test]
async fn a_list_of_ten_thousand_entries_is_listed_and_a_reader_may_leave_early() {
    let (_bus, car, at) = car().await;
    let titles: Vec<String> = (0..10_000).map(|n| format!("Song {n}")).collect();
    car.fill(&titles.iter().map(String::as_str).collect::<Vec<_>>());
    let all = run(&at, &["queue", "list"]).await;
    assert_eq!(all.out.lines().count(), 10_001);
    assert!(all.out.contains("10000  Song 9999"));
    let mut child =
        ctl::command(&at).args(["queue", "list"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0_u8; 10];
    child.stdout.take().unwrap().read_exact(&mut first).await.unwrap();
    let ran: ctl::Ran = child.wait_with_output().await.unwrap().into();
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
}

#[tokio::test]
async fn watch_tells_of_changes_notices_and_of_a_head_unit_that_comes_back() {
    let (mut bus, car, at) = car().await;
    let mut child = ctl::command(&at).arg("watch").stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = async || {
        let line = tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await;
        line.expect("watch says nothing").unwrap().expect("watch ended")
    };
    assert_eq!(next().await, "stopped; socket, DJ Bus 🚌, 2 online, 0 in the queue, volume 50 %");
    car.change(|inside| inside.status.ducked = true);
    assert_eq!(next().await, "stopped; socket, DJ Bus 🚌, 2 online, 0 in the queue, volume 50 %, ducked");
    car.notices.send(Notice::OfflineMode { reason: "a tunnel\u{1b}[2J".into() }).unwrap();
    assert_eq!(next().await, "offline-mode: reason a tunnel\u{fffd}[2J");
    bus.stop();
    assert!(next().await.ends_with("waiting for it"));
    bus.restart();
    let back = async {
        loop {
            let line = next().await;
            if line.starts_with("stopped") {
                return line;
            }
        }
    };
    assert!(back.await.contains("ducked"));
}

#[tokio::test]
async fn watch_as_json_gives_one_object_a_line() {
    let (_bus, car, at) = car().await;
    let mut child = ctl::command(&at).args(["watch", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = async || -> serde_json::Value {
        let line = tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await;
        serde_json::from_str(&line.expect("watch says nothing").unwrap().unwrap()).unwrap()
    };
    assert_eq!(next().await["status"]["device"], "car-1");
    car.notices.send(Notice::Seeked { position_us: 7 }).unwrap();
    let seeked = async {
        loop {
            let event = next().await;
            if event["event"] == "seeked" {
                return event;
            }
            assert_eq!(event["event"], "status");
        }
    };
    assert_eq!(seeked.await["position_us"], 7);
}

#[tokio::test]
async fn watch_ends_cleanly_when_told_to() {
    let (_bus, _car, at) = car().await;
    let mut child = ctl::command(&at).arg("watch").stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.next_line().await.unwrap().unwrap();
    let pid = rustix::process::Pid::from_raw(child.id().unwrap().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(10), child.wait()).await.expect("watch did not end").unwrap();
    assert_eq!(ended.code(), Some(0));
}

#[tokio::test]
async fn config_check_is_left_to_the_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let ctl = folder.path().join("jamzctl");
    std::fs::copy(env!("CARGO_BIN_EXE_jamzctl"), &ctl).unwrap();
    let check =
        || std::process::Command::new(&ctl).args(["config", "check", "/etc/x.toml"]).env("PATH", "/nowhere").output();
    let absent: ctl::Ran = check().unwrap().into();
    assert!(absent.code == 69 && absent.err.contains("jamzd"), "{absent:?}");
    let daemon = folder.path().join("jamzd");
    std::fs::write(&daemon, "#!/bin/sh\necho \"$@\"\nexit 78\n").unwrap();
    std::fs::set_permissions(&daemon, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let ran: ctl::Ran = check().unwrap().into();
    assert_eq!((ran.code, ran.out.as_str()), (78, "--check-config /etc/x.toml\n"));
}

#[tokio::test]
async fn a_convoy_is_founded_with_a_code_that_another_car_joins_by() {
    let (_bus, car, at) = car().await;
    let found = run(&at, &["found", "Alps"]).await;
    assert_eq!((found.code, found.err.as_str()), (0, ""));
    assert!(found.out.contains("jamzctl join amber castle river twist") && found.out.contains("10 min"), "{found:?}");
    let json = run(&at, &["--json", "found"]).await.json();
    let code = "amber-castle-river-twist";
    assert_eq!(json, json!({"convoy": "alps-0123456789", "name": "convoy", "code": code, "valid_s": 600}));
    for arguments in [&["join", code][..], &["join", "AMBER", "cast", "River", "twist"], &["join", "--code", code]] {
        let joined = run(&at, arguments).await;
        assert_eq!((joined.code, joined.out.as_str(), joined.err.as_str()), (0, "", ""), "{arguments:?}");
    }
    let convoy = ConvoyId::new("alps-0123456789").unwrap();
    assert_eq!(car.commands(), vec![Command::Join { convoy }; 3]);
}

#[tokio::test]
async fn a_wrong_code_is_denied_and_a_misheard_one_is_corrected_before_it_is_tried() {
    let (_bus, car, at) = car().await;
    let wrong = run(&at, &["join", "amber castle river twice"]).await;
    assert_eq!((wrong.code, wrong.out.as_str()), (77, ""));
    assert!(wrong.err.contains("the code is wrong"), "{wrong:?}");
    let misheard = run(&at, &["join", "amber", "kastle", "river", "twist"]).await;
    assert_eq!(misheard.code, 2);
    assert!(misheard.err.contains("`kastle`") && misheard.err.contains("`castle`"), "{misheard:?}");
    let unclear = run(&at, &["join", "amber-kastle-ryver-twist"]).await;
    assert_eq!(unclear.code, 2);
    assert!(unclear.err.contains("--code") && unclear.err.contains("--id"), "{unclear:?}");
    let long = run(&at, &["found", &"n".repeat(65)]).await;
    assert_eq!(long.code, 2);
    assert_eq!(car.commands(), []);
    run(&at, &["join", "--id", "amber-castle-river-twist"]).await;
    let convoy = ConvoyId::new("amber-castle-river-twist").unwrap();
    assert_eq!(car.commands(), [Command::Join { convoy }]);
}
