//! Who behaves: a member with a good key and a bad will is muted for a time that grows. What he says meanwhile is not
//! heard, whoever brings it.
//!
//! Each car judges by what it has seen itself, and tells nobody: an accusation would be one more thing to lie about.

mod allowance;
#[cfg(test)]
mod tests;

pub use allowance::Matter;

use super::changes::{Action, Change};
use super::clock::{ConvoyTime, MonoTime};
use super::id::DeviceId;
use super::playlist::Track;
use allowance::Allowance;
use std::collections::BTreeMap;
use std::fmt;

/// The first mute; each further one is twice as long,
const MUTE_US: i64 = 30_000_000;
/// up to an hour.
const DOUBLINGS_MAX: u32 = 7;
/// Who was good for so long begins anew.
const FORGIVEN_US: i64 = 3_600_000_000;
/// Members whose conduct is remembered.
const MEMBERS_MAX: usize = 512;
/// A control that is dated longer ago than this was not given now.
const BELATED_US: i64 = 5_000_000;
/// When what somebody did alone arrives all at once, nobody hears but the last of it. Beyond so many in so long such a
/// control is not felt, and does not count as one of now.
const FELT_MAX: u32 = 12;
const FELT_WITHIN_US: i64 = 500_000;

/// Why somebody is muted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offence {
    TooMuch(Matter),
    /// A term that no convoy comes to.
    FalseTerm,
    /// He claims to lead as somebody else than he is.
    FalseRank,
    /// Convoy time stepped at him who keeps it.
    FalseClock,
}

impl fmt::Display for Offence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooMuch(matter) => matter.words(),
            Self::FalseTerm => "claims a term that cannot be",
            Self::FalseRank => "claims to lead as another user than its own",
            Self::FalseClock => "its clock stepped while it led",
        })
    }
}

/// A mute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mute {
    pub until: MonoTime,
    pub offence: Offence,
}

/// A token bucket.
#[derive(Debug)]
struct Bucket {
    level: f64,
    filled: MonoTime,
}

impl Bucket {
    fn take(&mut self, allowance: Allowance, amount: f64, now: MonoTime) -> bool {
        let elapsed_s = (now - self.filled).max(0) as f64 / 1e6;
        self.level = (self.level + elapsed_s * allowance.per_second).min(allowance.burst);
        self.filled = self.filled.max(now);
        let has_enough = self.level >= amount;
        self.level -= if has_enough { amount } else { 0.0 };
        has_enough
    }
}

#[derive(Debug)]
struct Record {
    buckets: BTreeMap<Matter, Bucket>,
    /// Belated controls, since when and how many.
    belated: (MonoTime, u32),
    mute: Option<Mute>,
    mutes: u32,
    seen: MonoTime,
}

/// What is remembered of everyone's conduct.
#[derive(Debug, Default)]
pub struct Conduct {
    records: BTreeMap<DeviceId, Record>,
    /// Who was muted since that was last asked.
    news: Vec<DeviceId>,
}

impl Conduct {
    /// Counts what a member does. Whether he may be heard: within his allowance, and not muted.
    #[must_use]
    pub fn count(&mut self, member: &DeviceId, matter: Matter, amount: usize, now: MonoTime) -> bool {
        let record = self.record(member, now);
        if record.mute.is_some_and(|mute| now < mute.until) {
            return false;
        }
        let allowance = matter.allowance();
        let full = Bucket { level: allowance.burst, filled: now };
        let is_enough = record.buckets.entry(matter).or_insert(full).take(allowance, amount as f64, now);
        if !is_enough {
            self.accuse(member, Offence::TooMuch(matter), now);
        }
        is_enough
    }

