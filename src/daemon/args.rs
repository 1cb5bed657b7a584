//! `jamzd`'s arguments and exit codes.

use super::{config, run};
use crate::host::log;
use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;

/// The head unit of a TrafficJamz convoy: plays the same music at the same moment as all the other cars.
#[derive(Debug, Parser)]
#[command(
    name = "jamzd",
    version,
    after_help = "Exit codes: 0 ended well, 1 failed, 2 wrong usage, 78 wrong configuration."
)]
pub struct Args {
    /// Read this file (and FILE.d/*.toml) instead of /usr/lib/jamzd and /etc/jamzd.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Check the configuration (FILE, or what would be read at start), say what is wrong, and end.
    #[arg(long)]
    check_config: bool,
    /// The file to check.
    #[arg(value_name = "FILE", requires = "check_config")]
    file: Option<PathBuf>,
    /// Offer the API on this bus: `system`, `session` or an address. Overrides the configuration.
    #[arg(long, value_name = "BUS")]
    bus: Option<String>,
    /// What to log, as in RUST_LOG (which overrides it).
    #[arg(long, value_name = "FILTER", default_value = DEFAULT_LOG)]
    log: String,
}

/// The decoders' own complaints of a file name no file: `jamzctl library problems` does. The crates below the mesh log
/// people's addresses, and a warning five times a second where there is no path.
const DEFAULT_LOG: &str = "warn,jamz=info,symphonia=off,rtc=off,webrtc=off";
/// As sysexits.h has it: the configuration is wrong.
const EX_CONFIG: u8 = 78;

/// Runs the daemon until it is told to end.
#[must_use]
pub fn main(args: Args) -> ExitCode {
    let file = args.file.or(args.config);
    let mut config = match config::load(file.as_deref()) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("jamzd: {error}");
            return ExitCode::from(EX_CONFIG);
        }
    };
    if args.check_config {
        println!("the configuration is fine");
        for remark in config.remarks() {
            println!("but for now: {remark}");
        }
        return ExitCode::SUCCESS;
    }
    if let Some(bus) = args.bus {
        config.bus.bus = bus;
    }
    let result = log::start(&args.log).and_then(|()| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let result = runtime.block_on(run::run(config));
        runtime.shutdown_timeout(std::time::Duration::from_secs(2));
        result
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("jamzd: {error:#}");
            ExitCode::FAILURE
        }
    }
}
