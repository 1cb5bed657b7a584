//! Networks as the road has them: no route to anywhere, no DHCP, addresses that change, no direct way at all.

use crate::namespaces::{self, Namespace};
use crate::process::{CarProcess, Tell, be_a_car, hears, link};
use jamz::tier::mesh::IceConfig;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

#[tokio::test]
#[ignore = "it is a car for the tests below"]
async fn child_that_is_a_car() {
    be_a_car().await;
}

fn cars(folder: &Path, networks: [&Namespace; 2], ice: &IceConfig) -> (CarProcess, CarProcess) {
    (CarProcess::start(1, folder, networks[0], ice), CarProcess::start(2, folder, networks[1], ice))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cars_on_a_network_that_leads_nowhere_find_their_way() {
    if !namespaces::can_be_made() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // Ordinary addresses, and what a network without DHCP leaves: link-local ones. Neither has a default route.
    for addresses in [["10.70.0.1/24", "10.70.0.2/24"], ["169.254.3.1/16", "169.254.200.9/16"]] {
        let (a, b) = (Namespace::new(), Namespace::new());
        a.join(("lan", Some(addresses[0])), &b, ("lan", Some(addresses[1])));
        // Servers that cannot be reached, nor their names looked up, hold nothing up.
        let ice =
            IceConfig { stun: vec!["stun:stun.example.org".into(), "stun:192.0.2.1".into()], ..IceConfig::default() };
        let (mut one, mut two) = cars(folder.path(), [&a, &b], &ice);
        let took = link(&mut one, &mut two, 1).await.unwrap();
        println!("{}: up in {took:?}", addresses[0]);
        assert!(hears(&mut one, &mut two, 1).await && hears(&mut two, &mut one, 2).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_changes_costs_one_new_attempt() {
    if !namespaces::can_be_made() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (Namespace::new(), Namespace::new());
    a.join(("lan", Some("10.70.0.1/24")), &b, ("lan", Some("10.70.0.2/24")));
    let (mut one, mut two) = cars(folder.path(), [&a, &b], &IceConfig::default());
    link(&mut one, &mut two, 1).await.unwrap();
    // Another hotspot: other addresses on both sides.
    for (network, old, new) in [(&a, "10.70.0.1/24", "192.168.9.1/24"), (&b, "10.70.0.2/24", "192.168.9.2/24")] {
        network.ip(&format!("addr del {old} dev lan"));
        network.ip(&format!("addr add {new} dev lan"));
    }
    assert!(!hears(&mut one, &mut two, 1).await);
    let took = link(&mut one, &mut two, 2).await.unwrap();
    println!("after a change of address: up in {took:?}");
    assert!(hears(&mut one, &mut two, 2).await && hears(&mut two, &mut one, 3).await);
    // A second network comes, the first one goes.
    a.join(("usb", Some("10.71.0.1/24")), &b, ("usb", Some("10.71.0.2/24")));
    a.ip("link set dev lan down");
    assert!(!hears(&mut one, &mut two, 4).await);
    link(&mut two, &mut one, 3).await.unwrap();
    assert!(hears(&mut one, &mut two, 5).await && hears(&mut two, &mut one, 6).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_that_goes_silent_is_given_up_for_a_new_one_without_waiting() {
    if !namespaces::can_be_made() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (Namespace::new(), Namespace::new());
    a.join(("lan", Some("10.70.0.1/24")), &b, ("lan", Some("10.70.0.2/24")));
    let (mut one, mut two) = cars(folder.path(), [&a, &b], &IceConfig::default());
    link(&mut one, &mut two, 1).await.unwrap();
    a.ip("link set dev lan down");
    for count in 0..5 {
        assert!(!hears(&mut one, &mut two, count).await);
    }
    a.ip("link set dev lan up");
    // What a core does: it lets go of the old link, and makes a new one.
    one.tell(&Tell::Close(two.device.clone())).await;
    link(&mut one, &mut two, 2).await.unwrap();
    assert!(hears(&mut one, &mut two, 9).await && hears(&mut two, &mut one, 10).await);
}

/// The real coturn; it ends with its owner.
struct Turn(Child);

impl Turn {
    fn start(network: &Namespace, addresses: [&str; 2], folder: &Path) -> Self {
        let listen = addresses.iter().flat_map(|address| ["--listening-ip", address, "--relay-ip", address]);
        let (database, log) = (folder.join("turn.db"), folder.join("turn.log"));
        let child = Command::new("ip")
            .args(["netns", "exec", &network.0, "turnserver", "-n", "--no-tls", "--no-dtls", "--no-cli", "--no-tcp"])
            .args(["--lt-cred-mech", "--user", "ann:secret", "--realm", "jamz.example", "--min-port", "50000"])
            .args(["--max-port", "50100", "--pidfile"])
            .arg(folder.join("turn.pid"))
            .arg("--userdb")
            .arg(database)
            .arg("--log-file")
            .arg(log)
            .args(listen)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cars_without_a_direct_way_meet_over_a_real_turn_server() {
    if !namespaces::can_be_made() {
        return;
    }
    let found = Command::new("turnserver").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(found.is_ok(), "no TURN server here; install the package coturn");
    let folder = tempfile::tempdir().unwrap();
    let (a, b, internet) = (Namespace::new(), Namespace::new(), Namespace::new());
    a.join(("wan", Some("10.71.1.2/24")), &internet, ("a", Some("10.71.1.1/24")));
    b.join(("wan", Some("10.71.2.2/24")), &internet, ("b", Some("10.71.2.1/24")));
    a.ip("route add default via 10.71.1.1");
    b.ip("route add default via 10.71.2.1");
    // It forwards nothing: the two cannot reach each other but through the relay.
    internet.run("sysctl", &["-qw", "net.ipv4.ip_forward=0"]);
    let _turn = Turn::start(&internet, ["10.71.1.1", "10.71.2.1"], folder.path());
    let credentials = folder.path().join("credentials");
    fs::write(&credentials, "ann\nsecret\n").unwrap();
    fs::set_permissions(&credentials, fs::Permissions::from_mode(0o600)).unwrap();
    for relay_only in [true, false] {
        let ice = |server: &str| IceConfig {
            turn: vec![format!("turn:{server}:3478")],
            turn_credentials_file: Some(credentials.clone()),
            relay_only,
            ..IceConfig::default()
        };
        let mut one = CarProcess::start(1, folder.path(), &a, &ice("10.71.1.1"));
        let mut two = CarProcess::start(2, folder.path(), &b, &ice("10.71.2.1"));
        let took = link(&mut one, &mut two, 1).await.unwrap();
        let mut there_and_back = Vec::new();
        for count in 0..20 {
            let begun = Instant::now();
            assert!(hears(&mut one, &mut two, count).await && hears(&mut two, &mut one, count).await);
            there_and_back.push(begun.elapsed());
        }
        there_and_back.sort();
        println!(
            "over a relay (relay only: {relay_only}): up in {took:?}, a beat there and back in {:?}",
            there_and_back[10]
        );
        // The bound of a good tier is 300 ms, and the network here adds nothing.
        assert!(there_and_back[10] < Duration::from_millis(100));
    }
}
