//! Who is heard: what neighbours say and authors do is counted, and whoever does too much, or claims what cannot be, is
//! cut off until his mute is over.

use super::Car;
use crate::core::changes::Change;
use crate::core::clock::{Estimate, MonoTime};
use crate::core::conduct::{Matter, Mute, Offence};
use crate::core::id::{self, DeviceId};
use crate::core::io::{Notice, Output};
use crate::core::mesh::{Beat, MeshCommand, PeerMessage, Source};
use crate::core::status::Muted;
use std::collections::BTreeMap;

/// A neighbour's convoy time that is no further from this car's is the same.
const IN_TIME_US: i64 = 10_000;
/// One that was the same, and is then further away than this and what the link leaves in doubt, has stepped.
const STEPPED_US: i64 = 50_000;
/// However slow a link seems, and a server was that it had its time from: nobody hides a longer step behind that.
const DOUBT_US_MAX: i64 = 250_000;
const BOUND_US_MAX: i64 = 600_000;
/// Two crystals at their worst, slewing, and a little: convoy time that runs faster than that by a car's clock is none.
pub(super) const RATE_MAX: f64 = 1.5e-3;

impl Car {
    /// Whether a neighbour may say that now.
    pub(super) fn hears(&mut self, from: &DeviceId, message: &PeerMessage, now: MonoTime) -> bool {
        let matter = match message {
            PeerMessage::Hello(_) => Some(Matter::Hellos),
            PeerMessage::Beat(_) => Some(Matter::Beats),
            PeerMessage::Versions(_) => Some(Matter::Versions),
            PeerMessage::Want(_) => Some(Matter::Wants),
            PeerMessage::State(_) => Some(Matter::States),
            PeerMessage::Members(_) => Some(Matter::Members),
            PeerMessage::Revoked(_) => Some(Matter::Revocations),
            PeerMessage::Goodbye => Some(Matter::Goodbyes),
            PeerMessage::Change { .. } | PeerMessage::Verdict { .. } | PeerMessage::Signal { .. } => None,
        };
        self.conduct.count(from, Matter::Messages, 1, now)
            && matter.is_none_or(|matter| self.conduct.count(from, matter, 1, now))
    }

    /// Whether a change that is new here may be considered, by what its author does and what `from` brings. What comes
    /// from the authority's side has been approved there; but nobody approves of himself.
    pub(super) fn bears(&mut self, from: &DeviceId, change: &Change, now: MonoTime) -> bool {
        let author = &change.id.device;
        let is_brought = author != from;
        if is_brought && self.mesh.upstream() == Some(from) {
            return true;
        }
        let is_new = is_brought && !self.state.versions.knows_author(author);
        let is_edit = change.action.is_edit();
        let (is_counted, is_control) = (is_edit && (!is_brought || self.has_counted(change)), is_brought && !is_edit);
        let convoy_now = self.convoy_now(now);
        (is_counted || self.conduct.count_change(change, convoy_now, now))
            && (!is_new || self.conduct.count(from, Matter::Newcomers, 1, now))
            && (!is_control || self.conduct.count(from, Matter::Brought, 1, now))
    }

    /// Whether an edit that is new here may wait to be taken in. What a neighbour edits itself is counted before;
    /// whether what it brings of others is theirs is not known yet.
    pub(super) fn bears_edit(&mut self, from: &DeviceId, change: &Change, now: MonoTime) -> bool {
        let convoy_now = self.convoy_now(now);
        change.id.device != *from || self.conduct.count_change(change, convoy_now, now)
    }

    /// Whether an author is muted here, whose change comes from `from`.
    pub(super) fn ignores(&self, from: &DeviceId, change: &Change, now: MonoTime) -> bool {
        self.mesh.upstream() != Some(from) && self.conduct.is_muted(&change.id.device, now)
    }

