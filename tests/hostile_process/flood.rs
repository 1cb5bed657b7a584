//! Additions to the playlist without end, by a member with a good ticket: the others hear each other's controls as
//! before.

use crate::cars::{Car, SECRET, given, meshed, until_agreed, until_all};
use crate::jamz_server::Server;
use crate::network::{Network, is_possible};
use crate::rogue::{Heard, Rogue};
use crate::stage::{add, alps, house, key, said, ticket, told};
use jamz::core::changes::{Change, ChangeId, Hlc};
use jamz::core::clock::Monotonic;
use jamz::core::election::Term;
use jamz::core::mesh::PeerMessage;
use jamz::core::status::ActiveSync;
use jamz::core::ticket::{Credentials, Role, Ticket};
use jamz::host::MonotonicClock;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::task::JoinHandle;

/// As long as there are controls.
const ADDITIONS: u64 = 4_000;
/// Six hundred a second, which is borne for long.
const TICK: Duration = Duration::from_millis(20);
const AT_ONCE: usize = 12;
/// Controls meanwhile.
const CONTROLS: usize = 12;
const CONTROL_EVERY: Duration = Duration::from_millis(400);

#[tokio::test(flavor = "multi_thread")]
async fn while_one_adds_without_end_the_others_keep_their_links_and_hear_each_others_controls() {
    if !is_possible() {
        return;
    }
    let mut network = Network::new();
    let [home, road, lane, street] = [100, 1, 2, 66].map(|n| network.machine_at(&format!("10.9.0.{n}/24")));
    let mut server = Server::start_at(&home, "10.9.0.100");
    let van = Car::start(&road, SECRET, Some((&server, "zoe"))).await;
    let truck = Car::start(&lane, SECRET, Some((&server, "ben"))).await;
    let both = [&van, &truck];
    until_all(&both, "on the server", |status| status.connection.active_sync == ActiveSync::Socket).await;
    van.client.take().await.unwrap();
    van.add().await;
    van.client.play(None).await.unwrap();
    let status = van.daemon.until(&van.client, "in control", |status| status.is_controller).await;
    let ahead_us = status.clock.convoy_us.unwrap() - status.taken_us;
    until_agreed(&both, "played").await;
    server.kill();
    until_all(&both, "on the mesh", meshed(1)).await;
    until_agreed(&both, "on the mesh").await;
    let own = (1..=250).map(key).min_by(|a, b| a.device().cmp(b.device())).unwrap();
    let shown = ticket(&own, Role::Dj);
    let (issuer, tickets) = (house().device().clone(), vec![shown.clone()]);
    let credentials = Credentials { convoy: alps(), issuer, tickets, revocations: None };
    let mut rogue = Rogue::start(&street, own, SECRET, credentials, None);
    rogue.hears("a link", |heard| matches!(heard, Heard::Up).then_some(())).await;
    rogue.hears("a greeting", |heard| said(heard, |m| matches!(m, PeerMessage::Hello(_)))).await;
    until_all(&both, "followed", meshed(2)).await;

    until_agreed(&both, "in company").await;
    let flood = flood(rogue, shown, ahead_us);
    let mut took = Vec::new();
    for n in 0..CONTROLS {
        let (playing, next) = (n % 2 == 1, tokio::time::sleep(CONTROL_EVERY));
        let control = async { if playing { van.client.play(None).await } else { van.client.pause().await } };
        took.push(given("control", control, &both, |status| status.now_playing.playing == playing).await);
        next.await;
    }
    let queue = van.status().await.queue_length;
    eprintln!("{} additions said; controls took {took:?}; the playlist has {queue}", flood.await.unwrap());
    for car in both {
        assert!(!car.daemon.log().contains("it does not take what it is sent"), "a link between them ended");
    }
}

/// Says them all, as fast as is borne; how many went out.
fn flood(rogue: Rogue, shown: Ticket, ahead_us: i64) -> JoinHandle<u64> {
    let key = rogue.key.clone();
    let additions = (1..=ADDITIONS).map(move |sequence| {
        let mut change = Change {
            id: ChangeId { device: key.device().clone(), sequence },
            hlc: Hlc { time_us: MonotonicClock.now().0 + ahead_us, count: 0 },
            term: Term(0),
            user: None,
            action: add(&format!("unwanted {sequence}")),
            signature: None,
        };
        key.sign_change(&mut change, &alps());
        told(&change, Some(&shown))
    });
    tokio::spawn(async move {
        let (before, mut tick) = (rogue.said.load(Ordering::Relaxed), tokio::time::interval(TICK));
        let mut additions = additions.peekable();
        while additions.peek().is_some() {
            tick.tick().await;
            additions.by_ref().take(AT_ONCE).for_each(|addition| rogue.say(addition));
        }
        rogue.said.load(Ordering::Relaxed) - before
    })
}
