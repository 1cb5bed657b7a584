//! From an address to an open TCP stream, with a reason that a driver understands when it fails.

use super::address::Address;
use super::config::TierError;
use super::http::Http;
use super::watched::{Arrivals, Watched};
use crate::core::clock::Monotonic;
use crate::wire::server::track::cut;
use rust_socketio::Error;
use rust_socketio::rust_engineio::Error as EngineError;
use rust_socketio::rust_engineio::tungstenite::{self, error::CapacityError};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpStream, lookup_host};

/// How long one of several network addresses of a name may take before the next one is tried.
const ADDRESS_DEADLINE: Duration = Duration::from_secs(2);
/// Longest text of a foreign system in a reason, in bytes.
const WORDS_BYTES_MAX: usize = 200;

/// Opens connections to one server.
pub(super) struct Dialer {
    pub(super) address: Address,
    pub(super) http: Http,
    pub(super) clock: Arc<dyn Monotonic>,
    pub(super) tls: native_tls::TlsConnector,
}

impl Dialer {
    /// `authorities` are certificates in PEM, to be trusted beside the system's.
    pub(super) fn new(address: Address, ca_file: Option<&Path>, clock: Arc<dyn Monotonic>) -> Result<Self, TierError> {
        let authorities = ca_file.map(authorities).transpose()?.unwrap_or_default();
        let mut builder = native_tls::TlsConnector::builder();
        // Reading the system's authorities takes a Pi a while, and plain HTTP asks for none.
        builder.disable_built_in_roots(!address.secure);
        for pem in &authorities {
            let certificate =
                native_tls::Certificate::from_pem(pem).map_err(|error| TierError::Tls(error.to_string()))?;
            builder.add_root_certificate(certificate);
        }
        let tls = builder.build().map_err(|error| TierError::Tls(error.to_string()))?;
        let http = Http::new(&authorities, address.secure).map_err(|error| TierError::Tls(error.to_string()))?;
        Ok(Self { address, http, clock, tls })
    }

    /// Opens a stream.
    pub(super) async fn dial(&self) -> Result<(Watched<TcpStream>, Arc<Arrivals>), String> {
        let stream = self.connect().await?;
        // Without it Nagle's algorithm holds a control back until the one before is acknowledged: a whole round trip.
        stream.set_nodelay(true).map_err(|error| self.unreachable(&error))?;
        Ok(Watched::new(stream, self.clock.clone()))
    }

    /// Tries the name's addresses one after another: an IPv6 address that leads nowhere must not hide the IPv4 one.
    async fn connect(&self) -> Result<TcpStream, String> {
        let host = &self.address.host;
        let addresses = lookup_host((host.as_str(), self.address.port)).await;
        let addresses = addresses.map_err(|error| format!("the name {host} is not found: {error}"))?;
        let mut problem = format!("the name {host} is not found");
        for address in addresses {
            match tokio::time::timeout(ADDRESS_DEADLINE, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => problem = self.unreachable(&error),
                Err(_) => problem = self.unreachable(&ErrorKind::TimedOut.into()),
            }
        }
        Err(problem)
    }

    fn unreachable(&self, error: &io::Error) -> String {
        let Address { host, port, .. } = &self.address;
        match error.kind() {
            ErrorKind::ConnectionRefused => format!("connection refused: no server runs at {host}, port {port}"),
            ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable => format!("no network leads to {host}"),
            ErrorKind::TimedOut => format!("no answer from {host}, port {port}"),
            _ => format!("{host}, port {port}, cannot be reached: {error}"),
        }
    }

    /// The reason when no connection could be made over an open stream.
    pub(super) fn opening(&self, error: &Error) -> String {
        let Address { host, port, .. } = &self.address;
        let Error::IncompleteResponseFromEngineIo(EngineError::WebsocketError(error)) = error else {
            return foreign(&format!("it opens with something else than Engine.IO ({error})"));
        };
        match error {
            tungstenite::Error::Tls(error) => {
                let error = error.to_string();
                let words = words(&error);
                if words.contains("certificate") {
                    format!(
                        "TLS: the certificate of {host} is not trusted ({words}); \
                         an authority of one's own goes into `ca_file`"
                    )
                } else {
                    format!("TLS with {host}, port {port}, failed ({words}); is it http:// there?")
                }
            }
            tungstenite::Error::Http(response) => foreign(&format!("{host} answers HTTP {}", response.status())),
            tungstenite::Error::Io(error) if error.kind() != ErrorKind::InvalidData => self.unreachable(error),
            error => foreign(&error.to_string()),
        }
    }
}

/// The reason when something answers that is no server of ours.
pub(super) fn foreign(how: &str) -> String {
    format!("this is no TrafficJamz server: {}", words(how))
}

/// The reason when an open connection ended by itself.
pub(super) fn broken(error: &Error) -> String {
    let cause = match error {
        Error::IllegalActionBeforeOpen() => return "the server closed the connection".into(),
        Error::IncompleteResponseFromEngineIo(EngineError::PingTimeout()) => {
            return "the server's heartbeat stopped".into();
        }
        Error::IncompleteResponseFromEngineIo(EngineError::WebsocketError(tungstenite::Error::Capacity(
            CapacityError::MessageTooLong { size, max_size },
        ))) => return format!("the server sent a message of {size} bytes; at most {max_size} are read"),
        Error::IncompleteResponseFromEngineIo(EngineError::WebsocketError(error)) => error.to_string(),
        error => error.to_string(),
    };
    format!("the connection broke: {}", words(&cause))
}

/// Foreign text, fit for a log line and for a person.
pub(super) fn words(text: &str) -> String {
    cut(text, WORDS_BYTES_MAX).chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The certificates in a PEM file, one by one.
fn authorities(path: &Path) -> Result<Vec<Vec<u8>>, TierError> {
    const END: &str = "-----END CERTIFICATE-----";
    let wrong = |problem: String| TierError::Ca { path: path.display().to_string(), problem };
    let text = super::token::read_bounded(path, 1 << 20).map_err(|error| wrong(error.to_string()))?;
    let blocks: Vec<Vec<u8>> = text
        .split_inclusive(END)
        .filter_map(|block| block.find("-----BEGIN CERTIFICATE-----").and_then(|at| block.get(at..)))
        .map(|block| block.as_bytes().to_vec())
        .collect();
    if blocks.is_empty() {
        return Err(wrong("it holds no certificate in PEM".into()));
    }
    for block in &blocks {
        native_tls::Certificate::from_pem(block).map_err(|error| wrong(error.to_string()))?;
    }
    Ok(blocks)
}
