//! RUNS: the loop around the core, the configuration, the watchdog. The only place where edges meet.

mod args;
mod calibration;
pub mod config;
mod crashes;
mod edges;
mod identity;
mod publish;
mod requests;
mod roadside;
mod run;
mod watchdog;

pub use args::{Args, main};
