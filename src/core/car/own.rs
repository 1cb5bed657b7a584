//! A car's own changes on their way: made, stored, sent, acknowledged; and the people who wait to be told.

use super::pace::Pace;
use super::{Car, Link, TimeBase};
use crate::core::changes::{Action, Change, ChangeId, Hlc, Verdict};
use crate::core::clock::MonoTime;
use crate::core::convoy::{LEAD_MAX_US, LEAD_MIN_US};
use crate::core::id::DeviceId;
use crate::core::io::{Dialect, Notice, Output, RequestId, ServerCommand};
use crate::core::request::{Done, Reach, Refusal};
use std::collections::{BTreeMap, BTreeSet};

/// Changes sent and not acknowledged at once; the others wait their turn.
const IN_FLIGHT_MAX: usize = 32;
/// A change that the authority did not take is sent again after so long, then after twice as long, and so on.
const RESEND_US: i64 = 1_000_000;
const RESEND_MAX_US: i64 = 60_000_000;
/// A control of others that is so much younger than a take that they have not heard of is left alone by it.
const TAKE_LATE_US: i64 = 5_000_000;
/// So long a person waits for the authority before "done, here" is the answer.
const REPLY_US: i64 = 2_000_000;
/// A change may take so much longer to be stored for each that was made with it.
const STORE_EACH_US: i64 = 10_000;
/// A disk that took longer once is not waited for with every control.
pub(super) const STORE_US_MAX: i64 = 200_000;

#[derive(Debug, Clone)]
struct Pending {
    change: Change,
    stored: bool,
    /// How often the authority did not take it.
    failures: u32,
}

impl Pending {
    fn new(change: Change, stored: bool) -> Self {
        Self { change, stored, failures: 0 }
    }
}

/// Someone waits for what became of a command.
#[derive(Debug, Clone)]
struct Open {
    changes: Vec<ChangeId>,
    unsettled: BTreeSet<u64>,
    until: MonoTime,
    stored_by: MonoTime,
    /// The authority has had its time: the answer waits for the disk only.
    late: bool,
}

