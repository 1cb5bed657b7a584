//! What a convoy agrees on: timeline, playlist, controller; and how a change acts on it. The same in cars and server.

use super::changes::{Action, Change, Stamp, Verdict, Versions};
use super::clock::ConvoyTime;
use super::election::Term;
use super::id::DeviceId;
use super::playlist::{ENTRIES_MAX, Playlist};
use super::timeline::{Anchor, Stamped, Timeline};
use super::trust;
use serde::{Deserialize, Serialize};

/// A control needs at least so long to be stored, sent and made ready for in every car.
pub const LEAD_MIN_US: i64 = 150_000;
/// The user's buffer for commands on a satellite link, at its longest.
pub const LEAD_MAX_US: i64 = 2_000_000;

/// The agreed state. It is its own snapshot: what an authority sends to a newcomer, and what is kept on disk.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Snapshot {
    pub timeline: Timeline,
    pub playlist: Playlist,
    pub controller: Option<DeviceId>,
    /// Who set the controller when.
    pub controlled: Option<Stamp>,
    pub term: Term,
    pub versions: Versions,
}

impl Snapshot {
    /// Takes a change in. Every member that takes in the same changes agrees, whatever their order.
    pub fn apply(&mut self, change: &Change) -> Verdict {
        if self.versions.knows(&change.id) {
            return Verdict::Duplicate;
        }
        if !trust::may(&change.id.device, &change.action, self.controller.as_ref()) {
            return Verdict::Refused { reason: self.denial() };
        }
        self.apply_alone(change)
    }

    /// As [`Self::apply`], for a car that is alone and so its own authority: nobody's right is asked for.
    pub fn apply_alone(&mut self, change: &Change) -> Verdict {
        if self.versions.knows(&change.id) {
            return Verdict::Duplicate;
        }
        if matches!(change.action, Action::Add { .. }) && self.playlist.len() >= ENTRIES_MAX {
            return Verdict::Refused { reason: format!("the playlist is full: it has {ENTRIES_MAX} entries") };
        }
        self.versions.insert(&change.id);
        if self.act(change) {
            Verdict::Applied
        } else {
            Verdict::Superseded { reason: format!("a newer change than this {} counts", change.action.name()) }
        }
    }

