//! The port on which phones come, open while there is a convoy for them to come to.

use super::answer::{self, Place};
use super::visit::Visits;
use super::{Config, Machine, Wish};
use crate::core::guests::Guests;
use crate::core::mesh::LanEvent;
use crate::core::request::{Doorstep, Invitation, Refusal};
use crate::core::roadside::Roadside;
use crate::core::signature::DeviceKey;
use crate::core::ticket::{Guest, Role, WallTime};
use crate::link::lan::gate::Gate;
use crate::wire::web::{HEAD_BYTES_MAX, HEADERS_MAX};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use native_tls::Identity;
use rustix::net::sockopt::set_tcp_user_timeout;
use std::collections::BTreeMap;
use std::future::pending;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_native_tls::TlsAcceptor;

/// Connections at once, of which a browser has some,
const CONNECTIONS_MAX: usize = 96;
/// and those that one address holds, however it keeps them alive.
const ADDRESS_CONNECTIONS_MAX: usize = 24;
/// Connections that one address may open at once, and then one more each so often: less than would fill the above.
const BURST: i64 = 32;
const REFILL_US: i64 = 250_000;
/// All that a stranger may take to agree on keys,
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(5);
/// and then to ask for something, or for something more.
const HEAD_WITHIN: Duration = Duration::from_secs(5);
/// A phone that takes in nothing for so long is not there.
const ARRIVES_WITHIN: Duration = Duration::from_secs(10);
/// Between two failures to accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Digits of the certificate's fingerprint that a link says: nobody makes another that begins so.
const FINGERPRINT_DIGITS: usize = 20;

/// What is served, and where.
struct Open {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    place: Arc<Place>,
}

pub(super) struct Serve {
    config: Config,
    machine: Machine,
    key: DeviceKey,
    visits: Arc<Visits>,
    events: mpsc::Sender<LanEvent>,
    founded: Option<Roadside>,
    open: Option<Open>,
    gate: Gate,
    /// Each ends with the address that it was from.
    connections: JoinSet<IpAddr>,
    held: BTreeMap<IpAddr, usize>,
}

impl Serve {
    pub(super) fn new(
        config: Config,
        machine: Machine,
        key: DeviceKey,
        visits: Arc<Visits>,
        events: mpsc::Sender<LanEvent>,
    ) -> Self {
        let (gate, connections) = (Gate::with(BURST, REFILL_US), JoinSet::new());
        let held = BTreeMap::new();
        Self { config, machine, key, visits, events, founded: None, open: None, gate, connections, held }
    }

