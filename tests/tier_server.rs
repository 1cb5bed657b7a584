//! Tier 1 against real socket.io servers.

// A test ends where something is missing, and measures what a driver would: real time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::disallowed_methods)]

#[path = "support/tier_car.rs"]
mod car;
#[path = "tier_server/dialects.rs"]
mod dialects;
#[path = "tier_server/life.rs"]
mod life;
#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/tier_node.rs"]
mod node;
#[path = "tier_server/nonsense.rs"]
mod nonsense;
#[path = "support/tier_proxy.rs"]
mod proxy;
#[path = "tier_server/signals.rs"]
mod signals;
#[path = "tier_server/token.rs"]
mod token;
