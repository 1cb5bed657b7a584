//! Messages that are longer than a frame: cut into chunks, and put together again under a bound.
//!
//! A chunk is a byte that names its kind (1: a message), the message's whole length and the chunk's place in it (both
//! 32 bits, big-endian), and the bytes. The channel is ordered and reliable, so one message follows the other.

use super::{FRAME_BYTES_MAX, FrameError, MESSAGE_BYTES_MAX};

const MESSAGE: u8 = 1;
const HEADER_BYTES: usize = 9;
/// Bytes of a message in one chunk.
pub const CHUNK_BYTES_MAX: usize = FRAME_BYTES_MAX - HEADER_BYTES;

/// How many chunks a message makes.
#[must_use]
pub fn chunk_count(message: &[u8]) -> usize {
    message.len().div_ceil(CHUNK_BYTES_MAX)
}

/// The chunk at a place counted from nought; none beyond the last.
#[must_use]
pub fn chunk(message: &[u8], index: usize) -> Option<Vec<u8>> {
    let offset = index.checked_mul(CHUNK_BYTES_MAX)?;
    let rest = message.get(offset..).filter(|rest| !rest.is_empty())?;
    let part = rest.get(..CHUNK_BYTES_MAX).unwrap_or(rest);
    let mut chunk = Vec::with_capacity(HEADER_BYTES + part.len());
    chunk.push(MESSAGE);
    chunk.extend(u32::try_from(message.len()).ok()?.to_be_bytes());
    chunk.extend(u32::try_from(offset).ok()?.to_be_bytes());
    chunk.extend(part);
    Some(chunk)
}

/// Puts chunks together. Memory grows with what has come, never with what was announced.
#[derive(Debug, Default)]
pub struct Assembler {
    message: Vec<u8>,
}

impl Assembler {
    /// Takes a chunk in; returns the message that it completes.
    ///
    /// # Errors
    /// [`FrameError`] when it is no chunk, does not follow the one before, or its message would be too long. What was
    /// collected is let go, and a chunk that begins a message begins anew.
    pub fn push(&mut self, chunk: &[u8]) -> Result<Option<Vec<u8>>, FrameError> {
        let taken = self.take(chunk);
        if taken.is_err() {
            self.message = Vec::new();
        }
        taken
    }

    /// Bytes that wait for the rest of their message.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.message.len()
    }

    fn take(&mut self, chunk: &[u8]) -> Result<Option<Vec<u8>>, FrameError> {
        let (header, part) = chunk.split_at_checked(HEADER_BYTES).ok_or(FrameError::Chunk)?;
        let [MESSAGE, l0, l1, l2, l3, o0, o1, o2, o3] = *header else { return Err(FrameError::Chunk) };
        let length = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
        let offset = u32::from_be_bytes([o0, o1, o2, o3]) as usize;
        if length > MESSAGE_BYTES_MAX {
            return Err(FrameError::TooLong { kind: "message", bytes: length, bytes_max: MESSAGE_BYTES_MAX });
        }
        if offset == 0 {
            self.message.clear();
        }
        if offset != self.message.len() || part.is_empty() || part.len() > length.saturating_sub(offset) {
            return Err(FrameError::Chunk);
        }
        self.message.extend_from_slice(part);
        Ok((self.message.len() == length).then(|| std::mem::take(&mut self.message)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(bytes: usize) -> Vec<u8> {
        (0..bytes).map(|n| (n % 251) as u8).collect()
    }

    fn chunks(message: &[u8]) -> Vec<Vec<u8>> {
        (0..chunk_count(message)).map(|index| chunk(message, index).unwrap()).collect()
    }

    #[test]
    fn a_message_of_any_length_comes_together_again() {
        let mut assembler = Assembler::default();
        for bytes in [1, CHUNK_BYTES_MAX - 1, CHUNK_BYTES_MAX, CHUNK_BYTES_MAX + 1, 5 * CHUNK_BYTES_MAX, 1 << 20] {
            let message = message(bytes);
            let mut whole = None;
            for chunk in chunks(&message) {
                assert!(whole.is_none() && chunk.len() <= FRAME_BYTES_MAX);
                whole = assembler.push(&chunk).unwrap();
            }
            assert!(whole == Some(message) && assembler.waiting_bytes() == 0);
        }
        assert_eq!(chunk(&message(10), 1), None);
    }

    #[test]
    fn a_chunk_that_does_not_follow_is_refused_and_the_next_message_is_taken() {
        let long = chunks(&message(3 * CHUNK_BYTES_MAX));
        let short = chunks(&message(5));
        let mut assembler = Assembler::default();
        assert_eq!(assembler.push(&long[1]), Err(FrameError::Chunk));
        assert_eq!(assembler.push(&long[0]), Ok(None));
        assert_eq!(assembler.push(&long[2]), Err(FrameError::Chunk));
        assert_eq!(assembler.waiting_bytes(), 0);
        assert_eq!(assembler.push(&long[0]), Ok(None));
        assert_eq!(assembler.push(&short[0]), Ok(Some(message(5))));
    }

    #[test]
    fn hostile_chunks_cost_no_memory() {
        let mut assembler = Assembler::default();
        let announced = [&[MESSAGE, 255, 255, 255, 255, 0, 0, 0, 0][..], &[7]].concat();
        assert!(matches!(assembler.push(&announced), Err(FrameError::TooLong { .. })));
        let beyond = [&[MESSAGE, 0, 0, 0, 1, 0, 0, 0, 0][..], &[7, 7]].concat();
        let empty = [MESSAGE, 0, 0, 0, 1, 0, 0, 0, 0];
        for chunk in [&beyond[..], &empty, &[], &[9; 20], &[MESSAGE; 8]] {
            assert_eq!(assembler.push(chunk), Err(FrameError::Chunk));
        }
        assert_eq!(assembler.waiting_bytes(), 0);
    }
}
