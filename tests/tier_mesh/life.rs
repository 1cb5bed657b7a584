//! A link's life: how it ends, what comes after, and who gives way.

use crate::cars::{Car, Ether, PATIENCE, pair};
use crate::messages::every_kind;
use jamz::core::mesh::{Attempt, MeshCommand, MeshEvent, PeerMessage, Signal, SignalKind};
use std::time::Duration;
use tokio::time::timeout;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_car_that_leaves_is_seen_at_once_and_what_it_said_last_arrives() {
    let folder = tempfile::tempdir().unwrap();
    let (a, mut b) = pair(folder.path()).await;
    let gone = a.device.clone();
    a.send(&b.device, PeerMessage::Goodbye);
    a.links.send(MeshCommand::Close { peer: b.device.clone() });
    assert_eq!(b.message().await, PeerMessage::Goodbye);
    let (attempt, reason) = timeout(Duration::from_secs(5), b.down(&gone)).await.unwrap();
    assert_eq!((attempt, reason.as_str()), (Attempt(1), "the other side closed the link"));
    a.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_to_a_car_that_died_is_made_anew_with_its_next_life() {
    let folder = tempfile::tempdir().unwrap();
    let ether = Ether::default();
    let mut a = Car::start(1, folder.path(), &ether);
    // In a runtime of its own, which can be dropped: nothing is said, the sockets are gone.
    let first_life = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let b = first_life.spawn({
        let (folder, ether) = (folder.path().to_owned(), ether.clone());
        async move { Car::start(2, &folder, &ether) }
    });
    let b = b.await.unwrap();
    let (device, print) = (b.device.clone(), b.links.fingerprint().to_owned());
    a.connect(&device, 1);
    a.up(&device).await;
    first_life.shutdown_background();
    drop(b);
    let mut b = Car::start(2, folder.path(), &ether);
    assert_eq!(b.links.fingerprint(), print);
    a.connect(&device, 2);
    assert_eq!((a.up(&device).await, b.up(&a.device).await), (Attempt(2), Attempt(2)));
    b.send(&a.device, PeerMessage::Goodbye);
    assert_eq!(a.message().await, PeerMessage::Goodbye);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_car_that_died_without_a_word_is_found_out_by_the_edge_alone() {
    let folder = tempfile::tempdir().unwrap();
    let ether = Ether::default();
    let mut a = Car::start(1, folder.path(), &ether);
    let life = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (path, air) = (folder.path().to_owned(), ether.clone());
    let b = life.spawn(async move { Car::start(2, &path, &air) }).await.unwrap();
    a.connect(&b.device, 1);
    a.up(&b.device).await;
    life.shutdown_background();
    let (attempt, reason) = timeout(PATIENCE, a.down(&b.device)).await.unwrap();
    assert_eq!((attempt, reason.as_str()), (Attempt(1), "no path to it is left"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_offers_that_cross_the_one_that_the_cores_let_stand_becomes_the_link() {
    let folder = tempfile::tempdir().unwrap();
    let ether = Ether::default();
    // What both cores decide: the second car's offer does not stand.
    let stands = |signal: &Signal| signal.kind != SignalKind::Offer;
    let mut a = Car::start(1, folder.path(), &ether);
    let mut b = Car::with(2, folder.path(), &ether, jamz::tier::mesh::IceConfig::default(), Box::new(stands));
    // The same number on both sides: only their authors tell these attempts apart.
    b.connect(&a.device, 7);
    let offered = b.next().await;
    assert!(matches!(offered, MeshEvent::Signal { .. }));
    a.connect(&b.device, 7);
    assert_eq!((a.up(&b.device).await, b.up(&a.device).await), (Attempt(7), Attempt(7)));
    for (from, to) in [(&a, &mut b)] {
        from.send(&to.device, PeerMessage::Goodbye);
        assert_eq!(to.message().await, PeerMessage::Goodbye);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_attempt_replaces_the_link_on_both_sides_without_a_word_of_the_old() {
    let folder = tempfile::tempdir().unwrap();
    let (mut a, mut b) = pair(folder.path()).await;
    for attempt in 2..5 {
        a.connect(&b.device, attempt);
        assert_eq!(a.next().await, MeshEvent::Up { peer: b.device.clone(), attempt: Attempt(attempt) });
        assert_eq!(b.next().await, MeshEvent::Up { peer: a.device.clone(), attempt: Attempt(attempt) });
    }
    // And from the other side.
    b.connect(&a.device, 9);
    assert_eq!(a.next().await, MeshEvent::Up { peer: b.device.clone(), attempt: Attempt(9) });
    a.send(&b.device, PeerMessage::Goodbye);
    b.up(&a.device).await;
    assert_eq!(b.message().await, PeerMessage::Goodbye);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signals_in_any_order_and_twice_make_one_link() {
    let folder = tempfile::tempdir().unwrap();
    let ether = Ether::default();
    let mut a = Car::with(1, folder.path(), &ether, jamz::tier::mesh::IceConfig::default(), Box::new(|_| false));
    let mut b = Car::start(2, folder.path(), &ether);
    a.connect(&b.device, 1);
    let mut signals = Vec::new();
    while signals.iter().filter(|s: &&Signal| s.kind == SignalKind::IceCandidate).count() == 0 {
        let MeshEvent::Signal { signal, .. } = a.next().await else { panic!("a signal") };
        signals.push(signal);
    }
    // Candidates first, then the offer, and all of it again.
    let twice = signals.iter().rev().chain(&signals).cloned();
    for signal in twice {
        b.links.send(MeshCommand::Signal { from: a.device.clone(), signal });
    }
    assert_eq!((a.up(&b.device).await, b.up(&a.device).await), (Attempt(1), Attempt(1)));
    assert!(b.events.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signals_that_take_long_make_a_link_as_soon_as_they_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let ether = Ether::slow(Duration::from_secs(2));
    let (mut a, mut b) = (Car::start(1, folder.path(), &ether), Car::start(2, folder.path(), &ether));
    let begun = std::time::Instant::now();
    a.connect(&b.device, 1);
    a.up(&b.device).await;
    b.up(&a.device).await;
    println!("with signals that take 2 s: up in {:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(8));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signals_that_make_no_sense_end_the_attempt_at_most() {
    let folder = tempfile::tempdir().unwrap();
    let (mut a, mut b) = pair(folder.path()).await;
    let stranger = crate::messages::key(9).device().clone();
    let signal = |attempt, kind, body: &str| {
        let signal = Signal { attempt: Attempt(attempt), kind, body: body.to_owned() };
        MeshCommand::Signal { from: stranger.clone(), signal }
    };
    let long = "x".repeat(1 << 20);
    for (attempt, body) in [(1, ""), (2, "v=0"), (3, "\u{0}"), (4, long.as_str()), (5, "v=0\r\nm=application 9 x\r\n")]
    {
        a.links.send(signal(attempt, SignalKind::Offer, body));
        let (down, reason) = a.down(&stranger).await;
        assert_eq!(down, Attempt(attempt));
        assert!(reason.starts_with("the offer cannot be used"), "{reason}");
        for kind in [SignalKind::Answer, SignalKind::IceCandidate] {
            a.links.send(signal(attempt, kind, body));
        }
    }
    for n in 0..500 {
        a.links.send(signal(
            n,
            SignalKind::IceCandidate,
            "{\"candidate\":\"candidate:1 1 udp 1 10.0.0.1 9 typ host\"}",
        ));
    }
    // The link that was there is as it was.
    for (from, to) in [(&b, &mut a)] {
        from.send(&to.device, PeerMessage::Goodbye);
        assert_eq!(to.message().await, PeerMessage::Goodbye);
    }
    a.send(&b.device, every_kind().remove(0));
    assert_eq!(b.message().await, every_kind().remove(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_links_in_one_car_carry_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let ether = Ether::default();
    let mut hub = Car::start(1, folder.path(), &ether);
    let mut others: Vec<Car> = (2..10).map(|n| Car::start(n, folder.path(), &ether)).collect();
    for car in &others {
        car.connect(&hub.device, 1);
    }
    for car in &mut others {
        car.up(&hub.device).await;
    }
    let mut up = 0;
    while up < others.len() {
        up += usize::from(matches!(hub.next().await, MeshEvent::Up { .. }));
    }
    let to = others.iter().map(|car| car.device.clone()).collect();
    let message = every_kind().remove(7);
    hub.links.send(MeshCommand::Send { to, message: Box::new(message.clone()) });
    for car in &mut others {
        assert_eq!(car.message().await, message);
        car.send(&hub.device, message.clone());
    }
    for _ in 0..others.len() {
        assert_eq!(hub.message().await, message);
    }
    hub.close().await;
    for mut car in others {
        assert_eq!(car.down(&crate::messages::key(1).device().clone()).await.1, "the other side closed the link");
    }
}
