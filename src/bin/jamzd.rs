//! The head unit's daemon.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    jamz::daemon::main(jamz::daemon::Args::parse())
}