    /// Why a playback control of someone else does not count.
    #[must_use]
    pub fn denial(&self) -> String {
        match &self.controller {
            Some(controller) => format!("{controller} is the DJ; take control first (`jamzctl take`)"),
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
        let duration_us = self.playlist.track(entry)?.duration_us?;
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
        rolled
    }

    fn act(&mut self, change: &Change) -> bool {
        let stamp = change.stamp();
        match &change.action {
            Action::Play { anchor }
            | Action::Pause { anchor }
            | Action::Seek { anchor }
            | Action::ChangeTrack { anchor } => {
                let applied = self.timeline.insert(Stamped { stamp: stamp.clone(), anchor: anchor.clone() });
                if applied && self.controller.is_none() {
                    self.set_controller(Some(stamp.device.clone()), stamp);
                }
                applied
            }
            Action::Add { entry, track, order } => self.playlist.add(entry, track, order, &stamp),
            Action::Remove { entry } => self.playlist.remove(entry),
            Action::Move { entry, order } => self.playlist.shift(entry, order, &stamp),
            Action::TakeControl => self.set_controller(Some(stamp.device.clone()), stamp),
            Action::ReleaseControl => self.set_controller(None, stamp),
        }
    }

    fn set_controller(&mut self, controller: Option<DeviceId>, stamp: Stamp) -> bool {
        if self.controlled.as_ref().is_some_and(|current| *current >= stamp) {
            return false;
        }
        self.controller = controller;
        self.controlled = Some(stamp);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::changes::{ChangeId, Hlc};
    use crate::core::id::{EntryId, TrackId};
    use crate::core::order::OrderKey;
    use crate::core::playlist::Track;

    fn change(device: &str, sequence: u64, time_us: i64, action: Action) -> Change {
        Change {
            id: ChangeId { device: DeviceId::new(device).unwrap(), sequence },
            hlc: Hlc { time_us, count: 0 },
            term: Term(1),
            user: None,
            action,
            signature: None,
        }
    }

    fn add(name: &str, order: &OrderKey, seconds: i64) -> Action {
        let track = Track {
            id: TrackId::new(name).unwrap(),
            title: name.into(),
            artist: String::new(),
            album: String::new(),
            duration_us: Some(seconds * 1_000_000),
            url: None,
            extra: serde_json::Map::new(),
        };
        Action::Add { entry: EntryId::new(name).unwrap(), track, order: order.clone() }
    }

    fn play(name: &str, at: i64) -> Action {
        Action::Play {
            anchor: Anchor {
                entry: EntryId::new(name).ok(),
                track: TrackId::new(name).ok(),
                position_us: 0,
                at: ConvoyTime(at),
                playing: true,
            },
        }
    }

    #[test]
    fn whoever_plays_first_leads_and_others_are_refused_until_they_take_control() {
        let mut convoy = Snapshot::default();
        assert_eq!(convoy.apply(&change("a", 1, 1, play("t", 0))), Verdict::Applied);
        assert!(matches!(convoy.apply(&change("b", 1, 2, play("t", 5))), Verdict::Refused { .. }));
        assert_eq!(convoy.apply(&change("b", 2, 3, Action::TakeControl)), Verdict::Applied);
        assert_eq!(convoy.apply(&change("b", 3, 4, play("t", 9))), Verdict::Applied);
        assert!(matches!(convoy.apply(&change("a", 2, 5, Action::ReleaseControl)), Verdict::Refused { .. }));
        assert_eq!(convoy.apply(&change("b", 4, 6, Action::ReleaseControl)), Verdict::Applied);
        assert_eq!(convoy.controller, None);
    }

    #[test]
    fn a_repeated_change_is_applied_once() {
        let mut convoy = Snapshot::default();
        let change = change("a", 1, 1, add("t", &OrderKey::between(None, None), 3));
        assert_eq!(convoy.apply(&change), Verdict::Applied);
        assert_eq!(convoy.apply(&change), Verdict::Duplicate);
        assert_eq!(convoy.playlist.len(), 1);
    }

    #[test]
    fn the_next_track_begins_where_the_one_before_ends_however_late_one_looks() {
        let mut convoy = Snapshot::default();
        let first = OrderKey::between(None, None);
        let second = OrderKey::between(Some(&first), None);
        let third = OrderKey::between(Some(&second), None);
        for (n, (name, order)) in [("x", first), ("y", second), ("z", third)].into_iter().enumerate() {
            convoy.apply(&change("a", n as u64 + 1, n as i64, add(name, &order, 10)));
        }
        convoy.apply(&change("a", 9, 9, play("x", 1_000)));
        assert!(!convoy.advance(ConvoyTime(9_000_000)));
        assert!(convoy.advance(ConvoyTime(25_000_000)));
        let now = convoy.timeline.at(ConvoyTime(25_000_000)).unwrap().anchor.clone();
        assert_eq!((now.entry.unwrap().as_str(), now.at), ("z", ConvoyTime(20_001_000)));
        assert!(convoy.advance(ConvoyTime(99_000_000)));
        assert!(!convoy.timeline.at(ConvoyTime(99_000_000)).unwrap().anchor.playing);
    }

    #[test]
    fn a_playlist_of_the_shortest_tracks_does_not_hang() {
        let mut convoy = Snapshot::default();
        let mut order = OrderKey::between(None, None);
        for n in 0..50 {
            let mut shortest = add(&format!("t{n}"), &order, 0);
            if let Action::Add { track, .. } = &mut shortest {
                track.duration_us = Some(1);
            }
            convoy.apply(&change("a", n + 1, n as i64, shortest));
            order = OrderKey::between(Some(&order), None);
        }
        convoy.apply(&change("a", 99, 99, play("t0", 0)));
        assert!(convoy.advance(ConvoyTime(60)));
        assert!(!convoy.timeline.at(ConvoyTime(60)).unwrap().anchor.playing);
    }
}
