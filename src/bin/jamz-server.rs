//! The Socket.IO server; see `jamz::server`.

use clap::Parser;
use jamz::server::args::Arguments;
use std::process::ExitCode;

fn main() -> ExitCode {
    match jamz::server::main(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("jamz-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}
