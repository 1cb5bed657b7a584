//! An implementation of an engine.io client: here only its asynchronous client, patched (see `../../README.md`).
#![allow(warnings)]
/// A small macro that spawns a scoped thread. Used for calling the callback
/// functions.
pub mod asynchronous;
/// Generic header map
pub mod header;
pub mod packet;

pub const ENGINE_IO_VERSION: i32 = 4;

/// Contains the error type which will be returned with every result in this
/// crate. Handles all kinds of errors.
pub mod error;

pub use error::Error;
pub use tungstenite;
pub use packet::{Packet, PacketId};
