//! A byte stream that remembers when bytes last came: a long message on a slow link is life, though it is not
//! complete.

use crate::core::clock::{MonoTime, Monotonic};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What has come so far.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    bytes: AtomicU64,
    last_us: AtomicI64,
    /// Bytes that had come when the last message was complete.
    bytes_complete: AtomicU64,
    /// When the last long message was complete; nought when none was.
    long_complete_us: AtomicI64,
}

impl Arrivals {
    /// A message is complete; a long one has held up those behind it.
    pub(super) fn complete(&self, is_long: bool) {
        self.bytes_complete.store(self.bytes.load(Ordering::Relaxed), Ordering::Relaxed);
        if is_long {
            self.long_complete_us.store(self.last_us.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    /// When the last byte came of a message that held up, or still holds up, what is behind it.
    pub(super) fn held_up(&self) -> Option<MonoTime> {
        let partly_here = self.bytes.load(Ordering::Relaxed) > self.bytes_complete.load(Ordering::Relaxed);
        let since = if partly_here { &self.last_us } else { &self.long_complete_us };
        Some(since.load(Ordering::Relaxed)).filter(|us| *us != 0).map(MonoTime)
    }
}

/// A stream whose arrivals are watched.
pub(super) struct Watched<S> {
    inner: S,
    clock: Arc<dyn Monotonic>,
    arrivals: Arc<Arrivals>,
}

impl<S> Watched<S> {
    pub(super) fn new(inner: S, clock: Arc<dyn Monotonic>) -> (Self, Arc<Arrivals>) {
        let arrivals = Arc::new(Arrivals::default());
        (Self { inner, clock, arrivals: arrivals.clone() }, arrivals)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut self.inner).poll_read(cx, buf);
        let read = buf.filled().len().saturating_sub(before);
        if read > 0 {
            self.arrivals.last_us.store(self.clock.now().0, Ordering::Relaxed);
            self.arrivals.bytes.fetch_add(read as u64, Ordering::Relaxed);
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
