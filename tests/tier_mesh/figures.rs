//! Figures of a link: how soon it is up, how long a beat takes, what it costs. To be run by hand, on an idle machine:
//! `cargo test --release --test tier_mesh -- --ignored figures --nocapture`.

use crate::cars::{Car, Ether, pair};
use crate::messages::{beat, every_kind};
use crate::namespaces::{self, Namespace};
use crate::process::{CarProcess, hears, link};
use jamz::core::mesh::PeerMessage;
use jamz::tier::mesh::IceConfig;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

/// The p-th percentile, in milliseconds.
fn percentile(times: &mut [Duration], p: usize) -> f64 {
    times.sort();
    times[(times.len() - 1) * p / 100].as_secs_f64() * 1e3
}

fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn cpu_ticks() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit_once(") ").unwrap().1;
    after_name.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it measures, and takes a minute"]
async fn figures() {
    let folder = tempfile::tempdir().unwrap();
    let (mut a, mut b) = pair(folder.path()).await;
    let mut up = Vec::new();
    for attempt in 2..32 {
        let begun = Instant::now();
        a.connect(&b.device, attempt);
        a.up(&b.device).await;
        b.up(&a.device).await;
        up.push(begun.elapsed());
    }
    println!("offer to up: p50 {:.0} ms, p95 {:.0} ms", percentile(&mut up, 50), percentile(&mut up, 95));
    for (name, message) in [("beat", PeerMessage::Beat(Box::new(beat(1)))), ("control", every_kind().remove(1))] {
        let mut there_and_back = Vec::new();
        for _ in 0..1_000 {
            let begun = Instant::now();
            a.send(&b.device, message.clone());
            b.message().await;
            b.send(&a.device, message.clone());
            a.message().await;
            there_and_back.push(begun.elapsed());
        }
        let (p50, p95) = (percentile(&mut there_and_back, 50), percentile(&mut there_and_back, 95));
        println!("{name} there and back: p50 {p50:.2} ms, p95 {p95:.2} ms");
    }
    cost_of_links(folder.path()).await;
}

/// What 16 links of one car cost, their other ends in the same process.
async fn cost_of_links(folder: &std::path::Path) {
    const LINKS: u8 = 16;
    let ether = Ether::default();
    let mut hub = Car::start(50, folder, &ether);
    let mut others: Vec<Car> = (51..51 + LINKS).map(|n| Car::start(n, folder, &ether)).collect();
    let before = resident_kib();
    for car in &mut others {
        car.connect(&hub.device, 1);
        car.up(&hub.device).await;
        hub.up(&car.device).await;
    }
    println!("memory of a link's end: {} KiB", resident_kib().saturating_sub(before) / (2 * u64::from(LINKS)));
    let (ticks, begun) = (cpu_ticks(), Instant::now());
    while begun.elapsed() < Duration::from_secs(20) {
        for car in &others {
            hub.send(&car.device, PeerMessage::Beat(Box::new(beat(1))));
            car.send(&hub.device, PeerMessage::Beat(Box::new(beat(1))));
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        others.iter_mut().chain([&mut hub]).for_each(|car| while car.events.try_recv().is_ok() {});
    }
    // A tick is 10 ms.
    let ms = (cpu_ticks() - ticks) as f64 * 10.0 / begun.elapsed().as_secs_f64() / (2.0 * f64::from(LINKS));
    println!("a link's end with 2 beats a second each way: {ms:.2} ms of CPU per second");
}

/// Bytes that have left and entered a network.
fn traffic(network: &Namespace) -> u64 {
    let files = ["tx", "rx"].map(|way| format!("/sys/class/net/lan/statistics/{way}_bytes"));
    let read = Command::new("ip").args(["netns", "exec", &network.0, "cat"]).args(files).output().unwrap();
    String::from_utf8(read.stdout).unwrap().lines().map(|line| line.parse::<u64>().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it measures, and takes two minutes"]
async fn figures_of_a_calm_link() {
    if !namespaces::can_be_made() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (calm, period) in [("calm", Duration::from_secs(5)), ("in doubt", Duration::from_millis(500))] {
        let (a, b) = (Namespace::new(), Namespace::new());
        a.join(("lan", Some("10.70.0.1/24")), &b, ("lan", Some("10.70.0.2/24")));
        let ice = IceConfig::default();
        let mut one = CarProcess::start(1, folder.path(), &a, &ice);
        let mut two = CarProcess::start(2, folder.path(), &b, &ice);
        link(&mut one, &mut two, 1).await.unwrap();
        let of_making = traffic(&a);
        let begun = Instant::now();
        let mut count = 0;
        while begun.elapsed() < Duration::from_mins(1) {
            count += 1;
            // One asks, the other answers.
            assert!(hears(&mut one, &mut two, count).await && hears(&mut two, &mut one, count).await);
            tokio::time::sleep(period).await;
        }
        let per_hour = (traffic(&a) - of_making) as f64 / begun.elapsed().as_secs_f64() * 3_600.0 / 1e6;
        println!("a link {calm}: {per_hour:.2} MB an hour, both ways; {of_making} bytes to make it");
    }
}
