//! Every input that a fuzzer kept, and every one that ever broke something, goes through its parser again.
//!
//! `scripts/fuzz` finds new ones. `BLESS=1 cargo test --test fuzz_replay` writes the inputs anew that it begins with.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

#[path = "../fuzz/src/files.rs"]
mod files;
#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/mesh_messages.rs"]
mod messages;
#[path = "../fuzz/src/targets.rs"]
mod targets;

use jamz::core::code::Code;
use jamz::core::id::{ConvoyName, DeviceId};
use jamz::core::mesh::PeerMessage;
use jamz::core::roadside::Roadside;
use jamz::core::ticket::WallTime;
use jamz::wire::founding::{GiftHead, Opening, Verdict};
use jamz::wire::lan::{Frame, Greeting, NONCE_BYTES};
use jamz::wire::mesh::{CHUNK_BYTES_MAX, chunk, encode};
use jamz::wire::server::signal;
use messages::{beat, changes, every_kind, key, state, ticket};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

fn folder(kind: &str, target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(kind).join(target)
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// One of each kind of what is taken, for a fuzzer to begin with.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let event = |name: &str, payload: Value| format!("{name}\n{payload}").into_bytes();
    let track = json!({ "id": "one", "title": "One", "duration": 180.5, "url": "https://example.org/1.mp3" });
    match target {
        "mesh-message" => every_kind().iter().map(|message| encode(message).unwrap().into_bytes()).collect(),
        "mesh-beat" => vec![encode(&PeerMessage::Beat(Box::new(beat(5)))).unwrap().into_bytes()],
        "mesh-chunks" => {
            let chunks = [vec![7_u8; 40], vec![9; 3]].map(|message| chunk(&message, 0).unwrap());
            assert!(chunks.iter().all(|chunk| chunk.len() < CHUNK_BYTES_MAX.min(255)));
            vec![chunks.iter().flat_map(|chunk| [vec![chunk.len() as u8], chunk.clone()]).flatten().collect()]
        }
        "lan" => {
            let greeting = Greeting { nonce: [9; NONCE_BYTES], device: DeviceId::new("car").unwrap() };
            let frames = [Frame::Alive, Frame::Goodbye, Frame::Signal(Box::new(messages::signal()))];
            frames.iter().map(Frame::encode).chain([greeting.encode()]).collect()
        }
        "founding" => {
            let name = ConvoyName::new("alps").unwrap();
            let founded = Roadside::found(name, &key(1), WallTime::default(), ([1; 32], [2; 32])).unwrap();
            let handed = founded.for_newcomer(&key(1), key(2).device()).unwrap();
            let gift = json!({ "roadside": handed, "signature": "c2lnbmVk" });
            let opening = Opening { verdict: Verdict::GoOn, device: key(1).device().clone(), element: [3; 33] };
            vec![opening.encode(), GiftHead::refusal(Verdict::Wrong).encode(), gift.to_string().into_bytes()]
        }
        "server-own" => {
            let changes = changes().into_iter().map(|change| json!(change));
            let credentials = json!({ "convoy": "c", "issuer": key(1).device(), "tickets": [ticket()] });
            let join = json!({ "convoy": "c", "device": "d", "user": "u", "name": "n", "kind": "phone" });
            let joined = json!({ "snapshot": state(3), "members": [] });
            let others = [credentials, join, joined, json!(signal::to_own(&messages::signal()))];
            changes.chain(others).map(|value| value.to_string().into_bytes()).collect()
        }
        "server-backend" => vec![
            event("music-play", json!({ "position": 12.5, "timestamp": 1_700_000_000_000_i64, "track": track })),
            event("music-seek", json!({ "position": 1, "trackId": "one" })),
            event(
                "music-session-state",
                json!({ "playlist": [track], "currently_playing": track, "is_playing": true,
                "controller_id": "socket", "position": 3.25, "last_sync": "2026-11-28T16:00:00Z" }),
            ),
            event("music-controller-changed", json!({ "controllerId": "socket", "userId": "ann" })),
            event("playlist-update", json!({ "playlist": [track, track] })),
        ],
        "server-phone" => vec![
            event("join-music-session", json!({ "sessionId": "s", "userId": "ann" })),
            event("join-audio-session", json!({ "sessionId": "s", "display_name": "Ann" })),
            event("music-play", json!({ "sessionId": "s", "position": 1.5, "track": track })),
            event("location-update", json!({ "groupId": "g", "lat": 46.5 })),
            event("join-group", json!("g")),
        ],
        "web-door" => {
            let (challenge, device) = ("0".repeat(64), key(1).device().clone());
            let join = json!({ "challenge": challenge, "convoy": "c", "device": device, "proof": "c2lnbmVk" });
            let by = |pass: &str, value: Value| {
                let mut join = join.clone();
                join[pass] = value;
                json!({ "join": join })
            };
            let signal = json!({ "challenge": challenge, "signal": signal::to_own(&messages::signal()) });
            let said = [by("token", json!("t")), by("ticket", json!(ticket())), json!({ "webrtc-signal": signal })];
            said.iter().map(|value| value.to_string().into_bytes()).collect()
        }
        "spoken-code" => vec![Code::from_chance([7; 5]).text().into_bytes(), b"Amber, castle RIVER twist".to_vec()],
        file => given(file),
    }
}

/// What people give to a car.
fn given(target: &str) -> Vec<Vec<u8>> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    match target {
        "config" => {
            let wrong = b"[audio]\noutputs = 7\n[paths]\nstate = \"relative\"\n".to_vec();
            vec![fs::read(project.join("config/jamzd.toml")).unwrap(), wrong]
        }
        // The beginning says what a file is.
        "decode" => {
            let tones = files_in(&project.join("tests/fixtures/tones"));
            tones.iter().map(|tone| fs::read(tone).unwrap().into_iter().take(1_500).collect()).collect()
        }
        other => panic!("no inputs to begin with for {other}"),
    }
}

#[test]
fn what_fuzzers_kept_and_what_ever_broke_something_breaks_nothing() {
    for (target, run) in targets::ALL.into_iter().chain(files::ALL) {
        let kept = files_in(&folder("corpus", target));
        let broke = files_in(&folder("crashes", target));
        assert!(!kept.is_empty(), "fuzz/corpus/{target} is empty");
        for file in kept.iter().chain(&broke) {
            let bytes = fs::read(file).unwrap();
            let ended = std::panic::catch_unwind(|| run(&bytes));
            assert!(ended.is_ok(), "{} breaks {target}", file.display());
        }
    }
}

#[test]
fn every_target_begins_with_what_its_parser_takes_and_bears_it_cut_anywhere() {
    for (target, run) in targets::ALL.into_iter().chain(files::ALL) {
        let folder = folder("corpus", target);
        for (n, seed) in seeds(target).into_iter().enumerate() {
            run(&seed);
            for cut in 0..seed.len().min(2_000) {
                run(&seed[..cut]);
            }
            let file = folder.join(format!("seed-{n:02}"));
            if std::env::var_os("BLESS").is_some() {
                fs::create_dir_all(&folder).unwrap();
                fs::write(&file, &seed).unwrap();
            }
            assert!(fs::read(&file).is_ok_and(|kept| kept == seed), "{} is another by now", file.display());
        }
    }
}
