//! Working with today's production backend: no acknowledgements, no clock but wall clocks, playlists overwritten as a whole.

use super::{Car, Link, TimeBase};
use crate::core::backend::{BackendAction, BackendCommand, BackendEvent, Dated};
use crate::core::changes::{Action, Change, Stamp};
use crate::core::clock::{ClockMap, ConvoyTime, Estimate, MonoTime};
use crate::core::convoy::Snapshot;
use crate::core::id::{ConvoyId, DeviceId, EntryId, TrackId, UserId};
use crate::core::io::{Dialect, Output, ServerCommand};
use crate::core::order::OrderKey;
use crate::core::playlist::{Playlist, Track};
use crate::core::timeline::{Anchor, Stamped};
use std::collections::BTreeMap;

/// What the backend leaves to its clients to remember.
#[derive(Debug, Default)]
pub(super) struct Backend {
    /// The wall clock as last read: when, microseconds since 1970, its bound.
    wall: Option<(MonoTime, i64, i64)>,
    /// A track that plays and stands in no playlist.
    loose: Option<Track>,
    /// We asked for control, and the next controller of our user is us, until then.
    taking_until: Option<MonoTime>,
    next_sync: Option<MonoTime>,
    /// Entries we added a moment ago; a list without them was written by someone who had not seen ours.
    unconfirmed: Vec<(EntryId, Track, MonoTime)>,
}

/// Wall clocks kept by NTP agree so well, over mobile networks.
const WALL_BOUND_US: i64 = 50_000;
/// A wall clock that nothing disciplines.
const WALL_BOUND_WILD_US: i64 = 2_000_000;
/// A position dated further from now than this was dated by a wrong clock, and counts as of its arrival.
const DATE_DOUBT_US: i64 = 5_000_000;
/// Below this a position sync is noise of the sender's player.
const SYNC_NOISE_US: i64 = 60_000;
/// While it is DJ and playing, a client says where it is so often.
const SYNC_US: i64 = 5_000_000;
const TAKE_US: i64 = 3_000_000;
const CONFIRM_US: i64 = 3_000_000;

impl Backend {
    pub(super) fn bound_us(&self) -> Option<i64> {
        self.wall.map(|(_, _, bound_us)| bound_us)
    }

    pub(super) fn poll_timeout(&self) -> Option<MonoTime> {
        self.next_sync
    }
}

impl Car {
    pub(super) fn handle_wall_clock(&mut self, unix_us: i64, synchronized: bool, now: MonoTime) {
        let bound_us = if synchronized { WALL_BOUND_US } else { WALL_BOUND_WILD_US };
        self.backend.wall = Some((now, unix_us, bound_us));
        if matches!(self.link, Link::Joined(Dialect::Backend) | Link::Joining(Dialect::Backend)) {
            self.follow_wall_clock(now);
        }
    }

    /// With this backend there is no clock but the members' wall clocks.
    fn follow_wall_clock(&mut self, now: MonoTime) {
        let Some((read, unix_us, bound_us)) = self.backend.wall else { return };
        let map = ClockMap { mono0: read, convoy0: ConvoyTime(unix_us), rate: 0.0 };
        self.clock.follow(&Estimate { map, bound_us }, now);
        self.base = TimeBase::Convoy;
    }

    pub(super) fn join_backend(&mut self, convoy: ConvoyId, now: MonoTime) {
        self.follow_wall_clock(now);
        let user = self.me.user.clone();
        self.say(BackendCommand::JoinSession { convoy, user });
    }

    pub(super) fn handle_backend(&mut self, event: BackendEvent, received: MonoTime, now: MonoTime) {
        match event {
            BackendEvent::Session { playlist, current, controller, playing, dated } => {
                self.link = Link::Joined(Dialect::Backend);
                self.tiers.handle_joined(now);
                self.take_session(&playlist, controller, now);
                if let Some(track) = current {
                    self.take_anchor(track, playing, dated, received, now);
                }
                self.replay_to_backend(now);
            }
            BackendEvent::Control { action, track, track_id, dated } => {
                let known = track.or_else(|| track_id.and_then(|id| self.track_named(&id)));
                let Some(track) = known.or_else(|| self.anchor_now(now).and_then(|a| self.track_of(&a))) else {
                    return;
                };
                let playing = match action {
                    BackendAction::Play => true,
                    BackendAction::Pause => false,
                    BackendAction::Seek => self.anchor_now(now).is_some_and(|anchor| anchor.playing),
                };
                self.take_anchor(track, playing, dated, received, now);
            }
            BackendEvent::TrackChanged { track, autoplay, dated } => {
                self.take_anchor(track, autoplay, dated, received, now);
            }
            BackendEvent::PositionSync { track_id, dated } => self.take_sync(track_id.as_ref(), dated, received, now),
            BackendEvent::Controller { socket_id, user_id } => self.take_controller(socket_id, user_id.as_ref(), now),
            BackendEvent::Playlist { tracks } => self.take_playlist(&tracks, now),
            BackendEvent::UserJoined { .. } => {}
        }
    }

