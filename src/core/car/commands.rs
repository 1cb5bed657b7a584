//! What a person asks for, turned into changes with a time at which they take effect.

use super::{AWAIT_US, Car, Link, TimeBase};
use crate::core::backend::BackendCommand;
use crate::core::changes::Action;
use crate::core::clock::{ConvoyTime, Estimator, MonoTime};
use crate::core::convoy::CONTROL_AHEAD_MAX_US;
use crate::core::id::{ConvoyId, EntryId, TrackId, fingerprint};
use crate::core::io::{Dialect, Output, RequestId, ServerCommand};
use crate::core::order::OrderKey;
use crate::core::playlist::{ENTRIES_MAX, Track};
use crate::core::request::{Addition, Command, Done, Reach, Refusal};
use crate::core::ticket::Tickets;
use crate::core::timeline::Anchor;
use crate::core::trust;

/// Tracks added by one command, at most.
const ADDITIONS_MAX: usize = 1_000;
/// "Previous" within the first seconds of a track goes to the one before it, later to the track's start.
const PREVIOUS_US: i64 = 3_000_000;
const URL_BYTES_MAX: usize = 4_096;

pub(super) type Actions = Result<Vec<Action>, Refusal>;

impl Car {
    pub(super) fn handle_command(&mut self, request: RequestId, command: Command, now: MonoTime) {
        let actions = match command {
            Command::Volume { level } => self.set_volume(level, now),
            Command::Duck { on } => {
                self.duck(on);
                Ok(Vec::new())
            }
            Command::OutputDelay { output, delay_us } => self.set_output_delay(output, delay_us, now),
            Command::Chirp { part } => return self.chirp(request, part, now),
            Command::Join { convoy } => return self.join(request, convoy, now),
            Command::Leave => self.leave(now),
            Command::Invite { role } => return self.ask_for_invitation(request, role),
            other => self.actions(other, now),
        };
        match actions {
            Ok(actions) => self.make(request, actions, now),
            Err(refusal) => self.outputs.push_back(Output::Reply { request, result: Err(refusal) }),
        }
    }

    fn actions(&mut self, command: Command, now: MonoTime) -> Actions {
        let at = self.convoy_now(now) + self.lead_us();
        let actions = match command {
            Command::Play { entry } => self.play(entry, at)?,
            Command::Pause => self.pause(at),
            Command::Toggle if self.intended(at).playing => self.pause(at),
            Command::Toggle => self.play(None, at)?,
            Command::Seek { position_us } => self.seek(position_us, at)?,
            Command::SeekBy { offset_us } => {
                let anchor = self.intended(at);
                let end_us = self.duration_us(&anchor).unwrap_or(i64::MAX);
                self.seek(anchor.position_us.saturating_add(offset_us).clamp(0, end_us), at)?
            }
            Command::Next => self.next(at)?,
            Command::Previous => self.previous(at)?,
            Command::QueueAdd { tracks, index } => self.add(tracks, index)?,
            Command::QueueRemove { entry } => {
                self.known(&entry)?;
                vec![Action::Remove { entry }]
            }
            Command::QueueMove { entry, index } => {
                self.known(&entry)?;
                let order = self.state.playlist.place(Some(index), Some(&entry));
                vec![Action::Move { entry, order }]
            }
            Command::QueueClear => {
                self.state.playlist.ids().map(|entry| Action::Remove { entry: entry.clone() }).collect()
            }
            Command::Take => vec![Action::TakeControl],
            Command::Release => vec![Action::ReleaseControl],
            Command::Volume { .. }
            | Command::Duck { .. }
            | Command::OutputDelay { .. }
            | Command::Chirp { .. }
            | Command::Join { .. }
            | Command::Leave
            | Command::Invite { .. } => Vec::new(),
        };
        self.permit(&actions)?;
        Ok(actions)
    }

    /// While others can be reached, only the controller controls; a car that is alone may do as it likes, for itself.
    fn permit(&self, actions: &[Action]) -> Result<(), Refusal> {
        let alone = !self.is_joined();
        for action in actions.iter().filter(|action| !alone || action.anchor().is_none()) {
            self.own_right(action).map_err(Refusal::Denied)?;
        }
        let controller = self.state.controller.as_ref();
        let allowed = actions
            .iter()
            .all(|action| (alone && action.anchor().is_some()) || trust::may(self.me.device(), action, controller));
        if allowed { Ok(()) } else { Err(Refusal::Denied(self.denial())) }
    }

    fn denial(&self) -> String {
        let named = self.state.controller.as_ref().and_then(|device| {
            self.members.iter().find(|member| member.device == device.as_str()).map(|member| member.name.as_str())
        });
        match named.filter(|name| !name.is_empty()) {
            Some(name) => format!("{name} is the DJ; take control first (`jamzctl take`)"),
            None => self.state.denial(),
        }
    }

