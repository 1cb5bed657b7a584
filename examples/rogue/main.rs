//! A member of bad will, for `benches/flood.sh`: with a valid key, token and secret it joins a convoy, and on SIGUSR1
//! says ten thousand things a second until it is ended. What becomes of it is told on standard output, in lines of
//! JSON.
//!
//!     rogue mesh|server all|edits|idle SERVER CONVOY TOKEN_FILE SECRET_FILE
#![allow(unreachable_pub, reason = "a program of several files, which nothing else names")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]
#![allow(clippy::indexing_slicing, reason = "what it shares with tests ends as they do")]

mod mix;
mod socket;

#[allow(dead_code, reason = "it is on the machine where it was started")]
#[path = "../../tests/support/lan_network.rs"]
mod network;
#[allow(dead_code, reason = "tests say other things over it")]
#[path = "../../tests/support/rogue_car.rs"]
mod rogue_car;

use anyhow::{Context, Result, bail};
use jamz::core::id::ConvoyId;
use jamz::core::mesh::PeerMessage;
use jamz::core::signature::DeviceKey;
use mix::{Mix, Mouth};
use rogue_car::{Heard, Rogue};
use serde_json::json;
use socket::Socket;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::signal::unix::{Signal, SignalKind, signal};

const RATE_HZ: f64 = 10_000.0;
const TICK: Duration = Duration::from_millis(1);
const TOLD_EVERY: Duration = Duration::from_millis(500);
/// What waits for the links, at most.
const WAITING_MAX: u64 = 500;
const RECONNECT_AFTER: Duration = Duration::from_millis(20);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [over, mix, server, convoy, token_file, secret_file] = args.as_slice() else {
        bail!("rogue mesh|server all|edits|idle SERVER CONVOY TOKEN_FILE SECRET_FILE")
    };
    let mix = Mix::named(mix).with_context(|| format!("`{mix}` is neither all, edits nor idle"))?;
    let token = std::fs::read_to_string(token_file)?;
    let secret = std::fs::read_to_string(secret_file)?;
    let key = DeviceKey::from_secret(&jamz::host::random()?)?;
    let mut start = signal(SignalKind::user_defined1())?;
    let joined = Socket::join(server, token.trim(), &key, &ConvoyId::new(convoy.as_str())?)?;
    let mouth = Mouth::new(key.clone(), mix, &joined);
    match over.as_str() {
        "mesh" => {
            let rogue = Rogue::here(key, secret.trim(), joined.credentials);
            over_mesh(rogue, mouth, &mut start).await
        }
        "server" => {
            let again = || Ok(Socket::join(server, token.trim(), &key, &ConvoyId::new(convoy.as_str())?)?.socket);
            over_server(joined.socket, mouth, &mut start, again).await
        }
        other => bail!("`{other}` is neither mesh nor server"),
    }
}

/// Tells from time to time how much was said.
struct Count {
    begun: Instant,
    told: Instant,
}

impl Count {
    fn begin() -> Self {
        tell(&json!({ "begun": true }));
        Self { begun: Instant::now(), told: Instant::now() }
    }

    /// So much should have been said by now.
    fn due(&self) -> u64 {
        (self.begun.elapsed().as_secs_f64() * RATE_HZ) as u64
    }

    fn tell(&mut self, said: u64) {
        if self.told.elapsed() >= TOLD_EVERY {
            self.told = Instant::now();
            tell(&json!({ "after_s": self.begun.elapsed().as_secs_f64(), "said": said }));
        }
    }
}

fn tell(what: &serde_json::Value) {
    println!("{what}");
}

/// Over every link that it has; over the local network when it has none.
async fn over_mesh(mut rogue: Rogue, mut mouth: Mouth, start: &mut Signal) -> Result<()> {
    let mut links = 0_usize;
    let mut hear = |rogue: &mut Rogue, mouth: &mut Mouth| {
        for heard in rogue.has_heard() {
            match heard {
                Heard::Up => links += 1,
                Heard::Down => links = links.saturating_sub(1),
                Heard::Message(message) => {
                    if let PeerMessage::State(state) = *message {
                        mouth.term = state.term;
                    }
                }
                Heard::Signal(_) => {}
            }
        }
        links
    };
    start.recv().await;
    tell(&json!({ "links": hear(&mut rogue, &mut mouth) }));
    let mut count = Count::begin();
    let (mut tried, mut linked, mut signals) = (0, 0, 0);
    loop {
        tokio::time::sleep(TICK).await;
        let is_linked = hear(&mut rogue, &mut mouth) > 0;
        while tried < count.due() {
            tried += 1;
            if !is_linked {
                signals += 1;
                rogue.signal(mouth.signal());
            } else if linked - rogue.said.load(Ordering::Relaxed).min(linked) < WAITING_MAX {
                linked += 1;
                rogue.say(mouth.message());
            }
        }
        count.tell(rogue.said.load(Ordering::Relaxed) + signals);
    }
}

/// Over one connection after another.
async fn over_server(
    mut socket: Socket,
    mut mouth: Mouth,
    start: &mut Signal,
    again: impl Fn() -> Result<Socket>,
) -> Result<()> {
    // What it is told meanwhile is read, and pings are answered.
    while tokio::time::timeout(TICK, start.recv()).await.is_err() {
        socket.listen()?;
    }
    let mut count = Count::begin();
    let (mut tried, mut said, mut is_muted) = (0, 0, false);
    loop {
        std::thread::sleep(TICK);
        let mut broken = false;
        while tried < count.due() && !broken {
            tried += 1;
            let (event, payload) = mouth.event();
            match socket.say(event, &payload) {
                Ok(true) => said += 1,
                Ok(false) => {}
                Err(_) => broken = true,
            }
        }
        let mut heard = socket.listen().unwrap_or_else(|_| {
            broken = true;
            Vec::new()
        });
        if broken {
            std::thread::sleep(RECONNECT_AFTER);
            match again() {
                Ok(fresh) => {
                    socket = fresh;
                    tell(&json!({ "expelled_s": count.begun.elapsed().as_secs_f64() }));
                }
                Err(refusal) => heard.push(refusal.to_string()),
            }
        }
        if !is_muted && heard.iter().any(|text| text.contains("is muted for")) {
            is_muted = true;
            tell(&json!({ "muted_s": count.begun.elapsed().as_secs_f64() }));
        }
        count.tell(said);
    }
}