    /// Counts a change by what it is. `convoy_now` is convoy time.
    #[must_use]
    pub fn count_change(&mut self, change: &Change, convoy_now: ConvoyTime, now: MonoTime) -> bool {
        let author = &change.id.device;
        let is_belated = convoy_now - ConvoyTime(change.hlc.time_us) > BELATED_US;
        match &change.action {
            Action::Add { .. } | Action::Remove { .. } | Action::Move { .. } => {
                self.count(author, Matter::Edits, 1, now)
                    && self.count(author, Matter::EditBytes, weight(&change.action), now)
            }
            _ if is_belated => {
                self.count(author, Matter::Belated, 1, now)
                    && (!self.is_felt(author, now) || self.count(author, Matter::Controls, 1, now))
            }
            Action::TakeControl | Action::ReleaseControl => self.count(author, Matter::Takes, 1, now),
            Action::Play { .. } | Action::Pause { .. } | Action::Seek { .. } | Action::ChangeTrack { .. } => {
                self.count(author, Matter::Controls, 1, now)
            }
        }
    }

    /// Whether a belated control of a member is one of the few that people hear.
    fn is_felt(&mut self, member: &DeviceId, now: MonoTime) -> bool {
        let (since, count) = &mut self.record(member, now).belated;
        if now - *since >= FELT_WITHIN_US {
            (*since, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        *count <= FELT_MAX
    }

    /// Mutes a member, unless he is muted already.
    pub fn accuse(&mut self, member: &DeviceId, offence: Offence, now: MonoTime) {
        let record = self.record(member, now);
        if record.mute.is_some_and(|mute| now < mute.until) {
            return;
        }
        if record.mute.is_some_and(|mute| now - mute.until >= FORGIVEN_US) {
            record.mutes = 0;
        }
        let until = now + (MUTE_US << record.mutes.min(DOUBLINGS_MAX));
        record.mute = Some(Mute { until, offence });
        record.mutes = record.mutes.saturating_add(1);
        record.buckets.clear();
        self.news.push(member.clone());
    }

    /// How a member is muted, if he is.
    #[must_use]
    pub fn mute_of(&self, member: &DeviceId, now: MonoTime) -> Option<Mute> {
        self.records.get(member)?.mute.filter(|mute| now < mute.until)
    }

    #[must_use]
    pub fn is_muted(&self, member: &DeviceId, now: MonoTime) -> bool {
        self.mute_of(member, now).is_some()
    }

    /// All who are muted.
    pub fn muted(&self, now: MonoTime) -> impl Iterator<Item = (&DeviceId, Mute)> {
        self.records
            .iter()
            .filter_map(move |(member, record)| Some((member, record.mute.filter(|mute| now < mute.until)?)))
    }

    /// Who was muted since this was last asked.
    pub fn take_news(&mut self) -> Vec<DeviceId> {
        std::mem::take(&mut self.news)
    }

    fn record(&mut self, member: &DeviceId, now: MonoTime) -> &mut Record {
        if self.records.len() >= MEMBERS_MAX && !self.records.contains_key(member) {
            self.forget_one();
        }
        let belated = (now, 0);
        let new = || Record { buckets: BTreeMap::new(), belated, mute: None, mutes: 0, seen: now };
        let record = self.records.entry(member.clone()).or_insert_with(new);
        record.seen = now;
        record
    }

    /// Makes room: first of those who were never muted, the one not seen for longest.
    fn forget_one(&mut self) {
        let oldest = self.records.iter().min_by_key(|(_, record)| (record.mute.map(|mute| mute.until), record.seen));
        if let Some(oldest) = oldest.map(|(member, _)| member.clone()) {
            self.records.remove(&oldest);
        }
    }
}

/// About how many bytes an edit keeps busy.
fn weight(action: &Action) -> usize {
    let Action::Add { track, .. } = action else { return 0 };
    let Track { title, artist, album, url, extra, .. } = track;
    let texts = title.len() + artist.len() + album.len() + url.as_ref().map_or(0, String::len);
    let beside = if extra.is_empty() { 0 } else { serde_json::to_vec(extra).map_or(0, |json| json.len()) };
    texts + beside
}
