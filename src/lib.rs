//! The same music, at the same moment, in every car of a convoy.
//!
//! One verb per folder. Who may name whom is checked by `tests/architecture.rs`:
//!
//! | layer | verb | may name |
//! |---|---|---|
//! | [`core`] | DECIDES | nothing of the others, no I/O, no clock, no randomness, no async |
//! | [`wire`] | ENCODES | core |
//! | `host` | TELLS time and chance: the only readers of the machine's clocks and entropy | core |
//! | `page` | SHOWS the convoy to a phone's browser: what `web/` has in it, for whoever serves it | core |
//! | `link` | CONNECTS | core, wire, page |
//! | `tier`, `store`, `audio`, `api` | CARRIES, REMEMBERS, PLAYS, ANSWERS | core, wire |
//! | `sim` | REHEARSES | core, wire |
//! | `server` | HOSTS | core, wire, host, page, store |
//! | `daemon` | RUNS | all but sim, server, ctl and bin |
//! | `ctl` | SPEAKS for a person at a terminal: `jamzctl` | core, api |
//! | `bin` | STARTS one of the three programs | daemon, ctl, server |

pub mod core;
pub mod wire;

#[cfg(feature = "bus")]
pub mod api;
#[cfg(feature = "car")]
pub mod audio;
#[cfg(feature = "ctl")]
pub mod ctl;
#[cfg(feature = "car")]
pub mod daemon;
#[cfg(any(feature = "car", feature = "server"))]
pub mod host;
#[cfg(feature = "car")]
pub mod link;
#[cfg(any(feature = "car", feature = "server"))]
pub mod page;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "sim")]
pub mod sim;
#[cfg(feature = "store")]
pub mod store;
#[cfg(feature = "car")]
pub mod tier;
