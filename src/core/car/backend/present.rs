//! Which cars are in the backend's session: it knows users and connections only, so the cars say it themselves.

use crate::core::backend::{BackendAction, BackendCommand, BackendEvent};
use crate::core::car::{Car, Link};
use crate::core::changes::{Action, Change};
use crate::core::clock::{Estimate, MonoTime};
use crate::core::id::{DeviceId, EntryId, UserId};
use crate::core::io::Dialect;
use crate::core::status::Member;

/// A car says so often that it is here,
const SAY_US: i64 = 20_000_000;
/// and is taken for gone when it has not for so long.
const GONE_US: i64 = 65_000_000;
/// What the backend tells may be so late that it seems to be elsewhere.
const LATE_US: i64 = 1_000_000;
/// The DJ's time, once known, holds so long.
const TIME_HOLDS_US: i64 = 15_000_000;
/// Cars of one session.
const CARS_MAX: usize = 128;

impl Car {
    /// Says that this car is here, and asks who else is.
    pub(super) fn appear(&mut self, now: MonoTime) {
        if !self.meshes() {
            return;
        }
        let own = self.itself();
        self.members.retain(|member| member.device != own.device);
        self.members.push(own);
        self.say_present(true, now);
    }

    fn say_present(&mut self, ask: bool, now: MonoTime) {
        self.backend.say_present = Some(now + SAY_US);
        let member = self.itself();
        self.say(BackendCommand::Present { member, ask });
    }

    /// Another car says that it is here.
    pub(super) fn hear_present(&mut self, member: Member, ask: bool, now: MonoTime) {
        let (Ok(device), Ok(user)) = (DeviceId::new(&*member.device), UserId::new(&*member.user)) else { return };
        if device == *self.me.device() || !self.meshes() {
            return;
        }
        let is_known = self.members.iter().any(|known| known.device == member.device);
        if !is_known && self.members.len() >= CARS_MAX {
            return;
        }
        self.members.retain(|known| known.device != member.device);
        self.members.push(member);
        self.backend.present.insert(device.clone(), now);
        self.renew_hope(&device, now);
        if self.backend.controller_user.as_ref() == Some(&user) && !self.leads() {
            self.name_controller(&user);
        }
        if ask {
            self.say_present(false, now);
        }
    }

    /// Says it again, and forgets those who do not.
    pub(super) fn tend_present(&mut self, now: MonoTime) {
        if self.backend.say_present.is_some_and(|due| now >= due) {
            self.say_present(false, now);
        }
        let gone: Vec<DeviceId> =
            self.backend.present.extract_if(.., |_, heard| now - *heard >= GONE_US).map(|(d, _)| d).collect();
        self.members.retain(|member| !gone.iter().any(|device| device.as_str() == member.device));
    }

    /// The car of a user, if there is just one.
    pub(super) fn car_of(&self, user: &UserId) -> Option<DeviceId> {
        let mut cars = self.members.iter().filter(|member| member.online && member.user == user.as_str());
        let car = cars.next().filter(|_| cars.next().is_none())?;
        DeviceId::new(&*car.device).ok().filter(|device| device != self.me.device())
    }

    /// The backend's word for the controller is a connection; now it is known which car that is.
    fn name_controller(&mut self, user: &UserId) {
        if let Some(car) = self.car_of(user)
            && self.state.controller.as_ref() != Some(&car)
        {
            let stamp = self.state.controlled.clone();
            self.state.entrust(Some(car), stamp);
        }
    }

    /// Whether an event only repeats, as of its arrival, what the DJ's car has said exactly over the mesh.
    pub(super) fn is_said_better(&self, event: &BackendEvent, received: MonoTime) -> bool {
        let current = self.state.timeline.last();
        let by_dj = current.filter(|last| {
            self.state.controller.as_ref() == Some(&last.stamp.device) && last.stamp.device != *self.me.device()
        });
        let Some(anchor) = by_dj.map(|last| &last.anchor) else { return false };
        let (track, playing, dated) = match event {
            BackendEvent::Control { action, track, track_id, dated } => {
                let track = track.as_ref().map(|track| &track.id).or(track_id.as_ref());
                let playing = match action {
                    BackendAction::Play => true,
                    BackendAction::Pause => false,
                    BackendAction::Seek => anchor.playing,
                };
                (track, playing, dated)
            }
            BackendEvent::TrackChanged { track, autoplay, dated } => (Some(&track.id), *autoplay, dated),
            BackendEvent::PositionSync { track_id, dated } => (track_id.as_ref(), true, dated),
            _ => return false,
        };
        let at = self.date(*dated, received).max(anchor.at);
        let off_us = (anchor.position_us(at) - dated.position_us).abs();
        track.is_none_or(|track| anchor.track.as_ref() == Some(track)) && playing == anchor.playing && off_us < LATE_US
    }

    /// Whether another car is the DJ, and it is this one.
    pub(in crate::core::car) fn is_led_by(&self, device: &DeviceId) -> bool {
        !self.leads() && self.state.controller.as_ref() == Some(device)
    }

    /// The backend has no clock, and wall clocks are worse than what the mesh has: the DJ's counts. When it is another
    /// the music goes along.
    pub(in crate::core::car) fn follow_djs_clock(&mut self, estimate: &Estimate, now: MonoTime) {
        let before = self.convoy_now(now);
        if self.clock.follow(estimate, now) {
            let step_us = self.convoy_now(now) - before;
            self.state.timeline.revise(|anchor| anchor.at = anchor.at + step_us);
        }
        self.backend.djs_clock = self.state.controller.clone().map(|dj| (dj, now));
    }

    /// Whether this car has the DJ's time.
    pub(super) fn has_djs_time(&self, now: MonoTime) -> bool {
        let known = self.backend.djs_clock.as_ref().filter(|(dj, at)| self.is_led_by(dj) && now - *at < TIME_HOLDS_US);
        known.is_some()
    }

    /// Whether a control that comes over the mesh means here what it means to its author: what is dated by a clock that
    /// is not known here does not, and is told by the backend.
    pub(in crate::core::car) fn understands(&self, change: &Change, now: MonoTime) -> bool {
        change.action.anchor().is_none() || (self.is_led_by(&change.id.device) && self.has_djs_time(now))
    }

    /// Whether the backend decides now, and says itself what its clients do.
    pub(in crate::core::car) fn is_in_session(&self) -> bool {
        self.link == Link::Joined(Dialect::Backend)
    }

    /// An entry that the backend told of before its author did has the name that its author gives it.
    pub(in crate::core::car) fn adopt_name(&mut self, change: &Change, now: MonoTime) {
        let Action::Add { entry, track, .. } = &change.action else { return };
        let playlist = &self.state.playlist;
        let told = EntryId::new(track.id.to_string()).is_ok_and(|name| playlist.contains(&name));
        if playlist.contains(entry) || !told {
            return;
        }
        self.backend.named.insert(0, (track.id.clone(), entry.clone()));
        let tracks: Vec<_> = self.state.playlist.entries().map(|(_, track)| track.clone()).collect();
        self.state.playlist = self.playlist_of(&tracks, now);
        self.note_names();
        self.name_entries();
        self.queue_revision += 1;
    }
}
