//! Where logs go: journald with fields when systemd runs us, readable lines on a terminal otherwise.

use std::io::IsTerminal;
use tracing::Level;
use tracing_subscriber::filter::{EnvFilter, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts logging. `filter` is in the syntax of `RUST_LOG`, which overrides it.
///
/// # Errors
/// When `filter` makes no sense, or logging has been started before.
pub fn start(filter: &str) -> anyhow::Result<()> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(from_environment) => EnvFilter::try_new(from_environment)?,
        Err(_) => EnvFilter::try_new(filter)?,
    };
    // What other crates say beyond this is not ours to vouch for: it may be whole frames, with the tokens in them.
    let own = filter_fn(|said| *said.level() <= Level::INFO || said.target().starts_with("jamz"));
    let registry = tracing_subscriber::registry().with(filter).with(own);
    let under_systemd = std::env::var_os("JOURNAL_STREAM").is_some();
    match tracing_journald::layer().ok().filter(|_| under_systemd) {
        Some(journald) => registry.with(journald).try_init()?,
        None => registry
            .with(
                tracing_subscriber::fmt::layer()
                    .with_writer(std::io::stderr)
                    .with_ansi(std::io::stderr().is_terminal()),
            )
            .try_init()?,
    }
    Ok(())
}
