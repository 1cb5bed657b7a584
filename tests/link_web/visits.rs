//! A phone that is let in: what it is told, what the core is, and how it ends.

use crate::{PATIENCE, Van, Visit, browser, device_of, key, reason};
use jamz::core::mesh::{Attempt, LanEvent, Signal, SignalKind, SignedSignal};
use jamz::core::ticket::{Role, Ticket};
use jamz::wire::server::signal;
use serde_json::{Value, json};

fn signed(van: &Van, from: u8, to: u8) -> SignedSignal {
    let signal = Signal { attempt: Attempt(1), kind: SignalKind::Offer, body: "v=0".into() };
    key(from).sign_signal(device_of(to), signal, van.roadside.convoy.clone())
}

fn posted(visit: &Visit, signed: &SignedSignal) -> Value {
    json!({ "webrtc-signal": { "challenge": visit.challenge, "signal": signal::to_own(signed) } })
}

#[tokio::test]
async fn who_comes_by_a_link_is_given_a_ticket_and_signals_go_both_ways_until_he_is_gone() {
    let mut van = Van::start().await;
    let (mut visit, joined) = van.with_guest(2, Role::Listener).await;
    assert_eq!(visit.hello.as_object().unwrap().len(), 1, "who only knocks is told nothing: {}", visit.hello);
    assert_eq!((&joined["name"], &joined["car"]), (&json!("Ann's van"), &json!(device_of(1))));
    let ticket: Ticket = serde_json::from_value(joined["ticket"].clone()).unwrap();
    assert!(ticket.role == Role::Listener && ticket.guest && ticket.device == device_of(2));
    assert!(van.door.has(&device_of(2)) && !van.door.has(&device_of(3)));

    let to_phone = signed(&van, 1, 2);
    van.door.tell(&to_phone);
    let told = visit.told().await.unwrap();
    assert_eq!(told["webrtc-signal"], json!(signal::to_own(&to_phone)));
    let to_car = signed(&van, 2, 1);
    assert_eq!(visit.say(&posted(&visit, &to_car)).await.0, 204);
    assert_eq!(van.event().await, LanEvent::Signal(Box::new(to_car)));

    drop(visit);
    assert_eq!(van.event().await, LanEvent::Lost { device: device_of(2) });
    assert!(!van.door.has(&device_of(2)));
    let again = van.knock().await;
    let pass = ("ticket", json!(ticket));
    let answer = again.say(&van.asking(&again, 2, pass)).await;
    assert_eq!((answer.0, &answer.1["joined"]["ticket"]), (200, &json!(ticket)), "by its ticket, as often as it likes");
}

#[tokio::test]
async fn in_a_visit_that_one_speaks_who_came_in_it_and_for_himself() {
    let mut van = Van::start().await;
    let (visit, _) = van.with_guest(2, Role::Dj).await;
    let stranger = van.knock().await;
    let early = stranger.say(&posted(&stranger, &signed(&van, 3, 1))).await;
    assert!(early.0 == 403 && reason(&early).contains("nobody has come"), "{early:?}");
    let forged = visit.say(&posted(&visit, &signed(&van, 3, 1))).await;
    assert_eq!(forged.0, 403, "signed by another");
    let mut elsewhere = signed(&van, 2, 1);
    elsewhere.convoy = jamz::core::id::ConvoyId::new("jura").unwrap();
    assert_eq!(visit.say(&posted(&visit, &elsewhere)).await.0, 403);
    let good = signed(&van, 2, 1);
    assert_eq!(visit.say(&posted(&visit, &good)).await.0, 204);
    assert_eq!(van.event().await, LanEvent::Signal(Box::new(good)), "and none of those before it");
}

#[tokio::test]
async fn a_page_that_is_opened_twice_is_here_once() {
    let mut van = Van::start().await;
    let (mut first, joined) = van.with_guest(2, Role::Dj).await;
    let ticket = &joined["ticket"];
    let second = van.knock().await;
    assert_eq!(second.say(&van.asking(&second, 2, ("ticket", ticket.clone()))).await.0, 200);
    assert_eq!(van.event().await, LanEvent::Guest { device: device_of(2) });
    let told = first.told().await.unwrap();
    assert!(told["refused"]["reason"].as_str().unwrap().contains("newer connection"), "{told}");
    assert_eq!(first.told().await, None);
    let twice = second.say(&van.asking(&second, 2, ("ticket", ticket.clone()))).await;
    assert!(twice.0 == 403 && reason(&twice).contains("came in it already"), "{twice:?}");
    drop(second);
    assert_eq!(van.event().await, LanEvent::Lost { device: device_of(2) }, "told once, when the last is gone");
}

#[tokio::test]
async fn a_phone_that_takes_nothing_in_begins_anew() {
    let mut van = Van::start().await;
    let (visit, _) = van.with_guest(2, Role::Dj).await;
    let signal = signed(&van, 1, 2);
    let flooded = async {
        loop {
            van.door.tell(&signal);
            tokio::task::yield_now().await;
            if !van.door.has(&device_of(2)) {
                break;
            }
        }
    };
    tokio::time::timeout(2 * PATIENCE, flooded).await.expect("it is given up");
    drop(visit);
    assert_eq!(van.event().await, LanEvent::Lost { device: device_of(2) });
}

#[tokio::test]
async fn a_day_after_it_was_given_a_link_lets_nobody_in() {
    let mut van = Van::start().await;
    let token = van.token(Role::Dj).await;
    van.clock.0.store(86_400_000_000, std::sync::atomic::Ordering::Relaxed);
    let visit = Visit::begin(browser(1), van.url("/door")).await;
    let late = visit.say(&van.asking(&visit, 2, ("token", json!(token)))).await;
    assert!(late.0 == 403 && reason(&late).contains("expired"), "{late:?}");
}
