//! One other member, as the mesh knows it: the link with it, or the attempts at one.

use crate::core::clock::{Estimator, MonoTime};
use crate::core::mesh::{Attempt, Beat, Echo, Hello};
use crate::core::status::Member;
use std::collections::VecDeque;

/// An attempt that is not through by then is given up.
const CONNECT_US: i64 = 8_000_000;
/// One that nobody answers by then, too: the offer was lost.
const UNANSWERED_US: i64 = 3_000_000;
/// After so long without success the next one in rank is tried as well.
const PATIENCE_US: i64 = 1_500_000;
/// The wait after a first failure on the same network, where an attempt costs little; it doubles with each.
const RETRY_NEAR_US: i64 = 500_000;
const RETRY_NEAR_MAX_US: i64 = 256_000_000;
/// Over the server an attempt costs mobile data; the wait grows fourfold with each.
const RETRY_FAR_US: i64 = 4_000_000;
const RETRY_FAR_MAX_US: i64 = 3_600_000_000;
/// A link that nobody needs is kept so long at least.
const IDLE_MIN_US: i64 = 3_000_000;
/// The last attempts of a peer, by which late signals are known.
const ATTEMPTS_KEPT: usize = 16;

#[derive(Debug)]
pub(super) enum Link {
    Down,
    Connecting { attempt: Attempt, since: MonoTime, ours: bool, answered: bool, patient: bool },
    Up(Box<Live>),
}

/// Another member.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) link: Link,
    /// Attempts of its own that are over, or that were refused.
    over: VecDeque<Attempt>,
    pub(super) failures: u32,
    pub(super) retry: MonoTime,
    /// It runs on a battery, as it last said.
    pub(super) battery: bool,
    /// Its last attempt that is known: of its own each has a higher number than the one before.
    pub(super) latest: Attempt,
}

impl Peer {
    pub(super) fn new(now: MonoTime) -> Self {
        Self { link: Link::Down, over: VecDeque::new(), failures: 0, retry: now, battery: false, latest: Attempt(0) }
    }

    pub(super) fn live(&self) -> Option<&Live> {
        if let Link::Up(live) = &self.link { Some(live) } else { None }
    }

    pub(super) fn live_mut(&mut self) -> Option<&mut Live> {
        if let Link::Up(live) = &mut self.link { Some(live) } else { None }
    }

    pub(super) fn attempt(&self) -> Option<Attempt> {
        match &self.link {
            Link::Down => None,
            Link::Connecting { attempt, .. } => Some(*attempt),
            Link::Up(live) => Some(live.attempt),
        }
    }

    /// Ends the link, or the attempt at one.
    pub(super) fn end(&mut self) {
        if let Some(attempt) = self.attempt() {
            self.put_behind(attempt);
        }
        self.link = Link::Down;
    }

    pub(super) fn put_behind(&mut self, attempt: Attempt) {
        if self.over.len() >= ATTEMPTS_KEPT {
            self.over.pop_front();
        }
        self.over.push_back(attempt);
    }

    pub(super) fn is_over(&self, attempt: Attempt) -> bool {
        self.over.contains(&attempt)
    }

    /// An attempt came to nothing. Who made it makes the next one, too, so that two do not try each other at once.
    pub(super) fn fail(&mut self, is_near: bool, now: MonoTime) {
        let is_ours = matches!(self.link, Link::Connecting { ours: true, .. });
        self.end();
        let wait_us = if is_near {
            (RETRY_NEAR_US << self.failures.min(10)).min(RETRY_NEAR_MAX_US)
        } else {
            (RETRY_FAR_US << (2 * self.failures.min(5))).min(RETRY_FAR_MAX_US)
        };
        let wait_us = if is_ours { wait_us } else { wait_us + wait_us / 2 };
        self.failures = self.failures.saturating_add(1);
        self.retry = now + wait_us;
    }

    /// Whether it seems out of reach, so that another should be tried beside it.
    pub(super) fn seems_gone(&self) -> bool {
        match self.link {
            Link::Down => self.failures > 0,
            Link::Connecting { patient, .. } => self.failures > 0 || !patient,
            Link::Up(_) => false,
        }
    }

