//! REHEARSES: a convoy of real cores on an imagined road, in imagined time: delays, losses, cuts, crashes, cheap
//! crystals, and people who press buttons. The same seed gives the same drive, bit for bit.
//!
//! [`rehearse`] drives one seed to its end and says what was wrong with it. A failure is looked at with
//! `cargo run --no-default-features --features sim --example rehearse -- --seed N`, which prints the drive's log.

mod chance;
mod disk;
mod drive;
mod lan;
mod links;
mod log;
mod node;
mod ride;
mod rules;
mod server;
mod world;

pub use chance::Chance;
pub use drive::{Button, Drive, Fault, Step, draw};
pub use ride::{Report, rehearse, ride};
pub use rules::Leader;
pub use world::{Terms, World};

/// An instant of the road's own time, in microseconds.
pub type Instant = i64;
/// Microseconds in a second.
pub const SECOND: Instant = 1_000_000;
