//! What the head unit says by itself.

use super::ClientError;
use crate::api::error::Error;
use crate::api::{BUS_NAME, PATH};
use futures_util::StreamExt;
use std::collections::BTreeMap;
use zbus::message::Type;
use zbus::{Connection, MatchRule, Message, MessageStream, OwnedVariant, fdo};

/// Something happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Properties changed; the status has the new values.
    Changed,
    /// The position jumped, to here.
    Seeked { position_us: i64 },
    /// Something that people may want to be told of, with its details in words.
    Notice { kind: String, details: BTreeMap<String, String> },
    /// The head unit is on the bus again.
    Appeared,
    /// The head unit left the bus.
    Vanished,
}

/// The events of one head unit.
#[derive(Debug)]
pub struct Events {
    signals: MessageStream,
    owners: fdo::NameOwnerChangedStream,
}

impl Events {
    pub(super) async fn new(connection: &Connection) -> Result<Self, ClientError> {
        let subscribed = async {
            let rule = MatchRule::builder().msg_type(Type::Signal).sender(BUS_NAME).path(PATH).build()?;
            let signals = MessageStream::for_match_rule(rule, connection, None).await?;
            let bus = fdo::DBusProxy::new(connection).await?;
            let owners = bus.receive_name_owner_changed_with_args(&[(0, BUS_NAME)]).await?;
            Ok::<_, zbus::Error>(Self { signals, owners })
        };
        subscribed.await.map_err(|error| Error::from(error).into())
    }

    /// The next event; none when the bus has gone.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            tokio::select! {
                signal = self.signals.next() => {
                    if let Some(event) = read(&signal?.ok()?) {
                        return Some(event);
                    }
                }
                owner = self.owners.next() => {
                    let owner = owner?;
                    let is_there = owner.args().is_ok_and(|args| args.new_owner.is_some());
                    return Some(if is_there { Event::Appeared } else { Event::Vanished });
                }
            }
        }
    }
}

/// Reads a signal; none when it is not for us, or of a later version.
fn read(signal: &Message) -> Option<Event> {
    let header = signal.header();
    let body = signal.body();
    match header.member()?.as_str() {
        "PropertiesChanged" => Some(Event::Changed),
        "Seeked" => body.deserialize::<i64>().ok().map(|position_us| Event::Seeked { position_us }),
        "Notice" => {
            let (kind, details): (String, BTreeMap<String, OwnedVariant>) = body.deserialize().ok()?;
            let text = |value: OwnedVariant| String::try_from(value).ok();
            let details = details.into_iter().filter_map(|(key, value)| Some((key, text(value)?))).collect();
            Some(Event::Notice { kind, details })
        }
        _ => None,
    }
}
