//! A car that receives phones: whom it lets in, what it tells the core of them, and what strangers cost it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(clippy::disallowed_methods, reason = "a test measures what a driver would: real time")]

#[path = "link_web/links.rs"]
mod links;
#[path = "link_web/strangers.rs"]
mod strangers;
#[path = "link_web/visits.rs"]
mod visits;

#[path = "support/rerun.rs"]
mod rerun;

use jamz::core::clock::{MonoTime, Monotonic};
use jamz::core::id::{ConvoyName, DeviceId};
use jamz::core::io::RequestId;
use jamz::core::mesh::LanEvent;
use jamz::core::request::{Invitation, Refusal};
use jamz::core::roadside::Roadside;
use jamz::core::signature::DeviceKey;
use jamz::core::ticket::{Role, WallTime};
use jamz::host::{self, MonotonicClock};
use jamz::link::web::{Certificate, Config, Machine, WebDoor};
use jamz::tier::mesh::{self, IceConfig, MeshLinks};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

/// Longer than anything takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(20);
const NOW_S: u64 = 1_800_000_000;

fn key(seed: u8) -> DeviceKey {
    DeviceKey::from_secret(&[seed; 32]).unwrap()
}

/// The machine's clock, and how far ahead a test has put it.
#[derive(Default)]
struct Clock(AtomicI64);

impl Monotonic for Clock {
    fn now(&self) -> MonoTime {
        MonotonicClock.now() + self.0.load(Ordering::Relaxed)
    }
}

/// The van, key 1, which founded a convoy.
struct Van {
    door: WebDoor,
    roadside: Roadside,
    founded: watch::Sender<Option<Roadside>>,
    events: mpsc::Receiver<LanEvent>,
    clock: Arc<Clock>,
    port: u16,
    _folder: tempfile::TempDir,
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn roadside(founder: u8) -> Roadside {
    let name = ConvoyName::new("Alps").unwrap();
    Roadside::found(name, &key(founder), WallTime::UnixS(NOW_S), ([1; 32], [2; 32])).unwrap()
}

impl Van {
    async fn start() -> Self {
        let van = Self::start_on(free_port());
        let begun = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", van.port)).await.is_err() {
            assert!(begun.elapsed() < PATIENCE, "it never listens");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        van
    }

    fn start_on(port: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = mesh::Config { certificate_file: folder.path().join("mesh.pem"), ice: IceConfig::default() };
        let links = MeshLinks::start(&settings, Arc::new(MonotonicClock), mpsc::channel(1).0).unwrap();
        let (certificate, secret) = links.pem();
        let certificate = Certificate {
            certificate: certificate.into(),
            key: secret.into(),
            fingerprint: links.fingerprint().into(),
        };
        let config = Config { port, certificate: Some(certificate), name: "Ann's van".into() };
        let clock = Arc::new(Clock::default());
        let machine = Machine {
            clock: clock.clone(),
            chance: host::random,
            wall: || WallTime::UnixS(NOW_S),
            addresses: || vec![IpAddr::V4(Ipv4Addr::new(169, 254, 8, 1)), Ipv4Addr::LOCALHOST.into()],
        };
        let (sender, events) = mpsc::channel(64);
        let founded = watch::channel(Some(roadside(1))).0;
        let door = WebDoor::start(config, machine, &key(1), founded.subscribe(), sender);
        Self { door, roadside: roadside(1), founded, events, clock, port, _folder: folder }
    }

    async fn event(&mut self) -> LanEvent {
        timeout(PATIENCE, self.events.recv()).await.expect("something happens").unwrap()
    }

    async fn invite(&mut self, role: Role) -> Result<Invitation, Refusal> {
        self.door.invite(RequestId(7), role);
        match self.event().await {
            LanEvent::Invited { request: RequestId(7), result } => result,
            other => panic!("{other:?}"),
        }
    }

    async fn token(&mut self, role: Role) -> String {
        self.invite(role).await.unwrap().token.unwrap()
    }

    fn url(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}{path}", self.port)
    }

    /// What a phone says to join with a pass.
    fn asking(&self, visit: &Visit, device: u8, pass: (&str, Value)) -> Value {
        let convoy = &self.roadside.convoy;
        let proof = key(device).prove_join(convoy, &visit.challenge);
        let (challenge, device) = (&visit.challenge, key(device).device().clone());
        let mut join = json!({ "challenge": challenge, "convoy": convoy, "device": device, "proof": proof });
        join[pass.0] = pass.1;
        json!({ "join": join })
    }

    /// A phone that is in, by a link, and what it was told then.
    async fn with_guest(&mut self, device: u8, role: Role) -> (Visit, Value) {
        let token = self.token(role).await;
        let visit = self.knock().await;
        let answer = visit.say(&self.asking(&visit, device, ("token", json!(token)))).await;
        assert_eq!(answer.0, 200, "{answer:?}");
        assert_eq!(self.event().await, LanEvent::Guest { device: device_of(device) });
        (visit, answer.1["joined"].clone())
    }

    async fn knock(&self) -> Visit {
        Visit::begin(browser(1), self.url("/door")).await
    }
}

fn device_of(seed: u8) -> DeviceId {
    key(seed).device().clone()
}

/// A browser that was told to put up with the certificate, at an address of its own.
fn browser(address: u8) -> Client {
    let address = IpAddr::V4(Ipv4Addr::new(127, 0, 0, address));
    Client::builder().danger_accept_invalid_certs(true).local_address(address).build().unwrap()
}

/// A page's visit.
struct Visit {
    browser: Client,
    url: String,
    stream: Response,
    challenge: String,
    hello: Value,
    /// What has come of the next event.
    early: String,
}

impl Visit {
    async fn begin(browser: Client, url: String) -> Self {
        let stream = browser.get(&url).send().await.unwrap();
        assert_eq!(
            (stream.status(), stream.headers()["content-type"].to_str().unwrap()),
            (reqwest::StatusCode::OK, "text/event-stream")
        );
        let mut visit =
            Self { browser, url, stream, challenge: String::new(), hello: Value::Null, early: String::new() };
        visit.hello = visit.told().await.unwrap()["hello"].clone();
        visit.challenge = visit.hello["challenge"].as_str().unwrap().into();
        visit
    }

    /// The next event; none when the visit has ended.
    async fn told(&mut self) -> Option<Value> {
        loop {
            while let Some((event, rest)) = self.early.split_once("\n\n") {
                let told = event.strip_prefix("data: ").map(|data| serde_json::from_str(data).unwrap());
                let rest = rest.to_owned();
                self.early = rest;
                if told.is_some() {
                    return told;
                }
            }
            let chunk = timeout(PATIENCE, self.stream.chunk()).await.expect("a visit is not silent").ok()??;
            self.early.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    async fn say(&self, what: &Value) -> (u16, Value) {
        self.say_bytes(what.to_string().into_bytes()).await
    }

    async fn say_bytes(&self, what: Vec<u8>) -> (u16, Value) {
        let answer = self.browser.post(&self.url).body(what).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default())
    }
}

/// Why somebody was refused.
fn reason(answer: &(u16, Value)) -> String {
    answer.1["refused"]["reason"].as_str().unwrap_or_default().to_owned()
}
