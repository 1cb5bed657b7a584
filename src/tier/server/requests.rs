//! Questions to the server that wait for their answer, each with its own number and deadline.

use crate::core::changes::ChangeId;
use crate::core::clock::MonoTime;
use crate::core::id::ConvoyId;
use crate::core::io::RequestId;
use std::collections::BTreeMap;

/// Questions that wait at once; more commands wait their turn.
const OUTSTANDING_MAX: usize = 1_024;
/// Answers behind a long message come late, and its bytes are life: so long after the last one the deadline strikes.
const STALLED_US: i64 = 1_000_000;
/// But for no longer than this.
const PATIENCE_US: i64 = 30_000_000;

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Question {
    Join,
    Leave,
    Change(ChangeId),
    Signal,
    /// What time it is in the convoy.
    Probe,
    /// Whether the path lives, of a server without a clock.
    Ping,
    Token,
    Invite {
        request: RequestId,
        convoy: ConvoyId,
    },
}

impl Question {
    /// An answer that takes longer is lost, and the path with it.
    fn deadline_us(&self) -> i64 {
        match self {
            Self::Probe | Self::Ping => 1_000_000,
            Self::Change(_) | Self::Signal | Self::Leave | Self::Invite { .. } => 3_000_000,
            Self::Join => 5_000_000,
            Self::Token => 10_000_000,
        }
    }
}

/// A question and when it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) question: Question,
    pub(super) at: MonoTime,
}

/// The questions of one connection. Numbers are never used twice.
#[derive(Debug, Default)]
pub(super) struct Requests {
    number_next: u64,
    outstanding: BTreeMap<u64, Asked>,
}

impl Requests {
    /// Remembers a question, and numbers it.
    pub(super) fn ask(&mut self, question: Question, at: MonoTime) -> u64 {
        let number = self.number_next;
        self.number_next += 1;
        self.outstanding.insert(number, Asked { question, at });
        number
    }

    /// The question that an answer belongs to; none when it was never asked, or answered before.
    pub(super) fn answered(&mut self, number: u64) -> Option<Asked> {
        self.outstanding.remove(&number)
    }

    pub(super) fn has_room(&self) -> bool {
        self.outstanding.len() < OUTSTANDING_MAX
    }

    pub(super) fn is_waiting_for(&self, question: &Question) -> bool {
        self.outstanding.values().any(|asked| asked.question == *question)
    }

    /// When the first deadline strikes. `held_up` is when the last byte came of a long message
    /// that answers may be behind.
    pub(super) fn next_deadline(&self, held_up: Option<MonoTime>) -> Option<MonoTime> {
        self.outstanding.values().map(|asked| deadline(asked, held_up)).min()
    }

    /// Takes out a question whose deadline has struck.
    pub(super) fn overdue(&mut self, now: MonoTime, held_up: Option<MonoTime>) -> Option<Asked> {
        let late = self.outstanding.iter().find(|(_, asked)| deadline(asked, held_up) <= now);
        let number = *late?.0;
        self.outstanding.remove(&number)
    }
}

fn deadline(asked: &Asked, held_up: Option<MonoTime>) -> MonoTime {
    let usual = asked.at + asked.question.deadline_us();
    held_up.map_or(usual, |last| usual.max((last + STALLED_US).min(asked.at + PATIENCE_US)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> MonoTime {
        MonoTime(ms * 1_000)
    }

    #[test]
    fn numbers_never_collide_and_an_answer_counts_once() {
        let mut requests = Requests::default();
        let numbers: Vec<u64> = (0..5_000).map(|_| requests.ask(Question::Probe, at(0))).collect();
        assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(requests.answered(numbers[7]).is_some());
        assert!(requests.answered(numbers[7]).is_none());
        assert!(requests.answered(999_999).is_none());
    }

    #[test]
    fn a_probe_without_an_answer_is_lost_after_a_second() {
        let mut requests = Requests::default();
        requests.ask(Question::Probe, at(0));
        assert_eq!(requests.next_deadline(None), Some(at(1_000)));
        assert_eq!(requests.overdue(at(999), None), None);
        assert_eq!(requests.overdue(at(1_000), None).map(|a| a.question), Some(Question::Probe));
        assert_eq!(requests.overdue(at(9_000), None), None);
    }

    #[test]
    fn a_long_message_on_a_slow_link_puts_the_deadline_off_but_not_for_ever() {
        let mut requests = Requests::default();
        requests.ask(Question::Probe, at(0));
        assert_eq!(requests.overdue(at(5_000), Some(at(4_500))), None);
        assert!(requests.overdue(at(5_500), Some(at(4_500))).is_some());
        requests.ask(Question::Probe, at(0));
        assert!(requests.overdue(at(30_000), Some(at(29_999))).is_some());
    }
}