    /// What we did, in the backend's words.
    pub(super) fn tell_backend(&mut self, change: &Change, now: MonoTime) {
        match &change.action {
            Action::Play { anchor } => self.say_control(BackendAction::Play, anchor),
            Action::Pause { anchor } => self.say_control(BackendAction::Pause, anchor),
            Action::Seek { anchor } => self.say_control(BackendAction::Seek, anchor),
            Action::ChangeTrack { anchor } => self.say_track(anchor),
            Action::TakeControl => {
                self.backend.taking_until = Some(now + TAKE_US);
                self.say(BackendCommand::TakeControl);
            }
            Action::ReleaseControl => self.say(BackendCommand::ReleaseControl),
            Action::Add { entry, track, .. } => {
                self.backend.unconfirmed.push((entry.clone(), track.clone(), now + CONFIRM_US));
                self.say_playlist();
            }
            Action::Remove { .. } | Action::Move { .. } => self.say_playlist(),
        }
        if change.action.anchor().is_some() {
            self.backend.next_sync = Some(now + SYNC_US);
        }
    }

    pub(super) fn tell_backend_of_roll(&mut self, now: MonoTime) {
        if self.link == Link::Joined(Dialect::Backend)
            && let Some(anchor) = self.anchor_now(now)
        {
            self.say_track(&anchor);
        }
    }

    /// The DJ's regular word on where he is.
    pub(super) fn tick_backend(&mut self, now: MonoTime) {
        if self.backend.next_sync.is_none_or(|due| now < due) {
            return;
        }
        self.backend.next_sync = None;
        let leading = self.state.controller.as_ref() == Some(&self.me.device);
        let anchor = self.anchor_now(now).filter(|anchor| anchor.playing);
        if let (true, Link::Joined(Dialect::Backend), Some(anchor)) = (leading, self.link, anchor)
            && let Some(track_id) = anchor.track.clone()
        {
            let at = self.convoy_now(now);
            let dated = Dated { position_us: anchor.position_us(at), unix_ms: Some(at.0 / 1_000) };
            self.say(BackendCommand::PositionSync { track_id, dated });
            self.backend.next_sync = Some(now + SYNC_US);
        }
    }

    pub(super) fn loose_track(&self, anchor: &Anchor) -> Option<Track> {
        self.backend.loose.clone().filter(|track| Some(&track.id) == anchor.track.as_ref())
    }

    pub(super) fn loose_duration_us(&self, anchor: &Anchor) -> Option<i64> {
        self.loose_track(anchor).and_then(|track| track.duration_us)
    }

    pub(super) fn learn_loose_duration(&mut self, id: &TrackId, duration_us: i64) {
        if let Some(track) = self.backend.loose.as_mut().filter(|track| track.id == *id) {
            track.duration_us.get_or_insert(duration_us);
        }
    }

    fn take_session(&mut self, playlist: &[Track], controller: Option<String>, now: MonoTime) {
        self.state = Snapshot {
            playlist: self.playlist_of(playlist, now),
            controller: controller.and_then(|socket| DeviceId::new(socket).ok()),
            ..Snapshot::default()
        };
        self.queue_revision += 1;
        self.touch(now);
    }

    /// What was done here while the backend was away: the DJ's word goes out again, additions are merged into its list.
    fn replay_to_backend(&mut self, now: MonoTime) {
        self.replay_own(now);
        for change in self.own.stored_changes() {
            self.tell_backend(&change, now);
            self.settle(&change.id, crate::core::changes::Verdict::Applied);
        }
    }

    fn take_anchor(&mut self, track: Track, playing: bool, dated: Dated, received: MonoTime, now: MonoTime) {
        let at = self.date(dated, received);
        let entry = self.entry_of(&track.id);
        let anchor =
            Anchor { entry, track: Some(track.id.clone()), position_us: dated.position_us.max(0), at, playing };
        self.backend.loose = Some(track);
        let stamp = self.stamp_of_backend(now);
        self.state.timeline.insert(Stamped { stamp, anchor });
        self.touch(now);
        self.outputs.push_back(Output::Notice(crate::core::io::Notice::Seeked { position_us: dated.position_us }));
    }

