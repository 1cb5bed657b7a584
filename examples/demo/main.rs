//! A convoy of three cars on one machine, over a real server: to be heard, steered, broken and measured.

mod measure;
mod record;
mod report;
mod span;
mod tune;

fn main() {}
