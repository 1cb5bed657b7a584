//! Real cars of one convoy, each on a machine of its own, and what is asked of several of them at once.

use crate::daemon::{Daemon, PATIENCE, PROGRAM};
use crate::jamz_server::Server;
use jamz::api::client::{Client, ClientError};
use jamz::core::request::{Addition, Done};
use jamz::core::status::{ActiveSync, Status};
use std::fs;
use std::future::Future;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, Instant};

pub(crate) const SECRET: &str = "what the convoy shares";
/// A control is applied everywhere within this: the user's bound for a change of tier.
pub(crate) const CONTROL_MAX: Duration = Duration::from_secs(2);
/// How far cars may be from each other, as they say themselves.
const APART_US_MAX: i64 = 50_000;
const POLL: Duration = Duration::from_millis(20);

pub(crate) struct Car {
    pub(crate) daemon: Daemon,
    pub(crate) client: Client,
    pub(crate) track: Addition,
    machine: String,
}

impl Car {
    /// A car of convoy `alps` on this machine that knows this secret, with a track of ten minutes; and with a server,
    /// on which it is this user's.
    pub(crate) async fn start(machine: &str, secret: &str, server: Option<(&Server, &str)>) -> Self {
        let daemon = Daemon::new("");
        let (file, token_file) = (daemon.path("secret"), daemon.path("token"));
        let convoy = format!("[convoy]\nid = \"alps\"\nsecret_file = \"{}\"\n", file.display());
        let server = server.map_or_else(String::new, |(server, user)| {
            fs::write(&token_file, server.token(user, "alps")["token"].as_str().unwrap()).unwrap();
            format!("[server]\nurl = \"{}\"\ntoken_file = \"{}\"\n", server.url(), token_file.display())
        });
        fs::write(daemon.path("jamzd.toml.d/test.toml"), convoy + &server).unwrap();
        fs::write(&file, secret).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        Self::switched_on(machine, daemon).await
    }

    /// A car on this machine that is in no convoy and has no server.
    pub(crate) async fn alone(machine: &str, settings: &str) -> Self {
        Self::switched_on(machine, Daemon::new(settings)).await
    }

    async fn switched_on(machine: &str, mut daemon: Daemon) -> Self {
        daemon.put_music("long.wav", 600);
        daemon.start_by(program(machine));
        let client = daemon.client().await;
        let track = daemon.track(&client, "long").await;
        Self { daemon, client, track, machine: machine.to_owned() }
    }

    /// Switches it on again.
    pub(crate) async fn restart(&mut self) {
        self.daemon.start_by(program(&self.machine));
        self.client = self.daemon.client().await;
    }

    pub(crate) async fn status(&self) -> Status {
        self.client.status().await.unwrap_or_else(|error| panic!("{error}\n{}", self.daemon.log()))
    }

    /// Adds its track to the playlist, which waits for nobody.
    pub(crate) async fn add(&self) {
        self.client.queue_add(std::slice::from_ref(&self.track), None).await.unwrap();
    }
}

fn program(machine: &str) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", machine, PROGRAM, "--log", "info,jamz=trace"]);
    command
}

/// Waits until each of these cars is as wanted, and returns how long that took.
pub(crate) async fn until_all(cars: &[&Car], what: &str, wanted: impl Fn(&Status) -> bool) -> Duration {
    let begun = Instant::now();
    for car in cars {
        car.daemon.until(&car.client, what, &wanted).await;
    }
    begun.elapsed()
}

/// Gives a control, and waits until it shows in all cars; how long that took from when it was given.
pub(crate) async fn given(
    what: &str,
    control: impl Future<Output = Result<Done, ClientError>>,
    cars: &[&Car],
    wanted: impl Fn(&Status) -> bool,
) -> Duration {
    let control = async { control.await.unwrap_or_else(|error| panic!("{what}: {error}\n{}", cars[0].daemon.log())) };
    let (_, took) = tokio::join!(control, until_all(cars, what, wanted));
    eprintln!("{what}: everywhere after {} ms", took.as_millis());
    assert!(took < CONTROL_MAX, "{what}: everywhere after {took:?} only");
    took
}

/// Waits until these cars have the same playlist, DJ, track and place, and nothing waits to be told.
pub(crate) async fn until_agreed(cars: &[&Car], what: &str) -> Vec<Status> {
    let begun = Instant::now();
    loop {
        let mut all = Vec::new();
        let mut lists = Vec::new();
        for car in cars {
            all.push(car.status().await);
            let list = car.client.queue().await.unwrap();
            lists.push(list.entries.into_iter().map(|entry| entry.id).collect::<Vec<_>>());
        }
        if agree(&all) && lists.windows(2).all(|pair| pair[0] == pair[1]) {
            eprintln!("{what}: agreed after {} ms", begun.elapsed().as_millis());
            return all;
        }
        if begun.elapsed() > PATIENCE {
            let logs: Vec<String> = cars.iter().map(|car| car.daemon.log()).collect();
            panic!("not agreed: {what}\n{all:#?}\n{lists:#?}\n{}", logs.join("\n\n"));
        }
        tokio::time::sleep(POLL).await;
    }
}

fn agree(all: &[Status]) -> bool {
    let same = |a: &Status, b: &Status| {
        let (one, other) = (&a.now_playing, &b.now_playing);
        let ran_us = if one.playing { b.taken_us - a.taken_us } else { 0 };
        let apart_us = other.position_us - one.position_us - ran_us;
        a.controller == b.controller
            && (&one.entry, one.playing) == (&other.entry, other.playing)
            && apart_us.abs() < APART_US_MAX
    };
    all.windows(2).all(|pair| same(&pair[0], &pair[1]))
        && all.iter().all(|status| status.changes.pending == 0 && status.audio.in_sync == status.now_playing.playing)
}

/// Whether a car reaches so many others over the mesh, and has no server.
pub(crate) fn meshed(others: usize) -> impl Fn(&Status) -> bool {
    move |status| {
        let online = status.members.iter().filter(|member| member.online).count();
        // Who has just met another is bent to his time first, by which controls count.
        status.connection.active_sync == ActiveSync::Webrtc && online == others + 1 && status.clock.synced
    }
}

/// Waits until all of these take the same one of them for the DJ.
pub(crate) async fn led_by_one_of<'a>(cars: &[&'a Car]) -> &'a Car {
    let begun = Instant::now();
    loop {
        let mut all: Vec<Status> = Vec::new();
        for car in cars {
            all.push(car.status().await);
        }
        let djs: Vec<usize> = (0..cars.len()).filter(|n| all[*n].is_controller).collect();
        if let [dj] = *djs
            && all.iter().all(|status| status.controller == all[0].controller)
        {
            return cars[dj];
        }
        assert!(begun.elapsed() < PATIENCE, "nobody leads: {all:#?}\n{}", cars[0].daemon.log());
        tokio::time::sleep(POLL).await;
    }
}
