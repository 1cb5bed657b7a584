//! The API on a real bus, through its own client: every verb, every kind of failure, and a bus that goes away.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/bus.rs"]
mod bus;
#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/fake_car.rs"]
mod fake_car;

use bus::Bus;
use fake_car::FakeCar;
use jamz::api::client::{Client, ClientError, Event};
use jamz::api::{ApiError, Config, Ports, serve};
use jamz::core::id::{ConvoyId, TrackId};
use jamz::core::io::Notice;
use jamz::core::request::{Addition, Command, LibraryProblem, Reach, Refusal};
use jamz::host::MonotonicClock;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, watch};

async fn car_and_client() -> (Bus, FakeCar, Client) {
    let bus = Bus::start();
    let car = FakeCar::start(&bus.address()).await;
    let client = Client::connect(&bus.address()).await.unwrap();
    (bus, car, client)
}

async fn within<T>(seconds: u64, what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(seconds), future).await.unwrap_or_else(|_| panic!("{what} took too long"))
}

#[tokio::test]
async fn every_verb_reaches_the_core_once_and_unchanged() {
    let (_bus, car, client) = car_and_client().await;
    car.fill(&["a", "b"]);
    let entry = client.queue().await.unwrap().entries[1].id.clone();
    let url = Addition::Url("https://example.org/ж.mp3".into());
    let library = Addition::Library(TrackId::new("ab").unwrap());
    client.play(None).await.unwrap();
    client.play(Some(&entry)).await.unwrap();
    client.pause().await.unwrap();
    client.toggle().await.unwrap();
    client.seek(83_500_000).await.unwrap();
    client.seek_by(-10_000_000).await.unwrap();
    client.next().await.unwrap();
    client.previous().await.unwrap();
    client.set_volume(0.25).await.unwrap();
    client.duck(true).await.unwrap();
    client.queue_add(&[url.clone(), library.clone()], Some(1)).await.unwrap();
    client.queue_move(&entry, 0).await.unwrap();
    client.queue_remove(&entry).await.unwrap();
    client.queue_clear().await.unwrap();
    client.join(&ConvoyId::new("Конвой").unwrap()).await.unwrap();
    client.take().await.unwrap();
    client.release().await.unwrap();
    client.leave().await.unwrap();
    let wanted = vec![
        Command::Play { entry: None },
        Command::Play { entry: Some(entry.clone()) },
        Command::Pause,
        Command::Toggle,
        Command::Seek { position_us: 83_500_000 },
        Command::SeekBy { offset_us: -10_000_000 },
        Command::Next,
        Command::Previous,
        Command::Volume { level: 0.25 },
        Command::Duck { on: true },
        Command::QueueAdd { tracks: vec![url, library], index: Some(1) },
        Command::QueueMove { entry: entry.clone(), index: 0 },
        Command::QueueRemove { entry },
        Command::QueueClear,
        Command::Join { convoy: ConvoyId::new("Конвой").unwrap() },
        Command::Take,
        Command::Release,
        Command::Leave,
    ];
    assert_eq!(car.commands(), wanted);
}

#[tokio::test]
async fn a_change_that_is_only_local_says_so_and_names_its_id() {
    let (_bus, car, client) = car_and_client().await;
    let done = client.take().await.unwrap();
    assert_eq!((done.reach, done.changes.len()), (Reach::Convoy, 1));
    car.inside.lock().unwrap().reach = Reach::Local;
    let done = client.take().await.unwrap();
    assert_eq!((done.reach, done.changes[0].to_string()), (Reach::Local, "car-1:2".into()));
}

#[tokio::test]
async fn each_refusal_arrives_as_what_it_was() {
    let (_bus, car, client) = car_and_client().await;
    for (refusal, wanted) in [
        (Refusal::Denied("car-2 is the DJ".into()), ClientError::Denied("car-2 is the DJ".into())),
        (Refusal::Invalid("beyond the end".into()), ClientError::Invalid("beyond the end".into())),
        (Refusal::Failed("the disk is full".into()), ClientError::Failed("the disk is full".into())),
    ] {
        car.inside.lock().unwrap().refusal = Some(refusal);
        assert_eq!(client.pause().await, Err(wanted));
    }
}

