//! What today's phones are told: greetings, controls when they take effect, whole playlists, and the position every 5
//! s.

use super::phone::is_phone;
use super::roster::ConnectionId;
use super::whole_list::Unseen;
use super::{Authority, Message, Now};
use crate::core::backend::{BackendAction, BackendEvent, Dated};
use crate::core::changes::{Action, Change, Stamp};
use crate::core::clock::MonoTime;
use crate::core::id::{DeviceId, EntryId, TrackId};
use crate::core::io::Dialect;
use crate::core::playlist::Track;
use crate::core::timeline::Anchor;
use std::collections::VecDeque;

/// What a phone is told.
#[derive(Debug, Clone, PartialEq)]
pub struct PhoneNews {
    pub event: BackendEvent,
    /// Socket id of the phone, or device id of the car, that did it; none when the server did.
    pub from: Option<String>,
    pub playing: bool,
    /// When, by the server's wall clock.
    pub unix_ms: i64,
}

/// What phones were told, and what is still to be told.
#[derive(Debug, Default)]
pub(super) struct Phones {
    anchor: Option<Anchor>,
    controller: Option<String>,
    /// The connection that last took control for its device.
    controlling: Option<ConnectionId>,
    /// A phone's control and the connection it came from, which knows of it already.
    spoken: Option<(Stamp, ConnectionId)>,
    playlist: Option<PlaylistDue>,
    sync_due: Option<MonoTime>,
    /// Since when the controller has been a phone that is not there.
    orphaned: Option<MonoTime>,
    recent: VecDeque<RecentEdit>,
}

#[derive(Debug)]
struct PlaylistDue {
    at: MonoTime,
    /// The phone whose own list this is.
    except: Option<ConnectionId>,
    from: Option<DeviceId>,
}

#[derive(Debug)]
struct RecentEdit {
    at: MonoTime,
    author: DeviceId,
    added: Option<EntryId>,
    removed: Option<TrackId>,
}

/// A burst of edits reaches phones as one list.
const PLAYLIST_DELAY_US: i64 = 200_000;
/// Phones adjust their position so often.
const SYNC_EVERY_US: i64 = 5_000_000;
/// So long after an edit a phone's list may still be from before it.
const UNSEEN_US: i64 = 2_000_000;
const RECENT_MAX: usize = 4_096;
/// How long a phone that is gone keeps control.
const ORPHAN_US: i64 = 60_000_000;

impl Phones {
    /// Notes an applied edit of the playlist.
    pub(super) fn note_edit(&mut self, change: &Change, removed: Option<TrackId>, now: MonoTime) {
        let added = match &change.action {
            Action::Add { entry, .. } => Some(entry.clone()),
            Action::Remove { .. } | Action::Move { .. } => None,
            _ => return,
        };
        let author = change.id.device.clone();
        self.owe_playlist(&author, None, now);
        self.recent.retain(|edit| now - edit.at < UNSEEN_US);
        if self.recent.len() < RECENT_MAX && (added.is_some() || removed.is_some()) {
            self.recent.push_back(RecentEdit { at: now, author, added, removed });
        }
    }

    /// Notes which phone made a control that counts.
    pub(super) fn note_control(&mut self, stamp: Stamp, connection: &ConnectionId) {
        self.spoken = Some((stamp, connection.clone()));
        self.controlling = Some(connection.clone());
    }

    /// Notes that a phone took control.
    pub(super) fn note_taking(&mut self, connection: &ConnectionId) {
        self.controlling = Some(connection.clone());
    }

    /// Whether phones are still to hear of an edit.
    pub(super) fn owes_playlist(&self) -> bool {
        self.playlist.is_some()
    }

    /// Phones are to hear of the playlist soon, but for the one whose own list it is.
    pub(super) fn owe_playlist(&mut self, from: &DeviceId, except: Option<ConnectionId>, now: MonoTime) {
        self.playlist = Some(PlaylistDue { at: now + PLAYLIST_DELAY_US, except, from: Some(from.clone()) });
    }

    /// What others did so lately that `device` cannot have known it.
    pub(super) fn unseen_by(&self, device: &DeviceId, now: MonoTime) -> Unseen {
        let others = || self.recent.iter().filter(|edit| now - edit.at < UNSEEN_US && edit.author != *device);
        Unseen {
            added: others().filter_map(|edit| edit.added.clone()).collect(),
            removed: others().filter_map(|edit| edit.removed.clone()).collect(),
        }
    }
}

