//! A convoy that is founded on the roadside: a code that people speak, and no server, file or setting.

use crate::cars::{Car, given, meshed, until_agreed, until_all};
use crate::ctl::{Ran, run};
use crate::jamz_server::Server;
use crate::network::{Network, inside, is_possible};
use jamz::core::status::{ActiveSync, Status};
use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// Ten guesses, of which one counts every ten seconds after the first five.
const BURNT_WITHIN: Duration = Duration::from_mins(2);

async fn jamzctl(car: &Car, arguments: &[&str]) -> Ran {
    run(&car.daemon.bus.address(), arguments).await
}

/// Names a code, and returns its words.
async fn code_of(car: &Car, arguments: &[&str]) -> String {
    let found = jamzctl(car, &[&["--json", "found"], arguments].concat()).await;
    assert_eq!(found.code, 0, "{found:?}\n{}", car.daemon.log());
    found.json()["code"].as_str().unwrap().to_owned()
}

async fn pair(network: &mut Network) -> [Car; 2] {
    let machines = [1, 2].map(|n| network.machine_at(&format!("169.254.8.{n}/16")));
    let (van, truck) = tokio::join!(Car::alone(&machines[0], ""), Car::alone(&machines[1], ""));
    [van, truck]
}

#[tokio::test(flavor = "multi_thread")]
async fn cars_found_a_convoy_join_by_its_code_play_in_step_and_are_together_again_after_a_restart() {
    if !is_possible() {
        return;
    }
    let mut network = Network::new();
    let [mut van, mut truck] = pair(&mut network).await;
    let onlooker = network.machine_at("169.254.8.9/16");
    let code = code_of(&van, &["Alps"]).await;
    let shown = shown_to(&onlooker).await;
    let joined = jamzctl(&truck, &["join", &code.to_uppercase().replace('-', " ")]).await;
    assert_eq!(joined.code, 0, "{joined:?}\n{}", truck.daemon.log());
    until_all(&[&van, &truck], "together", meshed(1)).await;
    van.add().await;
    van.client.take().await.unwrap();
    given("play", van.client.play(None), &[&van, &truck], |status| status.now_playing.playing).await;
    until_agreed(&[&van, &truck], "played").await;

    let kept = [&van, &truck].map(|car| fs::read_to_string(car.daemon.path("state/convoy.json")).unwrap());
    let [founded, joined]: [serde_json::Value; 2] = kept.map(|kept| serde_json::from_str(&kept).unwrap());
    let devices = [van.status().await.device, truck.status().await.device];
    assert_eq!((&founded["convoy"], &founded["secret"]), (&joined["convoy"], &joined["secret"]));
    for (kept, device) in [&founded, &joined].into_iter().zip(&devices) {
        let said = ["founder", "ticket/device", "ticket/issuer"].map(|at| kept.pointer(&format!("/{at}")).unwrap());
        assert_eq!(said, [devices[0].as_str(), device, &devices[0]]);
    }
    let secrets = [founded["secret"].as_str().unwrap(), &code];
    for car in [&van, &truck] {
        assert!(fs::metadata(car.daemon.path("state/convoy.json")).unwrap().permissions().mode().trailing_zeros() >= 7);
        let process = Path::new("/proc").join(car.daemon.pid().as_raw_nonzero().to_string());
        let seen = [car.daemon.log(), read(&process.join("cmdline")), read(&process.join("environ")), shown.clone()];
        let open = open_to_others(&car.daemon.path(""));
        for secret in secrets {
            assert!(!seen.iter().chain(&open).any(|text| text.contains(secret)), "a secret is told");
        }
    }
    assert!(shown.contains("c=1"), "the code is announced: {shown}");

    for car in [&mut van, &mut truck] {
        car.daemon.kill();
        car.restart().await;
    }
    until_all(&[&van, &truck], "together again", meshed(1)).await;
    for car in [&van, &truck] {
        assert_eq!(jamzctl(car, &["leave"]).await.code, 0);
        assert!(!car.daemon.path("state/convoy.json").exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_burnt_by_ten_wrong_ones_and_a_member_that_was_let_in_names_another() {
    if !is_possible() {
        return;
    }
    let mut network = Network::new();
    let [van, truck] = pair(&mut network).await;
    let nobody = jamzctl(&truck, &["join", "amber castle river twist"]).await;
    assert_eq!(nobody.code, 1, "{nobody:?}");
    assert!(nobody.err.contains("same Wi-Fi") && nobody.err.contains("jamzctl found"), "{nobody:?}");

    let code = code_of(&van, &[]).await;
    let wrong = if code.starts_with("amber") { "acorn-castle-river-twist" } else { "amber-castle-river-twist" };
    let begun = Instant::now();
    let (mut guesses, mut waits) = (0, 0);
    while !van.daemon.log().contains("guessed wrong too often") {
        let ran = jamzctl(&truck, &["join", wrong]).await;
        assert_eq!(ran.code, 77, "{ran:?}");
        guesses += u32::from(ran.err.contains("the code is wrong"));
        waits += u32::from(ran.err.contains("wait a minute"));
        assert!(begun.elapsed() < BURNT_WITHIN, "{guesses} guesses, {waits} waits");
    }
    eprintln!("burnt after {guesses} guesses and {waits} waits, in {:?}", begun.elapsed());
    assert_eq!(guesses, 10);
    let late = jamzctl(&truck, &["join", &code]).await;
    assert_eq!(late.code, 1, "the right one is good no more: {late:?}");

    let code = code_of(&van, &[]).await;
    assert_eq!(jamzctl(&truck, &["join", &code]).await.code, 0);
    let other = jamzctl(&truck, &["found", "Jura"]).await;
    assert!(other.code == 1 && other.err.contains("jamzctl leave"), "{other:?}");
    let machine = network.machine_at("169.254.8.3/16");
    let bus = Car::alone(&machine, "").await;
    let code = code_of(&truck, &[]).await;
    assert_eq!(jamzctl(&bus, &["join", &code]).await.code, 0, "{}", bus.daemon.log());
    until_all(&[&van, &truck, &bus], "all together", meshed(2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_comes_into_reach_takes_the_founded_convoy_over_and_nobody_joins_again() {
    if !is_possible() {
        return;
    }
    let mut network = Network::new();
    let address = "169.254.8.100";
    let mut server = Server::start_at(&network.machine_at(&format!("{address}/16")), address);
    server.kill();
    let machines = [1, 2].map(|n| network.machine_at(&format!("169.254.8.{n}/16")));
    let tokens = tempfile::tempdir().unwrap();
    let settings = ["ann", "ben"].map(|user| {
        let file = tokens.path().join(user);
        fs::write(&file, server.token(user, "*")["token"].as_str().unwrap()).unwrap();
        format!("[server]\nurl = \"{}\"\ntoken_file = \"{}\"\n", server.url(), file.display())
    });
    let (van, truck) = tokio::join!(Car::alone(&machines[0], &settings[0]), Car::alone(&machines[1], &settings[1]));
    let code = code_of(&van, &["Alps"]).await;
    assert_eq!(jamzctl(&truck, &["join", &code]).await.code, 0, "{}", truck.daemon.log());
    let both = [&van, &truck];
    until_all(&both, "together", meshed(1)).await;
    van.add().await;
    truck.add().await;
    van.client.take().await.unwrap();
    given("play", van.client.play(None), &both, |status| status.now_playing.playing).await;
    let before = until_agreed(&both, "played").await;

    server.restart();
    until_all(&both, "on the server", |status| status.connection.active_sync == ActiveSync::Socket).await;
    let is_whole = |status: &Status| status.queue_length == 2 && status.controller == before[0].controller;
    until_all(&both, "have brought the server what they did", is_whole).await;
    let after = until_agreed(&both, "taken over").await;
    assert_eq!(after[0].convoy, before[0].convoy);
    given("pause", van.client.pause(), &both, |status| !status.now_playing.playing).await;
    // By whom it was let in is known to both, with the server or without.
    server.kill();
    until_all(&both, "on the road again", meshed(1)).await;
    truck.client.take().await.unwrap();
    given("play", truck.client.play(None), &both, |status| status.now_playing.playing).await;
}

/// All that cars on the network show of themselves, to a machine that only listens.
async fn shown_to(machine: &str) -> String {
    let looking = inside(machine, || {
        let daemon = mdns_sd::ServiceDaemon::new().unwrap();
        let found = daemon.browse(jamz::wire::lan::SERVICE).unwrap();
        let mut shown = String::new();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(5) {
            if let Ok(mdns_sd::ServiceEvent::ServiceResolved(service)) = found.recv_timeout(Duration::from_millis(200))
            {
                let _ = writeln!(shown, "{} {:?}", service.get_fullname(), service.get_properties());
                for property in service.get_properties().iter() {
                    let _ = writeln!(shown, "{}={}", property.key(), property.val_str());
                }
            }
        }
        let _ = daemon.shutdown();
        shown
    });
    tokio::task::spawn_blocking(|| looking.join().unwrap()).await.unwrap()
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()
}

/// What is in files that others may read, and in their names.
fn open_to_others(folder: &Path) -> Vec<String> {
    let mut texts = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let metadata = entry.metadata().unwrap();
        texts.push(entry.file_name().to_string_lossy().into_owned());
        if metadata.is_dir() {
            texts.extend(open_to_others(&entry.path()));
        } else if metadata.is_file() && metadata.permissions().mode() & 0o077 != 0 {
            texts.push(read(&entry.path()));
        }
    }
    texts
}
