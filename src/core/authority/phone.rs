//! Today's phones as members: what they do becomes changes on their behalf, and changes become what they understand.
//!
//! A phone cannot plan ahead, so it hears of a control when that takes effect. It writes the playlist as a whole, and
//! all its changes carry the device id `phone:<user>`, which stays the same over its reconnections.

use super::roster::ConnectionId;
use super::{Authority, CHANGES_SINGLY_MAX, Message, Now, whole_list};
use crate::core::backend::{BackendAction, BackendEvent, Dated};
use crate::core::changes::{Action, Change, ChangeId, Verdict};
use crate::core::id::{DeviceId, EntryId, TrackId, UserId, fingerprint};
use crate::core::io::Dialect;
use crate::core::playlist::Track;
use crate::core::ticket::Role;
use crate::core::timeline::Anchor;
use serde::{Deserialize, Serialize};

/// What a phone asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum PhoneRequest {
    Control {
        action: BackendAction,
        track: Option<Track>,
        playing: Option<bool>,
        dated: Option<Dated>,
    },
    /// To the neighbour in the playlist, or to `track`.
    Skip {
        forward: bool,
        track: Option<Track>,
    },
    TrackChange {
        track: Track,
        autoplay: bool,
        dated: Dated,
    },
    PositionSync {
        track_id: Option<TrackId>,
        dated: Dated,
    },
    TakeControl,
    ReleaseControl,
    Playlist {
        tracks: Vec<Track>,
    },
}

const PHONE_PREFIX: &str = "phone:";
/// Phones seek when they are off by more than this, so it is how exactly a phone's own position is known.
const TOLERANCE_US: i64 = 2_000_000;

/// What plays: a track, and its entry in the playlist.
struct Place {
    entry: Option<EntryId>,
    track: Option<TrackId>,
}

impl Place {
    fn of(anchor: &Anchor) -> Self {
        Self { entry: anchor.entry.clone(), track: anchor.track.clone() }
    }
}

/// Whether a device id was made by [`device_of`].
pub(super) fn is_phone(device: &DeviceId) -> bool {
    device.as_str().starts_with(PHONE_PREFIX)
}

/// The device id under which a user's phones act.
#[must_use]
pub fn device_of(user: &UserId) -> Option<DeviceId> {
    let whole = format!("{PHONE_PREFIX}{user}");
    if whole.len() <= DeviceId::BYTES_MAX {
        return DeviceId::new(whole).ok();
    }
    let hash = fingerprint(&whole);
    let room = DeviceId::BYTES_MAX - 17;
    let end = (0..=room).rev().find(|end| whole.is_char_boundary(*end))?;
    DeviceId::new(format!("{}~{hash:016x}", whole.get(..end)?)).ok()
}

impl Authority {
    /// A phone asks for something; it is silently nothing when it is no member, as phones know no refusals.
    pub fn handle_phone(&mut self, connection: &ConnectionId, request: PhoneRequest, now: Now) {
        let Some(seat) = self.roster.get(connection).filter(|seat| seat.dialect == Dialect::Backend) else { return };
        let (device, user) = (seat.device.clone(), seat.user.clone());
        self.snapshot.advance(self.clock.convoy(now.mono));
        let actions = match request {
            PhoneRequest::Control { action, track, playing, dated } => {
                self.control(connection, action, track, playing, dated, now)
            }
            PhoneRequest::Skip { forward, track } => self.skip(connection, forward, track, now),
            PhoneRequest::TrackChange { track, autoplay, dated } => {
                self.track_change(connection, &track, autoplay, dated, now)
            }
            PhoneRequest::PositionSync { track_id, dated } => {
                self.position_sync(connection, track_id.as_ref(), dated, now)
            }
            PhoneRequest::TakeControl => {
                self.phones.note_taking(connection);
                vec![Action::TakeControl]
            }
            PhoneRequest::ReleaseControl => vec![Action::ReleaseControl],
            PhoneRequest::Playlist { tracks } => {
                self.whole_list(connection, &device, &user, tracks, now);
                vec![]
            }
        };
        self.author(connection, &device, Some(&user), actions, now);
        self.tell_phones(now);
    }

