//! Whether the machine itself stood still: a virtual one is at times not run, and then nothing on it plays.

use super::drive::now_s;
use super::span::Span;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

const STEP: Duration = Duration::from_millis(5);
/// Later wakes than this are told; well below what a card has in its buffer.
const LATE_S: f64 = 0.02;

/// A thread that does nothing but wake up, and notes when it did so late.
#[derive(Clone, Default)]
pub struct Host {
    stood: Arc<Mutex<Vec<Span>>>,
}

impl Host {
    /// Watches until the program ends.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn watch() -> std::io::Result<Self> {
        let host = Self::default();
        let stood = host.stood.clone();
        thread::Builder::new().name("host".into()).spawn(move || {
            let mut slept_s = now_s();
            loop {
                thread::sleep(STEP);
                let woke_s = now_s();
                if woke_s - slept_s > STEP.as_secs_f64() + LATE_S {
                    let span = Span { from_s: slept_s, to_s: woke_s };
                    stood.lock().unwrap_or_else(PoisonError::into_inner).push(span);
                }
                slept_s = woke_s;
            }
        })?;
        Ok(host)
    }

    /// When it stood still so far, by ascending time.
    pub fn stood(&self) -> Vec<Span> {
        self.stood.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
