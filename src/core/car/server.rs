//! Tier 1 as the car sees it: joining, the clock's probes, the authority's changes and verdicts.

use super::{Car, Link, Obeys, PROBE_FAST_US, PROBE_US, PROBES_ENOUGH, PROBES_FAST, TimeBase};
use crate::core::changes::{Change, Verdict};
use crate::core::clock::{Estimate, MonoTime, Probe, SlewedClock};
use crate::core::convoy::Snapshot;
use crate::core::io::{ClockClaim, Dialect, Notice, Output, ServerCommand, ServerEvent};
use crate::core::timeline::Anchor;

/// A server that has not answered for so long is taken for gone: three probes.
const SILENT_US: i64 = 1_600_000;

impl Car {
    pub(super) fn handle_server(&mut self, event: ServerEvent, now: MonoTime) {
        match event {
            // Said before the server heard that we left.
            ServerEvent::Joined { .. }
            | ServerEvent::State(_)
            | ServerEvent::Change(_)
            | ServerEvent::Members(_)
            | ServerEvent::Backend { .. }
                if self.convoy.is_none() => {}
            ServerEvent::Up { dialect } => self.ask_to_join(dialect, now),
            ServerEvent::Down { reason } => self.handle_down(&reason, now),
            ServerEvent::Rejected { reason } => self.tiers.handle_lost(&reason),
            ServerEvent::Joined { snapshot, members } => {
                self.members = members;
                self.link = Link::Joined(Dialect::Jamz);
                self.note_server_state(&snapshot.versions, now);
                if self.takes_server_state() {
                    self.take_over(*snapshot, now);
                }
                self.tiers.handle_joined(now);
                self.answered = now;
            }
            ServerEvent::Signal(signed) => self.handle_signal(*signed, 0, None, now),
            ServerEvent::Refused(change) => {
                let reason = "the server refused it".to_owned();
                self.handle_acked(&change, Verdict::Refused { reason }, now);
            }
            ServerEvent::State(snapshot) => {
                if self.takes_server_state() {
                    self.take_over(*snapshot, now);
                }
            }
            ServerEvent::Change(change) => self.handle_change(&change, now),
            ServerEvent::Acked { change, verdict } => self.handle_acked(&change, verdict, now),
            ServerEvent::Members(members) => self.members = members,
            ServerEvent::Probed { sent, received, server_received, server_sent, lead_us } => {
                let probe = Probe { sent, received, reference_received: server_received, reference_sent: server_sent };
                self.server_lead_us = lead_us;
                self.handle_probe(&probe, now);
            }
            ServerEvent::Alive { sent, received } => self.tiers.handle_round_trip(received - sent, now),
            ServerEvent::Backend { event, received } => self.handle_backend(event, received, now),
        }
    }

    pub(super) fn ask_to_join(&mut self, dialect: Dialect, now: MonoTime) {
        self.link = Link::Joining(dialect);
        self.next_probe = now;
        let Some(convoy) = self.convoy.clone() else { return };
        match dialect {
            Dialect::Jamz => {
                let bound_us = self.estimator.bound_us(now).unwrap_or(i64::MAX);
                let convoy_now = self.convoy_now(now);
                let claim = (self.base == TimeBase::Convoy).then_some(ClockClaim { convoy: convoy_now, bound_us });
                self.outputs.push_back(Output::Server(ServerCommand::Join {
                    convoy,
                    device: self.me.device().clone(),
                    user: self.me.user.clone(),
                    name: self.me.name.clone(),
                    claim,
                }));
            }
            Dialect::Backend => self.join_backend(convoy, now),
        }
    }

    fn handle_down(&mut self, reason: &str, now: MonoTime) {
        let was_joined = matches!(self.link, Link::Joined(_));
        self.link = Link::Down;
        self.tiers.handle_lost(reason);
        self.backend.handle_down();
        for member in &mut self.members {
            member.online = member.device == self.me.device().as_str();
        }
        self.note_server_lost(now);
        if was_joined {
            // The learned rate is kept, without the slew in progress.
            self.hold_servers_time(now);
            self.touch(now);
        }
    }

    /// The authority's state becomes ours; what was done here since counts on top of it.
    pub(super) fn take_over(&mut self, snapshot: Snapshot, now: MonoTime) {
        let (before, digest) = (self.anchor_now(now), self.digest());
        let term = self.state.term.max(snapshot.term);
        self.state = Snapshot { term, ..snapshot };
        self.forget_digest();
        self.recall_time();
        self.replay_log(now);
        self.replay_own(now);
        self.queue_revision += 1;
        self.touch(now);
        if self.digest() != digest {
            self.pass_state_on();
        }
        self.announce_jump(before.as_ref(), now);
    }

    fn handle_change(&mut self, change: &Change, now: MonoTime) {
        self.hlc = self.hlc.merge(change.hlc);
        if change.id.device == *self.me.device() {
            if !self.state.versions.knows(&change.id) {
                // Another authority refused it, and this one did not.
                let _ = self.apply_approved(change, now);
            }
            self.handle_acked(&change.id, Verdict::Applied, now);
            return;
        }
        let verdict = self.apply_approved(change, now);
        self.note_from_server(change, now);
        if verdict != Verdict::Duplicate {
            self.outputs.push_back(Output::Record { change: Box::new(change.clone()), verdict });
        }
    }

