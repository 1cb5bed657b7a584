//! Whole drives: the bytes say how many cars there are, on what road, what breaks and what people do. The generator is
//! that of `make sim`, and its rules judge.

use jamz::sim;

/// A target, and what it is called.
type Target = (&'static str, fn(&[u8]));

pub(crate) const ALL: [Target; 1] = [("core", core)];

fn core(bytes: &[u8]) {
    let report = sim::rehearse_bytes(bytes, false);
    assert!(report.wrong.is_empty(), "{}", report.wrong.join("\n  "));
}
