//! `jamz-server` as its clients see it: the real program, and real Socket.IO clients of Node.

#[path = "server/cars.rs"]
mod cars;
#[path = "server/limits.rs"]
mod limits;
#[path = "server/phones.rs"]
mod phones;
#[path = "server/restart.rs"]
mod restart;
#[path = "server/tokens.rs"]
mod tokens;

#[path = "support/jamz_server.rs"]
mod jamz_server;
#[path = "support/node_peers.rs"]
mod node_peers;
