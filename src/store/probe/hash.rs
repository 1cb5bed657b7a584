//! The identity of a file: the BLAKE3 hash of all its bytes.

use super::{Problem, Watch};
use crate::core::id::TrackId;
use std::fs::File;
use std::io::Read;
use std::path::Path;

const CHUNK_BYTES: usize = 64 << 10;

/// Reads a whole file; runs inside [`guarded`](super::guarded).
pub(in crate::store) fn hash(path: &Path, watch: &Watch) -> Result<TrackId, Problem> {
    let mut hasher = blake3::Hasher::new();
    hash_open(&mut File::open(path)?, &mut hasher, watch)?;
    TrackId::new(hasher.finalize().to_hex().as_str()).map_err(|error| Problem::Unreadable(error.to_string()))
}

/// Feeds what is left of an open file to `hasher`; gives the number of bytes.
pub(in crate::store) fn hash_open(file: &mut File, hasher: &mut blake3::Hasher, watch: &Watch) -> Result<u64, Problem> {
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut bytes = 0;
    loop {
        let count = file.read(&mut chunk)?;
        watch.progress(count as u64)?;
        if count == 0 {
            return Ok(bytes);
        }
        bytes += count as u64;
        hasher.update(chunk.get(..count).unwrap_or_default());
    }
}
