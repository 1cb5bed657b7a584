//! A real car beside one of bad will that knows the convoy's secret: what it says over the mesh and the local network,
//! spoiled in every way, counts nowhere, and what is good beside it does.

// A test ends where something is missing, and measures what a driver would: real time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::disallowed_methods)]

#[path = "hostile_process/flood.rs"]
mod flood;
#[path = "hostile_process/mesh.rs"]
mod mesh;
#[path = "hostile_process/replays.rs"]
mod replays;
#[path = "hostile_process/signals.rs"]
mod signals;
#[path = "hostile_process/stage.rs"]
mod stage;

#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/bus.rs"]
mod bus;
#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/convoy_cars.rs"]
mod cars;
#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/daemon.rs"]
mod daemon;
#[allow(dead_code, unreachable_pub, reason = "each test uses its part of the support")]
#[path = "support/jamz_server.rs"]
mod jamz_server;
#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/lan_network.rs"]
mod network;
#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/rogue_car.rs"]
mod rogue;
