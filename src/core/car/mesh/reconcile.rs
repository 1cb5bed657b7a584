//! That neighbours come to know the same: versions are compared with the neighbour that leads to the authority, gaps
//! are filled both ways, and where that does not do its whole state counts.

use super::Obeys;
use super::peer::Live;
use crate::core::car::{Car, TimeBase};
use crate::core::changes::{Change, ChangeId, Hlc, Verdict, Versions};
use crate::core::clock::{ConvoyTime, MonoTime};
use crate::core::conduct::Offence;
use crate::core::convoy::Snapshot;
use crate::core::id::DeviceId;
use crate::core::mesh::{Beat, PeerMessage};
use crate::core::timeline::Timeline;
use std::collections::BTreeSet;

/// Clocks that differ by less than this keep the same time line.
pub(super) const SAME_TIME_US: i64 = 500_000;
/// A difference from the authority's side that lasts so long is looked into,
const DIFFERS_US: i64 = 700_000;
/// and again after so long.
const AGAIN_US: i64 = 1_000_000;
/// While the two have not agreed yet, after so long.
const SOON_US: i64 = 400_000;
/// Two that hear the server themselves compare notes after so long.
const EQUALS_US: i64 = 5_000_000;
/// Edits that wait here may make the difference: for so long.
const EDITS_US: i64 = DIFFERS_US + AGAIN_US;
/// Why a control does not count that was given by a time line that was left.
const ANOTHER_CLOCK: &str = "it was played by another convoy's clock";
/// Changes given or asked for at once; more are had by the whole state.
const CHANGES_MAX: usize = 512;

/// How far this car is in knowing what its authority knows.
#[derive(Debug, Default)]
pub(super) struct Sync {
    /// The neighbour towards the authority.
    above: Option<DeviceId>,
    /// The state was found to be the same as there since the authority passed.
    agreed: bool,
    /// Since when it has differed.
    differs: Option<MonoTime>,
    asked: Option<MonoTime>,
    /// When own changes without a verdict were last sent again.
    repeated: Option<MonoTime>,
    /// Only the whole state will do.
    whole: bool,
    /// Own controls of a time line that was left, which had counted: who decides by the convoy's may know them.
    left: BTreeSet<ChangeId>,
}

impl Sync {
    /// The authority is another.
    pub(super) fn forget(&mut self) {
        let Self { above, whole, left, .. } = std::mem::take(self);
        *self = Self { above, whole, left, ..Self::default() };
    }
}

impl Car {
    /// Neighbours that were refused something are given the whole state, when it is time for that.
    pub(super) fn give_corrections(&mut self, now: MonoTime) {
        let wrong = self.mesh.corrections.take_due(now);
        let to: Vec<DeviceId> = wrong.into_iter().filter(|peer| self.mesh.live_with(peer).is_some()).collect();
        if !to.is_empty() {
            self.tell_peers(to, PeerMessage::State(Box::new(self.state.clone())));
        }
    }

    pub(super) fn tend_sync(&mut self, now: MonoTime) {
        if self.mesh.sync.above.as_ref() != self.mesh.upstream() {
            // Who was above until now may not have known what the one above him knows.
            self.mesh.sync.forget();
            self.mesh.sync.above = self.mesh.upstream().cloned();
        }
        if self.repeat_due().is_some_and(|due| now >= due) {
            self.mesh.sync.repeated = Some(now);
            self.repeat_own();
        }
        let digest = self.digest();
        let Some(peer) = self.sync_partner() else {
            let repeated = self.mesh.sync.repeated;
            self.mesh.sync.forget();
            self.mesh.sync.repeated = repeated;
            return;
        };
        let told = self.mesh.live_with(&peer).and_then(|live| live.beat.as_ref()).map(|beat| beat.digest);
        let sync = &mut self.mesh.sync;
        if told == Some(digest) {
            *sync = Sync { agreed: true, differs: None, asked: None, whole: false, ..std::mem::take(sync) };
        } else {
            sync.differs.get_or_insert(now);
        }
        if self.compare_due().is_none_or(|due| now < due) {
            return;
        }
        self.mesh.sync.asked = Some(now);
        let versions = if self.mesh.sync.whole { Versions::default() } else { self.state.versions.clone() };
        self.tell_peer(&peer, PeerMessage::Versions(versions));
    }

    pub(super) fn sync_due(&self) -> Option<MonoTime> {
        [self.compare_due(), self.repeat_due()].into_iter().flatten().min()
    }

    /// When own changes that wait for a verdict go to the authority again.
    fn repeat_due(&self) -> Option<MonoTime> {
        // Not before it is known whether the dates of it mean anything there.
        let waiting = self.mesh.upstream().is_some() && self.own.has_stored() && self.sync_partner().is_some();
        waiting.then(|| self.mesh.sync.repeated.map_or(MonoTime(i64::MIN), |at| at + AGAIN_US))
    }

