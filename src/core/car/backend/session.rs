//! Entering the backend's session, for the first time or again: whose word counts, and what it has to be told.

use super::{Backend, Wall};
use crate::core::backend::{BackendCommand, BackendEvent, Dated};
use crate::core::car::server::ALIVE_JOINING_US;
use crate::core::car::{Car, Link, TimeBase};
use crate::core::changes::{Action, ChangeId, Verdict};
use crate::core::clock::{ClockMap, ConvoyTime, Estimate, MonoTime};
use crate::core::convoy::Snapshot;
use crate::core::id::{ConvoyId, DeviceId, TrackId};
use crate::core::io::Dialect;
use crate::core::playlist::Track;
use crate::core::timeline::Timeline;

/// A backend that lives and has not greeted by then keeps no state to greet with.
pub(in crate::core::car) const GREETING_US: i64 = 3_000_000;
/// What is kept of what was said ahead of the greeting; the newest counts.
const AHEAD_MAX: usize = 64;

/// What the backend says to a newcomer.
pub(super) struct Greeting {
    /// None when it did not say.
    pub(super) playlist: Option<Vec<Track>>,
    pub(super) current: Option<Track>,
    pub(super) controller: Option<String>,
    pub(super) playing: bool,
    pub(super) dated: Dated,
}

impl Greeting {
    /// Nothing was ever said in this session, or the backend has lost it in a restart.
    fn is_blank(&self) -> bool {
        self.playlist.as_ref().is_none_or(Vec::is_empty) && self.current.is_none() && self.controller.is_none()
    }
}

impl Backend {
    /// Keeps what is said in the room that we are about to be greeted in.
    pub(super) fn hear_ahead(&mut self, event: BackendEvent, received: MonoTime) {
        if self.greeting_until.is_none() || self.left_another {
            return;
        }
        if self.ahead.len() >= AHEAD_MAX {
            self.ahead.pop_front();
        }
        self.ahead.push_back((event, received));
    }
}

impl Car {
    pub(in crate::core::car) fn handle_wall_clock(&mut self, unix_us: i64, synchronized: bool, now: MonoTime) {
        self.backend.wall = Some(Wall { read: now, unix_us, synchronized });
        if matches!(self.link, Link::Joined(Dialect::Backend) | Link::Joining(Dialect::Backend)) {
            self.follow_wall_clock(now);
        }
    }

    /// With this backend there is no clock but the members' wall clocks; one that nothing disciplines is not followed.
    /// When it has to step, the music goes along.
    fn follow_wall_clock(&mut self, now: MonoTime) {
        let Some(wall) = self.backend.wall else { return };
        self.base = TimeBase::Convoy;
        if !wall.synchronized || self.has_djs_time(now) {
            return;
        }
        let map = ClockMap { mono0: wall.read, convoy0: ConvoyTime(wall.unix_us), rate: 0.0 };
        let before = self.convoy_now(now);
        if self.clock.follow(&Estimate { map, bound_us: super::WALL_BOUND_US }, now) {
            let step_us = self.convoy_now(now) - before;
            self.state.timeline.revise(|anchor| anchor.at = anchor.at + step_us);
        }
    }

    pub(in crate::core::car) fn join_backend(&mut self, convoy: ConvoyId, now: MonoTime) {
        self.follow_wall_clock(now);
        let user = self.me.user.clone();
        self.say(BackendCommand::JoinSession { convoy, user });
        self.backend.greeting_until = Some(now + GREETING_US);
    }

    /// A backend that lives and does not greet has taken us in all the same: its room is all that there is to be in.
    pub(super) fn join_without_greeting(&mut self, now: MonoTime) {
        if self.backend.greeting_until.is_none_or(|until| now < until) {
            return;
        }
        if self.link != Link::Joining(Dialect::Backend) {
            self.backend.greeting_until = None;
            return;
        }
        if self.tiers.round_trip_us().is_none() {
            // Nothing says that it lives: its next sign decides.
            self.backend.greeting_until = Some(now + ALIVE_JOINING_US);
            return;
        }
        let (mut playlist, mut controller, mut rest) = (None, None, Vec::new());
        for (event, received) in std::mem::take(&mut self.backend.ahead) {
            match event {
                BackendEvent::Playlist { tracks } => playlist = Some(tracks),
                BackendEvent::Controller { socket_id, .. } => controller = socket_id,
                other => rest.push((other, received)),
            }
        }
        let dated = Dated { position_us: 0, unix_ms: None };
        self.take_greeting(Greeting { playlist, current: None, controller, playing: false, dated }, now, now);
        for (event, received) in rest {
            self.hear(event, received, now);
        }
    }

