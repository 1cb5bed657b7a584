//! What a car of bad will tells the page: what cannot be is not kept, as it would be read again and again.

use crate::browser::Browser;
use crate::jamz_server::Server;
use jamz::core::clock::{ClockMap, ConvoyTime, MonoTime};
use jamz::core::election::Term;
use jamz::core::id::{DeviceId, UserId};
use jamz::core::mesh::{Beat, Claim, Echo, Route, Source};
use jamz::wire::mesh::encode_beat;
use serde_json::{Value, json};

/// A beat of a car that leads, or that has a server, as a car writes it.
fn beat(has_server: bool, knows_time: bool) -> Value {
    let device = DeviceId::new("van").unwrap();
    let user = UserId::new("ann").unwrap();
    let claim =
        Claim { term: Term(3), established: true, timed: true, dj: true, mains: true, user, device: device.clone() };
    let source = if has_server { Source::Server { term: Term(3) } } else { Source::Member(claim) };
    let beat = Beat {
        ask: true,
        sent: MonoTime(1_000),
        echo: knows_time.then_some(Echo { sent: MonoTime(1), received: MonoTime(2) }),
        clock: knows_time.then_some((ClockMap { mono0: MonoTime(0), convoy0: ConvoyTime(5), rate: 1e-6 }, 10)),
        clock_through: Vec::new(),
        route: Route { source, path: vec![device], count: 7 },
        digest: 5,
        members: 1,
        wanted: true,
    };
    serde_json::from_str(&encode_beat(&beat).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_keeps_no_beat_and_no_member_that_cannot_be() {
    let server = Server::start(&[]);
    let mut browser = Browser::start().await;
    browser.open("page", &server.url()).await;
    let good: Vec<Value> = [(true, true), (true, false), (false, true), (false, false)].map(|(s, t)| beat(s, t)).into();
    let mut bad = vec![json!([]), json!({}), json!({ "type": "beat" })];
    for (field, value) in [
        ("path", json!(null)),
        ("path", json!([])),
        ("path", json!(["van", 5])),
        ("path", json!(vec!["van"; 1_000])),
        ("source", json!(null)),
        ("source", json!({})),
        ("source", json!({ "member": null })),
        ("source", json!({ "member": "van" })),
        ("source", json!({ "member": [3, true, true, true, true] })),
        ("source", json!({ "server": "9" })),
        ("sent", json!("now")),
        ("count", json!(null)),
        ("echo", json!({})),
        ("echo", json!([1])),
        ("clock", json!([1, "2", 3])),
    ] {
        let mut spoiled = beat(false, true);
        spoiled[field] = value;
        bad.push(spoiled);
    }
    let script = "async (beats) => { const { isBeat } = await import('/frames.js'); return beats.map(isBeat); }";
    assert_eq!(browser.run("page", script, json!(good)).await, json!(vec![true; good.len()]));
    assert_eq!(browser.run("page", script, json!(bad)).await, json!(vec![false; bad.len()]));

    let ann = json!({ "device": "van", "user": "ann", "name": "Ann", "online": true, "kind": "car" });
    let told = json!([
        null,
        {},
        { "members": null },
        { "members": { "length": 5 } },
        { "members": [null, 5, "van", [], { "device": "van" }, { "device": 1, "user": "x", "name": "x" }, ann] },
        { "members": vec![ann.clone(); 1_000] },
    ]);
    let script = "async (told) => { const { membersOf } = await import('/frames.js'); return told.map(membersOf); }";
    let read = browser.run("page", script, told).await;
    let counts: Vec<usize> = read.as_array().unwrap().iter().map(|list| list.as_array().unwrap().len()).collect();
    assert_eq!((counts, &read[4][0]), (vec![0, 0, 0, 0, 1, 128], &ann));
}
