//! Each rule of the election by its name.

use super::*;
use crate::core::mesh::{Claim, ROUTE_MAX, Route, Source};

fn device(name: &str) -> DeviceId {
    DeviceId::new(name).unwrap()
}

fn claim(name: &str, term: u64) -> Claim {
    Claim {
        term: Term(term),
        established: false,
        timed: true,
        dj: false,
        mains: true,
        user: UserId::new(name).unwrap(),
        device: device(name),
    }
}

fn led_by(claim: Claim, path: &[&str]) -> Route {
    Route { source: Source::Member(claim), path: path.iter().map(|name| device(name)).collect(), count: 1 }
}

fn server(path: &[&str]) -> Route {
    Route { source: Source::Server { term: Term(0) }, path: path.iter().map(|name| device(name)).collect(), count: 1 }
}

fn choice(own: &Claim, heard: &[(&str, Route)], current: Option<&str>) -> Choice {
    let names: Vec<DeviceId> = heard.iter().map(|(name, _)| device(name)).collect();
    let heard = names.iter().zip(heard).map(|(peer, (_, route))| Heard { peer, route });
    choose(&own.device, false, Some(own), heard, current.map(device).as_ref())
}

fn follow(name: &str) -> Choice {
    Choice::Follow(device(name))
}

#[test]
fn the_highest_user_by_bytes_leads_among_equals() {
    let rivals = [("b", led_by(claim("b", 1), &["b"])), ("c", led_by(claim("c", 1), &["c"]))];
    assert_eq!(choice(&claim("a", 1), &rivals, None), follow("c"));
    assert_eq!(choice(&claim("d", 1), &rivals, None), Choice::Lead);
}

#[test]
fn the_djs_car_leads_before_others_and_mains_before_battery() {
    let dj = Claim { dj: true, mains: false, ..claim("a", 1) };
    assert_eq!(choice(&claim("z", 1), &[("a", led_by(dj, &["a"]))], None), follow("a"));
    let tired = Claim { mains: false, ..claim("z", 1) };
    assert_eq!(choice(&tired, &[("a", led_by(claim("a", 1), &["a"]))], None), follow("a"));
}

#[test]
fn a_lone_car_does_not_unseat_a_convoy_of_the_same_term_even_if_it_is_the_djs() {
    let convoy = Claim { established: true, ..claim("a", 3) };
    let dj = Claim { dj: true, ..claim("z", 3) };
    assert_eq!(choice(&dj, &[("a", led_by(convoy.clone(), &["a"]))], None), follow("a"));
    assert_eq!(choice(&convoy, &[("z", led_by(dj, &["z"]))], None), Choice::Lead);
}

#[test]
fn who_knows_the_convoys_time_leads_before_the_djs_car_that_has_just_started() {
    let started = Claim { timed: false, dj: true, ..claim("z", 3) };
    assert_eq!(choice(&claim("a", 3), &[("z", led_by(started, &["z"]))], None), Choice::Lead);
}

#[test]
fn the_higher_term_leads_whoever_it_is() {
    let newer = claim("a", 4);
    let older = Claim { established: true, dj: true, ..claim("z", 3) };
    assert_eq!(choice(&older, &[("a", led_by(newer, &["a"]))], None), follow("a"));
}

#[test]
fn the_server_is_obeyed_before_any_member_by_the_shortest_way() {
    let high = Claim { established: true, dj: true, ..claim("z", 99) };
    let heard = [("b", server(&["x", "b"])), ("c", server(&["c"])), ("z", led_by(high.clone(), &["z"]))];
    assert_eq!(choice(&claim("a", 1), &heard, Some("b")), follow("c"));
    let [first, _, third] = heard;
    assert_eq!(choice(&high, &[first, third], None), follow("b"));
    let none = std::iter::empty();
    assert_eq!(choose(&device("a"), true, Some(&high), none, None), Choice::Server);
}

#[test]
fn of_equal_ways_the_one_in_use_stays() {
    let heard = [("b", server(&["b"])), ("c", server(&["c"]))];
    assert_eq!(choice(&claim("a", 1), &heard, Some("c")), follow("c"));
    assert_eq!(choice(&claim("a", 1), &heard, None), follow("b"));
}

#[test]
fn nobody_obeys_a_way_that_leads_through_himself_or_is_too_long_or_forged() {
    let high = || claim("z", 9);
    let own = claim("a", 1);
    assert_eq!(choice(&own, &[("b", led_by(high(), &["z", "a", "b"]))], None), Choice::Lead);
    assert_eq!(ROUTE_MAX, 5);
    assert_eq!(choice(&own, &[("b", led_by(high(), &["z", "w", "x", "y", "b"]))], None), Choice::Lead);
    assert_eq!(choice(&own, &[("b", led_by(high(), &["z", "x", "y", "b"]))], None), follow("b"));
    assert_eq!(choice(&own, &[("b", led_by(high(), &["b"]))], None), Choice::Lead);
    assert_eq!(choice(&own, &[("b", led_by(high(), &["z", "x"]))], None), Choice::Lead);
    assert_eq!(choice(&own, &[("b", led_by(high(), &[]))], None), Choice::Lead);
}

fn rank(name: &str) -> Rank {
    Rank { leads: false, dj: false, mains: true, user: UserId::new(name).ok(), device: device(name) }
}

fn chosen(members: &[Rank], me: &str, failing: &[&str]) -> Vec<String> {
    let fails = |id: &DeviceId| failing.contains(&id.as_str());
    hubs(members, &device(me), fails).iter().map(ToString::to_string).collect()
}

#[test]
fn all_link_with_the_hub_and_the_standby_and_with_nobody_else() {
    let members = [Rank { dj: true, ..rank("b") }, rank("a"), rank("c"), rank("d")];
    assert_eq!(chosen(&members, "a", &[]), ["b", "d"]);
    assert_eq!(chosen(&members, "c", &[]), ["b", "d"]);
    assert_eq!(chosen(&members, "b", &[]), ["d"]);
    assert_eq!(chosen(&members, "d", &[]), ["b"]);
}

#[test]
fn a_hub_that_fails_is_tried_again_while_the_next_ones_take_its_place() {
    let members = [rank("a"), rank("b"), rank("c"), rank("d")];
    assert_eq!(chosen(&members, "a", &["d"]), ["b", "c", "d"]);
    assert_eq!(chosen(&members, "a", &["b", "c", "d"]), ["b", "c", "d"]);
}

#[test]
fn a_member_whose_user_is_not_known_yet_is_no_hub_where_another_can_be() {
    let stranger = Rank { user: None, ..rank("z") };
    assert_eq!(chosen(&[rank("a"), rank("b"), stranger], "a", &[]), ["b"]);
}
