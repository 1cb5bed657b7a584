//! What we did, in the backend's words: playback when it takes effect, the playlist as a whole, and the DJ's place
//! every 5 s.

use crate::core::backend::{BackendAction, BackendCommand, Dated};
use crate::core::car::Car;
use crate::core::changes::{Action, Change, ChangeId, Verdict};
use crate::core::clock::MonoTime;
use crate::core::io::{Notice, Output, ServerCommand};
use crate::core::timeline::Anchor;

/// An own change that the backend is to hear of.
#[derive(Debug)]
pub(super) struct Untold {
    pub(super) due: MonoTime,
    pub(super) change: Change,
}

/// While it is DJ and playing, a client says where it is so often.
pub(super) const SYNC_US: i64 = 5_000_000;
/// How long the backend takes at most to say that we lead.
const TAKE_US: i64 = 3_000_000;
/// So long after we added an entry a list of someone else may still be from before it.
pub(super) const CONFIRM_US: i64 = 3_000_000;
/// A burst of edits goes out as one list.
const BURST_US: i64 = 100_000;

impl Car {
    /// The backend hears of a change when it takes effect: it dates what it passes on with the moment it heard it.
    pub(in crate::core::car) fn tell_backend(&mut self, change: &Change, now: MonoTime) {
        let due = match &change.action {
            Action::Add { .. } | Action::Remove { .. } | Action::Move { .. } => {
                let burst = self.backend.untold.iter().find(|untold| untold.change.action.is_edit());
                burst.map_or(now + BURST_US, |untold| untold.due)
            }
            Action::TakeControl | Action::ReleaseControl => now,
            action => action.anchor().zip(self.clock.map()).map_or(now, |(anchor, map)| map.mono(anchor.at)),
        };
        if let Action::Add { entry, track, .. } = &change.action {
            self.backend.unconfirmed.push((entry.clone(), track.clone(), now + CONFIRM_US));
        }
        self.backend.untold.push(Untold { due, change: change.clone() });
    }

    /// An edit of a car that has no way to the backend: the list that is told has it.
    pub(in crate::core::car) fn tell_backend_for(&mut self, change: &Change, now: MonoTime) {
        if change.action.is_edit() {
            self.tell_backend(change, now);
        }
    }

    /// The track changed by itself.
    pub(in crate::core::car) fn tell_backend_of_roll(&mut self, now: MonoTime) {
        if self.is_in_session()
            && self.leads()
            && let Some(anchor) = self.anchor_now(now)
        {
            self.say_track(&anchor, now);
            self.backend.next_sync = Some(now + SYNC_US);
        }
    }

    /// Says what has come due.
    pub(in crate::core::car) fn tick_backend(&mut self, now: MonoTime) {
        self.join_without_greeting(now);
        if self.is_in_session() {
            self.tell_changes(now);
            self.tell_position(now);
            self.tend_present(now);
        }
    }

    fn tell_changes(&mut self, now: MonoTime) {
        let (due, later) = std::mem::take(&mut self.backend.untold).into_iter().partition(|untold| untold.due <= now);
        self.backend.untold = later;
        let due: Vec<Untold> = due;
        let edits = due.iter().map(|untold| &untold.change).filter(|change| change.action.is_edit());
        let edits: Vec<ChangeId> = edits.map(|change| change.id.clone()).collect();
        if !edits.is_empty() {
            self.say_playlist();
            self.backend.listed = edits;
        }
        for Untold { change, .. } in due {
            if change.id.device == *self.me.device() {
                let verdict = self.tell_change(&change.action, now);
                self.settle(&change.id, verdict);
            }
        }
    }

    fn tell_change(&mut self, action: &Action, now: MonoTime) -> Verdict {
        match action {
            Action::TakeControl => self.claim(now),
            Action::ReleaseControl => self.say(BackendCommand::ReleaseControl),
            action => {
                let Some(anchor) = action.anchor() else { return Verdict::Applied };
                if !self.leads() {
                    return Verdict::Superseded { reason: "someone else took control".into() };
                }
                if !self.backend.claimed {
                    self.claim(now);
                }
                match action {
                    _ if self.backend.loaded != anchor.track => self.say_track(anchor, now),
                    Action::Play { .. } => self.say_control(BackendAction::Play, anchor, now),
                    Action::Pause { .. } => self.say_control(BackendAction::Pause, anchor, now),
                    Action::Seek { .. } => self.say_control(BackendAction::Seek, anchor, now),
                    _ => self.say_track(anchor, now),
                }
                self.backend.next_sync = Some(now + SYNC_US);
            }
        }
        Verdict::Applied
    }

    /// The DJ's regular word on where he is.
    fn tell_position(&mut self, now: MonoTime) {
        if self.backend.next_sync.is_none_or(|due| now < due) {
            return;
        }
        self.backend.next_sync = None;
        if let Some(anchor) = self.anchor_now(now).filter(|anchor| anchor.playing && self.leads())
            && let Some(track_id) = anchor.track.clone()
        {
            let dated = self.dated(&anchor, now);
            self.say(BackendCommand::PositionSync { track_id, dated });
            self.backend.next_sync = Some(now + SYNC_US);
        }
    }

    /// Tells the backend that we lead.
    pub(super) fn claim(&mut self, now: MonoTime) {
        self.backend.claimed = true;
        self.backend.taking_until = Some(now + TAKE_US);
        self.say(BackendCommand::TakeControl);
    }

    /// Where the music is now, and when that is.
    fn dated(&self, anchor: &Anchor, now: MonoTime) -> Dated {
        Dated { position_us: anchor.position_us(self.convoy_now(now)), unix_ms: self.backend.unix_ms(now) }
    }

    fn say_control(&mut self, action: BackendAction, anchor: &Anchor, now: MonoTime) {
        let (track, dated) = (self.track_of(anchor), self.dated(anchor, now));
        self.say(BackendCommand::Control { action, track, playing: anchor.playing, dated });
    }

    pub(super) fn say_track(&mut self, anchor: &Anchor, now: MonoTime) {
        if let Some(track) = self.track_of(anchor) {
            let dated = self.dated(anchor, now);
            self.backend.loaded = Some(track.id.clone());
            self.say(BackendCommand::TrackChange { track, autoplay: anchor.playing, dated });
        }
    }

    pub(super) fn say_playlist(&mut self) {
        self.note_names();
        let tracks = self.state.playlist.entries().map(|(_, track)| track.clone()).collect();
        self.say(BackendCommand::Playlist { tracks });
    }

    /// The list is longer than the backend takes: the edits stay in this car, and their author is told.
    pub(in crate::core::car) fn handle_unheard_list(&mut self, reason: &str) {
        for change in std::mem::take(&mut self.backend.listed) {
            let reason = format!("the others were not told: {reason}; remove some entries");
            let verdict = Verdict::Superseded { reason: reason.clone() };
            self.outputs.push_back(Output::Settle { change: change.clone(), verdict });
            self.outputs.push_back(Output::Notice(Notice::Superseded { change, reason }));
        }
    }

    /// Keeps our names of the entries in the list that all know now.
    pub(super) fn note_names(&mut self) {
        let entries = self.state.playlist.entries();
        self.backend.named = entries.map(|(entry, track)| (track.id.clone(), entry.clone())).collect();
    }

    pub(in crate::core::car) fn say(&mut self, command: BackendCommand) {
        self.outputs.push_back(Output::Server(ServerCommand::Backend(command)));
    }
}
