//! Tier 2 with real WebRTC between cars on this machine.

// A test ends where something is missing, and measures what a driver would: real time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::disallowed_methods)]

#[path = "tier_mesh/carrying.rs"]
mod carrying;
#[path = "support/mesh_cars.rs"]
mod cars;
#[path = "tier_mesh/figures.rs"]
mod figures;
#[path = "tier_mesh/hostile.rs"]
mod hostile;
#[path = "tier_mesh/life.rs"]
mod life;
#[path = "support/mesh_messages.rs"]
mod messages;
#[path = "support/namespaces.rs"]
mod namespaces;
#[path = "support/mesh_process.rs"]
mod process;
#[path = "support/mesh_raw.rs"]
mod raw;
#[path = "tier_mesh/road.rs"]
mod road;
