//! Tier 1 as the car sees it: joining, the clock's probes, the authority's changes and verdicts.

use super::{Car, Link, Obeys, PROBES_ENOUGH, REJOIN_US, TimeBase};
use crate::core::changes::{Change, ChangeId, Verdict};
use crate::core::clock::{ConvoyTime, Estimate, MonoTime, Probe, SlewedClock};
use crate::core::convoy::{CONTROL_AHEAD_MAX_US, DATE_AHEAD_MAX_US, Snapshot};
use crate::core::io::{ClockClaim, Dialect, Notice, Output, ServerCommand, ServerEvent};
use crate::core::request::Refusal;
use crate::core::timeline::{Anchor, Stamped};

/// Today's backend is asked for a sign of life so often, and so often while it takes us in.
const ALIVE_US: i64 = 3_000_000;
pub(super) const ALIVE_JOINING_US: i64 = 500_000;
/// However often the time is asked for, the length of the way is an average over seconds.
const TIMED_US: i64 = 250_000;
/// A server that has not answered for so long is taken for gone: three probes at least.
const SILENT_US: i64 = 1_600_000;
/// It is asked no oftener then than this.
const PROBE_SILENT_US: i64 = 250_000;
/// Over a satellite nothing may come through for a while as it hands over to the next.
const SILENT_SATELLITE_US: i64 = 3_100_000;
/// Who leads others is not led further than this by a server that does not decide.
const STEP_LED_US: i64 = 30_000;
/// Who keeps the convoy's time already is not led by less than so much certainty, in microseconds,
const VAGUE_US: i64 = 30_000;
/// until after so many probes it is clear that there is no more to be had.
const PROBES_SURE: usize = 24;
/// The music's last change is over after so long.
const STILL_US: i64 = 1_000_000;
/// After these, it is asked every 160 s.
const REJOIN_DOUBLINGS: u32 = 4;

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
            ServerEvent::Up { dialect, challenge } => {
                self.papers.challenge = challenge;
                // It may be another server, or keep another time than before.
                self.estimator.begin_anew(self.clock_bound(now), now);
                self.ask_to_join(dialect, now);
            }
            ServerEvent::Down { reason } => self.handle_down(&reason, now),
            ServerEvent::Rejected { reason } => self.handle_rejected(&reason, now),
            ServerEvent::Refused { change, reason } => self.handle_acked(&change, &Verdict::Refused { reason }, now),
            ServerEvent::Failed { change, reason: _ } => self.handle_failed(&change, now),
            ServerEvent::TooLong { reason } => self.handle_unheard_list(&reason),
            ServerEvent::Joined { snapshot, members } => {
                self.members = members;
                self.link = Link::Joined(Dialect::Jamz);
                (self.rejoin, self.rejections) = (None, 0);
                self.note_server_state(&snapshot.versions, now);
                self.take_server_state(snapshot, now);
                self.own.is_news = self.has_news_for_server();
                self.tiers.handle_joined(now);
                self.answered = now;
            }
            ServerEvent::Signal(signed) => self.handle_signal(*signed, 0, None, now),
            ServerEvent::State(snapshot) => self.take_server_state(snapshot, now),
            ServerEvent::Change(change) => self.handle_change(&change, now),
            ServerEvent::Acked { change, verdict } => self.handle_acked(&change, &verdict, now),
            ServerEvent::Members(members) => self.members = members,
            ServerEvent::Tickets(credentials) => self.handle_credentials(&credentials, now),
            ServerEvent::Invited { request, result } => self.handle_invited(request, result),
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
                let bound_us = self.clock_bound(now).unwrap_or(i64::MAX);
                // By the time that it arrives, if the way is as it was.
                let claimed = ClockClaim { convoy: self.convoy_now(now) + self.estimator.way_us(), bound_us };
                let claim = (self.base == TimeBase::Convoy).then_some(claimed);
                let challenge = self.papers.challenge.as_ref();
                let proof = challenge.map(|challenge| self.me.key.prove_join(&convoy, challenge));
                self.outputs.push_back(Output::Server(ServerCommand::Join {
                    convoy,
                    device: self.me.device().clone(),
                    user: self.me.user.clone(),
                    name: self.me.name.clone(),
                    claim,
                    proof,
                }));
            }
            Dialect::Backend => self.join_backend(convoy, now),
        }
    }

    /// The server lives and will not have us: it is asked again, ever more seldom.
    fn handle_rejected(&mut self, reason: &str, now: MonoTime) {
        if let Link::Joined(dialect) = self.link {
            self.link = Link::Joining(dialect);
        }
        self.tiers.handle_lost(reason);
        self.rejoin = Some(now + (REJOIN_US << self.rejections.min(REJOIN_DOUBLINGS)));
        self.rejections += 1;
        self.own.answer_joins(&Err(Refusal::Denied(format!("the server does not take this car in: {reason}"))));
    }

    /// What was done without the server has reached it. In whatever order that was, and whatever ran out of it there
    /// meanwhile: what the server made of it counts, and is asked for.
    pub(super) fn compare_when_told(&mut self, now: MonoTime) {
        if self.own.is_news && matches!(self.link, Link::Joined(Dialect::Jamz)) && !self.has_news_for_server() {
            self.own.is_news = false;
            self.rejoin.get_or_insert(now);
        }
    }

    fn has_news_for_server(&self) -> bool {
        self.own.count() > 0 || self.gives_to_server()
    }

    /// Asks to be taken in again, when that is due. Who is a member stays one meanwhile.
    pub(super) fn rejoin_when_due(&mut self, now: MonoTime) {
        if self.rejoin.is_none_or(|due| now < due) {
            return;
        }
        if !self.joins.allows(now) {
            self.rejoin = self.joins.poll_timeout();
            return;
        }
        self.joins.spend(now);
        self.rejoin = None;
        if let Link::Joined(dialect) | Link::Joining(dialect) = self.link {
            let link = self.link;
            self.ask_to_join(dialect, now);
            self.link = link;
        }
    }

    fn handle_down(&mut self, reason: &str, now: MonoTime) {
        let was_joined = matches!(self.link, Link::Joined(_));
        if self.is_in_session() {
            self.backend.note_lost(self.hlc);
        }
        self.link = Link::Down;
        self.rejoin = None;
        self.own.handle_down();
        self.abandon_invitations();
        self.tiers.handle_lost(reason);
        self.sky.handle_lost();
        self.backend.handle_down();
        for member in &mut self.members {
            member.online = member.device == self.me.device().as_str();
        }
        self.note_server_lost(now);
        if was_joined {
            self.hold_servers_time(now);
            self.touch(now);
        }
    }

    /// The authority's state becomes ours; what was done here since counts on top of it.
    pub(super) fn take_over(&mut self, mut snapshot: Snapshot, now: MonoTime) {
        let (before, digest) = (self.anchor_now(now), self.digest());
        snapshot.cleanse(self.convoy_now(now));
        if self.base == TimeBase::Own {
            // The convoy's time is not known yet; but what it had last.
            self.date_anew(ConvoyTime(snapshot.latest().time_us));
        }
        let term = self.state.term.max(snapshot.term);
        self.state = Snapshot { term, ..snapshot };
        self.forget_digest();
        self.recall_time();
        self.recall_numbers();
        self.tell_left();
        self.replay_log(now);
        self.replay_own(now);
        self.queue_revision += 1;
        self.touch(now);
        if self.digest() != digest {
            self.pass_state_on(now);
        }
        self.announce_jump(before.as_ref(), now);
    }

    fn handle_change(&mut self, change: &Change, now: MonoTime) {
        let is_nonsense = self.is_nonsense(change, now);
        if !is_nonsense {
            self.hlc = self.hlc.merge(change.hlc);
        }
        if change.id.device == *self.me.device() {
            if !self.state.versions.knows(&change.id) {
                // Another authority refused it, and this one did not.
                let _ = self.apply_approved(change, now);
            }
            self.handle_acked(&change.id, &Verdict::Applied, now);
            return;
        }
        if change.signature.is_none() && self.puts_off_the_server() {
            return;
        }
        let verdict = if is_nonsense {
            Verdict::Refused { reason: "it is dated, or would take effect, too far from now".into() }
        } else {
            self.apply(change, now)
        };
        if matches!(verdict, Verdict::Refused { .. }) {
            // It counts for the authority: what is held here must differ from what is so.
            self.rejoin.get_or_insert(now);
        }
        self.note_from_server(change, now);
        if verdict != Verdict::Duplicate {
            self.outputs.push_back(Output::Record { change: Box::new(change.clone()), verdict });
        }
    }

    /// Whether a change is dated when nobody can have made it, or a control would take effect when nobody can have
    /// meant it.
    fn is_nonsense(&self, change: &Change, now: MonoTime) -> bool {
        let convoy_now = self.convoy_now(now);
        let latest = convoy_now + CONTROL_AHEAD_MAX_US;
        change.hlc.time_us > (convoy_now + DATE_AHEAD_MAX_US).0
            || (self.base == TimeBase::Convoy && change.action.anchor().is_some_and(|anchor| anchor.at > latest))
    }

    fn handle_acked(&mut self, id: &ChangeId, verdict: &Verdict, now: MonoTime) {
        let overruled = !matches!(verdict, Verdict::Applied | Verdict::Duplicate);
        if id.device == *self.me.device() {
            self.settle(id, verdict.clone());
        }
        self.note_acked(id, verdict);
        if !overruled && !self.state.versions.knows(id) && !self.obeys_mesh() {
            // It was passed over here, and counts for the authority.
            match self.logged(id) {
                Some(change) => drop(self.apply_approved(&change, now)),
                None => self.rejoin = Some(now),
            }
        }
        if overruled && (id.device == *self.me.device() || self.state.versions.knows(id)) {
            // What was applied here ahead of the answer must go: the authority's whole state is asked for again.
            self.rejoin = Some(now);
        }
    }

    /// A change counts here. Alone, a car is its own authority.
    pub(super) fn apply(&mut self, change: &Change, now: MonoTime) -> Verdict {
        self.take_in(change, now, self.is_joined())
    }

    /// A change counts here because an authority says so.
    pub(super) fn apply_approved(&mut self, change: &Change, now: MonoTime) -> Verdict {
        self.take_in(change, now, false)
    }

    fn take_in(&mut self, change: &Change, now: MonoTime, judged: bool) -> Verdict {
        let (before, last) = (self.anchor_now(now), self.state.timeline.last().cloned());
        let verdict = if judged { self.state.apply(change) } else { self.state.apply_alone(change) };
        if matches!(verdict, Verdict::Applied | Verdict::Superseded { .. }) {
            self.state.term = self.state.term.max(change.term);
            self.touch(now);
            self.queue_revision += u64::from(change.action.anchor().is_none());
            if self.link == Link::Joined(Dialect::Jamz) && self.state.had_rolled(change) {
                self.rejoin.get_or_insert(now);
            }
        }
        // Control that was taken earlier than is heard of takes back what came after it.
        if self.state.timeline.last() != last.as_ref() {
            self.announce_jump(before.as_ref(), now);
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
        self.answered = now;
        // By when they left: those that took long would count more often by when they came.
        if probe.sent - self.timed >= TIMED_US {
            self.timed = probe.sent;
            self.tiers.handle_round_trip(probe.round_trip_us(), now);
            self.sky.handle_round_trip(probe.round_trip_us(), now);
        }
        let Some(estimate) = self.estimator.estimate() else { return };
        if self.estimator.count() < PROBES_ENOUGH {
            return;
        }
        if self.is_too_vague(&estimate, self.estimator.count()) {
            // Answers that were held up together say little one by one, and much as soon as the next one is there.
            return;
        }
        if matches!(self.mesh.obeys_now(), Obeys::Neighbour(_)) {
            // The clock of the neighbour that leads counts.
            return;
        }
        if self.keeps_reference(now) {
            return;
        }
        if self.sets_the_time() && self.apart_us(&estimate.map, now) > STEP_LED_US {
            // It would take along those who follow; when the server decides again, all of them step to it.
            return;
        }
        self.follow_clock(&estimate, now);
    }

    /// Whether an estimate out of so many exchanges is none for who keeps the convoy's time already.
    pub(super) fn is_too_vague(&self, estimate: &Estimate, count: usize) -> bool {
        self.base == TimeBase::Convoy && estimate.bound_us > VAGUE_US && count < PROBES_SURE
    }

    /// Bends this car's clock to an estimate of the convoy's. A time that it made up itself just ends; and while nobody
    /// hears it, or it is only just known, the clock is set to what is known by now, which the music would have to wait
    /// for.
    pub(super) fn follow_clock(&mut self, estimate: &Estimate, now: MonoTime) {
        if self.base != TimeBase::Convoy {
            (self.clock, self.base) = (SlewedClock::default(), TimeBase::Convoy);
        }
        let is_free = !self.sets_the_time();
        if is_free && self.is_still(now) {
            self.clock.set(estimate, now);
        } else if is_free {
            self.clock.follow_freely(estimate, now);
        } else {
            self.clock.follow(estimate, now);
        }
    }

    /// Whether nothing plays here, and nothing has just stopped or is about to start.
    fn is_still(&self, now: MonoTime) -> bool {
        let is_over = |last: &Stamped| self.convoy_now(now) - last.anchor.at > STILL_US;
        !self.is_playing_planned() && self.state.timeline.last().is_none_or(is_over)
    }

    /// A server that answers no more is none, whatever the connection says.
    pub(super) fn notice_silence(&mut self, now: MonoTime) {
        if self.silence_due().is_some_and(|due| now >= due) {
            self.tiers.handle_silence();
        }
    }

    pub(super) fn silence_due(&self) -> Option<MonoTime> {
        let expects = self.link == Link::Joined(Dialect::Jamz) && self.tiers.is_socket_good();
        let silent_us = if self.sky.is_satellite() { SILENT_SATELLITE_US } else { SILENT_US };
        expects.then(|| self.answered + silent_us)
    }

    pub(super) fn probe_when_due(&mut self, now: MonoTime) {
        if self.link == Link::Down || now < self.next_probe {
            return;
        }
        let pace_us = match self.link {
            Link::Joined(Dialect::Backend) => ALIVE_US,
            Link::Joining(Dialect::Backend) => ALIVE_JOINING_US,
            // What a link that stands still does not carry would only pile up.
            _ if now - self.answered >= SILENT_US => PROBE_SILENT_US,
            _ => self.estimator.pace_us(),
        };
        self.next_probe = now + pace_us;
        // What is no more than a sign of life is asked for ahead of joining, too.
        if matches!(self.link, Link::Joined(_) | Link::Joining(Dialect::Backend)) {
            let round_trip_us = self.tiers.round_trip_us();
            let bound_us = self.estimator.bound_us(now);
            self.outputs.push_back(Output::Server(ServerCommand::Probe { round_trip_us, bound_us }));
        }
    }
}
