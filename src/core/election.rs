//! Who has authority: terms, as in Raft but without a quorum, because half a convoy must keep working.

use serde::{Deserialize, Serialize};

/// Counts the passings of authority; of two authorities that meet, the one of the higher term leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Term(pub u64);
