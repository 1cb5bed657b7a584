//! Which cars are in the backend's session: it knows users and connections only, so the cars say it themselves.

use crate::core::backend::BackendCommand;
use crate::core::car::{Car, Link};
use crate::core::changes::{Action, Change};
use crate::core::clock::MonoTime;
use crate::core::id::{DeviceId, EntryId, UserId};
use crate::core::io::Dialect;
use crate::core::status::Member;

/// A car says so often that it is here,
const SAY_US: i64 = 20_000_000;
/// and is taken for gone when it has not for so long.
const GONE_US: i64 = 65_000_000;
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

    /// Whether the controller is a car that says itself over the mesh what it does, and exactly.
    pub(super) fn hears_dj_itself(&self) -> bool {
        self.state.controller.as_ref().is_some_and(|controller| self.is_linked_with(controller))
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
