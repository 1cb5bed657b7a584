//! ENCODES: what goes over each wire, with its bounds. Knows the core's types, and no edge.

pub mod founding;
pub mod lan;
pub mod mesh;
pub mod server;
pub mod web;
