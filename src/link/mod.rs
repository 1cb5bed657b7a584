//! CONNECTS: the networks that a car is in, and the members that are in them too.

pub mod lan;
pub mod web;
