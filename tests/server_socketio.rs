//! `jamz-server` as its clients see it: the real program, and real Socket.IO clients of Node.

// What surrounds the tests proper fails them by panicking, and its time-outs are real time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::needless_pass_by_value
)]

#[path = "server/cars.rs"]
mod cars;
#[path = "server/cluster.rs"]
mod cluster;
#[path = "server/invitations.rs"]
mod invitations;
#[path = "server/limits.rs"]
mod limits;
#[path = "server/passed_on.rs"]
mod passed_on;
#[path = "server/phones.rs"]
mod phones;
#[path = "server/restart.rs"]
mod restart;
#[path = "server/revoked.rs"]
mod revoked;
#[path = "server/spoiled.rs"]
mod spoiled;
#[path = "server/taken_over.rs"]
mod taken_over;
#[path = "server/tickets.rs"]
mod tickets;
#[path = "server/tokens.rs"]
mod tokens;

#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/jamz_server.rs"]
mod jamz_server;
#[path = "support/node_peers.rs"]
mod node_peers;
#[path = "support/redis_server.rs"]
mod redis_server;
