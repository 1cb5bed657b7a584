//! From the timeline to what the audio path must play: which file, from when to when; and which files to have ready.

use super::{Car, Link};
use crate::core::clock::{ConvoyTime, MonoTime};
use crate::core::id::{EntryId, TrackId};
use crate::core::io::{AudioCommand, Notice, Output, Plan, Segment, Source, TrackEvent};
use crate::core::playlist::Track;
use crate::core::status::LibraryStatus;
use crate::core::timeline::Anchor;
use std::collections::{BTreeMap, BTreeSet};

/// What is known of a track's file.
#[derive(Debug, Clone)]
enum File {
    /// Asked for.
    Awaited,
    Ready {
        source: Source,
        gain_db: Option<f32>,
    },
    Missing {
        problem: String,
    },
}

/// Keeps the plan that was last told, and the files that plans need.
#[derive(Debug, Default)]
pub(super) struct Planner {
    files: BTreeMap<TrackId, File>,
    plan: Plan,
    /// What should play, can not, and has no known end; and since when.
    stuck: Option<(Anchor, MonoTime)>,
    /// Whose turn it was when people were last told that it is skipped.
    skipped: Option<(Option<EntryId>, TrackId)>,
}

/// Tracks fetched and planned ahead of the current one.
const AHEAD: usize = 3;
/// Files remembered; the rest is asked for again when needed.
const FILES_MAX: usize = 256;
/// A track that cannot be had and whose end nobody knows is left after so long.
const STUCK_US: i64 = 5_000_000;

impl Car {
    pub(super) fn handle_track(&mut self, event: TrackEvent) {
        match event {
            TrackEvent::Ready { track, source, duration_us, gain_db } => {
                if let Some(duration_us) = duration_us {
                    let learned = self.state.playlist.learn_duration(&track, duration_us);
                    self.queue_revision += u64::from(learned);
                    self.learn_loose_duration(&track, duration_us);
                }
                self.planner.files.insert(track, File::Ready { source, gain_db });
            }
            TrackEvent::Missing { track, problem } => {
                self.planner.files.insert(track, File::Missing { problem });
            }
        }
    }

    /// A library that has other tracks than before may have what was missing.
    pub(super) fn handle_library(&mut self, status: LibraryStatus) {
        if status.tracks != self.library.tracks {
            self.forget_missing();
        }
        self.library = status;
    }

    /// What could not be had may be had now: it is asked for again.
    pub(super) fn forget_missing(&mut self) {
        self.planner.files.retain(|_, file| !matches!(file, File::Missing { .. }));
    }

    /// Tells people of a track that this car does not have, once, when its turn has come.
    fn tell_skipped(&mut self, current: Option<&Anchor>, convoy_now: ConvoyTime) {
        let current = current.filter(|anchor| anchor.playing && anchor.at <= convoy_now);
        let turn = current.and_then(|anchor| Some((anchor.entry.clone(), anchor.track.clone()?)));
        if self.planner.skipped != turn {
            self.planner.skipped = None;
        }
        let Some((entry, track)) = turn.filter(|_| self.planner.skipped.is_none()) else { return };
        if let Some(File::Missing { problem }) = self.planner.files.get(&track) {
            let notice = Notice::TrackSkipped { track: track.to_string(), problem: problem.clone() };
            self.outputs.push_back(Output::Notice(notice));
            self.planner.skipped = Some((entry, track));
        }
    }

    /// Moves the timeline on to `now`: the next track, where one has run out.
    pub(super) fn advance(&mut self, now: MonoTime) {
        let convoy_now = self.convoy_now(now);
        if self.follows_backend() {
            self.state.timeline.settle(convoy_now);
        } else if self.state.advance(convoy_now) {
            self.touch(now);
            self.tell_backend_of_roll(now);
        }
    }

    /// On today's backend the DJ says what comes next; a listener does not run ahead of him.
    pub(super) fn follows_backend(&self) -> bool {
        self.is_in_session() && self.state.controller.as_ref().is_some_and(|controller| controller != self.me.device())
    }

    /// When the current track runs out.
    pub(super) fn next_roll(&self) -> Option<MonoTime> {
        if !self.time_known() || self.follows_backend() {
            return None;
        }
        let map = self.clock.map()?;
        let current = self.state.timeline.from(ConvoyTime(i64::MIN)).next()?;
        self.state.following(&current.anchor).map(|next| map.mono(next.at))
    }

    /// Whether music is to be heard here, now or soon.
    #[must_use]
    pub fn is_playing_planned(&self) -> bool {
        !self.planner.plan.segments.is_empty()
    }

    /// Tells the audio path when what it should play has changed, and asks for the files that it will need.
    pub(super) fn replan(&mut self, now: MonoTime) {
        let convoy_now = self.convoy_now(now);
        let anchors = self.anchors_ahead(convoy_now);
        self.tell_skipped(anchors.first(), convoy_now);
        self.ask_for_files(&anchors);
        let segments = anchors
            .iter()
            .enumerate()
            .filter(|(_, anchor)| anchor.playing)
            .filter_map(|(i, anchor)| self.segment(anchor, anchors.get(i + 1)))
            .collect();
        let plan = Plan { segments };
        if plan != self.planner.plan {
            self.planner.plan = plan.clone();
            self.outputs.push_back(Output::Audio(AudioCommand::Plan(plan)));
        }
    }

