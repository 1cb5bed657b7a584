//! Reads what a client says, in either dialect: a question for the switchboard, an answer at once, or nothing.

use super::connection::Connection;
use super::convoys::ConvoyAsk;
use super::limits::{CHANGE_BYTES_MAX, Meters, NAME_BYTES_MAX, SIGNAL_BYTES_MAX};
use super::switchboard::Ask;
use super::token::{TokenError, now_unix_s};
use crate::core::authority::Newcomer;
use crate::core::changes::Change;
use crate::core::clock::MonoTime;
use crate::core::id::{ConvoyId, UserId};
use crate::core::io::Dialect;
use crate::wire::server::jamz::{self, Failure, FreshToken, Join, Probe, Probed, Signal};
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
            jamz::SIGNAL => signal(data, bytes),
            _ => return self.phone(event, data, meters, received),
        };
        let allowed = if self.pass.phone_only { Err(TokenError::Missing.to_string()) } else { own };
        allowed.unwrap_or_else(|error| Heard::Answer(json!(Failure::last(error))))
    }

    fn join(&self, data: Option<Value>) -> Result<Heard, String> {
        let Join { convoy, device, user, name, kind, claim } = read(jamz::JOIN, data)?;
        self.pass.check(&convoy).map_err(|e| e.to_string())?;
        if let Some(owner) = self.pass.user.as_ref().filter(|owner| **owner != user) {
            return Err(format!("the token is {owner}'s; it cannot be used as {user}"));
        }
        let name = if name.is_empty() { self.pass.name.clone().unwrap_or_default() } else { name };
        let name = track::cut(&name, NAME_BYTES_MAX).to_owned();
        let dialect = Dialect::Jamz;
        let newcomer = Box::new(Newcomer { connection: self.id.clone(), device, user, name, kind, dialect });
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
        let token = keys.issue(&self.pass, now_unix_s()).map_err(|e| e.to_string())?;
        Ok(Heard::Answer(json!(FreshToken { token })))
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
        user.map_or(Heard::Nothing, |user| Heard::Ask(Ask::Phone { event: Box::new(event), user }))
    }
}

fn change(data: Option<Value>, bytes: usize) -> Result<Heard, String> {
    if bytes > CHANGE_BYTES_MAX {
        return Err(format!("a change has at most {CHANGE_BYTES_MAX} bytes"));
    }
    let change: Change = read(jamz::CHANGE, data)?;
    Ok(Heard::Ask(Ask::Own(ConvoyAsk::Change(Box::new(change)))))
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

fn place(event: &PhoneEvent) -> &ConvoyId {
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
