//! The music's position as a function of convoy time: anchors, and the rules by which a newer one replaces an older.

use super::changes::Stamp;
use super::clock::ConvoyTime;
use super::id::{EntryId, TrackId};
use serde::{Deserialize, Serialize};

/// From convoy time `at` on, `track` plays (or stands) at `position_us`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// The playlist entry that plays; none when the track is in no playlist (today's backend allows that).
    pub entry: Option<EntryId>,
    /// None when nothing is chosen.
    pub track: Option<TrackId>,
    pub position_us: i64,
    pub at: ConvoyTime,
    pub playing: bool,
}

impl Anchor {
    /// Nothing chosen, nothing playing.
    #[must_use]
    pub fn empty(at: ConvoyTime) -> Self {
        Self { entry: None, track: None, position_us: 0, at, playing: false }
    }

    /// The position at `time`, in microseconds of the track; before `at` it is the anchor's own.
    #[must_use]
    pub fn position_us(&self, time: ConvoyTime) -> i64 {
        if self.playing { self.position_us.saturating_add((time - self.at).max(0)) } else { self.position_us }
    }
}

/// An anchor and who set it when; the stamp decides between two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamped {
    pub stamp: Stamp,
    pub anchor: Anchor,
}

/// What plays now and what is already decided to come. The same set of anchors gives the same timeline in whatever
/// order they arrive.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Timeline {
    /// By ascending take-effect time; the first is current, or the only one.
    anchors: Vec<Stamped>,
    /// What stood where the playlist had run out and the music stopped by itself: an entry that was added before that
    /// may be heard of only now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ran_out: Option<Stamped>,
}

/// More anchors than this wait to take effect only when something is wrong.
const ANCHORS_MAX: usize = 64;

impl Timeline {
    /// Takes in an anchor: it removes every older-stamped one that would take effect at the same time or later, and is
    /// itself refused (false) when a newer-stamped one is already in effect by then. A second time it changes nothing.
    pub fn insert(&mut self, new: Stamped) -> bool {
        if self.anchors.iter().any(|a| a.stamp == new.stamp) {
            return true;
        }
        let at = new.anchor.at;
        if self.anchors.iter().any(|a| a.stamp >= new.stamp && a.anchor.at <= at) {
            return false;
        }
        self.anchors.retain(|a| a.stamp > new.stamp || a.anchor.at < at);
        let place = self.anchors.partition_point(|a| a.anchor.at <= at);
        self.anchors.insert(place, new);
        if self.anchors.len() > ANCHORS_MAX {
            self.anchors.remove(0);
        }
        true
    }

    /// The anchor in effect at `time`; before the first takes effect, what stood before it is unknown: none.
    #[must_use]
    pub fn at(&self, time: ConvoyTime) -> Option<&Stamped> {
        let after = self.anchors.partition_point(|a| a.anchor.at <= time);
        after.checked_sub(1).and_then(|i| self.anchors.get(i))
    }

    /// The last anchor decided, in effect or not: what a person who acts now has in mind.
    #[must_use]
    pub fn last(&self) -> Option<&Stamped> {
        self.anchors.last()
    }

    /// The anchor in effect at `time` and all decided after it.
    pub fn from(&self, time: ConvoyTime) -> impl Iterator<Item = &Stamped> {
        let after = self.anchors.partition_point(|a| a.anchor.at <= time);
        self.anchors.iter().skip(after.saturating_sub(1))
    }

    /// Forgets anchors that `time` has left behind.
    pub fn settle(&mut self, time: ConvoyTime) {
        let after = self.anchors.partition_point(|a| a.anchor.at <= time);
        self.anchors.drain(..after.saturating_sub(1));
    }

    /// Replaces the anchor in effect at `time` by its own continuation (the next track), keeping its stamp.
    pub fn roll(&mut self, time: ConvoyTime, next: Anchor) {
        let after = self.anchors.partition_point(|a| a.anchor.at <= time);
        if let Some(current) = after.checked_sub(1).and_then(|i| self.anchors.get_mut(i)) {
            self.ran_out = (!next.playing).then(|| current.clone());
            current.anchor = next;
        }
    }

