//! Finding and being found: DNS-SD (RFC 6763) over multicast DNS, on every network that the car is in or comes into.

use crate::core::id::DeviceId;
use crate::wire::founding::{self, TXT_CODE};
use crate::wire::lan::{SERVICE, TXT_DEVICE, TXT_TAG, TXT_VERSION, VERSION};
use mdns_sd::{Receiver, ResolvedService, ScopedIp, ServiceDaemon, ServiceEvent, ServiceInfo};
use std::net::{IpAddr, SocketAddr, SocketAddrV6};

/// Networks come and go on the road; looking for them costs one system call.
const LOOK_EVERY_S: u32 = 1;
/// Addresses that are tried of one member.
const ADDRESSES_MAX: usize = 8;
/// A label of a DNS name has at most 63 bytes, which a device id may exceed.
const LABEL_CHARS: usize = 32;

/// What was seen on the network. None of it is proved.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sighting {
    Here {
        device: DeviceId,
        name: String,
        addresses: Vec<SocketAddr>,
    },
    Gone {
        name: String,
    },
    /// A car that shows itself under another tag.
    Stranger,
}

/// Announces this car while it lives.
pub(super) struct Discovery {
    daemon: ServiceDaemon,
    sightings: Receiver<ServiceEvent>,
    me: DeviceId,
    tag: String,
}

impl Discovery {
    /// Announces `device` on `port` under its convoy's tag, and looks for others.
    ///
    /// # Errors
    /// Why that is not possible on this machine.
    pub(super) fn start(device: &DeviceId, tag: &str, port: u16) -> Result<Self, mdns_sd::Error> {
        let daemon = daemon()?;
        let sightings = daemon.browse(SERVICE)?;
        let version = VERSION.to_string();
        let txt = [(TXT_VERSION, version.as_str()), (TXT_TAG, tag), (TXT_DEVICE, device.as_str())];
        daemon.register(service(&label(device), port, &txt)?)?;
        Ok(Self { daemon, sightings, me: device.clone(), tag: tag.to_owned() })
    }

    /// The next that concerns this convoy; none when looking has ended.
    pub(super) async fn next(&self) -> Option<Sighting> {
        loop {
            match self.sightings.recv_async().await.ok()? {
                ServiceEvent::ServiceResolved(service) => {
                    if let Some(sighting) = self.here(&service) {
                        return Some(sighting);
                    }
                }
                ServiceEvent::ServiceRemoved(_, name) => return Some(Sighting::Gone { name }),
                ServiceEvent::SearchStopped(_) => return None,
                _ => {}
            }
        }
    }

    /// Says good-bye, and waits until it is said.
    pub(super) async fn close(self) {
        if let Ok(said) = self.daemon.shutdown() {
            let _ = said.recv_async().await;
        }
    }

    fn here(&self, service: &ResolvedService) -> Option<Sighting> {
        let said = |key| service.get_property_val_str(key);
        if said(TXT_VERSION)? != VERSION.to_string() {
            return None;
        }
        let device = DeviceId::new(said(TXT_DEVICE)?).ok()?;
        if said(TXT_TAG)? != self.tag {
            // This car itself may have shown itself otherwise a moment ago.
            return (device != self.me).then_some(Sighting::Stranger);
        }
        let addresses = addresses(service);
        Some(Sighting::Here { device, name: service.get_fullname().to_owned(), addresses })
    }
}

impl Drop for Discovery {
    fn drop(&mut self) {
        // The daemon says good-bye for all that is registered when it ends.
        let _ = self.daemon.shutdown();
    }
}

/// Shows that this car lets newcomers in who know its code; dropping it ends that.
pub(super) struct CodeShown {
    daemon: ServiceDaemon,
}

/// A car that shows so. Nothing of it is proved.
pub(super) struct CodeSeen {
    pub(super) device: DeviceId,
    pub(super) addresses: Vec<SocketAddr>,
}

/// Looks for such cars.
pub(super) struct CodesSeen {
    daemon: ServiceDaemon,
    sightings: Receiver<ServiceEvent>,
}

/// Announces that `device` lets newcomers in on `port`. It has a name and a search of its own, as it comes and goes by
/// itself.
///
/// # Errors
/// Why that is not possible on this machine.
pub(super) fn show_code(device: &DeviceId, port: u16) -> Result<CodeShown, mdns_sd::Error> {
    let daemon = daemon()?;
    let version = founding::VERSION.to_string();
    let txt = [(TXT_CODE, version.as_str()), (TXT_DEVICE, device.as_str())];
    daemon.register(service(&format!("{}-code", label(device)), port, &txt)?)?;
    Ok(CodeShown { daemon })
}

impl Drop for CodeShown {
    fn drop(&mut self) {
        let _ = self.daemon.shutdown();
    }
}

impl CodesSeen {
    /// # Errors
    /// Why that is not possible on this machine.
    pub(super) fn look() -> Result<Self, mdns_sd::Error> {
        let daemon = daemon()?;
        let sightings = daemon.browse(SERVICE)?;
        Ok(Self { daemon, sightings })
    }

    /// The next one; none when looking has ended.
    pub(super) async fn next(&mut self) -> Option<CodeSeen> {
        loop {
            let ServiceEvent::ServiceResolved(service) = self.sightings.recv_async().await.ok()? else { continue };
            let speaks = service.get_property_val_str(TXT_CODE) == Some(&founding::VERSION.to_string());
            let device = service.get_property_val_str(TXT_DEVICE).and_then(|device| DeviceId::new(device).ok());
            if let (true, Some(device)) = (speaks, device) {
                return Some(CodeSeen { device, addresses: addresses(&service) });
            }
        }
    }
}

impl Drop for CodesSeen {
    fn drop(&mut self) {
        let _ = self.daemon.shutdown();
    }
}

fn daemon() -> Result<ServiceDaemon, mdns_sd::Error> {
    let daemon = ServiceDaemon::new()?;
    daemon.set_ip_check_interval(LOOK_EVERY_S)?;
    Ok(daemon)
}

fn label(device: &DeviceId) -> String {
    device.as_str().chars().filter(char::is_ascii_alphanumeric).take(LABEL_CHARS).collect()
}

fn service(label: &str, port: u16, txt: &[(&str, &str)]) -> Result<ServiceInfo, mdns_sd::Error> {
    let host = format!("jamz-{label}.local.");
    let mut service = ServiceInfo::new(SERVICE, label, &host, "", port, txt)?.enable_addr_auto();
    // A name that is a public key's is nobody else's.
    service.set_requires_probe(false);
    Ok(service)
}

fn addresses(service: &ResolvedService) -> Vec<SocketAddr> {
    #[allow(clippy::disallowed_methods, reason = "they are put in order below")]
    let mut addresses: Vec<SocketAddr> =
        service.get_addresses().iter().filter_map(|ip| address(ip, service.get_port())).collect();
    // What needs no scope first; in an order that does not change.
    addresses.sort_by_key(|address| (address.is_ipv6(), *address));
    addresses.truncate(ADDRESSES_MAX);
    addresses
}

fn address(ip: &ScopedIp, port: u16) -> Option<SocketAddr> {
    match ip {
        ScopedIp::V4(v4) => Some(SocketAddr::new(IpAddr::V4(*v4.addr()), port)),
        ScopedIp::V6(v6) => Some(SocketAddrV6::new(*v6.addr(), port, 0, v6.scope_id().index).into()),
        _ => None,
    }
}
