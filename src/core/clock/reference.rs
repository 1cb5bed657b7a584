//! Whose time a car has: the server's as it asks for it itself, or as another that is near asked for it.
//!
//! By a way that takes longer there than back the server's time is off by half the difference, and nothing that is
//! asked over that way can show it; the error bound, half of what both take, says so. A neighbour over a short way may
//! know better. And where all know it alike, all are to have it from the same one: what he is off by, all are, and the
//! music is together. The lowest id is the same in the eyes of all.

use crate::core::id::DeviceId;

/// Who knows the time within this, in microseconds, needs nobody else;
const GOOD_US: i64 = 1_000;
/// and who asks others already, within this.
const BETTER_US: i64 = 750;
/// Cars that a time goes through, at most.
pub const THROUGH_MAX: usize = 3;

/// The time as it can be had from a neighbour.
#[derive(Debug, Clone, Copy)]
pub struct Offer<'a> {
    pub peer: &'a DeviceId,
    /// The cars by whom that one has it, the first of which asks the server itself; none if he does.
    pub through: &'a [DeviceId],
    /// How far it is off at most, with what the way to the neighbour adds, in microseconds.
    pub bound_us: i64,
    /// What that way adds.
    pub link_us: i64,
}

/// Whether who knows the time within `own_us` asks neighbours for it; who does so `already` does not cease for little.
#[must_use]
pub fn is_vague(own_us: i64, already: bool) -> bool {
    own_us > if already { BETTER_US } else { GOOD_US }
}

/// The neighbour from whom `me`, which knows the time within `own_us` itself, is to have it; none for itself. The one
/// that is `followed` now is not left for little.
#[must_use]
pub fn reference<'a>(
    me: &DeviceId,
    own_us: i64,
    offers: impl Iterator<Item = Offer<'a>>,
    followed: Option<&DeviceId>,
) -> Option<&'a DeviceId> {
    if !is_vague(own_us, followed.is_some()) {
        return None;
    }
    let is_followed = |offer: &Offer| followed == Some(offer.peer);
    let is_of_use = |offer: &Offer| {
        // A way that is as bad as the server's makes nothing better.
        let link_us = own_us / if is_followed(offer) { 2 } else { 3 };
        offer.link_us <= link_us && offer.through.len() < THROUGH_MAX && !offer.through.contains(me)
    };
    let offers: Vec<Offer> = offers.filter(is_of_use).collect();
    let best_us = offers.iter().map(|offer| offer.bound_us).fold(own_us, i64::min);
    let is_alike = |bound_us: i64, is_current: bool| bound_us - best_us <= best_us / if is_current { 2 } else { 4 };
    let alike = offers.iter().filter(|offer| is_alike(offer.bound_us, is_followed(offer)));
    let best = alike.min_by_key(|offer| {
        let asks = offer.through.first().unwrap_or(offer.peer);
        (asks, offer.through.len(), !is_followed(offer), offer.peer)
    })?;
    let is_own_better = me < best.through.first().unwrap_or(best.peer) && is_alike(own_us, followed.is_none());
    (!is_own_better).then_some(best.peer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> DeviceId {
        DeviceId::new(name).unwrap()
    }

    /// Each a neighbour, through whom it has its time, its bound and what the way there adds, in milliseconds.
    fn chosen(own_ms: i64, offers: &[(&str, &[&str], i64, i64)], followed: Option<&str>) -> Option<String> {
        let owned: Vec<(DeviceId, Vec<DeviceId>, i64, i64)> = offers
            .iter()
            .map(|(peer, through, bound, link)| (id(peer), through.iter().map(|one| id(one)).collect(), *bound, *link))
            .collect();
        let offers = owned.iter().map(|(peer, through, bound_ms, link_ms)| Offer {
            peer,
            through,
            bound_us: bound_ms * 1_000,
            link_us: link_ms * 1_000,
        });
        let followed = followed.map(id);
        reference(&id("m"), own_ms * 1_000, offers, followed.as_ref()).map(ToString::to_string)
    }

    #[test]
    fn who_knows_the_time_well_needs_nobody() {
        assert_eq!(chosen(1, &[("a", &[], 0, 0)], None), None);
        assert_eq!(chosen(2, &[], None), None);
    }

    #[test]
    fn who_knows_it_much_better_is_followed_whatever_his_name() {
        assert_eq!(chosen(40, &[("z", &[], 12, 2)], None).as_deref(), Some("z"));
        assert_eq!(chosen(40, &[("a", &[], 38, 1), ("z", &[], 12, 2)], None).as_deref(), Some("z"));
    }

    #[test]
    fn of_those_who_know_it_alike_all_have_it_from_the_same_one() {
        assert_eq!(chosen(20, &[("a", &[], 24, 2), ("z", &[], 22, 2)], None).as_deref(), Some("a"));
        assert_eq!(chosen(20, &[("n", &[], 22, 2), ("z", &[], 22, 2)], None), None);
        assert_eq!(chosen(20, &[("z", &["a"], 24, 3), ("b", &[], 21, 1)], None).as_deref(), Some("z"));
        assert_eq!(chosen(20, &[("z", &["a"], 24, 3), ("a", &[], 25, 5)], None).as_deref(), Some("a"));
    }

    #[test]
    fn nobody_follows_himself_by_a_detour_or_over_a_bad_way_or_through_too_many() {
        assert_eq!(chosen(40, &[("a", &["m"], 5, 1)], None), None);
        assert_eq!(chosen(40, &[("a", &["b", "m"], 5, 1)], None), None);
        assert_eq!(chosen(40, &[("a", &[], 25, 20)], None), None);
        assert_eq!(chosen(40, &[("a", &["b", "c", "d"], 5, 1)], None), None);
    }

    #[test]
    fn who_is_followed_is_not_left_for_little() {
        let offers: [(&str, &[&str], i64, i64); 2] = [("b", &[], 14, 2), ("z", &[], 10, 2)];
        assert_eq!(chosen(40, &offers, Some("b")).as_deref(), Some("b"));
        assert_eq!(chosen(40, &offers, None).as_deref(), Some("z"));
        assert_eq!(chosen(40, &[("z", &[], 24, 18)], Some("z")).as_deref(), Some("z"));
        // Its own is no other's in that.
        assert_eq!(chosen(14, &[("z", &[], 10, 2)], None), None);
        assert_eq!(chosen(16, &[("z", &[], 10, 2)], None).as_deref(), Some("z"));
        assert_eq!(chosen(14, &[("z", &[], 10, 2)], Some("z")).as_deref(), Some("z"));
        assert_eq!(chosen(11, &[("z", &[], 10, 2)], Some("z")), None);
    }
}
