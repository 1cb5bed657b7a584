//! Tickets of all convoys that are decided here: renewed in time, and void when their bearer is put out.

use super::Convoys;
use crate::core::authority::Now;
use crate::core::id::{ConvoyId, UserId};
use crate::core::ticket::{Guest, Rulings};
use crate::server::revoked::Revoked;

impl Convoys {
    /// This is noted now about who is put out; gives out the convoys that it concerns.
    pub fn note_revoked(&mut self, revoked: Revoked) -> Vec<(ConvoyId, Rulings)> {
        let news = revoked.iter().filter(|(convoy, rulings)| self.revoked.get(*convoy) != Some(*rulings));
        let news = news.map(|(convoy, rulings)| (convoy.clone(), rulings.clone())).collect();
        self.revoked = revoked;
        news
    }

    /// Who of these is put out of a convoy, a user and who invited him, as far as it is known here.
    #[must_use]
    pub fn out_of<'a>(&self, convoy: &ConvoyId, user: &'a UserId, guest: Option<&'a Guest>) -> Option<&'a UserId> {
        let as_told = self.revoked.get(convoy).and_then(|rulings| rulings.out_of(user, guest));
        as_told.or_else(|| self.hosted.get(convoy)?.authority.out_of(user, guest))
    }

    pub(super) fn tend_tickets(&mut self, now: Now) {
        for convoy in self.hosted.keys().cloned().collect::<Vec<_>>() {
            self.heed_rulings(&convoy, now);
            if let Some(hosted) = self.hosted.get_mut(&convoy) {
                hosted.dirty |= hosted.authority.handle_renewal(now);
            }
            self.drain(&convoy);
        }
    }

    /// Does in a convoy what is noted about it.
    pub(super) fn heed_rulings(&mut self, convoy: &ConvoyId, now: Now) {
        let rulings = self.revoked.get(convoy).cloned().unwrap_or_default();
        self.rule(convoy, &rulings, now);
    }

    pub(super) fn rule(&mut self, convoy: &ConvoyId, rulings: &Rulings, now: Now) {
        let Some(hosted) = self.hosted.get_mut(convoy) else { return };
        if hosted.authority.handle_rulings(rulings, now) {
            if hosted.authority.seated() == 0 {
                hosted.empty_since.get_or_insert(now.mono);
            }
            self.keep(convoy, now);
        }
    }
}
