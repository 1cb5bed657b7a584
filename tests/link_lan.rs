//! Cars on one network, with no server and no route to anywhere: in real network namespaces, over real multicast.

// A test ends where something is missing, and measures what a driver would: real time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::disallowed_methods)]

#[path = "support/lan_car.rs"]
mod car;
#[path = "link_lan/members.rs"]
mod members;
#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/lan_network.rs"]
mod network;
#[path = "link_lan/strangers.rs"]
mod strangers;