    /// Makes changes on behalf of a phone; returns whether all of them counted.
    pub(super) fn author(
        &mut self,
        connection: &ConnectionId,
        device: &DeviceId,
        user: Option<&UserId>,
        actions: Vec<Action>,
        now: Now,
    ) -> bool {
        let role = self.roster.get(connection).map_or(Role::Dj, |seat| seat.role);
        let mut made = Vec::new();
        let mut all = true;
        for action in actions {
            let change = self.next_change(device, user, action, now);
            let verdict = self.judge(&change, role, now);
            if change.action.anchor().is_some() && verdict == Verdict::Applied {
                self.phones.note_control(change.stamp(), connection);
            }
            all &= verdict == Verdict::Applied;
            match verdict {
                Verdict::Refused { .. } => self.correct(connection, now),
                _ => made.push(change),
            }
        }
        let to = self.roster.speaking(Dialect::Jamz);
        if made.len() > CHANGES_SINGLY_MAX {
            self.send(to, Message::State(Box::new(self.snapshot.clone())));
        } else {
            for change in made {
                self.send(to.clone(), Message::Change(Box::new(change)));
            }
        }
        all
    }

    fn next_change(&mut self, device: &DeviceId, user: Option<&UserId>, action: Action, now: Now) -> Change {
        self.hlc = self.hlc.tick(self.clock.convoy(now.mono));
        let id = ChangeId { device: device.clone(), sequence: self.snapshot.versions.next(device) };
        Change { id, hlc: self.hlc, term: self.snapshot.term, user: user.cloned(), action, signature: None }
    }

    /// Where the music is in this phone, brought up to now.
    fn position_us(&mut self, connection: &ConnectionId, dated: Dated, playing: bool, now: Now) -> i64 {
        let age_us = self.roster.get_mut(connection).map_or(0, |seat| seat.age_us(dated.unix_ms, now.unix_ms));
        dated.position_us.max(0) + if playing { age_us } else { 0 }
    }

    /// The anchor that keeps cars with a phone that is at `position_us` now. The phone has acted already and cars will
    /// after the lead, by when the phone is further on.
    fn anchor_at(&self, place: Place, position_us: i64, playing: bool, now: Now) -> Anchor {
        let lead_us = self.lead_us();
        Anchor {
            entry: place.entry,
            track: place.track,
            position_us: if playing { position_us + lead_us } else { position_us },
            at: self.clock.convoy(now.mono) + lead_us,
            playing,
        }
    }

    fn control(
        &mut self,
        connection: &ConnectionId,
        action: BackendAction,
        track: Option<Track>,
        playing: Option<bool>,
        dated: Option<Dated>,
        now: Now,
    ) -> Vec<Action> {
        let current = self.snapshot.timeline.last().map(|stamped| stamped.anchor.clone());
        let playing = match action {
            BackendAction::Play => true,
            BackendAction::Pause => false,
            BackendAction::Seek => playing.unwrap_or_else(|| current.as_ref().is_some_and(|anchor| anchor.playing)),
        };
        let other = track.filter(|t| current.as_ref().and_then(|anchor| anchor.track.as_ref()) != Some(&t.id));
        let (mut actions, place) = match (other, &current) {
            (Some(track), _) => self.place_for(connection, &track, now),
            (None, Some(anchor)) if anchor.track.is_some() => (vec![], Place::of(anchor)),
            (None, _) => (vec![], self.place_of(self.snapshot.playlist.nth(0))),
        };
        let position_us = match (dated, &current) {
            (Some(dated), _) => self.position_us(connection, dated, playing, now),
            (None, Some(anchor)) => anchor.position_us(self.clock.convoy(now.mono)),
            (None, None) => 0,
        };
        let anchor = self.anchor_at(place, position_us, playing, now);
        actions.push(match action {
            BackendAction::Play => Action::Play { anchor },
            BackendAction::Pause => Action::Pause { anchor },
            BackendAction::Seek => Action::Seek { anchor },
        });
        actions
    }

    fn skip(&mut self, connection: &ConnectionId, forward: bool, track: Option<Track>, now: Now) -> Vec<Action> {
        if let Some(track) = track {
            return self.track_change(connection, &track, true, Dated { position_us: 0, unix_ms: None }, now);
        }
        let current = self.snapshot.timeline.last().and_then(|stamped| stamped.anchor.entry.clone());
        let playlist = &self.snapshot.playlist;
        let neighbour = match &current {
            Some(entry) if !forward => playlist.before(entry),
            _ => playlist.after(current.as_ref()),
        };
        if neighbour.is_none() {
            return vec![];
        }
        vec![Action::ChangeTrack { anchor: self.anchor_at(self.place_of(neighbour), 0, true, now) }]
    }

    fn track_change(
        &mut self,
        connection: &ConnectionId,
        track: &Track,
        autoplay: bool,
        dated: Dated,
        now: Now,
    ) -> Vec<Action> {
        let position_us = self.position_us(connection, dated, autoplay, now);
        let at = self.clock.convoy(now.mono);
        let same = self.snapshot.timeline.last().is_some_and(|stamped| {
            let anchor = &stamped.anchor;
            anchor.track.as_ref() == Some(&track.id)
                && anchor.playing == autoplay
                && (anchor.position_us(at) - position_us).abs() < TOLERANCE_US
        });
        // The track ran out here and in the phone at about the same time: nothing to disturb.
        if same {
            return vec![];
        }
        let (mut actions, place) = self.place_for(connection, track, now);
        actions.push(Action::ChangeTrack { anchor: self.anchor_at(place, position_us, autoplay, now) });
        actions
    }

