//! The own dialect: the core's commands as questions, the server's events and answers as the core's.

use super::dial::words;
use super::requests::Question;
use crate::core::changes::Change;
use crate::core::clock::MonoTime;
use crate::core::convoy::Snapshot;
use crate::core::io::{ServerCommand, ServerEvent};
use crate::core::playlist::ENTRIES_MAX;
use crate::core::request::Invitation;
use crate::core::status::{Member, MemberKind};
use crate::core::ticket::{Credentials, REVOKED_DEVICES_MAX, REVOKED_MAX, TICKETS_MAX};
use crate::wire::server::jamz::{
    self, Acked, Failure, Invite, Invited, Join, Joined, Members, Probe, Probed, Refused, Signal, State,
};
use crate::wire::server::signal;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Members that are believed to be in one convoy.
const MEMBERS_MAX: usize = 20_000;

/// A command as an event that asks for an acknowledgement; none when it is of the other dialect.
pub(super) fn question(command: &ServerCommand) -> Option<(&'static str, Value, Question)> {
    Some(match command {
        ServerCommand::Join { convoy, device, user, name, claim, proof } => {
            let join = Join {
                convoy: convoy.clone(),
                device: device.clone(),
                user: user.clone(),
                name: name.clone(),
                kind: MemberKind::Car,
                claim: *claim,
                proof: proof.clone(),
            };
            (jamz::JOIN, value(&join), Question::Join)
        }
        ServerCommand::Leave => (jamz::LEAVE, json!({}), Question::Leave),
        ServerCommand::Probe { round_trip_us, bound_us } => {
            let probe = Probe { round_trip_us: *round_trip_us, bound_us: *bound_us };
            (jamz::PROBE, value(&probe), Question::Probe)
        }
        ServerCommand::Change(change) => (jamz::CHANGE, value(change), Question::Change(change.id.clone())),
        ServerCommand::PassOn { change, ticket } => {
            let mut brought = value(change);
            if let Value::Object(fields) = &mut brought {
                fields.insert(jamz::AUTHORS_TICKET.into(), value(ticket));
            }
            (jamz::CHANGE, brought, Question::Change(change.id.clone()))
        }
        ServerCommand::Signal(signed) => (jamz::SIGNAL, value(&signal::to_own(signed)), Question::Signal),
        ServerCommand::Invite { request, convoy, role } => {
            let invite = Invite { convoy: convoy.clone(), role: *role };
            (jamz::INVITE, value(&invite), Question::Invite { request: *request, convoy: convoy.clone() })
        }
        ServerCommand::Backend(_) => return None,
    })
}

/// Reads an event of the server; none when it is of no concern to a car.
///
/// # Errors
/// What is wrong with it, when it concerns a car.
pub(super) fn event(name: &str, args: Vec<Value>) -> Result<Option<ServerEvent>, String> {
    let event = match name {
        jamz::CHANGE => ServerEvent::Change(Box::new(first::<Change>(name, args)?)),
        jamz::REFUSED => {
            let reason = "the server refused it".to_owned();
            ServerEvent::Refused { change: first::<Refused>(name, args)?.id, reason }
        }
        jamz::SIGNAL => {
            let read = signal::from_own(&first::<Signal>(name, args)?).map_err(|error| format!("`{name}`: {error}"))?;
            return Ok(read.map(|signed| ServerEvent::Signal(Box::new(signed))));
        }
        jamz::MEMBERS => ServerEvent::Members(members(first::<Members>(name, args)?.members)?),
        jamz::TICKETS => ServerEvent::Tickets(Box::new(credentials(first::<Credentials>(name, args)?)?)),
        jamz::STATE => ServerEvent::State(Box::new(snapshot(first::<State>(name, args)?.snapshot)?)),
        _ => return Ok(None),
    };
    Ok(Some(event))
}

