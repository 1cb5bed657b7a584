//! Changes: one thing a member did, with an identity, a time and an order that all members agree on.

use super::clock::ConvoyTime;
use super::election::Term;
use super::id::{DeviceId, EntryId, UserId};
use super::order::OrderKey;
use super::planted::{Plant, is_planted};
use super::playlist::Track;
use super::timeline::Anchor;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The author's device and that device's own count; unique for ever.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChangeId {
    pub device: DeviceId,
    pub sequence: u64,
}

impl fmt::Display for ChangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.device, self.sequence)
    }
}

/// Hybrid logical time: convoy time, made strictly increasing by a count (Kulkarni et al., "Logical Physical Clocks",
/// 2014).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Hlc {
    pub time_us: i64,
    pub count: u32,
}

impl Hlc {
    /// The time of a change made now, later than all that was seen.
    #[must_use]
    pub fn tick(self, now: ConvoyTime) -> Self {
        if now.0 > self.time_us {
            Self { time_us: now.0, count: 0 }
        } else if let Some(count) = self.count.checked_add(1) {
            Self { count, ..self }
        } else {
            Self { time_us: self.time_us.saturating_add(1), count: 0 }
        }
    }

    /// What is known after `other` was seen.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        self.max(other)
    }
}

/// The order between two changes of the same kind: last writer wins by (term, hybrid time), the device breaks ties.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Stamp {
    pub term: Term,
    pub hlc: Hlc,
    pub device: DeviceId,
}

/// One thing a member did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    pub id: ChangeId,
    pub hlc: Hlc,
    pub term: Term,
    /// The person behind it, where one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    pub action: Action,
    /// The author's signature over the canonical bytes, in base64; demanded from the mesh tier on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

impl Change {
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        Stamp { term: self.term, hlc: self.hlc, device: self.id.device.clone() }
    }
}

/// What was done. Playback actions carry the whole anchor that they lead to, so that each stands alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Action {
    Play { anchor: Anchor },
    Pause { anchor: Anchor },
    Seek { anchor: Anchor },
    ChangeTrack { anchor: Anchor },
    Add { entry: EntryId, track: Track, order: OrderKey },
    Remove { entry: EntryId },
    Move { entry: EntryId, order: OrderKey },
    TakeControl,
    ReleaseControl,
}

impl Action {
    /// The anchor of a playback action; none for the others.
    #[must_use]
    pub fn anchor(&self) -> Option<&Anchor> {
        match self {
            Self::Play { anchor } | Self::Pause { anchor } | Self::Seek { anchor } | Self::ChangeTrack { anchor } => {
                Some(anchor)
            }
            _ => None,
        }
    }

    /// Whether it edits the playlist.
    #[must_use]
    pub fn is_edit(&self) -> bool {
        matches!(self, Self::Add { .. } | Self::Remove { .. } | Self::Move { .. })
    }

    /// The action's name, as the wire, the history and the logs give it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Play { .. } => "play",
            Self::Pause { .. } => "pause",
            Self::Seek { .. } => "seek",
            Self::ChangeTrack { .. } => "change-track",
            Self::Add { .. } => "add",
            Self::Remove { .. } => "remove",
            Self::Move { .. } => "move",
            Self::TakeControl => "take-control",
            Self::ReleaseControl => "release-control",
        }
    }
}

/// Changes that a car keeps, on its disk and for a server that is out of reach: room for a full playlist and what was
/// done with it.
pub const CHANGES_KEPT_MAX: usize = 24_576;

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// It counts.
    Applied,
    /// It was known already; nothing happened, and nothing is wrong.
    Duplicate,
    /// Something newer counts instead. Kept, and shown by the history.
    Superseded { reason: String },
    /// Its author had no right to it. Kept, and shown by the history.
    Refused { reason: String },
}

/// Which changes of whom are known: a version vector that also holds what arrived ahead of a gap.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Versions(BTreeMap<DeviceId, Known>);

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Told")]
struct Known {
    /// All up to and including this one.
    contiguous: u64,
    /// Those known beyond a gap.
    ahead: BTreeSet<u64>,
    /// How many of the contiguous ones are only taken for known, as their author skipped them.
    skipped: u64,
}

