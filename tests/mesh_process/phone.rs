//! A phone's browser joins a convoy that never had a server: a real Chromium on the same network as two real cars.

use crate::browser::Browser;
use crate::cars::{Car, meshed, until_agreed, until_all};
use crate::ctl::run;
use crate::jamz_server::{Server, run as jamz_server};
use crate::network::{Network, is_possible};
use jamz::core::id::ConvoyId;
use jamz::core::status::{ActiveSync, MemberKind, PeerState, Status};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Two cars that founded a convoy, the phone's browser, and the network that all are in, with no way out of it.
struct Roadside {
    van: Car,
    truck: Car,
    browser: Browser,
    network: Network,
}

async fn json(car: &Car, arguments: &[&str]) -> Value {
    let ran = run(&car.daemon.bus.address(), &[&["--json"], arguments].concat()).await;
    assert_eq!(ran.code, 0, "{ran:?}\n{}", car.daemon.log());
    ran.json()
}

/// The certificate that a car shows to browsers.
fn certificate(car: &Car) -> String {
    let kept = fs::read_to_string(car.daemon.path("state/mesh.pem")).unwrap();
    kept[kept.find("-----BEGIN CERTIFICATE-----").unwrap()..].to_owned()
}

impl Roadside {
    async fn found() -> Self {
        Self::found_in(Network::new(), ["", ""]).await
    }

    /// With this beside in the settings of the two cars.
    async fn found_in(mut network: Network, settings: [&str; 2]) -> Self {
        let [first, second, third] = [1, 2, 3].map(|n| network.machine_at(&format!("169.254.8.{n}/16")));
        let [van, truck] = ["Ann's van", "Ben's truck"];
        let [van, truck] = [(van, settings[0]), (truck, settings[1])]
            .map(|(name, settings)| format!("[car]\nname = \"{name}\"\n{settings}"));
        let (van, truck) = tokio::join!(Car::alone(&first, &van), Car::alone(&second, &truck));
        let code = json(&van, &["found", "Alps"]).await["code"].as_str().unwrap().to_owned();
        json(&truck, &["join", &code]).await;
        until_all(&[&van, &truck], "together", meshed(1)).await;
        van.add().await;
        truck.add().await;
        van.client.take().await.unwrap();
        van.client.play(None).await.unwrap();
        until_agreed(&[&van, &truck], "they play").await;
        let browser = Browser::start_at(&third, &[certificate(&van)]).await;
        Self { van, truck, browser, network }
    }

    /// The link that the van shows.
    async fn link(&self, arguments: &[&str]) -> String {
        let invited = json(&self.van, &[&["invite"], arguments].concat()).await;
        invited["link"].as_str().unwrap().to_owned()
    }

    async fn open(&mut self, page: &str, link: &str) {
        self.browser.open(page, link).await;
        self.browser.fill(page, "Your name, as the others will see it", &format!("{page}'s phone")).await;
        self.browser.press(page, "Join").await;
    }
}

fn phones(status: &Status) -> usize {
    status.members.iter().filter(|member| member.online && member.kind == MemberKind::Phone).count()
}

