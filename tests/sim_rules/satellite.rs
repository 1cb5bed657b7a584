//! Over a satellite: 20 to 60 ms, 2 % loss, and a handoff every 15 s.

use jamz::core::id::ConvoyId;
use jamz::core::status::ActiveSync;
use jamz::sim::{Conditions, Fault, Preset, SECOND, Step, Terms, World};

const CARS: usize = 3;
/// Slow enough that nobody is asked for the server's time, which takes beats of its own.
const LAN: Preset = Preset::Lte;
/// By then each car knows over what its way goes.
const KNOWN_S: i64 = 120;

fn road(wan: Preset, seed: u64) -> World {
    let terms = Terms { cars: CARS, has_server: true, seed };
    let conditions = Conditions { lan: LAN, wan, crystal_ppm: 100 };
    let mut world = World::new(terms, ConvoyId::new("road").unwrap(), false).under(conditions);
    for car in 0..CARS {
        world.take(&Step::Fault(Fault::Start { car, reboot: false }));
    }
    world
}

#[test]
fn over_a_satellite_the_tier_does_not_flap_and_controls_have_a_second_to_arrive() {
    for seed in 1..=4 {
        let mut world = road(Preset::Starlink, seed);
        for tenth in 1..=3_000 {
            world.run_until(tenth * SECOND / 10);
            for car in (0..CARS).filter(|_| tenth > 50) {
                let status = world.status(car).unwrap();
                let at = tenth as f64 / 10.0;
                assert_eq!(status.connection.active_sync, ActiveSync::Socket, "seed {seed}, car {car}, {at} s");
                let buffers = (1_000_000..=2_000_000).contains(&status.lead_us);
                assert!(buffers || tenth < 10 * KNOWN_S, "seed {seed}, car {car}, {at} s: {} us", status.lead_us);
            }
        }
    }
}

#[test]
fn a_way_on_the_ground_with_short_queues_is_not_taken_for_a_satellites() {
    // Chance deceives most while little was heard.
    for (seed, minutes) in (1..=4).map(|seed| (seed, 15)).chain((5..=30).map(|seed| (seed, 2))) {
        let terms = Terms { cars: 8, has_server: true, seed };
        let mut world = World::new(terms, ConvoyId::new("road").unwrap(), false);
        for car in 0..8 {
            world.take(&Step::Fault(Fault::Start { car, reboot: false }));
        }
        for minute in 1..=minutes {
            world.run_until(minute * 60 * SECOND);
            let leads: Vec<i64> = (0..8).map(|car| world.status(car).unwrap().lead_us).collect();
            assert!(leads.iter().all(|lead_us| *lead_us < 1_000_000), "seed {seed}, minute {minute}: {leads:?}");
        }
    }
}

/// Messages over links within two minutes of calm.
fn beats(wan: Preset) -> u64 {
    let mut world = road(wan, 7);
    world.run_until((KNOWN_S + 20) * SECOND);
    let before = world.traffic().0;
    world.run_until((KNOWN_S + 140) * SECOND);
    world.traffic().0 - before
}

#[test]
fn over_a_satellite_warm_links_beat_every_3_s_and_not_every_5() {
    let (satellite, ground) = (beats(Preset::Starlink), beats(Preset::Wifi));
    let share = satellite as f64 / ground as f64;
    assert!((1.4..1.9).contains(&share), "{satellite} messages over a satellite, {ground} otherwise");
}