/// [`Known`] as a disk or a peer has it, which may say anything.
#[derive(Deserialize)]
struct Told {
    contiguous: u64,
    ahead: BTreeSet<u64>,
    #[serde(default)]
    skipped: u64,
}

impl From<Told> for Known {
    fn from(told: Told) -> Self {
        let contiguous = told.contiguous.min(NUMBER_MAX);
        let ahead = told.ahead.into_iter().filter(|number| (contiguous + 1..=NUMBER_MAX).contains(number));
        let mut known =
            Self { contiguous, ahead: ahead.take(AHEAD_MAX).collect(), skipped: told.skipped.min(contiguous) };
        known.close_gap();
        known
    }
}

impl Known {
    fn close_gap(&mut self) {
        while self.ahead.remove(&(self.contiguous + 1)) {
            self.contiguous += 1;
        }
    }
}

/// More than this beyond a gap means that the gap will not be filled: the author skipped numbers.
const AHEAD_MAX: usize = 1_024;
/// No author has counted so far: whoever is said to have can still count on.
const NUMBER_MAX: u64 = 1 << 52;

impl Versions {
    #[must_use]
    pub fn knows(&self, id: &ChangeId) -> bool {
        self.0
            .get(&id.device)
            .is_some_and(|known| id.sequence <= known.contiguous || known.ahead.contains(&id.sequence))
    }

    /// Takes a change in; false when it was known.
    pub fn insert(&mut self, id: &ChangeId) -> bool {
        if self.knows(id) {
            return false;
        }
        let known = self.0.entry(id.device.clone()).or_default();
        known.ahead.insert(id.sequence);
        if known.ahead.len() > AHEAD_MAX
            && let Some(first) = known.ahead.first()
        {
            known.skipped += (first - known.contiguous).saturating_sub(1);
            known.contiguous = first.saturating_sub(1);
        }
        known.close_gap();
        true
    }

    /// A number that `device` has not used, as far as is known here.
    #[must_use]
    pub fn next(&self, device: &DeviceId) -> u64 {
        let last = |known: &Known| known.ahead.last().copied().unwrap_or(known.contiguous);
        self.0.get(device).map_or(1, |known| last(known).saturating_add(1))
    }

    /// Changes that are known here and not to `other`, at most `max`, by author.
    #[must_use]
    pub fn beyond(&self, other: &Self, max: usize) -> Vec<ChangeId> {
        let nothing = Known::default();
        let mut beyond = Vec::new();
        for (device, known) in &self.0 {
            let theirs = other.0.get(device).unwrap_or(&nothing);
            let first = theirs.contiguous + 1 + u64::from(is_planted(Plant::VersionVectorOffByOne));
            let contiguous = first..=known.contiguous;
            let unknown = contiguous.chain(known.ahead.iter().copied());
            let unknown = unknown.filter(|n| *n > theirs.contiguous && !theirs.ahead.contains(n));
            let room = max - beyond.len();
            beyond.extend(unknown.take(room).map(|sequence| ChangeId { device: device.clone(), sequence }));
        }
        beyond
    }

    /// How many authors are known.
    #[must_use]
    pub fn authors(&self) -> usize {
        self.0.len()
    }

    /// Whether any change of `device` is known.
    #[must_use]
    pub fn knows_author(&self, device: &DeviceId) -> bool {
        self.0.contains_key(device)
    }

    /// The highest number known of anyone.
    #[must_use]
    pub fn highest(&self) -> u64 {
        let last = |known: &Known| known.ahead.last().copied().unwrap_or(0).max(known.contiguous);
        self.0.values().map(last).max().unwrap_or(0)
    }