    /// The anchor that will hold at `at`, with the position it will have then: what a control starts from. One that
    /// lies further ahead than anyone can have meant binds nobody.
    pub(super) fn intended(&self, at: ConvoyTime) -> Anchor {
        let Some(last) = self.state.timeline.at(at + CONTROL_AHEAD_MAX_US) else { return Anchor::empty(at) };
        let at = at.max(last.anchor.at);
        let mut anchor = last.anchor.clone();
        while let Some(next) = self.state.following(&anchor).filter(|next| next.at <= at) {
            anchor = next;
        }
        Anchor { position_us: anchor.position_us(at), at, ..anchor }
    }

    fn duration_us(&self, anchor: &Anchor) -> Option<i64> {
        let of_entry = anchor.entry.as_ref().and_then(|entry| self.state.playlist.track(entry));
        of_entry.and_then(|track| track.duration_us).or_else(|| self.loose_duration_us(anchor))
    }

    fn play(&self, entry: Option<EntryId>, at: ConvoyTime) -> Actions {
        let current = self.intended(at);
        if let Some(entry) = entry {
            self.known(&entry)?;
            return Ok(vec![Action::ChangeTrack { anchor: self.start_of(&entry, at.max(current.at), true) }]);
        }
        let ended = self.duration_us(&current).is_some_and(|duration_us| current.position_us >= duration_us);
        let goes_on = self.track_of(&current).is_some() && !ended;
        let playlist = &self.state.playlist;
        let is_removed = current.entry.as_ref().is_some_and(|entry| !playlist.contains(entry));
        if goes_on && (!is_removed || playlist.is_empty()) {
            return Ok(vec![Action::Play { anchor: Anchor { playing: true, ..current } }]);
        }
        let next = playlist.after(current.entry.as_ref()).filter(|_| is_removed);
        let next = next.or_else(|| playlist.nth(0)).ok_or_else(empty)?;
        Ok(vec![Action::Play { anchor: self.start_of(next, at.max(current.at), true) }])
    }

    pub(super) fn pause(&self, at: ConvoyTime) -> Vec<Action> {
        let current = self.intended(at);
        if current.playing { vec![Action::Pause { anchor: Anchor { playing: false, ..current } }] } else { Vec::new() }
    }

    fn seek(&self, position_us: i64, at: ConvoyTime) -> Actions {
        let current = self.intended(at);
        if current.track.is_none() {
            return Err(Refusal::Invalid("nothing is chosen to seek in; play something first".into()));
        }
        if position_us < 0 {
            return Err(Refusal::Invalid("a position before the track's start".into()));
        }
        if let Some(duration_us) = self.duration_us(&current).filter(|duration_us| position_us > *duration_us) {
            let (wanted, length) = (clock(position_us), clock(duration_us));
            return Err(Refusal::Invalid(format!("{wanted} is beyond the track's end at {length}")));
        }
        Ok(vec![Action::Seek { anchor: Anchor { position_us, ..current } }])
    }

    pub(super) fn next(&self, at: ConvoyTime) -> Actions {
        if self.state.playlist.is_empty() {
            return Err(empty());
        }
        let current = self.intended(at);
        let place = current.entry.as_ref().filter(|entry| self.state.playlist.order_of(entry).is_some());
        let next = self.state.playlist.after(place).cloned();
        let next = next.ok_or_else(|| Refusal::Invalid("this is the last track of the playlist".into()))?;
        Ok(vec![Action::ChangeTrack { anchor: self.start_of(&next, current.at, current.playing) }])
    }

    fn previous(&self, at: ConvoyTime) -> Actions {
        let current = self.intended(at);
        if current.track.is_none() {
            return Err(Refusal::Invalid("nothing is chosen; play something first".into()));
        }
        let before = current.entry.as_ref().and_then(|entry| self.state.playlist.before(entry)).cloned();
        let anchor = match before.filter(|_| current.position_us < PREVIOUS_US) {
            Some(before) => self.start_of(&before, current.at, current.playing),
            None => Anchor { position_us: 0, ..current },
        };
        Ok(vec![Action::ChangeTrack { anchor }])
    }

    fn start_of(&self, entry: &EntryId, at: ConvoyTime, playing: bool) -> Anchor {
        let track = self.state.playlist.track(entry).map(|track| track.id.clone());
        Anchor { entry: Some(entry.clone()), track, position_us: 0, at, playing }
    }

