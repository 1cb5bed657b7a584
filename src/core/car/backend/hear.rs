//! What the backend says of the others' doings, taken in.

use super::session::Greeting;
use crate::core::backend::{BackendAction, BackendEvent, Dated};
use crate::core::car::Car;
use crate::core::changes::{Action, Stamp};
use crate::core::clock::{ConvoyTime, MonoTime};
use crate::core::id::{DeviceId, EntryId, TrackId, UserId};
use crate::core::io::{Notice, Output};
use crate::core::order::OrderKey;
use crate::core::playlist::{Playlist, Track};
use crate::core::timeline::{Anchor, Stamped};
use std::collections::BTreeMap;

/// A position dated further from now than this was dated by a wrong clock, and counts as of its arrival.
const DATE_DOUBT_US: i64 = 5_000_000;
/// Below this a position sync is noise of the sender's player.
const SYNC_NOISE_US: i64 = 60_000;

impl Car {
    pub(in crate::core::car) fn handle_backend(&mut self, event: BackendEvent, received: MonoTime, now: MonoTime) {
        if self.convoy.is_none() {
            return;
        }
        if let BackendEvent::Session { playlist, current, controller, playing, dated } = event {
            let greeting = Greeting { playlist: Some(playlist), current, controller, playing, dated };
            self.take_greeting(greeting, received, now);
            return;
        }
        if self.is_in_session() {
            self.hear(event, received, now);
        } else {
            self.backend.hear_ahead(event, received);
        }
    }

    /// What is said in the session that this car is in.
    pub(super) fn hear(&mut self, event: BackendEvent, received: MonoTime, now: MonoTime) {
        match event {
            BackendEvent::Present { member, ask } => self.hear_present(member, ask, now),
            BackendEvent::Controller { socket_id, user_id } => self.take_controller(socket_id, user_id.as_ref(), now),
            BackendEvent::Playlist { tracks } => self.take_playlist(&tracks, now),
            // Who leads does not follow.
            _ if self.leads() || self.is_said_better(&event, received) => {}
            BackendEvent::Control { action, track, track_id, dated } => {
                if let Some(track) = self.meant(track, track_id.as_ref(), now) {
                    let playing = match action {
                        BackendAction::Play => true,
                        BackendAction::Pause => false,
                        BackendAction::Seek => self.anchor_now(now).is_some_and(|anchor| anchor.playing),
                    };
                    self.take_anchor(track, playing, dated, received, now);
                }
            }
            BackendEvent::TrackChanged { track, autoplay, dated } => {
                self.take_anchor(track, autoplay, dated, received, now);
            }
            BackendEvent::PositionSync { track_id, dated } => self.take_sync(track_id.as_ref(), dated, received, now),
            BackendEvent::UserJoined { .. } | BackendEvent::Session { .. } => {}
        }
    }

    /// The track that a control is about: the one it brings, the one it names, or what plays.
    fn meant(&self, track: Option<Track>, id: Option<&TrackId>, now: MonoTime) -> Option<Track> {
        match (track, id) {
            (Some(track), _) => Some(track),
            (None, Some(id)) => self.track_named(id),
            (None, None) => self.anchor_now(now).and_then(|anchor| self.track_of(&anchor)),
        }
    }

    pub(super) fn take_anchor(
        &mut self,
        mut track: Track,
        playing: bool,
        dated: Dated,
        received: MonoTime,
        now: MonoTime,
    ) {
        let at = self.date(dated, received);
        let entry = self.entry_of(&track.id);
        let anchor =
            Anchor { entry, track: Some(track.id.clone()), position_us: dated.position_us.max(0), at, playing };
        track.duration_us =
            track.duration_us.or_else(|| self.track_named(&track.id).and_then(|known| known.duration_us));
        self.backend.loaded = Some(track.id.clone());
        self.backend.loose = Some(track.bounded());
        let stamp = self.stamp_of_backend(now);
        self.state.timeline.insert(Stamped { stamp, anchor });
        self.touch(now);
        self.outputs.push_back(Output::Notice(Notice::Seeked { position_us: dated.position_us }));
    }

    fn take_sync(&mut self, track_id: Option<&TrackId>, dated: Dated, received: MonoTime, now: MonoTime) {
        let current = self.anchor_now(now);
        let is_current = |id: &TrackId| current.as_ref().and_then(|anchor| anchor.track.as_ref()) == Some(id);
        if let Some(id) = track_id.filter(|id| !is_current(id)) {
            // We missed the change of tracks.
            if let Some(track) = self.track_named(id) {
                self.take_anchor(track, true, dated, received, now);
            }
            return;
        }
        let Some(anchor) = current else { return };
        let off_us = dated.position_us - anchor.position_us(self.date(dated, received));
        if (off_us.abs() > SYNC_NOISE_US || !anchor.playing)
            && let Some(track) = self.track_of(&anchor)
        {
            self.take_anchor(track, true, dated, received, now);
        }
    }