    /// How many changes are known of all authors together.
    #[must_use]
    pub fn count(&self) -> u64 {
        let count = |known: &Known| known.contiguous.saturating_sub(known.skipped) + known.ahead.len() as u64;
        self.0.values().map(count).fold(0, u64::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(sequence: u64) -> ChangeId {
        ChangeId { device: DeviceId::new("car").unwrap(), sequence }
    }

    #[test]
    fn hybrid_time_increases_even_when_the_clock_stands_or_runs_back() {
        let first = Hlc::default().tick(ConvoyTime(100));
        let second = first.tick(ConvoyTime(100));
        let third = second.tick(ConvoyTime(40));
        assert!(first < second && second < third);
        assert_eq!(third.tick(ConvoyTime(101)), Hlc { time_us: 101, count: 0 });
    }

    #[test]
    fn after_the_highest_count_hybrid_time_still_increases() {
        let last = Hlc { time_us: 100, count: u32::MAX };
        assert!(last.tick(ConvoyTime(100)) > last);
    }

    #[test]
    fn versions_that_cannot_be_are_read_as_ones_that_can() {
        let below: Vec<u64> = (1..=1_024).collect();
        let told = serde_json::json!({
            "car": {"contiguous": 5_000, "ahead": below, "skipped": 9_000},
            "far": {"contiguous": u64::MAX, "ahead": [u64::MAX], "skipped": 0},
            "gap": {"contiguous": 0, "ahead": [1, 2, 4], "skipped": 0},
        });
        let mut versions: Versions = serde_json::from_value(told).unwrap();
        assert!(versions.insert(&id(9_000)) && versions.knows(&id(5_000)) && !versions.knows(&id(5_001)));
        let far = DeviceId::new("far").unwrap();
        assert!(versions.insert(&ChangeId { sequence: versions.next(&far), device: far }));
        assert!(versions.knows(&ChangeId { device: DeviceId::new("gap").unwrap(), sequence: 4 }));

        let many: serde_json::Map<_, _> = (0..5_000)
            .map(|n| (format!("d{n}"), serde_json::json!({"contiguous": u64::MAX, "ahead": [], "skipped": 0})))
            .collect();
        let versions: Versions = serde_json::from_value(many.into()).unwrap();
        assert_eq!(versions.count(), u64::MAX);
    }

    #[test]
    fn a_change_is_known_once_in_whatever_order_it_comes() {
        let mut versions = Versions::default();
        for sequence in [3, 1, 2, 5] {
            assert!(versions.insert(&id(sequence)));
            assert!(!versions.insert(&id(sequence)));
        }
        assert!(!versions.knows(&id(4)));
        assert_eq!(versions.count(), 4);
    }

    #[test]
    fn what_one_knows_beyond_the_other_is_found_also_around_gaps() {
        let (mut ours, mut theirs) = (Versions::default(), Versions::default());
        for sequence in [1, 2, 3, 6, 9] {
            ours.insert(&id(sequence));
        }
        for sequence in [1, 3, 4, 6] {
            theirs.insert(&id(sequence));
        }
        let numbers = |ids: Vec<ChangeId>| ids.iter().map(|id| id.sequence).collect::<Vec<_>>();
        assert_eq!(numbers(ours.beyond(&theirs, 9)), [2, 9]);
        assert_eq!(numbers(theirs.beyond(&ours, 9)), [4]);
        assert_eq!(numbers(ours.beyond(&Versions::default(), 3)), [1, 2, 3]);
        assert_eq!(ours.beyond(&ours, 9), []);
    }

    #[test]
    fn an_author_that_skips_numbers_does_not_fill_memory() {
        let mut versions = Versions::default();
        for n in 0..10_000 {
            versions.insert(&id(10 + 2 * n));
        }
        assert!(serde_json::to_string(&versions).unwrap().len() < 20_000);
        assert!(versions.knows(&id(10)));
    }

    #[test]
    fn numbers_that_an_author_skipped_are_not_counted_as_changes() {
        let mut versions = Versions::default();
        for n in 0..10_000 {
            versions.insert(&id(300_000_000 + 7 * n));
        }
        versions.insert(&id(1));
        assert_eq!(versions.count(), 10_000);
        let text = serde_json::to_string(&versions).unwrap();
        assert_eq!(serde_json::from_str::<Versions>(&text).unwrap(), versions);
    }
}
