//! COMMANDS: `jamzctl`.