    fn take_controller(&mut self, socket_id: Option<String>, user_id: Option<&UserId>, now: MonoTime) {
        let asked = self.backend.taking_until.is_some_and(|until| now <= until);
        if asked && socket_id.as_deref().is_some_and(|name| self.is_name_of_us(name)) {
            // Of our connection before this one.
            return;
        }
        let ours = asked && user_id == Some(&self.me.user);
        if ours {
            self.backend.taking_until = None;
            self.backend.known_as.clone_from(&socket_id);
            self.backend.next_sync = Some(now + super::tell::SYNC_US);
        }
        self.backend.claimed = ours;
        self.backend.controller_user = user_id.cloned();
        let controller = match socket_id {
            _ if ours => Some(self.me.device().clone()),
            Some(socket) => user_id.and_then(|user| self.car_of(user)).or_else(|| DeviceId::new(socket).ok()),
            None => None,
        };
        let stamp = self.stamp_of_backend(now);
        self.state.entrust(controller, Some(stamp));
        self.touch(now);
    }

    /// Someone wrote the whole list. What we added within the last moments is merged in and written again.
    fn take_playlist(&mut self, tracks: &[Track], now: MonoTime) {
        if self.backend.greeted.take().is_some_and(|(list, until)| now < until && list == tracks) {
            return;
        }
        self.backend.unconfirmed.retain(|(_, _, until)| now < *until);
        let lost: Vec<(EntryId, Track)> = self
            .backend
            .unconfirmed
            .iter()
            .filter(|(_, track, _)| !tracks.iter().any(|t| t.id == track.id))
            .map(|(entry, track, _)| (entry.clone(), track.clone()))
            .collect();
        let mut playlist = self.playlist_of(tracks, now);
        let stamp = self.stamp_of_backend(now);
        for (entry, track) in &lost {
            playlist.add(entry, track, &playlist.place(None, None), &stamp);
        }
        for untold in &self.backend.untold {
            match &untold.change.action {
                Action::Remove { entry } => drop(playlist.remove(entry)),
                Action::Move { entry, order } => drop(playlist.shift(entry, order, &stamp)),
                _ => {}
            }
        }
        self.state.playlist = playlist;
        self.note_names();
        self.name_entries();
        self.queue_revision += 1;
        self.touch(now);
        if !lost.is_empty() {
            self.say_playlist();
        }
    }

    /// The backend's entries have no ids. Those that we know keep their names, others are named after their tracks.
    pub(super) fn playlist_of(&mut self, tracks: &[Track], now: MonoTime) -> Playlist {
        let stamp = self.stamp_of_backend(now);
        let mut names: BTreeMap<TrackId, Vec<EntryId>> = BTreeMap::new();
        let current = self.state.playlist.entries().map(|(entry, track)| (track.id.clone(), entry.clone()));
        for (track, entry) in self.backend.named.iter().cloned().chain(current) {
            let entries = names.entry(track).or_default();
            if !entries.contains(&entry) {
                entries.push(entry);
            }
        }
        let known = self.state.playlist.entries().map(|(_, track)| track).chain(&self.backend.loose);
        let lengths: BTreeMap<TrackId, i64> = known.filter_map(|t| Some((t.id.clone(), t.duration_us?))).collect();
        let mut playlist = Playlist::default();
        let mut counts: BTreeMap<&TrackId, usize> = BTreeMap::new();
        let mut order = OrderKey::between(None, None);
        for track in tracks {
            let nth = counts.entry(&track.id).or_default();
            let known = names.get(&track.id).and_then(|entries| entries.get(*nth)).cloned();
            *nth += 1;
            let name = if *nth == 1 { track.id.to_string() } else { format!("{}#{nth}", track.id) };
            let Some(id) = known.or_else(|| EntryId::new(name).ok()) else { continue };
            let mut track = track.clone();
            track.duration_us = track.duration_us.or_else(|| lengths.get(&track.id).copied());
            playlist.add(&id, &track, &order, &stamp);
            order = OrderKey::between(Some(&order), None);
        }
        playlist
    }

    /// What plays is found in the list again after that has become another.
    pub(super) fn name_entries(&mut self) {
        let playlist = &self.state.playlist;
        self.state.timeline.revise(|anchor| {
            if anchor.entry.as_ref().is_none_or(|entry| playlist.track(entry).is_none()) {
                anchor.entry = anchor.track.as_ref().and_then(|track| playlist.entry_of(track)).cloned();
            }
        });
    }

    fn entry_of(&self, id: &TrackId) -> Option<EntryId> {
        self.state.playlist.entry_of(id).cloned()
    }

    fn track_named(&self, id: &TrackId) -> Option<Track> {
        let of_list = self.state.playlist.entry_of(id).and_then(|entry| self.state.playlist.track(entry)).cloned();
        of_list.or_else(|| self.backend.loose.clone().filter(|track| track.id == *id))
    }

    /// When a position held, on the convoy's time line; by its date if that is credible, else on arrival.
    pub(super) fn date(&self, dated: Dated, received: MonoTime) -> ConvoyTime {
        let wall = self.backend.wall.filter(|wall| wall.synchronized);
        let said = wall.zip(dated.unix_ms).map(|(wall, ms)| wall.read + (ms.saturating_mul(1_000) - wall.unix_us));
        self.convoy_now(said.filter(|said| (*said - received).abs() <= DATE_DOUBT_US).unwrap_or(received))
    }

    fn stamp_of_backend(&mut self, now: MonoTime) -> Stamp {
        self.hlc = self.hlc.tick(self.convoy_now(now));
        Stamp { term: self.state.term, hlc: self.hlc, device: self.me.device().clone() }
    }
}
