//! Today's phones beside cars, with the events of the production backend.

use crate::cars::{add, change, convoy_time, join, play};
use crate::jamz_server::Server;
use crate::node_peers::Peers;
use serde_json::{Value, json};
use std::time::Duration;

fn phone(server: &Server, peers: &mut Peers, user: &str) -> String {
    let id = peers.open_as_browser(user, &server.url(), server.token(user, "c"));
    peers.tell(user, "join-music-session", json!({ "sessionId": "c", "groupId": "g", "userId": user }));
    peers.next(user, "music-session-state");
    id
}

fn car(server: &Server, peers: &mut Peers) {
    peers.open("car", &server.url(), server.token("driver", "c"));
    peers.ask("car", "jamz-join", join("c", "car", "driver"));
}

fn tracks(names: &[&str]) -> Value {
    let track = |name: &&str| {
        json!({ "id": name, "title": format!("Title {name}"), "duration": 180,
        "fileUrl": format!("https://x/{name}.mp3"), "albumArt": "art" })
    };
    names.iter().map(track).collect()
}

fn ids(playlist: &Value) -> Vec<String> {
    playlist.as_array().unwrap().iter().map(|track| track["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_a_phone_does_reaches_the_car_and_the_other_phone() {
    let server = Server::start(&[]);
    let mut peers = Peers::start();
    car(&server, &mut peers);
    let ann = phone(&server, &mut peers, "ann");
    phone(&server, &mut peers, "bob");
    peers.tell("ann", "playlist-update", json!({ "sessionId": "c", "playlist": tracks(&["t1", "t2", "t3"]) }));
    let update = peers.next_where("bob", "playlist-update", |u| ids(&u["playlist"]).len() == 3);
    assert_eq!((&update["playlist"][0]["albumArt"], &update["from"]), (&json!("art"), &json!(ann)));
    assert_eq!(peers.next("car", "jamz-change")["action"]["track"]["url"], "https://x/t1.mp3");
    peers.tell("ann", "music-take-control", json!({ "sessionId": "c", "userId": "ann" }));
    for peer in ["ann", "bob"] {
        let changed = peers.next_where(peer, "music-controller-changed", |c| !c["controllerId"].is_null());
        assert_eq!((&changed["controllerId"], &changed["userId"]), (&json!(ann), &json!("ann")));
    }
    peers.next_where("car", "jamz-change", |c| c["action"]["type"] == "take-control");
    peers.tell(
        "ann",
        "music-control",
        json!({ "sessionId": "c", "action": "play", "position": 0,
        "track": tracks(&["t1"])[0], "trackId": "t1", "isPlaying": true }),
    );
    let played = peers.next_where("car", "jamz-change", |c| c["action"]["type"] == "play");
    let anchor = &played["action"]["anchor"];
    assert!(anchor["at"].as_i64().unwrap() > convoy_time(&mut peers, "car") - 5_000_000);
    assert_eq!((&anchor["track"], &anchor["playing"]), (&json!("t1"), &json!(true)));
    let told = peers.next("bob", "music-track-change");
    assert_eq!((&told["track"]["id"], &told["autoPlay"], &told["from"]), (&json!("t1"), &json!(true), &json!(ann)));
    peers.tell("ann", "music-control", json!({ "sessionId": "c", "action": "next" }));
    assert_eq!(peers.next("bob", "music-track-change")["track"]["id"], "t2");
    peers.tell("ann", "music-control", json!({ "sessionId": "c", "action": "pause", "position": 33.5 }));
    let paused = peers.next("bob", "music-pause");
    assert_eq!((paused["position"].as_f64(), &paused["isPlaying"]), (Some(33.5), &json!(false)));
    peers.tell("ann", "music-release-control", json!({ "sessionId": "c" }));
    peers.next_where("bob", "music-controller-changed", |c| c["controllerId"].is_null());
    assert!(peers.silent("ann", &["music-track-change", "music-pause", "music-play"], Duration::from_millis(100)));
}

#[test]
fn what_a_car_does_reaches_phones_in_their_words() {
    let server = Server::start(&[]);
    let mut peers = Peers::start();
    car(&server, &mut peers);
    phone(&server, &mut peers, "ann");
    let now = convoy_time(&mut peers, "car");
    peers.ask("car", "jamz-change", add("car", 1, now, "From the car"));
    let update = peers.next_where("ann", "playlist-update", |u| ids(&u["playlist"]).len() == 1);
    let track = &update["playlist"][0];
    assert_eq!((&track["title"], track["duration"].as_f64()), (&json!("From the car"), Some(200.0)));
    let at = convoy_time(&mut peers, "car") + 200_000;
    peers.ask("car", "jamz-change", play("car", 2, at, "car:1", "track-1"));
    let leader = peers.next_where("ann", "music-controller-changed", |c| !c["controllerId"].is_null());
    assert_eq!((&leader["controllerId"], &leader["userId"]), (&json!("car"), &json!("driver")));
    let told = peers.next("ann", "music-track-change");
    assert_eq!((&told["autoPlay"], &told["from"]), (&json!(true), &json!("car")));
    assert!((told["position"].as_f64().unwrap() - 5.0).abs() < 1.0, "{told}");
    let sync = peers.next("ann", "music-position-sync");
    assert!((sync["position"].as_f64().unwrap() - 10.0).abs() < 2.0, "{sync}");
    assert_eq!(sync["trackId"], "track-1");
    // A phone that does not lead is put right.
    peers.forget("ann");
    peers.tell("ann", "music-control", json!({ "sessionId": "c", "action": "pause", "position": 1 }));
    assert_eq!(peers.next("ann", "music-session-state")["is_playing"], true);
}

#[test]
fn two_whole_lists_at_once_lose_nothing() {
    let server = Server::start(&[]);
    let mut peers = Peers::start();
    phone(&server, &mut peers, "ann");
    phone(&server, &mut peers, "bob");
    peers.tell("ann", "playlist-update", json!({ "sessionId": "c", "playlist": tracks(&["a1", "a2"]) }));
    peers.tell("bob", "playlist-update", json!({ "sessionId": "c", "playlist": tracks(&["b1"]) }));
    for peer in ["ann", "bob"] {
        peers.next_where(peer, "playlist-update", |u| {
            let mut ids = ids(&u["playlist"]);
            ids.sort();
            ids == ["a1", "a2", "b1"]
        });
    }
}

#[test]
fn a_phone_that_joins_late_or_again_hears_how_it_stands() {
    let server = Server::start(&[]);
    let mut peers = Peers::start();
    phone(&server, &mut peers, "ann");
    peers.tell("ann", "playlist-update", json!({ "sessionId": "c", "playlist": tracks(&["t1", "t2"]) }));
    peers.tell("ann", "music-take-control", json!({ "sessionId": "c", "userId": "ann" }));
    peers.tell(
        "ann",
        "music-track-change",
        json!({ "sessionId": "c", "track": tracks(&["t2"])[0], "autoPlay": true, "position": 12 }),
    );
    peers.next_where("ann", "music-controller-changed", |c| !c["controllerId"].is_null());
    std::thread::sleep(Duration::from_secs(1));
    peers.open("bob", &server.url(), server.token("bob", "c"));
    peers.tell("bob", "join-music-session", json!({ "sessionId": "c", "userId": "bob" }));
    let state = peers.next("bob", "music-session-state");
    assert_eq!((&state["currently_playing"]["id"], &state["is_playing"]), (&json!("t2"), &json!(true)));
    assert!(state["position"].as_f64().unwrap() > 12.5, "{state}");
    assert_eq!(ids(&peers.next("bob", "playlist-update")["playlist"]), ["t1", "t2"]);
    assert_eq!(peers.next("bob", "music-change-track")["autoPlay"], false);
    let bob_joined = peers.next_where("ann", "user-joined-music", |u| u["userId"] == "bob");
    assert_eq!(bob_joined["sessionId"], "c");
    peers.close("ann");
    let again = peers.open("ann", &server.url(), server.token("ann", "c"));
    peers.tell("ann", "join-music-session", json!({ "sessionId": "c", "userId": "ann" }));
    assert_eq!(peers.next("ann", "music-session-state")["controller_id"], json!(again));
}

#[test]
fn calls_and_places_are_passed_on_in_their_rooms_only() {
    let server = Server::start(&["--phones-without-token"]);
    let mut peers = Peers::start();
    let mut socket = std::collections::BTreeMap::new();
    for (user, session) in [("ann", "s"), ("bob", "s"), ("eve", "other")] {
        socket.insert(user, peers.open(user, &server.url(), json!({})));
        peers.tell(
            user,
            "join-audio-session",
            json!({ "sessionId": session, "userId": user, "display_name": format!("Dr {user}") }),
        );
        peers.next(user, "current-participants");
        peers.tell(user, "join-group", json!(if user == "eve" { "away" } else { "here" }));
    }
    assert_eq!(peers.next("ann", "participant-joined")["display_name"], "Dr bob");
    for event in ["webrtc-offer", "webrtc-answer", "webrtc-candidate", "webrtc-ready"] {
        peers.tell("ann", event, json!({ "sessionId": "s", "offer": { "sdp": "x" }, "userId": "ann" }));
        let heard = peers.next("bob", event);
        assert_eq!((&heard["from"], &heard["offer"]["sdp"]), (&json!(socket["ann"]), &json!("x")));
    }
    peers.tell("bob", "location-update", json!({ "groupId": "here", "userId": "bob", "location": { "lat": 1 } }));
    assert_eq!(peers.next("ann", "member-location")["location"]["lat"], 1);
    peers.tell("eve", "webrtc-offer", json!({ "sessionId": "s", "offer": 1 }));
    peers.tell("eve", "location-update", json!({ "groupId": "here", "location": 1 }));
    assert!(peers.silent("ann", &["webrtc-offer", "member-location"], Duration::from_millis(200)));
    for n in 0..15 {
        peers.tell("ann", "music-sync", json!({ "sessionId": "s", "n": n }));
    }
    for n in 0..10 {
        assert_eq!(peers.next("bob", "music-sync")["n"], n);
    }
    assert!(peers.silent("bob", &["music-sync"], Duration::from_millis(300)));
    peers.flood("ann", "webrtc-candidate", json!({ "sessionId": "s" }), 80);
    let passed =
        (0..80).take_while(|_| !peers.silent("bob", &["webrtc-candidate"], Duration::from_millis(500))).count();
    assert!((46..=70).contains(&passed), "{passed}");
    peers.close("bob");
    assert_eq!(peers.next("ann", "participant-left")["socketId"], json!(socket["bob"]));
}

#[test]
fn ten_thousand_entries_pass_from_a_phone_to_cars_and_phones() {
    let server = Server::start(&[]);
    let mut peers = Peers::start();
    car(&server, &mut peers);
    phone(&server, &mut peers, "ann");
    phone(&server, &mut peers, "bob");
    let names: Vec<String> = (0..10_000).map(|n| format!("t{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    peers.tell("ann", "playlist-update", json!({ "sessionId": "c", "playlist": tracks(&names) }));
    let state = peers.next("car", "jamz-state");
    assert_eq!(state["snapshot"]["playlist"]["slots"].as_object().unwrap().len(), 10_000);
    let update = peers.next_where("bob", "playlist-update", |u| !ids(&u["playlist"]).is_empty());
    assert_eq!(ids(&update["playlist"]), names);
    let now = convoy_time(&mut peers, "car");
    let removed = change(
        "car",
        1,
        now,
        json!({ "type": "remove",
            "entry": state["snapshot"]["playlist"]["slots"].as_object().unwrap().keys().next().unwrap() }),
    );
    assert_eq!(peers.ask("car", "jamz-change", removed)["verdict"], "applied");
    peers.next_where("bob", "playlist-update", |u| ids(&u["playlist"]).len() == 9_999);
    peers.open("late", &server.url(), server.token("late", "c"));
    let joined = peers.ask("late", "jamz-join", join("c", "late", "late"));
    assert_eq!(joined["snapshot"]["playlist"]["slots"].as_object().unwrap().len(), 10_000);
}