    /// Whether what a neighbour says of its authority can be.
    pub(super) fn is_credible(&mut self, from: &DeviceId, beat: &Beat, now: MonoTime) -> bool {
        let term = match &beat.route.source {
            Source::Server { term } => *term,
            Source::Member(claim) => claim.term,
        };
        if term.is_beyond(self.state.term) {
            self.conduct.accuse(from, Offence::FalseTerm, now);
            return false;
        }
        let Source::Member(claim) = &beat.route.source else { return true };
        let Some(live) = self.mesh.live_with(from).filter(|_| claim.device == *from) else { return true };
        if live.hello.as_ref().is_some_and(|hello| hello.user != claim.user) {
            self.conduct.accuse(from, Offence::FalseRank, now);
            return false;
        }
        let before = live.beat.as_ref().map(|beat| &beat.route.source);
        let rises = matches!(before, Some(Source::Member(last)) if last.device == *from && claim.term > last.term);
        !rises || self.conduct.count(from, Matter::Terms, 1, now)
    }

    /// Whether the neighbour that is followed tells the time that it told before. One that takes another's time over,
    /// having met him, is not the source of it.
    pub(super) fn is_in_time(&mut self, from: &DeviceId, estimate: &Estimate, now: MonoTime) -> bool {
        let apart_us = self.apart_us(&estimate.map, now);
        let Some(live) = self.mesh.live_with_mut(from) else { return true };
        let Some(beat) = &live.beat else { return true };
        let is_source = matches!(&beat.route.source, Source::Member(claim) if claim.device == *from);
        if !is_source {
            live.in_time = None;
            return true;
        }
        if apart_us <= IN_TIME_US {
            live.in_time = beat.clock.map(|(_, bound_us)| bound_us.min(BOUND_US_MAX));
            return true;
        }
        let doubt_us = live.estimator.bound_us(now).unwrap_or(DOUBT_US_MAX).min(DOUBT_US_MAX);
        let off_us = apart_us - STEPPED_US - doubt_us;
        let is_false = estimate.map.rate.abs() > RATE_MAX || live.in_time.is_some_and(|bound_us| off_us > bound_us);
        if is_false {
            self.conduct.accuse(from, Offence::FalseClock, now);
            return false;
        }
        // What it has from a server that was slow may be bettered, now and then.
        live.in_time.is_none() || off_us <= 0 || self.conduct.count(from, Matter::Steps, 1, now)
    }

    /// Whoever has just been muted loses his links: nothing that he sends is even read.
    pub(super) fn cut_off_muted(&mut self, now: MonoTime) {
        for member in self.conduct.take_news() {
            let Some(mute) = self.conduct.mute_of(&member, now) else { continue };
            let is_linked = self.mesh.peers.get(&member).is_some_and(|peer| peer.attempt().is_some());
            if let Some(peer) = self.peer_mut(&member, now) {
                peer.end();
                (peer.failures, peer.retry) = (1, mute.until);
            }
            if is_linked {
                self.outputs.push_back(Output::Mesh(MeshCommand::Close { peer: member.clone() }));
            }
            self.mesh.edits.forget(&member);
            self.mesh.stirred = true;
            let (reason, seconds) = (mute.offence.to_string(), (mute.until - now) / 1_000_000);
            tracing::warn!(member = id::short(member.as_str()), seconds, "a member is muted: {reason}");
            self.outputs.push_back(Output::Notice(Notice::Muted { member: member.to_string(), reason }));
        }
    }

    /// Whether what a device does is not heard here now.
    #[must_use]
    pub fn mutes(&self, device: &DeviceId, now: MonoTime) -> bool {
        self.conduct.is_muted(device, now)
    }

    /// Who is muted, why and until when.
    pub(in crate::core::car) fn muted(&self, now: MonoTime) -> BTreeMap<String, Muted> {
        let shown = |mute: Mute| Muted { reason: mute.offence.to_string(), until_us: mute.until.0 };
        self.conduct.muted(now).map(|(member, mute)| (member.to_string(), shown(mute))).collect()
    }

    /// Who is muted and why, in words for people.
    pub(in crate::core::car) fn muted_shown(&self, now: MonoTime) -> Option<String> {
        let words: Vec<String> = self
            .conduct
            .muted(now)
            .map(|(member, mute)| format!("{} is muted here: {}", id::short(member.as_str()), mute.offence))
            .collect();
        (!words.is_empty()).then(|| words.join("; "))
    }
}
