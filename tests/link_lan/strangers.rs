//! Strangers on the network: they learn nothing, and whatever they do, members find and reach each other.

use crate::car::Car;
use crate::network::{Network, inside, is_possible};
use jamz::core::id::DeviceId;
use jamz::core::mesh::LanEvent;
use jamz::wire::lan::Greeting;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// The car's address, once it listens.
async fn address_of(machine: &str, ip: &str) -> SocketAddr {
    tokio::time::sleep(Duration::from_millis(500)).await;
    SocketAddr::new(ip.parse().unwrap(), Network::listening(machine))
}

/// Says this, and returns all that is answered until the connection ends, and how long that took.
fn say(to: SocketAddr, bytes: &[u8]) -> (Vec<u8>, Duration) {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut heard = Vec::new();
    // A connection that is ended while one speaks is no fault here.
    let _ = stream.write_all(bytes);
    let _ = stream.read_to_end(&mut heard);
    (heard, begun.elapsed())
}

fn greeting() -> Vec<u8> {
    Greeting { nonce: [3; 32], device: DeviceId::new("stranger").unwrap() }.encode()
}

#[tokio::test]
async fn garbage_is_not_answered_and_a_guessed_proof_gets_none_back() {
    if !is_possible() {
        return;
    }
    let mut network = Network::new();
    let (home, street) = (network.machine_at("10.9.0.1/24"), network.machine_at("10.9.0.66/24"));
    let mut car = Car::start(&home, 1).await;
    let to = address_of(&home, "10.9.0.1").await;
    inside(&street, move || {
        for garbage in [b"GET / HTTP/1.1\r\n\r\n".repeat(9), vec![0; 5_000], vec![0xff; 5_000], b"jamz\x02".repeat(20)]
        {
            let (heard, took) = say(to, &garbage);
            assert!(heard.is_empty() && took < Duration::from_secs(5), "{heard:?} in {took:?}");
        }
        let greeted = Greeting { nonce: [0; 32], device: DeviceId::new("x".repeat(64)).unwrap() }.encode().len();
        let (heard, _) = say(to, &[greeting(), vec![7; 32]].concat());
        assert_eq!(heard.len(), greeted, "a greeting, and no proof");
        assert!(!String::from_utf8_lossy(&heard).contains("alps"));
    })
    .join()
    .unwrap();
    assert!(car.is_quiet(Duration::from_millis(300)).await);
}

#[tokio::test]
async fn a_stranger_who_holds_and_opens_connections_without_end_keeps_no_member_out() {
    if !is_possible() {
        return;
    }
    let mut network = Network::new();
    let (home, street) = (network.machine_at("10.9.0.1/24"), network.machine_at("10.9.0.66/24"));
    let mut car = Car::start(&home, 9).await;
    let to = address_of(&home, "10.9.0.1").await;
    let siege = inside(&street, move || {
        let (begun, mut held, mut longest) = (Instant::now(), Vec::new(), Duration::ZERO);
        while begun.elapsed() < Duration::from_secs(8) {
            if let Ok(mut stream) = TcpStream::connect_timeout(&to, Duration::from_secs(1)) {
                stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
                held.push((stream.write(&greeting()[..1]).is_ok(), stream, Instant::now()));
            }
            held.retain_mut(|(_, stream, since)| {
                let ended =
                    !matches!(stream.read(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock);
                longest = longest.max(since.elapsed());
                !ended
            });
        }
        longest
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let member = network.machine_at("10.9.0.2/24");
    let mut member = Car::start(&member, 2).await;
    member.finds(car.device()).await;
    car.finds(member.device()).await;
    member.reaches(&mut car, "through the crowd").await;
    assert!(!siege.is_finished(), "it was found while the siege lasted");
    let longest = siege.join().unwrap();
    assert!(longest < Duration::from_secs(6), "a stranger was heard for {longest:?}");
    car.reaches(&mut member, "after it").await;
}

#[tokio::test]
async fn what_is_announced_names_neither_convoy_nor_people() {
    if !is_possible() {
        return;
    }
    let mut network = Network::new();
    let (home, street) = (network.machine_at("10.9.0.1/24"), network.machine_at("10.9.0.66/24"));
    let _car = Car::start(&home, 1).await;
    let seen = inside(&street, || {
        let daemon = mdns_sd::ServiceDaemon::new().unwrap();
        let events = daemon.browse("_jamz._tcp.local.").unwrap();
        loop {
            if let mdns_sd::ServiceEvent::ServiceResolved(service) =
                events.recv_timeout(Duration::from_secs(20)).unwrap()
            {
                return service;
            }
        }
    });
    let seen = seen.join().unwrap();
    let mut keys: Vec<&str> = seen.get_properties().iter().map(mdns_sd::TxtProperty::key).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["d", "t", "v"]);
    assert!(!format!("{seen:?}").contains("alps"));
}

#[tokio::test]
async fn who_shows_a_members_name_without_the_secret_is_not_taken_for_it() {
    if !is_possible() {
        return;
    }
    let mut network = Network::new();
    let (home, street) = (network.machine_at("10.9.0.1/24"), network.machine_at("10.9.0.66/24"));
    let mut car = Car::start(&home, 1).await;
    // The stranger repeats all that a member announces, with a port of its own, and so is dialled.
    let impostor = inside(&street, || {
        let daemon = mdns_sd::ServiceDaemon::new().unwrap();
        let events = daemon.browse("_jamz._tcp.local.").unwrap();
        let tag = loop {
            if let mdns_sd::ServiceEvent::ServiceResolved(service) =
                events.recv_timeout(Duration::from_secs(20)).unwrap()
            {
                break service.get_property_val_str("t").unwrap().to_owned();
            }
        };
        let listener = std::net::TcpListener::bind("10.9.0.66:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let txt = [("v", "1"), ("t", tag.as_str()), ("d", "zz-impostor")];
        let service = mdns_sd::ServiceInfo::new("_jamz._tcp.local.", "zz", "zz.local.", "10.9.0.66", port, &txt[..]);
        daemon.register(service.unwrap()).unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        let mut heard = vec![0; 38 + 64];
        stream.read_exact(&mut heard).unwrap();
        let me = Greeting { nonce: [1; 32], device: DeviceId::new("zz-impostor").unwrap() };
        stream.write_all(&me.encode()).unwrap();
        let mut proof = [0; 32];
        stream.read_exact(&mut proof).unwrap();
        // Its own proof given back is none.
        stream.write_all(&proof).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        rest
    });
    assert_eq!(impostor.join().unwrap(), Vec::<u8>::new());
    let quiet = car.is_quiet(Duration::from_secs(1)).await;
    assert!(quiet, "nobody was found: {:?}", LanEvent::Found { device: car.device().clone() });
}
