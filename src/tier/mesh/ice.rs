//! STUN and TURN servers: their addresses as configured, resolved where that delays nothing.
//!
//! The crate would ask for a name's address while it makes a connection, and on the road that takes as long as a
//! resolver's patience. So names are looked up beside, and a connection is made with what is known.

use super::config::{IceConfig, MeshError};
use std::fs;
use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;
use tokio::net::lookup_host;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use webrtc::peer_connection::RTCIceServer;

const PORT_DEFAULT: u16 = 3478;
const CREDENTIALS_BYTES_MAX: u64 = 4 << 10;
/// How long the first connection waits for the first lookup.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LOOKUP_DEADLINE: Duration = Duration::from_secs(5);
/// Until names are looked up again: after some failed, and after all were found.
const RETRY: Duration = Duration::from_secs(10);
const REFRESH: Duration = Duration::from_mins(5);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Server {
    scheme: &'static str,
    host: String,
    port: u16,
}

/// The servers, as far as their addresses are known.
#[derive(Debug)]
pub(super) struct Servers {
    known: watch::Receiver<Option<Vec<RTCIceServer>>>,
    task: JoinHandle<()>,
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Servers {
    /// Begins to look names up.
    pub(super) fn start(config: &IceConfig) -> Result<Self, MeshError> {
        let servers = parse(config)?;
        let credentials = config.turn_credentials_file.as_deref().map(credentials).transpose()?;
        let (publish, known) = watch::channel(servers.is_empty().then(Vec::new));
        let task = tokio::spawn(async move {
            let mut addresses: Vec<Option<SocketAddr>> = vec![None; servers.len()];
            while !servers.is_empty() {
                let mut all = true;
                for (server, address) in servers.iter().zip(&mut addresses) {
                    let found = look_up(server).await;
                    all &= found.is_some();
                    *address = found.or(*address);
                }
                let found = servers.iter().zip(&addresses).filter_map(|(server, address)| Some((server, (*address)?)));
                let found = found.map(|(server, address)| entry(server, address, credentials.as_ref())).collect();
                publish.send_replace(Some(found));
                sleep(if all { REFRESH } else { RETRY }).await;
            }
        });
        Ok(Self { known, task })
    }

    /// What is known now; at the very start, after a moment.
    pub(super) async fn known(&self) -> Vec<RTCIceServer> {
        let mut known = self.known.clone();
        match timeout(FIRST_WAIT, known.wait_for(Option::is_some)).await {
            Ok(Ok(servers)) => servers.clone().unwrap_or_default(),
            _ => Vec::new(),
        }
    }
}

pub(super) fn check(config: &IceConfig) -> Result<(), MeshError> {
    parse(config)?;
    if config.relay_only && config.turn.is_empty() {
        return Err(MeshError::Ice { key: "relay_only", problem: "it needs a TURN server; name one in `turn`".into() });
    }
    if !config.turn.is_empty() && config.turn_credentials_file.is_none() {
        let problem = "TURN servers need a user name and a password; put them in two lines of a file, and name it \
            here"
            .into();
        return Err(MeshError::Ice { key: "turn_credentials_file", problem });
    }
    Ok(())
}

fn parse(config: &IceConfig) -> Result<Vec<Server>, MeshError> {
    let stun = config.stun.iter().map(|url| server("stun", url));
    stun.chain(config.turn.iter().map(|url| server("turn", url))).collect()
}

fn server(scheme: &'static str, url: &str) -> Result<Server, MeshError> {
    let problem = || MeshError::Ice {
        key: scheme,
        problem: format!("`{url}` is no `{scheme}:host[:port]`; only UDP is spoken, without TLS"),
    };
    let rest = url.strip_prefix(scheme).and_then(|rest| rest.strip_prefix(':')).ok_or_else(problem)?;
    let rest = rest.strip_suffix("?transport=udp").unwrap_or(rest);
    let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, port)) => (host, Some(port.strip_prefix(':').ok_or_else(problem)?)),
        None => rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port))),
    };
    let port = port.map_or(Ok(PORT_DEFAULT), |port| port.parse().map_err(|_| problem()))?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '_');
    if host.is_empty() || host.len() > 253 || !host.chars().all(plain) {
        return Err(problem());
    }
    Ok(Server { scheme, host: host.to_owned(), port })
}

