//! Reads one channel of the peer: dates what arrives, puts chunks together, and takes messages in under their bounds.
//!
//! Whoever reads slowly slows this down, and through it the peer: nothing piles up here.

use crate::core::clock::{MonoTime, Monotonic};
use crate::core::mesh::PeerMessage;
use crate::wire::mesh::{Assembler, CLOCK, CONTENT, Channel, FRAME_BYTES_MAX, FrameError, decode, decode_beat};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use webrtc::data_channel::{DataChannel, DataChannelEvent, RTCDataChannelMessage};

/// Messages of a peer that wait for the core.
pub(super) const HEARD_MAX: usize = 32;
/// All links together collect so much of messages that have not wholly arrived, in KiB.
pub(super) const COLLECTED_KIB_MAX: usize = 48 << 10;
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
    /// Permits of one KiB each, of [`COLLECTED_KIB_MAX`].
    pub(super) memory: Arc<Semaphore>,
}

impl Reader {
    /// Reads until the channel ends, or nobody wants it any more.
    pub(super) async fn run(self) {
        let mut assembler = Assembler::default();
        let mut held = Vec::new();
        while let Some(event) = self.source.poll().await {
            let received = self.clock.now();
            let heard = match event {
                DataChannelEvent::OnMessage(message) => self.take(message, &mut assembler, &mut held).await,
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
        assembler: &mut Assembler,
        held: &mut Vec<OwnedSemaphorePermit>,
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
        let pushed = self.collect(&message.data, assembler, held);
        if assembler.waiting_bytes() == 0 {
            held.clear();
        }
        match pushed? {
            Some(whole) => decode_beside(whole).await.map(Some),
            None => Ok(None),
        }
    }

    /// Takes a chunk in, if all links together have not collected too much.
    fn collect(
        &self,
        chunk: &[u8],
        assembler: &mut Assembler,
        held: &mut Vec<OwnedSemaphorePermit>,
    ) -> Result<Option<Vec<u8>>, FrameError> {
        let kib = u32::try_from(chunk.len().div_ceil(1 << 10)).unwrap_or(u32::MAX);
        match self.memory.clone().try_acquire_many_owned(kib) {
            Ok(permit) => held.push(permit),
            Err(_) => {
                *assembler = Assembler::default();
                return Err(FrameError::TooMany { what: "KiB from all peers at once", items_max: COLLECTED_KIB_MAX });
            }
        }
        assembler.push(chunk)
    }
}

async fn decode_beside(whole: Vec<u8>) -> Result<PeerMessage, FrameError> {
    if whole.len() <= QUICK_BYTES_MAX {
        return decode(&whole);
    }
    let decoded = tokio::task::spawn_blocking(move || decode(&whole)).await;
    decoded.unwrap_or_else(|_| Err(FrameError::Malformed { problem: "the runtime ends".into() }))
}