    /// Runs until nobody wants anything any more.
    pub(super) async fn run(
        mut self,
        mut founded: watch::Receiver<Option<Roadside>>,
        mut wishes: mpsc::Receiver<Wish>,
    ) {
        let now = founded.borrow_and_update().clone();
        self.serve(now).await;
        loop {
            tokio::select! {
                changed = founded.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    let now = founded.borrow_and_update().clone();
                    self.serve(now).await;
                }
                wish = wishes.recv() => match wish {
                    Some(wish) => self.invite(wish).await,
                    None => break,
                },
                accepted = accept(self.open.as_ref()) => self.on_accepted(accepted).await,
                Some(ended) = self.connections.join_next() => self.on_ended(ended.ok()),
            }
        }
        self.serve(None).await;
    }

    /// Serves this convoy from now on, or none.
    async fn serve(&mut self, founded: Option<Roadside>) {
        if self.founded == founded {
            return;
        }
        self.open = None;
        self.visits.end_all();
        self.connections.shutdown().await;
        self.held.clear();
        self.founded = founded;
        if self.founded.is_some()
            && self.config.port != 0
            && let Err(problem) = self.listen().await
        {
            tracing::warn!("phones cannot come to this car: {problem}");
        }
    }

    async fn listen(&mut self) -> Result<(), String> {
        let Some(roadside) = self.founded.clone() else {
            return Err("its convoy was not founded on the roadside (`jamzctl found`)".into());
        };
        let port = self.config.port;
        if port == 0 {
            return Err("`port` under [page] is 0".into());
        }
        let certificate = self.config.certificate.as_ref().ok_or("it has no certificate, as [mesh] is switched off")?;
        let identity = Identity::from_pkcs8(certificate.certificate.as_bytes(), certificate.key.as_bytes());
        let acceptor = identity.and_then(native_tls::TlsAcceptor::new).map_err(|error| error.to_string())?;
        let listener = bind(port).await.map_err(|error| match error.kind() {
            ErrorKind::AddrInUse => {
                format!("port {port} is taken by another program; end that one, or set another `port` under [page]")
            }
            _ => format!("port {port} cannot be used ({error}); set another `port` under [page]"),
        })?;
        tracing::info!(port, "phones can come to this car by a link (`jamzctl invite`)");
        let place = Arc::new(Place {
            machine: self.machine.clone(),
            key: self.key.clone(),
            name: self.config.name.clone(),
            roadside,
            guests: Mutex::new(Guests::default()),
            visits: self.visits.clone(),
        });
        self.open = Some(Open { listener, acceptor: acceptor.into(), place });
        Ok(())
    }

    async fn invite(&mut self, Wish { request, role }: Wish) {
        let result = self.link(role).await;
        // Fails only when the car ends.
        let _ = self.events.send(LanEvent::Invited { request, result }).await;
    }

    async fn link(&mut self, role: Role) -> Result<Invitation, Refusal> {
        if self.open.is_none() {
            // What stood in the way may be gone.
            let failed = |problem| Refusal::Failed(format!("no phone can come to this car: {problem}"));
            self.listen().await.map_err(failed)?;
        }
        let failed = |problem: &str| Refusal::Failed(problem.into());
        let place = &self.open.as_ref().ok_or_else(|| failed("no phone can come to this car"))?.place;
        let port = self.config.port;
        let lan = (self.machine.addresses)().into_iter().filter(|address| !address.is_loopback());
        let origins: Vec<String> = lan.map(|address| format!("https://{}", SocketAddr::new(address, port))).collect();
        if origins.is_empty() {
            return Err(failed("this car is in no network; switch its Wi-Fi on, and let the phone into it"));
        }
        let chance = (self.machine.chance)()
            .map_err(|error| Refusal::Failed(format!("the kernel gives no randomness: {error}")))?;
        let token = place.guests().invite(role, &chance, self.machine.clock.now());
        let digits = self.config.certificate.as_ref().map_or("", |certificate| &certificate.fingerprint);
        let digits = digits.chars().filter(char::is_ascii_hexdigit).take(FINGERPRINT_DIGITS);
        let certificate = digits.collect::<String>().to_ascii_lowercase();
        let expires_unix_s = match (self.machine.wall)() {
            WallTime::UnixS(now) => Some(now + Guest::VALID_S),
            WallTime::AtLeastS(_) => None,
        };
        let convoy = place.roadside.convoy.clone();
        Ok(Invitation { convoy, token: Some(token), expires_unix_s, role, at: Some(Doorstep { origins, certificate }) })
    }

    async fn on_accepted(&mut self, accepted: io::Result<(TcpStream, SocketAddr)>) {
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "a phone's connection could not be accepted");
                return tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        };
        let address = address.ip().to_canonical();
        let has_room = self.connections.len() < CONNECTIONS_MAX
            && self.held.get(&address).is_none_or(|held| *held < ADDRESS_CONNECTIONS_MAX);
        let is_heard = has_room && self.gate.admits(address, self.machine.clock.now());
        if let (Some(open), true) = (&self.open, is_heard) {
            *self.held.entry(address).or_default() += 1;
            let conversation = converse(stream, address, open.acceptor.clone(), open.place.clone());
            self.connections.spawn(async move {
                conversation.await;
                address
            });
        }
    }

    fn on_ended(&mut self, address: Option<IpAddr>) {
        let Some(address) = address else { return };
        if let Some(held) = self.held.get_mut(&address) {
            *held -= 1;
            if *held == 0 {
                self.held.remove(&address);
            }
        }
    }
}

/// On every address, of IPv6 too where there is any.
async fn bind(port: u16) -> io::Result<TcpListener> {
    match TcpListener::bind(("::", port)).await {
        Err(error) if error.kind() != ErrorKind::AddrInUse => TcpListener::bind(("0.0.0.0", port)).await,
        bound => bound,
    }
}

async fn accept(open: Option<&Open>) -> io::Result<(TcpStream, SocketAddr)> {
    match open {
        Some(open) => open.listener.accept().await,
        None => pending().await,
    }
}

/// One connection of a browser, or of a stranger.
async fn converse(stream: TcpStream, address: IpAddr, acceptor: TlsAcceptor, place: Arc<Place>) {
    // A signal must not wait for the next one to fill a packet.
    let _ = stream.set_nodelay(true);
    let _ = set_tcp_user_timeout(&stream, ARRIVES_WITHIN.as_millis() as u32);
    let stream = match timeout(HANDSHAKE_WITHIN, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        // A browser that does not know the certificate ends here, until it is told to go on.
        Ok(Err(error)) => return tracing::trace!(%error, "a phone's connection came to nothing"),
        Err(_) => return tracing::trace!("a phone's connection took too long"),
    };
    let service = service_fn(move |request| answer::answer(request, address, place.clone()));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX);
    if let Err(error) = http.serve_connection(TokioIo::new(stream), service).await {
        tracing::trace!(%error, "a phone's connection ended");
    }
}