    fn place_of(&self, entry: Option<&EntryId>) -> Place {
        let track = entry.and_then(|entry| self.snapshot.playlist.track(entry)).map(|track| track.id.clone());
        Place { entry: entry.cloned(), track }
    }

    /// Where in the playlist a track stands that a phone plays, and what must be done that it does: cars find tracks
    /// there.
    fn place_for(&self, connection: &ConnectionId, track: &Track, now: Now) -> (Vec<Action>, Place) {
        let current = self.snapshot.timeline.last().and_then(|stamped| stamped.anchor.entry.clone());
        let playlist = &self.snapshot.playlist;
        let places: Vec<&EntryId> = playlist.entries().filter(|(_, t)| t.id == track.id).map(|(id, _)| id).collect();
        let here = current.as_ref().and_then(|entry| playlist.order_of(entry));
        let ahead = places.iter().find(|id| playlist.order_of(id) >= here);
        if let Some(entry) = ahead.or(places.first()) {
            return (vec![], self.place_of(Some(entry)));
        }
        let index = current.as_ref().and_then(|entry| playlist.ids().position(|id| id == entry));
        let order = playlist.place(index.map(|i| i + 1), None);
        let id = track.id.clone();
        let device = self.roster.get(connection).map(|seat| seat.device.clone());
        let entry = device.and_then(|device| self.new_entry(&device, 0, now));
        let actions =
            entry.iter().map(|e| Action::Add { entry: e.clone(), track: track.clone(), order: order.clone() });
        (actions.collect(), Place { entry, track: Some(id) })
    }

    /// An entry id that nobody has: made of the change that will bring it in, `ahead` changes from now.
    fn new_entry(&self, device: &DeviceId, ahead: u64, now: Now) -> Option<EntryId> {
        let sequence = self.snapshot.versions.next(device) + ahead;
        EntryId::new(format!("{device}:{sequence}:{}", self.clock.convoy(now.mono).0)).ok()
    }

    fn position_sync(
        &mut self,
        connection: &ConnectionId,
        track_id: Option<&TrackId>,
        dated: Dated,
        now: Now,
    ) -> Vec<Action> {
        let Some(device) = self.roster.get(connection).map(|seat| seat.device.clone()) else { return vec![] };
        if self.snapshot.controller.as_ref() != Some(&device) {
            return vec![];
        }
        let position_us = self.position_us(connection, dated, true, now);
        let dated = Dated { position_us, unix_ms: Some(now.unix_ms) };
        let mut others = self.roster.speaking(Dialect::Backend);
        others.retain(|other| other != connection);
        let from = Some(connection.0.clone());
        self.news(others, BackendEvent::PositionSync { track_id: track_id.cloned(), dated }, from, now);
        let at = self.clock.convoy(now.mono);
        let Some(current) = self.snapshot.timeline.last().map(|stamped| stamped.anchor.clone()) else { return vec![] };
        let same = track_id.is_none() || track_id == current.track.as_ref();
        if !same || !current.playing || (current.position_us(at) - position_us).abs() < TOLERANCE_US {
            return vec![];
        }
        vec![Action::Seek { anchor: self.anchor_at(Place::of(&current), position_us, true, now) }]
    }

    fn whole_list(
        &mut self,
        connection: &ConnectionId,
        device: &DeviceId,
        user: &UserId,
        tracks: Vec<Track>,
        now: Now,
    ) {
        let wanted: Vec<TrackId> = tracks.iter().map(|track| track.id.clone()).collect();
        let unseen = self.phones.unseen_by(device, now.mono);
        let mut made = 0;
        let actions = whole_list::changes(&self.snapshot.playlist, tracks, &unseen, || {
            made += 1;
            self.new_entry(device, made, now)
        });
        let nothing = actions.is_empty();
        let others_wait = self.phones.owes_playlist();
        let all = self.author(connection, device, Some(user), actions, now);
        let as_sent = self.snapshot.playlist.entries().map(|(_, track)| &track.id).eq(&wanted);
        if !all || !as_sent || others_wait {
            // What it has differs from what became of it, or will soon.
            self.phones.owe_playlist(device, None, now.mono);
        } else if !nothing {
            self.phones.owe_playlist(device, Some(connection.clone()), now.mono);
        }
    }
}
