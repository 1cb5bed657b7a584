//! A whole playlist as a phone sends it, turned into the changes that lead there: what was added, removed and moved.

use crate::core::changes::Action;
use crate::core::id::{EntryId, TrackId};
use crate::core::order::OrderKey;
use crate::core::playlist::{Playlist, Track};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What others did so lately that the phone cannot have known it when it sent its list.
#[derive(Debug, Default)]
pub(super) struct Unseen {
    pub added: BTreeSet<EntryId>,
    pub removed: BTreeSet<TrackId>,
}

/// The fewest changes from `playlist` to `tracks`. `name` gives each new entry its id.
pub(super) fn changes(
    playlist: &Playlist,
    tracks: Vec<Track>,
    unseen: &Unseen,
    mut name: impl FnMut() -> Option<EntryId>,
) -> Vec<Action> {
    let present: Vec<(EntryId, OrderKey)> = playlist.places().map(|(id, order)| (id.clone(), order.clone())).collect();
    let mut by_track: BTreeMap<&TrackId, VecDeque<usize>> = BTreeMap::new();
    for (index, (id, _)) in present.iter().enumerate() {
        if let Some(track) = playlist.track(id) {
            by_track.entry(&track.id).or_default().push_back(index);
        }
    }
    // What stands at each wanted place: an entry that is here, or a new one.
    let wanted: Vec<(Option<usize>, Track)> = tracks
        .into_iter()
        .map(|track| (by_track.get_mut(&track.id).and_then(VecDeque::pop_front), track))
        .filter(|(here, track)| here.is_some() || !unseen.removed.contains(&track.id))
        .collect();
    let gone = by_track.values().flatten().filter_map(|index| present.get(*index)).map(|(id, _)| id);
    let mut actions: Vec<Action> =
        gone.filter(|id| !unseen.added.contains(*id)).map(|id| Action::Remove { entry: id.clone() }).collect();
    let keys = keys(&wanted, &present);
    for ((here, track), key) in wanted.into_iter().zip(keys) {
        let Some(order) = key else { continue };
        match here.and_then(|index| present.get(index)) {
            Some((entry, _)) => actions.push(Action::Move { entry: entry.clone(), order }),
            None => actions.extend(name().map(|entry| Action::Add { entry, track, order })),
        }
    }
    actions
}

/// The new key of each wanted place; none where the entry stays as it is.
fn keys(wanted: &[(Option<usize>, Track)], present: &[(EntryId, OrderKey)]) -> Vec<Option<OrderKey>> {
    let staying = longest_ascending(wanted.iter().map(|(here, _)| *here));
    let stays = |place: usize| -> Option<&OrderKey> {
        let index = wanted.get(place).and_then(|(here, _)| *here).filter(|index| staying.contains(index))?;
        present.get(index).map(|(_, key)| key)
    };
    let mut keys = Vec::with_capacity(wanted.len());
    let mut before = None;
    if staying.is_empty() {
        before = present.last().map(|(_, key)| key);
    }
    let mut place = 0;
    while place < wanted.len() {
        if let Some(key) = stays(place) {
            before = Some(key);
            keys.push(None);
            place += 1;
            continue;
        }
        let run = (place..wanted.len()).take_while(|p| stays(*p).is_none()).count();
        let mut fresh = Vec::with_capacity(run);
        spread(before, stays(place + run), run, &mut fresh);
        keys.extend(fresh.into_iter().map(Some));
        place += run;
    }
    keys
}

/// Appends `count` ascending keys between two places, short ones.
fn spread(before: Option<&OrderKey>, after: Option<&OrderKey>, count: usize, keys: &mut Vec<OrderKey>) {
    if count == 0 {
        return;
    }
    // Towards an open end keys count by whole numbers; between two, halving keeps them short.
    let left = match (before, after) {
        (Some(_) | None, None) => 0,
        (None, Some(_)) => count - 1,
        (Some(_), Some(_)) => count / 2,
    };
    let middle = OrderKey::between(before, after);
    if after.is_none() {
        let mut last = middle;
        for _ in 1..count {
            let next = OrderKey::between(Some(&last), None);
            keys.push(std::mem::replace(&mut last, next));
        }
        keys.push(last);
    } else if before.is_none() {
        let start = keys.len();
        let mut first = middle;
        for _ in 0..left {
            let next = OrderKey::between(None, Some(&first));
            keys.push(std::mem::replace(&mut first, next));
        }
        keys.push(first);
        if let Some(run) = keys.get_mut(start..) {
            run.reverse();
        }
    } else {
        spread(before, Some(&middle), left, keys);
        keys.push(middle.clone());
        spread(Some(&middle), after, count - left - 1, keys);
    }
}