    fn compare_due(&self) -> Option<MonoTime> {
        let sync = &self.mesh.sync;
        let differs = sync.differs?;
        let (patience_us, again_us) = match self.mesh.obeys {
            Obeys::Server => (EQUALS_US, EQUALS_US),
            _ if sync.agreed => (DIFFERS_US, AGAIN_US),
            _ => (0, SOON_US),
        };
        let patience_us = if self.mesh.edits.is_empty() { patience_us } else { patience_us.max(EDITS_US) };
        Some((differs + patience_us).max(sync.asked.map_or(differs, |asked| asked + again_us)))
    }

    /// With whom to compare: the neighbour towards the authority, once its time is ours; or, of two that both hear a
    /// server, the other, which may hear another server.
    fn sync_partner(&self) -> Option<DeviceId> {
        match &self.mesh.obeys {
            Obeys::Myself => None,
            Obeys::Neighbour(peer) => {
                let estimate = self.mesh.live_with(peer)?.convoy_time()?;
                let at = estimate.map.mono0;
                let error_us = (estimate.map.convoy(at) - self.convoy_now(at)).abs();
                (self.base == TimeBase::Convoy && error_us <= SAME_TIME_US).then(|| peer.clone())
            }
            Obeys::Server => {
                let others = self.mesh.live().filter(|(device, live)| {
                    let route = live.beat.as_ref().map(|beat| &beat.route);
                    *device > self.me.device() && route.is_some_and(|route| route.path.len() == 1)
                });
                // Of several, one that differs: who has the same server tells nothing new.
                let digest = self.last_digest();
                let is_same = |live: &Live| live.beat.as_ref().map(|beat| beat.digest) == digest;
                others.min_by_key(|(_, live)| is_same(live)).map(|(device, _)| device.clone())
            }
        }
    }

    /// A neighbour says what it knows.
    pub(super) fn handle_versions(&mut self, from: &DeviceId, versions: &Versions, now: MonoTime) {
        let is_follower = self.followers().any(|(device, _)| device == from);
        let lacking = self.state.versions.beyond(versions, CHANGES_MAX);
        let extra = versions.beyond(&self.state.versions, CHANGES_MAX);
        let changes: Vec<_> = lacking.iter().filter_map(|id| self.mesh.log.good(id)).cloned().collect();
        let fills_all = changes.len() == lacking.len() && lacking.len() < CHANGES_MAX;
        let same = lacking.is_empty() && extra.is_empty();
        if is_follower && (versions.count() == 0 || !fills_all || same) {
            self.tell_peer(from, PeerMessage::State(Box::new(self.state.clone())));
        } else {
            for change in changes {
                self.tell_peer(from, self.told(&change, 0));
            }
        }
        self.ask_for(from, extra, now);
    }

    /// Asks for what a neighbour knows and this car does not, but for what was refused, and for what those did who are
    /// muted.
    fn ask_for(&mut self, from: &DeviceId, extra: Vec<ChangeId>, now: MonoTime) {
        let mut want = Vec::new();
        let mut refused_any = false;
        let (from_above, has_last_word) = (self.mesh.upstream() == Some(from), self.mesh.obeys == Obeys::Myself);
        for id in extra {
            let mute = self.conduct.mute_of(&id.device, now).filter(|_| !from_above);
            let muted = mute.map(|mute| format!("its author is muted: {}", mute.offence));
            match self.mesh.log.get(&id).and_then(|logged| logged.refused().cloned()).or(muted) {
                Some(_) if mute.is_some() && !has_last_word => {}
                Some(reason) => {
                    refused_any = true;
                    self.tell_peer(from, PeerMessage::Verdict { change: id, verdict: Verdict::Refused { reason } });
                }
                None => want.push(id),
            }
        }
        if refused_any {
            self.tell_peer(from, PeerMessage::State(Box::new(self.state.clone())));
        }
        // What it has brought and waits here may be among it.
        if !want.is_empty() && !self.mesh.edits.any_of(from) {
            self.tell_peer(from, PeerMessage::Want(want));
        }
    }

    /// A neighbour asks for changes.
    pub(super) fn handle_want(&mut self, from: &DeviceId, wanted: &[ChangeId]) {
        for id in wanted.iter().take(CHANGES_MAX) {
            match self.mesh.log.good(id).cloned() {
                Some(change) => self.tell_peer(from, self.told(&change, 0)),
                // It cannot be had from here: their state is to count.
                None if self.mesh.upstream() == Some(from) => self.mesh.sync.whole = true,
                None => {}
            }
        }
    }