fn credentials(path: &Path) -> Result<(String, String), MeshError> {
    let wrong = |problem: String| MeshError::Ice { key: "turn_credentials_file", problem };
    let unreadable = |error: std::io::Error| wrong(format!("{}: {error}", path.display()));
    let file = fs::File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.permissions().mode() & 0o077 != 0 {
        return Err(wrong(format!("others may read {0}; `chmod 600 {0}`", path.display())));
    }
    let mut text = String::new();
    file.take(CREDENTIALS_BYTES_MAX).read_to_string(&mut text).map_err(unreadable)?;
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    match (lines.next(), lines.next()) {
        (Some(user), Some(password)) => Ok((user.into(), password.into())),
        _ => Err(wrong(format!("{} needs two lines: the user name, the password", path.display()))),
    }
}

async fn look_up(server: &Server) -> Option<SocketAddr> {
    if let Ok(address) = server.host.parse::<IpAddr>() {
        return Some(SocketAddr::new(address, server.port));
    }
    let found = timeout(LOOKUP_DEADLINE, lookup_host((server.host.as_str(), server.port))).await;
    let mut addresses: Vec<SocketAddr> = found.ok()?.ok()?.collect();
    // Cars have IPv4 far more often.
    addresses.sort_by_key(SocketAddr::is_ipv6);
    addresses.first().copied()
}

fn entry(server: &Server, address: SocketAddr, credentials: Option<&(String, String)>) -> RTCIceServer {
    let (username, credential) = credentials.filter(|_| server.scheme == "turn").cloned().unwrap_or_default();
    let transport = if server.scheme == "turn" { "?transport=udp" } else { "" };
    RTCIceServer { urls: vec![format!("{}:{address}{transport}", server.scheme)], username, credential }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_read_as_people_write_them() {
        let read = |url| server("turn", url).map(|s| (s.host, s.port)).map_err(|error| error.to_string());
        assert_eq!(read("turn:turn.example.org"), Ok(("turn.example.org".into(), 3478)));
        assert_eq!(read("turn:10.0.0.1:99?transport=udp"), Ok(("10.0.0.1".into(), 99)));
        assert_eq!(read("turn:[fd00::1]:99"), Ok(("fd00::1".into(), 99)));
        for wrong in ["turns:x", "turn:", "stun:x", "turn:x:y", "turn:x?transport=tcp", "turn:a b", "turn:[::1]9"] {
            assert!(read(wrong).unwrap_err().starts_with("`turn` under [mesh]: "), "{wrong}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let turn = IceConfig { turn: vec!["turn:x".into()], ..IceConfig::default() };
        assert!(check(&turn).unwrap_err().to_string().contains("turn_credentials_file"));
        let relay = IceConfig { relay_only: true, ..IceConfig::default() };
        assert!(check(&relay).unwrap_err().to_string().contains("relay_only"));
        assert!(check(&IceConfig::default()).is_ok());
    }

    #[test]
    fn credentials_that_others_may_read_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("turn");
        fs::write(&path, "ann\nsecret\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(credentials(&path).unwrap_err().to_string().contains("chmod 600"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(credentials(&path).unwrap(), ("ann".into(), "secret".into()));
    }

    #[tokio::test]
    async fn addresses_are_known_at_once_and_names_that_lead_nowhere_do_not_hold_up() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("turn");
        fs::write(&file, "ann\nsecret\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let config = IceConfig {
            stun: vec!["stun:10.0.0.9".into(), "stun:nowhere.invalid".into()],
            turn: vec!["turn:[fd00::1]:5000".into()],
            turn_credentials_file: Some(file),
            relay_only: false,
        };
        let servers = Servers::start(&IceConfig { stun: vec!["stun:10.0.0.9".into()], ..config.clone() }).unwrap();
        let known = servers.known().await;
        assert_eq!(known[0].urls, ["stun:10.0.0.9:3478"]);
        assert_eq!(known[1].urls, ["turn:[fd00::1]:5000?transport=udp"]);
        assert_eq!((known[0].username.as_str(), known[1].credential.as_str()), ("", "secret"));
        let slow = Servers::start(&config).unwrap();
        timeout(Duration::from_secs(5), slow.known()).await.unwrap();
    }
}