#[tokio::test]
async fn the_status_arrives_whole_and_its_position_runs_on() {
    let (_bus, car, client) = car_and_client().await;
    car.fill(&["Für Elise"]);
    client.play(None).await.unwrap();
    let first = client.status().await.unwrap();
    assert_eq!(first.name, "Bus 🚌");
    assert_eq!(first.members.len(), 3);
    assert_eq!(first.now_playing.track.as_ref().unwrap().title, "Für Elise");
    tokio::time::sleep(Duration::from_millis(50)).await;
    let second = client.status().await.unwrap();
    let ran_us = second.now_playing.position_us - first.now_playing.position_us;
    assert!(ran_us >= 50_000, "the position ran only {ran_us} us");
    assert_eq!(ran_us, second.taken_us - first.taken_us);
}

#[tokio::test]
async fn a_playlist_of_ten_thousand_entries_is_read_whole_and_in_order() {
    let (_bus, car, client) = car_and_client().await;
    let titles: Vec<String> = (0..10_000).map(|n| format!("{n} {}", "é".repeat(400))).collect();
    car.fill(&titles.iter().map(String::as_str).collect::<Vec<_>>());
    let queue = within(60, "reading the list", client.queue()).await.unwrap();
    assert_eq!(queue.entries.len(), 10_000);
    assert!(queue.entries.iter().zip(&titles).all(|(entry, title)| entry.track.title == *title));
}

#[tokio::test]
async fn lists_arrive_with_all_their_fields() {
    let (_bus, car, client) = car_and_client().await;
    let found = client.library_search("für", 10).await.unwrap();
    assert_eq!(found, vec![fake_car::library_track("aabbccee", "Für Elise")]);
    let problems: Vec<LibraryProblem> =
        (0..1_234).map(|n| LibraryProblem { path: format!("/m/{n}"), problem: "no sound in it".into() }).collect();
    car.inside.lock().unwrap().problems.clone_from(&problems);
    assert_eq!(client.library_problems().await.unwrap(), problems);
    client.library_scan().await.unwrap();
    assert!(client.outputs().await.unwrap()[0].active);
    let history = client.history(2).await.unwrap();
    assert_eq!((history.len(), history[0].state.as_str()), (2, "superseded"));
    assert_eq!(client.pending(2).await.unwrap()[1].state, "pending");
    assert_eq!(client.config().await.unwrap()["audio"]["output"], "virtual");
}

#[tokio::test]
async fn subscribers_hear_changes_jumps_and_notices() {
    let (_bus, car, client) = car_and_client().await;
    let mut events = client.subscribe().await.unwrap();
    car.change(|inside| inside.status.ducked = true);
    assert_eq!(within(10, "a change", events.next()).await, Some(Event::Changed));
    car.notices.send(Notice::Seeked { position_us: 7 }).unwrap();
    assert_eq!(within(10, "a jump", events.next()).await, Some(Event::Seeked { position_us: 7 }));
    let notice = Notice::TrackSkipped { track: "Ode".into(), problem: "gone".into() };
    car.notices.send(notice).unwrap();
    let details = [("problem".to_owned(), "gone".to_owned()), ("track".to_owned(), "Ode".to_owned())].into();
    let wanted = Event::Notice { kind: "track-skipped".into(), details };
    assert_eq!(within(10, "a notice", events.next()).await, Some(wanted));
}

#[tokio::test]
async fn what_is_out_of_bounds_is_refused_before_it_reaches_the_core() {
    let (_bus, car, client) = car_and_client().await;
    let long = Addition::Url(format!("https://x/{}", "a".repeat(5_000)));
    assert!(matches!(client.queue_add(&[long], None).await, Err(ClientError::Invalid(text)) if text.contains("4096")));
    assert!(matches!(client.set_volume(1.5).await, Err(ClientError::Invalid(_))));
    assert!(matches!(client.set_volume(f64::NAN).await, Err(ClientError::Invalid(_))));
    for length in [2_000, 8 << 20] {
        let problem = client.library_search(&"x".repeat(length), 1).await;
        assert!(matches!(problem, Err(ClientError::Invalid(text)) if text.contains("1024")));
    }
    let blanks = Addition::Url("https://x/a b".into());
    assert!(matches!(client.queue_add(&[blanks], None).await, Err(ClientError::Invalid(_))));
    assert!(car.commands().is_empty());
}