    /// Whether the backend means this car by that name of a controller.
    pub(super) fn is_name_of_us(&self, controller: &str) -> bool {
        self.backend.known_as.as_deref() == Some(controller) || self.me.user.as_str() == controller
    }

    /// The backend's word counts, but for two things: who led and still leads knows better where the music is than a
    /// server that hears of it every 5 s, and a server that knows nothing has nothing to say.
    pub(super) fn take_greeting(&mut self, greeting: Greeting, received: MonoTime, now: MonoTime) {
        self.link = Link::Joined(Dialect::Backend);
        self.backend.greeting_until = None;
        self.backend.ahead.clear();
        self.tiers.handle_joined(now);
        let blank = greeting.is_blank();
        let leads = self.leads()
            && match &greeting.controller {
                Some(controller) => self.is_name_of_us(controller) || self.own.asks_for_control(),
                None => greeting.current.is_none(),
            };
        let Greeting { playlist, current, controller, playing, dated } = greeting;
        let keeps_timeline = leads || current.is_none();
        self.state = Snapshot {
            playlist: match &playlist {
                Some(tracks) if !blank => self.playlist_of(tracks, now),
                _ => std::mem::take(&mut self.state.playlist),
            },
            timeline: if keeps_timeline { std::mem::take(&mut self.state.timeline) } else { Timeline::default() },
            controller: if leads {
                Some(self.me.device().clone())
            } else {
                controller.and_then(|c| DeviceId::new(c).ok())
            },
            // What is kept was done in terms of the mesh; in an earlier one nothing would count against it.
            term: self.state.term,
            ..Snapshot::default()
        };
        self.note_names();
        self.name_entries();
        self.queue_revision += 1;
        self.touch(now);
        self.appear(now);
        let told = current.as_ref().map(|track| (track.id.clone(), playing));
        self.backend.loaded = told.as_ref().map(|(track, _)| track.clone());
        if let Some(track) = current.filter(|_| !leads) {
            self.take_anchor(track, playing, dated, received, now);
        }
        let edits = self.replay_to_backend(leads, blank || playlist.is_none());
        if leads {
            self.claim(now);
        }
        // One that did not say what it has may have a list: ours does not overwrite it unasked.
        let lost = blank && playlist.is_some() && !self.state.playlist.is_empty();
        self.backend.greeted = playlist.map(|list| (list, now + super::tell::CONFIRM_US));
        if !edits.is_empty() || lost {
            self.backend.listed = edits;
            self.say_playlist();
        }
        if leads {
            self.lead_on(told.as_ref(), now);
        }
    }

    /// What was done here while the backend was away: edits of the playlist count, playback if we lead. The edits.
    fn replay_to_backend(&mut self, leads: bool, keeps_list: bool) -> Vec<ChangeId> {
        let mut edits = Vec::new();
        for change in self.own.stored_changes() {
            let verdict = match &change.action {
                Action::Add { .. } | Action::Remove { .. } | Action::Move { .. } => {
                    edits.push(change.id.clone());
                    if keeps_list { Verdict::Applied } else { self.state.apply_alone(&change) }
                }
                action if action.anchor().is_some() && !leads => {
                    Verdict::Superseded { reason: "someone else leads the convoy".into() }
                }
                _ => Verdict::Applied,
            };
            self.settle(&change.id, verdict);
        }
        if let Some(lost) = self.backend.lost.take() {
            edits.extend(self.replay_edits_since(lost, keeps_list));
        }
        edits
    }

    /// Says what plays, if the others do not know, and in any case where it is.
    fn lead_on(&mut self, told: Option<&(TrackId, bool)>, now: MonoTime) {
        let Some(anchor) = self.anchor_now(now) else { return };
        let is_known =
            told.is_some_and(|(track, playing)| Some(track) == anchor.track.as_ref() && *playing == anchor.playing);
        if !is_known {
            self.say_track(&anchor, now);
        }
        self.backend.next_sync = Some(now);
    }
}