    /// The playlist was edited at `time`: where that was before it ran out, and the music still stands there, it goes
    /// on by what is known now, as it does where that was known in time.
    pub fn reconsider(&mut self, time: ConvoyTime) {
        let Some(ran_out) = self.ran_out.take() else { return };
        let stops = self.anchors.iter_mut().find(|stamped| stamped.stamp == ran_out.stamp && !stamped.anchor.playing);
        match stops {
            Some(stopped) if stopped.anchor.at > time => stopped.anchor = ran_out.anchor,
            Some(_) => self.ran_out = Some(ran_out),
            None => {}
        }
    }

    /// Takes out the anchors that do not count any more; false when there were none.
    pub(super) fn withdraw(&mut self, mut denies: impl FnMut(&Stamp) -> bool) -> bool {
        let before = self.anchors.len();
        self.anchors.retain(|stamped| !denies(&stamped.stamp));
        self.anchors.len() < before
    }

    /// Whether an anchor of this stamp is in it.
    #[must_use]
    pub fn has(&self, stamp: &Stamp) -> bool {
        self.anchors.iter().any(|stamped| stamped.stamp == *stamp)
    }

    /// Rewrites what anchors say; their order in time must stay.
    pub fn revise(&mut self, mut rewrite: impl FnMut(&mut Anchor)) {
        for stamped in &mut self.anchors {
            rewrite(&mut stamped.anchor);
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.anchors.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::changes::Hlc;
    use crate::core::election::Term;
    use crate::core::id::DeviceId;

    fn stamped(hlc: i64, at: i64, position_us: i64) -> Stamped {
        Stamped {
            stamp: Stamp { term: Term(1), hlc: Hlc { time_us: hlc, count: 0 }, device: DeviceId::new("a").unwrap() },
            anchor: Anchor {
                entry: None,
                track: TrackId::new("t").ok(),
                position_us,
                at: ConvoyTime(at),
                playing: true,
            },
        }
    }

    fn permutations(items: &[Stamped]) -> Vec<Vec<Stamped>> {
        if items.len() <= 1 {
            return vec![items.to_vec()];
        }
        let mut all = Vec::new();
        for i in 0..items.len() {
            let mut rest = items.to_vec();
            let first = rest.remove(i);
            for mut tail in permutations(&rest) {
                tail.insert(0, first.clone());
                all.push(tail);
            }
        }
        all
    }

    #[test]
    fn position_runs_with_convoy_time_while_playing_and_stands_while_paused() {
        let mut anchor = stamped(1, 1_000, 500).anchor;
        assert_eq!(anchor.position_us(ConvoyTime(3_000)), 2_500);
        assert_eq!(anchor.position_us(ConvoyTime(0)), 500);
        let endless = Anchor { position_us: i64::MAX - 5, at: ConvoyTime(i64::MIN), ..anchor.clone() };
        assert_eq!(endless.position_us(ConvoyTime(i64::MAX)), i64::MAX);
        anchor.playing = false;
        assert_eq!(anchor.position_us(ConvoyTime(3_000)), 500);
    }

    #[test]
    fn anchors_in_any_order_of_arrival_give_the_same_timeline() {
        let anchors = [stamped(1, 100, 0), stamped(2, 300, 1), stamped(3, 200, 2), stamped(4, 400, 3)];
        let mut timelines = permutations(&anchors).into_iter().map(|order| {
            let mut timeline = Timeline::default();
            for anchor in order {
                timeline.insert(anchor);
            }
            timeline
        });
        let first = timelines.next().unwrap();
        assert!(timelines.all(|t| t == first));
        assert_eq!(first.at(ConvoyTime(350)).map(|a| a.anchor.position_us), Some(2));
        assert_eq!(first.at(ConvoyTime(50)), None);
    }

    #[test]
    fn a_late_older_control_does_not_undo_a_newer_one() {
        let mut timeline = Timeline::default();
        assert!(timeline.insert(stamped(5, 100, 7)));
        assert!(!timeline.insert(stamped(4, 150, 8)));
        timeline.settle(ConvoyTime(1_000));
        assert!(!timeline.insert(stamped(4, 150, 8)));
        assert_eq!(timeline.at(ConvoyTime(1_000)).map(|a| a.anchor.position_us), Some(7));
    }
}
