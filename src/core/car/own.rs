//! A car's own changes on their way: made, stored, sent, acknowledged; and the people who wait to be told.

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
/// So long a person waits for the authority before "done, here" is the answer.
const REPLY_US: i64 = 2_000_000;

#[derive(Debug, Clone)]
struct Pending {
    change: Change,
    stored: bool,
    sent: bool,
}

/// Someone waits for what became of a command.
#[derive(Debug, Clone)]
struct Open {
    changes: Vec<ChangeId>,
    unsettled: BTreeSet<u64>,
    until: MonoTime,
}

/// Own changes that no authority has acknowledged yet.
#[derive(Debug)]
pub(super) struct Own {
    device: DeviceId,
    sequence: u64,
    pending: BTreeMap<u64, Pending>,
    open: BTreeMap<RequestId, Open>,
    replies: Vec<(RequestId, Result<Done, Refusal>)>,
    /// When the oldest change in the writer's queue was given to it.
    storing: BTreeMap<u64, MonoTime>,
    store_us: i64,
}

impl Own {
    pub(super) fn new(device: DeviceId, sequence: u64, pending: Vec<Change>) -> Self {
        let pending: BTreeMap<u64, Pending> = pending
            .into_iter()
            .map(|change| (change.id.sequence, Pending { change, stored: true, sent: false }))
            .collect();
        let sequence = pending.keys().next_back().copied().unwrap_or(0).max(sequence);
        Self {
            device,
            sequence,
            pending,
            open: BTreeMap::new(),
            replies: Vec::new(),
            storing: BTreeMap::new(),
            store_us: 0,
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
        if let Some(pending) = self.pending.get_mut(&id.sequence) {
            pending.sent = true;
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
        self.open.values().map(|open| open.until).min()
    }

    pub(super) fn handle_not_stored(&mut self, id: &ChangeId, problem: &str) {
        self.storing.remove(&id.sequence);
        self.pending.remove(&id.sequence);
        self.close(id.sequence, &Err(Refusal::Failed(problem.to_owned())));
    }

    fn stored(&mut self, sequence: u64, now: MonoTime) -> Option<Change> {
        if let Some(since) = self.storing.remove(&sequence) {
            self.store_us += ((now - since) - self.store_us) / 8;
        }
        let pending = self.pending.get_mut(&sequence)?;
        pending.stored = true;
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

    /// Whoever has waited long enough hears that it is done here.
    fn expire(&mut self, now: MonoTime) {
        let late: Vec<RequestId> = self.open.iter().filter(|(_, o)| now >= o.until).map(|(r, _)| *r).collect();
        for request in late {
            let Some(open) = self.open.remove(&request) else { continue };
            let stuck = open.unsettled.iter().any(|s| self.pending.get(s).is_some_and(|p| !p.stored));
            let result = if stuck {
                Err(Refusal::Failed("the change could not be stored in time; is the disk slow or full?".into()))
            } else {
                Ok(Done { changes: open.changes, reach: Reach::Local })
            };
            self.replies.push((request, result));
        }
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
        let mut open = Open { changes: Vec::new(), unsettled: BTreeSet::new(), until: now + REPLY_US };
        open.until = open.until + 10_000 * actions.len() as i64;
        for action in actions {
            let id = self.make_unasked(action, now);
            open.unsettled.insert(id.sequence);
            open.changes.push(id);
        }
        self.own.open.insert(request, open);
    }

    /// Makes a change that nobody waits for.
    pub(super) fn make_unasked(&mut self, action: Action, now: MonoTime) -> ChangeId {
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
        self.own.storing.insert(id.sequence, now);
        let pending = Pending { change: change.clone(), stored: false, sent: false };
        self.own.pending.insert(id.sequence, pending);
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
        if self.own.pending.remove(&id.sequence).is_none() {
            return;
        }
        match &verdict {
            Verdict::Applied | Verdict::Duplicate => self.own.close(id.sequence, &Ok(Reach::Convoy)),
            Verdict::Refused { reason } | Verdict::Superseded { reason } => {
                self.withdraw(id, reason);
                self.own.close(id.sequence, &Err(Refusal::Denied(reason.clone())));
                let notice = Notice::Superseded { change: id.clone(), reason: reason.clone() };
                self.outputs.push_back(Output::Notice(notice));
            }
        }
        let verdict = if verdict == Verdict::Duplicate { Verdict::Applied } else { verdict };
        self.outputs.push_back(Output::Settle { change: id.clone(), verdict });
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
        for pending in self.own.pending.values_mut() {
            pending.sent = false;
        }
        for change in own {
            let verdict = if self.base == TimeBase::Own && change.action.anchor().is_some() {
                Verdict::Superseded { reason: "it was played alone, without the convoy's clock".into() }
            } else {
                self.apply(&change, now)
            };
            if !matches!(verdict, Verdict::Applied | Verdict::Duplicate) {
                self.settle(&change.id, verdict);
            }
        }
    }

    /// Sends what is due and answers whom it concerns.
    pub(super) fn settle_own(&mut self, now: MonoTime) {
        if self.link == Link::Joined(Dialect::Jamz) {
            self.give_to_server(now);
            let in_flight = self.own.pending.values().filter(|pending| pending.sent).count();
            let room = IN_FLIGHT_MAX.saturating_sub(in_flight);
            let due = self.own.pending.values_mut().filter(|pending| pending.stored && !pending.sent);
            for pending in due.take(room) {
                pending.sent = true;
                let change = Box::new(pending.change.clone());
                self.outputs.push_back(Output::Server(ServerCommand::Change(change)));
            }
        }
        self.own.expire(now);
        for (request, result) in std::mem::take(&mut self.own.replies) {
            self.outputs.push_back(Output::Reply { request, result });
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
