//! The pacer's thread: keeps the ring before the card filled, opens the card and opens it again when it was lost, and
//! says how it goes.

use super::Frame;
use super::inbox::{Inbox, News};
use super::output::{Card, Line, Loss, Session, line};
use super::pace::{DacClock, Pacer};
use crate::core::clock::{MonoTime, Monotonic};
use crate::core::status::AudioStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The card wakes the thread with every buffer that it takes, a command wakes it too, and else this does.
const TICK: Duration = Duration::from_millis(100);
const BLOCKS_PER_S: u32 = 200;
const RETRY_US: i64 = 1_000_000;
/// A card that asks for nothing for so long has died silently.
const STALL_MAX_US: i64 = 2_000_000;
const REPORT_US: i64 = 250_000;
/// What has not changed is reported again so often, as a report may be lost.
const REPEAT_US: i64 = 5_000_000;

pub(super) type Report = Box<dyn Fn(AudioStatus) + Send>;

/// A card that plays.
struct Open {
    line: Line,
    /// Closes the card when dropped.
    _session: Session,
    rate_hz: u32,
    dac: DacClock,
    block: Vec<Frame>,
    /// When the card last asked for a buffer, and how many it had asked for by then.
    lively: (MonoTime, u64),
}

/// All that the thread owns.
pub(super) struct Engine {
    pub card: Box<dyn Card>,
    pub pacer: Pacer,
    pub clock: Arc<dyn Monotonic>,
    pub inbox: Arc<Inbox>,
    pub beat: Arc<AtomicU64>,
    pub report: Report,
    pub status: AudioStatus,
    open: Option<Open>,
    retry_at: MonoTime,
    reported_at: MonoTime,
    reported: AudioStatus,
    /// Underruns of cards that are closed.
    underruns: u64,
    /// Rate error of the card when it was last open.
    rate: f64,
}

impl Engine {
    pub(super) fn new(
        card: Box<dyn Card>,
        pacer: Pacer,
        clock: Arc<dyn Monotonic>,
        inbox: Arc<Inbox>,
        beat: Arc<AtomicU64>,
        report: Report,
        output: String,
    ) -> Self {
        let now = clock.now();
        let status = AudioStatus { output, delay_us: pacer.delay_us, ..AudioStatus::default() };
        Self {
            card,
            pacer,
            clock,
            inbox,
            beat,
            report,
            reported: status.clone(),
            status,
            open: None,
            retry_at: now,
            reported_at: now - REPEAT_US,
            underruns: 0,
            rate: 0.0,
        }
    }

    /// Runs until it is told to stop.
    pub(super) fn run(mut self) {
        loop {
            std::thread::park_timeout(TICK);
            let news = self.inbox.take();
            if news.stop {
                return;
            }
            self.take(news);
            let now = self.clock.now();
            match &self.open {
                None if now >= self.retry_at => self.open_card(now),
                None => {}
                Some(_) => self.serve(now),
            }
            if self.open.as_ref().is_none_or(|open| open.lively.0 == now) {
                self.beat.fetch_add(1, Ordering::Relaxed);
            }
            self.tell(now);
        }
    }

    fn take(&mut self, news: News) {
        if news.clock_changed {
            self.pacer.set_clock(news.clock);
        }
        if let Some(plan) = news.plan {
            self.pacer.set_plan(plan);
        }
        if let Some(volume) = news.volume {
            self.pacer.set_volume(volume);
        }
        if let Some(delay_us) = news.delay_us {
            self.pacer.delay_us = delay_us;
            self.status.delay_us = delay_us;
        }
        if let Some((at, sweep)) = news.chirp {
            self.pacer.chirps.begin(at, sweep);
        }
    }

    fn open_card(&mut self, now: MonoTime) {
        let mut made = None;
        let clock = &self.clock;
        let opened = self.card.open(&mut |rate_hz| {
            let (to_card, player) = line(rate_hz, Arc::clone(clock));
            made = Some((to_card, rate_hz));
            player
        });
        match (opened, made) {
            (Ok(session), Some((line, rate_hz))) => {
                tracing::info!(output = %self.status.output, rate_hz, "the sound card is open");
                self.pacer.open(rate_hz);
                self.open = Some(Open {
                    line,
                    _session: session,
                    rate_hz,
                    dac: DacClock::new(rate_hz, self.rate),
                    block: vec![[0.0; 2]; (rate_hz / BLOCKS_PER_S).max(1) as usize],
                    lively: (now, 0),
                });
                self.status.problem = None;
            }
            (Ok(_), None) => self.fail(now, "the sound card was opened without a rate".into()),
            (Err(error), _) => self.fail(now, error.to_string()),
        }
    }

    /// Closes what is left of the card, and tries again in a second.
    fn fail(&mut self, now: MonoTime, problem: String) {
        if let Some(open) = self.open.take() {
            self.underruns += open.line.underruns();
            self.rate = open.dac.rate();
        }
        self.pacer.close();
        if self.status.problem.as_ref() != Some(&problem) {
            tracing::warn!(output = %self.status.output, problem, "there is no sound; it is being tried again");
        }
        self.status.problem = Some(problem);
        self.retry_at = now + RETRY_US;
    }

    /// Fills the ring, after what the card has said.
    fn serve(&mut self, now: MonoTime) {
        let Some(open) = &mut self.open else { return };
        let buffers = open.line.buffers();
        if buffers > open.lively.1 {
            open.lively = (now, buffers);
        }
        let stalled = now - open.lively.0 > STALL_MAX_US;
        match open.line.lost() {
            Some(Loss::Gone) => return self.fail(now, "the sound card is gone; plug it in again".into()),
            Some(Loss::Failed) => return self.fail(now, "the sound card failed".into()),
            None if stalled => return self.fail(now, "the sound card stands still".into()),
            None => {}
        }
        while let Some(observation) = open.line.observation() {
            open.dac.observe(observation);
        }
        let played = open.line.played();
        if let Some(behind) = played.checked_sub(self.pacer.frame()).filter(|behind| *behind > 0) {
            open.line.skip(behind);
            self.pacer.skip(behind);
        }
        let line = open.dac.line();
        while open.line.wanted() >= open.block.len() {
            self.pacer.render(line.as_ref(), &mut open.block);
            open.line.send(&open.block);
        }
    }

    fn tell(&mut self, now: MonoTime) {
        let heard = self.pacer.heard();
        let status = &mut self.status;
        status.rate_hz = self.open.as_ref().map(|open| open.rate_hz);
        status.in_sync = heard.in_sync && self.open.is_some();
        status.offset_us = heard.offset_us.map(|offset_us| offset_us.round() as i64);
        status.correction_ppm = heard.correction_ppm;
        status.realigns = heard.realigns;
        status.underruns = self.underruns + self.open.as_ref().map_or(0, |open| open.line.underruns());
        if self.open.is_some() {
            status.problem.clone_from(&heard.problem);
        }
        let old = &self.reported;
        let changed = (old.rate_hz, old.in_sync, old.underruns, old.realigns)
            != (status.rate_hz, status.in_sync, status.underruns, status.realigns)
            || old.problem != status.problem;
        let pause_us = if old == status { REPEAT_US } else { REPORT_US };
        if changed || now - self.reported_at >= pause_us {
            self.reported = status.clone();
            self.reported_at = now;
            (self.report)(status.clone());
        }
    }
}