    fn take_sync(&mut self, track_id: Option<&TrackId>, dated: Dated, received: MonoTime, now: MonoTime) {
        let Some(anchor) = self.anchor_now(now) else { return };
        if track_id.is_some() && track_id != anchor.track.as_ref() {
            return;
        }
        let at = self.date(dated, received);
        let off_us = dated.position_us - anchor.position_us(at);
        if off_us.abs() > SYNC_NOISE_US
            && let Some(track) = self.track_of(&anchor)
        {
            self.take_anchor(track, true, dated, received, now);
        }
    }

    fn take_controller(&mut self, socket_id: Option<String>, user_id: Option<&UserId>, now: MonoTime) {
        let ours = user_id == Some(&self.me.user) && self.backend.taking_until.take().is_some_and(|until| now <= until);
        self.state.controller = match socket_id {
            _ if ours => Some(self.me.device.clone()),
            Some(socket) => DeviceId::new(socket).ok(),
            None => None,
        };
        let stamp = self.stamp_of_backend(now);
        self.state.controlled = Some(stamp);
        if ours {
            self.backend.next_sync = Some(now + SYNC_US);
        }
        self.touch(now);
    }

    /// Someone wrote the whole list. What we added within the last moments is merged in and written again.
    fn take_playlist(&mut self, tracks: &[Track], now: MonoTime) {
        self.backend.unconfirmed.retain(|(_, _, until)| now < *until);
        let lost: Vec<Track> = self
            .backend
            .unconfirmed
            .iter()
            .filter(|(_, track, _)| !tracks.iter().any(|t| t.id == track.id))
            .map(|(_, track, _)| track.clone())
            .collect();
        let merged: Vec<Track> = tracks.iter().cloned().chain(lost.iter().cloned()).collect();
        self.state.playlist = self.playlist_of(&merged, now);
        self.queue_revision += 1;
        self.touch(now);
        if !lost.is_empty() {
            self.say_playlist();
        }
    }

    /// The backend's entries have no ids: they are named after their tracks, the second of the same track with a number.
    fn playlist_of(&mut self, tracks: &[Track], now: MonoTime) -> Playlist {
        let stamp = self.stamp_of_backend(now);
        let mut playlist = Playlist::default();
        let mut counts: BTreeMap<&TrackId, usize> = BTreeMap::new();
        let mut order = OrderKey::between(None, None);
        for track in tracks {
            let count = counts.entry(&track.id).or_default();
            *count += 1;
            let name = if *count == 1 { track.id.to_string() } else { format!("{}#{count}", track.id) };
            let Ok(id) = EntryId::new(name) else { continue };
            playlist.add(&id, track, &order, &stamp);
            order = OrderKey::between(Some(&order), None);
        }
        playlist
    }

    fn entry_of(&self, id: &TrackId) -> Option<EntryId> {
        self.state.playlist.entries().find(|(_, track)| track.id == *id).map(|(entry, _)| entry.clone())
    }

    fn track_named(&self, id: &TrackId) -> Option<Track> {
        let of_list = self.state.playlist.entries().find(|(_, track)| track.id == *id).map(|(_, track)| track.clone());
        of_list.or_else(|| self.backend.loose.clone().filter(|track| track.id == *id))
    }

    /// When a position held, on the convoy's time line; by its date if that is credible, else on arrival.
    fn date(&self, dated: Dated, received: MonoTime) -> ConvoyTime {
        let arrived = self.convoy_now(received);
        let said = dated.unix_ms.map(|ms| ConvoyTime(ms.saturating_mul(1_000)));
        let disciplined = self.backend.bound_us() == Some(WALL_BOUND_US);
        said.filter(|said| disciplined && (*said - arrived).abs() <= DATE_DOUBT_US).unwrap_or(arrived)
    }

    fn stamp_of_backend(&mut self, now: MonoTime) -> Stamp {
        self.hlc = self.hlc.tick(self.convoy_now(now));
        Stamp { term: self.state.term, hlc: self.hlc, device: self.me.device.clone() }
    }

    fn say_control(&mut self, action: BackendAction, anchor: &Anchor) {
        let track = self.track_of(anchor);
        self.say(BackendCommand::Control { action, track, playing: anchor.playing, dated: dated(anchor) });
    }

    fn say_track(&mut self, anchor: &Anchor) {
        if let Some(track) = self.track_of(anchor) {
            self.say(BackendCommand::TrackChange { track, autoplay: anchor.playing, dated: dated(anchor) });
        }
    }

    fn say_playlist(&mut self) {
        let tracks = self.state.playlist.entries().map(|(_, track)| track.clone()).collect();
        self.say(BackendCommand::Playlist { tracks });
    }

    fn say(&mut self, command: BackendCommand) {
        self.outputs.push_back(Output::Server(ServerCommand::Backend(command)));
    }
}

fn dated(anchor: &Anchor) -> Dated {
    Dated { position_us: anchor.position_us, unix_ms: Some(anchor.at.0 / 1_000) }
}
