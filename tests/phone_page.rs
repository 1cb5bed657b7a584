//! The phones' page in a real Chromium, joined to a real `jamz-server`, with a real `jamzd` in the same convoy.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(clippy::disallowed_methods, reason = "a test measures what a driver would: real time")]

#[path = "phone_page/controls.rs"]
mod controls;
#[path = "phone_page/hostile.rs"]
mod hostile;
#[path = "phone_page/links.rs"]
mod links;
#[path = "phone_page/mesh.rs"]
mod mesh;
#[path = "phone_page/people.rs"]
mod people;
#[path = "phone_page/rules.rs"]
mod rules;
#[path = "phone_page/signals.rs"]
mod signals;

#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/browser.rs"]
mod browser;
#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/bus.rs"]
mod bus;
#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/ctl.rs"]
mod ctl;
#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/http.rs"]
mod http;
#[allow(dead_code, unreachable_pub, reason = "each test uses its part of the support")]
#[path = "support/jamz_server.rs"]
mod jamz_server;
#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/jamzd_car.rs"]
mod jamzd_car;
#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/tier_node.rs"]
mod node;
#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/tunes.rs"]
mod tunes;

use browser::Browser;
use jamz::core::request::Addition;
use jamz::core::status::{ActiveSync, Status};
use jamz_server::Server;
use jamzd_car::Car;
use tempfile::TempDir;

/// The convoy's name is not only of what stands in an English keyboard.
const CONVOY: &str = "Küste 道路";

/// A server, a car with three songs that leads and plays, and a browser.
struct Road {
    server: Server,
    van: Car,
    browser: Browser,
    _music: TempDir,
}

impl Road {
    async fn start() -> Self {
        Self::start_with(false).await
    }

    /// Whose car links with others if it `meshes`.
    async fn start_with(meshes: bool) -> Self {
        let (server, music) = (Server::start(&[]), tempfile::tempdir().unwrap());
        let browser = Browser::start().await;
        let token = server.token("ann", CONVOY)["token"].as_str().unwrap().to_owned();
        for (name, seconds) in [("One", 200), ("Two", 201), ("Three", 202)] {
            tunes::write(music.path(), name, seconds);
        }
        let mut van = Car::with_music(Some(music.path()), meshes, &server.url(), &token, "ann", CONVOY, 20.0);
        let ready = |status: &Status| {
            let joined = status.connection.active_sync == ActiveSync::Socket && status.clock.synced;
            joined && status.library.tracks == 3 && status.library.scanning.is_none()
        };
        van.until("it is in the convoy, and knows its music", ready).await;
        for name in ["One", "Two", "Three"] {
            let found = van.client().await.library_search(name, 9).await.unwrap();
            van.client().await.queue_add(&[Addition::Library(found[0].id.clone())], None).await.unwrap();
        }
        van.client().await.take().await.unwrap();
        van.client().await.play(None).await.unwrap();
        van.until("it plays", |status| status.now_playing.playing).await;
        Self { server, van, browser, _music: music }
    }

    /// The link of an invitation, as `role`, for `user`.
    fn link(&self, role: &str, user: &str) -> String {
        let token = self.server.token_as(role, user, CONVOY);
        format!("{}/#t={}", self.server.url(), token["token"].as_str().unwrap())
    }

    /// Joins as `user`, whose page is of that name.
    async fn join(&mut self, role: &str, user: &str) {
        let link = self.link(role, user);
        self.browser.open(user, &link).await;
        self.enter(user).await;
    }

    async fn enter(&mut self, user: &str) {
        self.browser.fill(user, "Your name, as the others will see it", &format!("{user}'s phone")).await;
        self.browser.press(user, "Join").await;
        self.browser.read(user, "Connected to the server").await;
    }
}
