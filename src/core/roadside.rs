//! A convoy that was founded on the roadside: what each of its cars keeps of it.

use super::code::Code;
use super::id::{ConvoyId, ConvoyName, DeviceId, IdError, hex};
use super::signature::DeviceKey;
use super::ticket::{Credentials, Ticket, Tickets, WallTime};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Such a convoy, as its members keep it and hand it to a newcomer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roadside {
    pub convoy: ConvoyId,
    pub name: ConvoyName,
    pub secret: SharedSecret,
    /// Whose key this convoy's trust begins with.
    pub founder: DeviceId,
    /// That of the car that keeps this.
    pub ticket: Ticket,
}

/// What the members of a convoy share: 32 bytes in hex. Never shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SharedSecret(String);

/// What a car that lets others in tells its people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    pub convoy: ConvoyId,
    pub name: ConvoyName,
    pub code: Code,
    /// For how long the code is good.
    pub valid_s: u32,
}

impl Roadside {
    /// A new convoy: its id is its name's letters and some chance, so that two of the same name are two.
    ///
    /// # Errors
    /// Never: the id is short and plain.
    pub fn found(
        name: ConvoyName,
        founder: &DeviceKey,
        wall: WallTime,
        (chance, secret): ([u8; SECRET_BYTES], [u8; SECRET_BYTES]),
    ) -> Result<Self, IdError> {
        let spelt = name.as_str().chars().map(|c| if c.is_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
        let mut id: String = spelt.collect();
        id.push('-');
        id.push_str(hex(&chance).get(..ID_DIGITS).unwrap_or_default());
        let convoy = ConvoyId::new(id)?;
        let (founder, ticket) = (founder.device().clone(), Ticket::found(founder, &convoy, wall)?);
        Ok(Self { convoy, name, secret: SharedSecret(hex(&secret)), founder, ticket })
    }

    /// What a newcomer is handed by the car that keeps this and has this key; none when it may let nobody in.
    #[must_use]
    pub fn for_newcomer(&self, key: &DeviceKey, newcomer: &DeviceId) -> Option<Self> {
        Some(Self { ticket: self.ticket.vouch(key, newcomer)?, ..self.clone() })
    }

    /// Whether it is for this device, on the founder's word.
    #[must_use]
    pub fn is_for(&self, device: &DeviceId) -> bool {
        let mut tickets = Tickets::default();
        tickets.trust(&self.founder);
        self.ticket.device == *device && tickets.take_ticket(&self.ticket, &self.convoy)
    }

    /// With what a car joins.
    #[must_use]
    pub fn credentials(&self) -> Credentials {
        Credentials {
            convoy: self.convoy.clone(),
            issuer: self.founder.clone(),
            tickets: vec![self.ticket.clone()],
            revocations: None,
        }
    }
}

const SECRET_BYTES: usize = 32;
/// Digits of chance in an id.
const ID_DIGITS: usize = 10;

impl SharedSecret {
    /// As it would stand in a file.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SharedSecret {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_hex = text.len() == 2 * SECRET_BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_hex { Ok(Self(text)) } else { Err("a convoy's secret has 64 hex digits") }
    }
}

impl From<SharedSecret> for String {
    fn from(secret: SharedSecret) -> Self {
        secret.0
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u8) -> DeviceKey {
        DeviceKey::from_secret(&[number; 32]).unwrap()
    }

    fn founded(name: &str, chance: u8) -> Roadside {
        let name = ConvoyName::new(name).unwrap();
        Roadside::found(name, &key(1), WallTime::default(), ([chance; 32], [0xab; 32])).unwrap()
    }

    #[test]
    fn a_newcomer_is_handed_the_convoy_with_a_ticket_of_its_own() {
        let (founder, newcomer) = (key(1), key(2));
        let kept = founded("alps", 1);
        assert!(kept.is_for(founder.device()));
        let handed = kept.for_newcomer(&founder, newcomer.device()).unwrap();
        assert!(handed.is_for(newcomer.device()) && !handed.is_for(founder.device()));
        assert!(!Roadside { founder: newcomer.device().clone(), ..handed.clone() }.is_for(newcomer.device()));
        assert_eq!((&handed.secret, handed.credentials().issuer), (&kept.secret, founder.device().clone()));
    }

    #[test]
    fn two_convoys_of_one_name_are_two_and_their_ids_are_plain() {
        assert_eq!(founded("Über die Alps", 1).convoy.as_str(), "Über-die-alps-0101010101");
        assert_ne!(founded("alps", 1).convoy, founded("alps", 2).convoy);
    }

    #[test]
    fn what_is_kept_is_read_back_and_never_shows_its_secret() {
        let kept = founded("alps", 1);
        let json = serde_json::to_string(&kept).unwrap();
        assert_eq!(serde_json::from_str::<Roadside>(&json).unwrap(), kept);
        assert!(!format!("{kept:?}").contains("abab"));
        let broken = json.replace("abab", "ab");
        assert!(serde_json::from_str::<Roadside>(&broken).unwrap_err().to_string().contains("64 hex digits"));
    }
}
