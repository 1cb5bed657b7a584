//! Reads one channel of the peer: dates what arrives, puts chunks together, and takes messages in under their bounds.
//!
//! Whoever reads slowly slows this down, and through it the peer: nothing piles up here.

use super::collect::{Collector, Memory};
use crate::core::clock::{MonoTime, Monotonic};
use crate::core::mesh::PeerMessage;
use crate::wire::mesh::{CLOCK, CONTENT, Channel, FRAME_BYTES_MAX, FrameError, decode, decode_beat};
use std::sync::Arc;
use tokio::sync::mpsc;
use webrtc::data_channel::{DataChannel, DataChannelEvent, RTCDataChannelMessage};

/// Messages of a peer that wait for the core.
pub(super) const HEARD_MAX: usize = 32;
/// Reading more than this takes long enough to be done beside.
const QUICK_BYTES_MAX: usize = 64 << 10;

/// What came over a channel.
pub(super) enum Heard {
    Message {
        message: Box<PeerMessage>,
        received: MonoTime,
    },
    /// It was no message within its bounds.
    Refused(FrameError),
    /// The peer has closed the channel.
    Closed,
}

/// The reader of one channel.
pub(super) struct Reader {
    pub(super) channel: Channel,
    pub(super) source: Arc<dyn DataChannel>,
    pub(super) clock: Arc<dyn Monotonic>,
    pub(super) heard: mpsc::Sender<Heard>,
    pub(super) memory: Memory,
}

impl Reader {
    /// Reads until the channel ends, or nobody wants it any more.
    pub(super) async fn run(self) {
        let mut collector = Collector::new(self.memory.clone());
        while let Some(event) = self.source.poll().await {
            let received = self.clock.now();
            let heard = match event {
                DataChannelEvent::OnMessage(message) => self.take(message, &mut collector).await,
                DataChannelEvent::OnClose => break,
                _ => Ok(None),
            };
            let heard = match heard {
                Ok(None) => continue,
                Ok(Some(message)) => Heard::Message { message: Box::new(message), received },
                Err(error) => Heard::Refused(error),
            };
            if self.heard.send(heard).await.is_err() {
                return;
            }
        }
        // Fails when the link has ended already.
        let _ = self.heard.send(Heard::Closed).await;
    }

    async fn take(
        &self,
        message: RTCDataChannelMessage,
        collector: &mut Collector,
    ) -> Result<Option<PeerMessage>, FrameError> {
        if message.data.len() > FRAME_BYTES_MAX {
            let bytes = message.data.len();
            return Err(FrameError::TooLong { kind: "frame", bytes, bytes_max: FRAME_BYTES_MAX });
        }
        if self.channel == CLOCK {
            return decode_beat(&message.data).map(|beat| Some(PeerMessage::Beat(Box::new(beat))));
        }
        if self.channel != CONTENT {
            return decode(&message.data).map(Some);
        }
        match collector.push(&message.data)? {
            Some(whole) => decode_beside(whole).await.map(Some),
            None => Ok(None),
        }
    }
}

async fn decode_beside(whole: Vec<u8>) -> Result<PeerMessage, FrameError> {
    if whole.len() <= QUICK_BYTES_MAX {
        return decode(&whole);
    }
    let decoded = tokio::task::spawn_blocking(move || decode(&whole)).await;
    decoded.unwrap_or_else(|_| Err(FrameError::Malformed { problem: "the runtime ends".into() }))
}
