//! Whether a convoy takes a car in, and who is told; and how fast many changes go out to it.

use super::super::own;
use super::*;

fn joins(bench: &Bench) -> usize {
    bench.sent().iter().filter(|command| matches!(command, ServerCommand::Join { .. })).count()
}

fn ask(bench: &mut Bench) -> RequestId {
    bench.command(Command::Join { convoy: ConvoyId::new("another").unwrap() })
}

#[test]
fn a_join_is_answered_by_what_the_server_says_of_it() {
    let mut bench = Bench::new(in_convoy());
    bench.join(Snapshot::default(), 0);
    let taken = ask(&mut bench);
    assert_eq!(bench.reply(taken), None, "not before the server has answered");
    bench.server(ServerEvent::Joined { snapshot: Box::default(), members: Vec::new() });
    assert_eq!(bench.reach(taken), Some(Reach::Convoy));
    bench.wait(4 * SECOND);
    let refused = ask(&mut bench);
    bench.server(ServerEvent::Rejected { reason: "the token is for c1".into() });
    assert!(matches!(bench.reply(refused), Some(Err(Refusal::Denied(text))) if text.contains("the token is for c1")));
    bench.wait(4 * SECOND);
    let silent = ask(&mut bench);
    bench.wait(3 * SECOND);
    assert_eq!(bench.reach(silent), Some(Reach::Local), "a server that says nothing is not waited for");
    bench.server(ServerEvent::Down { reason: "cut".into() });
    let alone = ask(&mut bench);
    assert_eq!(bench.reach(alone), Some(Reach::Local));
}

#[test]
fn whoever_waits_to_be_taken_in_is_told_when_the_convoy_is_left() {
    let mut bench = Bench::new(in_convoy());
    bench.join(Snapshot::default(), 0);
    let asked = bench.command(Command::Join { convoy: ConvoyId::new("convoy").unwrap() });
    assert_eq!(bench.reply(asked), None);
    bench.command(Command::Leave);
    assert!(matches!(bench.reply(asked), Some(Err(Refusal::Failed(_)))));
}

#[test]
fn a_car_that_is_refused_asks_again_ever_more_seldom_and_at_once_when_told_to() {
    let mut bench = Bench::new(in_convoy());
    bench.server(ServerEvent::Up { dialect: Dialect::Jamz, challenge: None });
    for wait in [REJOIN_US, 2 * REJOIN_US, 4 * REJOIN_US, 8 * REJOIN_US, 16 * REJOIN_US, 16 * REJOIN_US] {
        let before = joins(&bench);
        bench.server(ServerEvent::Rejected { reason: "the convoy is full".into() });
        bench.wait(wait - 1);
        assert_eq!(joins(&bench), before);
        bench.wait(1);
        assert_eq!(joins(&bench), before + 1);
    }
    bench.server(ServerEvent::Rejected { reason: "the convoy is full".into() });
    let before = joins(&bench);
    let asked = bench.command(Command::Join { convoy: ConvoyId::new("convoy").unwrap() });
    assert_eq!(joins(&bench), before + 1);
    bench.server(ServerEvent::Joined { snapshot: Box::default(), members: Vec::new() });
    assert_eq!(bench.reach(asked), Some(Reach::Convoy));
    bench.wait(300 * SECOND);
    assert_eq!(joins(&bench), before + 1, "it is in");
}

/// Acknowledges changes as they come, `acknowledged` of which are already; how many went out in each second.
fn acknowledge(bench: &mut Bench, acknowledged: &mut usize, seconds: usize) -> Vec<usize> {
    let mut rates = Vec::new();
    for _ in 0..seconds {
        let before = bench.changes_sent().len();
        for _ in 0..100 {
            let ids: Vec<_> = bench.changes_sent()[*acknowledged..].iter().map(|change| change.id.clone()).collect();
            *acknowledged += ids.len();
            for change in ids {
                bench.server(ServerEvent::Acked { change, verdict: Verdict::Applied });
            }
            bench.wait(SECOND / 100);
        }
        rates.push(bench.changes_sent().len() - before);
    }
    rates
}

#[test]
fn many_changes_go_out_slower_than_the_server_allows_and_all_of_them_do() {
    let mut bench = Bench::new(in_convoy());
    bench.join(Snapshot::default(), 0);
    bench.add(&vec![track("a", 10); 900]);
    let mut acknowledged = 0;
    acknowledge(&mut bench, &mut acknowledged, 5);
    assert_eq!((acknowledged, bench.status().changes.pending), (900, 0));
    let cleared = bench.command(Command::QueueClear);
    let rates = acknowledge(&mut bench, &mut acknowledged, 5);
    assert!(rates.iter().all(|rate| *rate <= 300) && rates[0] >= 200, "{rates:?} a second");
    assert_eq!((acknowledged, bench.status().changes.pending), (1_800, 0));
    assert_eq!(bench.reach(cleared), Some(Reach::Local), "the person does not wait for all of it");
}

