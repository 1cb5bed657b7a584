//! The production backend as a client sees it: its events read, our commands written.
