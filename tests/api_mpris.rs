//! MPRIS, judged by the real `playerctl` and by what the bus carries.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/bus.rs"]
mod bus;
#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/fake_car.rs"]
mod fake_car;

use bus::Bus;
use fake_car::FakeCar;
use futures_util::StreamExt;
use jamz::core::io::Notice;
use jamz::core::request::{Addition, Command, Refusal};
use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use zbus::{Connection, MatchRule, Message, MessageStream, ObjectPath, OwnedVariant, Proxy};

const NAME: &str = "org.mpris.MediaPlayer2.jamz";
const PATH: &str = "/org/mpris/MediaPlayer2";
const PLAYER: &str = "org.mpris.MediaPlayer2.Player";

struct Rig {
    bus: Bus,
    car: FakeCar,
}

impl Rig {
    async fn new() -> Self {
        let bus = Bus::start();
        let car = FakeCar::start(&bus.address()).await;
        Self { bus, car }
    }

    fn command(&self, arguments: &[&str]) -> tokio::process::Command {
        let mut command = tokio::process::Command::new("playerctl");
        command.args(["-p", "jamz"]).args(arguments);
        command.env("DBUS_SESSION_BUS_ADDRESS", self.bus.address()).kill_on_drop(true);
        command
    }

    /// Runs playerctl; what it printed, and whether it was content.
    async fn playerctl(&self, arguments: &[&str]) -> (bool, String) {
        let output = self.command(arguments).output().await;
        let output = output.expect("playerctl does not run; install it (apt install playerctl)");
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(text).unwrap().trim().to_owned())
    }

    async fn ok(&self, arguments: &[&str]) -> String {
        let (success, text) = self.playerctl(arguments).await;
        assert!(success, "playerctl {arguments:?}: {text}");
        text
    }

    async fn connection(&self) -> Connection {
        zbus::connection::Builder::address(self.bus.address().as_str()).build().await.unwrap()
    }
}

async fn proxy(connection: &Connection) -> Proxy<'static> {
    Proxy::new(connection, NAME, PATH, PLAYER).await.unwrap()
}

#[tokio::test]
async fn playerctl_controls_the_convoy() {
    let rig = Rig::new().await;
    rig.car.fill(&["one", "two"]);
    assert_eq!(rig.ok(&["status"]).await, "Stopped");
    rig.ok(&["play"]).await;
    assert_eq!(rig.ok(&["status"]).await, "Playing");
    rig.ok(&["pause"]).await;
    assert_eq!(rig.ok(&["status"]).await, "Paused");
    rig.ok(&["play-pause"]).await;
    rig.ok(&["next"]).await;
    rig.ok(&["previous"]).await;
    rig.ok(&["position", "42.5"]).await;
    rig.ok(&["position", "5+"]).await;
    rig.ok(&["position", "5-"]).await;
    rig.ok(&["volume", "0.3"]).await;
    assert!(rig.ok(&["volume"]).await.starts_with("0.3"));
    rig.ok(&["stop"]).await;
    assert_eq!(rig.ok(&["status"]).await, "Stopped");
    let got = rig.car.commands();
    let wanted = [
        Command::Play { entry: None },
        Command::Pause,
        Command::Toggle,
        Command::Next,
        Command::Previous,
        Command::Seek { position_us: 42_500_000 },
        Command::SeekBy { offset_us: 5_000_000 },
        Command::SeekBy { offset_us: -5_000_000 },
        Command::Volume { level: 0.3 },
        Command::Pause,
        Command::Seek { position_us: 0 },
    ];
    assert_eq!(got, wanted);
}

#[tokio::test]
async fn playerctl_reads_the_track_and_where_it_is() {
    let rig = Rig::new().await;
    rig.car.fill(&["Für Elise 道路"]);
    rig.ok(&["play"]).await;
    rig.car.change(|inside| inside.status.now_playing.position_us = 60_000_000);
    let format = "{{title}}|{{artist}}|{{mpris:length}}|{{mpris:trackid}}|{{xesam:url}}|{{duration(mpris:length)}}";
    assert_eq!(
        rig.ok(&["metadata", "--format", format]).await,
        "Für Elise 道路|Beethoven|180000000|'/com/trafficjamz/track/car_2d1_3a1'|\
         https://example.org/Für Elise 道路.mp3|3:00"
    );
    let position: f64 = rig.ok(&["position"]).await.parse().unwrap();
    assert!((60.0..90.0).contains(&position), "{position}");
    assert_eq!(rig.ok(&["loop"]).await, "None");
    assert_eq!(rig.ok(&["shuffle"]).await, "Off");
}