fn linked(status: &Status) -> usize {
    status.connection.web_rtc.values().filter(|state| **state == PeerState::Connected).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_joins_two_cars_that_never_had_a_server_controls_them_and_goes_on_when_the_hub_is_killed() {
    if !is_possible() {
        return;
    }
    let mut road = Roadside::found().await;
    let link = road.link(&[]).await;
    assert!(link.starts_with("https://169.254.8.1:8443/#car="), "{link}");
    road.open("lea", &link).await;
    road.browser.read("lea", "Linked with Ann's van, without a server").await;
    road.browser.read("lea", "Ann's van controls the music.").await;
    assert!(road.browser.words("lea").await.starts_with("Alps\n"), "as people call the convoy");
    until_all(&[&road.van, &road.truck], "with the phone", |status| phones(status) == 1).await;
    let there = "Ann's van\ncontrols, car, on the mesh, by a direct link";
    road.browser.read("lea", there).await;
    // The spare one, with the car that it did not come to, by signals over the link that there is.
    until_all(&[&road.van, &road.truck], "linked with each other and the phone", |status| linked(status) == 2).await;
    road.browser.picture("lea", "roadside").await;

    road.browser.press("lea", "Take control").await;
    road.browser.read("lea", "You control the music.").await;
    let both = [&road.van, &road.truck];
    until_all(&both, "the phone leads", |status| !status.is_controller && status.controller.is_some()).await;
    road.browser.press("lea", "Pause").await;
    until_all(&both, "it stands", |status| !status.now_playing.playing).await;
    road.browser.press("lea", "Next").await;
    until_all(&both, "the next song", |status| status.now_playing.index == Some(1)).await;
    road.browser.press("lea", "Play").await;
    until_all(&both, "it plays", |status| status.now_playing.playing).await;

    road.truck.client.take().await.unwrap();
    road.browser.read("lea", "Ben's truck controls the music.").await;
    road.truck.client.previous().await.unwrap();
    until_all(&both, "the song before", |status| status.now_playing.index == Some(0)).await;
    road.browser.press("lea", "Take control").await;
    road.browser.read("lea", "You control the music.").await;

    road.browser.reload("lea").await;
    road.browser.read("lea", "Linked with").await;
    until_all(&both, "linked with the phone again", |status| linked(status) == 2).await;
    // Meanwhile nobody was there who controls, and whoever leads took that over.
    road.browser.press("lea", "Take control").await;
    road.browser.read("lea", "You control the music.").await;

    road.van.daemon.kill();
    road.browser.read("lea", "Linked with Ben's truck, without a server").await;
    road.browser.press("lea", "Pause").await;
    let stands = |status: &Status| !status.now_playing.playing && phones(status) == 1;
    until_all(&[&road.truck], "it stands, by the phone's word", stands).await;
    road.browser.press("lea", "Play").await;
    until_all(&[&road.truck], "it plays", |status| status.now_playing.playing).await;

    // Switched on again, the van knows its link no more, and the phone by the ticket that it gave it.
    road.van.restart().await;
    until_all(&[&road.van, &road.truck], "all linked again", |status| linked(status) == 2).await;
    until_agreed(&[&road.van, &road.truck], "they agree").await;
    let noted = road.browser.noted("lea").await;
    let asked: Vec<&str> = noted["asked"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(asked.iter().all(|address| address.starts_with("https://169.254.8.1:8443/")), "{asked:?}");
    let token = link.rsplit_once("&t=").unwrap().1;
    assert!(!asked.iter().any(|address| address.split('#').next().unwrap().contains(token)), "{asked:?}");
    for car in [&road.van, &road.truck] {
        assert!(!car.daemon.log().contains(token), "a token is in a log");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_one_phones_and_one_for_listening_controls_nothing() {
    if !is_possible() {
        return;
    }
    let mut road = Roadside::found().await;
    let link = road.link(&["--listener"]).await;
    road.open("lea", &link).await;
    road.browser.read("lea", "Linked with").await;
    road.browser.press("lea", "Take control").await;
    road.browser.read("lea", "Your link is for listening.").await;
    // What her page does not do, whoever has her key does: the cars do not heed it.
    let taken = "async () => (await import('./here.js')).here.invitation.role = 'dj'";
    road.browser.run("lea", taken, Value::Null).await;
    road.browser.press("lea", "Take control").await;
    road.browser.read("lea", "A listener may not take control").await;
    road.open("max", &link).await;
    road.browser.read("max", "This link does not work").await;
    road.browser.read("max", "used by another phone").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(road.van.status().await.is_controller);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_was_told_of_another_certificate_warns_of_the_cars() {
    if !is_possible() {
        return;
    }
    let mut road = Roadside::found().await;
    let link = road.link(&[]).await.replace("169.254.8.1", "169.254.8.2");
    let refused = road.browser.refused("lea", &link).await;
    assert!(refused.contains("ERR_CERT"), "{refused}");
}

/// The settings of a car with a token of this server.
fn served(server: &Server, user: &str, tokens: &Path) -> String {
    let file = tokens.join(user);
    fs::write(&file, server.token(user, "*")["token"].as_str().unwrap()).unwrap();
    format!("[server]\nurl = \"{}\"\ntoken_file = \"{}\"\n", server.url(), file.display())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_came_to_a_car_controls_on_when_a_server_takes_the_convoy_over_until_it_is_put_out() {
    if !is_possible() {
        return;
    }
    let mut network = Network::new();
    let mut server = Server::start_at(&network.machine_at("169.254.8.100/16"), "169.254.8.100");
    server.kill();
    let tokens = tempfile::tempdir().unwrap();
    let [ann, ben, cat] = ["ann", "ben", "cat"].map(|user| served(&server, user, tokens.path()));
    let mut road = Roadside::found_in(network, [&ann, &ben]).await;
    let link = road.link(&[]).await;
    road.open("lea", &link).await;
    road.browser.read("lea", "Linked with Ann's van, without a server").await;
    road.browser.press("lea", "Take control").await;
    road.browser.read("lea", "You control the music.").await;
    let both = [&road.van, &road.truck];
    let leads = |status: &Status| !status.is_controller && status.controller.is_some();
    until_all(&both, "the phone leads", leads).await;
    let before = road.van.status().await;

    server.restart();
    until_all(&both, "on the server", |status| status.connection.active_sync == ActiveSync::Socket).await;
    // It hears nothing but what the server lets pass.
    let bus =
        Car::alone(&road.network.machine_at("169.254.8.4/16"), &format!("{cat}\n[mesh]\nenabled = false\n")).await;
    let convoy = ConvoyId::new(before.convoy.as_deref().unwrap()).unwrap();
    bus.client.join(&convoy).await.unwrap();
    let all = [&road.van, &road.truck, &bus];
    until_all(&all, "what the phone did is there", |status| status.controller == before.controller).await;
    until_all(&both, "the phone is there", |status| phones(status) == 1).await;
    for (button, playing) in [("Pause", false), ("Play", true)] {
        road.browser.press("lea", button).await;
        until_all(&all, button, |status| status.now_playing.playing == playing).await;
    }
    road.truck.client.take().await.unwrap();
    road.browser.read("lea", "Ben's truck controls the music.").await;
    road.browser.press("lea", "Take control").await;
    road.browser.read("lea", "You control the music.").await;
    until_all(&all, "by the server's word", |status| status.controller == before.controller).await;
    road.browser.read("lea", "Ben's truck\ncar, on the server, by a direct link").await;

    let (state, phone) = (server.state.to_str().unwrap(), before.controller.unwrap());
    let arguments = ["revoke", "--state", state, "--user", &phone, "--convoy", convoy.as_str()];
    assert!(jamz_server(&arguments).status.success());
    until_all(&both, "the phone is put out", |status| phones(status) == 0 && linked(status) == 1).await;
    // Nor is it let in when there is no server.
    server.kill();
    until_all(&both, "on the road again", |status| status.connection.active_sync == ActiveSync::Webrtc).await;
    road.browser.reload("lea").await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    until_all(&both, "it stays out", |status| phones(status) == 0 && linked(status) == 1).await;
}
