//! The production backend's clients as a server sees them: their events read, its events written.
