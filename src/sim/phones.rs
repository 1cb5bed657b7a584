//! Phones of today at the server: they come and go, press keys, and never lead.

use super::world::World;
use crate::core::authority::{ConnectionId, Newcomer, PhoneRequest, device_of};
use crate::core::backend::BackendAction;
use crate::core::id::UserId;
use crate::core::io::Dialect;
use crate::core::status::MemberKind;
use crate::core::ticket::Role;

impl World {
    /// A phone comes into the convoy, or goes.
    pub(super) fn move_phone(&mut self, phone: usize) {
        let now = self.server_now();
        let Some(server) = &mut self.server else { return };
        let connection = connection_of(phone);
        if self.phones.remove(&phone) {
            server.handle_leave(&connection, false, now);
        } else {
            let Ok(user) = UserId::new(format!("phone-user-{phone}")) else { return };
            let Some(device) = device_of(&user) else { return };
            let name = format!("phone {phone}");
            let (kind, dialect, role) = (MemberKind::Phone, Dialect::Backend, Role::Dj);
            let newcomer = Newcomer { connection, device, user, name, kind, dialect, role, proven: false, guest: None };
            if server.handle_join(newcomer, None, now).is_ok() {
                self.phones.insert(phone);
            }
        }
        self.drain_server();
    }

    /// Someone presses a key of a phone.
    pub(super) fn press_phone(&mut self, phone: usize, key: usize) {
        let now = self.server_now();
        let Some(server) = self.server.as_mut().filter(|_| self.phones.contains(&phone)) else { return };
        let control = |action, playing| PhoneRequest::Control { action, track: None, playing, dated: None };
        let request = match key % 6 {
            0 => control(BackendAction::Play, Some(true)),
            1 => control(BackendAction::Pause, Some(false)),
            2 => PhoneRequest::Skip { forward: true, track: None },
            3 => PhoneRequest::Skip { forward: false, track: None },
            4 => PhoneRequest::TakeControl,
            _ => PhoneRequest::ReleaseControl,
        };
        server.handle_phone(&connection_of(phone), request, now);
        self.drain_server();
    }
}

fn connection_of(phone: usize) -> ConnectionId {
    ConnectionId(format!("phone.{phone}"))
}