impl Authority {
    /// Tells a newcomer all, and the other phones of it.
    pub(super) fn greet(&mut self, connection: &ConnectionId, now: Now) {
        let Some(seat) = self.roster.get(connection) else { return };
        let (dialect, user, device) = (seat.dialect, seat.user.clone(), seat.device.to_string());
        let mut others = self.roster.speaking(Dialect::Backend);
        others.retain(|other| other != connection);
        let socket_id = if dialect == Dialect::Backend { connection.0.clone() } else { device };
        self.news(others.clone(), BackendEvent::UserJoined { socket_id, user_id: Some(user) }, None, now);
        if dialect == Dialect::Backend {
            if others.is_empty() {
                // The session says all that phones have to know so far.
                self.phones.anchor = self.current(now);
                self.phones.controller = self.controller_id();
            }
            self.send_session(vec![connection.clone()], now);
        }
    }

    /// Tells phones what has changed since they were last told, and does what has come due.
    pub(super) fn tell_phones(&mut self, now: Now) {
        self.snapshot.advance(self.clock.convoy(now.mono));
        self.release_orphan(now);
        self.tell_controller(now);
        self.tell_anchor(now);
        if self.phones.playlist.as_ref().is_some_and(|due| due.at <= now.mono)
            && let Some(due) = self.phones.playlist.take()
        {
            let mut to = self.roster.speaking(Dialect::Backend);
            to.retain(|connection| due.except.as_ref() != Some(connection));
            let from = due.from.map(|device| self.spoken_id(&device));
            if !to.is_empty() {
                self.news(to, BackendEvent::Playlist { tracks: self.tracks() }, from, now);
            }
        }
        self.tell_position(now);
    }

    /// Starts anew with all phones, after the state was replaced.
    pub(super) fn reset_phones(&mut self, now: Now) {
        self.phones = Phones { controlling: self.phones.controlling.take(), ..Phones::default() };
        self.phones.anchor = self.current(now);
        self.phones.controller = self.controller_id();
        self.send_session(self.roster.speaking(Dialect::Backend), now);
    }

    /// When phones must be told something, or something happens by itself.
    pub(super) fn phones_due(&self, now: MonoTime) -> Option<MonoTime> {
        let convoy = self.clock.convoy(now);
        let timeline = &self.snapshot.timeline;
        let current = timeline.at(convoy).map(|stamped| &stamped.anchor);
        let here = !self.roster.speaking(Dialect::Backend).is_empty();
        let untold = current.filter(|anchor| self.phones.anchor.as_ref() != Some(anchor)).map(|anchor| anchor.at);
        let coming = timeline.from(convoy).map(|stamped| stamped.anchor.at).find(|at| *at > convoy);
        let rolling = current.and_then(|anchor| self.snapshot.following(anchor)).map(|next| next.at);
        let anchors = untold.into_iter().chain(coming).chain(rolling).filter(|_| here).map(|at| self.clock.mono(at));
        let playlist = self.phones.playlist.as_ref().map(|due| due.at);
        let orphan = self.phones.orphaned.map(|since| since + ORPHAN_US);
        anchors.chain(playlist).chain(self.phones.sync_due).chain(orphan).min()
    }

    fn release_orphan(&mut self, now: Now) {
        let controller = self.snapshot.controller.clone().filter(is_phone);
        let Some(gone) = controller.filter(|device| self.roster.of_device(device).is_none()) else {
            self.phones.orphaned = None;
            return;
        };
        let since = *self.phones.orphaned.get_or_insert(now.mono);
        if now.mono - since >= ORPHAN_US {
            self.phones.orphaned = None;
            let nobody = ConnectionId(String::new());
            self.author(&nobody, &gone, None, vec![Action::ReleaseControl], now);
        }
    }

    fn tell_controller(&mut self, now: Now) {
        let controller = self.controller_id();
        if controller == self.phones.controller {
            return;
        }
        self.phones.controller = controller;
        let event = self.controller_event();
        self.news(self.roster.speaking(Dialect::Backend), event, None, now);
    }

    /// Tells a phone whose control was refused who leads and what plays.
    pub(super) fn correct(&mut self, connection: &ConnectionId, now: Now) {
        let event = self.controller_event();
        self.news(vec![connection.clone()], event, None, now);
        self.send_session(vec![connection.clone()], now);
    }

    fn controller_event(&self) -> BackendEvent {
        let user_id = self.snapshot.controller.as_ref().and_then(|device| self.roster.user_of(device));
        BackendEvent::Controller { socket_id: self.controller_id(), user_id }
    }

