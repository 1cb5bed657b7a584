//! A car with tier 2 in a process and a network of its own, led line by line.

use crate::cars::PATIENCE;
use crate::messages::{beat, key};
use crate::namespaces::Namespace;
use jamz::core::id::DeviceId;
use jamz::core::mesh::{Attempt, MeshCommand, MeshEvent, PeerMessage, Signal};
use jamz::host::MonotonicClock;
use jamz::tier::mesh::{Config, IceConfig, MeshLinks};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

/// The ignored test that is such a car.
const CHILD: &str = "road::child_that_is_a_car";
/// Marks the lines that are events, among what a test program says.
const MARK: &str = "event: ";

/// What a car is told.
#[derive(Serialize, Deserialize)]
pub(crate) enum Tell {
    Connect(DeviceId, u64),
    Signal(DeviceId, Signal),
    Beat(DeviceId, u64),
    Close(DeviceId),
}

/// What a car tells.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Said {
    Up(u64),
    Down(u64, String),
    Signal(Signal),
    Beat(u64),
}

pub(crate) struct CarProcess {
    pub(crate) device: DeviceId,
    _child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl CarProcess {
    pub(crate) fn start(n: u8, folder: &Path, network: &Namespace, ice: &IceConfig) -> Self {
        let IceConfig { stun, turn, turn_credentials_file, relay_only } = ice;
        let config = serde_json::to_string(&(stun, turn, turn_credentials_file, relay_only)).unwrap();
        let mut child = Command::new("ip")
            .args(["netns", "exec", &network.0])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", CHILD, "--ignored", "--nocapture", "--test-threads=1"])
            .env("JAMZ_TEST_CAR", n.to_string())
            .env("JAMZ_TEST_FOLDER", folder)
            .env("JAMZ_TEST_ICE", config)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let stdin = child.stdin.take().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { device: key(n).device().clone(), _child: child, stdin, lines }
    }

    pub(crate) async fn tell(&mut self, what: &Tell) {
        let line = serde_json::to_string(what).unwrap() + "\n";
        self.stdin.write_all(line.as_bytes()).await.unwrap();
    }

    pub(crate) async fn next(&mut self) -> Said {
        loop {
            let line = self.lines.next_line().await.unwrap().expect("the car lives");
            if let Some((_, event)) = line.split_once(MARK) {
                return serde_json::from_str(event).unwrap();
            }
        }
    }
}

/// Carries signals between two cars until both are up with this attempt, or one says that it is down.
///
/// # Errors
/// Why it is down.
pub(crate) async fn link(a: &mut CarProcess, b: &mut CarProcess, attempt: u64) -> Result<std::time::Duration, String> {
    let begun = Instant::now();
    let to = b.device.clone();
    a.tell(&Tell::Connect(to, attempt)).await;
    let both = async {
        let (mut up, mut ends) = (0, [a, b]);
        while up < 2 {
            let [a, b] = &mut ends;
            let (at, said) = tokio::select! { said = a.next() => (0, said), said = b.next() => (1, said) };
            match said {
                Said::Signal(signal) => {
                    let from = ends[at].device.clone();
                    ends[1 - at].tell(&Tell::Signal(from, signal)).await;
                }
                Said::Up(number) if number == attempt => up += 1,
                Said::Down(number, reason) if number == attempt => return Err(reason),
                _ => {}
            }
        }
        Ok(begun.elapsed())
    };
    timeout(PATIENCE, both).await.expect("up or down in time")
}

/// Whether a beat gets from one car to the other within a second.
pub(crate) async fn hears(from: &mut CarProcess, to: &mut CarProcess, count: u64) -> bool {
    from.tell(&Tell::Beat(to.device.clone(), count)).await;
    let heard = async { while to.next().await != Said::Beat(count) {} };
    timeout(std::time::Duration::from_secs(1), heard).await.is_ok()
}

/// The life of such a car.
pub(crate) async fn be_a_car() {
    let variable = |name| std::env::var(name).expect("started by CarProcess");
    let n: u8 = variable("JAMZ_TEST_CAR").parse().unwrap();
    let certificate_file = Path::new(&variable("JAMZ_TEST_FOLDER")).join(format!("mesh-{n}.pem"));
    let (stun, turn, turn_credentials_file, relay_only) = serde_json::from_str(&variable("JAMZ_TEST_ICE")).unwrap();
    let ice = IceConfig { stun, turn, turn_credentials_file, relay_only };
    let (sender, mut events) = mpsc::channel(256);
    let config = Config { certificate_file, ice };
    let links = MeshLinks::start(&config, Arc::new(MonotonicClock), sender).unwrap();
    let (reader, mut lines) = mpsc::channel(64);
    std::thread::spawn(move || {
        let lines = std::io::stdin().lines().map_while(Result::ok);
        lines.for_each(|line: String| reader.blocking_send(line).unwrap());
    });
    loop {
        tokio::select! {
            line = lines.recv() => match line {
                Some(line) => links.send(command(serde_json::from_str(&line).unwrap())),
                None => break,
            },
            event = events.recv() => {
                if let Some(said) = said(event.unwrap()) {
                    println!("{MARK}{}", serde_json::to_string(&said).unwrap());
                }
            }
        }
    }
    links.close().await;
}

fn command(tell: Tell) -> MeshCommand {
    match tell {
        Tell::Connect(peer, attempt) => MeshCommand::Connect { peer, attempt: Attempt(attempt) },
        Tell::Signal(from, signal) => MeshCommand::Signal { from, signal },
        Tell::Beat(to, count) => {
            MeshCommand::Send { to: vec![to], message: Box::new(PeerMessage::Beat(Box::new(beat(count)))) }
        }
        Tell::Close(peer) => MeshCommand::Close { peer },
    }
}

fn said(event: MeshEvent) -> Option<Said> {
    Some(match event {
        MeshEvent::Up { attempt, .. } => Said::Up(attempt.0),
        MeshEvent::Down { attempt, reason, .. } => Said::Down(attempt.0, reason),
        MeshEvent::Signal { signal, .. } => Said::Signal(signal),
        MeshEvent::Message { message, .. } => match *message {
            PeerMessage::Beat(beat) => Said::Beat(beat.route.count),
            _ => return None,
        },
    })
}
