//! Repeatable chance: out of a seed (splitmix64), or out of bytes that someone else chose, as a fuzzer does.

use std::collections::VecDeque;

/// A stream of numbers that its seed, or its bytes, determine.
#[derive(Debug, Clone)]
pub struct Chance {
    /// What is drawn first, while there is any.
    bytes: VecDeque<u8>,
    state: u64,
}

impl Chance {
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { bytes: VecDeque::new(), state: seed }
    }

    /// Draws from the bytes; when they are used up, from what they mix to, so that few bytes are a whole drive too.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        let mixed = bytes.iter().fold(Self::new(0), |mut mixed, byte| {
            mixed.state ^= u64::from(*byte);
            Self::new(mixed.draw())
        });
        Self { bytes: bytes.iter().copied().collect(), state: mixed.state }
    }

    pub fn draw(&mut self) -> u64 {
        if self.bytes.len() >= size_of::<u64>() {
            return self.bytes.drain(..size_of::<u64>()).fold(0, |number, byte| number << 8 | u64::from(byte));
        }
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From nought up to `below`, which it never reaches.
    pub fn below(&mut self, below: usize) -> usize {
        (self.draw() % (below.max(1) as u64)) as usize
    }

    /// From `least` to `most`, both possible.
    pub fn between(&mut self, least: i64, most: i64) -> i64 {
        least + (self.draw() % ((most - least).max(0) as u64 + 1)) as i64
    }

    /// True with this probability.
    pub fn happens(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Exponentially distributed, as queueing is.
    pub fn queueing(&mut self, mean_us: f64) -> i64 {
        (-mean_us * (1.0 - self.unit()).ln()) as i64
    }

    fn unit(&mut self) -> f64 {
        (self.draw() >> 11) as f64 / (1_u64 << 53) as f64
    }
}