    fn tell_anchor(&mut self, now: Now) {
        let at = self.clock.convoy(now.mono);
        let Some(stamped) = self.snapshot.timeline.at(at) else { return };
        if self.phones.anchor.as_ref() == Some(&stamped.anchor) {
            return;
        }
        let (new, stamp) = (stamped.anchor.clone(), stamped.stamp.clone());
        let told = self.phones.anchor.replace(new.clone());
        let dated = Dated { position_us: new.position_us(at), unix_ms: Some(now.unix_ms) };
        let was_playing = told.as_ref().is_some_and(|anchor| anchor.playing);
        let same_track = told.as_ref().is_some_and(|anchor| anchor.track == new.track && anchor.entry == new.entry);
        let track = self.track_of(&new);
        let event = match track {
            Some(track) if !same_track => BackendEvent::TrackChanged { track, autoplay: new.playing, dated },
            track => {
                let action = match (was_playing, new.playing) {
                    (false, true) => BackendAction::Play,
                    (true, false) => BackendAction::Pause,
                    _ if told.is_some_and(|anchor| anchor.position_us(at) == dated.position_us) => return,
                    _ => BackendAction::Seek,
                };
                BackendEvent::Control { action, track, track_id: new.track, dated }
            }
        };
        let speaker = self.phones.spoken.as_ref().filter(|(spoken, _)| *spoken == stamp).map(|(_, id)| id.clone());
        let mut to = self.roster.speaking(Dialect::Backend);
        to.retain(|connection| speaker.as_ref() != Some(connection));
        let from = speaker.map_or_else(|| self.spoken_id(&stamp.device), |connection| connection.0);
        self.news(to, event, Some(from), now);
    }

    /// Sends phones the position, as a DJ's phone would, while the DJ is a car.
    fn tell_position(&mut self, now: Now) {
        let led_by_phone = self.snapshot.controller.as_ref().is_some_and(is_phone);
        let to = self.roster.speaking(Dialect::Backend);
        let Some(current) = self.current(now).filter(|anchor| anchor.playing && !led_by_phone && !to.is_empty()) else {
            self.phones.sync_due = None;
            return;
        };
        let due = *self.phones.sync_due.get_or_insert(now.mono + SYNC_EVERY_US);
        if due <= now.mono {
            self.phones.sync_due = Some(now.mono + SYNC_EVERY_US);
            let position_us = current.position_us(self.clock.convoy(now.mono));
            let dated = Dated { position_us, unix_ms: Some(now.unix_ms) };
            let from = self.controller_id();
            self.news(to, BackendEvent::PositionSync { track_id: current.track, dated }, from, now);
        }
    }

    fn send_session(&mut self, to: Vec<ConnectionId>, now: Now) {
        let current = self.current(now);
        let at = self.clock.convoy(now.mono);
        let position_us = current.as_ref().map_or(0, |anchor| anchor.position_us(at));
        let event = BackendEvent::Session {
            playlist: self.tracks(),
            current: current.as_ref().and_then(|anchor| self.track_of(anchor)),
            controller: self.controller_id(),
            playing: current.is_some_and(|anchor| anchor.playing),
            dated: Dated { position_us, unix_ms: Some(now.unix_ms) },
        };
        self.news(to, event, None, now);
    }

    pub(super) fn news(&mut self, to: Vec<ConnectionId>, event: BackendEvent, from: Option<String>, now: Now) {
        let playing = self.current(now).is_some_and(|anchor| anchor.playing);
        let news = PhoneNews { event, from, playing, unix_ms: now.unix_ms };
        self.send(to, Message::Phone(Box::new(news)));
    }

    fn current(&self, now: Now) -> Option<Anchor> {
        self.snapshot.timeline.at(self.clock.convoy(now.mono)).map(|stamped| stamped.anchor.clone())
    }

    fn tracks(&self) -> Vec<Track> {
        self.snapshot.playlist.entries().map(|(_, track)| track.clone()).collect()
    }

    fn track_of(&self, anchor: &Anchor) -> Option<Track> {
        let of_entry = anchor.entry.as_ref().and_then(|entry| self.snapshot.playlist.track(entry));
        let of_id = || self.snapshot.playlist.entries().find(|(_, t)| Some(&t.id) == anchor.track.as_ref());
        of_entry.or_else(|| of_id().map(|(_, track)| track)).cloned()
    }

    /// How phones name the controller: the socket id of a phone that is here, else the device id.
    fn controller_id(&self) -> Option<String> {
        let controller = self.snapshot.controller.as_ref()?;
        Some(self.spoken_id(controller))
    }

    fn spoken_id(&self, device: &DeviceId) -> String {
        if !is_phone(device) {
            return device.to_string();
        }
        let of_device = |id: &&ConnectionId| self.roster.get(id).is_some_and(|seat| seat.device == *device);
        let controlling = self.phones.controlling.as_ref().filter(of_device);
        let connection = controlling.or_else(|| self.roster.of_device(device).map(|(id, _)| id));
        connection.map_or_else(|| device.to_string(), |id| id.0.clone())
    }
}
