//! Rulings: whom those who run an issuer have put out of a convoy, or let back in, and when.

use super::Guest;
use crate::core::id::UserId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What was ruled about a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ruling {
    /// When, in microseconds since 1970.
    pub at_unix_us: u64,
    pub out: bool,
}

/// The latest ruling about each user. Of two sets that are merged, in whatever order, the same comes out, so that
/// several servers agree.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rulings(BTreeMap<UserId, Ruling>);

/// Users that are ruled about in one convoy; of more, those of the latest rulings.
const RULINGS_MAX: usize = 1_024;

impl Rulings {
    /// Takes in a ruling; whether it is news.
    pub fn take(&mut self, user: &UserId, ruling: Ruling) -> bool {
        if self.0.get(user).is_some_and(|known| known.at_unix_us >= ruling.at_unix_us) {
            return false;
        }
        self.0.insert(user.clone(), ruling);
        while self.0.len() > RULINGS_MAX {
            let earliest = self.0.iter().min_by_key(|(_, ruling)| ruling.at_unix_us).map(|(user, _)| user.clone());
            earliest.and_then(|user| self.0.remove(&user));
        }
        true
    }

    #[must_use]
    pub fn is_out(&self, user: &UserId) -> bool {
        self.0.get(user).is_some_and(|ruling| ruling.out)
    }

    /// Who of these is out, a user and who invited him.
    #[must_use]
    pub fn out_of<'a>(&self, user: &'a UserId, guest: Option<&'a Guest>) -> Option<&'a UserId> {
        let users = [Some(user), guest.map(|guest| &guest.invited_by)];
        users.into_iter().flatten().find(|user| self.is_out(user))
    }

    pub fn iter(&self) -> impl Iterator<Item = (&UserId, &Ruling)> {
        self.0.iter()
    }

    /// Those who are out, and since when.
    pub fn out(&self) -> impl Iterator<Item = (&UserId, u64)> {
        self.0.iter().filter(|(_, ruling)| ruling.out).map(|(user, ruling)| (user, ruling.at_unix_us))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_ruling_about_a_user_counts_in_whatever_order_they_come_and_there_is_an_end_of_them() {
        let user = |n: usize| UserId::new(format!("user {n}")).unwrap();
        let ruled = [(1, true), (2, false), (3, true)].map(|(at_unix_us, out)| Ruling { at_unix_us, out });
        let (mut forwards, mut backwards) = (Rulings::default(), Rulings::default());
        for ruling in &ruled {
            assert!(forwards.take(&user(0), *ruling));
        }
        let news = ruled.iter().rev().filter(|ruling| backwards.take(&user(0), **ruling)).count();
        assert_eq!((&forwards, news, forwards.is_out(&user(0))), (&backwards, 1, true));
        for n in 1..2 * RULINGS_MAX {
            forwards.take(&user(n), Ruling { at_unix_us: 10 + n as u64, out: true });
        }
        assert_eq!((forwards.out().count(), forwards.is_out(&user(0))), (RULINGS_MAX, false));
    }
}
