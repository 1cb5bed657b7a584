//! A peer that sends what it should not costs its own link at most.

use crate::cars::{Car, Ether};
use crate::messages::{every_kind, key};
use crate::raw::Raw;
use jamz::core::mesh::{MeshCommand, PeerMessage};
use jamz::tier::mesh::IceConfig;
use jamz::wire::mesh::{FRAME_BYTES_MAX, chunk, encode};

const LABELS: [&str; 3] = ["music-control", "clock", "content"];

fn quiet_car(folder: &std::path::Path) -> Car {
    Car::with(1, folder, &Ether::default(), IceConfig::default(), Box::new(|_| false))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_that_are_no_messages_are_passed_over_until_there_are_too_many() {
    let folder = tempfile::tempdir().unwrap();
    let mut car = quiet_car(folder.path());
    let raw = Raw::offer(&mut car, &LABELS).await;
    let deep = "[".repeat(9_000);
    let hostile: Vec<Vec<u8>> = vec![
        Vec::from(b"\x00"),
        Vec::from(b"{}"),
        Vec::from(b"{\"type\":\"beat\"}"),
        deep.into_bytes(),
        vec![0xff; FRAME_BYTES_MAX + 1],
        vec![b' '; 60_000],
    ];
    for frame in &hostile {
        for channel in 0..3 {
            assert!(raw.send(channel, frame).await);
        }
    }
    let good = every_kind().remove(0);
    raw.send(0, encode(&good).unwrap().as_bytes()).await;
    assert_eq!(car.message().await, good);
    while raw.send(0, b"nonsense").await && car.events.is_empty() {}
    let (_, reason) = car.down(&raw.device).await;
    assert_eq!(reason, "it sent 64 frames that are no messages");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chunks_that_announce_much_or_never_end_cost_little() {
    let folder = tempfile::tempdir().unwrap();
    let mut car = quiet_car(folder.path());
    let raw = Raw::offer(&mut car, &LABELS).await;
    // The beginnings of large messages, over and over, none of which ends.
    let large = vec![b'['; 4 << 20];
    for _ in 0..20 {
        for index in 0..4 {
            assert!(raw.send(2, &chunk(&large, index).unwrap()).await);
        }
    }
    // A whole one is read, found to be too deep, and passed over.
    for index in 0..jamz::wire::mesh::chunk_count(&large) {
        assert!(raw.send(2, &chunk(&large, index).unwrap()).await);
    }
    raw.drained(2).await;
    let members = every_kind().into_iter().find(|m| matches!(m, PeerMessage::Members(_))).unwrap();
    let text = encode(&members).unwrap();
    raw.send(2, &chunk(text.as_bytes(), 0).unwrap()).await;
    assert_eq!(car.message().await, members);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_that_is_none_of_ours_ends_the_link() {
    let folder = tempfile::tempdir().unwrap();
    for labels in [vec!["music-control", "music-control"], vec!["voice"]] {
        let mut car = quiet_car(folder.path());
        let raw = Raw::offer(&mut car, &labels).await;
        let reason = match raw.ended {
            Some(reason) => reason,
            None => car.down(&raw.device).await.1,
        };
        assert_eq!(reason, "it opened a channel that is none of ours");
        car.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_takes_nothing_is_let_go_before_it_fills_memory() {
    let folder = tempfile::tempdir().unwrap();
    let mut car = quiet_car(folder.path());
    // It opens its channels and reads none of ours.
    let raw = Raw::offer(&mut car, &LABELS).await;
    let state = crate::messages::state(10_000);
    for _ in 0..12 {
        let message = Box::new(PeerMessage::State(Box::new(state.clone())));
        car.links.send(MeshCommand::Send { to: vec![key(99).device().clone()], message });
    }
    assert_eq!(car.down(&raw.device).await.1, "it does not take what it is sent");
}
