//! One exchange with a reference, as it is measured.

use super::{ConvoyTime, MonoTime};

/// One exchange: sent and received by our clock, received and sent by the reference's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    pub sent: MonoTime,
    pub received: MonoTime,
    pub reference_received: ConvoyTime,
    pub reference_sent: ConvoyTime,
}

impl Probe {
    /// Time on the way, there and back, in microseconds.
    #[must_use]
    pub fn round_trip_us(&self) -> i64 {
        ((self.received - self.sent) - (self.reference_sent - self.reference_received)).max(0)
    }
}
