//! What each answer looks like to a person.

pub(super) mod config;
pub(super) mod history;
pub(super) mod invite;
pub(super) mod library;
pub(super) mod members;
pub(super) mod queue;
pub(super) mod status;
