//! The hub goes in the middle of a song, and comes back: politely, at once, or only seemingly.

use crate::cars::{Car, SECRET, given, led_by_one_of, meshed, until_agreed, until_all};
use crate::ctl;
use crate::network::{Network, is_possible};
use rustix::process::{Signal, kill_process};
use std::time::{Duration, Instant};

/// A new DJ is there within this: missing beats, an election, a take of control.
const LED_MAX: Duration = Duration::from_secs(4);

/// How a hub goes.
#[derive(Debug, Clone, Copy)]
enum Way {
    Leaves,
    Dies,
    Hangs,
}

#[tokio::test(flavor = "multi_thread")]
async fn controls_go_on_when_the_hub_leaves_dies_or_hangs_and_it_comes_back_into_the_same_state() {
    if !is_possible() {
        return;
    }
    let mut network = Network::new();
    let machines = [1, 2, 3].map(|n| network.machine_at(&format!("10.9.0.{n}/24")));
    let [van, truck, bus] = [&machines[0], &machines[1], &machines[2]].map(|machine| Car::start(machine, SECRET, None));
    let (van, truck, bus) = tokio::join!(van, truck, bus);
    let mut cars = [van, truck, bus];
    until_all(&cars.each_ref(), "found each other", meshed(2)).await;
    cars[0].add().await;
    cars[0].client.take().await.unwrap();
    cars[0].client.play(None).await.unwrap();
    until_agreed(&cars.each_ref(), "played").await;
    for (way, entries) in [(Way::Leaves, 2), (Way::Dies, 3), (Way::Hangs, 4)] {
        let hub = the_dj(&cars).await;
        go(way, &mut cars[hub]).await;
        let gone = Instant::now();
        let others: Vec<&Car> = cars.iter().enumerate().filter(|(n, _)| *n != hub).map(|(_, car)| car).collect();
        others[0].add().await;
        let led = led_by_one_of(&others).await;
        eprintln!("{way:?}: a new DJ after {} ms", gone.elapsed().as_millis());
        assert!(gone.elapsed() < LED_MAX, "{way:?}: a new DJ after {:?} only", gone.elapsed());
        let what = |control| format!("{way:?}, then {control}");
        given(&what("pause"), led.client.pause(), &others, |status| !status.now_playing.playing).await;
        given(&what("play"), led.client.play(None), &others, |status| status.now_playing.playing).await;
        come_back(way, &mut cars[hub]).await;
        until_all(&cars.each_ref(), "together again", meshed(2)).await;
        let all = until_agreed(&cars.each_ref(), &format!("{way:?}, and came back")).await;
        assert!(all.iter().all(|status| status.queue_length == entries), "{way:?}: {all:#?}");
        assert!(all[0].now_playing.playing, "{way:?}");
    }
}

async fn the_dj(cars: &[Car]) -> usize {
    for (n, car) in cars.iter().enumerate() {
        if car.status().await.is_controller {
            return n;
        }
    }
    panic!("nobody controls");
}

async fn go(way: Way, car: &mut Car) {
    match way {
        Way::Leaves => assert_eq!(ctl::run(&car.daemon.bus.address(), &["leave"]).await.code, 0),
        Way::Dies => car.daemon.kill(),
        Way::Hangs => kill_process(car.daemon.pid(), Signal::STOP).unwrap(),
    }
}

async fn come_back(way: Way, car: &mut Car) {
    match way {
        Way::Leaves => {
            let ran = ctl::run(&car.daemon.bus.address(), &["join", "alps"]).await;
            // Nobody answers at once where there is no server: it is done here.
            assert!(matches!(ran.code, 0 | 75), "{ran:?}");
        }
        Way::Dies => car.restart().await,
        Way::Hangs => kill_process(car.daemon.pid(), Signal::CONT).unwrap(),
    }
}