    /// The authority's whole state counts; what it has not been told yet counts on top of it.
    pub(super) fn handle_peer_state(&mut self, from: &DeviceId, snapshot: Snapshot, now: MonoTime) {
        if self.mesh.upstream() != Some(from) || self.sync_partner().is_none() {
            return;
        }
        if snapshot.term.is_beyond(self.state.term) {
            self.conduct.accuse(from, Offence::FalseTerm, now);
            return;
        }
        self.mesh.sync.whole = false;
        let theirs = snapshot.versions.clone();
        self.take_over(snapshot, now);
        if !self.state.versions.beyond(&theirs, 1).is_empty() {
            // They are to have at once what they do not know yet.
            self.mesh.sync.asked = Some(now);
            self.tell_peer(from, PeerMessage::Versions(self.state.versions.clone()));
        }
    }

    /// A state was taken over: who follows is not left to find out.
    pub(in crate::core::car) fn pass_state_on(&mut self, now: MonoTime) {
        self.mesh.passed_on = now;
        let followers: Vec<DeviceId> = self.followers().map(|(device, _)| device.clone()).collect();
        if !followers.is_empty() {
            self.tell_peers(followers, PeerMessage::State(Box::new(self.state.clone())));
        }
    }

    /// Whether who sends `beat` follows from now on, and holds something else than the state that was passed on a
    /// moment ago: it may have agreed with what was here before, and would wait.
    pub(super) fn misses_state(&mut self, from: &DeviceId, beat: &Beat, now: MonoTime) -> bool {
        let is_recent = now - self.mesh.passed_on < DIFFERS_US;
        if !is_recent || !self.is_led_here(from, &beat.route) {
            return false;
        }
        let has_followed = self.followers().any(|(device, _)| device == from);
        !has_followed && beat.digest != self.digest()
    }

    /// On top of a state that was taken over: the changes of late that it lacks, whoever made them that may. What
    /// nobody signed, and a server brought, cannot be given to whom the state is from: his word counts.
    pub(in crate::core::car) fn replay_log(&mut self, now: MonoTime) {
        let lacking: Vec<_> = self
            .mesh
            .log
            .iter()
            .filter(|logged| logged.refused().is_none() && !self.state.versions.knows(&logged.change.id))
            .filter(|logged| logged.change.signature.is_some() && self.right_of(&logged.change).is_ok())
            .map(|logged| logged.change.clone())
            .collect();
        for change in lacking {
            let made_alone = self.base == TimeBase::Own && change.action.anchor().is_some();
            if !made_alone {
                let verdict = self.apply(&change, now);
                if matches!(verdict, Verdict::Refused { .. }) && change.id.device == *self.me.device() {
                    self.settle(&change.id, verdict);
                }
            }
        }
    }

    /// On top of a list that a server without a memory for changes gave: the edits of all since it was lost. Which.
    pub(in crate::core::car) fn replay_edits_since(&mut self, lost: Hlc, is_in_list: bool) -> Vec<ChangeId> {
        let is_late = |change: &Change| change.hlc > lost && change.action.is_edit();
        let good = self.mesh.log.iter().filter(|logged| logged.refused().is_none() && is_late(&logged.change));
        let edits: Vec<Change> = good.map(|logged| logged.change.clone()).collect();
        for change in edits.iter().filter(|_| !is_in_list) {
            let _ = self.state.apply_alone(change);
        }
        edits.into_iter().map(|change| change.id).collect()
    }

    /// A state was taken over: of the controls that counted by a time line that was left it knows some, as others have
    /// kept that time. The others are void, and their author is told.
    pub(in crate::core::car) fn tell_left(&mut self) {
        let versions = &self.state.versions;
        let gone: Vec<ChangeId> = self.mesh.sync.left.iter().filter(|id| !versions.knows(id)).cloned().collect();
        for id in gone {
            self.mesh.sync.left.remove(&id);
            self.supersede(&id, ANOTHER_CLOCK);
        }
    }

    /// The convoy's time is another than the one kept here: what was played by that one means nothing any more, and
    /// what else was done is done `now`, by the convoy's time.
    pub(super) fn leave_own_time(&mut self, now: ConvoyTime) {
        let own = self.own.stored_changes();
        for change in own.iter().filter(|change| !change.action.is_edit()) {
            self.settle(&change.id, Verdict::Superseded { reason: ANOTHER_CLOCK.into() });
        }
        let is_left = |change: &Change| change.id.device == *self.me.device() && !change.action.is_edit();
        let left = self.mesh.log.iter().filter(|logged| logged.refused().is_none() && is_left(&logged.change));
        let left: Vec<ChangeId> = left.map(|logged| logged.change.id.clone()).collect();
        self.mesh.sync.left.extend(left);
        self.mesh.log.retain(|logged| logged.change.action.is_edit());
        self.state.timeline = Timeline::default();
        self.state.entrust(None, None);
        self.date_anew(now);
        self.forget_digest();
        self.mesh.sync.whole = true;
    }
}
