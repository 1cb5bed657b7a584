//! DECIDES: what the convoy plays, who may say so, and when; pure, so that a simulator can rehearse it.
//!
//! The core is sans-IO. It has four kinds of method, in the grammar of quinn-proto:
//! getters; `handle_*` (something happened, with the time it happened at); commands; and `poll_*` (what to do, when to
//! wake).
//! **One law:** after every mutation, drain `poll_output` to the end. The same inputs give the same outputs, bit for
//! bit: no clock, no randomness, no HashMap iteration, no I/O.

pub mod authority;
pub mod backend;
pub mod car;
pub mod changes;
pub mod chirp;
pub mod clock;
pub mod code;
pub mod conduct;
pub mod convoy;
pub mod corrections;
pub mod election;
pub mod guests;
pub mod id;
pub mod io;
pub mod mesh;
pub mod order;
pub mod planted;
pub mod playlist;
pub mod request;
pub mod roadside;
pub mod signature;
mod sky;
pub mod status;
pub mod ticket;
pub mod tiers;
pub mod timeline;
pub mod trust;
