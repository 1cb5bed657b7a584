//! REMEMBERS: the change log and state in SQLite, the library and the cache of tracks.
//!
//! [`Store`] keeps what the convoy agreed on and what this car did; it is what the server keeps as well. On a car,
//! [`Tracks`](tracks::Tracks) finds the file of a track, in the [`library`] on disk or, fetched, in the [`cache`].

mod changes;
mod database;
mod error;
pub mod journal;
mod loaded;
mod queue;
mod read_only;
mod salvage;
mod state;

#[cfg(feature = "car")]
pub mod cache;
#[cfg(feature = "car")]
pub mod library;
#[cfg(feature = "car")]
mod probe;
#[cfg(feature = "car")]
pub mod tracks;

pub use error::StoreError;
pub use journal::{Hooks, Store, Write};
pub use loaded::Loaded;
