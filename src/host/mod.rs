//! TELLS time and chance: the only place that reads the machine's clocks and its entropy.

pub mod log;

use crate::core::clock::{MonoTime, Monotonic};
use crate::core::id::hex;

/// The machine's `CLOCK_MONOTONIC`, in microseconds since boot. The kernel slews it, and never steps it.
#[derive(Debug, Clone, Copy, Default)]
pub struct MonotonicClock;

impl Monotonic for MonotonicClock {
    fn now(&self) -> MonoTime {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        MonoTime(time.tv_sec.saturating_mul(1_000_000).saturating_add(time.tv_nsec / 1_000))
    }
}

/// The wall clock: for people, and for the backend that dates positions with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WallClock {
    /// Microseconds since 1970.
    pub unix_us: i64,
    /// Whether the kernel says that something disciplines it.
    pub synchronized: bool,
}

/// Reads the wall clock.
#[must_use]
pub fn wall_clock() -> WallClock {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    WallClock {
        unix_us: time.tv_sec.saturating_mul(1_000_000).saturating_add(time.tv_nsec / 1_000),
        synchronized: synchronized(),
    }
}

/// systemd-timesyncd and chrony leave these marks; reading them needs no privilege, unlike `adjtimex` in a sandbox.
fn synchronized() -> bool {
    ["/run/systemd/timesync/synchronized", "/run/chrony/synchronized"].iter().any(|p| std::path::Path::new(p).exists())
}

/// Names this boot of the machine: monotonic times of different boots do not compare. None outside Linux's procfs.
#[must_use]
pub fn boot_id() -> Option<String> {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().map(|id| id.trim().to_owned())
}

/// The machine's host name.
#[must_use]
pub fn name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Fresh randomness.
///
/// # Errors
/// When the kernel gives none.
pub fn random<const BYTES: usize>() -> std::io::Result<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    fill(&mut bytes)?;
    Ok(bytes)
}

fn fill(buffer: &mut [u8]) -> std::io::Result<()> {
    let mut filled = 0;
    while filled < buffer.len() {
        let rest = buffer.get_mut(filled..).unwrap_or_default();
        filled += rustix::rand::getrandom(rest, rustix::rand::GetRandomFlags::empty())?;
    }
    Ok(())
}

/// Fresh randomness in hex, `bytes` of it.
///
/// # Errors
/// When the kernel gives none.
pub fn random_hex(bytes: usize) -> std::io::Result<String> {
    let mut buffer = vec![0_u8; bytes];
    fill(&mut buffer)?;
    Ok(hex(&buffer))
}
