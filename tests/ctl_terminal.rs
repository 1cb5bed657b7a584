//! `jamzctl` on a real (pseudo) terminal: colours, widths, and a screen that is left as it was.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/bus.rs"]
mod bus;
#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/fake_car.rs"]
mod fake_car;

use bus::Bus;
use fake_car::FakeCar;
use std::process::Stdio;
use unicode_width::UnicodeWidthStr;

/// Runs a shell line on a terminal of 40 columns, with `$CTL` for jamzctl; what appeared there.
async fn on_terminal(bus: &Bus, line: &str, environment: &[(&str, &str)]) -> String {
    on_wide_terminal(40, bus, line, environment).await
}

async fn on_wide_terminal(columns: u32, bus: &Bus, line: &str, environment: &[(&str, &str)]) -> String {
    let mut command = tokio::process::Command::new("script");
    command.args(["-qec", &format!("stty cols {columns} rows 30; {line}"), "/dev/null"]);
    command.env("CTL", format!("{} --bus {}", env!("CARGO_BIN_EXE_jamzctl"), bus.address()));
    command.env("TERM", "xterm").env_remove("NO_COLOR").envs(environment.iter().copied());
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await;
    let output = output.expect("script does not run; install it (apt install bsdutils)");
    String::from_utf8(output.stdout).unwrap().replace('\r', "")
}

fn without_colours(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    first + &parts.map(|part| part.split_once('m').map_or(part, |(_, rest)| rest)).collect::<String>()
}

#[tokio::test]
async fn colours_are_for_terminals_that_want_them() {
    let bus = Bus::start();
    let _car = FakeCar::start(&bus.address()).await;
    assert!(on_terminal(&bus, "$CTL status", &[]).await.contains("\u{1b}[32m"));
    for environment in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let shown = on_terminal(&bus, "$CTL status", &[environment]).await;
        assert!(shown.contains("in convoy alps") && !shown.contains('\u{1b}'), "{shown:?}");
    }
    assert!(!on_terminal(&bus, "$CTL status | cat", &[]).await.contains('\u{1b}'));
}

#[tokio::test]
async fn no_line_is_wider_than_the_terminal() {
    let bus = Bus::start();
    let car = FakeCar::start(&bus.address()).await;
    let wide = "道路の音楽".repeat(30);
    car.fill(&["one", &wide, "👨\u{200d}👩\u{200d}👧 family of three that is on the road", "مرحبا بالعالم"]);
    car.change(|inside| {
        inside.status.connection.reason.clone_from(&wide);
        inside.status.members[0].name.clone_from(&wide);
        inside.status.now_playing.track = Some(inside.queue.entries[1].track.clone());
    });
    for verb in ["status", "who", "history", "library search e"] {
        let shown = without_colours(&on_terminal(&bus, &format!("$CTL {verb}"), &[]).await);
        assert!(!shown.trim().is_empty());
        for line in shown.lines() {
            assert!(line.width() <= 40, "{verb}: {line:?} is {} wide", line.width());
        }
    }
}

#[tokio::test]
async fn watch_gives_the_screen_back() {
    let bus = Bus::start();
    let car = FakeCar::start(&bus.address()).await;
    car.fill(&["Ode"]);
    car.change(|inside| {
        inside.status.now_playing.track = Some(inside.queue.entries[0].track.clone());
        inside.status.now_playing.position_us = 90_000_000;
    });
    let shown = on_terminal(&bus, "timeout -s INT 2 $CTL watch", &[]).await;
    assert!(shown.starts_with("\u{1b}[?1049h\u{1b}[?25l"), "{shown:?}");
    assert!(shown.ends_with("\u{1b}[?25h\u{1b}[?1049l"), "{shown:?}");
    assert!(shown.contains("━━━") && shown.contains("1:30 / 3:00, paused"), "{shown:?}");
}

/// What a camera reads in front of a terminal: half blocks are drawn dark on light, or else light on dark.
fn read_code(shown: &str, draws_dark: bool) -> Option<String> {
    let is_row = |line: &&str| line.chars().all(|c| " █▀▄".contains(c)) && line.width() > 20;
    let rows: Vec<Vec<char>> = shown.lines().filter(is_row).map(|line| line.chars().collect()).collect();
    let (width, height) = (rows.first()?.len(), 2 * rows.len());
    // A camera sees a module as some pixels.
    let scale = 4;
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(width * scale, height * scale, |x, y| {
        let (x, y) = (x / scale, y / scale);
        let block = rows.get(y / 2).and_then(|row| row.get(x)).copied().unwrap_or(' ');
        let drawn = if y % 2 == 0 { "█▀" } else { "█▄" }.contains(block);
        if drawn == draws_dark { 0 } else { 255 }
    });
    let (_, text) = image.detect_grids().first()?.decode().ok()?;
    Some(text)
}

#[tokio::test]
async fn a_camera_reads_the_link_of_an_invitation_from_the_terminal() {
    let bus = Bus::start();
    let _car = FakeCar::start(&bus.address()).await;
    for (environment, draws_dark) in [(&[][..], true), (&[("NO_COLOR", "1")], false)] {
        let shown = on_wide_terminal(80, &bus, "$CTL invite", environment).await;
        assert_eq!(shown.contains("\u{1b}[38;5;16;48;5;231m"), draws_dark, "colours that no theme turns around");
        let plain = without_colours(&shown);
        let link = plain.lines().find(|line| line.starts_with("https://")).unwrap();
        assert_eq!(read_code(&plain, draws_dark).as_deref(), Some(link));
    }
    let narrow = on_terminal(&bus, "$CTL invite", &[]).await;
    assert!(narrow.contains("too narrow for the code") && narrow.contains("https://"), "{narrow}");
}
