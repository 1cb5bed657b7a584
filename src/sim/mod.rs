//! REHEARSES: a convoy of real cores on an imagined road, in imagined time: delays, losses, cuts, crashes, cheap
//! crystals, and people who press buttons. The same seed gives the same drive, bit for bit.
//!
//! [`rehearse`] drives one seed to its end and says what was wrong with it; [`rehearse_all`] does so with every fault
//! there is, for `make sim`. A failure is looked at with `make sim SEED=N`, or
//! `cargo run --no-default-features --features sim --example rehearse -- --seed N`, which prints the drive's log.

mod browse;
mod chance;
mod conditions;
mod disk;
mod drive;
mod hands;
mod lan;
mod links;
mod listeners;
mod log;
mod node;
mod people;
mod perform;
mod phones;
mod ride;
mod rogue;
mod rules;
mod schedule;
mod server;
mod storage;
mod wall;
mod world;

pub use chance::Chance;
pub use conditions::Conditions;
pub use drive::{Button, Drive, Fault, Step, draw};
pub use lan::Preset;
pub use ride::{Keys, Report, chance_of, rehearse, rehearse_all, rehearse_bytes, rehearse_listeners, ride, ride_with};
pub use rogue::{Behaviour, rehearse_rogue};
pub use rules::{Leader, is_about};
pub use schedule::schedule;
pub use world::{Terms, World};

/// An instant of the road's own time, in microseconds.
pub type Instant = i64;
/// Microseconds in a second.
pub const SECOND: Instant = 1_000_000;
