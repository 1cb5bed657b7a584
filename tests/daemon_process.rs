//! `jamzd` as those around it see it: the real program on a real bus, a virtual card, real files and a real server.

// A test ends where something is missing, and measures what a driver would: real time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::disallowed_methods)]

#[path = "daemon/bus_life.rs"]
mod bus_life;
#[path = "daemon/calibration.rs"]
mod calibration;
#[path = "daemon/configuration.rs"]
mod configuration;
#[path = "daemon/convoy.rs"]
mod convoy;
#[path = "daemon/crash.rs"]
mod crash;
#[path = "daemon/disk.rs"]
mod disk;
#[path = "daemon/identity.rs"]
mod identity;
#[path = "daemon/music.rs"]
mod music;
#[path = "daemon/playlist.rs"]
mod playlist;
#[path = "daemon/server_trouble.rs"]
mod server_trouble;
#[path = "daemon/systemd.rs"]
mod systemd;

#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/bus.rs"]
mod bus;
#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/ctl.rs"]
mod ctl;
#[path = "support/daemon.rs"]
mod daemon;
#[allow(dead_code, reason = "each test uses its part of the support")]
#[path = "support/faulty_disk.rs"]
mod faulty_disk;
#[allow(dead_code, unreachable_pub, reason = "each test uses its part of the support")]
#[path = "support/jamz_server.rs"]
mod jamz_server;
#[allow(dead_code, unreachable_pub, reason = "each test uses its part of the support")]
#[path = "support/recorded.rs"]
mod recorded;
#[allow(dead_code, unreachable_pub, reason = "each test uses its part of the support")]
#[path = "support/sound.rs"]
mod sound;
