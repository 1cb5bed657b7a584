//! The rules by which cars that did things apart come to agree, as a table: what each did before it heard of the other,
//! and what counts in every car when all is heard, in whatever order that is.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use jamz::core::changes::{Action, Change, ChangeId, Hlc, Verdict};
use jamz::core::clock::ConvoyTime;
use jamz::core::convoy::Snapshot;
use jamz::core::election::Term;
use jamz::core::id::{DeviceId, EntryId, TrackId};
use jamz::core::order::OrderKey;
use jamz::core::playlist::Track;
use jamz::core::timeline::Anchor;

/// Ann leads, and her car plays x, at the start. A deed is `TIME[tTERM] VERB [WHAT] [WHERE]`, times in seconds.
struct Rule {
    says: &'static str,
    playlist: &'static str,
    ann: &'static str,
    ben: &'static str,
    /// The playlist, who leads, and where in the track the music is, as it was last set.
    after: (&'static str, &'static str, i64),
}

const RULES: &[Rule] = &[
    Rule {
        says: "what both add is kept, in the order in which each put it",
        playlist: "x y",
        ann: "1 add p after-x; 2 add q after-p",
        ben: "1 add r last; 3 add s last",
        after: ("x p q y r s", "ann", 0),
    },
    Rule {
        says: "what both put at the same place is kept, too, the elder car's first",
        playlist: "x y",
        ann: "5 add p after-x",
        ben: "1 add r after-x",
        after: ("x p r y", "ann", 0),
    },
    Rule {
        says: "of two moves of one entry the later counts",
        playlist: "x y z",
        ann: "1 move x last",
        ben: "2 move x after-y; 1 move z first",
        after: ("z y x", "ann", 0),
    },
    Rule {
        says: "of two moves at the same instant that of the greater id counts, in every car",
        playlist: "x y z",
        ann: "2 move z first",
        ben: "2 move z after-x",
        after: ("x z y", "ann", 0),
    },
    Rule {
        says: "a removal beats a move, also a later one",
        playlist: "x y z",
        ann: "1 remove y",
        ben: "9 move y last",
        after: ("x z", "ann", 0),
    },
    Rule {
        says: "a removal does not beat an addition of the same track that it had not heard of",
        playlist: "x y z",
        ann: "9 remove y",
        ben: "1 add y last",
        after: ("x z y", "ann", 0),
    },
    Rule {
        says: "what both remove is gone once",
        playlist: "x y z",
        ann: "1 remove y",
        ben: "2 remove y; 3 remove z",
        after: ("x", "ann", 0),
    },
    Rule {
        says: "what is put after an entry that another removes keeps its place",
        playlist: "x y z",
        ann: "1 remove y",
        ben: "2 add p after-y",
        after: ("x p z", "ann", 0),
    },
    Rule {
        says: "what a listener adds counts as the DJ's does",
        playlist: "x",
        ann: "1 seek 30",
        ben: "1 add p last; 2 remove x",
        after: ("p", "ann", 30),
    },
    Rule {
        says: "of the DJ's controls the later counts",
        playlist: "x",
        ann: "1 seek 30; 2 pause 31; 4 play 31",
        ben: "",
        after: ("x", "ann", 31),
    },
    Rule {
        says: "what someone else does to the playback counts for nobody, however late",
        playlist: "x",
        ann: "1 seek 30",
        ben: "9 seek 70; 10 pause 71",
        after: ("x", "ann", 30),
    },
    Rule {
        says: "who takes control has it, and what he does then counts",
        playlist: "x",
        ann: "1 seek 30",
        ben: "2 take; 3 seek 70",
        after: ("x", "ben", 70),
    },
    Rule {
        says: "what the DJ did before control was taken counts, also where that is heard of later",
        playlist: "x",
        ann: "1 seek 30; 5 seek 50",
        ben: "7 take",
        after: ("x", "ben", 50),
    },
    Rule {
        says: "what the DJ did after control was taken counts no more, though he did not know",
        playlist: "x",
        ann: "1 seek 30; 9 seek 50",
        ben: "7 take",
        after: ("x", "ben", 30),
    },
    Rule {
        says: "of two who take control the later has it",
        playlist: "x",
        ann: "8 take; 9 seek 50",
        ben: "7 take; 10 seek 70",
        after: ("x", "ann", 50),
    },
    Rule {
        says: "a later term beats a later time",
        playlist: "x",
        ann: "9t1 seek 30",
        ben: "2t2 take; 3t2 seek 70",
        after: ("x", "ben", 70),
    },
    Rule {
        says: "a clock ten years ahead changes no outcome but its own",
        playlist: "x y",
        ann: "1 seek 30; 2 add p last",
        ben: "315360000 add q last; 315360001 seek 70",
        after: ("x y p q", "ann", 30),
    },
];

/// At the start Ann's car has led for long.
const STARTED_S: i64 = -100;

#[test]
fn cars_that_did_things_apart_agree_by_the_rules_in_whatever_order_they_hear_of_them() {
    let mut orders = 0;
    for rule in RULES {
        let start = start(rule.playlist);
        let ann = deeds(rule.ann, "ann", 100, &start);
        let ben = deeds(rule.ben, "ben", 0, &start);
        for order in interleaved(&ann, &ben) {
            for doubled in [false, true] {
                let convoy = told(&start, &order, doubled);
                let (playlist, leader, position_s) = outcome(&convoy);
                let after = (playlist.as_str(), leader.as_str(), position_s);
                assert_eq!(after, rule.after, "{}, heard as {order:#?}", rule.says);
                orders += 1;
            }
        }
    }
    assert!(orders > 100, "{orders}");
}

