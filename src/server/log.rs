//! The log: journald with fields under systemd, readable lines elsewhere.

use anyhow::{Context, Result};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

/// Begins to log what `filter` lets through.
///
/// # Errors
/// When the filter is none.
pub fn init(filter: &str) -> Result<()> {
    let filter =
        EnvFilter::builder().parse(filter).with_context(|| format!("`log`: {filter} is no level or filter"))?;
    let journal = std::env::var_os("JOURNAL_STREAM").and_then(|_| tracing_journald::layer().ok());
    let layer = match journal {
        Some(journal) => journal.boxed(),
        None => tracing_subscriber::fmt::layer().with_writer(std::io::stderr).boxed(),
    };
    tracing_subscriber::registry().with(layer.with_filter(filter)).init();
    Ok(())
}
