//! The queue of a car's own changes that no authority has acknowledged, and the people who wait to be told.

use super::pace::Pace;

use crate::core::changes::{Action, Change, ChangeId, Hlc};
use crate::core::clock::MonoTime;
use crate::core::id::DeviceId;
use crate::core::io::RequestId;
use crate::core::request::{Done, Reach, Refusal};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A change that the authority did not take is sent again after so long, then after twice as long, and so on.
const RESEND_US: i64 = 1_000_000;
const RESEND_MAX_US: i64 = 60_000_000;
/// So long a person waits for the authority before "done, here" is the answer.
pub(super) const REPLY_US: i64 = 2_000_000;
/// A disk that took longer once is not waited for with every control.
pub(super) const STORE_US_MAX: i64 = 200_000;

#[derive(Debug, Clone)]
pub(super) struct Pending {
    pub(super) change: Change,
    pub(super) stored: bool,
    /// How often the authority did not take it.
    pub(super) failures: u32,
}

impl Pending {
    pub(super) fn new(change: Change, stored: bool) -> Self {
        Self { change, stored, failures: 0 }
    }
}

/// Someone waits for what became of a command.
#[derive(Debug, Clone)]
pub(super) struct Open {
    pub(super) changes: Vec<ChangeId>,
    pub(super) unsettled: BTreeSet<u64>,
    pub(super) until: MonoTime,
    pub(super) stored_by: MonoTime,
    /// The authority has had its time: the answer waits for the disk only.
    pub(super) late: bool,
    /// What is still to be made: thousands at once would hold up everything else.
    pub(super) rest: VecDeque<Action>,
}

/// Own changes that no authority has acknowledged yet.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) device: DeviceId,
    pub(super) sequence: u64,
    pub(super) pending: BTreeMap<u64, Pending>,
    /// Of those: durable and to be sent, sent and not answered, not to be sent before then. There may be thousands.
    pub(super) ready: BTreeSet<u64>,
    pub(super) sent: BTreeSet<u64>,
    pub(super) later: BTreeMap<u64, MonoTime>,
    pub(super) open: BTreeMap<RequestId, Open>,
    pub(super) replies: Vec<(RequestId, Result<Done, Refusal>)>,
    /// Someone waits to be taken into the convoy, until then.
    pub(super) joins: Vec<(RequestId, MonoTime)>,
    /// Given to the writer, and not durable yet.
    pub(super) storing: BTreeSet<u64>,
    /// The change that found the writer idle, and when: its time has no wait in a queue in it.
    pub(super) measured: Option<(u64, MonoTime)>,
    pub(super) store_us: i64,
    pub(super) pace: Pace,
    /// What was done without the server is on its way to it.
    pub(super) is_news: bool,
}

impl Own {
    pub(super) fn new(device: DeviceId, sequence: u64, pending: Vec<Change>) -> Self {
        let pending: BTreeMap<u64, Pending> =
            pending.into_iter().map(|change| (change.id.sequence, Pending::new(change, true))).collect();
        let sequence = pending.keys().next_back().copied().unwrap_or(0).max(sequence);
        Self {
            device,
            sequence,
            ready: pending.keys().copied().collect(),
            sent: BTreeSet::new(),
            later: BTreeMap::new(),
            pending,
            open: BTreeMap::new(),
            replies: Vec::new(),
            joins: Vec::new(),
            storing: BTreeSet::new(),
            measured: None,
            store_us: 0,
            pace: Pace::to_server(),
            is_news: false,
        }
    }

    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    pub(super) fn count(&self) -> u64 {
        self.pending.values().filter(|pending| pending.stored).count() as u64
    }

    pub(super) fn has_stored(&self) -> bool {
        self.pending.values().any(|pending| pending.stored)
    }

    /// The durable ones, in the order they were made.
    pub(super) fn stored_changes(&self) -> Vec<Change> {
        self.pending.values().filter(|pending| pending.stored).map(|pending| pending.change.clone()).collect()
    }

    /// Whether control was asked for, and no authority knows.
    pub(super) fn asks_for_control(&self) -> bool {
        self.pending.values().any(|pending| pending.stored && pending.change.action == Action::TakeControl)
    }

    pub(super) fn latest(&self) -> Option<Hlc> {
        self.pending.values().map(|pending| pending.change.hlc).max()
    }

    pub(super) fn next_id(&mut self) -> ChangeId {
        self.sequence += 1;
        ChangeId { device: self.device.clone(), sequence: self.sequence }
    }

    /// Whether control was asked for at all, be it durable or not.
    pub(super) fn is_taking_control(&self) -> bool {
        self.pending.values().any(|pending| pending.change.action == Action::TakeControl)
    }

    /// Numbers up to this one are taken: others know changes of ours that we do not.
    pub(super) fn count_on_from(&mut self, sequence: u64) {
        self.sequence = self.sequence.max(sequence);
    }

    /// Whether the change is on its way still.
    pub(super) fn holds(&self, id: &ChangeId) -> bool {
        id.device == self.device && self.pending.contains_key(&id.sequence)
    }

    /// Until when nothing more may go out.
    pub(super) fn held_until(&self) -> Option<MonoTime> {
        self.pace.poll_timeout()
    }

    /// Whether a change may go to the server now, which one does then.
    pub(super) fn may_send(&mut self, now: MonoTime) -> bool {
        let may = self.pace.allows(now);
        if may {
            self.pace.spend(now);
        }
        may
    }

    /// Nobody waits for an answer.
    pub(super) fn is_idle(&self) -> bool {
        self.open.is_empty()
    }