/// Reads the answer to a question; none when nobody waits for it.
///
/// # Errors
/// What is wrong with it.
pub(super) fn answer(
    question: &Question,
    args: Vec<Value>,
    sent: MonoTime,
    received: MonoTime,
) -> Result<Option<ServerEvent>, String> {
    Ok(Some(match question {
        Question::Join => match told::<Joined>("joining", args)? {
            Ok(joined) => ServerEvent::Joined {
                snapshot: Box::new(snapshot(joined.snapshot)?),
                members: members(joined.members)?,
            },
            Err(failure) => ServerEvent::Rejected { reason: failure.error },
        },
        Question::Change(id) => match told::<Acked>("a change", args)? {
            Ok(acked) if acked.id == *id => ServerEvent::Acked { change: acked.id, verdict: acked.verdict },
            Ok(acked) => return Err(format!("the answer to change {id} is about {}", acked.id)),
            Err(Failure { error, retry: true }) => ServerEvent::Failed { change: id.clone(), reason: error },
            Err(Failure { error, .. }) => ServerEvent::Refused { change: id.clone(), reason: error },
        },
        Question::Probe => {
            let probed = told::<Probed>("a probe", args)?;
            let probed = probed.map_err(|failure| format!("the server answers no probe: {}", failure.error))?;
            ServerEvent::Probed {
                sent,
                received,
                server_received: probed.received,
                server_sent: probed.sent,
                lead_us: probed.lead_us,
            }
        }
        Question::Invite { request, convoy } => {
            let told = told::<Invited>("an invitation", args)?.map_err(|failure| failure.error);
            let result = told.map(|Invited { token, expires_unix_s, role }| {
                let convoy = convoy.clone();
                Invitation { convoy, token, expires_unix_s, role, at: None }
            });
            ServerEvent::Invited { request: *request, result }
        }
        Question::Ping => ServerEvent::Alive { sent, received },
        Question::Signal => {
            // It is sent again, by this way or another; nobody waits for its answer.
            if let Err(failure) = told::<Value>("a signal", args)? {
                tracing::debug!(reason = failure.error, "the server does not carry a signal");
            }
            return Ok(None);
        }
        Question::Leave | Question::Token => return Ok(None),
    }))
}

/// The token in an answer, or why there is none; what came instead is not repeated, as it may be one.
pub(super) fn fresh_token(args: &[Value]) -> Result<&str, String> {
    let text = |field: &str| args.first().and_then(|answer| answer.get(field)).and_then(Value::as_str);
    text("token").ok_or_else(|| text("error").map_or_else(|| "its answer holds no token".into(), words))
}

/// An answer's payload, or the server's words for why it has none.
fn told<T: DeserializeOwned>(what: &str, args: Vec<Value>) -> Result<Result<T, Failure>, String> {
    let value = args.into_iter().next().ok_or_else(|| format!("the answer to {what} is empty"))?;
    if let Some(reason) = value.get("error").and_then(Value::as_str) {
        let retry = value.get("retry").and_then(Value::as_bool).unwrap_or_default();
        return Ok(Err(Failure { error: words(reason), retry }));
    }
    T::deserialize(value).map(Ok).map_err(|error| format!("the answer to {what}: {error}"))
}

fn first<T: DeserializeOwned>(name: &str, args: Vec<Value>) -> Result<T, String> {
    let value = args.into_iter().next().ok_or_else(|| format!("`{name}` carries nothing"))?;
    T::deserialize(value).map_err(|error| format!("`{name}`: {error}"))
}

fn snapshot(snapshot: Snapshot) -> Result<Snapshot, String> {
    let count = snapshot.playlist.len();
    if count > ENTRIES_MAX {
        return Err(format!("a playlist of {count} entries; at most {ENTRIES_MAX} are taken"));
    }
    Ok(snapshot)
}

fn members(members: Vec<Member>) -> Result<Vec<Member>, String> {
    if members.len() > MEMBERS_MAX {
        return Err(format!("{} members; at most {MEMBERS_MAX} are believed", members.len()));
    }
    Ok(members)
}

fn credentials(credentials: Credentials) -> Result<Credentials, String> {
    let count = credentials.tickets.len();
    if count > TICKETS_MAX {
        return Err(format!("{count} tickets; at most {TICKETS_MAX} are taken"));
    }
    let count = credentials.revocations.as_ref().map_or(0, |list| list.users.len());
    if count > REVOKED_MAX {
        return Err(format!("{count} users whose tickets are void; at most {REVOKED_MAX} are taken"));
    }
    let count = credentials.revocations.as_ref().map_or(0, |list| list.devices.len());
    if count > REVOKED_DEVICES_MAX {
        return Err(format!("{count} devices whose tickets are void; at most {REVOKED_DEVICES_MAX} are taken"));
    }
    Ok(credentials)
}

fn value(payload: &impl Serialize) -> Value {
    // These types have text keys only, which is all that could fail.
    serde_json::to_value(payload).unwrap_or_default()
}