#[tokio::test]
async fn more_calls_than_the_core_takes_are_told_to_come_back() {
    let (_bus, car, client) = car_and_client().await;
    car.inside.lock().unwrap().deaf = true;
    let calls = (0..100).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { tokio::time::timeout(Duration::from_secs(2), client.pause()).await })
    });
    let mut busy = 0;
    for call in calls.collect::<Vec<_>>() {
        if let Ok(result) = call.await.unwrap() {
            assert!(matches!(&result, Err(ClientError::Busy(_))), "{result:?}");
            busy += 1;
        }
    }
    assert_eq!(busy, 100 - 64, "calls that were told that the head unit is busy");
    assert!(client.status().await.is_ok(), "the status must be readable whatever the core does");
}

#[tokio::test]
async fn no_bus_and_no_head_unit_are_told_apart() {
    let bus = Bus::start();
    let client = Client::connect(&bus.address()).await.unwrap();
    assert_eq!(client.status().await, Err(ClientError::Absent));
    let nowhere = format!("unix:path={}/nothing", bus.folder().display());
    assert!(matches!(Client::connect(&nowhere).await, Err(ClientError::NoBus { .. })));
    assert!(matches!(FakeCar::try_start(&nowhere).await, Err(ApiError::Unreachable { .. })));
    assert!(matches!(FakeCar::try_start("nonsense").await, Err(ApiError::Unreachable { .. })));
}

#[tokio::test]
async fn a_second_daemon_on_the_same_bus_is_refused() {
    let (bus, _car, client) = car_and_client().await;
    let error = FakeCar::try_start(&bus.address()).await.err().unwrap();
    assert!(matches!(error, ApiError::NameTaken { .. }), "{error}");
    assert!(client.status().await.is_ok());
}

#[tokio::test]
async fn the_api_comes_back_with_the_bus() {
    let (mut bus, car, client) = car_and_client().await;
    let mut events = client.subscribe().await.unwrap();
    bus.stop();
    assert_eq!(within(10, "the loss of the bus", events.next()).await, None);
    assert_eq!(client.status().await, Err(ClientError::Absent));
    car.change(|inside| inside.status.name = "changed while nobody listened".into());
    tokio::time::sleep(Duration::from_millis(600)).await;
    bus.restart();
    let client = Client::connect(&bus.address()).await.unwrap();
    let status = within(30, "the return", async {
        loop {
            if let Ok(status) = client.status().await {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    assert_eq!(status.await.name, "changed while nobody listened");
    let mut events = client.subscribe().await.unwrap();
    car.change(|inside| inside.status.ducked = true);
    assert_eq!(within(10, "a change", events.next()).await, Some(Event::Changed));
}

#[tokio::test]
async fn the_api_ends_when_the_daemon_closes_its_ports() {
    let bus = Bus::start();
    let (calls, _requests) = mpsc::channel(1);
    let (status, status_seen) = watch::channel(Arc::default());
    let (_queue, queue_seen) = watch::channel(Arc::default());
    let (_notices, notices_seen) = broadcast::channel(1);
    let clock = Arc::new(MonotonicClock);
    let ports = Ports { calls, status: status_seen, queue: queue_seen, notices: notices_seen, clock };
    let mut api = serve(Config { bus: bus.address() }, ports).await.unwrap();
    drop(status);
    within(10, "the end of the API", api.closed()).await;
    let client = Client::connect(&bus.address()).await.unwrap();
    assert_eq!(client.status().await, Err(ClientError::Absent));
}

#[tokio::test]
async fn the_api_ends_with_the_daemon_and_leaves_the_bus() {
    let (_bus, car, client) = car_and_client().await;
    let mut events = client.subscribe().await.unwrap();
    drop(car);
    assert_eq!(within(10, "the end", events.next()).await, Some(Event::Vanished));
    assert_eq!(client.status().await, Err(ClientError::Absent));
}
