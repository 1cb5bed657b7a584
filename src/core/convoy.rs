//! What a convoy agrees on: timeline, playlist, controller; and how a change acts on it. The same in cars and server.

use super::changes::{Action, Change, Hlc, Stamp, Verdict, Versions};
use super::clock::ConvoyTime;
use super::election::Term;
use super::id::{self, DeviceId};
use super::planted::{Plant, is_planted};
use super::playlist::{ENTRIES_MAX, Playlist};
use super::timeline::{Anchor, Stamped, Timeline};
use super::trust::{self, Deed, Deeds};
use serde::{Deserialize, Serialize};

/// A control needs at least so long to be stored, sent and made ready for in every car.
pub const LEAD_MIN_US: i64 = 150_000;
/// The user's buffer for commands on a satellite link, at its shortest and at its longest.
pub const LEAD_SATELLITE_US: i64 = 1_000_000;
pub const LEAD_MAX_US: i64 = 2_000_000;
/// No control takes effect further from now than the longest lead and what a member's clock may be off.
pub const CONTROL_AHEAD_MAX_US: i64 = LEAD_MAX_US + 1_000_000;

/// No change is dated further ahead of now. Own times of cars that were alone differ by as long as they were on, and
/// who meets them must not be deaf to them: only what nobody can have lived is refused.
pub const DATE_AHEAD_MAX_US: i64 = 100 * 365 * 24 * 3_600 * 1_000_000;

/// The agreed state. It is its own snapshot: what an authority sends to a newcomer, and what is kept on disk.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Snapshot {
    pub timeline: Timeline,
    pub playlist: Playlist,
    pub controller: Option<DeviceId>,
    /// Who set the controller when.
    pub controlled: Option<Stamp>,
    /// What led to that, and to the timeline.
    #[serde(default)]
    pub deeds: Deeds,
    pub term: Term,
    pub versions: Versions,
}

impl Snapshot {
    /// Takes a change in. Members that take in the same changes agree, in whatever order those of different authors
    /// arrive: a playback change counts if its author led when he made it.
    pub fn apply(&mut self, change: &Change) -> Verdict {
        if self.has_taken(change) {
            return Verdict::Duplicate;
        }
        if !self.may(change) {
            return Verdict::Refused { reason: self.denial() };
        }
        self.apply_alone(change)
    }

    /// As [`Self::apply`], for a car that is alone and so its own authority: nobody's right is asked for.
    pub fn apply_alone(&mut self, change: &Change) -> Verdict {
        if self.has_taken(change) {
            return Verdict::Duplicate;
        }
        if matches!(change.action, Action::Add { .. }) && self.playlist.len() >= ENTRIES_MAX {
            return Verdict::Refused { reason: format!("the playlist is full: it has {ENTRIES_MAX} entries") };
        }
        self.versions.insert(&change.id);
        if self.act(change) {
            if change.action.is_edit() {
                self.timeline.reconsider(ConvoyTime(change.hlc.time_us));
            }
            Verdict::Applied
        } else {
            Verdict::Superseded { reason: format!("a newer change than this {} counts", change.action.name()) }
        }
    }

    fn has_taken(&self, change: &Change) -> bool {
        self.versions.knows(&change.id) && !is_planted(Plant::DuplicateApplied)
    }

    /// Sets who leads, by the word of someone who does not say why.
    pub fn entrust(&mut self, controller: Option<DeviceId>, stamp: Option<Stamp>) {
        self.deeds = Deeds::since(controller.clone(), stamp.clone());
        self.controller = controller;
        self.controlled = stamp;
    }

    /// Drops what is dated beyond all bounds, or was done in a term that cannot be, as a damaged disk or another member
    /// may have it: whatever is done after it would be, too, and so be refused by everyone.
    pub fn cleanse(&mut self, now: ConvoyTime) {
        let latest = Hlc { time_us: (now + DATE_AHEAD_MAX_US).0, count: u32::MAX };
        if self.term > Term::LIVED_MAX {
            self.term = Term::default();
        }
        let term = self.term;
        let cannot_be = |stamp: &Stamp| stamp.hlc > latest || stamp.term.is_beyond(term);
        self.timeline.withdraw(cannot_be);
        self.playlist.cleanse(latest, term);
        self.controlled.take_if(|stamp| cannot_be(stamp));
        if self.deeds.cleanse(cannot_be) && !self.deeds.is_empty() {
            let led = self.deeds.led_at(None);
            (self.controller, self.controlled) = (led.leader.cloned(), led.since.cloned());
        }
    }

    /// The latest hybrid time of what was done to control and playback.
    #[must_use]
    pub fn latest(&self) -> Hlc {
        let stamps = [self.timeline.last().map(|last| &last.stamp), self.controlled.as_ref(), self.deeds.latest()];
        stamps.into_iter().flatten().map(|stamp| stamp.hlc).fold(Hlc::default(), Hlc::merge)
    }

    /// Why a playback control of someone else does not count.
    #[must_use]
    pub fn denial(&self) -> String {
        match &self.controller {
            Some(controller) => {
                let controller = id::short(controller.as_str());
                format!("{controller} is the DJ; take control first (`jamzctl take`)")
            }
            None => "nobody has control; take it first (`jamzctl take`)".into(),
        }
    }