    /// When to look again: when [`Self::seems_gone`] turns true, and when the attempt is to be given up.
    pub(super) fn timeout(&self) -> Option<MonoTime> {
        let Link::Connecting { since, patient, .. } = self.link else { return None };
        Some(if patient { since + PATIENCE_US } else { self.deadline().unwrap_or(since) })
    }

    /// When the attempt is to be given up.
    pub(super) fn deadline(&self) -> Option<MonoTime> {
        match self.link {
            Link::Connecting { since, ours: true, answered: false, .. } => Some(since + UNANSWERED_US),
            Link::Connecting { since, .. } => Some(since + CONNECT_US),
            Link::Down | Link::Up(_) => None,
        }
    }

    /// Notes that patience has an end.
    pub(super) fn lose_patience(&mut self, now: MonoTime) {
        if let Link::Connecting { since, patient, .. } = &mut self.link {
            *patient &= now - *since < PATIENCE_US;
        }
    }
}

/// A list of members that went out.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) members: Vec<Member>,
    pub(super) sum: u32,
    pub(super) at: MonoTime,
}

/// A link that carries.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) attempt: Attempt,
    /// When it came up.
    pub(super) since: MonoTime,
    pub(super) hello: Option<Hello>,
    /// When that came.
    pub(super) greeted: MonoTime,
    /// All who can be reached through it, as it says, and the checksum of that.
    pub(super) members: Vec<Member>,
    pub(super) members_sum: u32,
    /// What it was told of those that can be reached through us.
    pub(super) told: Option<Told>,
    /// Whether this side needs the link.
    pub(super) wanted: bool,
    /// Since when neither side needs it.
    pub(super) idle: Option<MonoTime>,

    /// The last beat that was heard, and when it came.
    pub(super) beat: Option<Beat>,
    pub(super) heard: MonoTime,
    pub(super) echo: Option<Echo>,
    /// It is said to be gone, and was not heard since.
    pub(super) doubted: bool,
    /// It was late because this car was, and was not heard since.
    pub(super) pardoned: bool,
    /// When its authority was last heard to count.
    pub(super) counted: MonoTime,
    /// It counts no more.
    pub(super) gone: bool,
    /// Own questions and answers of which it is not proved that they arrived, by when they left.
    pub(super) asks: VecDeque<MonoTime>,
    pub(super) answers: VecDeque<MonoTime>,
    pub(super) asked: Option<MonoTime>,
    /// A beat has to go out at once: something changed, or the other side asked.
    pub(super) ask_now: bool,
    pub(super) answer_now: bool,
    pub(super) asked_by_it: Option<MonoTime>,
    /// It asks out of turn: it wants a faster pace, until then.
    pub(super) hurried: MonoTime,
    /// It hears us no more.
    pub(super) deaf: bool,
    /// Of its monotonic clock, taken for the reference's.
    pub(super) estimator: Estimator,
    /// The rate of convoy time by its clock, smoothed.
    pub(super) its_rate: Option<f64>,
    /// Its convoy time was found to be ours, and was off by so much at most, by its own word.
    pub(super) in_time: Option<i64>,
}

impl Live {
    /// When it is closed if neither side comes to need it again. One that was of use for a short time only, such as to
    /// find the hub, is not kept for `idle_us`.
    pub(super) fn closes(&self, idle_us: i64) -> Option<MonoTime> {
        let since = self.idle?;
        Some(since + (since - self.since).max(IDLE_MIN_US).min(idle_us))
    }

    pub(super) fn new(attempt: Attempt, now: MonoTime) -> Self {
        Self {
            attempt,
            since: now,
            hello: None,
            greeted: now,
            members: Vec::new(),
            members_sum: 0,
            told: None,
            wanted: true,
            idle: None,
            beat: None,
            heard: now,
            echo: None,
            doubted: false,
            pardoned: false,
            counted: now,
            gone: false,
            asks: VecDeque::new(),
            answers: VecDeque::new(),
            asked: None,
            ask_now: true,
            answer_now: false,
            asked_by_it: None,
            hurried: now,
            deaf: false,
            estimator: Estimator::default(),
            its_rate: None,
            in_time: None,
        }
    }
}
