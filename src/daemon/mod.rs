//! RUNS: the loop around the core, configuration, supervision.
