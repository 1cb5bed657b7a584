//! Events on their way to the core: a slow reader delays them, and never the connection's heartbeats.

use crate::core::io::ServerEvent;
use std::collections::VecDeque;
use tokio::sync::mpsc;

/// Events that wait; more are not kept, and the connection begins anew with the whole state instead.
const WAITING_MAX: usize = 4_096;

/// Events in order.
pub(super) struct Inbox {
    waiting: VecDeque<ServerEvent>,
    events: mpsc::Sender<ServerEvent>,
}

/// Nobody reads the events any more.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Abandoned;

impl Inbox {
    pub(super) fn new(events: mpsc::Sender<ServerEvent>) -> Self {
        Self { waiting: VecDeque::new(), events }
    }

    /// Queues an event.
    ///
    /// # Errors
    /// A reason to begin anew, when too many wait.
    pub(super) fn push(&mut self, event: ServerEvent) -> Result<(), String> {
        if self.waiting.len() >= WAITING_MAX {
            return Err(format!("this car fell {WAITING_MAX} events behind, and begins anew"));
        }
        self.waiting.push_back(event);
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Hands the first event over when the reader has room. Dropping the wait loses nothing.
    pub(super) async fn deliver(&mut self) -> Result<(), Abandoned> {
        let room = self.events.reserve().await.map_err(|_| Abandoned)?;
        if let Some(event) = self.waiting.pop_front() {
            room.send(event);
        }
        Ok(())
    }

    /// Hands over all that waits, and then `last`.
    pub(super) async fn deliver_all(&mut self, last: ServerEvent) -> Result<(), Abandoned> {
        self.waiting.push_back(last);
        while !self.is_empty() {
            self.deliver().await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn down(n: usize) -> ServerEvent {
        ServerEvent::Down { reason: n.to_string() }
    }

    #[tokio::test]
    async fn a_slow_reader_gets_every_event_in_order() {
        let (sender, mut receiver) = mpsc::channel(1);
        let mut inbox = Inbox::new(sender);
        (0..100).for_each(|n| inbox.push(down(n)).unwrap());
        let reader = tokio::spawn(async move {
            let mut seen = Vec::new();
            while let Some(event) = receiver.recv().await {
                tokio::task::yield_now().await;
                seen.push(event);
            }
            seen
        });
        inbox.deliver_all(down(100)).await.unwrap();
        drop(inbox);
        assert_eq!(reader.await.unwrap(), (0..=100).map(down).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_reader_that_stands_still_does_not_fill_memory() {
        let (sender, receiver) = mpsc::channel(1);
        let mut inbox = Inbox::new(sender);
        (0..WAITING_MAX).for_each(|n| inbox.push(down(n)).unwrap());
        assert!(inbox.push(down(0)).is_err());
        drop(receiver);
        assert_eq!(inbox.deliver().await, Err(Abandoned));
    }
}
