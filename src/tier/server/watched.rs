//! A byte stream that remembers when bytes last came: a long message on a slow link is life, though no message is complete.

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
}

impl Arrivals {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// When the last byte was read.
    pub(super) fn last(&self) -> MonoTime {
        MonoTime(self.last_us.load(Ordering::Relaxed))
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
