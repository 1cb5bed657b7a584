//! Messages that have not wholly arrived: a bound on what all links together hold of them.

use crate::wire::mesh::{Assembler, FrameError};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What all links together may hold, in KiB.
const COLLECTED_KIB_MAX: usize = 48 << 10;

/// What all links share: a permit for each KiB.
#[derive(Debug, Clone)]
pub(super) struct Memory(Arc<Semaphore>);

impl Memory {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(COLLECTED_KIB_MAX)))
    }
}

/// Puts the chunks of one link together.
pub(super) struct Collector {
    assembler: Assembler,
    memory: Memory,
    /// For as much as the assembler holds.
    held: Option<OwnedSemaphorePermit>,
}

impl Collector {
    pub(super) fn new(memory: Memory) -> Self {
        Self { assembler: Assembler::default(), memory, held: None }
    }

    /// Takes a chunk in; returns the message that it completes.
    ///
    /// # Errors
    /// [`FrameError`] when the chunk is refused, or all links together hold too much; what this one holds is let go.
    pub(super) fn push(&mut self, chunk: &[u8]) -> Result<Option<Vec<u8>>, FrameError> {
        let pushed = self.assembler.push(chunk);
        if !self.account() {
            self.assembler = Assembler::default();
            self.held = None;
            return Err(FrameError::TooMany { what: "KiB from all peers at once", items_max: COLLECTED_KIB_MAX });
        }
        pushed
    }

    /// Brings the permits in line with what is held; false when there are not enough.
    fn account(&mut self) -> bool {
        let needed = self.assembler.waiting_bytes().div_ceil(1 << 10);
        let had = self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        if needed < had {
            // Dropping what is split off gives it back.
            let surplus = self.held.as_mut().and_then(|held| held.split(had - needed));
            drop(surplus);
            return true;
        }
        let more = u32::try_from(needed - had).unwrap_or(u32::MAX);
        let Ok(permit) = self.memory.0.clone().try_acquire_many_owned(more) else { return false };
        match &mut self.held {
            Some(held) => held.merge(permit),
            None => self.held = Some(permit),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::mesh::{chunk, chunk_count};

    fn free(memory: &Memory) -> usize {
        memory.0.available_permits()
    }

    #[test]
    fn what_is_held_is_given_back_when_a_message_is_whole_or_begun_anew() {
        let memory = Memory::new();
        let mut collector = Collector::new(memory.clone());
        let message = vec![7; 1 << 20];
        let count = chunk_count(&message);
        for index in 0..count - 1 {
            assert_eq!(collector.push(&chunk(&message, index).unwrap()), Ok(None));
        }
        assert!(free(&memory) < COLLECTED_KIB_MAX - 1_000);
        assert_eq!(collector.push(&chunk(&message, count - 1).unwrap()), Ok(Some(message.clone())));
        assert_eq!(free(&memory), COLLECTED_KIB_MAX);
        for _ in 0..10_000 {
            assert_eq!(collector.push(&chunk(&message, 0).unwrap()), Ok(None));
        }
        assert!(free(&memory) > COLLECTED_KIB_MAX - 20);
        assert!(collector.push(b"nonsense").is_err());
        assert_eq!(free(&memory), COLLECTED_KIB_MAX);
    }

    #[test]
    fn all_links_together_hold_no_more_than_the_bound_and_the_next_message_is_taken() {
        let memory = Memory::new();
        let large = vec![7; 20 << 20];
        let mut collectors: Vec<Collector> = (0..4).map(|_| Collector::new(memory.clone())).collect();
        let mut refused = 0;
        for index in 0..chunk_count(&large) - 1 {
            let chunk = chunk(&large, index).unwrap();
            refused += collectors.iter_mut().filter_map(|collector| collector.push(&chunk).err()).count();
        }
        assert!(refused > 0);
        collectors.truncate(1);
        let small = vec![7; 40_000];
        let whole = (0..3).map(|index| collectors[0].push(&chunk(&small, index).unwrap()).unwrap()).last().unwrap();
        assert_eq!(whole, Some(small));
    }
}
