//! What a link carries: everything, whole, in order, and beats beside it.

use crate::cars::pair;
use crate::messages::{beat, every_kind, state};
use jamz::core::clock::{MonoTime, Monotonic};
use jamz::core::mesh::{MeshEvent, PeerMessage};
use jamz::host::MonotonicClock;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_message_arrives_intact_and_in_order_both_ways() {
    let folder = tempfile::tempdir().unwrap();
    let (mut a, mut b) = pair(folder.path()).await;
    for (from, to) in [(&mut a, &mut b)] {
        for message in every_kind() {
            from.send(&to.device, message.clone());
            to.send(&from.device, message);
        }
        for message in every_kind() {
            assert_eq!(to.message().await, message);
            assert_eq!(from.message().await, message);
        }
    }
    a.close().await;
    b.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_beat_is_dated_when_it_leaves() {
    let folder = tempfile::tempdir().unwrap();
    let (a, mut b) = pair(folder.path()).await;
    let before = MonotonicClock.now();
    a.send(&b.device, PeerMessage::Beat(Box::new(beat(1))));
    match b.next().await {
        MeshEvent::Message { from, message, received } => {
            let PeerMessage::Beat(arrived) = *message else { panic!("{message:?}") };
            assert_eq!(from, a.device);
            // Both read one clock here.
            assert!(before <= arrived.sent && arrived.sent <= received && received <= MonotonicClock.now());
            assert_eq!(*arrived, jamz::core::mesh::Beat { sent: arrived.sent, ..beat(1) });
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_of_ten_thousand_entries_arrives_while_beats_and_controls_pass_it() {
    let folder = tempfile::tempdir().unwrap();
    let (a, mut b) = pair(folder.path()).await;
    let large = state(10_000);
    let controls = every_kind();
    let begun = Instant::now();
    a.send(&b.device, PeerMessage::State(Box::new(large.clone())));
    let (device, links) = (b.device.clone(), a.links.clone());
    let sender = tokio::spawn(async move {
        for n in 0.. {
            let beat = PeerMessage::Beat(Box::new(beat(n)));
            let to = vec![device.clone()];
            links.send(jamz::core::mesh::MeshCommand::Send { to, message: Box::new(beat) });
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    for message in &controls {
        a.send(&b.device, message.clone());
    }
    let (mut seen, mut beats, mut worst_us) = (Vec::new(), 0, 0);
    loop {
        match b.next().await {
            MeshEvent::Message { message, received, .. } => match *message {
                PeerMessage::Beat(beat) => {
                    beats += 1;
                    worst_us = worst_us.max(received - MonoTime(beat.sent.0));
                }
                PeerMessage::State(arrived) => {
                    assert!(*arrived == large);
                    break;
                }
                other => seen.push(other),
            },
            other => panic!("{other:?}"),
        }
    }
    println!("a large state took {:?}; {beats} beats beside it, the slowest {worst_us} us", begun.elapsed());
    sender.abort();
    assert!(beats >= 3, "{beats} beats");
    // The controls overtook the state; all of them came, in order.
    assert!(seen == controls);
}