#[test]
fn a_wait_for_the_disk_behind_many_others_makes_no_longer_lead() {
    let mut bench = Bench::new(in_convoy());
    bench.join(Snapshot::default(), 0);
    let before = bench.status().lead_us;
    bench.disk = false;
    let added = bench.add(&vec![track("a", 10); 500]);
    let stored: Vec<_> = bench
        .seen
        .iter()
        .filter_map(|output| if let Output::Store(change) = output { Some(change.id.clone()) } else { None })
        .collect();
    for id in stored {
        bench.now = bench.now + 10_000;
        assert_eq!(bench.reply(added), None, "not before all of it is durable");
        bench.give(Input::Stored(id));
    }
    assert_eq!(bench.reach(added), Some(Reach::Local));
    let longer_us = bench.status().lead_us - before;
    assert!(longer_us < 10_000, "{longer_us} us longer, after five seconds of storing");
    bench.add(&[track("b", 10)]);
    let slow = bench.car.own.next_id();
    bench.now = bench.now + 60 * SECOND;
    bench.give(Input::Stored(crate::core::changes::ChangeId { sequence: slow.sequence - 1, ..slow }));
    let longer_us = bench.status().lead_us - before;
    assert!(longer_us <= 2 * own::STORE_US_MAX / 8 + 10_000, "{longer_us} us longer after one stall");
}

#[test]
fn a_disk_that_stalls_for_ten_seconds_is_waited_for_and_one_that_stands_still_is_named() {
    for (stall_us, reach) in [(10 * SECOND, Some(Reach::Local)), (21 * SECOND, None)] {
        let mut bench = Bench::new(in_convoy());
        bench.join(Snapshot::default(), 0);
        bench.disk = false;
        let added = bench.add(&[track("a", 10)]);
        bench.wait(stall_us);
        let stored = bench.seen.iter().find_map(|output| match output {
            Output::Store(change) => Some(change.id.clone()),
            _ => None,
        });
        bench.give(Input::Stored(stored.unwrap()));
        assert_eq!(bench.reach(added), reach, "{:?}", bench.reply(added));
    }
}

#[test]
fn a_state_that_could_not_be_kept_is_kept_a_moment_later() {
    let mut bench = Bench::new(in_convoy());
    bench.join(Snapshot::default(), 0);
    bench.wait(5 * SECOND);
    let kept = |bench: &Bench| bench.seen.iter().filter(|output| matches!(output, Output::Remember(_))).count();
    let before = kept(&bench);
    bench.give(Input::NotRemembered);
    bench.wait(2 * SECOND);
    assert_eq!(kept(&bench), before + 1);
}

#[test]
fn a_car_that_lost_its_memory_and_kept_its_key_does_not_use_its_numbers_again() {
    let mut before = Bench::new(in_convoy());
    before.join(Snapshot::default(), 0);
    before.add(&[track("a", 10), track("b", 10), track("c", 10)]);
    let mut held = Snapshot::default();
    for change in before.changes_sent() {
        assert_eq!(held.apply(change), Verdict::Applied);
    }

    let mut bench = Bench::new(in_convoy());
    let early = bench.add(&[track("d", 10)]);
    bench.wait(AWAIT_US);
    assert_eq!(bench.queue(), ["d"], "done alone, under number 1");
    bench.join(held.clone(), 0);
    assert!(bench.reply(early).is_some());
    let withdrawn = |output: &Output| matches!(output, Output::Notice(Notice::Superseded { .. }));
    assert!(bench.seen.iter().any(withdrawn), "nobody is left to think that it counts");
    assert_eq!(bench.queue(), ["a", "b", "c"]);
    let sent = bench.changes_sent().len();
    bench.add(&[track("e", 10)]);
    let change = bench.changes_sent()[sent];
    assert_eq!(change.id.sequence, 4);
    assert_eq!(held.apply(change), Verdict::Applied, "and no duplicate");
    assert_eq!(bench.queue(), ["a", "b", "c", "e"]);
}

#[test]
fn a_long_list_is_cleared_in_parts_and_who_asked_is_told_when_all_is_stored() {
    const ENTRIES: usize = 1_000;
    let mut bench = Bench::new(start());
    bench.add(&vec![track("a", 10); ENTRIES]);
    bench.disk = false;
    let before = bench.seen.len();
    let stored = |bench: &Bench| -> Vec<_> {
        let store = |output: &Output| if let Output::Store(change) = output { Some(change.id.clone()) } else { None };
        bench.seen[before..].iter().filter_map(store).collect()
    };
    let cleared = bench.command(Command::QueueClear);
    assert!(stored(&bench).len() < ENTRIES / 2, "{} at once", stored(&bench).len());
    assert_eq!(bench.car.poll_timeout(), Some(MonoTime(i64::MIN)), "it goes on at once");
    for id in stored(&bench) {
        bench.give(Input::Stored(id));
    }
    assert_eq!(bench.reply(cleared), None, "that was not all");
    bench.disk = true;
    while bench.reply(cleared).is_none() {
        let made = stored(&bench);
        bench.give(Input::Wake);
        for id in made {
            bench.give(Input::Stored(id));
        }
    }
    assert_eq!((bench.reach(cleared), bench.queue().len()), (Some(Reach::Convoy), 0));
    assert_eq!(stored(&bench).len(), ENTRIES);
}

#[test]
fn a_car_that_has_only_strangers_around_it_is_told_why_nobody_is_found() {
    let mut bench =
        Bench::new(Start { mesh: MeshSettings { enabled: true, ..MeshSettings::default() }, ..in_convoy() });
    assert!(!bench.status().connection.reason.contains("secret_file"));
    bench.give(Input::Lan(crate::core::mesh::LanEvent::Stranger));
    assert!(bench.status().connection.reason.contains("secret_file"));
    let device = key(9).device().clone();
    bench.give(Input::Lan(crate::core::mesh::LanEvent::Found { device }));
    assert!(!bench.status().connection.reason.contains("secret_file"));
}
