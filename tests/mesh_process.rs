//! Convoys of real cars on networks of their own: what becomes of the music and of what people do when there is no
//! server, when the hub goes, and when two servers each have a half.

// A test ends where something is missing, and measures what a driver would: real time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::disallowed_methods)]

#[path = "mesh_process/founded.rs"]
mod founded;
#[path = "mesh_process/hub.rs"]
mod hub;
#[path = "mesh_process/phone.rs"]
mod phone;
#[path = "mesh_process/roadside.rs"]
mod roadside;
#[path = "mesh_process/two_servers.rs"]
mod two_servers;

#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/browser.rs"]
mod browser;
#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/bus.rs"]
mod bus;
#[path = "support/convoy_cars.rs"]
mod cars;
#[path = "support/ctl.rs"]
#[allow(dead_code, reason = "each test uses its part of the support")]
mod ctl;
#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/heard.rs"]
mod heard;
#[allow(dead_code, unreachable_pub, reason = "each test uses its part of the support")]
#[path = "support/jamz_server.rs"]
mod jamz_server;
#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/lan_network.rs"]
mod network;
#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/tier_node.rs"]
mod node;