    /// Someone's command that is made in parts, and its next part.
    pub(super) fn next_part(&mut self, actions_max: usize) -> Option<(RequestId, Vec<Action>)> {
        let (request, open) = self.open.iter_mut().find(|(_, open)| !open.rest.is_empty())?;
        Some((*request, open.rest.drain(..actions_max.min(open.rest.len())).collect()))
    }

    pub(super) fn is_making(&self) -> bool {
        self.open.values().any(|open| !open.rest.is_empty())
    }

    /// How long making a change durable takes here, smoothed; a slow card needs a longer lead.
    pub(super) fn store_us(&self) -> i64 {
        self.store_us
    }

    pub(super) fn poll_timeout(&self) -> Option<MonoTime> {
        let answers = self.open.values().map(|open| open.until);
        answers.chain(self.joins.iter().map(|(_, until)| *until)).min()
    }

    /// When there is something to send again, or what is held back may go out.
    pub(super) fn send_timeout(&self) -> Option<MonoTime> {
        self.pace.poll_timeout().or_else(|| self.later.values().min().copied())
    }

    /// The link is lost: another may do better at once.
    pub(super) fn handle_down(&mut self) {
        self.pending.values_mut().for_each(|pending| pending.failures = 0);
        self.ready.extend(std::mem::take(&mut self.later).into_keys());
        self.ready.append(&mut self.sent);
    }

    pub(super) fn take(&mut self, sequence: u64) -> Option<Pending> {
        self.ready.remove(&sequence);
        self.sent.remove(&sequence);
        self.later.remove(&sequence);
        self.pending.remove(&sequence)
    }

    /// The authority did not take the change this time. How often that was so by now.
    pub(super) fn put_off(&mut self, id: &ChangeId, now: MonoTime) -> u32 {
        let was_sent = self.sent.remove(&id.sequence);
        let Some(pending) = self.pending.get_mut(&id.sequence).filter(|_| was_sent) else { return 0 };
        let wait_us = RESEND_US << pending.failures.min(6);
        pending.failures += 1;
        self.later.insert(id.sequence, now + wait_us.min(RESEND_MAX_US));
        pending.failures
    }

    pub(super) fn handle_not_stored(&mut self, id: &ChangeId, problem: &str) {
        self.storing.remove(&id.sequence);
        self.take(id.sequence);
        self.close(id.sequence, &Err(Refusal::Failed(problem.to_owned())));
    }

    pub(super) fn stored(&mut self, sequence: u64, now: MonoTime) -> Option<Change> {
        self.storing.remove(&sequence);
        if let Some((_, since)) = self.measured.take_if(|(measured, _)| *measured == sequence) {
            self.store_us += ((now - since).min(STORE_US_MAX) - self.store_us) / 8;
        }
        let pending = self.pending.get_mut(&sequence)?;
        pending.stored = true;
        self.ready.insert(sequence);
        Some(pending.change.clone())
    }

    /// A change has come to its end: whoever waits for it is told when all of his have.
    pub(super) fn close(&mut self, sequence: u64, result: &Result<Reach, Refusal>) {
        let mut finished = Vec::new();
        for (request, open) in &mut self.open {
            if open.unsettled.remove(&sequence) {
                match result {
                    Err(refusal) => finished.push((*request, Err(refusal.clone()))),
                    Ok(reach) if open.unsettled.is_empty() && open.rest.is_empty() => {
                        finished.push((*request, Ok(Done { changes: open.changes.clone(), reach: *reach })));
                    }
                    Ok(_) => {}
                }
            }
        }
        for (request, result) in finished {
            self.open.remove(&request);
            self.replies.push((request, result));
        }
    }

    /// Whoever has waited long enough for the authority hears that it is done here, as soon as all of it is durable.
    pub(super) fn expire(&mut self, now: MonoTime) {
        for open in self.open.values_mut().filter(|open| now >= open.until) {
            (open.late, open.until) = (true, open.stored_by);
        }
        // They become durable in turn, so that the last one is looked at first.
        let storing = |open: &Open| {
            !open.rest.is_empty() || open.unsettled.iter().rev().any(|sequence| self.storing.contains(sequence))
        };
        let is_over = |open: &Open| open.late && (now >= open.stored_by || !storing(open));
        let over: Vec<(RequestId, bool)> =
            self.open.iter().filter(|(_, open)| is_over(open)).map(|(id, open)| (*id, storing(open))).collect();
        for (request, stuck) in over {
            let Some(open) = self.open.remove(&request) else { continue };
            let result = if stuck {
                Err(Refusal::Failed("the change could not be stored in time; is the disk slow or full?".into()))
            } else {
                Ok(Done { changes: open.changes, reach: Reach::Local })
            };
            self.replies.push((request, result));
        }
    }

    /// Someone is told when this car has been taken in, or refused.
    pub(super) fn await_join(&mut self, request: RequestId, now: MonoTime) {
        self.joins.push((request, now + REPLY_US));
    }

    /// The authority, or the driver, has decided on joining.
    pub(super) fn answer_joins(&mut self, result: &Result<Reach, Refusal>) {
        let result = result.clone().map(|reach| Done { changes: Vec::new(), reach });
        self.replies.extend(self.joins.drain(..).map(|(request, _)| (request, result.clone())));
    }

    /// An authority that does not answer is told again; who waits need not wait for that.
    pub(super) fn expire_joins(&mut self, now: MonoTime) {
        let late = self.joins.extract_if(.., |(_, until)| now >= *until);
        let done = || Done { changes: Vec::new(), reach: Reach::Local };
        self.replies.extend(late.map(|(request, _)| (request, Ok(done()))));
    }
}
