//! What an output needs to be heard is found, by a microphone and in a recording of two cars, and remembered.

use crate::ctl;
use crate::daemon::Daemon;
use crate::jamz_server::Server;
use crate::recorded::{Run, runs};
use crate::sound::write_wav;
use jamz::api::client::Client;
use jamz::core::status::ActiveSync;
use std::time::Duration;

/// What `jamzctl calibrate` has to reach.
const ERROR_US_MAX: i64 = 200;

fn delay_us(ran: &ctl::Ran) -> i64 {
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    ran.json()["delay_us"].as_i64().unwrap()
}

fn assert_near(found_us: i64, true_us: i64, error_us_max: i64) {
    eprintln!("calibrate: {} us off a delay of {true_us} us", found_us - true_us);
    assert!((found_us - true_us).abs() <= error_us_max, "{found_us} us for {true_us} us");
}

#[tokio::test]
async fn a_microphone_tells_what_an_output_needs_and_that_is_remembered() {
    let true_us = 37_400;
    let mut car = Daemon::new(&format!("[audio]\nvirtual_ppm = 60.0\nvirtual_delay_us = {true_us}\n"));
    car.start();
    let client = car.client().await;
    car.until(&client, "audible", |status| status.audio.rate_hz.is_some()).await;
    let bus = car.bus.address();
    // What was set before plays no part.
    client.set_output_delay("", -12_000).await.unwrap();
    assert_near(delay_us(&ctl::run(&bus, &["--json", "calibrate", "--dry-run"]).await), true_us, ERROR_US_MAX);
    assert_eq!(client.status().await.unwrap().audio.delay_us, -12_000);

    let found_us = delay_us(&ctl::run(&bus, &["--json", "calibrate"]).await);
    assert_near(found_us, true_us, ERROR_US_MAX);
    car.until(&client, "calibrated", |status| status.audio.delay_us == found_us).await;
    assert!(car.terminate().0.success());
    car.start();
    let client = car.client().await;
    car.until(&client, "calibrated still", |status| status.audio.delay_us == found_us).await;
}

#[tokio::test]
async fn music_is_not_measured_nor_disturbed() {
    let (car, client, track) = Daemon::with_music("").await;
    client.queue_add(&[track], None).await.unwrap();
    client.play(None).await.unwrap();
    car.until(&client, "playing in time", |status| status.audio.in_sync).await;
    let ran = ctl::run(&car.bus.address(), &["calibrate"]).await;
    assert!(ran.code == 1 && ran.err.contains("jamzctl pause"), "{ran:?}");
    assert!(client.status().await.unwrap().audio.in_sync);
}

/// A car of the convoy whose card is off by `ppm` and writes down what it plays.
async fn member(server: &Server, user: &str, ppm: f64) -> (Daemon, Client) {
    let mut car = Daemon::new("");
    let path = |name: &str| car.path(name).display().to_string();
    let settings = format!(
        "[audio]\nvirtual_ppm = {ppm:?}\nrecord = {:?}\n[convoy]\nid = \"alps\"\n[mesh]\nenabled = false\n\
         [server]\nurl = {:?}\ntoken_file = {:?}\n",
        path("card"),
        server.url(),
        path("token"),
    );
    std::fs::write(car.path("jamzd.toml.d/test.toml"), settings).unwrap();
    std::fs::write(car.path("token"), server.token(user, "alps")["token"].as_str().unwrap()).unwrap();
    car.start();
    let client = car.client().await;
    car.until(&client, "in the convoy, in time", |status| {
        status.connection.active_sync == ActiveSync::Socket
            && status.clock.bound_us.is_some_and(|bound_us| bound_us < 1_000)
            && status.audio.rate_hz.is_some()
    })
    .await;
    (car, client)
}

/// Chirps three times, and returns what the car took for the convoy's time at the machine's nought, before and after.
async fn chirp(client: &Client, is_reference: bool) -> [i64; 2] {
    let zero_us = async || {
        let status = client.status().await.unwrap();
        status.clock.convoy_us.unwrap() - status.taken_us
    };
    let before = zero_us().await;
    for _ in 0..3 {
        let ends_in_us = client.chirp(is_reference).await.unwrap();
        tokio::time::sleep(Duration::from_micros(ends_in_us.unsigned_abs() + 1_000)).await;
    }
    [before, zero_us().await]
}

/// What came out of a car's card, until it was switched off.
fn played(car: &mut Daemon) -> Vec<Run> {
    assert!(car.terminate().0.success());
    runs(&car.path("card"), 0)
}

/// What somebody hears who hears each card so much later than it plays, by a recorder that is 60 ppm too slow.
fn record(heard: &[(&[Run], i64, f64)]) -> Vec<[f32; 2]> {
    let us_per_sample = 1e6 / (44_100.0 * (1.0 - 60e-6));
    let first_us = heard.iter().map(|(runs, ..)| runs[0].start_ns).max().unwrap() as f64 / 1e3;
    let last_us = heard.iter().map(|(runs, ..)| runs.last().unwrap());
    let last_us = last_us.map(|run| run.at_us(run.left.len() as f64)).fold(f64::INFINITY, f64::min);
    let sound = |us: f64| -> f64 {
        let of_car = |(runs, delay_us, gain): &(&[Run], i64, f64)| {
            gain * runs.iter().find_map(|run| run.value_at(us - *delay_us as f64)).unwrap_or(0.0)
        };
        heard.iter().map(of_car).sum()
    };
    let count = ((last_us - first_us) / us_per_sample) as usize;
    (0..count).map(|n| [sound(first_us + n as f64 * us_per_sample) as f32, 0.0]).collect()
}

#[tokio::test]
async fn a_recording_of_two_cars_tells_what_one_needs_when_the_other_is_in_time() {
    let server = Server::start(&[]);
    let (mut van, ann) = member(&server, "ann", 50.0).await;
    let (mut truck, ben) = member(&server, "ben", -35.0).await;
    let (van_us, truck_us) = (20_000, 151_300);
    ann.set_output_delay("", van_us).await.unwrap();
    ben.set_output_delay("", 3_000).await.unwrap();
    let (ann_us, ben_us) = tokio::join!(chirp(&ann, true), chirp(&ben, false));
    // What the two cars take for the same moment is not quite the same when they have just met.
    let apart_us = ann_us.iter().zip(ben_us).map(|(ann_us, ben_us)| (ann_us - ben_us).abs()).max().unwrap();
    let (van, played) = (played(&mut van), played(&mut truck));
    let file = truck.path("take.wav");
    write_wav(&file, 44_100, &record(&[(&van, van_us, 0.3), (&played, truck_us, -0.8)]));

    truck.start();
    let ben = truck.client().await;
    let arguments = ["--json", "calibrate", "--recording", file.to_str().unwrap()];
    let ran = ctl::run(&truck.bus.address(), &arguments).await;
    let found_us = delay_us(&ran);
    assert_near(found_us, truck_us, ERROR_US_MAX + apart_us);
    truck.until(&ben, "calibrated", |status| status.audio.delay_us == found_us).await;
}
