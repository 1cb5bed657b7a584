//! Working with today's production backend: no acknowledgements, no clock but wall clocks, playlists overwritten as a
//! whole.

mod hear;
mod present;
mod session;
mod tell;

use super::Car;
use crate::core::backend::BackendEvent;
use crate::core::changes::{ChangeId, Hlc};
use crate::core::clock::MonoTime;
use crate::core::id::{DeviceId, EntryId, TrackId, UserId};
use crate::core::playlist::Track;
use crate::core::timeline::Anchor;
use std::collections::{BTreeMap, VecDeque};
use tell::Untold;

/// What the backend leaves to its clients to remember.
#[derive(Debug, Default)]
pub(super) struct Backend {
    wall: Option<Wall>,
    /// The track that the others have loaded: a web client that is told to play plays that one, whatever it is told
    /// beside.
    loaded: Option<TrackId>,
    /// A track that plays and stands in no playlist.
    loose: Option<Track>,
    /// What the backend called us when it last made us its controller: a socket id, which stays its word for us when
    /// the connection is a new one.
    pub(super) known_as: Option<String>,
    /// Whether it was told on this connection that we lead.
    claimed: bool,
    /// We asked for control, and the next controller of our user is us, until then.
    taking_until: Option<MonoTime>,
    next_sync: Option<MonoTime>,
    /// Own changes that it has not been told.
    untold: Vec<Untold>,
    /// The edits that the list which was told last is about.
    listed: Vec<ChangeId>,
    /// Entries we added a moment ago; a list without them was written by someone who had not seen ours.
    unconfirmed: Vec<(EntryId, Track, MonoTime)>,
    /// We asked to be taken in, and wait for the greeting until then.
    greeting_until: Option<MonoTime>,
    /// What was said in the room ahead of the greeting, and when.
    ahead: VecDeque<(BackendEvent, MonoTime)>,
    /// Another session was left on this connection: what is said ahead of a greeting may be of that one.
    left_another: bool,
    /// The list of the greeting, which comes once more right after it, for older clients; what we answered is newer.
    greeted: Option<(Vec<Track>, MonoTime)>,
    /// The user who leads, as the backend said last.
    controller_user: Option<UserId>,
    /// The other cars in the session, and when each last said so.
    present: BTreeMap<DeviceId, MonoTime>,
    /// The DJ whose clock is followed, and when it last was.
    djs_clock: Option<(DeviceId, MonoTime)>,
    /// When this car says again that it is here.
    say_present: Option<MonoTime>,
    /// What was done by anyone after this is not known to the backend: it was away.
    lost: Option<Hlc>,
    /// The list as it was last told or heard, by our names for its entries.
    named: Vec<(TrackId, EntryId)>,
}

/// The wall clock as it was last read.
#[derive(Debug, Clone, Copy)]
struct Wall {
    read: MonoTime,
    unix_us: i64,
    synchronized: bool,
}

/// Wall clocks kept by NTP agree so well, over mobile networks.
const WALL_BOUND_US: i64 = 50_000;
/// Without such clocks a position counts as of its arrival, which is off by the network's delay.
const ARRIVAL_BOUND_US: i64 = 2_000_000;

impl Backend {
    pub(super) fn known_as(name: Option<String>) -> Self {
        Self { known_as: name, ..Self::default() }
    }

    pub(super) fn bound_us(&self) -> Option<i64> {
        self.wall.map(|wall| if wall.synchronized { WALL_BOUND_US } else { ARRIVAL_BOUND_US })
    }

    pub(super) fn poll_timeout(&self) -> Option<MonoTime> {
        self.untold
            .iter()
            .map(|untold| untold.due)
            .chain(self.next_sync)
            .chain(self.greeting_until)
            .chain(self.say_present)
            .min()
    }

    /// What is done from here on, later than `hlc`, the backend does not hear.
    pub(super) fn note_lost(&mut self, hlc: Hlc) {
        self.lost.get_or_insert(hlc);
    }

    /// The connection is gone. What was not told is told when there is another.
    pub(super) fn handle_down(&mut self) {
        self.untold.clear();
        self.claimed = false;
        self.taking_until = None;
        self.next_sync = None;
        self.greeting_until = None;
        self.ahead.clear();
        self.left_another = false;
        self.say_present = None;
        self.present.clear();
    }

    /// The convoy is left behind.
    pub(super) fn forget_convoy(&mut self, connected: bool) {
        *self = Self { wall: self.wall, left_another: connected, ..Self::default() };
    }

    /// The wall clock at `now`, in milliseconds since 1970.
    fn unix_ms(&self, now: MonoTime) -> Option<i64> {
        self.wall.map(|wall| (wall.unix_us + (now - wall.read)) / 1_000)
    }
}

impl Car {
    fn leads(&self) -> bool {
        self.state.controller.as_ref() == Some(self.me.device())
    }

    pub(super) fn loose_track(&self, anchor: &Anchor) -> Option<Track> {
        self.backend.loose.clone().filter(|track| Some(&track.id) == anchor.track.as_ref())
    }

    pub(super) fn loose_duration_us(&self, anchor: &Anchor) -> Option<i64> {
        self.loose_track(anchor).and_then(|track| track.duration_us)
    }

    pub(super) fn learn_loose_duration(&mut self, id: &TrackId, duration_us: i64) {
        if let Some(track) = self.backend.loose.take_if(|track| track.id == *id) {
            let duration_us = track.duration_us.or(Some(duration_us));
            self.backend.loose = Some(Track { duration_us, ..track }.bounded());
        }
    }
}
