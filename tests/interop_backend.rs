//! The real `jamzd` on today's backend, beside today's web client: real Socket.IO on all sides, music over HTTP.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(clippy::disallowed_methods, reason = "a test measures what a driver would: real time")]

#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/bus.rs"]
mod bus;
#[path = "support/heard.rs"]
mod heard;
#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/http.rs"]
mod http;
#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/jamzd_car.rs"]
mod jamzd_car;
#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/tier_node.rs"]
mod node;
#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/tunes.rs"]
mod tunes;
#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/web_client.rs"]
mod web_client;

#[path = "interop_backend/following.rs"]
mod following;
#[path = "interop_backend/leading.rs"]
mod leading;
#[path = "interop_backend/mesh.rs"]
mod mesh;
#[path = "interop_backend/restarts.rs"]
mod restarts;

use http::Site;
use jamz::core::status::{ActiveSync, SocketState};
use jamzd_car::Car;
use node::Node;
use serde_json::{Value, json};
use web_client::Web;

/// How far a car may be from the web client, which plays from when it hears of it: with a whole convoy on one machine,
/// late.
const TOGETHER_S: f64 = 0.75;
const TEN_YEARS_MS: i64 = 315_360_000_000;

/// The backend, and music beside it.
async fn backend() -> (Node, Site) {
    (Node::start("backend.js", &json!({})).await, Site::start().await)
}

fn car(backend: &Node) -> Car {
    Car::start(&backend.url(), "a-token-that-the-backend-does-not-read", "driver", "s", 40.0)
}

async fn joined(car: &mut Car) {
    car.until("it is in the session", |status| status.connection.active_sync == ActiveSync::Socket).await;
}

/// The backend's own state of the session.
async fn session(backend: &mut Node) -> Value {
    backend.tell(&json!({ "do": "session", "sessionId": "s" }));
    backend.expect("session").await["state"].take()
}

fn ids(playlist: &Value) -> Vec<&str> {
    playlist.as_array().unwrap().iter().map(|track| track["id"].as_str().unwrap()).collect()
}
