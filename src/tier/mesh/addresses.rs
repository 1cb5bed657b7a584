//! The addresses of this machine at this moment, for a connection to be made from.
//!
//! The crate's own wildcard leaves out link-local addresses, which are all that a network without DHCP has.

use rtc::shared::ifaces::ifaces;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Each costs a socket per connection, and a signal.
const ADDRESSES_MAX: usize = 8;

/// One socket address with a free port for each address. Loopback only where there is nothing else: two daemons on a
/// machine without a network.
pub(super) fn local() -> Vec<SocketAddr> {
    let found = ifaces().unwrap_or_default();
    let addresses = found.into_iter().filter_map(|interface| interface.addr).map(|address| address.ip());
    let usable = choose(addresses.collect());
    usable.into_iter().map(|address| SocketAddr::new(address, 0)).collect()
}

fn choose(mut addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    addresses.retain(is_usable);
    addresses.sort_by_key(|address| (preference(address), *address));
    addresses.dedup();
    addresses.truncate(ADDRESSES_MAX);
    if addresses.is_empty() {
        addresses.push(Ipv4Addr::LOCALHOST.into());
    }
    addresses
}

fn is_usable(address: &IpAddr) -> bool {
    let plain = !address.is_loopback() && !address.is_unspecified() && !address.is_multicast();
    // A link-local IPv6 address means nothing without its interface, which a candidate cannot name.
    plain && !matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

/// Ordinary IPv4 first: were there too many addresses, a LAN's is kept.
fn preference(address: &IpAddr) -> u8 {
    match address {
        IpAddr::V4(v4) if v4.is_link_local() => 1,
        IpAddr::V4(_) => 0,
        IpAddr::V6(_) => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(addresses: &[&str]) -> Vec<String> {
        choose(addresses.iter().map(|a| a.parse().unwrap()).collect()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn link_local_addresses_of_version_4_count_and_those_of_version_6_do_not() {
        let found = chosen(&["127.0.0.1", "fe80::1", "fd00::7", "169.254.7.7", "192.168.4.1", "::1", "192.168.4.1"]);
        assert_eq!(found, ["192.168.4.1", "169.254.7.7", "fd00::7"]);
    }

    #[test]
    fn a_machine_without_a_network_talks_to_itself() {
        assert_eq!(chosen(&["127.0.0.1", "::1", "fe80::1"]), ["127.0.0.1"]);
        assert_eq!(chosen(&[]), ["127.0.0.1"]);
    }

    #[test]
    fn a_machine_with_very_many_addresses_uses_some() {
        let many: Vec<String> = (1..100).map(|n| format!("fd00::{n:x}")).chain(["10.0.0.1".to_owned()]).collect();
        let many = chosen(&many.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!((many.len(), many[0].as_str()), (ADDRESSES_MAX, "10.0.0.1"));
    }
}