#[tokio::test]
async fn playerctl_follows_what_the_dj_does() {
    let rig = Rig::new().await;
    rig.car.fill(&["one", "two"]);
    let format = "{{status}} {{title}}";
    let mut child = rig.command(&["metadata", "--follow", "--format", format]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut until = async |wanted: &str| {
        let found = async {
            loop {
                if lines.next_line().await.unwrap().expect("playerctl ended") == wanted {
                    return;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), found).await.unwrap_or_else(|_| panic!("never {wanted:?}"));
    };
    // It says nothing before there is something, so it is told until it has heard.
    let play = |index: usize, playing: bool| {
        rig.car.change(|inside| {
            let entry = inside.queue.entries[index].clone();
            let now = &mut inside.status.now_playing;
            (now.playing, now.index, now.track) = (playing, Some(index), Some(entry.track));
            now.entry = Some(entry.id.to_string());
        });
    };
    tokio::time::sleep(Duration::from_millis(500)).await;
    play(0, true);
    until("Playing one").await;
    play(1, true);
    until("Playing two").await;
    play(1, false);
    until("Paused two").await;
}

#[tokio::test]
async fn jumps_are_signalled_and_the_running_position_is_not() {
    let rig = Rig::new().await;
    rig.car.fill(&["one"]);
    let connection = rig.connection().await;
    let rule = MatchRule::builder().path(PATH).build().unwrap();
    let mut signals = MessageStream::for_match_rule(rule, &connection, None).await.unwrap();
    for position_us in [1_000_000, 2_000_000, 3_000_000] {
        rig.car.change(|inside| inside.status.now_playing.position_us = position_us);
    }
    rig.car.change(|inside| inside.status.volume = 0.75);
    rig.car.notices.send(Notice::Seeked { position_us: 9 }).unwrap();
    let mut properties = BTreeMap::new();
    let seeked: Message = loop {
        let signal = tokio::time::timeout(Duration::from_secs(10), signals.next()).await.unwrap().unwrap().unwrap();
        match signal.header().member().unwrap().as_str() {
            "Seeked" => break signal.clone(),
            "PropertiesChanged" => {
                let (_, changed, _): (String, BTreeMap<String, OwnedVariant>, Vec<String>) =
                    signal.body().deserialize().unwrap();
                properties.extend(changed);
            }
            _ => {}
        }
    };
    assert_eq!(seeked.body().deserialize::<i64>().unwrap(), 9);
    assert!(!properties.contains_key("Position"));
    assert!(properties.contains_key("Volume"));
}

#[tokio::test]
async fn seeking_and_positions_at_the_edges_follow_the_specification() {
    let rig = Rig::new().await;
    rig.car.fill(&["one", "two"]);
    rig.ok(&["play"]).await;
    let connection = rig.connection().await;
    let player = proxy(&connection).await;
    let track = ObjectPath::try_from("/com/trafficjamz/track/car_2d1_3a1").unwrap();
    let stale = ObjectPath::try_from("/com/trafficjamz/track/car_2d1_3a99").unwrap();
    rig.car.inside.lock().unwrap().commands.clear();
    for (track, position_us) in [(&stale, 5_i64), (&track, -1), (&track, 180_000_001)] {
        player.call::<_, _, ()>("SetPosition", &(track, position_us)).await.unwrap();
    }
    assert_eq!(rig.car.commands(), [], "a stale track or a position outside of it is ignored");
    player.call::<_, _, ()>("SetPosition", &(&track, 180_000_000_i64)).await.unwrap();
    player.call::<_, _, ()>("Seek", &(-1_000_000_000_i64)).await.unwrap();
    player.call::<_, _, ()>("Seek", &(1_000_000_000_i64)).await.unwrap();
    player.call::<_, _, ()>("Seek", &i64::MIN).await.unwrap();
    player.call::<_, _, ()>("Seek", &i64::MAX).await.unwrap();
    let start = Command::Seek { position_us: 0 };
    let wanted = [Command::Seek { position_us: 180_000_000 }, start.clone(), Command::Next, start, Command::Next];
    assert_eq!(rig.car.commands(), wanted);
}

#[tokio::test]
async fn an_opened_address_is_put_after_the_current_track_and_played() {
    let rig = Rig::new().await;
    rig.car.fill(&["one", "two"]);
    rig.ok(&["play"]).await;
    rig.ok(&["open", "https://example.org/new.mp3"]).await;
    let queue = rig.car.inside.lock().unwrap().queue.clone();
    assert_eq!(queue.entries[1].track.url.as_deref(), Some("https://example.org/new.mp3"));
    assert_eq!(rig.car.commands().last(), Some(&Command::Play { entry: Some(queue.entries[1].id.clone()) }));
    rig.car.inside.lock().unwrap().commands.clear();
    let connection = rig.connection().await;
    let player = proxy(&connection).await;
    for address in ["file:///etc/passwd", "javascript:alert(1)", "", "https://x/\u{1b}", "https://x/a b"] {
        let error = player.call::<_, _, ()>("OpenUri", &address).await.unwrap_err().to_string();
        assert!(error.contains("HeadUnit1.Error.Invalid"), "{error}");
    }
    assert!(!rig.car.commands().iter().any(|command| matches!(command, Command::QueueAdd { .. })));
    let added = Addition::Url("https://example.org/new.mp3".into());
    assert!(!rig.car.commands().contains(&Command::QueueAdd { tracks: vec![added], index: None }));
}

#[tokio::test]
async fn a_car_that_does_not_lead_shows_that_it_cannot_control() {
    let rig = Rig::new().await;
    rig.car.fill(&["one", "two"]);
    rig.ok(&["play"]).await;
    let connection = rig.connection().await;
    let player = proxy(&connection).await;
    let can = async |names: &[&str]| -> Vec<bool> {
        let mut values = Vec::new();
        for name in names {
            values.push(player.get_property::<bool>(name).await.unwrap());
        }
        values
    };
    let names = ["CanPlay", "CanPause", "CanSeek", "CanGoNext", "CanGoPrevious", "CanControl"];
    assert_eq!(can(&names).await, [true; 6]);
    let mut changes = player.receive_property_changed::<bool>("CanPlay").await;
    assert!(changes.next().await.unwrap().get().await.unwrap());
    rig.car.change(|inside| {
        inside.status.is_controller = false;
        inside.status.controller = Some("car-2".into());
    });
    rig.car.inside.lock().unwrap().refusal = Some(Refusal::Denied("car-2 is the DJ".into()));
    let changed = tokio::time::timeout(Duration::from_secs(10), changes.next()).await.unwrap().unwrap();
    assert!(!changed.get().await.unwrap());
    assert_eq!(can(&names).await, [false, false, false, false, false, true]);
    let error = player.call::<_, _, ()>("Pause", &()).await.unwrap_err().to_string();
    assert!(error.contains("com.trafficjamz.HeadUnit1.Error.Denied") && error.contains("car-2 is the DJ"), "{error}");
}

#[tokio::test]
async fn what_a_convoy_cannot_do_is_refused_in_words() {
    let rig = Rig::new().await;
    let connection = rig.connection().await;
    let player = proxy(&connection).await;
    assert!(player.set_property("LoopStatus", "Track").await.is_err());
    assert!(player.set_property("Shuffle", true).await.is_err());
    player.set_property("Rate", 2.0).await.unwrap();
    assert!((player.get_property::<f64>("Rate").await.unwrap() - 1.0).abs() < f64::EPSILON);
    player.set_property("Volume", 7.0).await.unwrap();
    player.set_property("Volume", -1.0).await.unwrap();
    player.set_property("Rate", 0.0).await.unwrap();
    let wanted = [Command::Volume { level: 1.0 }, Command::Volume { level: 0.0 }, Command::Pause];
    assert_eq!(rig.car.commands(), wanted);
    assert!(player.set_property("Volume", "loud").await.is_err());
}

#[tokio::test]
async fn a_set_volume_is_never_signalled_with_the_old_value() {
    let rig = Rig::new().await;
    let connection = rig.connection().await;
    let player = proxy(&connection).await;
    let mut volumes = player.receive_property_changed::<f64>("Volume").await;
    volumes.next().await.unwrap();
    for level in [0.9, 0.1, 0.6] {
        player.set_property("Volume", level).await.unwrap();
        let changed = tokio::time::timeout(Duration::from_secs(10), volumes.next()).await.unwrap().unwrap();
        assert!((changed.get().await.unwrap() - level).abs() < 1e-9);
    }
}
