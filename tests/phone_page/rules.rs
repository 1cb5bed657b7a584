//! The page follows the same rules as cars and server, to the last bit: it is given what they are given.

use crate::browser::Browser;
use crate::jamz_server::Server;
use jamz::core::changes::{Change, Verdict};
use jamz::core::clock::ConvoyTime;
use jamz::core::convoy::Snapshot;
use jamz::core::order::OrderKey;
use serde_json::{Value, json};

/// Numbers from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

const LENGTH_US: u64 = 20_000_000;
const TIMES_US: [i64; 5] = [0, 15_000_000, 40_000_000, 90_000_000, 900_000_000];

/// Something that one of three devices did, late or early, with one of a few songs.
fn change(dice: &mut Dice, sequences: &mut [u64; 3]) -> Value {
    let author = dice.below(3) as usize;
    sequences[author] += 1;
    let entry = format!("e{}", dice.below(6));
    let order = json!([dice.below(4), [dice.below(255) + 1]]);
    let anchor = |dice: &mut Dice, entry: &str| {
        json!({ "entry": entry, "track": format!("track of {entry}"), "position_us": dice.below(LENGTH_US),
            "at": dice.below(60_000_000), "playing": dice.below(4) > 0 })
    };
    let action = match dice.below(10) {
        0..=2 => json!({ "type": "add", "entry": entry, "order": order,
            "track": { "id": format!("track of {entry}"), "title": "", "artist": "", "album": "",
                "duration_us": LENGTH_US } }),
        3 => json!({ "type": "move", "entry": entry, "order": order }),
        4 => json!({ "type": "remove", "entry": entry }),
        5 => json!({ "type": "take-control" }),
        6 => json!({ "type": "release-control" }),
        kind => {
            let kind = ["play", "pause", "change-track"][kind as usize - 7];
            json!({ "type": kind, "anchor": anchor(dice, &entry) })
        }
    };
    json!({ "id": { "device": format!("device-{author}"), "sequence": sequences[author] },
        "hlc": { "time_us": dice.below(50_000_000), "count": dice.below(2) }, "term": dice.below(2),
        "user": "ann", "action": action })
}

fn state(snapshot: &Snapshot, verdict: &Verdict) -> Value {
    let plays = TIMES_US.map(|us| {
        let (time, mut later) = (ConvoyTime(us), snapshot.clone());
        later.advance(time);
        let stamped = later.timeline.at(time);
        stamped.map_or_else(
            || json!([null, 0, false]),
            |current| json!([current.anchor.entry, current.anchor.position_us(time), current.anchor.playing]),
        )
    });
    let entries: Vec<_> = snapshot.playlist.ids().collect();
    json!({ "counts": *verdict == Verdict::Applied, "controller": snapshot.controller, "entries": entries,
        "plays": plays })
}

const FOLLOW: &str = "async ({ drives, times }) => {
    const { Convoy } = await import('/convoy.js');
    return drives.map(({ snapshot, changes }) => {
        const convoy = new Convoy(snapshot);
        return changes.map((change) => ({
            counts: convoy.apply(change),
            controller: convoy.controller ?? null,
            entries: convoy.entries.map((entry) => entry.id),
            plays: times.map((time) => {
                const { entry, position_us: position, playing } = convoy.at(time);
                return [entry, position, playing];
            }),
        }));
    });
}";

#[tokio::test(flavor = "multi_thread")]
async fn the_page_makes_of_changes_what_the_core_makes_of_them() {
    let server = Server::start(&[]);
    let mut browser = Browser::start().await;
    browser.open("page", &server.url()).await;
    let (mut drives, mut wanted) = (Vec::new(), Vec::new());
    for seed in 0..60 {
        let (mut dice, mut sequences, mut snapshot) = (Dice(seed), [0; 3], Snapshot::default());
        let begun = snapshot.clone();
        let changes: Vec<Value> = (0..40).map(|_| change(&mut dice, &mut sequences)).collect();
        let states = changes.iter().map(|change| {
            let verdict = snapshot.apply(&serde_json::from_value::<Change>(change.clone()).unwrap());
            state(&snapshot, &verdict)
        });
        wanted.push(states.collect::<Vec<_>>());
        drives.push(json!({ "snapshot": begun, "changes": changes }));
    }
    let given = json!({ "drives": drives, "times": TIMES_US });
    let made = browser.run("page", FOLLOW, given).await;
    let mut counted = 0;
    for (seed, states) in wanted.iter().enumerate() {
        for (n, state) in states.iter().enumerate() {
            let changes = &drives[seed]["changes"].as_array().unwrap()[..=n];
            assert_eq!(made[seed][n], *state, "seed {seed}, change {n} of {changes:#?}");
            counted += usize::from(state["counts"] == true && !state["plays"][2][0].is_null());
        }
    }
    assert!(counted > 200, "only {counted} changes did anything while something played");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_writes_places_and_signed_bytes_as_the_core_does() {
    let server = Server::start(&[]);
    let mut browser = Browser::start().await;
    browser.open("page", &server.url()).await;
    let (mut dice, mut keys, mut pairs, mut wanted) = (Dice(7), Vec::<OrderKey>::new(), Vec::new(), Vec::new());
    for _ in 0..300 {
        let place = dice.below(keys.len() as u64 + 1) as usize;
        let (before, after) = (place.checked_sub(1).and_then(|i| keys.get(i)), keys.get(place));
        let made = OrderKey::between(before, after);
        pairs.push(json!([before, after]));
        wanted.push(json!(made));
        keys.insert(place, made);
    }
    let script = "async (pairs) => {
        const { orderBetween } = await import('/convoy.js');
        return pairs.map(([before, after]) => orderBetween(before, after));
    }";
    assert_eq!(browser.run("page", script, json!(pairs)).await, json!(wanted));

    let things = [
        json!({ "z": 1, "a": [true, null, -5, 9_007_199_254_740_991_i64], "é": { "b": "", "B": [] } }),
        json!({ "text": "Küste 道路 🚗 \u{1f} \" \\ / \u{7f} \u{2028}", "🚗": 0, "道": 0.5, "\u{fb33}": 1 }),
    ];
    let script = "async (things) => {
        const { canonical } = await import('/keys.js');
        return things.map(canonical);
    }";
    let wanted =
        things.iter().map(|thing| String::from_utf8(serde_json_canonicalizer::to_vec(thing).unwrap()).unwrap());
    let wanted: Vec<String> = wanted.collect();
    assert_eq!(browser.run("page", script, json!(things)).await, json!(wanted));
}