    /// Goes on to the next track when the current one is missing here and nothing says when it ends. One car does that:
    /// the controller's, or one that is alone.
    pub(super) fn leave_stuck_track(&mut self, now: MonoTime) {
        let Some(anchor) = self.stuck(now) else {
            self.planner.stuck = None;
            return;
        };
        let since = self.planner.stuck.take().filter(|(known, _)| *known == anchor).map_or(now, |(_, since)| since);
        let is_due = now - since >= STUCK_US;
        self.planner.stuck = Some((anchor, if is_due { now } else { since }));
        if is_due {
            let at = self.convoy_now(now) + self.lead_us();
            for action in self.next(at).unwrap_or_else(|_| self.pause(at)) {
                self.author(action, now);
            }
        }
    }

    /// When to look whether the current track is still stuck.
    pub(super) fn stuck_timeout(&self) -> Option<MonoTime> {
        self.planner.stuck.as_ref().map(|(_, since)| *since + STUCK_US)
    }

    fn stuck(&self, now: MonoTime) -> Option<Anchor> {
        let is_alone = !matches!(self.link, Link::Joined(_));
        let leads = is_alone || self.state.controller.as_ref() == Some(self.me.device());
        let anchor = self.anchor_now(now).filter(|anchor| anchor.playing && leads && self.time_known())?;
        let is_decided = self.state.timeline.last().is_some_and(|last| last.anchor != anchor);
        let is_stuck = self.track_of(&anchor).is_none_or(|track| {
            track.duration_us.is_none() && matches!(self.planner.files.get(&track.id), Some(File::Missing { .. }))
        });
        (is_stuck && !is_decided).then_some(anchor)
    }

    /// The current anchor, those already decided to come, and the tracks that follow by themselves.
    fn anchors_ahead(&self, convoy_now: ConvoyTime) -> Vec<Anchor> {
        let mut anchors: Vec<Anchor> = Vec::new();
        for stamped in self.state.timeline.from(convoy_now) {
            let until = Some(stamped.anchor.at);
            self.roll_ahead(&mut anchors, until);
            anchors.push(stamped.anchor.clone());
        }
        self.roll_ahead(&mut anchors, None);
        anchors
    }

    fn roll_ahead(&self, anchors: &mut Vec<Anchor>, until: Option<ConvoyTime>) {
        if self.follows_backend() {
            return;
        }
        for _ in 0..AHEAD {
            let next = anchors.last().and_then(|last| self.state.following(last));
            let Some(next) = next.filter(|next| until.is_none_or(|until| next.at < until)) else { break };
            anchors.push(next);
        }
    }

    fn segment(&self, anchor: &Anchor, next: Option<&Anchor>) -> Option<Segment> {
        let track = anchor.track.clone()?;
        let (source, gain_db) = match self.planner.files.get(&track) {
            Some(File::Ready { source, gain_db }) => (Some(source.clone()), *gain_db),
            _ => (None, None),
        };
        Some(Segment {
            entry: anchor.entry.clone(),
            track,
            source,
            starts: anchor.at,
            position_us: anchor.position_us,
            ends: next.map(|next| next.at),
            gain_db,
        })
    }

    fn ask_for_files(&mut self, anchors: &[Anchor]) {
        let mut wanted: Vec<Track> = anchors.iter().filter_map(|anchor| self.track_of(anchor)).collect();
        let last = anchors.last().and_then(|anchor| anchor.entry.clone());
        let mut next = last;
        for _ in 0..AHEAD {
            next = next.and_then(|entry| self.state.playlist.after(Some(&entry)).cloned());
            wanted.extend(next.as_ref().and_then(|entry| self.state.playlist.track(entry)).cloned());
        }
        let planned = self.planner.plan.segments.iter().map(|segment| segment.track.clone());
        let needed: BTreeSet<TrackId> = wanted.iter().map(|track| track.id.clone()).chain(planned).collect();
        for track in wanted {
            if !self.planner.files.contains_key(&track.id) {
                if self.planner.files.len() >= FILES_MAX {
                    let is_awaited = |file: &File| matches!(file, File::Awaited);
                    self.planner.files.retain(|id, file| is_awaited(file) || needed.contains(id));
                }
                self.planner.files.insert(track.id.clone(), File::Awaited);
                self.outputs.push_back(Output::Resolve(Box::new(track)));
            }
        }
    }

    pub(super) fn track_of(&self, anchor: &Anchor) -> Option<Track> {
        let of_entry = anchor.entry.as_ref().and_then(|entry| self.state.playlist.track(entry));
        of_entry.cloned().or_else(|| self.loose_track(anchor))
    }
}