/// Own changes that no authority has acknowledged yet.
#[derive(Debug)]
pub(super) struct Own {
    device: DeviceId,
    sequence: u64,
    pending: BTreeMap<u64, Pending>,
    /// Of those: durable and to be sent, sent and not answered, not to be sent before then. There may be thousands.
    ready: BTreeSet<u64>,
    sent: BTreeSet<u64>,
    later: BTreeMap<u64, MonoTime>,
    open: BTreeMap<RequestId, Open>,
    replies: Vec<(RequestId, Result<Done, Refusal>)>,
    /// Someone waits to be taken into the convoy, until then.
    joins: Vec<(RequestId, MonoTime)>,
    /// Given to the writer, and not durable yet.
    storing: BTreeSet<u64>,
    /// The change that found the writer idle, and when: its time has no wait in a queue in it.
    measured: Option<(u64, MonoTime)>,
    store_us: i64,
    pace: Pace,
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
            pace: Pace::default(),
        }
    }

    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    pub(super) fn count(&self) -> u64 {
        self.pending.values().filter(|pending| pending.stored).count() as u64
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

    /// A change of ours came back that we did not know: its number is taken.
    pub(super) fn skip(&mut self, id: &ChangeId) {
        self.sequence = self.sequence.max(id.sequence);
    }

    /// A change is on its way to the server.
    pub(super) fn note_sent(&mut self, id: &ChangeId) {
        if self.ready.remove(&id.sequence) {
            self.sent.insert(id.sequence);
        }
    }

    /// Nobody waits for an answer.
    pub(super) fn is_idle(&self) -> bool {
        self.open.is_empty()
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

    fn take(&mut self, sequence: u64) -> Option<Pending> {
        self.ready.remove(&sequence);
        self.sent.remove(&sequence);
        self.later.remove(&sequence);
        self.pending.remove(&sequence)
    }

    /// The authority did not take the change this time. How often that was so by now.
    fn put_off(&mut self, id: &ChangeId, now: MonoTime) -> u32 {
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

    fn stored(&mut self, sequence: u64, now: MonoTime) -> Option<Change> {
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
    fn close(&mut self, sequence: u64, result: &Result<Reach, Refusal>) {
        let mut finished = Vec::new();
        for (request, open) in &mut self.open {
            if open.unsettled.remove(&sequence) {
                match result {
                    Err(refusal) => finished.push((*request, Err(refusal.clone()))),
                    Ok(reach) if open.unsettled.is_empty() => {
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
    fn expire(&mut self, now: MonoTime) {
        for open in self.open.values_mut().filter(|open| now >= open.until) {
            (open.late, open.until) = (true, open.stored_by);
        }
        // They become durable in turn, so that the last one is looked at first.
        let storing = |open: &Open| open.unsettled.iter().rev().any(|sequence| self.storing.contains(sequence));
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
    fn expire_joins(&mut self, now: MonoTime) {
        let late = self.joins.extract_if(.., |(_, until)| now >= *until);
        let done = || Done { changes: Vec::new(), reach: Reach::Local };
        self.replies.extend(late.map(|(request, _)| (request, Ok(done()))));
    }
}

impl Car {
    /// Makes changes out of actions and has them stored; the person is answered when they have come as far as they can.
    pub(super) fn make(&mut self, request: RequestId, actions: Vec<Action>, now: MonoTime) {
        if actions.is_empty() {
            let done = Done { changes: Vec::new(), reach: Reach::Convoy };
            self.outputs.push_back(Output::Reply { request, result: Ok(done) });
            return;
        }
        let until = now + REPLY_US;
        let stored_by = until + STORE_EACH_US * actions.len() as i64;
        let mut open = Open { changes: Vec::new(), unsettled: BTreeSet::new(), until, stored_by, late: false };
        for action in actions {
            let id = self.author(action, now);
            open.unsettled.insert(id.sequence);
            open.changes.push(id);
        }
        self.own.open.insert(request, open);
    }

    /// Makes a change, signs it and has it stored.
    pub(super) fn author(&mut self, action: Action, now: MonoTime) -> ChangeId {
        self.hlc = self.hlc.tick(self.convoy_now(now));
        let id = self.own.next_id();
        let mut change = Change {
            id: id.clone(),
            hlc: self.hlc,
            term: self.state.term,
            user: Some(self.me.user.clone()),
            action,
            signature: None,
        };
        if let Some(convoy) = &self.convoy {
            self.me.key.sign_change(&mut change, convoy);
        }
        if self.own.storing.is_empty() {
            self.own.measured = Some((id.sequence, now));
        }
        self.own.storing.insert(id.sequence);
        self.own.pending.insert(id.sequence, Pending::new(change.clone(), false));
        self.outputs.push_back(Output::Store(Box::new(change)));
        id
    }

    /// A change is durable: it counts here from now on, and goes out.
    pub(super) fn handle_stored(&mut self, id: &ChangeId, now: MonoTime) {
        let Some(change) = self.own.stored(id.sequence, now) else { return };
        let verdict = self.apply(&change, now);
        match verdict {
            Verdict::Applied | Verdict::Duplicate => self.after_own(&change, now),
            other => self.settle(id, other),
        }
    }

    fn after_own(&mut self, change: &Change, now: MonoTime) {
        self.publish(change, now);
        match self.link {
            _ if self.leads_others() => self.settle(&change.id, Verdict::Applied),
            Link::Joined(Dialect::Backend) => self.tell_backend(change, now),
            Link::Joined(Dialect::Jamz) => {}
            _ if self.is_joined() => {}
            Link::Down | Link::Joining(_) => {
                let reach = if self.convoy.is_some() { Reach::Local } else { Reach::Convoy };
                self.own.close(change.id.sequence, &Ok(reach));
                if self.convoy.is_none() {
                    self.settle(&change.id, Verdict::Applied);
                }
            }
        }
    }

    /// What finally became of an own change.
    pub(super) fn settle(&mut self, id: &ChangeId, verdict: Verdict) {
        if self.own.take(id.sequence).is_none() {
            return;
        }
        match &verdict {
            Verdict::Applied | Verdict::Duplicate => self.own.close(id.sequence, &Ok(Reach::Convoy)),
            Verdict::Refused { reason } | Verdict::Superseded { reason } => {
                self.own.close(id.sequence, &Err(Refusal::Denied(reason.clone())));
                let notice = Notice::Superseded { change: id.clone(), reason: reason.clone() };
                self.outputs.push_back(Output::Notice(notice));
            }
        }
        let verdict = if verdict == Verdict::Duplicate { Verdict::Applied } else { verdict };
        self.outputs.push_back(Output::Settle { change: id.clone(), verdict });
    }

    /// The authority lives and did not take a change. When it does so again, it may have forgotten that we are here.
    pub(super) fn handle_failed(&mut self, id: &ChangeId, now: MonoTime) {
        let failures = self.own.put_off(id, now);
        if failures > 1 && self.rejoin.is_none() {
            self.rejoin = Some(now);
        }
    }

    /// Others follow this car: what it did counts.
    pub(super) fn settle_as_leader(&mut self) {
        for change in self.own.stored_changes() {
            if self.state.versions.knows(&change.id) {
                self.settle(&change.id, Verdict::Applied);
            }
        }
    }

    /// In no convoy there is nobody to wait for: what an earlier run stored counts.
    pub(super) fn settle_alone(&mut self) {
        let ids: Vec<ChangeId> = self.own.pending.values().map(|pending| pending.change.id.clone()).collect();
        for id in ids {
            self.settle(&id, Verdict::Applied);
        }
    }

    /// The convoy is left: what it does not know yet has nobody to go to any more.
    pub(super) fn abandon_own(&mut self) {
        let ids: Vec<ChangeId> = self.own.pending.values().map(|pending| pending.change.id.clone()).collect();
        for id in ids {
            self.settle(&id, Verdict::Superseded { reason: "its convoy was left before it was told".into() });
        }
    }

    /// After the authority's state was taken over: what was done here since counts on top of it, or is superseded.
    pub(super) fn replay_own(&mut self, now: MonoTime) {
        let own = self.own.stored_changes();
        self.own.ready.append(&mut self.own.sent);
        for change in own {
            let verdict = if self.base == TimeBase::Own && change.action.anchor().is_some() {
                Verdict::Superseded { reason: "it was played alone, without the convoy's clock".into() }
            } else if change.action == Action::TakeControl && self.came_too_late(&change) {
                Verdict::Superseded { reason: "others played on in the meantime; take control again".into() }
            } else {
                self.apply(&change, now)
            };
            if !matches!(verdict, Verdict::Applied | Verdict::Duplicate) {
                self.settle(&change.id, verdict);
            }
        }
    }

    /// Control taken in a tunnel does not undo what the convoy heard since; what was done at the same moment is
    /// ordered by its time.
    fn came_too_late(&self, change: &Change) -> bool {
        let by_others = self.state.deeds.latest().filter(|latest| latest.device != *self.me.device());
        !self.state.versions.knows(&change.id)
            && by_others.is_some_and(|latest| latest.hlc.time_us - change.hlc.time_us > TAKE_LATE_US)
    }

    /// Sends what is due and answers whom it concerns.
    pub(super) fn settle_own(&mut self, now: MonoTime) {
        self.own.pace.rest();
        if self.link == Link::Joined(Dialect::Jamz) {
            self.give_to_server(now);
            self.send_due(now);
        }
        if matches!(self.link, Link::Joined(_)) {
            self.own.answer_joins(&Ok(Reach::Convoy));
        }
        self.own.expire_joins(now);
        self.own.expire(now);
        for (request, result) in std::mem::take(&mut self.own.replies) {
            self.outputs.push_back(Output::Reply { request, result });
        }
    }

    /// Sends what is due, no faster than the server lets anyone.
    fn send_due(&mut self, now: MonoTime) {
        let Own { pending, ready, sent, later, pace, .. } = &mut self.own;
        ready.extend(later.extract_if(.., |_, due| now >= *due).map(|(sequence, _)| sequence));
        while sent.len() < IN_FLIGHT_MAX
            && !ready.is_empty()
            && pace.allows(now)
            && let Some(sequence) = ready.pop_first()
        {
            pace.spend(now);
            sent.insert(sequence);
            let change = pending.get(&sequence).map(|pending| Box::new(pending.change.clone()));
            self.outputs.extend(change.map(|change| Output::Server(ServerCommand::Change(change))));
        }
    }

    /// How far ahead of now a control takes effect.
    pub(super) fn lead_us(&self) -> i64 {
        match self.link {
            Link::Joined(Dialect::Jamz) => self.server_lead_us + 2 * self.own.store_us(),
            _ => LEAD_MIN_US,
        }
        .clamp(LEAD_MIN_US, LEAD_MAX_US)
    }
}
