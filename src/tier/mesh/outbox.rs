//! What waits to be sent over one link: controls first, long messages in chunks behind them, beats never.

use super::connection::Connection;
use crate::core::clock::Monotonic;
use crate::core::mesh::Beat;
use crate::wire::mesh::{FRAME_BYTES_MAX, chunk, encode_beat};
use bytes::BytesMut;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};
use webrtc::data_channel::DataChannel;

/// What may wait before the peer is held to be stuck.
const CONTROLS_MAX: usize = 1_024;
const CONTROL_BYTES_MAX: usize = 4 << 20;
const CONTENT_BYTES_MAX: usize = 48 << 20;
/// What was said last is worth so long a wait, such as a goodbye.
const FLUSH_DEADLINE: Duration = Duration::from_millis(300);
const FLUSH_PERIOD: Duration = Duration::from_millis(5);

/// The peer takes less than it is sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stuck;

/// The channel is gone.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Gone;

/// What waits, by how much it hurries.
#[derive(Debug, Clone, Copy)]
pub(super) enum Queue {
    Controls,
    Contents,
}

pub(super) struct Outbox {
    control: Arc<dyn DataChannel>,
    clock: Arc<dyn DataChannel>,
    content: Arc<dyn DataChannel>,
    controls: VecDeque<Arc<str>>,
    control_bytes: usize,
    contents: VecDeque<Arc<str>>,
    content_bytes: usize,
    /// The next chunk of the first of `contents`.
    next_chunk: usize,
}

impl Outbox {
    pub(super) fn new(connection: &Connection) -> Self {
        let [control, clock, content] = connection.own.clone();
        Self {
            control,
            clock,
            content,
            controls: VecDeque::new(),
            control_bytes: 0,
            contents: VecDeque::new(),
            content_bytes: 0,
            next_chunk: 0,
        }
    }

    /// Queues a message.
    pub(super) fn push(&mut self, text: Arc<str>) -> Result<(), Stuck> {
        let (queue, bytes, bytes_max) = if text.len() <= FRAME_BYTES_MAX {
            (&mut self.controls, &mut self.control_bytes, CONTROL_BYTES_MAX)
        } else {
            (&mut self.contents, &mut self.content_bytes, CONTENT_BYTES_MAX)
        };
        *bytes += text.len();
        queue.push_back(text);
        if *bytes > bytes_max || queue.len() > CONTROLS_MAX { Err(Stuck) } else { Ok(()) }
    }

    /// Sends a beat now, dated now, or not at all: a late one is worthless.
    pub(super) async fn beat(&self, mut beat: Box<Beat>, clock: &dyn Monotonic) {
        beat.sent = clock.now();
        let sent = match encode_beat(&beat) {
            Ok(text) => self.clock.try_send_text(&text).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(problem) = sent {
            tracing::debug!(problem, "a beat was not sent");
        }
    }

    /// Waits until one of the queues can go on: which. Never ends while both are empty.
    pub(super) async fn ready(&self) -> Result<Queue, Gone> {
        let (has_control, has_content) = (!self.controls.is_empty(), !self.contents.is_empty());
        let ready = tokio::select! {
            biased;
            room = self.control.writable(), if has_control => room.map(|()| Queue::Controls),
            room = self.content.writable(), if has_content => room.map(|()| Queue::Contents),
            else => std::future::pending().await,
        };
        ready.map_err(|_| Gone)
    }

    /// Sends the first frame of a queue that is ready. Given up half-way it might send twice, so it is to be awaited.
    pub(super) async fn send(&mut self, queue: Queue) -> Result<(), Gone> {
        match queue {
            Queue::Controls => self.send_control().await,
            Queue::Contents => self.send_chunk().await,
        }
    }

    /// Sends the controls that wait, and sees them off.
    pub(super) async fn flush(&mut self) {
        let all = async {
            while !self.controls.is_empty() && self.send_control().await.is_ok() {}
            while self.control.outstanding_bytes().await.is_ok_and(|bytes| bytes > 0) {
                sleep(FLUSH_PERIOD).await;
            }
        };
        // Not in time: it was only worth a try.
        let _ = timeout(FLUSH_DEADLINE, all).await;
    }

    async fn send_control(&mut self) -> Result<(), Gone> {
        let Some(text) = self.controls.front().cloned() else { return Ok(()) };
        self.control.send_text(&text).await.map_err(|_| Gone)?;
        self.controls.pop_front();
        self.control_bytes = self.control_bytes.saturating_sub(text.len());
        Ok(())
    }

    async fn send_chunk(&mut self) -> Result<(), Gone> {
        let Some(text) = self.contents.front().cloned() else { return Ok(()) };
        if let Some(chunk) = chunk(text.as_bytes(), self.next_chunk) {
            self.content.send(BytesMut::from(chunk.as_slice())).await.map_err(|_| Gone)?;
            self.next_chunk += 1;
        } else {
            self.contents.pop_front();
            self.content_bytes = self.content_bytes.saturating_sub(text.len());
            self.next_chunk = 0;
        }
        Ok(())
    }
}
