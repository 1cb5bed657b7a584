//! Today's phones at the switchboard: their music goes to the convoy, their calls and places to the others in the room.

use super::convoys::ConvoyAsk;
use super::events::place;
use super::rooms::Room;
use super::switchboard::Switchboard;
use crate::core::authority::{ConnectionId, Newcomer, device_of, put_out};
use crate::core::id::{ConvoyId, UserId};
use crate::core::io::Dialect;
use crate::core::status::MemberKind;
use crate::core::ticket::{Guest, Role};
use crate::wire::server::phone::PhoneEvent;
use serde_json::{Map, Value, json};

/// Whom a phone's token names.
#[derive(Debug)]
pub struct Who {
    pub user: UserId,
    pub role: Role,
    pub guest: Option<Guest>,
}

impl Switchboard {
    pub(super) fn phone(&mut self, connection: &ConnectionId, event: PhoneEvent, who: Who) {
        if let Some(out) = self.convoys.out_of(place(&event), &who.user, who.guest.as_ref()) {
            return self.dismiss(connection, &put_out(out));
        }
        match event {
            PhoneEvent::JoinMusic { convoy, .. } => self.join_music(connection, &convoy, who),
            PhoneEvent::Music { convoy, request } => {
                if self.lines.get(connection).is_some_and(|line| line.music.contains_key(&convoy)) {
                    self.ask(&convoy, connection, ConvoyAsk::Phone(Box::new(request)), None);
                }
            }
            PhoneEvent::JoinAudio { convoy, name, .. } => self.join_audio(connection, convoy, &who.user, &name),
            PhoneEvent::LeaveAudio { convoy } => {
                let stays = self.lines.get(connection).is_some_and(|line| line.music.contains_key(&convoy));
                let room = Room::Session(convoy);
                let left =
                    if stays { self.rooms.hang_up(&room, connection) } else { self.rooms.leave(&room, connection) };
                self.say_absent(&room, connection);
                if stays {
                    self.say_present(&room, connection, None);
                }
                self.participant_left(&room, connection, left);
            }
            PhoneEvent::Relay { convoy, relay, payload } => {
                self.relay(&Room::Session(convoy), connection, relay.event(), payload);
            }
            PhoneEvent::JoinGroup { group } => {
                let room = Room::Group(group);
                if self.rooms.join(room.clone(), connection, None) {
                    self.say_present(&room, connection, None);
                }
            }
            PhoneEvent::LeaveGroup { group } => {
                let room = Room::Group(group);
                self.rooms.leave(&room, connection);
                self.say_absent(&room, connection);
            }
            PhoneEvent::Location { group, payload } => {
                self.relay(&Room::Group(group), connection, "member-location", payload);
            }
        }
    }

    /// A connection ended: those that were in a call with it are told.
    pub(super) fn phone_gone(&mut self, connection: &ConnectionId) {
        for (room, participant) in self.rooms.leave_all(connection) {
            let mut here = self.rooms.others(&room, connection);
            // The other instances tell their own clients.
            here.retain(|other| self.lines.contains_key(other));
            if let Some(participant) = participant {
                self.emit(&here, "participant-left", &participant);
            }
        }
    }

    fn join_music(&mut self, connection: &ConnectionId, convoy: &ConvoyId, Who { user, role, guest }: Who) {
        let Some(device) = device_of(&user) else { return };
        let room = Room::Session(convoy.clone());
        if !self.rooms.join(room.clone(), connection, None) {
            return;
        }
        self.say_present(&room, connection, None);
        let newcomer = Box::new(Newcomer {
            connection: connection.clone(),
            device,
            name: user.to_string(),
            user,
            kind: MemberKind::Phone,
            dialect: Dialect::Backend,
            role,
            proven: false,
            guest,
        });
        if let Some(line) = self.lines.get_mut(connection) {
            line.music.insert(convoy.clone(), (*newcomer).clone());
        }
        self.ask(convoy, connection, ConvoyAsk::Join { newcomer, claim: None }, None);
    }

    fn join_audio(&mut self, connection: &ConnectionId, convoy: ConvoyId, user: &UserId, name: &str) {
        let participant = json!({ "socketId": connection, "userId": user, "display_name": name });
        let room = Room::Session(convoy);
        if !self.rooms.join(room.clone(), connection, Some(participant.clone())) {
            return;
        }
        self.say_present(&room, connection, Some(&participant));
        let participants = json!({ "participants": self.rooms.participants(&room, connection) });
        self.emit(std::slice::from_ref(connection), "current-participants", &participants);
        self.emit(&self.rooms.others(&room, connection), "participant-joined", &participant);
    }

    fn participant_left(&mut self, room: &Room, connection: &ConnectionId, participant: Option<Value>) {
        if let Some(participant) = participant {
            self.emit(&self.rooms.others(room, connection), "participant-left", &participant);
        }
    }

    /// Passes on what one says to the others of a room that it is in.
    fn relay(&mut self, room: &Room, connection: &ConnectionId, event: &str, mut payload: Map<String, Value>) {
        if self.rooms.contains(room, connection) {
            payload.insert("from".into(), json!(connection));
            self.emit(&self.rooms.others(room, connection), event, &Value::Object(payload));
        }
    }
}
