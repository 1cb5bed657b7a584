//! Reads what a client says, in either dialect: a question for the switchboard, an answer at once, or nothing.

use super::connection::Connection;
use super::convoys::ConvoyAsk;
use super::limits::{CHANGE_BYTES_MAX, Meters, NAME_BYTES_MAX, SIGNAL_BYTES_MAX};
use super::phones::Who;
use super::switchboard::Ask;
use super::token::{TokenError, now_unix_s};
use crate::core::authority::Newcomer;
use crate::core::changes::Change;
use crate::core::clock::MonoTime;
use crate::core::id::{ConvoyId, UserId};
use crate::core::io::Dialect;
use crate::core::signature;
use crate::core::ticket::Ticket;
use crate::host;
use crate::wire::server::jamz::{self, Failure, FreshToken, Invite, Invited, Join, Probe, Probed, Signal};
use crate::wire::server::phone::{self, PhoneEvent, Relay};
use crate::wire::server::track;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// What a message came to.
pub(super) enum Heard {
    Ask(Ask),
    /// Answered here.
    Answer(Value),
    Nothing,
}

impl Connection {
    /// Reads one message of about `bytes`, that arrived at `received`.
    pub(super) fn understand(
        &self,
        event: &str,
        data: Option<Value>,
        bytes: usize,
        meters: &mut Meters,
        received: MonoTime,
    ) -> Heard {
        let own = match event {
            jamz::JOIN => self.join(data),
            jamz::LEAVE => Ok(Heard::Ask(Ask::Leave)),
            jamz::CHANGE => change(data, bytes),
            jamz::PROBE => self.probe(data, received),
            jamz::TOKEN => self.token(),
            jamz::INVITE => self.invite(data),
            jamz::SIGNAL => signal(data, bytes),
            _ => return self.phone(event, data, meters, received),
        };
        let allowed = if self.pass.phone_only { Err(TokenError::Missing.to_string()) } else { own };
        allowed.unwrap_or_else(|error| Heard::Answer(json!(Failure::last(error))))
    }

    fn join(&self, data: Option<Value>) -> Result<Heard, String> {
        let Join { convoy, device, user, name, kind, claim, proof } = read(jamz::JOIN, data)?;
        self.pass.check(&convoy).map_err(|e| e.to_string())?;
        if let Some(owner) = self.pass.user.as_ref().filter(|owner| **owner != user) {
            return Err(format!("the token is {owner}'s; it cannot be used as {user}"));
        }
        // The connection's id was the challenge: what was signed for another connection proves nothing here.
        let proven = match signature::check_join(&device, &convoy, &self.id.0, proof.as_deref()) {
            Ok(()) => true,
            Err(_) if !signature::is_key(&device) => false,
            Err(problem) => {
                return Err(format!("`proof` does not show that this is device {device}: {problem}"));
            }
        };
        let name = if name.is_empty() { self.pass.name.clone().unwrap_or_default() } else { name };
        let name = track::cut(&name, NAME_BYTES_MAX).to_owned();
        let (dialect, role, connection) = (Dialect::Jamz, self.pass.role, self.id.clone());
        let guest = self.pass.guest.clone();
        let newcomer = Box::new(Newcomer { connection, device, user, name, kind, dialect, role, proven, guest });
        Ok(Heard::Ask(Ask::Join { convoy, newcomer, claim }))
    }

    /// Answers with the times of arrival and departure at this very connection.
    fn probe(&self, data: Option<Value>, received: MonoTime) -> Result<Heard, String> {
        let probe: Probe = read(jamz::PROBE, data)?;
        let Some(clock) = self.clock.get() else {
            return Ok(Heard::Ask(Ask::Own(ConvoyAsk::Probe { round_trip_us: probe.round_trip_us })));
        };
        if let Some(us) = probe.round_trip_us {
            self.note_round_trip(us);
        }
        let sent = clock.convoy(self.entrance.clock.now());
        Ok(Heard::Answer(json!(Probed { received: clock.convoy(received), sent, lead_us: clock.lead_us() })))
    }

    fn token(&self) -> Result<Heard, String> {
        let keys = self.entrance.keys.as_ref().ok_or("this server needs no tokens")?;
        if self.pass.guest.is_some() {
            return Err(TokenError::Guest.to_string());
        }
        let token = keys.issue(&self.pass, now_unix_s()).map_err(|e| e.to_string())?;
        Ok(Heard::Answer(json!(FreshToken { token })))
    }