/// The state after all changes of `order`, each told twice if `doubled`; those that do not count yet are told again at
/// the end, as vectors of versions have it.
fn told(start: &Snapshot, order: &[Change], doubled: bool) -> Snapshot {
    let mut convoy = start.clone();
    for change in order {
        let first = convoy.apply(change);
        if doubled && first == Verdict::Applied {
            assert_eq!(convoy.apply(change), Verdict::Duplicate);
        }
    }
    for change in order {
        let _ = convoy.apply(change);
    }
    convoy
}

fn outcome(convoy: &Snapshot) -> (String, String, i64) {
    let titles: Vec<&str> = convoy.playlist.entries().map(|(_, track)| track.title.as_str()).collect();
    let leader = convoy.controller.as_ref().map_or("nobody", DeviceId::as_str);
    let anchor = &convoy.timeline.last().unwrap().anchor;
    (titles.join(" "), leader.to_owned(), anchor.position_us / 1_000_000)
}

fn start(playlist: &str) -> Snapshot {
    let mut convoy = Snapshot::default();
    let adds: Vec<String> = playlist.split(' ').map(|name| format!("{STARTED_S} add {name} last")).collect();
    let text = format!("{STARTED_S} take; {}; {STARTED_S} play 0", adds.join("; "));
    for change in deeds(&text, "ann", 0, &convoy.clone()) {
        assert_eq!(convoy.apply(&change), Verdict::Applied, "{change:?}");
    }
    convoy
}

/// What `author` did, each on top of the one before; `first` numbers were used before.
fn deeds(text: &str, author: &str, first: u64, start: &Snapshot) -> Vec<Change> {
    let mut own = start.clone();
    let mut changes = Vec::new();
    for (number, deed) in text.split(';').map(str::trim).filter(|deed| !deed.is_empty()).enumerate() {
        let words: Vec<&str> = deed.split(' ').collect();
        let (time, term) = words[0].split_once('t').unwrap_or((words[0], "1"));
        let time_us = time.parse::<i64>().unwrap() * 1_000_000;
        let change = Change {
            id: ChangeId { device: DeviceId::new(author).unwrap(), sequence: first + number as u64 + 1 },
            hlc: Hlc { time_us, count: u32::try_from(number).unwrap() },
            term: Term(term.parse().unwrap()),
            user: None,
            action: action(&own, author, time_us, &words[1..]),
            signature: None,
        };
        let _ = own.apply_alone(&change);
        changes.push(change);
    }
    changes
}

fn action(own: &Snapshot, author: &str, time_us: i64, words: &[&str]) -> Action {
    let entry_of = |title: &str| {
        let mut entries = own.playlist.entries();
        entries.find(|(_, track)| track.title == title).map(|(id, _)| id.clone()).unwrap()
    };
    let anchor = |seconds: &str, playing| Anchor {
        entry: own.playlist.nth(0).cloned(),
        track: TrackId::new("x").ok(),
        position_us: seconds.parse::<i64>().unwrap() * 1_000_000,
        at: ConvoyTime(time_us),
        playing,
    };
    let order = |place: &str| place_of(own, place);
    match words {
        ["add", title, place] => {
            let (entry, track) = (EntryId::new(format!("{title}-{author}")).unwrap(), track(title));
            Action::Add { entry, track, order: order(place) }
        }
        ["move", title, place] => Action::Move { entry: entry_of(title), order: order(place) },
        ["remove", title] => Action::Remove { entry: entry_of(title) },
        ["take"] => Action::TakeControl,
        ["play", seconds] => Action::Play { anchor: anchor(seconds, true) },
        ["seek", seconds] => Action::Seek { anchor: anchor(seconds, true) },
        ["pause", seconds] => Action::Pause { anchor: anchor(seconds, false) },
        other => panic!("no such deed: {other:?}"),
    }
}

/// Where `first`, `last` and `after-TITLE` are in a car's own list.
fn place_of(own: &Snapshot, place: &str) -> OrderKey {
    let keys: Vec<(&str, &OrderKey)> =
        own.playlist.entries().map(|(id, track)| (track.title.as_str(), own.playlist.order_of(id).unwrap())).collect();
    let index = match place {
        "first" => 0,
        "last" => keys.len(),
        after => keys.iter().position(|(title, _)| after == format!("after-{title}")).unwrap() + 1,
    };
    let key = |index: Option<usize>| index.and_then(|index| keys.get(index)).map(|(_, key)| *key);
    OrderKey::between(key(index.checked_sub(1)), key(Some(index)))
}

fn track(title: &str) -> Track {
    Track {
        id: TrackId::new(title).unwrap(),
        title: title.into(),
        artist: String::new(),
        album: String::new(),
        duration_us: Some(600_000_000),
        url: None,
        extra: serde_json::Map::new(),
    }
}

/// Every order in which the changes of two authors can be heard, each author's own kept.
fn interleaved(a: &[Change], b: &[Change]) -> Vec<Vec<Change>> {
    let (Some((first_a, rest_a)), Some((first_b, rest_b))) = (a.split_first(), b.split_first()) else {
        return vec![[a, b].concat()];
    };
    let begun = |first: &Change, rest: Vec<Vec<Change>>| {
        rest.into_iter().map(|order| [vec![first.clone()], order].concat()).collect::<Vec<_>>()
    };
    [begun(first_a, interleaved(rest_a, b)), begun(first_b, interleaved(a, rest_b))].concat()
}