/// A longest ascending subsequence of the given numbers (patience sorting), as a set.
fn longest_ascending(numbers: impl Iterator<Item = Option<usize>>) -> BTreeSet<usize> {
    // The smallest end of an ascending run of each length, and what each number follows in its run.
    let mut ends: Vec<usize> = Vec::new();
    let mut follows: BTreeMap<usize, usize> = BTreeMap::new();
    for number in numbers.flatten() {
        let length = ends.partition_point(|end| *end < number);
        if let Some(previous) = length.checked_sub(1).and_then(|i| ends.get(i)) {
            follows.insert(number, *previous);
        }
        match ends.get_mut(length) {
            Some(end) => *end = number,
            None => ends.push(number),
        }
    }
    let mut chosen = BTreeSet::new();
    let mut next = ends.last().copied();
    while let Some(number) = next {
        chosen.insert(number);
        next = follows.get(&number).copied();
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::changes::{Hlc, Stamp};
    use crate::core::election::Term;
    use crate::core::id::DeviceId;

    fn track(name: &str) -> Track {
        serde_json::from_value(serde_json::json!({ "id": name })).unwrap()
    }

    fn tracks(names: &str) -> Vec<Track> {
        names.split_whitespace().map(track).collect()
    }

    fn stamp(count: u32) -> Stamp {
        Stamp { term: Term(0), hlc: Hlc { time_us: 1, count }, device: DeviceId::new("d").unwrap() }
    }

    struct List {
        playlist: Playlist,
        count: u32,
    }

    impl List {
        fn new(names: &str) -> Self {
            let mut list = Self { playlist: Playlist::default(), count: 0 };
            list.become_(tracks(names), &Unseen::default());
            list
        }

        /// Brings the list to the wanted one; returns how many changes that took.
        fn become_(&mut self, tracks: Vec<Track>, unseen: &Unseen) -> usize {
            let mut n = self.count;
            let actions = changes(&self.playlist, tracks, unseen, || {
                n += 1;
                EntryId::new(format!("e{n}")).ok()
            });
            let length = actions.len();
            for action in actions {
                self.count += 1;
                let stamp = stamp(self.count);
                assert!(match action {
                    Action::Add { entry, track, order } => self.playlist.add(&entry, &track, &order, &stamp),
                    Action::Remove { entry } => self.playlist.remove(&entry),
                    Action::Move { entry, order } => self.playlist.shift(&entry, &order, &stamp),
                    _ => unreachable!(),
                });
            }
            self.count = self.count.max(n);
            length
        }

        fn names(&self) -> String {
            self.playlist.entries().map(|(_, t)| t.id.as_str()).collect::<Vec<_>>().join(" ")
        }
    }

    #[test]
    fn every_wanted_list_is_reached_with_few_changes() {
        let mut list = List::new("a b c d");
        for (wanted, cost) in [
            ("a b c d", 0),
            ("a x b c d", 1),
            ("d a x b c", 1),
            ("d a b c", 1),
            ("c b a d", 3),
            ("y z", 6),
            ("a a b a", 6),
            ("a b", 2),
            ("", 2),
            ("p q r", 3),
        ] {
            assert_eq!(list.become_(tracks(wanted), &Unseen::default()), cost, "to {wanted}");
            assert_eq!(list.names(), wanted);
        }
    }

    #[test]
    fn ten_thousand_tracks_in_any_place_keep_short_keys() {
        let many: Vec<String> = (0..10_000).map(|n| format!("t{n}")).collect();
        for wanted in [format!("a {} b", many.join(" ")), format!("{} a b", many.join(" "))] {
            let mut list = List::new("a b");
            assert_eq!(list.become_(tracks(&wanted), &Unseen::default()), 10_000);
            assert_eq!(list.names(), wanted);
            let longest = list
                .playlist
                .ids()
                .filter_map(|id| list.playlist.order_of(id))
                .map(|key| serde_json::to_string(key).unwrap().len());
            assert!(longest.max().unwrap() < 40);
        }
    }

    #[test]
    fn what_the_phone_could_not_know_is_neither_removed_nor_brought_back() {
        let mut list = List::new("a b c");
        let unseen = Unseen {
            added: list.playlist.nth(1).cloned().into_iter().collect(),
            removed: [TrackId::new("gone").unwrap()].into(),
        };
        list.become_(tracks("gone a c d"), &unseen);
        assert_eq!(list.names(), "a b c d");
    }
}
