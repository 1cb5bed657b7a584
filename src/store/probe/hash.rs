//! The identity of a file: the BLAKE3 hash of all its bytes.

use super::{Problem, Watch};
use crate::core::id::TrackId;
use std::fs::File;
use std::io::Read;
use std::path::Path;

const CHUNK_BYTES: usize = 64 << 10;

/// Reads a whole file; runs inside [`guarded`](super::guarded).
pub(in crate::store) fn hash(path: &Path, watch: &Watch) -> Result<TrackId, Problem> {
    let mut file = File::open(path)?;
    let mut hasher = blake3::Hasher::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count = file.read(&mut chunk)?;
        watch.progress(count as u64)?;
        if count == 0 {
            break;
        }
        hasher.update(chunk.get(..count).unwrap_or_default());
    }
    TrackId::new(hasher.finalize().to_hex().as_str()).map_err(|error| Problem::Unreadable(error.to_string()))
}