    fn add(&self, additions: Vec<Addition>, index: Option<usize>) -> Actions {
        if additions.len() > ADDITIONS_MAX {
            return Err(Refusal::Invalid(format!("at most {ADDITIONS_MAX} tracks can be added at a time")));
        }
        if self.state.playlist.len() + additions.len() > ENTRIES_MAX {
            return Err(Refusal::Invalid(format!("the playlist would have more than {ENTRIES_MAX} entries")));
        }
        let after = index.and_then(|index| self.state.playlist.nth(index)).and_then(|id| self.state.playlist.get(id));
        let mut order = self.state.playlist.place(index, None);
        let mut actions = Vec::new();
        for (nth, addition) in additions.into_iter().enumerate() {
            let track = match addition {
                Addition::Known(track) => *track,
                Addition::Url(url) => track_of_url(url)?,
                Addition::Library(id) => {
                    return Err(Refusal::Invalid(format!(
                        "{id} is not in this car's library (`jamzctl library search`)"
                    )));
                }
            };
            let name = format!("{}-{}", self.me.device(), self.own.sequence() + 1 + nth as u64);
            let entry = EntryId::new(name).map_err(|e| Refusal::Invalid(e.to_string()))?;
            actions.push(Action::Add { entry, track, order: order.clone() });
            order = OrderKey::between(Some(&order), after.as_ref().map(|entry| &entry.order));
        }
        Ok(actions)
    }

    fn known(&self, entry: &EntryId) -> Result<(), Refusal> {
        let known = self.state.playlist.contains(entry);
        known
            .then_some(())
            .ok_or_else(|| Refusal::Invalid(format!("no entry {entry} in the playlist (`jamzctl queue list`)")))
    }

    /// Answered when the authority has taken this car in, or has refused it.
    fn join(&mut self, request: RequestId, convoy: ConvoyId, now: MonoTime) {
        if self.convoy.as_ref() != Some(&convoy) {
            self.depart();
            self.convoy = Some(convoy);
            self.show_let_in(now);
            self.remember(now);
        }
        if let Link::Joined(dialect) | Link::Joining(dialect) = self.link {
            if self.base == TimeBase::Own {
                // What is done from here on is dated by the convoy's clock.
                self.base = TimeBase::Awaited { until: now + AWAIT_US };
            }
            self.rejections = 0;
            self.ask_to_join(dialect, now);
            self.own.await_join(request, now);
        } else {
            let done = Done { changes: Vec::new(), reach: Reach::Local };
            self.outputs.push_back(Output::Reply { request, result: Ok(done) });
        }
    }

    fn leave(&mut self, now: MonoTime) -> Actions {
        if self.convoy.is_none() {
            return Err(Refusal::Invalid("this car is in no convoy".into()));
        }
        self.depart();
        self.remember(now);
        Ok(Vec::new())
    }

    /// Leaves the convoy: its music and playlist stay behind.
    fn depart(&mut self) {
        self.leave_mesh();
        self.own.answer_joins(&Err(Refusal::Failed("another convoy was chosen meanwhile".into())));
        match (self.link, self.convoy.take()) {
            (Link::Joined(Dialect::Backend), Some(convoy)) => self.say(BackendCommand::LeaveSession { convoy }),
            (Link::Joined(Dialect::Jamz), _) => self.outputs.push_back(Output::Server(ServerCommand::Leave)),
            _ => {}
        }
        if let Link::Joined(dialect) = self.link {
            self.link = Link::Joining(dialect);
            self.tiers.handle_lost("this car is in no convoy");
        }
        self.backend.forget_convoy(self.link != Link::Down);
        if self.base == TimeBase::Convoy {
            self.base = TimeBase::Own;
            self.estimator = Estimator::default();
        }
        self.abandon_own();
        self.papers.tickets = Tickets::default();
        self.state = crate::core::convoy::Snapshot::default();
        self.members.clear();
        self.queue_revision += 1;
    }
}

fn empty() -> Refusal {
    Refusal::Invalid("the playlist is empty; add music first (`jamzctl queue add`)".into())
}

fn track_of_url(url: String) -> Result<Track, Refusal> {
    let known_scheme = url.starts_with("http://") || url.starts_with("https://");
    if !known_scheme || url.len() > URL_BYTES_MAX || url.chars().any(char::is_control) {
        let problem =
            format!("a track's address must begin with http:// or https:// and be at most {URL_BYTES_MAX} bytes long");
        return Err(Refusal::Invalid(problem));
    }
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let title = path.rsplit('/').find(|part| !part.is_empty()).unwrap_or(path).to_owned();
    let id = TrackId::new(if url.len() <= TrackId::BYTES_MAX {
        url.clone()
    } else {
        format!("url-{:016x}", fingerprint(&url))
    });
    let id = id.map_err(|e| Refusal::Invalid(e.to_string()))?;
    Ok(Track {
        id,
        title,
        artist: String::new(),
        album: String::new(),
        duration_us: None,
        url: Some(url),
        extra: serde_json::Map::new(),
    })
}

/// Minutes and seconds, for people.
fn clock(us: i64) -> String {
    let seconds = us / 1_000_000;
    format!("{}:{:02}", seconds / 60, seconds % 60)
}
