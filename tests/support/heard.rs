//! What people hear of a car on a machine that may give it too little time.

use jamz::core::status::AudioStatus;

/// How often the music jumped between two looks, but for jumps that a machine too busy to play made it do.
pub(crate) fn jumps(before: &AudioStatus, after: &AudioStatus) -> u64 {
    (after.realigns - before.realigns).saturating_sub(after.underruns - before.underruns)
}
