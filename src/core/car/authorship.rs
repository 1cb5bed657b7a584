//! What this car does itself: changes made, signed, stored, sent and settled.

use super::own::{Open, Own, Pending, REPLY_US};
use super::{Car, Link, TimeBase};
use crate::core::changes::{Action, Change, ChangeId, Hlc, Verdict};
use crate::core::clock::{ConvoyTime, MonoTime};
use crate::core::convoy::{LEAD_MAX_US, LEAD_MIN_US, LEAD_SATELLITE_US};
use crate::core::io::{Dialect, Notice, Output, RequestId, ServerCommand};
use crate::core::planted::{Plant, is_planted};
use crate::core::request::{Done, Reach, Refusal};
use std::collections::{BTreeSet, VecDeque};

/// Changes sent and not acknowledged at once; the others wait their turn.
const IN_FLIGHT_MAX: usize = 32;
/// A control of others that is so much younger than a take that they have not heard of is left alone by it.
const TAKE_LATE_US: i64 = 5_000_000;
/// A slow card may take so long until it has all that was made at once: callers on D-Bus give up after 25 s.
const STORE_ALL_US: i64 = 20_000_000;
/// Changes that are made and signed at once, unless they are additions.
const PART_MAX: usize = 128;

impl Car {
    /// Makes changes out of actions and has them stored; the person is answered when they have come as far as they can.
    pub(super) fn make(&mut self, request: RequestId, actions: Vec<Action>, now: MonoTime) {
        if actions.is_empty() {
            let done = Done { changes: Vec::new(), reach: Reach::Convoy };
            self.outputs.push_back(Output::Reply { request, result: Ok(done) });
            return;
        }
        let (until, stored_by) = (now + REPLY_US, now + STORE_ALL_US);
        // Entries are named after the numbers of their additions, which nothing may come between.
        let adds = matches!(actions.first(), Some(Action::Add { .. }));
        let mut rest = VecDeque::from(actions);
        let first: Vec<Action> = rest.drain(..if adds { rest.len() } else { rest.len().min(PART_MAX) }).collect();
        let open = Open { changes: Vec::new(), unsettled: BTreeSet::new(), until, stored_by, late: false, rest };
        self.own.open.insert(request, open);
        self.make_part(request, first, now);
    }

    /// Makes the next part of what somebody asked for, while everything else goes on.
    pub(super) fn go_on_making(&mut self, now: MonoTime) {
        if let Some((request, part)) = self.own.next_part(PART_MAX) {
            self.make_part(request, part, now);
        }
    }

    fn make_part(&mut self, request: RequestId, part: Vec<Action>, now: MonoTime) {
        let made: Vec<ChangeId> = part.into_iter().map(|action| self.author(action, now)).collect();
        if let Some(open) = self.own.open.get_mut(&request) {
            open.unsettled.extend(made.iter().map(|id| id.sequence));
            open.changes.extend(made.iter().cloned());
        }
        if is_planted(Plant::LostAcknowledgement) {
            for id in &made {
                self.own.close(id.sequence, &Ok(Reach::Local));
            }
        }
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
            Verdict::Superseded { .. } => {
                // It is known here from now on, and so has to be everywhere.
                self.publish(&change, now);
                self.settle(id, verdict);
            }
            Verdict::Refused { .. } => self.settle(id, verdict),
        }
    }

    /// The time by which this car dated was its own, and may be days ahead of the convoy's: nobody's changes are to
    /// come after that. The edits that no authority has are made anew at `now`; those on disk are as good, should
    /// they be needed.
    pub(super) fn date_anew(&mut self, now: ConvoyTime) {
        self.hlc = Hlc::default();
        let is_edit = |pending: &&mut Pending| pending.change.action.is_edit();
        for Pending { change, .. } in self.own.pending.values_mut().filter(is_edit) {
            self.hlc = self.hlc.tick(now);
            change.hlc = self.hlc;
            if let Some(convoy) = &self.convoy {
                self.me.key.sign_change(change, convoy);
            }
        }
        let anew: Vec<Change> = self.own.stored_changes();
        self.replace_logged(anew);
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
            if let Verdict::Refused { reason } = verdict {
                self.overrule(id, reason);
            }
            return;
        }
        match &verdict {
            Verdict::Applied | Verdict::Duplicate => self.own.close(id.sequence, &Ok(Reach::Convoy)),
            Verdict::Refused { reason } | Verdict::Superseded { reason } => {
                self.withdraw(id, reason);
                self.own.close(id.sequence, &Err(Refusal::Denied(reason.clone())));
                self.say_superseded(id, reason);
            }
        }
        self.note_settled(id);
        let verdict = if verdict == Verdict::Duplicate { Verdict::Applied } else { verdict };
        self.outputs.push_back(Output::Settle { change: id.clone(), verdict });
    }

    /// Who decides now does not take what counted for another: its author is told, once.
    fn overrule(&mut self, id: &ChangeId, reason: String) {
        if self.note_overruled(id, &reason) {
            self.say_superseded(id, &reason);
            self.outputs.push_back(Output::Settle { change: id.clone(), verdict: Verdict::Refused { reason } });
        }
    }

    /// What had counted does so no more: its author is told.
    pub(super) fn supersede(&mut self, id: &ChangeId, reason: &str) {
        self.say_superseded(id, reason);
        let verdict = Verdict::Superseded { reason: reason.to_owned() };
        self.outputs.push_back(Output::Settle { change: id.clone(), verdict });
    }

    fn say_superseded(&mut self, id: &ChangeId, reason: &str) {
        let notice = Notice::Superseded { change: id.clone(), reason: reason.to_owned() };
        self.outputs.push_back(Output::Notice(notice));
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

    /// A car that was known before and has forgotten it, as with a new card under its old key, goes on counting where
    /// the others have it. What it did under numbers that were taken would pass there for what had them first.
    pub(super) fn recall_numbers(&mut self) {
        let last = self.state.versions.next(self.me.device()).saturating_sub(1);
        if self.own.sequence() >= last {
            return;
        }
        for change in self.own.stored_changes() {
            if self.state.versions.knows(&change.id) {
                let reason = "this car had lost its memory, and did this under a number of before; do it again".into();
                self.settle(&change.id, Verdict::Superseded { reason });
            }
        }
        self.own.count_on_from(last);
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
        let lead_us = match self.link {
            Link::Joined(Dialect::Jamz) => self.server_lead_us + 2 * self.own.store_us(),
            _ => return LEAD_MIN_US,
        };
        let least_us = if self.sky.is_satellite() { LEAD_SATELLITE_US } else { LEAD_MIN_US };
        lead_us.clamp(least_us, LEAD_MAX_US)
    }
}