    /// The anchor that the track after the current one will have, once `now` is past the current one's end.
    #[must_use]
    pub fn rolled(&self, now: ConvoyTime) -> Option<Anchor> {
        let current = self.timeline.at(now)?;
        self.following(&current.anchor).filter(|next| next.at <= now)
    }

    /// What follows `anchor` by itself: the next entry when its track has run out, or a stop at the playlist's end.
    /// None while paused, or when the track's length is not known.
    #[must_use]
    pub fn following(&self, anchor: &Anchor) -> Option<Anchor> {
        let entry = anchor.entry.as_ref()?;
        let duration_us = self.playlist.duration_us(entry)?;
        if !anchor.playing {
            return None;
        }
        let at = anchor.at + duration_us.saturating_sub(anchor.position_us).max(0);
        Some(match self.playlist.after(Some(entry)) {
            Some(next) => Anchor {
                entry: Some(next.clone()),
                track: self.playlist.track(next).map(|track| track.id.clone()),
                position_us: 0,
                at,
                playing: true,
            },
            None => Anchor { position_us: duration_us, at, playing: false, ..anchor.clone() },
        })
    }

    /// Whether what plays followed by itself after `edit` was made, and maybe before that was heard of: then others may
    /// have moved on to something else, and one of them must say what counts.
    #[must_use]
    pub fn had_rolled(&self, edit: &Change) -> bool {
        let is_between = |last: &Stamped| last.stamp.hlc < edit.hlc && edit.hlc.time_us < last.anchor.at.0;
        edit.action.is_edit() && self.timeline.last().is_some_and(is_between)
    }

    /// Brings the timeline up to `now`: forgets the past, and moves on to the next track where one has run out. Returns
    /// whether the current anchor changed by itself.
    pub fn advance(&mut self, now: ConvoyTime) -> bool {
        self.timeline.settle(now);
        let mut rolled = false;
        // A car that slept through many short tracks catches up; the bound ends a playlist of empty ones.
        for _ in 0..ENTRIES_MAX {
            let Some(next) = self.rolled(now) else { break };
            self.timeline.roll(now, next);
            rolled = true;
        }
        self.forget_removed();
        rolled
    }

    /// Whether its author had the right to a change when he made it.
    fn may(&self, change: &Change) -> bool {
        let leader = if self.deeds.is_empty() {
            self.controller.as_ref()
        } else {
            self.deeds.led_at(Some(&change.stamp())).leader
        };
        trust::may(&change.id.device, &change.action, leader)
    }

    fn act(&mut self, change: &Change) -> bool {
        let stamp = change.stamp();
        match &change.action {
            Action::Play { anchor }
            | Action::Pause { anchor }
            | Action::Seek { anchor }
            | Action::ChangeTrack { anchor } => self.set_anchor(change, anchor),
            // Today's backend gives a list without what it came about by: then its entries are there already.
            Action::Add { entry, track, order } => {
                self.playlist.add(entry, track, order, &stamp) || self.playlist.contains(entry)
            }
            Action::Remove { entry } => {
                let removed = self.playlist.remove(entry);
                self.forget_removed();
                removed
            }
            Action::Move { entry, order } => self.playlist.shift(entry, order, &stamp),
            Action::TakeControl => self.note(&stamp, Deed::Take),
            Action::ReleaseControl => self.note(&stamp, Deed::Release),
        }
    }

    fn set_anchor(&mut self, change: &Change, anchor: &Anchor) -> bool {
        let (stamp, may) = (change.stamp(), self.may(change));
        let applied = self.timeline.insert(Stamped { stamp: stamp.clone(), anchor: anchor.clone() });
        if may {
            self.note(&stamp, Deed::Anchor(anchor.clone()));
        }
        applied
    }

    /// Notes what was done to control or playback, and judges what was done after it anew. Returns whether it decides
    /// who leads now.
    fn note(&mut self, stamp: &Stamp, deed: Deed) -> bool {
        if self.deeds.is_empty() {
            self.deeds = Deeds::since(self.controller.clone(), self.controlled.clone());
        }
        let is_late = self.deeds.latest().is_some_and(|latest| stamp < latest);
        if !self.deeds.insert(stamp.clone(), deed) {
            return false;
        }
        if is_late {
            self.judge_anew();
        }
        let led = self.deeds.led_at(None);
        let decides = led.since == Some(stamp);
        (self.controller, self.controlled) = (led.leader.cloned(), led.since.cloned());
        decides
    }

    /// Takes back the anchors of who, as is known only now, did not lead when he set them; what they had replaced
    /// counts again.
    fn judge_anew(&mut self) {
        let before = self.timeline.clone();
        if !self.timeline.withdraw(|stamp| self.deeds.denies(stamp)) {
            return;
        }
        for stamped in self.deeds.anchors() {
            if !self.timeline.has(&stamped.stamp) {
                self.timeline.insert(stamped);
            }
        }
        if self.timeline.is_empty() && !self.deeds.is_whole() {
            // What it replaced is forgotten: better this music than none.
            self.timeline = before;
        }
    }

    /// Forgets removed entries that no anchor names.
    fn forget_removed(&mut self) {
        let timeline = &self.timeline;
        self.playlist.forget_removed(|entry| {
            timeline.from(ConvoyTime(i64::MIN)).any(|stamped| stamped.anchor.entry.as_ref() == Some(entry))
        });
    }
}

#[cfg(test)]
mod tests;
