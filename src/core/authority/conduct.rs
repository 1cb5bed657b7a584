//! Who is heard: whoever does too much is muted for a time. He hears why not; nobody else is told anything.

use super::{Authority, ConnectionId, JOIN_FIRST, Now};
use crate::core::changes::Change;
use crate::core::conduct::Matter;
use crate::core::id::{self, DeviceId};

impl Authority {
    /// Whether a member may do that once more.
    pub(super) fn hears(&mut self, member: &DeviceId, matter: Matter, now: Now) -> Result<(), String> {
        let _ = self.conduct.count(member, matter, 1, now.mono);
        self.is_heard(member, now)
    }

    /// A member asks something, whatever it is, and however many connections he has had.
    pub fn note_ask(&mut self, connection: &ConnectionId, now: Now) {
        if let Some(seat) = self.roster.get(connection) {
            let _ = self.conduct.count(&seat.device, Matter::Asks, 1, now.mono);
        }
    }

    /// A member has a signal for one device, or for all others. From which device, and over which connections.
    ///
    /// # Errors
    /// Why it goes nowhere, in words for the member.
    pub fn handle_signal(
        &mut self,
        from: &ConnectionId,
        to: Option<&DeviceId>,
        now: Now,
    ) -> Result<(DeviceId, Vec<ConnectionId>), String> {
        let device = self.roster.get(from).ok_or(JOIN_FIRST)?.device.clone();
        self.hears(&device, Matter::Signals, now)?;
        Ok((device, self.roster.addressees(from, to)))
    }

    /// Whether an author may make one change more, if it is new here.
    pub(super) fn bears(&mut self, change: &Change, now: Now) -> Result<(), String> {
        if !self.snapshot.versions.knows(&change.id) {
            let _ = self.conduct.count_change(change, self.clock.convoy(now.mono), now.mono);
        }
        self.is_heard(&change.id.device, now)
    }

    /// Whether a member is not muted.
    pub(super) fn is_heard(&mut self, member: &DeviceId, now: Now) -> Result<(), String> {
        let Some(mute) = self.conduct.mute_of(member, now.mono) else { return Ok(()) };
        let seconds = (mute.until - now.mono) / 1_000_000 + 1;
        if !self.conduct.take_news().is_empty() {
            tracing::warn!(member = id::short(member.as_str()), seconds, "a member is muted: {}", mute.offence);
        }
        Err(format!("{member} is muted for {seconds} s: {}", mute.offence))
    }
}
