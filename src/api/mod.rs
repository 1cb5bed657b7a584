//! ANSWERS: the D-Bus API, MPRIS, and the client that `jamzctl` uses.
//!
//! One connection serves two objects: the head unit's own at [`PATH`], under the name [`BUS_NAME`], and a standard
//! media player (MPRIS) beside it. Both read the same snapshots and send the same calls; they decide nothing.

mod bus;
mod call;
mod car;
pub mod client;
mod error;
mod interface;
mod mpris;
mod publish;
mod serve;

pub use call::{Answer, Call, Queue, QueueEntry, Request};
pub use error::ApiError;
pub use serve::{Api, Config, Ports, serve};

/// The name on the bus; its last digit is the API's major version.
pub const BUS_NAME: &str = "com.trafficjamz.HeadUnit1";
/// Where the head unit's object stands.
pub const PATH: &str = "/com/trafficjamz/HeadUnit1";
