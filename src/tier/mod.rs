//! CARRIES: one module per tier; each turns the core's commands into frames on its path, and frames into its events.

pub mod mesh;
pub mod server;
