//! Each rule of the mesh by its name, shown on a road that the simulator imagines.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at what it did not expect")]

#[path = "sim_rules/authority.rs"]
mod authority;
#[path = "sim_rules/honest.rs"]
mod honest;
#[path = "sim_rules/kept.rs"]
mod kept;
#[path = "sim_rules/listeners.rs"]
mod listeners;
#[path = "sim_rules/reference.rs"]
mod reference;
#[path = "support/road.rs"]
mod road;
#[path = "sim_rules/satellite.rs"]
mod satellite;
#[path = "sim_rules/slow_server.rs"]
mod slow_server;
