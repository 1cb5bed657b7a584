//! Networks of their own for a test: namespaces of the kernel, each a machine without any route but to its neighbours,
//! joined by a bridge. They end with the test.

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A bridge, and the machines at it.
pub(crate) struct Network {
    name: String,
    machines: Vec<String>,
}

/// Whether this test may make networks; says so when it may not.
pub(crate) fn is_possible() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        eprintln!("skipped: only root may make network namespaces");
    }
    is_root
}

impl Network {
    pub(crate) fn new() -> Self {
        let name = format!("jz{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let network = Self { machines: vec![name.clone()], name };
        network.ip(&format!("netns add {}", network.name));
        network.ip(&format!("-n {} link add br0 type bridge", network.name));
        network.ip(&format!("-n {} link set br0 up", network.name));
        network
    }

    /// A machine whose interface is at the bridge and down; returns its name.
    pub(crate) fn machine(&mut self) -> String {
        let number = self.machines.len();
        let (bridge, machine) = (self.name.clone(), format!("{}m{number}", self.name));
        self.machines.push(machine.clone());
        self.ip(&format!("netns add {machine}"));
        self.ip(&format!("-n {machine} link set lo up"));
        self.ip(&format!("link add eth0 netns {machine} type veth peer name p{number} netns {bridge}"));
        self.ip(&format!("-n {bridge} link set p{number} master br0 up"));
        machine
    }

    /// A machine with this address.
    pub(crate) fn machine_at(&mut self, address: &str) -> String {
        let machine = self.machine();
        self.ip(&format!("-n {machine} addr add {address} dev eth0"));
        self.link(&machine, true);
        machine
    }

    /// Switches a machine's interface on or off.
    pub(crate) fn link(&self, machine: &str, up: bool) {
        self.ip(&format!("-n {machine} link set eth0 {}", if up { "up" } else { "down" }));
    }

    /// Lets a machine's cable carry, or drop all in silence.
    pub(crate) fn cable(&self, machine: &str, carries: bool) {
        let number = self.machines.iter().position(|other| other == machine).unwrap();
        let to = if carries { "master br0" } else { "nomaster" };
        self.ip(&format!("-n {} link set p{number} {to}", self.name));
    }

    /// Lays a cable between the two bridges: one network from now on.
    pub(crate) fn join(&self, other: &Self) {
        let (one, two) = (&self.name, &other.name);
        self.ip(&format!("link add trunk netns {one} type veth peer name trunk netns {two}"));
        for bridge in [one, two] {
            self.ip(&format!("-n {bridge} link set trunk master br0 up"));
        }
    }

    pub(crate) fn ip(&self, arguments: &str) {
        let output = Command::new("ip").args(arguments.split(' ')).output().expect("`ip` is needed: install iproute2");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{}: ip {arguments}: {said}", self.name);
    }

    /// The TCP port that is listened on at a machine.
    pub(crate) fn listening(machine: &str) -> u16 {
        inside(machine, || {
            let tables = ["/proc/thread-self/net/tcp6", "/proc/thread-self/net/tcp"];
            let lines = tables.map(|table| std::fs::read_to_string(table).unwrap_or_default()).join("\n");
            let listening = lines.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
            let mut listening = listening.filter(|fields| fields.get(3) == Some(&"0A"));
            let local = listening.next().expect("nothing listens there")[1].to_owned();
            u16::from_str_radix(local.rsplit(':').next().unwrap(), 16).unwrap()
        })
        .join()
        .unwrap()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for machine in self.machines.iter().rev() {
            let _ = Command::new("ip").args(["netns", "del", machine]).output();
        }
    }
}

/// Runs on a machine; what is begun there stays there.
pub(crate) fn inside<T: Send + 'static>(
    machine: &str,
    act: impl FnOnce() -> T + Send + 'static,
) -> std::thread::JoinHandle<T> {
    let namespace = File::open(format!("/run/netns/{machine}")).unwrap();
    std::thread::spawn(move || {
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
        act()
    })
}