    fn handle_acked(&mut self, id: &crate::core::changes::ChangeId, verdict: Verdict, now: MonoTime) {
        let overruled = !matches!(verdict, Verdict::Applied | Verdict::Duplicate);
        self.note_acked(id, &verdict);
        if id.device == *self.me.device() {
            self.settle(id, verdict);
        }
        if overruled {
            // What was applied here ahead of the answer must go: the authority's whole state is asked for again.
            self.rejoin_server(now);
        }
    }

    /// Asks to be taken in again, for the server's whole state.
    pub(super) fn rejoin_server(&mut self, now: MonoTime) {
        if let Link::Joined(dialect) = self.link {
            self.ask_to_join(dialect, now);
            self.link = Link::Joined(dialect);
        }
    }

    /// A change counts here. Alone, a car is its own authority.
    pub(super) fn apply(&mut self, change: &Change, now: MonoTime) -> Verdict {
        let before = self.anchor_now(now);
        let verdict = if self.is_joined() { self.state.apply(change) } else { self.state.apply_alone(change) };
        self.note_applied(change, verdict, before.as_ref(), now)
    }

    /// A change counts here because an authority says so.
    pub(super) fn apply_approved(&mut self, change: &Change, now: MonoTime) -> Verdict {
        let before = self.anchor_now(now);
        let verdict = self.state.apply_alone(change);
        self.note_applied(change, verdict, before.as_ref(), now)
    }

    fn note_applied(&mut self, change: &Change, verdict: Verdict, before: Option<&Anchor>, now: MonoTime) -> Verdict {
        if matches!(verdict, Verdict::Applied | Verdict::Superseded { .. }) {
            self.state.term = self.state.term.max(change.term);
            self.forget_digest();
        }
        if verdict == Verdict::Applied {
            self.touch(now);
            if change.action.anchor().is_some() {
                self.announce_jump(before, now);
            } else {
                self.queue_revision += 1;
            }
        }
        verdict
    }

    /// Tells those who show a position that it jumped.
    fn announce_jump(&mut self, before: Option<&Anchor>, now: MonoTime) {
        let Some(last) = self.state.timeline.last() else { return };
        let at = self.convoy_now(now).max(last.anchor.at);
        let position_us = last.anchor.position_us(at);
        let jumped = before.is_none_or(|before| {
            before.track != last.anchor.track || (before.position_us(at) - position_us).abs() > 20_000
        });
        if jumped {
            self.outputs.push_back(Output::Notice(Notice::Seeked { position_us }));
        }
    }

    pub(super) fn anchor_now(&self, now: MonoTime) -> Option<Anchor> {
        self.state.timeline.at(self.convoy_now(now)).map(|stamped| stamped.anchor.clone())
    }

    fn handle_probe(&mut self, probe: &Probe, now: MonoTime) {
        if !self.estimator.handle_probe(probe) {
            return;
        }
        self.tiers.handle_round_trip(probe.round_trip_us(), now);
        self.answered = now;
        let Some(estimate) = self.estimator.estimate() else { return };
        if self.base != TimeBase::Convoy && self.estimator.count() < PROBES_ENOUGH {
            return;
        }
        if matches!(self.mesh.obeys_now(), Obeys::Neighbour(_)) {
            // The clock of the neighbour that leads counts.
            return;
        }
        self.follow_clock(&estimate, now);
    }

    /// Bends this car's clock to an estimate of the convoy's; a time that it made up itself just ends.
    pub(super) fn follow_clock(&mut self, estimate: &Estimate, now: MonoTime) {
        if self.base != TimeBase::Convoy {
            self.clock = SlewedClock::default();
        }
        self.clock.follow(estimate, now);
        self.base = TimeBase::Convoy;
    }

    /// A server that answers no more is none, whatever the connection says.
    pub(super) fn notice_silence(&mut self, now: MonoTime) {
        if self.silence_due().is_some_and(|due| now >= due) {
            self.tiers.handle_silence();
        }
    }

    pub(super) fn silence_due(&self) -> Option<MonoTime> {
        let expects = self.link == Link::Joined(Dialect::Jamz) && self.tiers.is_socket_good();
        expects.then(|| self.answered + SILENT_US)
    }

    pub(super) fn probe_when_due(&mut self, now: MonoTime) {
        if self.link == Link::Down || now < self.next_probe {
            return;
        }
        let pace_us = match self.link {
            Link::Joined(Dialect::Jamz) if self.estimator.count() < PROBES_FAST => PROBE_FAST_US,
            Link::Joined(Dialect::Backend) => 3_000_000,
            _ => PROBE_US,
        };
        self.next_probe = now + pace_us;
        if matches!(self.link, Link::Joined(_)) {
            let round_trip_us = self.tiers.round_trip_us();
            let bound_us = self.estimator.bound_us(now);
            self.outputs.push_back(Output::Server(ServerCommand::Probe { round_trip_us, bound_us }));
        }
    }
}
