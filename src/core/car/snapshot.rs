//! What a car shows of itself, and what it keeps for its next start.

use super::{Car, Link, TimeBase};
use crate::core::clock::{ConvoyTime, MonoTime};
use crate::core::id::{ConvoyId, EntryId};
use crate::core::io::Saved;
use crate::core::playlist::Track;
use crate::core::status::{ActiveSync, ChangeCounts, ClockStatus, Connection, NowPlaying, Status, Upcoming};
use crate::core::timeline::Anchor;

impl Car {
    /// Everything that people and programs may want to know, at `now`.
    #[must_use]
    pub fn status(&self, now: MonoTime) -> Status {
        let dialect = match self.link {
            Link::Joined(dialect) | Link::Joining(dialect) => Some(dialect.as_str().to_owned()),
            Link::Down => None,
        };
        Status {
            version: self.me.version.clone(),
            device: self.me.device().to_string(),
            name: self.me.name.clone(),
            convoy: self.convoy.as_ref().map(ToString::to_string),
            controller: self.state.controller.as_ref().map(ToString::to_string),
            is_controller: self.state.controller.as_ref() == Some(self.me.device()),
            connection: self.connection(dialect, now),
            members: self.members_shown(now),
            muted: self.muted(now),
            now_playing: self.now_playing(now),
            queue_length: self.state.playlist.len(),
            volume: self.sound.volume,
            ducked: self.sound.ducked,
            clock: self.clock_status(now),
            audio: self.audio.clone(),
            library: self.library.clone(),
            changes: ChangeCounts { applied: self.state.versions.count(), pending: self.own.count() },
            lead_us: self.lead_us(),
            queue_revision: self.queue_revision,
            taken_us: now.0,
        }
    }

    fn connection(&self, dialect: Option<String>, now: MonoTime) -> Connection {
        let mut connection = self.tiers.connection(self.peer_states(), dialect);
        let strangers = self.strangers_only().filter(|_| connection.active_sync == ActiveSync::Offline);
        for reason in strangers.map(str::to_owned).into_iter().chain(self.muted_shown(now)) {
            let before = if connection.reason.is_empty() { "" } else { "; " };
            connection.reason.extend([before, &*reason]);
        }
        connection
    }

    /// The convoy that this car is in.
    pub fn convoy(&self) -> Option<&ConvoyId> {
        self.convoy.as_ref()
    }

    /// The playlist in order.
    pub fn queue(&self) -> impl Iterator<Item = (&EntryId, &Track)> {
        self.state.playlist.entries()
    }

    fn now_playing(&self, now: MonoTime) -> NowPlaying {
        let convoy_now = self.convoy_now(now);
        let anchors: Vec<&Anchor> = self.state.timeline.from(convoy_now).map(|stamped| &stamped.anchor).collect();
        let mut later: Option<(ConvoyTime, NowPlaying)> = None;
        for anchor in anchors.into_iter().rev() {
            let from = anchor.at.max(convoy_now);
            let mut shown = self.shown(anchor, from);
            let upcoming = |(at, then)| Box::new(Upcoming { in_us: at - from, is_first: false, then });
            shown.upcoming = later.take().map(upcoming);
            later = Some((from, shown));
        }
        let Some((at, then)) = later else { return NowPlaying::default() };
        let in_us = at - convoy_now;
        if in_us == 0 {
            return then;
        }
        // Nothing is in effect yet: what comes is shown, and stands.
        NowPlaying { upcoming: Some(Box::new(Upcoming { in_us, is_first: true, then: then.clone() })), ..then }
    }

    /// What an anchor says for a moment.
    fn shown(&self, anchor: &Anchor, at: ConvoyTime) -> NowPlaying {
        let track = self.track_of(anchor);
        let end_us = track.as_ref().and_then(|track| track.duration_us).unwrap_or(i64::MAX);
        NowPlaying {
            playing: anchor.playing,
            entry: anchor.entry.as_ref().map(ToString::to_string),
            index: anchor.entry.as_ref().and_then(|entry| self.state.playlist.ids().position(|id| id == entry)),
            position_us: anchor.position_us(at).min(end_us),
            track,
            upcoming: None,
        }
    }

    fn clock_status(&self, now: MonoTime) -> ClockStatus {
        let map = self.clock.map().filter(|_| self.time_known());
        let bound_us = match self.link {
            Link::Joined(crate::core::io::Dialect::Backend) => self.backend.bound_us(),
            _ => self.clock_bound(now),
        };
        ClockStatus {
            synced: self.base == TimeBase::Convoy,
            convoy_us: map.map(|map| map.convoy(now).0),
            bound_us: bound_us.filter(|_| self.base == TimeBase::Convoy),
            rate_ppm: map.map_or(0.0, |map| map.rate * 1e6),
            through: self.clock_through().iter().map(ToString::to_string).collect(),
        }
    }

    pub(super) fn saved(&self, now: MonoTime) -> Saved {
        Saved {
            convoy: self.convoy.clone(),
            snapshot: self.state.clone(),
            clock: self.kept_clock(now),
            at: self.convoy_now(now),
            sequence: self.own.sequence(),
            attempt: self.mesh.last_attempt(),
            tickets: self.papers.tickets.clone(),
            passed_unix_us: self.papers.clock.passed_unix_us(now),
            known_as: self.backend.known_as.clone(),
            volume: self.sound.volume,
            delays_us: self.sound.delays_us.clone(),
        }
    }
}
