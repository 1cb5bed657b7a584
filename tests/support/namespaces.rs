//! Networks of one's own: namespaces, and the cables between them. Only root can make them.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// Whether namespaces can be made here; says so when not.
pub(crate) fn can_be_made() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("SKIPPED: only root can make network namespaces; run this test as root to check links on the road");
    }
    root
}

/// A network namespace with its loopback up; it goes with its owner.
pub(crate) struct Namespace(pub(crate) String);

impl Namespace {
    pub(crate) fn new() -> Self {
        let name = format!("jamz{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        ip(&format!("netns add {name}"));
        let namespace = Self(name);
        namespace.ip("link set dev lo up");
        namespace
    }

    /// Runs `ip` within.
    pub(crate) fn ip(&self, arguments: &str) {
        ip(&format!("-n {} {arguments}", self.0));
    }

    /// A cable to another namespace; each end is up and has these addresses (`10.0.0.1/24`, or none).
    pub(crate) fn join(&self, own: (&str, Option<&str>), other: &Self, others: (&str, Option<&str>)) {
        ip(&format!("link add {} netns {} type veth peer name {} netns {}", own.0, self.0, others.0, other.0));
        for (namespace, (device, address)) in [(self, own), (other, others)] {
            // Link-local addresses of version 6 would make a way of their own.
            namespace.run("sysctl", &["-qw", &format!("net.ipv6.conf.{device}.disable_ipv6=1")]);
            if let Some(address) = address {
                namespace.ip(&format!("addr add {address} dev {device}"));
            }
            namespace.ip(&format!("link set dev {device} up"));
        }
    }

    pub(crate) fn run(&self, program: &str, arguments: &[&str]) {
        let status = Command::new("ip").args(["netns", "exec", &self.0, program]).args(arguments).status().unwrap();
        assert!(status.success(), "{program} {arguments:?}");
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // The cables go with it.
        let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split(' ')).status().expect("`ip`, of the package iproute2");
    assert!(status.success(), "ip {arguments}");
}
