//! One program for all targets: `FUZZ_TARGET` names the one that libFuzzer's inputs go to.
#![no_main]

mod drives;
#[cfg(feature = "files")]
mod files;
mod targets;

use std::sync::LazyLock;

static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let all = targets::ALL.into_iter().chain(drives::ALL);
    #[cfg(feature = "files")]
    let all = all.chain(files::ALL);
    let wanted = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let found = all.into_iter().find(|(name, _)| *name == wanted);
    found.unwrap_or_else(|| panic!("FUZZ_TARGET is `{wanted}`; scripts/fuzz knows the targets")).1
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| TARGET(bytes));
