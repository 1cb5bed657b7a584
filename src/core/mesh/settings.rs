//! What can be configured of tier 2, as far as it decides something.

use serde::{Deserialize, Serialize};

/// How the mesh behaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MeshSettings {
    pub enabled: bool,
    /// The mesh counts as a tier with so many members that reach each other, this car among them.
    pub group_size_min: usize,
    /// A link that neither side needs is closed after so long, in microseconds.
    pub idle_us: i64,
    /// This car runs on a battery, and does not lead where another can.
    pub battery: bool,
}

impl Default for MeshSettings {
    fn default() -> Self {
        Self { enabled: false, group_size_min: 2, idle_us: 60_000_000, battery: false }
    }
}