    /// Makes a token for somebody's phone: of a new user, as nobody knows who will hold it.
    fn invite(&self, data: Option<Value>) -> Result<Heard, String> {
        let Invite { convoy, role } = read(jamz::INVITE, data)?;
        let Some(keys) = self.entrance.keys.as_ref() else {
            let role = role.unwrap_or_default();
            return Ok(Heard::Answer(json!(Invited { token: None, expires_unix_s: None, role })));
        };
        let guest = host::random_hex(8).map_err(|e| e.to_string())?;
        let guest = UserId::new(format!("guest-{guest}")).map_err(|e| e.to_string())?;
        let now_s = now_unix_s();
        let pass = self.pass.invite(guest, &convoy, role, now_s).map_err(|e| e.to_string())?;
        let token = keys.issue(&pass, now_s).map_err(|e| e.to_string())?;
        let expires_unix_s = pass.guest.as_ref().map(|guest| guest.until_unix_s);
        Ok(Heard::Answer(json!(Invited { token: Some(token), expires_unix_s, role: pass.role })))
    }

    /// The backend's dialect has no acknowledgements: what is wrong is dropped silently.
    fn phone(&self, event: &str, data: Option<Value>, meters: &mut Meters, now: MonoTime) -> Heard {
        let Some(event) = data.and_then(|data| phone::parse(event, data)) else { return Heard::Nothing };
        let allowed = match &event {
            PhoneEvent::Relay { relay: Relay::MusicSync, .. } => meters.music_sync(now),
            PhoneEvent::Relay { relay: Relay::Ready, .. } => true,
            PhoneEvent::Relay { .. } => meters.signalling(now),
            _ => true,
        };
        if !allowed || self.pass.check(place(&event)).is_err() {
            return Heard::Nothing;
        }
        let claimed = match &event {
            PhoneEvent::JoinMusic { user, .. } | PhoneEvent::JoinAudio { user, .. } => user.clone(),
            _ => None,
        };
        let user = self.pass.user.clone().or(claimed).or_else(|| UserId::new(self.id.0.clone()).ok());
        user.map_or(Heard::Nothing, |user| {
            let (role, guest) = (self.pass.role, self.pass.guest.clone());
            Heard::Ask(Ask::Phone { event: Box::new(event), who: Who { user, role, guest } })
        })
    }
}

fn change(data: Option<Value>, bytes: usize) -> Result<Heard, String> {
    if bytes > CHANGE_BYTES_MAX {
        return Err(format!("a change has at most {CHANGE_BYTES_MAX} bytes"));
    }
    let mut data = data;
    let ticket = data.as_mut().and_then(Value::as_object_mut).and_then(|fields| fields.remove(jamz::AUTHORS_TICKET));
    let ticket: Option<Box<Ticket>> = ticket.map(|ticket| read(jamz::AUTHORS_TICKET, Some(ticket))).transpose()?;
    let change: Box<Change> = Box::new(read(jamz::CHANGE, data)?);
    Ok(Heard::Ask(Ask::Own(ConvoyAsk::Change { change, ticket })))
}

fn signal(data: Option<Value>, bytes: usize) -> Result<Heard, String> {
    if bytes > SIGNAL_BYTES_MAX {
        return Err(format!("a signal has at most {SIGNAL_BYTES_MAX} bytes"));
    }
    let signal: Signal = read(jamz::SIGNAL, data)?;
    if !["offer", "answer", "ice-candidate"].contains(&signal.kind.as_str()) {
        return Err("a signal's `type` is offer, answer or ice-candidate".into());
    }
    Ok(Heard::Ask(Ask::Own(ConvoyAsk::Signal(Box::new(signal)))))
}

/// The convoy, or the group, that something is about.
pub(super) fn place(event: &PhoneEvent) -> &ConvoyId {
    match event {
        PhoneEvent::JoinMusic { convoy, .. }
        | PhoneEvent::Music { convoy, .. }
        | PhoneEvent::JoinAudio { convoy, .. }
        | PhoneEvent::LeaveAudio { convoy }
        | PhoneEvent::Relay { convoy, .. } => convoy,
        // A token that names convoys opens the groups of the same names.
        PhoneEvent::JoinGroup { group } | PhoneEvent::LeaveGroup { group } | PhoneEvent::Location { group, .. } => {
            group
        }
    }
}

fn read<T: DeserializeOwned>(event: &str, data: Option<Value>) -> Result<T, String> {
    let data = data.ok_or_else(|| format!("{event} needs one argument, an object of JSON"))?;
    serde_json::from_value(data).map_err(|e| format!("{event}: {e}"))
}
