//! How much of everything a client may have: one place for the bounds, and the meters that hold a connection to them.

use crate::core::clock::MonoTime;
use serde_json::Value;

/// Largest message, in bytes: a playlist of 10,000 entries.
pub const PAYLOAD_BYTES_MAX: u64 = 4 << 20;
/// Largest change, in bytes of JSON.
pub const CHANGE_BYTES_MAX: usize = 32 << 10;
/// Largest WebRTC signal, in bytes of JSON.
pub const SIGNAL_BYTES_MAX: usize = 64 << 10;
/// Longest name of a member, in bytes.
pub const NAME_BYTES_MAX: usize = 256;
/// Longest token, in bytes.
pub const TOKEN_BYTES_MAX: usize = 8 << 10;

/// Connections at once.
pub const CONNECTIONS_MAX: usize = 10_000;
/// Music sessions, audio sessions and groups that one connection is in.
pub const ROOMS_PER_CONNECTION_MAX: usize = 16;
/// Participants of one audio session or group.
pub const ROOM_MEMBERS_MAX: usize = 256;
/// Convoys with members at once.
pub const CONVOYS_MAX: usize = 2_000;
/// Convoys kept on disk.
pub const CONVOYS_KEPT_MAX: i64 = 20_000;
/// A convoy that nobody has joined for so long makes room for a new one, in seconds.
pub const CONVOY_KEPT_S: i64 = 90 * 86_400;
/// Recorded changes kept of a convoy beyond those that its kept state needs.
pub const CHANGES_KEPT: i64 = 2_000;

/// Messages of one connection that wait to be handled.
pub const QUEUE_MAX: usize = 4_096;
/// Messages of all connections together that wait for the convoys' task; connections wait their turn. However many one
/// has, another's waits for no more of them than these, which take about 100 us each, and share one commit.
pub const INBOX_MAX: usize = 128;
/// Packets to one client that wait for its network; a client that is further behind is disconnected, and starts afresh.
pub const OUTBOX_MAX: usize = 4_096;

/// Messages per second that a connection may send for long, and at once.
const MESSAGES: Rate = Rate { per_second: 500.0, burst: 2_000.0 };
/// Bytes likewise: a few whole playlists in a row.
const BYTES: Rate = Rate { per_second: 1_048_576.0, burst: 16_777_216.0 };
/// What today's backend allows of its relayed events; the rest is dropped silently, as there.
const MUSIC_SYNC: Rate = Rate { per_second: 1.0, burst: 10.0 };
const SIGNALLING: Rate = Rate { per_second: 10.0, burst: 50.0 };

#[derive(Debug, Clone, Copy)]
struct Rate {
    per_second: f64,
    burst: f64,
}

/// A token bucket.
#[derive(Debug, Clone)]
struct Bucket {
    rate: Rate,
    level: f64,
    filled: MonoTime,
}

impl Bucket {
    fn new(rate: Rate, now: MonoTime) -> Self {
        Self { rate, level: rate.burst, filled: now }
    }

    fn take(&mut self, amount: f64, now: MonoTime) -> bool {
        let elapsed_s = (now - self.filled).max(0) as f64 / 1e6;
        self.level = (self.level + elapsed_s * self.rate.per_second).min(self.rate.burst);
        self.filled = now;
        if self.level < amount {
            return false;
        }
        self.level -= amount;
        true
    }
}

/// What one connection has used of its allowance.
#[derive(Debug)]
pub struct Meters {
    messages: Bucket,
    bytes: Bucket,
    music_sync: Bucket,
    signalling: Bucket,
}

impl Meters {
    #[must_use]
    pub fn new(now: MonoTime) -> Self {
        Self {
            messages: Bucket::new(MESSAGES, now),
            bytes: Bucket::new(BYTES, now),
            music_sync: Bucket::new(MUSIC_SYNC, now),
            signalling: Bucket::new(SIGNALLING, now),
        }
    }

    /// Counts one message.
    ///
    /// # Errors
    /// Which limit it breaks; the connection is to be ended.
    pub fn count(&mut self, bytes: usize, now: MonoTime) -> Result<(), String> {
        if !self.messages.take(1.0, now) {
            return Err(format!(
                "too many messages: at most {} a second for long, {} at once",
                MESSAGES.per_second, MESSAGES.burst
            ));
        }
        if !self.bytes.take(bytes as f64, now) {
            return Err(format!("too much data: at most {} bytes a second for long", BYTES.per_second));
        }
        Ok(())
    }

    pub fn music_sync(&mut self, now: MonoTime) -> bool {
        self.music_sync.take(1.0, now)
    }

    pub fn signalling(&mut self, now: MonoTime) -> bool {
        self.signalling.take(1.0, now)
    }
}

/// About how many bytes of JSON a value takes. Its depth is bounded by the parser's own limit.
#[must_use]
pub fn weight(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 4,
        Value::Number(_) => 8,
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(|item| weight(item) + 1).sum::<usize>() + 2,
        Value::Object(fields) => fields.iter().map(|(key, item)| key.len() + 4 + weight(item)).sum::<usize>() + 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_a_flood_does_not() {
        let mut meters = Meters::new(MonoTime(0));
        let passed = (0..5_000).take_while(|_| meters.count(10, MonoTime(0)).is_ok()).count();
        assert_eq!(passed, 2_000);
        assert!(meters.count(10, MonoTime(0)).unwrap_err().contains("too many messages"));
        assert!(meters.count(10, MonoTime(1_000_000)).is_ok());
        assert!(meters.count(64 << 20, MonoTime(900_000_000)).unwrap_err().contains("too much data"));
    }

    #[test]
    fn relayed_events_have_the_backends_own_allowance() {
        let mut meters = Meters::new(MonoTime(0));
        assert_eq!((0..20).filter(|_| meters.music_sync(MonoTime(0))).count(), 10);
        assert_eq!((0..99).filter(|_| meters.signalling(MonoTime(0))).count(), 50);
    }
}
